"""A CSIRT as tests of its mail want it: a store, a team with a key, sites that say whom to tell, the commands and the worker that work on them.
sys.argv names notify-tool and vigie."""
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
from publisher import text

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


def end():
    """Stops the agents that GnuPG started."""
    for home in FOLDER.iterdir():
        if home.is_dir() and (home / "pubring.kbx").exists():
            subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True)


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
            f"whois = 127.0.0.1:{whois}\n[process]\nreach_itself = true\n")
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


def served(installation):
    """vigie serve with that configuration."""
    process = daemon.Daemon(program=VIGIE)
    process.config.write_text(installation.config.read_text())
    return process.start()


def post(url, **fields):
    try:
        with urllib.request.urlopen(url, urllib.parse.urlencode(fields).encode(), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as failure:
        return failure.code, failure.read().decode()
