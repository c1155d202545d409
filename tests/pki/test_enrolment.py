"""Secrets of enrolments: told once, nowhere in the database in clear, and each protocol knows them; by a key that is made, changed, lost."""
import base64
import os
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import scep  # noqa: E402
from enrolling import Enrolling  # noqa: E402
from registrar import PASSWORD  # noqa: E402
from browser import Person  # noqa: E402
from scep import Scep  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Enrolling(registrar=True)
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test")
KEY = CHU.path("enrolment-key")
CHU.path("anchors.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())


def restart():
    CHU.daemon.stop()
    CHU.daemon.start()


def hidden(secret):
    """It is not in the database, nor in any file of the folder that Vigie wrote."""
    for form in (secret.encode(), base64.b64encode(secret.encode()), secret.encode().hex().encode()):
        assert not CHU.holds(form), f"{form} lies in the database"
    assert secret not in CHU.daemon.log()


def est(name, user, secret, expect=200):
    CHU.openssl("req", "-in", CHU.csr(name, f"DNS:{name}.chu.test"), "-outform", "DER", "-out", "request.der")
    CHU.path("request.b64").write_bytes(base64.b64encode(CHU.path("request.der").read_bytes()))
    CHU.curl("-u", f"{user}:{secret}", "-H", "Content-Type: application/pkcs10", "--data-binary", f"@{CHU.path('request.b64')}",
             f"{CHU.url}/.well-known/est/simpleenroll", expect=expect)


def by_challenge(name, user, secret):
    """The device, and what SCEP's answer to it is."""
    device = Scep(CHU, name)
    return device, device.send(scep.REQUEST, device.csr(f"DNS:{name}.chu.test", challenge=f"{user}:{secret}"))[0]


def cmp(name, user, secret, expect=0):
    CHU.openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
    CHU.tool("openssl", "cmp", "-cmd", "ir", "-server", CHU.url.removeprefix("http://"), "-path", ".well-known/cmp", "-ref", user,
             "-secret", f"pass:{secret}", "-newkey", f"{name}.key", "-subject", f"/CN={name}", "-sans", f"{name}.chu.test", "-certout",
             f"{name}.pem", expect=expect)


def acme(name, user, secret, expect=0):
    """What uacme says."""
    uacme = ["uacme", "-a", f"{CHU.url}/acme/directory", "-c", f"uacme-{name}", "-y"]
    said = CHU.tool(*uacme, "-v", "-v", "-e", f"{user}:{secret}", "new", "biomed@chu.test", expect=expect)
    if expect == 0:
        CHU.tool(*uacme, "-h", "/bin/true", "issue", f"{name}.chu.test")
        CHU.good(CHU.path(f"uacme-{name}") / f"{name}.chu.test/cert.pem")
    return said


def all_enrol(prefix, user, secret):
    before = CHU.certificates()
    est(f"{prefix}-est", user, secret)
    vigie.equal(by_challenge(f"{prefix}-scep", user, secret)[1], scep.SUCCESS)
    cmp(f"{prefix}-cmp", user, secret)
    acme(f"{prefix}-acme", user, secret)
    vigie.equal(CHU.certificates(), before + 4)


def test_made():
    """the file of keys was made when it was first wanted: one key, for its owner alone; nothing of its making is left beside it"""
    found = KEY.stat()
    vigie.equal((found.st_size, stat.S_IMODE(found.st_mode)), (32, 0o600))
    vigie.equal([path.name for path in CHU.folder.glob("enrolment-key*")], ["enrolment-key"])


def test_nowhere():
    """EST, SCEP, CMP and ACME enrol by the secret; the database has it nowhere, nor the challenge password of SCEP's request; nor the
    one that a page showed"""
    all_enrol("made", NAME, SECRET)
    hidden(SECRET)
    assert not CHU.holds(NAME.encode() + b":" + SECRET[:8].encode())
    person = Person(int(CHU.url.rsplit(":", 1)[1]), "a.dsi", PASSWORD.strip())
    shown = person.post("/enrolments", "/enrolments/new?profile=device", profile="device", label="page", names="dns:chu.test", **{"field.organisation": "CHU de Test"})
    name, secret = re.findall(r"<code[^>]*>([a-z2-9]{10}|[a-z2-9]{43})</code>", shown.text)
    all_enrol("page", name, secret)
    hidden(secret)


def test_wrong():
    """a wrong secret, another's secret and none at all prove nothing to EST, SCEP, CMP and ACME"""
    other, its = CHU.enrolment("--name", "dns:chu.test")
    before = CHU.certificates()
    for wrong in (its, SECRET[:-1], SECRET + "a", "a" * 43):
        est("wrong", NAME, wrong, expect=403)
        vigie.equal(by_challenge("wrong", NAME, wrong)[1], scep.FAILURE)
        cmp("wrong", NAME, wrong, expect=1)
    assert "unauthorized" in acme("wrong", NAME, its, expect=1)
    digest = CHU.sql(f"SELECT sha256 FROM pki_enrolment WHERE name = '{NAME}'")[0][0]
    est("wrong", NAME, digest, expect=403)
    vigie.equal(CHU.certificates(), before)


def test_earlier():
    """what an earlier version left in clear, in enrolments and in requests of SCEP, is sealed at the next start without a trace, and enrols"""
    device, status = by_challenge("earlier", NAME, SECRET)
    vigie.equal(status, scep.SUCCESS)
    csr = device.csr("DNS:earlier.chu.test", challenge=f"{NAME}:{SECRET}")
    number = CHU.sql("SELECT MAX(id) FROM pki_request WHERE protocol = 'scep'")[0][0]
    key = CHU.sql(f"SELECT key_hash FROM pki_request WHERE id = {number}")[0][0]
    CHU.daemon.stop()
    blob = f"'\\x{csr.hex()}'" if os.environ.get("VIGIE_TEST_POSTGRESQL") else f"x'{csr.hex()}'"
    CHU.sql(f"UPDATE pki_request SET bare = 0, csr = {blob} WHERE id = {number}")
    CHU.sql(f"UPDATE pki_enrolment SET secret = '{SECRET}', sha256 = '', seal_key = '', sealed = NULL WHERE name = '{NAME}'")
    assert CHU.holds(SECRET.encode()), "there it is"
    CHU.daemon.start()
    hidden(SECRET)
    vigie.equal(CHU.sql(f"SELECT bare, key_hash FROM pki_request WHERE id = {number}"), [(type(number)(1), key)])
    vigie.equal(CHU.sql("SELECT COUNT(*) FROM pki_enrolment WHERE secret <> '' OR seal_key = ''")[0][0], type(number)(0))
    all_enrol("earlier", NAME, SECRET)


def test_swapped():
    """a sealed secret that was put into another enrolment's row opens for nobody"""
    other, its = CHU.enrolment("--name", "dns:chu.test")
    CHU.sql(f"UPDATE pki_enrolment SET sealed = (SELECT sealed FROM pki_enrolment WHERE name = '{NAME}'), sha256 = (SELECT sha256 FROM "
            f"pki_enrolment WHERE name = '{NAME}'), seal_key = (SELECT seal_key FROM pki_enrolment WHERE name = '{NAME}') "
            f"WHERE name = '{other}'")
    before = CHU.certificates()
    cmp("swapped", other, SECRET, expect=1)
    acme("swapped", other, SECRET, expect=1)
    vigie.equal(CHU.certificates(), before)
    CHU.sql(f"DELETE FROM pki_enrolment WHERE name = '{other}'")


def test_new_key():
    """a new key before the old one, vigie reseal, the old one taken away: each protocol goes on; what a backup of the old key opens is
    not there any more"""
    old = KEY.read_bytes()
    KEY.write_bytes(os.urandom(32) + old)
    restart()
    assert any(state == "soon" and "older key" in what for state, what in CHU.doctor("seal")), CHU.doctor("seal")
    CHU.run("reseal")
    KEY.write_bytes(KEY.read_bytes()[:32])
    restart()
    all_enrol("rekeyed", NAME, SECRET)
    assert not [what for state, what in CHU.doctor("seal") if "enrolment" in what and state != "well"], CHU.doctor("seal")


def test_lost():
    """without the file: told at the start and by doctor, with the names; EST and SCEP go on, ACME and CMP issue nothing, no other key is
    made; with another key new enrolments work; with the file back, all do"""
    old = KEY.read_bytes()
    KEY.unlink()
    restart()
    said = CHU.daemon.log()
    assert "put it back from a backup" in said and NAME in said, said[-2000:]
    lost = [what for state, what in CHU.doctor("seal") if state == "broken"]
    assert len(lost) == 1 and NAME in lost[0], lost
    before = CHU.certificates()
    est("lost-est", NAME, SECRET)
    vigie.equal(by_challenge("lost-scep", NAME, SECRET)[1], scep.SUCCESS)
    cmp("lost-cmp", NAME, SECRET, expect=1)
    acme("lost-acme", NAME, SECRET, expect=1)
    vigie.equal(CHU.certificates(), before + 2)
    assert f"enrolment {NAME}: its secret cannot be opened" in CHU.daemon.log(), CHU.daemon.log()[-2000:]
    said = CHU.request("enrol", "--profile", "device", "--field", "organisation=CHU de Test", "--account", "a.dsi", "--name",
                       "dns:chu.test", expect=2)
    assert "put it back from a backup" in said and NAME in said, said
    assert not KEY.exists(), "another key was made in its place"
    subprocess.run(["openssl", "rand", "-out", KEY, "32"], check=True)
    KEY.chmod(0o600)
    restart()
    all_enrol("another", *CHU.enrolment("--name", "dns:chu.test"))
    cmp("lost-cmp", NAME, SECRET, expect=1)
    assert any(NAME in what for state, what in CHU.doctor("seal") if state == "broken"), CHU.doctor("seal")
    KEY.write_bytes(KEY.read_bytes() + old)
    restart()
    all_enrol("back", NAME, SECRET)


def test_mode():
    """a file of keys that others can read, or that is no key, stops the start with a line that says so"""
    keys = KEY.read_bytes()
    CHU.daemon.stop()
    for mode, octets, says in ((0o604, keys, "chmod 0640"), (0o600, b"short", "32 octets")):
        KEY.write_bytes(octets)
        KEY.chmod(mode)
        done = vigie.run("serve", "--config", str(CHU.daemon.config), timeout=60)
        assert done.returncode == 2 and says in done.stderr and "pki.enrolment_key" in done.stderr, done
    KEY.write_bytes(keys)
    CHU.daemon.start()


with CHU:
    tap.run([test_made, test_nowhere, test_wrong, test_earlier, test_swapped, test_new_key, test_lost, test_mode])
