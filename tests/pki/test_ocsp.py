"""OCSP: openssl and curl ask the portal, which holds no key; with the key, answers are signed on the spot."""
import base64
import os
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
sys.path.insert(0, os.path.dirname(__file__))
from daemon import Daemon  # noqa: E402
from hospital import Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Hospital()
CHU.path("both.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())


def issue(name):
    CHU.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "a.csr",
                "-subj", "/CN=a")
    return CHU.json("issue", "--profile", "device", "--csr", CHU.path("a.csr"), "--name", f"dns:{name}.chu.test", "--field",
                    "organisation=CHU", "--out", CHU.path(f"{name}.pem"))["issued"][0]["serial"]


GOOD, BAD, LATER = issue("good"), issue("bad"), None
CHU.ca("revoke", BAD, "--reason", "keyCompromise")
CHU.ca("responder", "equipements")
vigie.equal(CHU.json("answers", "equipements")["signed"], 3, "two devices and the responder")
LATER = issue("later")
GROUPS = {"store": {"url": next(line for line in CHU.config.read_text().splitlines() if line.startswith("url"))[6:]}}
CHU.path("policies").mkdir()
CHU.path("policies/1.2.250.1.999.2.pdf").write_bytes(b"%PDF-1.7 policy")
CHU.path("policies/1.2.250.1.999.3.txt").write_text("Politique de certification\n")
CHU.path("secret.txt").write_text("not for all")
GROUPS["pki"] = {"policies": str(CHU.path("policies"))}
DAEMON = Daemon(folder=CHU.folder, **GROUPS).start()
URL = f"http://127.0.0.1:{DAEMON.port}/pki"


def ask(*what, digest="-sha1"):
    done = CHU.openssl("ocsp", digest, "-issuer", "equipements.pem", *what, "-url", f"{URL}/ocsp", "-CAfile", "both.pem", "-no_nonce",
                       "-text", check=False)
    return done.stdout + done.stderr


def test_status():
    """openssl is told good and revoked with the reason, and verifies the signature; by SHA-1 and by SHA-256"""
    for digest in ("-sha1", "-sha256"):
        told = ask("-cert", "good.pem", digest=digest)
        assert "good.pem: good" in told and "Response verify OK" in told, told
        told = ask("-cert", "bad.pem", digest=digest)
        assert "bad.pem: revoked" in told and "Reason: keyCompromise" in told and "Response verify OK" in told, told
    assert "OCSP Nonce" not in told and "Next Update" in told


def test_policies():
    """policies are documents by their OID, and nothing else of the disk is"""
    def get(path):
        done = subprocess.run(["curl", "-s", "--path-as-is", "-w", "%{http_code} %{content_type}", f"{URL}/policy/{path}"], capture_output=True,
                              text=True)
        return done.stdout
    vigie.equal(get("1.2.250.1.999.2"), "%PDF-1.7 policy200 application/pdf")
    vigie.equal(get("1.2.250.1.999.3"), "Politique de certification\n200 text/plain; charset=utf-8")
    for path in ("1.2.3", "", "..", "../secret", "..%2Fsecret", "1.2.250.1.999.3.txt", "." * 70, "1..2"):
        assert "404" in get(path)[-60:] and "not for all" not in get(path), path


def test_never_good():
    """what was not signed is tryLater, what was never issued unauthorized, another authority's too: never good"""
    assert "trylater" in ask("-cert", "later.pem").lower()
    assert "unauthorized" in ask("-serial", "0x40000000000000000000000000000001").lower()
    CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "o.key", "-out", "other.pem",
                "-subj", "/CN=other")
    done = CHU.openssl("ocsp", "-issuer", "other.pem", "-serial", f"0x{GOOD}", "-url", f"{URL}/ocsp", "-noverify", check=False)
    assert "unauthorized" in (done.stdout + done.stderr).lower(), done
    for body in (b"", b"\x30\x00", b"x" * 9000, os.urandom(200)):
        CHU.path("body").write_bytes(body)
        done = subprocess.run(["curl", "-s", "--data-binary", f"@{CHU.path('body')}", f"{URL}/ocsp"], capture_output=True)
        vigie.equal(done.stdout, bytes([0x30, 3, 0x0A, 1, 1]), body[:10])


def test_get():
    """a request by GET has the same answer, with the headers that let it be kept until it ends"""
    CHU.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "good.pem", "-no_nonce", "-reqout", "request.der")
    path = urllib.parse.quote(base64.b64encode(CHU.path("request.der").read_bytes()), safe="")
    done = subprocess.run(["curl", "-s", "-D", CHU.path("head"), "-o", CHU.path("answer.der"), f"{URL}/ocsp/{path}"])
    vigie.equal(done.returncode, 0)
    told = CHU.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "good.pem", "-respin", "answer.der", "-CAfile", "both.pem").stdout
    assert "good.pem: good" in told, told
    head = CHU.path("head").read_text().lower()
    for wanted in ("content-type: application/ocsp-response", "cache-control: max-age=8", "etag: \"", "expires: ", "last-modified: "):
        assert wanted in head, (wanted, head)


def test_revoked_now():
    """a revocation takes the answer away, within the second that the portal gives it out again; signed again, it tells of it"""
    serial = issue("soon")
    CHU.ca("answers", "equipements")
    assert "soon.pem: good" in ask("-cert", "soon.pem")
    CHU.ca("revoke", serial, "--reason", "superseded")
    time.sleep(1.1)
    assert "trylater" in ask("-cert", "soon.pem").lower()
    vigie.equal(CHU.json("answers", "equipements")["signed"], 1)
    assert "soon.pem: revoked" in ask("-cert", "soon.pem")


def test_on_the_spot():
    """with the key: the nonce comes back, several are answered in one, and an unknown serial number is unknown"""
    CHU.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "good.pem", "-cert", "bad.pem", "-serial",
                "0x40000000000000000000000000000001", "-nonce", "-reqout", "request.der")
    CHU.ca("answer", "equipements", CHU.path("request.der"), "--out", CHU.path("spot.der"))
    nonce = CHU.openssl("ocsp", "-reqin", "request.der", "-respin", "spot.der", "-CAfile", "both.pem")
    assert "nonce" not in (nonce.stdout + nonce.stderr).lower().replace("ocsp nonce", ""), nonce
    done = CHU.openssl("ocsp", "-respin", "spot.der", "-CAfile", "both.pem", "-issuer", "equipements.pem", "-cert", "good.pem",
                       "-cert", "bad.pem", "-serial", "0x40000000000000000000000000000001", "-no_nonce")
    told = done.stdout + done.stderr
    for wanted in ("good.pem: good", "bad.pem: revoked", "0x40000000000000000000000000000001: unknown", "Response verify OK"):
        assert wanted in told, told
    text = CHU.openssl("ocsp", "-respin", "spot.der", "-noverify", "-text").stdout
    assert "OCSP Nonce" in text, text


def test_published():
    """lists and certificates come from the portal as curl and openssl take them"""
    CHU.ca("crl", "equipements")
    for file, kind, command in (("equipements.crl", "pkix-crl", "crl"), ("equipements-delta.crl", "pkix-crl", "crl"),
                                ("equipements.cer", "pkix-cert", "x509")):
        done = subprocess.run(["curl", "-s", "-D", CHU.path("head"), "-o", CHU.path("file"), f"{URL}/{file}"])
        vigie.equal(done.returncode, 0)
        assert kind in CHU.path("head").read_text(), CHU.path("head").read_text()
        CHU.openssl(command, "-inform", "DER", "-in", "file", "-noout")
    for file in ("autre.crl", "equipements.key", "../vigie.db", "%2e%2e/vigie.db", "equipements-1.crl"):
        done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", f"{URL}/{file}"],
                              capture_output=True, text=True)
        vigie.equal(done.stdout, "404", file)


try:
    tap.run([test_status, test_policies, test_never_good, test_get, test_revoked_now, test_on_the_spot, test_published])
finally:
    DAEMON.stop()
