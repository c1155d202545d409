"""ACME by hand (RFC 8555): a client whose every member can be spoilt."""
import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request

from support import vigie


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Acme:
    """A client whose every member can be spoilt."""

    def __init__(self, chu, name, secret):
        self.chu = chu
        self.chu.openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "acme.key")
        self.key = self.chu.path(f"acme-{id(self)}.key")
        self.chu.path("acme.key").rename(self.key)
        text = self.chu.openssl("ec", "-in", self.key, "-text", "-noout").stdout
        point = bytes.fromhex("".join(text.split("pub:")[1].split("ASN1")[0].split()).replace(":", ""))
        self.jwk = {"crv": "P-256", "kty": "EC", "x": b64(point[1:33]), "y": b64(point[33:65])}
        self.kid = self.nonce = None
        self.name, self.secret = name, secret

    def thumbprint(self):
        return b64(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":"), sort_keys=True).encode()).digest())

    def sign(self, data):
        self.chu.path("tosign").write_bytes(data)
        self.chu.openssl("dgst", "-sha256", "-sign", self.key, "-out", "signature", "tosign")
        der, numbers, at = self.chu.path("signature").read_bytes(), [], 2
        for _ in range(2):
            numbers.append(int.from_bytes(der[at + 2:at + 2 + der[at + 1]], "big").to_bytes(32, "big"))
            at += 2 + der[at + 1]
        return b"".join(numbers)

    def post(self, url, payload, spoil=None, signature=None):
        """status, body, headers"""
        nonce = self.nonce or self.fresh()
        header = {"alg": "ES256", "nonce": nonce, "url": url}
        header.update({"kid": self.kid} if self.kid else {"jwk": self.jwk})
        header.update(spoil or {})
        header = {name: value for name, value in header.items() if value is not None}
        protected, body = b64(json.dumps(header).encode()), b64(json.dumps(payload).encode()) if payload is not None else ""
        message = {"protected": protected, "payload": body,
                   "signature": signature or b64(self.sign(f"{protected}.{body}".encode()))}
        request = urllib.request.Request(url, json.dumps(message).encode(), {"Content-Type": "application/jose+json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answer = opener.open(request, timeout=30)
        except urllib.error.HTTPError as failure:
            answer = failure
        text = answer.read()
        self.nonce = answer.headers.get("Replay-Nonce")
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text, answer.headers

    def fresh(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(urllib.request.Request(f"{self.chu.url}/acme/new-nonce", method="HEAD")).headers["Replay-Nonce"]

    def register(self):
        url = f"{self.chu.url}/acme/new-account"
        protected = b64(json.dumps({"alg": "HS256", "kid": self.name, "url": url}).encode())
        payload = b64(json.dumps(self.jwk).encode())
        key = base64.urlsafe_b64decode(self.secret + "=" * (-len(self.secret) % 4))
        mac = hmac.new(key, f"{protected}.{payload}".encode(), "sha256").digest()
        status, body, headers = self.post(url, {"externalAccountBinding": {"protected": protected, "payload": payload, "signature": b64(mac)}})
        vigie.equal(status, 201, body)
        self.kid = headers["Location"]
        return self

    def order(self, *names):
        return self.post(f"{self.chu.url}/acme/new-order", {"identifiers": [dict(zip(("type", "value"), name.split(":"))) for name in names]})


def problem(answer, status, kind):
    vigie.equal((answer[0], answer[1].get("type")), (status, f"urn:ietf:params:acme:error:{kind}"), answer[1])
