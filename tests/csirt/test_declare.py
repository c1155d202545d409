#!/usr/bin/env python3
"""Declaring without an account, against `vigie serve` on SQLite or on the server that $VIGIE_TEST_POSTGRESQL names: what is
acknowledged is there, what may not be kept is not, and what could not be saved is not lost."""
import base64
import contextlib
import email
import email.policy
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse

import smtp
import tap
from daemon import Daemon, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVER = os.environ.get("VIGIE_TEST_POSTGRESQL")
COUNT = itertools.count()

INCIDENT = {"form": "incident", "organisation": "CHU de Kermarec", "name": "Camille Martin", "mail": "c.martin@chu.test",
            "text": "Le PACS ne répond plus depuis 7 h, l’imagerie est à l’arrêt.", "found": "2026-11-21T06:00:00Z",
            "patients": "potential", "degraded": True, "reportable": ["care-safety-potential"], "systems": ["imaging"]}
PAGE = {**INCIDENT, "found": "21/11/2026", "found.hour": "07:00", "degraded": "yes", "reportable.care-safety-potential": "yes"}
del PAGE["reportable"], PAGE["systems"]


def equal(found, expected, what=""):
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"


def new_store():
    if not SERVER:
        return None
    schema = f"declare_{os.getpid()}_{next(COUNT)}"
    subprocess.run(["psql", "-q", SERVER, "-c", f"CREATE SCHEMA {schema}"], check=True)
    return f"{SERVER}?options=-csearch_path%3D{schema}"


class Desk(Daemon):
    """A team's portal and worker, with the keys that a team has."""

    def __init__(self, mail=None, portal=None, **csirt):
        store = new_store()
        super().__init__(csirt={}, portal=portal or {}, **({"store": {"url": store}} if store else {}))
        key, head = self.folder / "artefact-key", self.folder / "head"
        key.write_bytes(secrets.token_bytes(32))
        key.chmod(0o600)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{head}.key", "-out",
                        f"{head}.pem", "-subj", "/CN=head of CSIRT", "-days", "30"], check=True, capture_output=True)
        self.groups["csirt"] = {"team": ROOT / "knowledge/csirt/teams/cert-sante.json", "artefact_key": key,
                                "head_certificate": f"{head}.pem", "declarations_address": 0, "declarations_minute": 0, **csirt}
        self.groups["mail"] = {"server": f"smtp://127.0.0.1:{mail}" if mail else "", "tls": "none", "from": "vigie@cert.test"}
        self.write_config()

    def ask(self, method, path, body=None, headers=None, **more):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {**(headers or {}), **more}
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
        return answer

    def declare(self, headers=None, expect=201, **changes):
        body = {**INCIDENT, "nonce": secrets.token_urlsafe(24), **changes}
        answer = self.ask("POST", "/api/declarations", json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
        equal(answer.status, expect, answer.text)
        return json.loads(answer.text)

    def receipt(self, told, expect=200):
        answer = self.ask("GET", "/api/receipt", headers=basic(told["reference"], told["code"]))
        equal(answer.status, expect, answer.text)
        return json.loads(answer.text)

    def sql(self, query):
        """Rows of texts."""
        url = self.groups["store"]["url"]
        if SERVER:
            out = subprocess.run(["psql", "-AtqF", "\x1f", url, "-c", query], check=True, capture_output=True, text=True).stdout
            return [line.split("\x1f") for line in out.splitlines()]
        out = subprocess.run(["sqlite3", "-separator", "\x1f", url.removeprefix("sqlite:"), ".timeout 10000", query],
                             check=True, capture_output=True, text=True).stdout
        return [line.split("\x1f") for line in out.splitlines()]

    def everything(self):
        """All that is kept anywhere: the store, the log, files beside."""
        kept = b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())
        if SERVER:
            tables = [row[0] for row in self.sql("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")]
            rows = "\n".join(f'SELECT * FROM "{table}";' for table in tables)
            url = self.groups["store"]["url"]
            kept += subprocess.run(["psql", "-Atq", url], input=rows.encode(), check=True, capture_output=True).stdout
        return kept


def basic(reference, code):
    return {"Authorization": "Basic " + base64.b64encode(f"{reference}:{code}".encode()).decode()}


def hidden(page, name):
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]


def multipart(fields, files):
    boundary = "x" + secrets.token_hex(12)
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields.items()]
    parts += [f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
              f"Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n" for name, content in files]
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def proof(nonce, bits=18):
    for number in itertools.count():
        digest = hashlib.sha256(f"{nonce}:{number}".encode()).digest()
        if int.from_bytes(digest, "big") >> (256 - bits) == 0:
            return str(number)


# ---- The good ways ----
def declared():
    """A declaration is a case with its facts, its receipt opens it, and its declarant has a mail without a word of it"""
    with smtp.Server() as server, Desk(mail=server.port) as desk:
        told = desk.declare()
        seen = desk.receipt(told)
        equal(seen["state"], "received")
        equal([message["body"] for message in seen["messages"]], [INCIDENT["text"]])
        row = desk.sql("SELECT kind, channel, source, organisation_name, title, facts FROM csirt_case")[0]
        equal(row[:4], ["incident", "api", "open", "CHU de Kermarec"])
        assert row[4].startswith("CHU de Kermarec – Le PACS"), row
        equal(json.loads(row[5])["reportable"], ["care-safety-potential"])
        clocks = {clock["id"]: clock for clock in told["clocks"]}
        assert clocks["first-answer"]["due"], clocks
        assert "assumed" not in clocks["ans-declaration"] and clocks["cnil"]["assumed"], clocks
        assert server.handler.delivered.wait(30), "no mail came"
        sender, recipients, content = server.handler.messages[0]
        equal(recipients, ["c.martin@chu.test"])
        message = email.message_from_bytes(content, policy=email.policy.default)
        text = message.get_content()
        assert told["reference"] in message["Subject"] and told["reference"] in text
        for secret in (told["code"], "PACS", "Kermarec", "Camille"):
            assert secret not in text and secret not in str(message["Subject"]), secret


def page():
    """By page, without cookie nor script: what is missing is said beside it and kept, then the receipt; reloaded, it is the same"""
    with Desk() as desk:
        form = desk.ask("GET", "/declare/incident", **{"Accept-Language": "fr"})
        nonce = hidden(form.text, "nonce")
        fields = {**PAGE, "nonce": nonce, "mail": "no address"}
        wrong = desk.ask("POST", "/declarations", fields, **{"Accept-Language": "fr"})
        equal(wrong.status, 400)
        for kept in ("une adresse est attendue", 'value="no address"', "l’imagerie est à l’arrêt", 'value="21/11/2026"',
                     'value="potential" checked', 'name="reportable.care-safety-potential" value="yes" checked', nonce):
            assert kept in wrong.text, kept
        fields["mail"] = "c.martin@chu.test"
        first = desk.ask("POST", "/declarations", fields)
        again = desk.ask("POST", "/declarations", fields)
        equal([first.status, again.status], [200, 200])
        for answer in (form, wrong, first, again):
            equal(answer.headers.get_all("Set-Cookie"), None, "a cookie")
            equal(answer.headers["Cache-Control"], "private, no-cache" if answer is form else "no-store")
        receipt = re.findall(r"<dd><strong>([^<]+)</strong>", first.text)
        for answer in (form, wrong, first):
            other = re.search(r'<a href="([^"]+)" hreflang', answer.text)[1]
            equal(desk.ask("GET", other).status, 200, f"the other language, {other}")
        equal(re.findall(r"<dd><strong>([^<]+)</strong>", again.text), receipt)
        assert "parvenue" in again.text or "reached" in again.text
        equal(desk.sql("SELECT count(*) FROM csirt_case"), [["1"]])
        shown = desk.ask("POST", "/receipt", {"reference": receipt[0].lower().replace("-", " "), "code": receipt[1].lower()})
        assert "PACS" in shown.text, shown.text
        equal(desk.ask("GET", "/declarer").headers["Location"], "/declare")
        assert "/declare" in desk.ask("GET", "/login").text


def later():
    """More comes with the receipt: a message once, however often it is sent; nothing for who has not the code"""
    with Desk() as desk:
        told = desk.declare()
        fields = {"reference": told["reference"], "code": told["code"], "text": "Le VNA aussi.", "nonce": secrets.token_urlsafe(24)}
        for _ in range(2):
            equal(desk.ask("POST", "/receipt", fields).status, 200)
        equal([message["body"] for message in desk.receipt(told)["messages"]], [INCIDENT["text"], "Le VNA aussi."])
        equal(desk.ask("POST", "/receipt", {**fields, "text": "  "}).status, 400)
        other = desk.declare()
        refusals = [desk.ask("GET", "/api/receipt", headers=basic(*pair)) for pair in (
            (told["reference"], other["code"]), (told["reference"], "x"), ("CERTSANTE-2026-999999-A", told["code"]), ("", ""))]
        equal({(answer.status, answer.text) for answer in refusals}, {(403, refusals[0].text)})


def files():
    """Files are sealed before they are kept, once; the receipt names them"""
    with Desk() as desk:
        canary = secrets.token_bytes(64) + b"MZ"
        body, headers = multipart({**PAGE, "nonce": secrets.token_urlsafe(24)}, [("capture d’écran.png", canary), ("", b"")])
        done = desk.ask("POST", "/declarations", body, headers)
        equal(done.status, 200, done.text)
        desk.ask("POST", "/declarations", body, headers)
        equal(desk.sql("SELECT size, sha256 FROM csirt_artefact"), [[str(len(canary)), hashlib.sha256(canary).hexdigest()]])
        assert canary[:32] not in desk.everything(), "the file is in clear"
        reference, code = re.findall(r"<dd><strong>([^<]+)</strong>", done.text)
        body, headers = multipart({"text": "Et le journal.", "nonce": secrets.token_urlsafe(24)}, [("pacs.log", b"x" * 300000)])
        equal(desk.ask("POST", "/api/receipt", body, {**headers, **basic(reference, code)}).status, 200)
        equal(desk.sql("SELECT count(*) FROM csirt_artefact"), [["2"]])
        messages = desk.receipt({"reference": reference, "code": code})["messages"]
        assert "pacs.log" in messages[1]["body"] and "capture d’écran.png" in messages[0]["body"], messages


def files_kept():
    """Where a field is wrong, or the form is put aside, its files come along sealed, can be taken away, and go once it is declared"""
    with Desk() as desk:
        canary = secrets.token_bytes(64) + b"MZ"
        fields = {**PAGE, "nonce": secrets.token_urlsafe(24), "mail": "no address"}
        body, headers = multipart(fields, [("capture.png", canary), ("journal.log", b"log")])
        wrong = desk.ask("POST", "/declarations", body, headers)
        equal(wrong.status, 400)
        for kept in ("capture.png", "journal.log", 'name="drop.1"'):
            assert kept in wrong.text, kept
        assert canary[:32] not in desk.everything() and b"capture.png" not in desk.everything(), "a file is in clear"
        assert b"no address" not in desk.everything(), "what was typed was kept unasked"
        fields.update(draft=hidden(wrong.text, "draft"), **{"drop.1": "yes"})
        body, headers = multipart(fields, [("plan.pdf", b"%PDF")])
        wrong = desk.ask("POST", "/declarations", body, headers)
        assert "plan.pdf" in wrong.text and "capture.png" in wrong.text and "journal.log" not in wrong.text, wrong.text
        del fields["drop.1"]
        fields["draft"] = hidden(wrong.text, "draft")
        saved = desk.ask("POST", "/declarations", *multipart({**fields, "do": "draft"}, []))
        code = hidden(saved.text, "draft")
        resumed = desk.ask("POST", "/declare/draft", {"draft": code})
        assert "capture.png" in resumed.text and 'value="no address"' in resumed.text, resumed.text
        done = desk.ask("POST", "/declarations", *multipart({**fields, "draft": code, "mail": "c.martin@chu.test"}, []))
        equal(done.status, 200, done.text)
        equal(desk.sql("SELECT sha256 FROM csirt_artefact ORDER BY size DESC")[0], [hashlib.sha256(canary).hexdigest()])
        equal(desk.sql("SELECT count(*) FROM csirt_artefact"), [["2"]])
        equal(desk.sql("SELECT (SELECT count(*) FROM csirt_draft) + (SELECT count(*) FROM csirt_draft_file)"), [["0"]])


# ---- What may not be kept ----
SECRETS = {"name": "Zénobie Lanceuse", "mail": "zenobie@whistle.test", "phone": "06 98 76 54 32"}
TRACES = ["Zénobie", "zenobie", "whistle", "98 76 54 32", "203.0.113.77", "CanaryAgent", "canary-cookie", "canary-referer"]
HEADERS = {"User-Agent": "CanaryAgent/1", "X-Forwarded-For": "203.0.113.77", "Cookie": "session=canary-cookie; lang=fr",
           "Referer": "http://canary-referer.test/"}
REPORT = {"form": "report", "about": "vulnerability", "touched": "Clinique du Parc", "text": "Le portail des rendez-vous montre ceux des autres."}
NOTHING = {name: None for name in INCIDENT if name not in REPORT and name not in SECRETS}


def anonymous():
    """Of an anonymous report nothing of the sender is kept: not what was typed of it, no address, no header, no mail, no log"""
    with smtp.Server() as server, Desk(mail=server.port, portal={"proxy": "true"}, declarations_address=5) as desk:
        told = desk.declare(HEADERS, **NOTHING, **REPORT, source="anonymous", **SECRETS)
        fields = {**REPORT, "source": "anonymous", **SECRETS, "nonce": secrets.token_urlsafe(24)}
        equal(desk.ask("POST", "/declarations", fields, HEADERS).status, 200)
        equal(desk.ask("GET", "/receipt", headers=HEADERS).status, 200)
        equal(told["mail"], False)
        assert desk.receipt(told)["messages"][0]["body"].startswith("Le portail")
        equal(desk.sql("SELECT count(*) FROM csirt_party"), [["0"]])
        equal(desk.sql("SELECT count(*) FROM mail"), [["0"]])
        equal(desk.sql("SELECT count(*) FROM csirt_source"), [["0"]])
        desk.stop()
        kept = desk.everything()
        for trace in TRACES:
            assert trace.encode() not in kept, f"{trace} is kept"
        desk.start()


def protected():
    """The source of a protected report is sealed to the head's key, which opens it; nothing of it is anywhere else, and no mail goes out"""
    with smtp.Server() as server, Desk(mail=server.port, portal={"proxy": "true"}) as desk:
        told = desk.declare(HEADERS, **NOTHING, **REPORT, source="protected", **SECRETS)
        equal([told["mail"], told["source"]], [False, "protected"])
        column = "encode(sealed, 'hex')" if SERVER else "hex(sealed)"
        sealed = bytes.fromhex(desk.sql(f"SELECT {column} FROM csirt_source")[0][0])
        opened = subprocess.run(["openssl", "cms", "-decrypt", "-inform", "DER", "-inkey", desk.folder / "head.key"],
                                input=sealed, check=True, capture_output=True).stdout.decode()
        equal({name: json.loads(opened)[name] for name in SECRETS}, SECRETS)
        equal(desk.sql("SELECT count(*) FROM csirt_party"), [["0"]])
        equal(desk.sql("SELECT count(*) FROM mail"), [["0"]])
        desk.stop()
        kept = desk.everything()
        for trace in TRACES:
            assert trace.encode() not in kept, f"{trace} is kept"
        equal(server.handler.messages, [])
        desk.start()


def nobody_to_seal_for():
    """Without the head's certificate nobody is asked who they are, and reports are taken all the same"""
    with Desk(head_certificate="") as desk:
        assert 'name="phone"' not in desk.ask("GET", "/declare/report").text
        desk.declare(**NOTHING, **REPORT, source="protected", **SECRETS)
        assert b"Lanceuse" not in desk.everything()


# ---- Drafts ----
def draft():
    """A draft is put aside, opened elsewhere with its code, sent, and gone; it is nowhere in clear"""
    with Desk() as desk:
        form = desk.ask("GET", "/declare/incident")
        typed = {**PAGE, "nonce": hidden(form.text, "nonce"), "mail": "", "do": "draft"}
        kept = desk.ask("POST", "/declarations", typed)
        code = re.search(r"<code>([0-9A-Z-]{24})</code>", kept.text)[1]
        assert "imagerie".encode() not in desk.everything()
        equal(desk.sql("SELECT count(*) FROM csirt_case"), [["0"]])
        equal(desk.ask("POST", "/declare/draft", {"draft": "AAAA-AAAA-AAAA-AAAA-AAAA"}).status, 404)
        page = desk.ask("POST", "/declare/draft", {"draft": code.lower()}).text
        for value in ("l’imagerie est à l’arrêt", 'value="21/11/2026"', 'value="potential" checked'):
            assert value in page, value
        equal(hidden(page, "nonce"), typed["nonce"])
        sent = desk.ask("POST", "/declarations", {**typed, "mail": "c@chu.test", "draft": hidden(page, "draft"), "do": "send"})
        equal(sent.status, 200)
        equal(desk.sql("SELECT count(*) FROM csirt_draft"), [["0"]])
        equal(desk.ask("POST", "/declare/draft", {"draft": code}).status, 404)


# ---- Is it you? ----
def genuine():
    """A notice's number and code are confirmed and nothing more; whatever is wrong gets the same words"""
    with Desk() as desk:
        told = desk.declare()
        digest = hashlib.sha256(b"K7QM4XTBE2W9").hexdigest()
        desk.sql("INSERT INTO csirt_party (case_id, role, name, code, created) SELECT id, 'organisation', 'Clinique', "
                 f"'{digest}', 1 FROM csirt_case")
        def verify(reference, code):
            answer = desk.ask("POST", "/verify", {"reference": reference, "code": code}, **{"Accept-Language": "fr"})
            equal(answer.status, 200)
            return re.sub(r'value="[^"]*"|<time>.*?</time>', "", answer.text)

        yes = verify(told["reference"], "k7qm 4xtb e2w9")
        assert "Authentique" in yes and "Clinique" not in yes and "PACS" not in yes, yes
        wrongs = [(told["reference"], "K7QM-4XTB-E2W8"), (told["reference"], told["code"]), ("CERTSANTE-2026-000009-X", "K7QM-4XTB-E2W9"),
                  ("nonsense", "nonsense"), ("", "")]
        answers = [verify(*wrong) for wrong in wrongs]
        equal(len(set(answers)), 1, "the same words")
        assert "Authentique" not in answers[0] and "09 72 43 91 25" in answers[0]


# ---- Abuse ----
def limits():
    """Over the limit of its address what was typed stays on the page, with the phone; who forges an address is not another"""
    with Desk(declarations_address=3) as desk:
        for number in range(3):
            desk.declare({"X-Forwarded-For": f"192.0.2.{number}"})
        answer = desk.ask("POST", "/declarations", {**PAGE, "nonce": secrets.token_urlsafe(24)}, **{"Accept-Language": "fr"})
        equal(answer.status, 429)
        assert int(answer.headers["Retry-After"]) > 0
        for kept in ("Rien n’est perdu", "l’imagerie est à l’arrêt", "09 72 43 91 25", 'value="21/11/2026"'):
            assert kept in answer.text, kept
        desk.declare({"X-Forwarded-For": "192.0.2.99"}, expect=429)


def attack():
    """Under attack a proof of work keeps one's place; without it, or with the trap filled in, one waits behind, and nothing is lost"""
    with smtp.Server() as server, Desk(mail=server.port, declarations_minute=2) as desk:
        equal("data-proof" in desk.ask("GET", "/declare/incident").text, False)
        plain = [desk.declare() for _ in range(2)]
        assert 'data-proof="18"' in desk.ask("GET", "/declare/incident").text
        without, nonce = desk.declare(), secrets.token_urlsafe(24)
        shown = desk.declare(nonce=nonce, work=proof(nonce))
        forged = desk.declare(work="1")
        trapped = desk.declare(website="http://spam.test", nonce=(trap := secrets.token_urlsafe(24)), work=proof(trap))
        bands = dict(desk.sql("SELECT reference, band FROM csirt_case"))
        mails = [row[0] for row in desk.sql("SELECT unique_key FROM mail")]
        for good in (*plain, shown):
            assert bands[good["reference"]] != "4" and f"acknowledged:{good['reference']}" in mails, (good, bands, mails)
        for late in (without, forged, trapped):
            equal(bands[late["reference"]], "4")
            assert f"acknowledged:{late['reference']}" not in mails
            equal(desk.receipt(late)["state"], "received")


def elsewhere():
    """Other sites do not make their visitors declare; a program without a browser may"""
    with Desk() as desk:
        fields = {**PAGE, "nonce": secrets.token_urlsafe(24)}
        for headers in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            equal(desk.ask("POST", "/declarations", fields, headers).status, 403)
        equal(desk.sql("SELECT count(*) FROM csirt_case"), [["0"]])
        equal(desk.ask("POST", "/declarations", fields).status, 200)


def hostile():
    """What is malformed, huge or not for us is refused in words, and the portal goes on"""
    with Desk() as desk:
        head = {"Content-Type": "application/json"}
        for body in ('{"form": {}}', "[1]", '{"form": "incident", "text": ["\\ud800"]}', "{" * 5000, '{"form":"nothing"}'):
            assert desk.ask("POST", "/api/declarations", body, head).status in (400, 404), body[:30]
        equal(desk.declare(expect=400, text="a" * 20001)["problems"], [{"field": "text", "problem": "long", "max": 20000}])
        equal(desk.ask("GET", "/declare/nothing").status, 404)
        equal(desk.ask("GET", "/receipt?reference=x&code=y").status, 200)
        many = "&".join(f"a{number}=b" for number in range(300))
        equal(desk.ask("POST", "/declarations", many, **{"Content-Type": "application/x-www-form-urlencoded"}).status, 400)
        desk.declare()


def no_team():
    """Where no CSIRT works there is no such page, and no link to it"""
    with Desk(team="") as desk:
        for path in ("/declare", "/declare/incident", "/receipt", "/verify"):
            equal(desk.ask("GET", path).status, 404, path)
        equal(desk.ask("POST", "/declarations", PAGE).status, 404)
        assert 'href="/declare"' not in desk.ask("GET", "/login").text


# ---- Never lost ----
def unsaved():
    """While the store takes nothing, what was typed stays on the page, and is taken when it does"""
    with Desk() as desk:
        fields = {**PAGE, "nonce": secrets.token_urlsafe(24)}
        with holding(desk):
            answer = desk.ask("POST", "/declarations", fields, **{"Accept-Language": "fr"})
        equal(answer.status, 503)
        for kept in ("n’a pas pu être enregistrée", "l’imagerie est à l’arrêt", "09 72 43 91 25", fields["nonce"]):
            assert kept in answer.text, kept
        equal(desk.ask("POST", "/declarations", fields).status, 200)
        equal(desk.sql("SELECT count(*) FROM csirt_case"), [["1"]])


@contextlib.contextmanager
def holding(desk):
    """Nobody else writes meanwhile."""
    url = desk.groups["store"]["url"]
    if not SERVER:
        connection = sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
        connection.close()
        return
    holder = subprocess.Popen(["psql", "-q", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdin.write("BEGIN; LOCK TABLE csirt_number IN EXCLUSIVE MODE; SELECT 1;\n")
    holder.stdin.flush()
    holder.stdout.readline()
    yield
    holder.stdin.close()
    holder.wait(20)


def killed():
    """The portal is killed under load, again and again: every declaration that was acknowledged is there, with its mail queued, once"""
    with Desk(mail=1) as desk:
        told, stop, lock = [], threading.Event(), threading.Lock()

        def load():
            while not stop.is_set():
                nonce = secrets.token_urlsafe(24)
                body = json.dumps({**INCIDENT, "nonce": nonce})
                for _ in range(100):  # as a browser's reader would: again, the same form
                    try:
                        answer = desk.ask("POST", "/api/declarations", body, {"Content-Type": "application/json"})
                        if answer.status == 201:
                            with lock:
                                told.append(json.loads(answer.text))
                            break
                    except (OSError, http.client.HTTPException, ValueError):
                        pass
                    time.sleep(0.1)

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = len(told)
            wait_for(lambda: len(told) > before + 40, 60)
            os.kill(wait_for(lambda: desk.children().get("portal")), signal.SIGKILL)
        before = len(told)
        wait_for(lambda: len(told) > before + 40, 60)
        for pid in (desk.process.pid, *desk.children().values()):  # the whole house, at once
            os.kill(pid, signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(60)
        kept = {row[0] for row in desk.sql("SELECT reference FROM csirt_case")}
        mails = {row[0] for row in desk.sql("SELECT unique_key FROM mail")}
        references = [answer["reference"] for answer in told]
        equal(len(set(references)), len(references), "one case for each form")
        equal(set(references) - kept, set(), "acknowledged and lost")
        equal({f"acknowledged:{reference}" for reference in references} - mails, set(), "acknowledged without a mail")
        equal(len(kept) - len(references) in range(0, 9), True, f"{len(kept)} cases of {len(references)} declarations")
        desk.process.wait(20)
        desk.start()
        for answer in told[:5] + told[-5:]:
            equal(desk.receipt(answer)["reference"], answer["reference"])


# ---- The API's description ----
def described():
    """The OpenAPI document names every field that the forms have"""
    with Desk() as desk:
        document = json.loads(desk.ask("GET", "/api/openapi.json").text)
        form = document["components"]["schemas"]["DeclarationForm"]["properties"]
        facts = json.loads((ROOT / "knowledge/csirt/facts.json").read_text())
        for row in json.loads((ROOT / "knowledge/csirt/declaration.json").read_text())["forms"]:
            for field in (field for block in row["blocks"] for field in block["fields"]):
                name = field.get("id", field.get("fact"))
                assert name in form, f"{name} is not described"
                values = [value["name"] for value in facts.get(field.get("fact"), {}).get("values", [])] or field.get("values", [])
                told = form[name].get("enum") or form[name].get("items", {}).get("enum", [])
                equal([value for value in values if value not in told], [], name)
        equal(document["paths"]["/api/declarations"]["post"]["security"], [])
        equal(document["paths"]["/api/receipt"]["get"]["security"], [{"receipt": []}])


if __name__ == "__main__":
    tap.run([declared, page, later, files, files_kept, anonymous, protected, nobody_to_seal_for, draft, genuine, limits, attack, elsewhere,
             hostile, no_team, unsaved, killed, described])
