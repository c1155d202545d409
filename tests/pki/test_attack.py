"""What an attacker tries: to have a certificate that nobody validated, by each protocol. None is issued, and each refusal is said."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import cmp  # noqa: E402
import scep  # noqa: E402
from cmp import Cmp  # noqa: E402
from der import NULL, Certificate, integer, oid, sequence, tlv, value  # noqa: E402
from enrolling import Enrolling  # noqa: E402
from daemon import wait_for  # noqa: E402
from scep import Envelope, Scep  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Enrolling(registrar=True)
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test")
CHU.path("anchors.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())
CHALLENGE = f"{NAME}:{SECRET}"


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
    with CHU.still():
        vigie.equal(device.send(scep.REQUEST, device.csr("DNS:patient.chu.test", challenge=CHALLENGE))[0], scep.PENDING)
        vigie.equal(device.send(scep.POLL, device.subject("registrar.pem"))[0], scep.PENDING)
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


def told(device, kind, envelope):
    """What an answer says, but for its chance: status and failInfo."""
    answer = device.post(device.sign(kind, envelope))
    return device.read(answer)[0], scep.reason(answer)


def test_scep_oracle():
    """nothing in an answer says whether a changed envelope decrypted: its padding would give the challenge away"""
    device = Scep(CHU, "caught")
    csr = device.csr("DNS:caught.chu.test", challenge=CHALLENGE)
    envelope = device.seal(csr)
    padded = 16 - len(csr) % 16  # PKCS #7's padding: each octet of it is its length
    answers = set()
    for padding in (0, 1, 17, 255):  # 1 decrypts
        last = bytes([envelope[-17] ^ padded ^ padding])
        answers.add(told(device, scep.REQUEST, envelope[:-17] + last + envelope[-16:]))
    vigie.equal(answers, {(scep.FAILURE, scep.BAD_REQUEST)})


def test_scep_oracle_of_another_type():
    """a caught request, cut into the content of GetCert and of the other types: none tells when its padding is right"""
    caught, thief = Scep(CHU, "caught"), Scep(CHU, "thief")
    csr = caught.csr("DNS:caught.chu.test", challenge=CHALLENGE)
    envelope = Envelope(caught.seal(csr))
    vigie.equal(bytes(Envelope(bytes(envelope))), bytes(envelope))
    at = csr.index(CHALLENGE.encode()) // 16 + 1
    first, before, secret = envelope.blocks[0], envelope.blocks[at - 1], envelope.blocks[at]
    # IssuerAndSerialNumber of 47 octets. Its beginning is the request's first block, whose text is no secret; all else stands in the
    # serial number. The thief would try each last octet of the challenge's block: here the right one is among three.
    wanted = bytes.fromhex("302d3000022900000000000000000000")
    envelope.iv = bytes(a ^ b ^ c for a, b, c in zip(envelope.iv, csr, wanted))
    for kind in (scep.CERTIFICATE, scep.LIST, scep.REQUEST, scep.RENEWAL):
        answers = set()
        for guess in (csr[16 * at + 15], csr[16 * at + 15] ^ 0x40, 0):
            envelope.blocks = [first, before[:15] + bytes([before[15] ^ guess ^ 1]), secret]
            answers.add(told(thief, kind, bytes(envelope)))
        vigie.equal(len(answers), 1, (kind, answers))


# ---- CMP --------------------------------------------------------------------------------------------------------
def key(name):
    CHU.openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
    return f"{name}.key"


def refused(answer, words=b""):
    """An error, or a certificate that is refused."""
    http, kind, content = answer
    rejected = http in (400, 403, 413) or kind == cmp.ERROR or cmp.status(content) == (2, None)
    assert rejected and words in content, answer


def test_cmp_transaction():
    """a transaction is confirmed by who began it: a stranger who knows its number neither ends it nor has it answered again"""
    mine = Cmp(CHU, NAME, SECRET)
    http, kind, content = mine.send(cmp.IR, mine.request(key("mine"), "mine.chu.test"))
    vigie.equal((http, kind, cmp.status(content)[0]), (200, cmp.IR + 1, 0), content)
    certificate, before = cmp.status(content)[1], CHU.certificates()
    name, secret = CHU.enrolment("--name", "dns:chu.test")
    for stranger in (Cmp(CHU, NAME, "wrong"), Cmp(CHU, "nobody", "wrong"), Cmp(CHU, name, secret)):
        stranger.transaction, stranger.nonce = mine.transaction, mine.nonce
        refused(stranger.send(cmp.CONFIRM, stranger.confirm(certificate)))
        refused(stranger.send(cmp.IR, stranger.request(key("his"), "his.chu.test")))
    refused(mine.send(cmp.CONFIRM, mine.confirm(b"another")))
    vigie.equal(CHU.certificates(), before)
    refused(mine.send(cmp.IR, mine.request("mine.key", "mine.chu.test")), b"answered already")
    refused(mine.send(cmp.IR, mine.request(key("more"), "more.chu.test")), b"answered already")
    vigie.equal(CHU.certificates(), before)


def test_cmp_confirmed():
    """a certificate that its owner confirms is good; one that it does not take is revoked; neither is confirmed twice"""
    for decision, state in ((0, "good"), (2, "revoked")):
        device = Cmp(CHU, NAME, SECRET)
        certificate = cmp.status(device.send(cmp.IR, device.request(key("confirmed"), f"confirmed{decision}.chu.test"))[2])[1]
        CHU.path("confirmed.der").write_bytes(certificate)
        again = device.message(cmp.CONFIRM, device.confirm(certificate, decision))
        stranger = Cmp(CHU, NAME, "wrong")
        stranger.transaction = device.transaction
        refused(stranger.send(cmp.CONFIRM, stranger.confirm(certificate, 2)))
        vigie.equal(device.post(again)[:2], (200, cmp.CONFIRM_OK))
        refused(device.post(again))
        vigie.equal(CHU.json("certificate", CHU.serial(CHU.path("confirmed.der"), "DER"))["state"], state)


def test_cmp_possession():
    """without a proof of possession, with another key's, or on an RA's mere word: no certificate"""
    before = CHU.certificates()
    CHU.openssl("pkey", "-in", key("other"), "-pubout", "-outform", "DER", "-out", "other.der")
    for proof, spki in ((b"", None), (b"\x80\x00", None), (None, CHU.path("other.der").read_bytes())):
        device = Cmp(CHU, NAME, SECRET)
        refused(device.send(cmp.IR, device.request(key("bare"), "bare.chu.test", popo=proof, spki=spki)))
    vigie.equal(CHU.certificates(), before)


def test_cmp_protection():
    """unprotected, by a MAC that would cost an hour, cut off, or for names that are not allowed: no certificate, at once"""
    before, began = CHU.certificates(), time.monotonic()
    device = Cmp(CHU, NAME, SECRET)
    wanted = device.request(key("device"), "device.chu.test")
    refused(device.send(cmp.IR, wanted, unprotected=True))
    refused(device.send(cmp.IR, wanted, iterations=2**31 - 1))
    refused(device.send(cmp.IR, wanted, iterations=2**62))
    for names in (["bank.example"], ["10.0.0.1"], ["chu.test."], ["a\0.chu.test"], ["*.test"], ["a..chu.test"], [f"n{i}.chu.test" for i in range(101)]):
        device = Cmp(CHU, NAME, SECRET)
        refused(device.send(cmp.IR, device.request("device.key", *names)))
    whole = device.message(cmp.IR, wanted)
    for cut in (10, len(whole) // 3, len(whole) - 1):
        refused(device.post(whole[:cut]))
    refused(device.post(whole + b"\0" * 70000))
    vigie.equal(CHU.certificates(), before)
    assert time.monotonic() - began < 60, "as if a stranger could make the portal count"


def test_cmp_revocation():
    """a certificate is revoked by its own key alone: not by the secret of the enrolment that it came from, nor for a reason of others"""
    device = Cmp(CHU, NAME, SECRET)
    certificate = cmp.status(device.send(cmp.IR, device.request(key("kept"), "kept.chu.test"))[2])[1]
    device.send(cmp.CONFIRM, device.confirm(certificate))
    CHU.path("kept.der").write_bytes(certificate)
    CHU.openssl("x509", "-inform", "DER", "-in", "kept.der", "-out", "kept.pem")
    one = Certificate(certificate)
    thief = Cmp(CHU, NAME, SECRET)
    details = sequence(sequence(sequence(tlv(0x81, value(one.number)), tlv(0xA3, one.issuer))))
    http, kind, content = thief.send(cmp.RR, details)
    assert kind in (cmp.RR + 1, cmp.ERROR) and b"own key" in content, (http, kind, content)
    for reason in ("6", "8", "2", "10"):
        CHU.tool("openssl", "cmp", "-cmd", "rr", "-server", CHU.url.removeprefix("http://"), "-path", ".well-known/cmp", "-cert", "kept.pem",
                 "-key", "kept.key", "-trusted", "anchors.pem", "-untrusted", "equipements.pem", "-oldcert", "kept.pem", "-revreason", reason,
                 expect=1)
    vigie.equal(CHU.json("certificate", CHU.serial(CHU.path("kept.pem")))["state"], "good")


def test_cmp_general():
    """what a client may ask: the authorities, a newer root, a template, lists newer than its own; nonsense has no answer"""
    def ask(number, *content):
        device = Cmp(CHU, NAME, SECRET)
        http, kind, told = device.send(cmp.GENERAL, sequence(sequence(oid(cmp.IT + str(number)), *content)))
        vigie.equal((http, kind), (200, cmp.ANSWER), told)
        return told
    root = CHU.openssl("x509", "-in", "racine.pem", "-outform", "DER", "-out", "root.der") and CHU.path("root.der").read_bytes()
    assert root in ask(17) and oid(cmp.IT + "17") in ask(17)
    vigie.equal(ask(20, root), sequence(sequence(oid(cmp.IT + "18"))), "today's root")
    vigie.equal(ask(20, root.replace(b"CHU de Test", b"CHU de Fest")), sequence(sequence(oid(cmp.IT + "18"))), "nobody's root")
    vigie.equal(ask(20, NULL), sequence(sequence(oid(cmp.IT + "18"))), "no root")
    assert oid("1.2.840.10045.3.1.7") in ask(19) and integer(2048) in ask(19)
    CHU.ca("crl", "equipements", "--full")
    issuer = Certificate(CHU.path("kept.der").read_bytes()).issuer

    def point(url):
        return tlv(0xA0, tlv(0xA0, tlv(0x86, url)))
    named = tlv(0xA1, sequence(tlv(0xA4, issuer)))
    for source in (named, point(b"http://pki.chu.test/pki/equipements.crl")):
        assert issuer in ask(22, sequence(sequence(source))), source
        vigie.equal(ask(22, sequence(sequence(source, tlv(0x18, b"20990101000000Z")))), sequence(sequence(oid(cmp.IT + "23"))), "newer")
    for nonsense in (point(b"../../etc/passwd"), point(b"racine.cer"), point(b"\xff.crl"), tlv(0xA1, sequence()), NULL, tlv(0xA0, b"")):
        vigie.equal(ask(22, sequence(sequence(nonsense))), sequence(sequence(oid(cmp.IT + "23"))), nonsense)
    vigie.equal(ask(99), sequence())


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
             test_scep_spoilt, test_scep_oracle, test_scep_oracle_of_another_type, test_cmp_transaction, test_cmp_confirmed, test_cmp_possession,
             test_cmp_protection, test_cmp_revocation, test_cmp_general, test_registrar])
