"""An authority that is made while vigie serve runs is there for all: pages, publication, OCSP, EST, ACME. Nobody starts anything again."""
import base64
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from registrar import PASSWORD, Registrar  # noqa: E402
from browser import Person  # noqa: E402
from support import tap, vigie  # noqa: E402

UNAUTHORIZED = bytes([0x30, 3, 0x0A, 1, 6])
LANES = 24  # of the portal: each has what it knows of OCSP for itself
CHU = Registrar(init=False)
del CHU.daemon.groups["pki"]
CHU.daemon.write_config()
CHU.account("a.dsi", "dsi")
CHU.account("i.admin", role="admin")


def soon(what, seconds=10):
    """Waits for it; what it is then."""
    end = time.monotonic() + seconds
    while not (said := what()):
        assert time.monotonic() < end, what.__doc__
        time.sleep(0.1)
    return said


def get(path):
    return Person(CHU.daemon.port).ask("GET", path)


def told(request, number):
    """Each under another address, or one answer is given to all for a second."""
    answer = Person(CHU.daemon.port).ask("POST", f"/pki/ocsp?{number}", request, {"Content-Type": "application/ocsp-request"})
    vigie.equal(answer.status, 200)
    return answer.body


def ceremony():
    CHU.ca("init", CHU.path("hierarchy.conf"))
    for name in ("racine", "equipements"):
        CHU.path(f"{name}.pem").write_text(CHU.ca("show", name, "--pem").stdout)


def test_first():
    """from a portal without any authority to a page, a list, a chain and an answer, within seconds of the ceremony"""
    dsi, admin = (Person(CHU.daemon.port, name, PASSWORD.strip()) for name in ("a.dsi", "i.admin"))
    account = next(one["id"] for one in admin.json("/accounts")["items"] if one["name"] == "a.dsi")
    assert "no certification authority here yet" in dsi.get("/requests").plain
    assert 'href="/requests"' not in dsi.get("/").text and 'name="grant"' not in admin.get(f"/accounts/{account}").text
    vigie.equal(get("/pki/equipements.cer").status, 404)
    CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "o.key", "-out", "other.pem",
                "-subj", "/CN=other")
    CHU.openssl("ocsp", "-issuer", "other.pem", "-serial", "0x40", "-no_nonce", "-reqout", "other.der")
    for number in range(2 * LANES):
        vigie.equal(told(CHU.path("other.der").read_bytes(), number), UNAUTHORIZED)
    ceremony()

    def shown():
        """the portal notices the authority"""
        page = dsi.get("/requests")
        return "no certification authority" not in page.plain and page
    assert 'href="/requests/new"' in soon(shown).text
    assert 'href="/requests"' in dsi.get("/").text and 'name="grant"' in admin.get(f"/accounts/{account}").text
    assert "Medical device" in dsi.get("/requests/new").plain
    vigie.equal(get("/pki/equipements.cer").status, 200)
    CHU.ca("crl", "equipements")
    vigie.equal(get("/pki/equipements.crl").status, 200)
    certs = base64.b64decode(get("/.well-known/est/equipements/cacerts").body)
    chain = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs", "-noout"], input=certs, capture_output=True, check=True)
    vigie.equal(chain.stdout.decode().count("subject="), 2)
    vigie.equal(get("/acme/directory").status, 200)


def test_answers():
    """what it issued is answered for by each lane, also by those that were asked before it was made"""
    CHU.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "a.key", "-out", "a.csr",
                "-subj", "/CN=a")
    CHU.json("issue", "--profile", "device", "--csr", CHU.path("a.csr"), "--name", "dns:a.chu.test", "--field", "organisation=CHU",
             "--out", CHU.path("a.pem"))
    CHU.ca("responder", "equipements")
    CHU.ca("answers", "equipements")
    CHU.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "a.pem", "-no_nonce", "-reqout", "a.der")
    for number in range(2 * LANES):
        def answered():
            """each lane answers"""
            return told(CHU.path("a.der").read_bytes(), number)[4:7] == bytes([0x0A, 1, 0])
        soon(answered)


def test_titles():
    """people read what an authority is called; its short name stands beside it where commands want it"""
    dsi = Person(CHU.daemon.port, "a.dsi", PASSWORD.strip())
    page = dsi.get("/issued")
    assert "AC Équipements" in page.plain and '<option value="equipements">AC Équipements</option>' in page.text
    one = next(one for one in dsi.json("/issued?authority=equipements")["items"] if one["profile"] == "device")
    vigie.equal({one["authority"] for one in dsi.json("/issued?authority=racine")["items"]}, {"racine"})
    vigie.equal(dsi.json("/issued?authority=nobody")["items"], [])
    assert "AC Équipements <code>equipements</code>" in dsi.get(f"/issued/{one['id']}").text
    CHU.path("hierarchy.conf").write_text(CHU.path("hierarchy.conf").read_text().replace("title = AC Équipements", "title = AC Blocs"))
    CHU.ca("init", CHU.path("hierarchy.conf"))

    def renamed():
        """the new title is shown"""
        return "AC Blocs" in dsi.get(f"/issued/{one['id']}").plain
    soon(renamed)


with CHU:
    tap.run([test_first, test_answers, test_titles])
