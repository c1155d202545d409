"""A portal over a filled store (tests/portal/hospital.c), and browsers that speak HTTP to it."""
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

PROGRAM = sys.argv[1]


class Hospital:
    """A portal of its own; ends with the `with`."""

    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="vigie-portal-")
        self.process = subprocess.Popen([PROGRAM, self.folder.name, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        told = json.loads(self.process.stdout.readline())
        self.password, self.socket, self.host, self.port, self.tls = told["password"], None, "localhost", 80, None
        if told["url"].startswith("unix:"):
            self.socket = told["url"].removeprefix("unix:")
        else:
            self.host, port = told["url"].removeprefix("http://").split(":")
            self.port = int(port)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if self.ask("GET", "/healthz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("the portal does not answer")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        status = self.process.wait(timeout=20)
        self.folder.cleanup()
        assert status == 0, f"the portal left with {status}"

    def ask(self, method, path, body=None, headers=None):
        """An answer with .status, .headers, .text."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        if self.tls:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=20, context=self.tls)
        elif self.socket:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(self.socket)
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    def raw(self, request, timeout=15):
        """What comes back for these bytes, until the portal closes."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as connection:
            connection.sendall(request)
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionResetError:
                pass
            return received

    def browser(self, user="analyst", language="fr"):
        browser = Browser(self, language)
        answer = browser.log_in(user)
        assert answer.status == 303, f"{user} does not get in: {answer.status} {answer.text}"
        return browser


class Browser:
    """Keeps cookies and finds the CSRF token of the last page."""

    def __init__(self, hospital, language="fr"):
        self.hospital, self.cookies, self.csrf, self.language = hospital, {}, "", language

    def ask(self, method, path, body=None, headers=None):
        headers = {"Accept-Language": self.language, **(headers or {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.hospital.ask(method, path, body, headers)
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, headers=None, **form):
        return self.ask("POST", path, {"csrf": self.csrf, **form}, headers)

    def log_in(self, user, password=None, **form):
        self.get("/login")
        return self.post("/login", name=user, password=password or self.hospital.password, **form)

    def token(self, scope):
        self.get("/account")
        page = self.post("/account/tokens", name="test", scope=scope, days="1")
        assert page.status == 200, page.text
        return re.search(r"vigie_[\w-]{43}", page.text)[0]

    def json(self, path):
        answer = self.get(path)
        assert answer.status == 200, f"{path}: {answer.status} {answer.text}"
        return json.loads(answer.text)


def equal(found, expected, what=""):
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"
