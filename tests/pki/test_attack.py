"""What an attacker tries: to have a certificate that nobody validated, by each protocol. None is issued, and each refusal is said."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(__file__))
import scep  # noqa: E402
from enrolling import Enrolling  # noqa: E402
from daemon import wait_for  # noqa: E402
from scep import Scep  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Enrolling(registrar=True)
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test")
CHU.path("anchors.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())
CHALLENGE = f"{NAME}:{SECRET}"


def stopped(signer):
    """The signer stands still, as one that is busy or dead."""
    os.kill(signer, signal.SIGSTOP)


# ---- SCEP -------------------------------------------------------------------------------------------------------
def scep_certificate(name, *more):
    device = Scep(CHU, name)
    status, told = device.send(scep.REQUEST, device.csr(f"DNS:{name}.chu.test", challenge=CHALLENGE))
    vigie.equal(status, scep.SUCCESS, told)
    CHU.path(f"{name}.pem").write_text(told)
    return device


def test_scep_envelope():
    """an envelope caught on its way, sent again by another key or in another transaction's name, yields nothing"""
    device, thief = Scep(CHU, "victim"), Scep(CHU, "thief")
    sealed = device.seal(device.csr("DNS:victim.chu.test", challenge=CHALLENGE))
    before = CHU.certificates()
    vigie.equal(thief.read(thief.post(thief.sign(scep.REQUEST, sealed)))[0], scep.FAILURE)
    vigie.equal(CHU.certificates(), before)
    vigie.equal(device.read(device.post(device.sign(scep.REQUEST, sealed)))[0], scep.SUCCESS)
    vigie.equal(CHU.certificates(), before + 1)


def test_scep_repeated():
    """the same message again is answered the same, and nothing is issued twice; also where the enrolment is used up since"""
    name, secret = CHU.enrolment("--name", "dns:chu.test", "--uses", 1)
    device = Scep(CHU, "once")
    message = device.message(scep.REQUEST, device.csr("DNS:once.chu.test", challenge=f"{name}:{secret}"))
    first, again = device.read(device.post(message)), device.read(device.post(message))
    before = CHU.certificates()
    vigie.equal((first[0], again), (scep.SUCCESS, first))
    other = Scep(CHU, "twice")
    vigie.equal(other.send(scep.REQUEST, other.csr("DNS:twice.chu.test", challenge=f"{name}:{secret}"))[0], scep.FAILURE)
    vigie.equal(CHU.certificates(), before)


def test_scep_transaction():
    """a transaction's number is its key's own: two devices that count from one have a certificate each, and poll none but theirs"""
    one, other = Scep(CHU, "first"), Scep(CHU, "second")
    one.transaction = other.transaction = "1"
    told = [device.send(scep.REQUEST, device.csr(f"DNS:{device.name}.chu.test", challenge=CHALLENGE))[1] for device in (one, other)]
    assert told[0] != told[1]
    vigie.equal(one.send(scep.POLL, one.subject("registrar.pem"))[1], told[0])
    stranger = Scep(CHU, "stranger")
    stranger.transaction = "1"
    vigie.equal(stranger.send(scep.POLL, one.subject("registrar.pem"))[0], scep.FAILURE)


def test_scep_poll():
    """while the signer stands still a request is pending; polled, it is then answered"""
    device = Scep(CHU, "patient")
    signer = CHU.daemon.children()["signer"]
    stopped(signer)
    try:
        vigie.equal(device.send(scep.REQUEST, device.csr("DNS:patient.chu.test", challenge=CHALLENGE))[0], scep.PENDING)
        vigie.equal(device.send(scep.POLL, device.subject("registrar.pem"))[0], scep.PENDING)
    finally:
        os.kill(signer, signal.SIGCONT)
    told = wait_for(lambda: device.send(scep.POLL, device.subject("registrar.pem"))[1], 20, 0.3)
    assert "BEGIN CERTIFICATE" in told, told


def test_scep_renewal():
    """a renewal keeps its certificate's names: not another's, not more; not by a key without a certificate"""
    device = scep_certificate("renewing")
    ours = Scep(CHU, "renewing", certificate=CHU.path("renewing.pem"), key=device.key)
    before = CHU.certificates()
    for names in (["DNS:other.chu.test"], ["DNS:renewing.chu.test", "DNS:more.chu.test"], ["DNS:*.chu.test"]):
        ours.transaction = os.urandom(8).hex()
        vigie.equal(ours.send(scep.RENEWAL, ours.csr(*names))[0], scep.FAILURE, names)
    vigie.equal(device.send(scep.RENEWAL, device.csr("DNS:renewing.chu.test"), transaction="x")[0], scep.FAILURE)
    vigie.equal(CHU.certificates(), before)
    ours.transaction = os.urandom(8).hex()
    CHU.openssl("genpkey", "-algorithm", "rsa", "-out", "renewed.key")
    vigie.equal(ours.send(scep.RENEWAL, ours.csr("DNS:renewing.chu.test", key="renewed.key"))[0], scep.SUCCESS)


def test_scep_get():
    """GetCert gives a certificate to who has its key or one of ours, GetCRL the list to anybody; neither what is not there"""
    device, stranger = scep_certificate("shown"), Scep(CHU, "curious")
    status, told = device.send(scep.CERTIFICATE, device.subject("shown.pem"))
    vigie.equal(status, scep.SUCCESS)
    assert "shown" in told, told
    vigie.equal(stranger.send(scep.CERTIFICATE, device.subject("shown.pem"))[0], scep.FAILURE)
    vigie.equal(stranger.send(scep.CERTIFICATE, device.subject("curious-self.pem"))[0], scep.FAILURE)
    CHU.ca("crl", "equipements")
    status, told = stranger.send(scep.LIST, device.subject("shown.pem"))
    assert status == scep.SUCCESS and "BEGIN X509 CRL" in told and "BEGIN CERTIFICATE" not in told, told
    for content in (device.subject("curious-self.pem"), b"", b"\x30\x00", os.urandom(100)):
        vigie.equal(stranger.send(scep.LIST, content)[0], scep.FAILURE, content)


def test_scep_spoilt():
    """a message to another registrar, without a recipient's key, of an unknown type, or cut off anywhere is a protocol's error"""
    device = Scep(CHU, "spoilt")
    csr = device.csr("DNS:spoilt.chu.test", challenge=CHALLENGE)
    before = CHU.certificates()
    device.post(device.sign(scep.REQUEST, device.seal(csr, recipient="spoilt-self.pem")), expect=400)
    device.post(device.sign(scep.REQUEST, csr), expect=400)
    for kind in ("0", "3", "18", "99", "x"):
        vigie.equal(device.send(kind, csr)[0], scep.FAILURE, kind)
    message = device.message(scep.REQUEST, csr)
    for cut in (1, 100, len(message) // 2, len(message) - 1):
        device.post(message[:cut], expect=400)
    device.post(message[:-20] + bytes(20), expect=400)
    vigie.equal(CHU.certificates(), before)


# ---- The registrar ------------------------------------------------------------------------------------------------
def test_registrar():
    """a registrar whose certificate is revoked answers nobody, by CMP or SCEP: it may be in other hands"""
    device = Scep(CHU, "late")
    message = device.message(scep.REQUEST, device.csr("DNS:late.chu.test", challenge=CHALLENGE))
    before = CHU.certificates()
    CHU.ca("revoke", CHU.serial(CHU.path("registrar.pem")), "--reason", "keyCompromise")
    device.post(message, expect=503)
    assert "pki.registrar" in CHU.daemon.log(), CHU.daemon.log()
    CHU.curl(f"{CHU.url}/scep?operation=GetCACert", expect=503)
    CHU.tool("openssl", "cmp", "-cmd", "ir", "-server", CHU.url.removeprefix("http://"), "-path", ".well-known/cmp", "-ref", NAME, "-secret",
             f"pass:{SECRET}", "-newkey", "late.key", "-subject", "/CN=late", "-sans", "late.chu.test", "-certout", "late.pem", expect=1)
    vigie.equal(CHU.certificates(), before)


with CHU:
    tap.run([test_scep_envelope, test_scep_repeated, test_scep_transaction, test_scep_poll, test_scep_renewal, test_scep_get,
             test_scep_spoilt, test_registrar])
