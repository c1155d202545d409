"""A notice from end to end with real peers: a site with security.txt and its key, GnuPG on both sides, an SMTP server; by the commands
of vigie case, and the worker with a set clock."""
import email
import email.policy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import certificates
import daemon
import publisher
import smtp
import tap
from publisher import page, text

TOOL, VIGIE = sys.argv[1], sys.argv[2]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vn"))
DAY = 86400
AUTHORITY = certificates.Authority(FOLDER)
IDENTITY = AUTHORITY.issue("chu.localhost", key="ec", others=("DNS:www.chu.localhost",))
OURS, THEIRS = FOLDER / "ours", FOLDER / "theirs"
SOURCE, SOURCE_MAIL = "Zélie Lanceuse", "zelie@canari.test"
COUNT = 0


def gpg(home, *words, data=None, faked=None):
    command = (["faketime", "-f", faked] if faked else []) + [
        "gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *words]
    done = subprocess.run(command, input=data, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def make_key(home, user, life="2y", faked=None):
    home.mkdir(mode=0o700, exist_ok=True)
    gpg(home, "--quick-gen-key", user, "ed25519/cert,sign", "default", life, faked=faked)
    lines = gpg(home, "--with-colons", "--list-keys", user).decode().splitlines()
    fingerprint = [line.split(":")[9] for line in lines if line.startswith("fpr")][0]
    gpg(home, "--quick-add-key", fingerprint, "cv25519", "encr", life, faked=faked)
    return fingerprint


OUR = make_key(OURS, "CSIRT <csirt@vigie.test>")
THEIR = make_key(THEIRS, "RSSI <security@chu.localhost>")
gpg(THEIRS, "--import", data=gpg(OURS, "--export", OUR))


class Installation:
    """A store, a team and a configuration of their own."""

    def __init__(self, server, whois=1, rdap="https://chu.localhost:1/"):
        global COUNT
        COUNT += 1
        self.port = daemon.free_port()
        team = json.loads((pathlib.Path(os.environ["VIGIE_KNOWLEDGE"]) / "csirt/teams/cert-sante.json").read_text())
        team["openpgp"] = {"fingerprint": OUR, "url": "https://vigie.test/key.asc"}
        team["mailboxes"] = {"incident": "csirt@vigie.test", "contact": "csirt@vigie.test"}
        team["prefix"] = "VIG"
        (FOLDER / f"team-{COUNT}.json").write_text(json.dumps(team))
        self.config = FOLDER / f"vigie-{COUNT}.conf"
        self.config.write_text(
            f"[site]\nurl = https://vigie.test\n[store]\nurl = sqlite:{FOLDER}/store-{COUNT}.db\n"
            f"[trust]\nroots = {AUTHORITY.root.certificate}\nsystem = false\n"
            f"[mail]\nserver = smtp://127.0.0.1:{server.port}\ntls = none\nfrom = CSIRT <csirt@vigie.test>\ngnupg_home = {OURS}\n"
            f"[portal]\nlisten = 127.0.0.1:{self.port}\n[csirt]\nteam = {FOLDER}/team-{COUNT}.json\nlookup_private = true\nlookup_timeout = 5 s\nrdap = {rdap}\n"
            f"whois = 127.0.0.1:{whois}\n")
        self.run([VIGIE, "user", "add", "a.martin", "--role", "head", "--generate", "-c", str(self.config)])

    def run(self, program, *words, status=0):
        done = subprocess.run([*program, *map(str, words)], capture_output=True, text=True, timeout=180)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def open(self, kind="vulnerability", tlp="AMBER"):
        return self.run([TOOL, str(self.config)], "open", kind, tlp, "CHU de Kermarec", SOURCE, SOURCE_MAIL).strip()

    def work(self, offset=0):
        self.run([TOOL, str(self.config)], "work", offset)

    def case(self, *words, status=0):
        out = self.run([VIGIE, "case", "-c", str(self.config), "--as", "a.martin", "--json"], *words, status=status)
        return json.loads(out) if status == 0 and out.startswith("{") else out


def site(hosts, key=None, more=""):
    """A site whose security.txt names a contact and, where there is one, that key."""
    server = publisher.Site(IDENTITY, hosts)
    lines = "Contact: mailto:security@chu.localhost\nExpires: 2099-01-01T00:00:00Z\nPreferred-Languages: fr\n" + more
    if key:
        lines += f"Encryption: https://chu.localhost:{server.port}/key.asc\n"
        hosts["chu.localhost"]["/key.asc"] = text(key if isinstance(key, str) else key.decode())
    hosts["chu.localhost"]["/.well-known/security.txt"] = text(lines)
    return server


def proven(installation, where, tlp="AMBER", **options):
    """A verified case whose contacts were searched for; its reference."""
    reference = installation.open(tlp=tlp, **options)
    installation.case("verify", reference, "present", "GET /status sans compte rend la liste des patients", "--target",
                      "https://chu.localhost/status")
    installation.case("contacts", reference, "--ask", "--domain", where)
    installation.work()
    return reference


def told(installation, reference, *words):
    notice = installation.case("notify", reference, "--observed", "Secret-de-fabrique", *words)
    installation.case("confirm", notice["id"])
    installation.work()
    return installation.case("notice", notice["id"])


def opened(raw):
    """The protected message within PGP/MIME, and what GnuPG says of its signature."""
    start, end = raw.index(b"-----BEGIN PGP MESSAGE"), raw.index(b"-----END PGP MESSAGE")
    armor = raw[start:end] + b"-----END PGP MESSAGE-----\n"
    done = subprocess.run(["gpg", "--homedir", str(THEIRS), "--batch", "--status-fd", "2", "--decrypt"], input=armor,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    return email.message_from_bytes(done.stdout, policy=email.policy.default), done.stderr.decode()


def no_source(*texts):
    for one in texts:
        for canary in ("Lanceuse", "lie Lanc", "canari", "zelie"):
            assert canary not in one, (canary, one)


def test_encrypted():
    """security.txt names contact and key: the notice goes encrypted to that key and signed by ours; nothing of it is on the
    wire in clear, and nothing of the source is in it."""
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        contacts = installation.case("contacts", reference)
        assert contacts["contacts"][0]["value"] == "security@chu.localhost", contacts
        assert contacts["contacts"][0]["source"] == "security-txt"
        assert (contacts["keys"][0]["fingerprint"], contacts["keys"][0]["state"]) == (THEIR, "well"), contacts["keys"]
        notice = told(installation, reference)
        assert notice["state"] == "waiting" and notice["language"] == "fr", notice
        assert notice["protection"] == {"signed": True, "encrypted_to": [THEIR], "content_free": False}, notice["protection"]
        (sender, recipients, raw), = server.handler.messages
        assert (sender, recipients) == ("csirt@vigie.test", ["security@chu.localhost"])
        assert b"Secret-de-fabrique" not in raw and b"\r\nSubject: ...\r\n" in raw
        inside, status = opened(raw)
        content = inside.get_content()
        assert f"VALIDSIG {OUR}" in status or "GOODSIG" in status, status
        assert inside["Subject"].startswith("[TLP:AMBER] " + reference), inside["Subject"]
        assert "Secret-de-fabrique" in content and "liste des patients" in content and "TLP:AMBER" in content
        assert "https://vigie.test/verify" in content and reference in content
        code = re.search(r"Code +([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})", content)
        assert code and "{code}" not in content, content
        no_source(content, inside["Subject"], raw.decode(errors="replace"))


def test_held_key():
    """Without one in security.txt, a key held for the contact is used; with both, both can read it."""
    hosts = {"chu.localhost": {"/": page("x")}}
    other = make_key(FOLDER / "others", "Autre <autre@chu.localhost>")
    gpg(OURS, "--import", data=gpg(FOLDER / "others", "--export", other))
    with smtp.Server() as server, site(hosts) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        installation.case("contact", reference, "mail", "security@chu.localhost", "--fingerprint", other)
        notice = told(installation, reference)
        assert notice["protection"]["encrypted_to"] == [other], notice["protection"]
        hosts["chu.localhost"]["/key.asc"] = text(gpg(THEIRS, "--armor", "--export", THEIR).decode())
        hosts["chu.localhost"]["/.well-known/security.txt"] = text(
            "Contact: mailto:security@chu.localhost\nExpires: 2099-01-01T00:00:00Z\n"
            f"Encryption: https://chu.localhost:{web.port}/key.asc\n")
        installation.case("contacts", reference, "--ask", "--domain", f"chu.localhost:{web.port}")
        installation.work()
        notice = told(installation, reference)
        assert notice["protection"]["encrypted_to"] == [THEIR, other], notice["protection"]


def test_sick_key():
    """A key that has expired is told early, as a task and in the list of keys, and not used: what is sensitive then stays behind a link."""
    old = make_key(FOLDER / "old", "Vieille <security@chu.localhost>", life="30d", faked="-400d")
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(FOLDER / "old", "--armor", "--export", old)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        key, = installation.case("contacts", reference)["keys"]
        assert key["state"] == "broken" and "expired" in [one["id"] for one in key["problems"]], key
        notice = told(installation, reference)
        assert notice["protection"] == {"signed": True, "encrypted_to": [], "content_free": True}, notice["protection"]
        (_, _, raw), = server.handler.messages
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert message.get_content_type() == "multipart/signed", message.get_content_type()
        content = message.get_body(preferencelist=("plain",)).get_content()
        assert "https://vigie.test/notice?link=" in content
        for secret in ("Secret-de-fabrique", "patients", "Kermarec", "AMBER"):
            assert secret not in content and secret not in raw.decode(errors="replace"), secret
        no_source(content)


def test_reminders():
    """Reminders come after working days, later each time, without a word of the matter, answer the first message, and stop with an answer."""
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        notice = told(installation, reference)
        for day in range(0, 60, 3):
            installation.work(day * DAY)
        found = installation.case("notice", notice["id"])
        mails = len(server.handler.messages)
        assert mails >= 2 and found["ladder"][0]["tries"] == mails, (mails, found["ladder"])
        first, _ = opened(server.handler.messages[0][2])
        outer = email.message_from_bytes(server.handler.messages[0][2], policy=email.policy.default)
        for _, _, raw in server.handler.messages[1:]:
            inside, _ = opened(raw)
            content = inside.get_content()
            assert "Secret-de-fabrique" not in content and "patients" not in content, content
            reminder = email.message_from_bytes(raw, policy=email.policy.default)
            assert reminder["In-Reply-To"] == outer["Message-ID"], (reminder["In-Reply-To"], outer["Message-ID"])
        installation.case("outcome", notice["id"], "answered", "--note", "Corrigé, disent-ils")
        installation.work(200 * DAY)
        assert len(server.handler.messages) == mails
        follow = installation.case("follow", reference)
        assert follow["silent_days"] is None, follow


def test_refused_recipient():
    """An address that the server refuses counts as a bounce: the next address is tried at once, each in a mail of its own."""
    hosts = {"chu.localhost": {"/": page("Écrire à accueil@chu.localhost, sécurité : rssi@chu.localhost")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        server.handler.recipient_answers = ["550 5.1.1 no such user"]
        notice = told(installation, reference)
        installation.work(60)
        installation.work(120)
        (_, recipients, raw), = server.handler.messages
        assert recipients == ["rssi@chu.localhost"] or recipients == ["accueil@chu.localhost"], recipients
        assert b"security@chu.localhost" not in raw
        found = installation.case("notice", notice["id"])
        assert [one["state"] for one in found["ladder"]][:2] == ["done", "now"], found["ladder"]
        bounced = [one for one in installation.case("contacts", reference)["contacts"] if one["bounces"]]
        assert [one["value"] for one in bounced] == ["security@chu.localhost"], bounced


def test_unproven():
    """Without a verification the command refuses, and says what is missing; nothing is sent."""
    with smtp.Server() as server, site({"chu.localhost": {}}) as web:
        installation = Installation(server)
        reference = installation.open()
        installation.case("contacts", reference, "--ask", "--domain", f"chu.localhost:{web.port}")
        installation.work()
        notice = installation.case("notify", reference, "--observed", "x")
        said = installation.case("confirm", notice["id"], status=2)
        assert "record a verification first" in said, said
        installation.work()
        assert server.handler.messages == []


def served(installation):
    """vigie serve with that configuration."""
    process = daemon.Daemon(program=VIGIE)
    process.config.write_text(installation.config.read_text())
    return process.start()


def test_served():
    """The same by vigie serve, its worker in its sandbox: asked, found, confirmed, encrypted and sent, without anything else being done."""
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        process = served(installation)
        try:
            reference = installation.open()
            installation.case("verify", reference, "present", "GET /status sans compte rend la liste des patients")
            installation.case("contacts", reference, "--ask", "--domain", f"chu.localhost:{web.port}")

            def found():
                """the search to be over"""
                return installation.case("contacts", reference)["lookup"]["state"] == "done"
            daemon.wait_for(found, 60, 0.5)
            notice = installation.case("notify", reference, "--observed", "Secret-de-fabrique")
            installation.case("confirm", notice["id"])
            assert server.handler.delivered.wait(60), process.log()
            inside, _ = opened(server.handler.messages[0][2])
            assert "Secret-de-fabrique" in inside.get_content()
        except AssertionError:
            print("# " + process.log().replace("\n", "\n# "))
            raise
        finally:
            process.stop()


def post(url, **fields):
    try:
        with urllib.request.urlopen(url, urllib.parse.urlencode(fields).encode(), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as failure:
        return failure.code, failure.read().decode()


def test_page():
    """What could not be encrypted is read on the page that the mail names, with the code that comes by phone, and not without;
    the page by which a message is checked knows its code."""
    with smtp.Server() as server, site({"chu.localhost": {"/": page("x")}}) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        notice = told(installation, reference)
        content = email.message_from_bytes(server.handler.messages[0][2], policy=email.policy.default).get_body(
            preferencelist=("plain",)).get_content()
        link = re.search(r"notice\?link=([0-9a-f]{32})", content.replace("\n", "")).group(1)
        check = re.search(r"Code +([0-9A-Z-]{14})", content).group(1)
        process = served(installation)
        try:
            here = f"http://127.0.0.1:{installation.port}"
            with urllib.request.urlopen(f"{here}/notice?link={link}", timeout=20) as answer:
                form = answer.read().decode()
            assert link in form and "Secret-de-fabrique" not in form and reference not in form
            assert post(f"{here}/notice", link=link, code="AAAA-BBBB-CCCC")[0] == 403
            code = installation.case("code", notice["id"]).split()[0]
            status, shown = post(f"{here}/notice", link=link, code=code.lower().replace("-", " "))
            assert status == 200 and "Secret-de-fabrique" in shown and "TLP:AMBER" in shown, (status, shown)
            no_source(shown)
            assert post(f"{here}/notice", link="0" * 32, code=code)[0] == 403
            assert post(f"{here}/notice", link="<script>", code=code)[0] == 403
            for _ in range(30):
                status, _ = post(f"{here}/notice", link=link, code="AAAA-BBBB-CCCC")
            assert status == 429, status
            status, shown = post(f"{here}/verify", reference=reference, code=check)
            assert status == 200 and ("Authentique" in shown or "Genuine" in shown), shown
        finally:
            process.stop()


try:
    tap.run([test_served, test_page, test_encrypted, test_held_key, test_sick_key, test_reminders, test_refused_recipient, test_unproven])
finally:
    for home in ("ours", "theirs", "others", "old"):
        subprocess.run(["gpgconf", "--homedir", str(FOLDER / home), "--kill", "all"], capture_output=True)
