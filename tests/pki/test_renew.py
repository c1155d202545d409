"""vigie ca renew: from a finding in the fleet to the certificate that closes it, on a server that really serves it."""
import json
import os
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
sys.path.insert(0, os.path.dirname(__file__))
from daemon import Daemon, free_port  # noqa: E402
from hospital import Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Hospital()
PORT = free_port()
STORE = next(line for line in CHU.config.read_text().splitlines() if line.startswith("url"))[6:]
DAEMON = Daemon(folder=CHU.folder, store={"url": STORE}, trust={"roots": str(CHU.path("racine.pem")), "system": "false"})
CHU.path("gmao.csv").write_text("N° GMAO;Désignation;Établissement;Nom réseau;Adresse IP;Ports\n"
                                f"A-1;Automate;CHU de Test;automate.chu.test;127.0.0.1;{PORT}/https\n", encoding="utf-8")


def fleet(*arguments):
    done = vigie.run("fleet", *arguments, "--config", str(CHU.config), "--json")
    vigie.equal(done.returncode in (0, 1), True, done.stderr)
    return json.loads(done.stdout)


class Server:
    def __init__(self, *certificate):
        self.process = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{PORT}", "-www", "-quiet", *map(str, certificate)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def active():
    return [one["kind"] for one in fleet("findings", "--state", "active")["items"]]


def test_renew():
    """a self-signed device: renewed in one action, with all its names; once installed, it is served and the finding is closed"""
    CHU.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "old.key", "-out", "old.pem", "-subj", "/CN=automate", "-days", "3")
    fleet("import", str(CHU.path("gmao.csv")))
    with Server("-cert", CHU.path("old.pem"), "-key", CHU.path("old.key")):
        assert "no certificate was issued" in CHU.ca("renew", "A-1", "--check", expect=2).stderr
        CHU.path("seal").write_text("s3cret of the file\n")
        CHU.ca("renew", "A-1", "--out", CHU.path("new.p12"), "--to", "pkcs12", "--out-password-file", CHU.path("seal"))
        assert "still serves another" in CHU.ca("renew", "A-1", "--check", expect=1).stdout
        before = active()
        assert "self-signed" in " ".join(before), before
    vigie.equal(stat.S_IMODE(CHU.path("new.p12").stat().st_mode), 0o600)
    CHU.openssl("pkcs12", "-in", "new.p12", "-passin", "file:seal", "-nodes", "-out", "new.pem")
    text = CHU.openssl("x509", "-in", "new.pem", "-noout", "-ext", "subjectAltName").stdout
    assert "DNS:automate.chu.test" in text and "IP Address:127.0.0.1" in text, text
    with Server("-cert", CHU.path("new.pem"), "-key", CHU.path("new.pem"), "-cert_chain", CHU.path("equipements.pem")):
        done = vigie.run("fleet", "renew", "Automate", "--check", "--config", str(CHU.config), "--lang", "en", timeout=200)
        assert done.returncode == 0 and "serves the new certificate" in done.stdout, done
        after = active()
        assert not [kind for kind in after if "self-signed" in kind or "expir" in kind], after


def test_own_key():
    """with the device's own request, its key stays there: the file holds certificates alone"""
    CHU.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=a", "-addext",
                "subjectAltName=DNS:automate.chu.test")
    CHU.ca("renew", "A-1", "--csr", CHU.path("own.csr"), "--out", CHU.path("own.pem"))
    text = CHU.path("own.pem").read_text()
    assert "PRIVATE" not in text and text.count("BEGIN CERTIFICATE") == 2, text
    vigie.equal(CHU.openssl("x509", "-in", "own.pem", "-noout", "-pubkey").stdout,
                CHU.openssl("pkey", "-in", "own.key", "-pubout").stdout)


def test_refused():
    """an existing file, an unknown device, a name the authority may not give: nothing is issued"""
    before = len(CHU.json("certificates")["certificates"])
    assert "does not exist yet" in CHU.ca("renew", "A-1", "--out", CHU.path("own.pem"), expect=2).stderr
    assert "none of this number" in CHU.ca("renew", "B-2", "--out", CHU.path("b.pem"), expect=2).stderr
    CHU.path("gmao.csv").write_text("N° GMAO;Désignation;Établissement;Nom réseau;Adresse IP;Ports\n"
                                    f"A-3;Ailleurs;CHU de Test;ailleurs.example;127.0.0.9;{PORT}/https\n", encoding="utf-8")
    fleet("import", str(CHU.path("gmao.csv")))
    assert "not among what is permitted" in CHU.ca("renew", "A-3", "--out", CHU.path("c.pem"), expect=2).stderr
    vigie.equal(len(CHU.json("certificates")["certificates"]), before)
    assert not CHU.path("b.pem").exists() and not CHU.path("c.pem").exists()


DAEMON.start()
try:
    tap.run([test_renew, test_own_key, test_refused])
finally:
    DAEMON.stop()
