"""SCEP by hand (RFC 8894 3): a client whose every member can be spoilt."""
import hashlib
import os

from der import RSA, SHA256, Certificate, integer, octets, oid, parts, sequence, tlv, value

ARC = "2.16.840.1.113733.1.9."
REPLY, RENEWAL, REQUEST, POLL, CERTIFICATE, LIST = "3", "17", "19", "20", "21", "22"
SUCCESS, FAILURE, PENDING = "0", "2", "3"
BAD_REQUEST = "2"


def attribute(answer, number):
    """What an answer's attribute below VeriSign's arc says, the text of it."""
    name = oid(ARC + number)
    at = answer.index(name) + len(name)
    return value(value(answer[at:])).decode()


def reason(answer):
    """failInfo"""
    return attribute(answer, "4")


class Envelope:
    """An EnvelopedData of AES-CBC as it was caught: whom it is for, its IV and its blocks; bytes(envelope) with others in their place."""

    def __init__(self, der):
        (_, kind), (_, content) = parts(value(der))
        (self.version, _), (self.recipients, _), (_, sealed) = parts(value(content))
        (self.kind, _), (_, algorithm), (_, text) = parts(sealed)
        (self.algorithm, _), (_, self.iv) = parts(algorithm)
        self.blocks = [text[i:i + 16] for i in range(0, len(text), 16)]

    def __bytes__(self):
        sealed = sequence(self.kind, sequence(self.algorithm, octets(self.iv)), tlv(0x80, *self.blocks))
        return sequence(oid("1.2.840.113549.1.7.3"), tlv(0xA0, sequence(self.version, self.recipients, sealed)))


class Scep:
    """A device: its key and the certificate it signs with, its own unless `certificate` is ours.

    scep.send(REQUEST, csr) → (status, certificates and lists as PEM)"""

    def __init__(self, chu, name, certificate=None, key=None):
        self.chu, self.name = chu, name
        if not key:
            chu.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}-self.pem", "-subj",
                        f"/CN={name}")
        self.key, self.certificate = key or chu.path(f"{name}.key"), certificate or chu.path(f"{name}-self.pem")
        self.transaction = os.urandom(8).hex()

    def csr(self, *names, challenge=None, key=None):
        lines = f"[req]\ndistinguished_name=dn\nprompt=no\nattributes=attributes\n[dn]\nCN={self.name}\n[attributes]\n"
        self.chu.path("scep.conf").write_text(lines + (f"challengePassword={challenge}\n" if challenge else ""))
        self.chu.openssl("req", "-new", "-key", key or self.key, "-config", "scep.conf", "-outform", "DER", "-out", "scep.csr",
                         *(["-addext", "subjectAltName=" + ",".join(names)] if names else []))
        return self.chu.path("scep.csr").read_bytes()

    def seal(self, content, recipient="registrar.pem"):
        self.chu.path("content").write_bytes(content)
        self.chu.openssl("cms", "-encrypt", "-binary", "-in", "content", "-outform", "DER", "-aes128", "-out", "sealed", recipient)
        return self.chu.path("sealed").read_bytes()

    def sign(self, kind, sealed, nonce=None, transaction=None):
        self.chu.openssl("x509", "-in", self.certificate, "-outform", "DER", "-out", "own.der")
        own = Certificate(self.chu.path("own.der").read_bytes())
        attributes = [("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.7.1")),
                      ("1.2.840.113549.1.9.4", octets(hashlib.sha256(sealed).digest())),
                      (ARC + "2", tlv(0x13, kind.encode())), (ARC + "7", tlv(0x13, (transaction or self.transaction).encode())),
                      (ARC + "5", octets(nonce or os.urandom(16)))]
        members = b"".join(sorted(sequence(oid(kind), tlv(0x31, one)) for kind, one in attributes))
        self.chu.path("tosign").write_bytes(tlv(0x31, members))
        self.chu.openssl("dgst", "-sha256", "-sign", self.key, "-out", "signature", "tosign")
        signer = sequence(integer(1), sequence(own.issuer, own.number), SHA256, tlv(0xA0, members), RSA,
                          octets(self.chu.path("signature").read_bytes()))
        data = sequence(integer(1), tlv(0x31, SHA256), sequence(oid("1.2.840.113549.1.7.1"), tlv(0xA0, octets(sealed))),
                        tlv(0xA0, own.der), tlv(0x31, signer))
        return sequence(oid("1.2.840.113549.1.7.2"), tlv(0xA0, data))

    def message(self, kind, content, **how):
        return self.sign(kind, self.seal(content), **how)

    def post(self, message, expect=200):
        self.chu.path("body").write_bytes(message)
        return self.chu.curl("--data-binary", f"@{self.chu.path('body')}", f"{self.chu.url}/scep?operation=PKIOperation", expect=expect)

    def read(self, answer):
        """(status, what was sealed for us)"""
        self.chu.path("answer").write_bytes(answer)
        self.chu.openssl("cms", "-verify", "-in", "answer", "-inform", "DER", "-CAfile", "anchors.pem", "-purpose", "any", "-binary", "-out",
                         "inner")
        status = attribute(answer, "3")
        if status != SUCCESS:
            return status, ""
        self.chu.openssl("cms", "-decrypt", "-binary", "-in", "inner", "-inform", "DER", "-inkey", self.key, "-out", "opened")
        return status, self.chu.openssl("pkcs7", "-in", "opened", "-inform", "DER", "-print_certs").stdout

    def send(self, kind, content, **how):
        return self.read(self.post(self.message(kind, content, **how)))

    def subject(self, certificate):
        """IssuerAndSerialNumber of a PEM file."""
        self.chu.openssl("x509", "-in", certificate, "-outform", "DER", "-out", "subject.der")
        one = Certificate(self.chu.path("subject.der").read_bytes())
        return sequence(one.issuer, one.number)
