#!/usr/bin/env python3
"""The portal as programs and strangers meet it: a real server over a filled store, spoken to by HTTP and raw sockets."""
import html
import http.client
import itertools
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import certificates
import servers
import tap
from daemon import wait_for
from hospital import Browser, Hospital, equal
from schema import fits


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


PAGES = ["/", "/devices", "/devices/1", "/endpoints", "/endpoints/1", "/findings", "/findings/1", "/certificates",
         "/certificates/1", "/organisations", "/organisations/1", "/alarms", "/search", "/search?q=r%C3%A9a", "/surveys",
         "/glossary", "/account"]


def strangers_see_nothing():
    """Without a session every page leads to the login, and the API asks for a token"""
    for page in PAGES:
        answer = hospital.ask("GET", page)
        equal(answer.status, 303, page)
        assert answer.headers["Location"].startswith("/login"), answer.headers["Location"]
        equal(answer.text, "", page)
    for path in ["/api/", "/api/devices/1", "/metrics", "/calendar.ics"]:
        answer = hospital.ask("GET", path)
        equal(answer.status, 401, path)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        equal(json.loads(answer.text)["status"], 401)


def pages_stand():
    """Every page answers in both languages under 100 KB, with its title and no word left untranslated"""
    for language in ("fr", "en"):
        browser = hospital.browser("admin", language)
        for page in PAGES + ["/audit"]:
            answer = browser.get(page)
            equal(answer.status, 200, page)
            assert len(answer.text.encode()) < 100_000, f"{page}: {len(answer.text)}"
            assert f'<html lang="{language}">' in answer.text
            assert "<h1" in answer.text and "</html>" in answer.text
            key = re.search(r">[^<]*\b(?:portal|fleet|base|diagnosis)\.[a-z][a-z.-]+[^<]*<", answer.text)
            assert not key, f"{page}: the word {key[0]} is missing"
            raw = re.search(r'class="(?:state|severity|verdict) ([a-z-]+)">\1<', answer.text)
            assert language == "en" or not raw, f"{page}: {raw and raw[0]} is not translated"
            assert "<script>" not in answer.text and " style=" not in answer.text and " onclick=" not in answer.text


def hostile_names_are_text():
    """A device called <script>… is shown as it is called, and runs nowhere"""
    browser = hospital.browser()
    for page in ["/devices?q=alert", "/", "/search?q=alert", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E"]:
        text = browser.get(page).text
        assert "<script>alert" not in text, page
        assert page == "/" or "&lt;script&gt;alert" in text, page


def login_is_guarded():
    """A wrong password, an unknown name and a form that is not ours are refused; the session's cookie is HttpOnly"""
    browser = Browser(hospital)
    wrong, unknown = browser.log_in("reader", "wrong password"), browser.log_in("nobody", "wrong password")
    equal((wrong.status, unknown.status), (403, 403))
    strip = lambda text: re.sub(r"reader|nobody|[0-9a-f]{64}|<time>.*?</time>", "", text)
    equal(strip(wrong.text), strip(unknown.text), "a wrong password and an unknown name are told apart")
    browser.get("/login")
    forged = browser.ask("POST", "/login", {"name": "reader", "password": hospital.password})
    equal(forged.status, 403, "no CSRF token")
    browser.csrf = "0" * 64
    equal(browser.post("/login", name="reader", password=hospital.password).status, 403, "a wrong CSRF token")
    answer = browser.log_in("reader")
    equal(answer.status, 303)
    cookie = next(c for c in answer.headers.get_all("Set-Cookie") if c.startswith("session="))
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie, cookie
    assert len(cookie.split(";")[0]) == len("session=") + 43, cookie


def next_stays_here():
    """After the login one lands on the page asked for, and never on another site"""
    for wish, place in [("/devices?state=broken", "/devices?state=broken"), ("//evil.test/", "/"),
                        ("/\\evil.test", "/"), ("/\t/evil.test", "/"), ("https://evil.test/", "/")]:
        browser = Browser(hospital)
        equal(browser.log_in("reader", next=wish).headers["Location"], place, wish)


def forms_are_ours():
    """A form without the session's token, or from another site, changes nothing"""
    browser = hospital.browser()
    browser.get("/surveys")
    equal(browser.ask("POST", "/surveys", {"depth": "full"}).status, 403)
    for headers in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                    {"Origin": "null"}):
        equal(browser.post("/surveys", headers, depth="full").status, 403, str(headers))
    other = hospital.browser("biomed")
    other.get("/surveys")
    browser.csrf = other.csrf
    equal(browser.post("/surveys", depth="full").status, 403, "another session's token")
    equal(browser.json("/api/surveys")["total"], 0)


def lock_out():
    """After five failures a name waits, existing or not; with Retry-After; others are not held up"""
    with Hospital("--empty") as own:
        for name in ("reader", "nobody"):
            browser = Browser(own)
            for _ in range(5):
                equal(browser.log_in(name, "wrong password").status, 403)
            answer = browser.log_in(name)
            equal(answer.status, 429, name)
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
        own.browser("biomed")


def known_browser():
    """Who failed for another keeps them waiting nowhere but where they never came in from"""
    with Hospital("--empty") as own:
        usual = own.browser("reader")
        usual.get("/account")
        equal(usual.post("/logout").status, 303)
        for _ in range(6):
            last = Browser(own).log_in("reader", "wrong password")
        equal(last.status, 429)
        equal(Browser(own).log_in("reader").status, 429, "from elsewhere")
        equal(usual.log_in("reader").status, 303, "from where they came in before")


def timing():
    """An unknown name takes as long to refuse as a wrong password"""
    with Hospital("--empty") as own:
        took = {"reader": [], "nobody": []}
        for _ in range(5):
            for name, times in took.items():
                browser = Browser(own)
                browser.get("/login")
                start = time.monotonic()
                browser.post("/login", name=name, password="wrong password")
                times.append(time.monotonic() - start)
        known, unknown = (min(times) for times in took.values())
        # The least of each, on a machine that is busy with other tests; without the hash it would be a tenth.
        assert 0.25 < known / unknown < 4, f"{known:.4f} s against {unknown:.4f} s"


def roles():
    """A reader looks, a biomed acts, the log is the administrator's"""
    reader, biomed, admin = hospital.browser("reader"), hospital.browser("biomed"), hospital.browser("admin")
    assert 'action="/surveys"' not in reader.get("/surveys").text
    equal(reader.post("/surveys", depth="full").status, 403)
    equal(reader.post("/findings/1/acknowledge").status, 403)
    equal(reader.get("/audit").status, 403)
    equal(biomed.get("/audit").status, 403)
    equal(admin.get("/audit").status, 200)
    assert "/audit" not in biomed.get("/").text and '"/audit"' in admin.get("/").text


def acknowledge():
    """A finding taken in hand shows by whom and why, on its page and in the log"""
    biomed = hospital.browser("biomed")
    finding = biomed.json("/api/findings?state=open")["items"][0]["id"]
    biomed.get(f"/findings/{finding}")
    answer = biomed.post(f"/findings/{finding}/acknowledge", note="commande passée <b>hier</b>")
    equal((answer.status, answer.headers["Location"]), (303, f"/findings/{finding}"))
    told = biomed.json(f"/api/findings/{finding}")
    equal(told["state"], "acknowledged")
    equal(told["acknowledged"]["by"], "biomed")
    assert "commande passée &lt;b&gt;hier&lt;/b&gt;" in biomed.get(f"/findings/{finding}").text
    log = hospital.browser("admin").json("/api/audit")["items"]
    assert any(row["action"] == "acknowledged" and row["who"] == "biomed" and row["object"] == str(finding) for row in log)
    assert any(row["action"] == "login" and row["who"] == "biomed" for row in log)


def clock_first():
    """A device whose clock is off and whose certificate ended is told to mend its clock first, on its page and endpoint"""
    browser = hospital.browser()
    device = browser.json("/api/devices?q=biochimie")["items"][0]
    endpoint = browser.json(f"/api/devices/{device['id']}")["endpoints"][0]
    for path in (f"/devices/{device['id']}", f"/endpoints/{endpoint['id']}"):
        text = html.unescape(browser.get(path).text)
        clock, end = text.index("orloge de l"), text.index("Le certificat a expiré")
        assert clock < end, f"{path}: the certificate's end stands before the clock"


def confined():
    """An account of one organisation sees nothing of another, by list, address, filter or search"""
    browser = hospital.browser("confined")
    everything = hospital.browser().json("/api/devices?page_size=500")
    mine = browser.json("/api/devices?page_size=500")
    equal({item["organisation"]["id"] for item in mine["items"]}, {2})
    assert 0 < mine["total"] < everything["total"]
    equal(browser.json("/api/devices?organisation=1&page_size=500")["total"], mine["total"])
    other = next(item["id"] for item in everything["items"] if item["organisation"]["id"] == 1)
    for path in (f"/devices/{other}", f"/api/devices/{other}", "/organisations/1"):
        equal(browser.get(path).status, 404, path)
    finding = next(item["id"] for item in hospital.browser().json("/api/findings?organisation=1")["items"])
    equal(browser.get(f"/findings/{finding}").status, 404)
    equal(browser.post(f"/findings/{finding}/acknowledge").status, 404)
    equal(browser.json("/api/search?q=scanner")["total_devices"], 0)
    equal(browser.json("/api/")["devices"]["total"], mine["total"])


def tokens():
    """A token does what its scope says, by itself, and nothing once removed"""
    browser = hospital.browser("analyst")
    read, act = browser.token("read"), browser.token("act")
    metrics, calendar = browser.token("metrics"), browser.token("calendar")
    equal(hospital.ask("GET", "/api/devices", headers=bearer(read)).status, 200)
    equal(hospital.ask("GET", "/metrics", headers=bearer(read)).status, 403)
    body = json.dumps({"depth": "certificate", "class": "infusion"})
    typed = {"Content-Type": "application/json"}
    equal(hospital.ask("POST", "/api/surveys", body, {**bearer(read), **typed}).status, 403)
    answer = hospital.ask("POST", "/api/surveys", body, {**bearer(act), **typed})
    equal(answer.status, 202, answer.text)
    run = json.loads(answer.text)
    equal(json.loads(hospital.ask("POST", "/api/surveys", body, {**bearer(act), **typed}).text)["id"], run["id"])
    equal(hospital.ask("GET", "/metrics", headers=bearer(metrics)).status, 200)
    equal(hospital.ask("GET", "/api/devices", headers=bearer(metrics)).status, 403)
    answer = hospital.ask("GET", f"/calendar.ics?token={calendar}")
    equal((answer.status, answer.headers["Content-Type"]), (200, "text/calendar; charset=utf-8"))
    assert answer.text.startswith("BEGIN:VCALENDAR\r\n")
    equal(hospital.ask("GET", f"/api/devices?token={calendar}").status, 401)
    equal(hospital.ask("GET", f"/calendar.ics?token={read}").status, 403)
    for token in (read, act):
        grown = hospital.ask("POST", "/account/tokens", {"name": "grown", "scope": "act"}, bearer(token))
        equal((grown.status, "vigie_" in grown.text), (403, False), "a token makes itself another")
    equal(hospital.ask("GET", "/api/devices", headers=bearer("vigie_" + "a" * 43)).status, 401)
    listed = browser.json("/api/account")["tokens"]
    assert read not in json.dumps(listed), "a token is shown again"
    browser.get("/account")
    equal(browser.post(f"/account/tokens/{listed[0]['id']}/remove").status, 303)
    equal(hospital.ask("GET", "/api/devices", headers=bearer(read)).status, 401)


def survey_page():
    """A survey asked for from the page is followed without script: the page says when it is loaded again"""
    browser = hospital.browser()
    browser.get("/devices/1")
    answer = browser.post("/surveys", device="1")
    equal(answer.status, 303)
    page = browser.get(answer.headers["Location"]).text
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', page)
    assert 'data-going="1"' in page and "<progress" in page
    equal(browser.post("/surveys", depth="deepest").status, 400)
    equal(browser.post("/surveys", device="x").status, 400)
    equal(browser.get("/surveys/99999").status, 404)


def filters_by_address():
    """Lists are filtered, sorted and paged by their address; what cannot be is refused with its name"""
    browser = hospital.browser()
    broken = browser.json("/api/devices?state=broken")
    equal({item["state"] for item in broken["items"]}, {"broken"})
    names = [item["name"] for item in browser.json("/api/devices?sort=-name&page_size=5")["items"]]
    equal(len(names), 5)
    page = browser.get("/devices?sort=-name&page_size=5&page=2&q=").text
    assert 'aria-sort="descending"' in page and 'rel="prev"' in page and 'rel="next"' in page
    for wrong in ("state=odd", "sort=odd", "page_size=x", "ends_before=tomorrow"):
        answer = browser.get(f"/api/devices?{wrong}")
        equal(answer.status, 400, wrong)
        assert wrong.split("=")[0] in json.loads(answer.text)["detail"], answer.text
        equal(browser.get(f"/devices?{wrong}").status, 400)


def language():
    """?lang= is kept in the browser, the account's setting holds elsewhere, Accept-Language before both"""
    browser = hospital.browser("reader", "en-GB,fr;q=0.5")
    assert '<html lang="en">' in browser.get("/").text
    assert '<html lang="fr">' in browser.get("/?lang=fr").text
    assert '<html lang="fr">' in browser.get("/devices").text
    browser.get("/account")
    equal(browser.post("/account/language", language="en").status, 303)
    other = hospital.browser("reader", "fr")
    assert '<html lang="en">' in other.get("/").text
    other.get("/account")
    other.post("/account/language", language="fr")


def sessions_end():
    """A session ends with the logout, with a new password, and when it was idle"""
    browser = hospital.browser("reader")
    kept = dict(browser.cookies)
    browser.get("/")
    equal(browser.post("/logout").status, 303)
    browser.cookies = kept
    equal(browser.get("/").status, 303)
    with Hospital("--empty", "--set", "portal.session_idle=4 s") as own:
        began = time.monotonic()
        browser = own.browser("reader")
        assert browser.get("/").status == 200 or time.monotonic() - began > 4, "it ended early"
        time.sleep(5.1)
        equal(browser.get("/").status, 303)


def new_password():
    """A new password needs the old one, twelve characters and the same twice; then every session ends"""
    with Hospital("--empty") as own:
        browser, other = own.browser("reader"), own.browser("reader")
        browser.get("/account")
        new = "un mot de passe plus long"
        equal(browser.post("/account/password", old=own.password, password=new, again="x" * 12).status, 400)
        equal(browser.post("/account/password", old=own.password, password="court", again="court").status, 400)
        equal(browser.post("/account/password", old="wrong password", password=new, again=new).status, 400)
        equal(browser.post("/account/password", old=own.password, password=new, again=new).status, 303)
        equal(other.get("/").status, 303)
        equal(Browser(own).log_in("reader").status, 403)
        equal(Browser(own).log_in("reader", new).status, 303)


def empty_store():
    """With no device the dashboard says what to do next, and no page fails"""
    with Hospital("--empty") as own:
        browser = own.browser("admin")
        page = browser.get("/").text
        assert "/devices/new" in page and "Aucun équipement" in page
        for path in PAGES + ["/audit"]:
            assert browser.get(path).status in ((404,) if path[-1] == "1" else (200,)), path


def openapi():
    """Every path of the OpenAPI document answers as its schema says, and every page's data has its path"""
    browser, head = hospital.browser("admin"), hospital.browser("head")
    document = json.loads(hospital.ask("GET", "/api/openapi.json").text)
    equal(document["openapi"], "3.1.0")
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            for parameter in operation["parameters"]:
                assert parameter["name"] and parameter["in"] in ("path", "query"), path
            # Of a credential of its own: tests/csirt. Of an authority: tests/pki. Of a file: test_keep.py.
            if method == "get" and "security" not in operation and path not in ("/api/requests/{id}", "/api/issued/{id}", "/api/imports/{id}"):
                asked = path.replace("{id}", "1") + ("?partner=corruss" if path.endswith("/escalate") else "")
                value = (head if path.startswith("/api/cases") else browser).json(asked)
                fits(value, operation["responses"]["200"]["content"]["application/json"]["schema"], schemas, path)
    for page in PAGES:
        data = "/api" + re.sub(r"/\d+", "/{id}", page.split("?")[0])
        assert page == "/" or data in document["paths"], f"{page} has no data at {data}"


def every_address():
    """Every address of the OpenAPI document, as data and as a page, asked and sent an empty form, by everybody, is answered"""
    paths = json.loads(hospital.ask("GET", "/api/openapi.json").text)["paths"]
    for role in ("biomed", "head", "admin"):
        browser = hospital.browser(role)
        for path, methods in paths.items():
            for number, method, where in itertools.product(("1", "999999999"), methods, (path, path.removeprefix("/api"))):
                asked = where.replace("{id}", number)
                answer = browser.get(asked) if method == "get" else browser.post(asked)
                assert answer.status < 500, f"{role} {method} {asked}: {answer.status} {answer.text}"


def security_headers():
    """Whatever is answered carries the policy, and nothing of it is kept by a cache"""
    browser = hospital.browser()
    for path in ["/login", "/", "/nothing", "/api/devices", "/api/nothing", "/healthz", "/%ff"]:
        answer = browser.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy and "form-action 'self'" in policy and "base-uri 'none'" in policy
        equal(answer.headers["X-Content-Type-Options"], "nosniff")
        equal(answer.headers["Referrer-Policy"], "same-origin")
        equal(answer.headers["Cross-Origin-Opener-Policy"], "same-origin")
        equal(answer.headers["Cache-Control"], "no-store", path)
        assert "Server" not in answer.headers
    style = re.search(r"/style\.css\?v=\w+", browser.get("/").text)[0]
    answer = browser.get(style)
    assert "immutable" in answer.headers["Cache-Control"] and len(answer.text) < 30_000
    equal(browser.ask("GET", "/style.css", headers={"If-None-Match": answer.headers["ETag"]}).status, 304)


def errors_in_words():
    """What does not exist, or not so, is said in words with a way out"""
    browser = hospital.browser()
    for path, status in [("/nothing", 404), ("/devices/99999", 404), ("/devices/0", 404), ("/devices/1x", 404),
                         ("/../etc/passwd", 404), ("/style.css/../../x", 404), ("/%2e%2e/x", 404), ("/%ff", 400),
                         ("/a%00b", 400), ("/devices?q=%zz", 400), ("/pki/" + "a" * 79 + "%C3%A9", 404)]:
        answer = browser.get(path)
        equal(answer.status, status, path)
        assert "<h1>" in answer.text and 'href="/"' in answer.text, path
    equal(browser.ask("DELETE", "/devices").status, 405)
    equal(browser.ask("POST", "/healthz", {}).status, 405)
    equal(json.loads(browser.get("/api/devices/99999").text)["status"], 404)
    equal(browser.ask("HEAD", "/devices").text, "")


REQUEST = "POST /login HTTP/1.1\r\nHost: portal\r\n"
SMUGGLED = "GET /healthz HTTP/1.1\r\nHost: portal\r\n\r\n"


def ambiguous_requests():
    """What two servers could read in two ways is refused before it is read, and nothing behind it is answered"""
    refused = {
        "two lengths": REQUEST + "Content-Length: 5\r\nContent-Length: 50\r\n\r\na=b&c" + SMUGGLED,
        "length and coding": REQUEST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "coding": REQUEST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "coding in disguise": REQUEST + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "folded": REQUEST + "X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
        "bare line feeds": "GET /healthz HTTP/1.1\nHost: portal\n\n",
        "sign": REQUEST + "Content-Length: +5\r\n\r\na=b&c",
        "no host": "GET /healthz HTTP/1.1\r\n\r\n",
        "two hosts": "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "absolute": "GET http://portal/healthz HTTP/1.1\r\nHost: portal\r\n\r\n",
        "content in GET": "GET /healthz HTTP/1.1\r\nHost: portal\r\nContent-Length: 5\r\n\r\nabcde",
        "NUL": "GET /healthz HTTP/1.1\r\nHost: portal\r\nX: \0\r\n\r\n",
        "a body too large": REQUEST + "Content-Length: 1000000\r\n\r\n",
        "a head too large": "GET /healthz HTTP/1.1\r\nHost: portal\r\nX: " + "x" * 20000 + "\r\n\r\n",
        "too many fields": "GET /healthz HTTP/1.1\r\nHost: portal\r\n" + "X: y\r\n" * 200 + "\r\n",
        "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
    }
    for name, request in refused.items():
        answer = hospital.raw(request.encode("latin-1"))
        status = int(answer.split(b" ", 2)[1])
        assert 400 <= status < 600 and status not in (500, 503), f"{name}: {answer[:200]}"
        equal(answer.count(b"HTTP/1.1 "), 1, name)
        assert b"RFC " in answer and b"\r\nConnection: close\r\n" in answer, f"{name}: {answer}"


def answers_of(received):
    """The answers in a stream of them: (status, fields, body) each."""
    found = []
    while received:
        head, received = received.split(b"\r\n\r\n", 1)
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        size = int(fields.get("Content-Length", 0))
        found.append((int(head.split(b" ", 2)[1]), fields, received[:size]))
        assert len(received) >= size, "an answer is cut short"
        received = received[size:]
    return found


LAST = "GET /healthz HTTP/1.1\r\nHost: portal\r\nConnection: close\r\n\r\n"
STYLE = "GET /style.css HTTP/1.1\r\nHost: portal\r\n\r\n"


def many_requests_a_connection():
    """Requests in one connection are answered in order, sent at once, cut anywhere, kept or asked of a lane, until one is the last"""
    form = "name=x&password=" + SMUGGLED.replace("\r\n", "%0d%0a")
    post = (f"POST /login HTTP/1.1\r\nHost: portal\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n{form}")
    together = STYLE + SMUGGLED + post + STYLE + "GET /nothing HTTP/1.1\r\nHost: portal\r\n\r\n" + STYLE + LAST + SMUGGLED
    expected = [200, 200, 403, 200, 404, 200, 200]
    first = answers_of(hospital.raw(together.encode()))
    equal([status for status, _, _ in first], expected)
    equal([i for i, (_, fields, _) in enumerate(first) if fields.get("Connection") == "close"], [6])
    assert first[0][2] == first[3][2] == first[5][2] and first[1][2] == first[6][2] == b"ok\n"
    equal([len(fields["Date"]) for _, fields, _ in first], [29] * 7)
    with socket.create_connection((hospital.host, hospital.port), timeout=15) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        for octet in together.encode():
            try:
                connection.sendall(bytes([octet]))
            except OSError:  # behind the last one
                break
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        equal([status for status, _, _ in answers_of(received)], expected)


def nothing_behind_a_refusal():
    """However well the first request of a connection was, an ambiguous one ends it, and nothing behind that is answered"""
    for name, bad in {"two lengths": REQUEST + "Content-Length: 5\r\nContent-Length: 50\r\n\r\na=b&c",
                      "coding": REQUEST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                      "content in GET": "GET /healthz HTTP/1.1\r\nHost: portal\r\nContent-Length: 5\r\n\r\nabcde"}.items():
        answers = answers_of(hospital.raw((STYLE + SMUGGLED + bad + SMUGGLED + SMUGGLED).encode()))
        equal([status for status, _, _ in answers][:2], [200, 200], name)
        assert answers[-1][0] in (400, 411) and answers[-1][1]["Connection"] == "close", f"{name}: {answers[-1]}"
        equal(len(answers), 3, name)


def browsers_keep_the_connection():
    """A program that keeps its connection uses one for all; what it has already is not sent again; 1.0 ends; 100 is said"""
    connection = http.client.HTTPConnection(hospital.host, hospital.port, timeout=20)
    for path, method, fields, status in [("/style.css", "GET", {}, 200), ("/style.css", "HEAD", {}, 200), ("/login", "GET", {}, 200),
                                         ("/style.css", "GET", {"If-None-Match": '"x", "y"'}, 200), ("/healthz", "GET", {}, 200)]:
        connection.request(method, path, headers=fields)
        answer = connection.getresponse()
        text, tag = answer.read(), answer.headers["ETag"] or ""
        equal((answer.status, bool(text)), (status, method != "HEAD"), path)
        sock = connection.sock
        if tag:
            for known in (tag, f'"x", W/{tag}', "*"):
                connection.request(method, path, headers={"If-None-Match": known})
                answer = connection.getresponse()
                equal((answer.status, answer.read(), answer.headers["ETag"]), (304, b"", tag), known)
        assert connection.sock is sock, "the connection was not kept"
    connection.close()
    old = hospital.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in old and old.endswith(b"ok\n"), old
    with socket.create_connection((hospital.host, hospital.port), timeout=15) as expecting:
        expecting.sendall((REQUEST + "Expect: 100-continue\r\nConnection: close\r\nContent-Length: 1\r\n\r\n").encode())
        equal(expecting.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
        expecting.sendall(b"x")
        assert expecting.recv(1000).startswith(b"HTTP/1.1 400 ")


def uploads():
    """Files are taken within their limits on the routes that say so, decoded while they come; beyond, refused by the clause"""
    def form(*parts, boundary="x"):
        return b"".join(b"--" + boundary.encode() + b"\r\nContent-Disposition: form-data; name=\"" + name.encode() +
                        (b"\"; filename=\"" + file.encode() if file else b"") + b"\"\r\n\r\n" + content + b"\r\n"
                        for name, file, content in parts) + b"--" + boundary.encode() + b"--\r\n"

    def status(path, body, kind="multipart/form-data; boundary=x", length=None):
        head = (f"POST {path} HTTP/1.1\r\nHost: portal\r\nContent-Type: {kind}\r\nContent-Length: "
                f"{len(body) if length is None else length}\r\nConnection: close\r\n\r\n").encode()
        answer = own.raw(head + body)
        return int(answer.split(b" ", 2)[1]), answer
    with Hospital("--empty", "--set", "portal.upload_file=1", "--set", "portal.upload_total=3") as own:
        million = b"\0" * 1000000
        # Whole and within the limits: the route is asked, which wants a session.
        equal(status("/requests", form(("a", None, b"b"), ("f", "f.bin", million), ("f", "g.bin", million)))[0], 303)
        for name, body in {"a file too large": form(("f", "f.bin", million * 2)),
                           "text too large": form(("f", None, b"x" * 300000))}.items():
            code, answer = status("/requests", body)
            assert code == 413 and b"RFC 9110 15.5.14" in answer, f"{name}: {answer[:300]}"
        equal(status("/requests", b"", length=4 << 20)[0], 413, "too much together")
        equal(status("/login", form(("f", "f.bin", million)))[0], 413, "a route that takes no files")
        equal(status("/requests", million, kind="application/octet-stream")[0], 413, "no form")
        for name, body in {"no boundary": b"a=b" * 30000, "no end": form(("a", None, b"b"))[:-4], "behind the end": form() + b"GET / HTTP/1.1"}.items():
            code, answer = status("/requests", body)
            assert code == 400 and b"RFC 2046" in answer, f"{name}: {answer[:300]}"
        # Three largest ones are on their way: a fourth waits outside, and a form without files passes.
        slow = [socket.create_connection((own.host, own.port), timeout=10) for _ in range(3)]
        for connection in slow:
            connection.sendall(b"POST /requests HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                               b"Content-Length: 3145728\r\n\r\n--x\r\n")
        wait_for(lambda: status("/requests", form(("f", "f.bin", million)))[0] == 503)
        equal(status("/requests", form(("f", "f.bin", b"small")))[0], 303)
        for connection in slow:
            connection.close()
        wait_for(lambda: status("/requests", form(("f", "f.bin", million)))[0] == 303)


def one_peers_share():
    """Whoever opens connections without end closes its own: others keep theirs"""
    with Hospital("--empty") as own:
        def connect(source):
            return socket.create_connection((own.host, own.port), timeout=30, source_address=(source, 0))
        other = connect("127.0.0.3")
        mine = [connect("127.0.0.2") for _ in range(300)]
        equal(own.ask("GET", "/healthz").status, 200)
        equal(mine[0].recv(1), b"", "the first of those beyond the share")
        for connection in (other, mine[-1]):
            connection.sendall(LAST.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        for connection in [other, *mine]:
            connection.close()


def slow_and_many():
    """Silent connections, a head and a body that drip, a reader who does not read, keep nobody from being served, and are cut off"""
    silent = [socket.create_connection((hospital.host, hospital.port)) for _ in range(600)]
    head = socket.create_connection((hospital.host, hospital.port), timeout=20)
    body = socket.create_connection((hospital.host, hospital.port), timeout=0.5)
    deaf = socket.create_connection((hospital.host, hospital.port), timeout=0.5)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    start = time.monotonic()
    try:
        deaf.sendall(STYLE.encode() * 100000)
    except TimeoutError:  # its answers fill the way back, so that no more is read
        pass
    body.sendall((REQUEST + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n").encode())
    for _ in range(3):
        equal(hospital.ask("GET", "/healthz").status, 200)
        head.sendall(b"GET")
    assert time.monotonic() - start < 8
    received = head.recv(65536)
    assert 8 < time.monotonic() - start < 25, time.monotonic() - start
    assert received.startswith(b"HTTP/1.1 408 "), received
    cut = False
    while not cut and time.monotonic() - start < 40:
        try:
            body.sendall(b"x")
            cut = body.recv(100) == b""
        except TimeoutError:
            pass
        except OSError:
            cut = True
    assert cut and time.monotonic() - start > 14, "the body drips on"
    time.sleep(max(0, start + 22 - time.monotonic()))
    try:
        while chunk := deaf.recv(1 << 20):
            assert len(chunk) > 0
        deaf.sendall(b"x")
        time.sleep(0.1)
        deaf.sendall(b"x")
        raise AssertionError("who does not read is waited for")
    except OSError as error:
        assert not isinstance(error, TimeoutError), "who does not read is waited for"
    for connection in [*silent, head, body, deaf]:
        connection.close()


def at_once():
    """Forty requests at once are all answered"""
    browser, answers = hospital.browser(), []
    threads = [threading.Thread(target=lambda: answers.append(hospital.ask("GET", "/", headers={
        "Cookie": f"session={browser.cookies['session']}"}).status)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(answers, [200] * 40)


def behind_a_proxy():
    """Behind a proxy the reader's address is the proxy's word, and only the last of it; the cookies are for https"""
    folder = tempfile.TemporaryDirectory(prefix="vigie-portal-")
    with folder, Hospital("--empty", "--set", f"portal.listen=unix:{folder.name}/portal.sock", "--set", "portal.proxy=true",
                          "--set", "site.url=https://vigie.chu.test") as own:
        equal(os.stat(own.socket).st_mode & 0o777, 0o660)
        answer = own.ask("GET", "/login")
        equal(answer.headers["Strict-Transport-Security"], "max-age=31536000")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-login=") and cookie.endswith("; Secure") and "Path=/;" in cookie, cookie

        class Far(Browser):
            address = "192.0.2.1"

            def ask(self, method, path, body=None, headers=None):
                return super().ask(method, path, body, {"X-Forwarded-For": self.address, **(headers or {})})
        far = Far(own)
        for number in range(20):
            far.address = f"203.0.113.{number}, 192.0.2.1"
            equal(far.log_in(f"guess{number}").status, 403)
        equal(far.log_in("reader").status, 429, "the hearsay before the last address counts")
        far.address = "192.0.2.2"
        equal(far.log_in("reader").status, 303)
        assert "__Host-session" in far.cookies
        far.get("/account")
        equal(far.post("/account/language", {"Origin": "https://vigie.chu.test"}, language="fr").status, 303)
        equal(far.post("/account/language", {"Origin": "https://evil.test"}, language="fr").status, 403)
    with Hospital("--empty") as own:
        for number in range(21):
            own.ask("POST", "/login", {"name": "x"}, {"X-Forwarded-For": f"203.0.113.{number}"})
        log = own.browser("admin").json("/api/audit")["items"]
        equal(log[0]["address"], "127.0.0.1", "without a proxy nobody is believed")


def behind_nginx():
    """With the nginx configuration that we hand out, one logs in over TLS, and chunked forms are taken by nginx for us"""
    given = (pathlib.Path(__file__).resolve().parents[2] / "doc" / "deploy" / "nginx.conf").read_text()
    folder = tempfile.TemporaryDirectory(prefix="vigie-portal-")
    with folder:
        identity = certificates.Authority(folder.name).issue("vigie.chu.test")
        sock, port = f"{folder.name}/portal.sock", servers.free_port()
        server = given[given.index("upstream"):given.index("server {\n    listen 80")]
        server += given[given.index("server {", given.index("listen 443") - 40):]
        for old, new in [("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"), ("listen [::]:443 ssl http2;", ""),
                         ("/etc/vigie/tls/portal.pem", identity.chain), ("/etc/vigie/tls/portal.key", identity.key),
                         ("/run/vigie/portal.sock", sock)]:
            assert old in server, f"doc/deploy/nginx.conf has no {old}"
            server = server.replace(old, new)
        places = "".join(f"{kind}_temp_path {folder.name}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = pathlib.Path(folder.name, "nginx.conf")
        conf.write_text(f"daemon off; pid {folder.name}/pid; error_log stderr; worker_processes 1; events {{}}\n"
                        f"http {{ access_log off; {places}\n{server} }}\n")
        os.chmod(folder.name, 0o711)
        with Hospital("--empty", "--set", f"portal.listen=unix:{sock}", "--set", "portal.proxy=true", "--set",
                      f"site.url=https://127.0.0.1:{port}") as own:
            os.chmod(sock, 0o666)
            nginx = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", str(conf), "-p", folder.name])
            try:
                own.host, own.port, own.tls = "127.0.0.1", port, ssl._create_unverified_context()
                for _ in range(100):
                    try:
                        own.ask("GET", "/healthz")
                        break
                    except OSError:
                        time.sleep(0.05)
                browser = own.browser("admin")
                assert browser.cookies["__Host-session"]
                page = browser.get("/")
                assert "Aucun équipement" in page.text
                browser.get("/account")
                equal(browser.post("/account/language", {"Origin": f"https://127.0.0.1:{port}"}, language="fr").status, 303)
                form = urllib.parse.urlencode({"csrf": browser.csrf, "language": "fr"}).encode()
                chunked = browser.ask("POST", "/account/language", iter([form[:5], form[5:]]),
                                      {"Content-Type": "application/x-www-form-urlencoded"})
                equal(chunked.status, 303)
                equal(browser.json("/api/audit")["items"][0]["address"], "127.0.0.1")
                equal(len(page.headers.get_all("Strict-Transport-Security")), 1)
            finally:
                nginx.terminate()
                nginx.wait()


with Hospital("--desk") as hospital:
    tap.run([strangers_see_nothing, pages_stand, hostile_names_are_text, login_is_guarded, next_stays_here,
             forms_are_ours, lock_out, known_browser, timing, roles, acknowledge, clock_first, confined, tokens, survey_page, filters_by_address,
             language, sessions_end, new_password, empty_store, openapi, security_headers, errors_in_words,
             ambiguous_requests, many_requests_a_connection, nothing_behind_a_refusal,
             browsers_keep_the_connection, uploads, one_peers_share, slow_and_many, at_once, behind_a_proxy, behind_nginx, every_address])
