"""CMP by hand (RFC 9810), protected by a password-based MAC: a client whose every member can be spoilt."""
import hashlib
import hmac
import os
import subprocess

from der import EC_SHA256, NULL, SHA256, integer, octets, oid, parts, sequence, tlv, value

HMAC_SHA256 = sequence(oid("1.2.840.113549.2.9"), NULL)
IR, RR, CONFIRM_OK, GENERAL, ANSWER, ERROR, CONFIRM, POLL, POLL_REPLY = 0, 11, 19, 21, 22, 23, 24, 25, 26
NOBODY = tlv(0xA4, sequence())
IT = "1.3.6.1.5.5.7.4."


class Cmp:
    """One transaction of who knows `secret`."""

    def __init__(self, chu, name, secret):
        self.chu, self.name, self.secret, self.transaction = chu, name.encode(), secret.encode(), os.urandom(16)
        self.nonce = None

    def message(self, kind, content, iterations=1000, unprotected=False, secret=None):
        salt = os.urandom(16)
        algorithm = sequence(oid("1.2.840.113533.7.66.13"), sequence(octets(salt), SHA256, integer(iterations), HMAC_SHA256))
        header = sequence(integer(2), NOBODY, NOBODY, b"" if unprotected else tlv(0xA1, algorithm), tlv(0xA2, octets(self.name)),
                          tlv(0xA4, octets(self.transaction)), tlv(0xA5, octets(os.urandom(16))),
                          tlv(0xA6, octets(self.nonce)) if self.nonce else b"")
        body = tlv(0xA0 | kind, content)
        key = (secret or self.secret) + salt
        for _ in range(min(iterations, 100000)):
            key = hashlib.sha256(key).digest()
        mac = hmac.new(key, sequence(header, body), "sha256").digest()
        return sequence(header, body, b"" if unprotected else tlv(0xA0, tlv(0x03, b"\0" + mac)))

    def post(self, message):
        """(status, kind of the body, its content)"""
        self.chu.path("cmp.in").write_bytes(message)
        out = self.chu.path("cmp.out")
        done = subprocess.run(["curl", "-s", "-m", "60", "-w", "%{http_code}", "-o", out, "-H", "Content-Type: application/pkixcmp", "--data-binary",
                               f"@{self.chu.path('cmp.in')}", f"{self.chu.url}/.well-known/cmp"], capture_output=True, text=True)
        if done.stdout != "200":
            return int(done.stdout), None, out.read_bytes()
        header, body = list(parts(value(out.read_bytes())))[:2]
        for whole, inner in parts(header[1]):
            if whole[0] == 0xA5:
                self.nonce = value(inner)
        return 200, body[0][0] & 0x1F, body[1]

    def send(self, kind, content, **how):
        return self.post(self.message(kind, content, **how))

    def request(self, key, *names, number=0, popo=None, spki=None):
        """CertReqMessages with one request for the key of a PEM file; `popo`: another proof of possession than its signature."""
        self.chu.openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out", "spki.der")
        public = spki or self.chu.path("spki.der").read_bytes()
        san = sequence(oid("2.5.29.17"), octets(sequence(*(tlv(0x82, name.encode()) for name in names))))
        subject = sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(0x0C, b"device"))))
        template = sequence(tlv(0xA5, subject), tlv(0xA6, value(public)), tlv(0xA9, san))
        wanted = sequence(integer(number), template)
        self.chu.path("tosign").write_bytes(wanted)
        self.chu.openssl("dgst", "-sha256", "-sign", key, "-out", "signature", "tosign")
        proof = tlv(0xA1, EC_SHA256, tlv(0x03, b"\0" + self.chu.path("signature").read_bytes()))
        return sequence(sequence(wanted, proof if popo is None else popo))

    def confirm(self, certificate, status=0):
        """CertConfirmContent"""
        return sequence(sequence(octets(hashlib.sha256(certificate).digest()), integer(0), sequence(integer(status))))


def status(content):
    """PKIStatus of the first CertResponse of an ip, and its certificate, DER, or None"""
    members = [one for one in parts(value(content))]
    response = next(parts(members[-1][1]))[1]
    number, info, *more = list(parts(response))
    told = int.from_bytes(value(info[1]), "big")
    if not more:
        return told, None
    return told, next(parts(next(parts(more[0][1]))[1]))[0]
