"""A person at the portal: logs in, follows forms, as a browser without script would."""
import html
import http.client
import json
import re
import urllib.parse
import uuid


class Answer:
    def __init__(self, raw):
        self.status, self.headers, self.body = raw.status, raw.headers, raw.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def plain(self):
        """The text as it is read: without marks."""
        return html.unescape(re.sub(r"<[^>]*>", " ", self.text))


class Person:
    """with a session of their own: Person(port, name, password).get("/requests")"""

    def __init__(self, port, name=None, password=None, lang="en"):
        self.port, self.cookies = port, {"lang": lang}
        if name:
            done = self.post("/login", "/login", name=name, password=password)
            assert done.status == 303, f"login of {name}: {done.status}"

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, {"Cookie": cookies, **(headers or {})})
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer

    def get(self, path, expect=200):
        answer = self.ask("GET", path)
        assert answer.status == expect, f"{path}: {answer.status}: {answer.text[:1500]}"
        return answer

    def json(self, path):
        return json.loads(self.get("/api" + path).text)

    def csrf(self, page):
        return re.search(r'name="csrf" value="([^"]+)"', self.get(page).text)[1]

    def post(self, path, page, **fields):
        """A form of `page`, sent; not followed."""
        fields["csrf"] = self.csrf(page)
        return self.ask("POST", path, urllib.parse.urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})

    def send(self, path, page, files, **fields):
        """The same with files: { "field": (name, bytes) }."""
        boundary = uuid.uuid4().hex
        fields["csrf"] = self.csrf(page)
        parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                 for name, value in fields.items()]
        parts += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
                  f'Content-Type: application/octet-stream\r\n\r\n'.encode() + content + b"\r\n"
                  for name, (file, content) in files.items()]
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        return self.ask("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
