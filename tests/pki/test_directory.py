"""The directory: a real slapd has what it should, also after it was away, and nothing that was revoked."""
import base64
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from daemon import wait_for  # noqa: E402
from servers import Slapd  # noqa: E402
from support import tap, vigie  # noqa: E402

BASE = "ou=certificats,dc=chu,dc=test"
PASSWORD = "annuaire"


TREE = ("dn: dc=chu,dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: chu\no: CHU\n\n"
        f"dn: {BASE}\nobjectClass: organizationalUnit\nou: certificats\n")
CHU = Registrar(profiles="organisation-seal")
CHU.path("password").write_text(PASSWORD + "\n")
CHU.path("password").chmod(0o600)


def issue(profile, name, *more):
    csr = CHU.csr(name, *([f"DNS:{name}.chu.test"] if profile != "organisation-seal" else []))
    CHU.ca("issue", "--profile", profile, "--csr", csr, "--accept-names", *more, "--out", CHU.path(f"{name}.pem"))
    return CHU.openssl("x509", "-in", f"{name}.pem", "-noout", "-serial").stdout.strip().split("=")[1].lower()


SEAL = ("--field", "organisation=CHU de Test", "--field", "structure=1750712184", "--field", "service=Laboratoire, site Nord", "--requester", "r", "--validator", "v")
issue("server-ssl", "annuaire", "--field", "organisation=CHU de Test", "--name", "ip:127.0.0.1")
SLAPD = Slapd("dc=chu,dc=test", TREE, PASSWORD, (CHU.path("annuaire.pem"), CHU.path("annuaire.key")), "security simple_bind=128\n")
CHU.config.write_text(CHU.config.read_text() + f"[pki]\ndirectory = ldap://127.0.0.1:{SLAPD.port}\ndirectory_base = {BASE}\n"
                      f"directory_user = cn=vigie,dc=chu,dc=test\ndirectory_password_file = {CHU.path('password')}\n"
                      f"directory_ca_file = {CHU.path('racine.pem')}\n")


def search(filter_, attribute):
    """Values found, octets."""
    done = subprocess.run(["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", f"ldap://127.0.0.1:{SLAPD.port}", "-b", BASE, filter_,
                           attribute], capture_output=True, text=True, check=True)
    return [base64.b64decode(line.split("::", 1)[1]) for line in done.stdout.splitlines() if line.lower().startswith(attribute.lower() + "::")]


def publish(expect=0):
    done = CHU.ca("directory", "--json", expect=expect)
    return done.stdout if expect == 0 else done.stderr


def der(name):
    CHU.openssl("x509", "-in", f"{name}.pem", "-outform", "DER", "-out", "one.der")
    return CHU.path("one.der").read_bytes()


def test_authorities():
    """each authority has its certificate and its lists there, as openssl reads them"""
    CHU.ca("crl", "racine", "equipements")
    publish()
    certificates = search("(objectClass=pkiCA)", "cACertificate;binary")
    vigie.equal(len(certificates), 2)
    lists = search("(cn=AC Équipements)", "certificateRevocationList;binary")
    CHU.path("list.crl").write_bytes(lists[0])
    CHU.openssl("crl", "-in", "list.crl", "-inform", "DER", "-CAfile", "equipements.pem", "-noout")
    vigie.equal(json.loads(publish()), {"changed": 0}, "what stands there already is not sent again")


def test_subscribers():
    """an organisation's certificate is found by its name, a server's is not published; revoked, it is gone, and the lists tell"""
    serial = issue("organisation-seal", "cachet", *SEAL)
    publish()
    vigie.equal(search("(objectClass=pkiUser)", "userCertificate;binary"), [der("cachet")])
    issue("organisation-seal", "cachet2", *SEAL)
    publish()
    vigie.equal(sorted(search("(objectClass=pkiUser)", "userCertificate;binary")), sorted([der("cachet"), der("cachet2")]))
    CHU.ca("revoke", serial, "--reason", "cessationOfOperation")
    CHU.ca("crl", "equipements")
    publish()
    vigie.equal(search("(objectClass=pkiUser)", "userCertificate;binary"), [der("cachet2")])
    delta = search("(cn=AC Équipements)", "deltaRevocationList;binary")
    CHU.path("delta.crl").write_bytes(delta[0])
    assert serial.upper() in CHU.openssl("crl", "-in", "delta.crl", "-inform", "DER", "-noout", "-text").stdout


def test_generations():
    """two generations of a root stand at one entry with those that link them; another's authority, vouched for, stands in a pair"""
    CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "f.key", "-out", "f.pem", "-subj",
                "/C=FR/CN=AC Labo")
    with open(CHU.path("hierarchy.conf"), "a", encoding="utf-8") as file:
        file.write("\n[authority racine-2]\nsucceeds = racine\ntitle = AC Racine\nsubject = C=FR;O=CHU de Test;CN=AC Racine CHU de Test\n"
                   f"\n[cross labo]\nissuer = racine-2\ncertificate = {CHU.path('f.pem')}\npath_length = 0\npermitted = dns:labo.test\n")
    CHU.ca("init", CHU.path("hierarchy.conf"))
    publish()
    CHU.ca("publish", CHU.path("web"))
    stands = {path.stem: path.read_bytes() for path in CHU.path("web").glob("*.cer")}
    vigie.equal(sorted(search("(cn=AC Racine)", "cACertificate;binary")),
                sorted(stands[name] for name in ("racine", "racine-2", "racine-by-racine-2", "racine-2-by-racine")))
    pair, = search("(cn=AC Racine)", "crossCertificatePair;binary")
    CHU.path("pair").write_bytes(pair)
    told = CHU.openssl("asn1parse", "-inform", "DER", "-in", "pair").stdout.splitlines()
    assert "SEQUENCE" in told[0] and "cont [ 1 ]" in told[1], told[:2]
    assert pair.endswith(stands["labo-by-racine-2"]), "the pair does not hold the certificate"
    vigie.equal(json.loads(publish()), {"changed": 0}, "what stands there already is not sent again")
    serial = CHU.openssl("x509", "-inform", "DER", "-in", "web/labo-by-racine-2.cer", "-noout", "-serial").stdout.strip().split("=")[1]
    CHU.ca("revoke", serial, "--reason", "cessationOfOperation")
    publish()
    vigie.equal(search("(cn=AC Racine)", "crossCertificatePair;binary"), [], "a revoked one is gone")


def named(service):
    return [*SEAL[:4], "--field", f"service={service}", *SEAL[6:]]


def entry(name):
    """(classes, how many certificates of subscribers) of each entry of this name."""
    found = search(f"(cn={name})", "userCertificate;binary")
    done = subprocess.run(["ldapsearch", "-x", "-LLL", "-H", f"ldap://127.0.0.1:{SLAPD.port}", "-b", BASE, f"(cn={name})", "objectClass"],
                          capture_output=True, text=True, check=True)
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("objectClass")}, len(found)


def test_named_as_authority():
    """a subscriber who is called as an authority is, in other letters and spaces, or before the authority was: found elsewhere, the authority's entry
    stays its own, and others are published as well"""
    lists = search("(cn=AC Équipements)", "certificateRevocationList;binary")
    serial = issue("organisation-seal", "intrus", *named("ac  ÉQUIPEMENTS"))
    issue("organisation-seal", "autre", *named("Accueil"))
    publish()
    vigie.equal(entry("AC Équipements"), ({"applicationProcess", "pkiCA", "deltaCRL"}, 0))
    vigie.equal(search("(cn=AC Équipements)", "certificateRevocationList;binary"), lists)
    vigie.equal(search("(cn=Accueil)", "userCertificate;binary"), [der("autre")])
    assert der("intrus") in search("(objectClass=pkiUser)", "userCertificate;binary")
    CHU.ca("revoke", serial, "--reason", "cessationOfOperation")
    publish()
    assert der("intrus") not in search("(objectClass=pkiUser)", "userCertificate;binary")
    issue("organisation-seal", "avant", *named("AC Future"))
    publish()
    vigie.equal(entry("AC Future"), ({"applicationProcess", "pkiUser"}, 1))
    with open(CHU.path("hierarchy.conf"), "a", encoding="utf-8") as file:
        file.write("\n[authority future]\nissuer = racine-2\ntitle = AC future\nsubject = C=FR;O=CHU de Test;CN=AC Future\nkey = P-256\npath_length = 0\n"
                   "profiles = device\n")
    CHU.ca("init", CHU.path("hierarchy.conf"))
    publish()
    vigie.equal(entry("AC Future"), ({"applicationProcess", "pkiCA", "deltaCRL"}, 0))
    vigie.equal(len(search("(cn=AC Future)", "cACertificate;binary")), 1)
    assert der("avant") in search("(objectClass=pkiUser)", "userCertificate;binary")
    vigie.equal(json.loads(publish()), {"changed": 0}, "what stands there already is not sent again")


def test_away():
    """what was issued while the directory was down is sent when it is back; why it failed is said"""
    SLAPD.process.terminate()
    SLAPD.process.wait(20)
    issue("organisation-seal", "cachet3", *SEAL)
    said = publish(expect=2)
    assert "pki.directory" in said and "Can't contact" in said, said
    SLAPD.process = subprocess.Popen(SLAPD.arguments(), stderr=subprocess.DEVNULL)
    SLAPD.wait_for(SLAPD.port)
    publish()
    assert der("cachet3") in search("(objectClass=pkiUser)", "userCertificate;binary")


def test_wrong():
    """a wrong password, a server whose certificate does not hold: refused, and nothing of the password is said"""
    CHU.path("password").write_text("wrong\n")
    said = publish(expect=2)
    assert "login" in said and "wrong" not in said.replace("wrong ", ""), said
    CHU.path("password").write_text(PASSWORD + "\n")
    text = CHU.config.read_text()
    CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "o.key", "-out", "other.pem",
                "-subj", "/CN=other")
    CHU.config.write_text(text.replace("racine.pem", "other.pem"))
    said = publish(expect=2)
    assert "StartTLS" in said, said
    CHU.config.write_text(text)


def test_worker():
    """vigie serve sends it by itself, as often as its timer says"""
    issue("organisation-seal", "cachet4", *SEAL)
    CHU.sql("INSERT INTO schedule (name, last) VALUES ('directory', 0)")  # a moment that was missed
    CHU.daemon.groups["pki"].update(dict(line.split(" = ", 1) for line in CHU.config.read_text().split("[pki]\n")[-1].splitlines() if " = " in line))
    CHU.daemon.write_config()
    with CHU:
        def published():
            """the certificate to stand in the directory"""
            return der("cachet4") in search("(objectClass=pkiUser)", "userCertificate;binary")
        try:
            wait_for(published)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{CHU.daemon.log()[-2000:]}") from failure


with SLAPD:
    tap.run([test_authorities, test_subscribers, test_generations, test_named_as_authority, test_away, test_wrong, test_worker])
