"""ACME with the clients people have: certbot, lego, uacme, dehydrated; each challenge; and what must not be issued."""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from enrolling import Enrolling  # noqa: E402
from dns import Dns  # noqa: E402
from postgresql import free_port  # noqa: E402
from support import tap, vigie  # noqa: E402

HTTP, TLS = free_port(), free_port()
ZONE = pathlib.Path(tempfile.mkdtemp(prefix="vigie-zone-"))
DNS = Dns("127.0.0.1", ZONE)
CHU = Enrolling(acme_http_port=str(HTTP), acme_tls_port=str(TLS), acme_resolvers=f"127.0.0.1:{DNS.port}")
DIRECTORY = f"{CHU.url}/acme/directory"
FIELD = "organisation=CHU de Test"
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test", "--name", "ip:127.0.0.0/8", "--challenge", profile="server-ssl")
PLAIN, PLAIN_SECRET = CHU.enrolment("--name", "dns:interne.chu.test", profile="server-ssl")


def hook(name, text):
    path = CHU.path(name)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_certbot():
    """certbot binds its account to the enrolment, proves a name by http-01, renews, and revokes"""
    certbot = ["certbot", "--config-dir", "cb", "--work-dir", "cb", "--logs-dir", "cb", "--server", DIRECTORY, "--non-interactive"]
    CHU.tool(*certbot, "certonly", "--standalone", "--http-01-port", HTTP, "--http-01-address", "127.0.0.1", "--agree-tos", "-m",
             "biomed@chu.test", "--eab-kid", NAME, "--eab-hmac-key", SECRET, "-d", "pacs.chu.test", "-d", "www.pacs.chu.test")
    live = CHU.path("cb") / "live/pacs.chu.test"
    text = CHU.good(live / "cert.pem")
    assert "DNS:pacs.chu.test" in text and "DNS:www.pacs.chu.test" in text, text
    vigie.equal((live / "fullchain.pem").read_text().count("BEGIN"), 2)
    first = CHU.serial(live / "cert.pem")
    CHU.tool(*certbot, "renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert CHU.serial(live / "cert.pem") != first
    CHU.tool(*certbot, "revoke", "--cert-path", live / "cert.pem", "--reason", "superseded", "--no-delete-after-revoke")
    vigie.equal(CHU.json("certificate", CHU.serial(live / "cert.pem"))["state"], "revoked")
    vigie.equal(CHU.json("certificate", first)["state"], "good")


def test_lego():
    """lego proves a name by tls-alpn-01, and revokes with its account"""
    lego = ["lego", "--server", DIRECTORY, "--email", "dsi@chu.test", "--accept-tos", "--path", "lego", "--domains", "imr.chu.test",
            "--tls", "--tls.port", f"127.0.0.1:{TLS}", "--eab", "--kid", NAME, "--hmac", SECRET]
    CHU.tool(*lego, "run")
    path = CHU.path("lego") / "certificates/imr.chu.test.crt"
    assert "DNS:imr.chu.test" in CHU.good(path)
    serial = CHU.serial(path)
    CHU.tool(*lego, "revoke")
    vigie.equal(CHU.json("certificate", serial)["state"], "revoked")


def test_uacme():
    """uacme proves a name by dns-01, in a zone whose servers are those of the configuration"""
    script = hook("uacme.sh", f'[ "$2" = dns-01 ] || exit 1\n'
                  f'case "$1" in begin) echo "$5" > {ZONE}/_acme-challenge.$3;; *) rm -f {ZONE}/_acme-challenge.$3;; esac\n')
    uacme = ["uacme", "-a", DIRECTORY, "-c", "uacme", "-y"]
    CHU.tool(*uacme, "-e", f"{NAME}:{SECRET}", "new", "biomed@chu.test")
    CHU.tool(*uacme, "-h", script, "issue", "echographe.chu.test")
    assert "DNS:echographe.chu.test" in CHU.good(CHU.path("uacme") / "echographe.chu.test/cert.pem")


def test_dehydrated():
    """dehydrated too; and where the enrolment wants no challenge, the binding is enough"""
    CHU.path("dehydrated").mkdir()
    CHU.path("dehydrated/config").write_text(f"CA={DIRECTORY}\nEAB_KID={PLAIN}\nEAB_HMAC_KEY={PLAIN_SECRET}\nCHALLENGETYPE=dns-01\n"
                                             f"BASEDIR={CHU.path('dehydrated')}\nHOOK=/bin/true\nKEY_ALGO=secp384r1\n")
    config = ("--config", CHU.path("dehydrated/config"))
    CHU.tool("dehydrated", *config, "--register", "--accept-terms")
    CHU.tool("dehydrated", *config, "-c", "-d", "srv.interne.chu.test")
    assert "DNS:srv.interne.chu.test" in CHU.good(CHU.path("dehydrated") / "certs/srv.interne.chu.test/cert.pem")


def test_lies():
    """a name that is not proven, or not allowed, or without a binding: no certificate, and the client is told why"""
    before = CHU.certificates()
    liar = hook("liar.sh", "exit 0\n")
    said = CHU.tool("uacme", "-a", DIRECTORY, "-c", "uacme", "-y", "-h", liar, "issue", "lie.chu.test", expect=1)
    assert "challenge" in said.lower(), said
    said = CHU.tool("uacme", "-a", DIRECTORY, "-c", "uacme", "-y", "-h", liar, "issue", "bank.example", expect=1)
    assert "rejectedIdentifier" in said or "does not allow" in said, said
    said = CHU.tool("uacme", "-a", DIRECTORY, "-c", "uacme-none", "-y", "new", "a@chu.test", expect=1)
    assert "xternal" in said, said
    CHU.tool("uacme", "-a", DIRECTORY, "-c", "uacme-wrong", "-y", "-e", f"{NAME}:{'a' * len(SECRET)}", "new", "a@chu.test", expect=1)
    vigie.equal(CHU.certificates(), before)


# ---- By hand: what no honest client sends -------------------------------------------------------------------------
def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Client:
    """A client whose every member can be spoilt."""

    def __init__(self, name=NAME, secret=SECRET):
        CHU.openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "acme.key")
        self.key = CHU.path(f"acme-{id(self)}.key")
        CHU.path("acme.key").rename(self.key)
        text = CHU.openssl("ec", "-in", self.key, "-text", "-noout").stdout
        point = bytes.fromhex("".join(text.split("pub:")[1].split("ASN1")[0].split()).replace(":", ""))
        self.jwk = {"crv": "P-256", "kty": "EC", "x": b64(point[1:33]), "y": b64(point[33:65])}
        self.kid = self.nonce = None
        self.name, self.secret = name, secret

    def thumbprint(self):
        return b64(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":"), sort_keys=True).encode()).digest())

    def sign(self, data):
        CHU.path("tosign").write_bytes(data)
        CHU.openssl("dgst", "-sha256", "-sign", self.key, "-out", "signature", "tosign")
        der, numbers, at = CHU.path("signature").read_bytes(), [], 2
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
        return opener.open(urllib.request.Request(f"{CHU.url}/acme/new-nonce", method="HEAD")).headers["Replay-Nonce"]

    def register(self):
        import hmac
        url = f"{CHU.url}/acme/new-account"
        protected = b64(json.dumps({"alg": "HS256", "kid": self.name, "url": url}).encode())
        payload = b64(json.dumps(self.jwk).encode())
        key = base64.urlsafe_b64decode(self.secret + "=" * (-len(self.secret) % 4))
        mac = hmac.new(key, f"{protected}.{payload}".encode(), "sha256").digest()
        status, body, headers = self.post(url, {"externalAccountBinding": {"protected": protected, "payload": payload, "signature": b64(mac)}})
        vigie.equal(status, 201, body)
        self.kid = headers["Location"]
        return self

    def order(self, *names):
        return self.post(f"{CHU.url}/acme/new-order", {"identifiers": [dict(zip(("type", "value"), name.split(":"))) for name in names]})


def problem(answer, status, kind):
    vigie.equal((answer[0], answer[1].get("type")), (status, f"urn:ietf:params:acme:error:{kind}"), answer[1])


def test_messages():
    """a wrong signature, nonce, address, algorithm or key is refused by name, and each refusal brings a fresh nonce"""
    client = Client().register()
    url = f"{CHU.url}/acme/new-order"
    wanted = {"identifiers": [{"type": "dns", "value": "a.chu.test"}]}
    problem(client.post(url, wanted, signature=b64(bytes(64))), 403, "unauthorized")
    problem(client.post(url, wanted, {"nonce": b64(bytes(56))}), 400, "badNonce")
    problem(client.post(url, wanted, {"url": f"{CHU.url}/acme/other"}), 401, "unauthorized")
    problem(client.post(url, wanted, {"alg": "none"}), 403, "unauthorized")
    problem(client.post(url, wanted, {"alg": "HS256"}), 403, "unauthorized")
    problem(client.post(url, wanted, {"kid": None, "jwk": client.jwk}), 400, "malformed")
    problem(client.post(url, wanted, {"jwk": client.jwk}), 400, "malformed")
    problem(client.post(url, wanted, {"kid": f"{CHU.url}/acme/account/99999"}), 400, "accountDoesNotExist")
    problem(client.post(url, wanted, {"crit": ["exp"]}), 400, "malformed")
    spent = client.nonce
    vigie.equal(client.order("dns:a.chu.test")[0], 201)
    problem(client.post(url, wanted, {"nonce": spent}), 400, "badNonce")
    for names in ([], ["dns:a"] * 101, ["mail:a@b"], ["dns:a b"], ["ip:300.1.1.1"], ["dns:*.chu.test", "dns:é.chu.test"]):
        assert client.order(*names)[0] in (400, 403), names
    for body in (b"", b"{}", b"[" * 5000, b"\xff" * 100, b'{"protected":1,"payload":2}'):
        CHU.path("body").write_bytes(body)
        CHU.curl("--data-binary", f"@{CHU.path('body')}", url, expect=400)
    assert client.nonce


def test_others():
    """nobody reads or finishes another's order, and a CSR with other names than the order's is refused"""
    one, other = Client(PLAIN, PLAIN_SECRET).register(), Client().register()
    status, order, headers = one.order("dns:x.interne.chu.test")
    vigie.equal((status, order["status"]), (201, "ready"), order)
    problem(other.post(headers["Location"], None), 404, "malformed")
    problem(other.post(order["authorizations"][0], None), 404, "malformed")
    problem(other.post(one.kid, None), 403, "unauthorized")
    CHU.csr("y", "DNS:y.interne.chu.test")
    CHU.openssl("req", "-in", "y.csr", "-outform", "DER", "-out", "y.der")
    problem(one.post(order["finalize"], {"csr": b64(CHU.path("y.der").read_bytes())}), 400, "badCSR")
    problem(one.post(order["finalize"], {"csr": "AAAA"}), 400, "badCSR")
    status, pending, _ = other.order("dns:z.chu.test")
    problem(other.post(pending["finalize"], {"csr": b64(CHU.path("y.der").read_bytes())}), 403, "orderNotReady")
    CHU.csr("x", "DNS:x.interne.chu.test")
    CHU.openssl("req", "-in", "x.csr", "-outform", "DER", "-out", "x.der")
    status, done, _ = one.post(order["finalize"], {"csr": b64(CHU.path("x.der").read_bytes())})
    vigie.equal((status, done["status"]), (200, "valid"), done)
    problem(one.post(order["finalize"], {"csr": b64(CHU.path("x.der").read_bytes())}), 403, "orderNotReady")
    CHU.path("x.pem").write_bytes(one.post(done["certificate"], None)[1])
    CHU.openssl("x509", "-in", "x.pem", "-outform", "DER", "-out", "x.cer")
    revoke = {"certificate": b64(CHU.path("x.cer").read_bytes())}
    problem(other.post(f"{CHU.url}/acme/revoke-cert", revoke), 403, "unauthorized")
    renewal(CHU.path("x.pem"))
    vigie.equal(one.post(f"{CHU.url}/acme/revoke-cert", revoke)[0], 200)
    vigie.equal(CHU.json("certificate", CHU.serial(CHU.path("x.pem")))["state"], "revoked")


def renewal(path):
    """RFC 9773: the window lies within the certificate's last third"""
    text = CHU.openssl("x509", "-in", path, "-noout", "-ext", "authorityKeyIdentifier").stdout
    key = bytes.fromhex("".join(text.split("\n")[1].split()).replace(":", "").replace("keyid", ""))
    identifier = f"{b64(key)}.{b64(bytes.fromhex(CHU.serial(path)))}"
    window = json.loads(CHU.curl(f"{CHU.url}/acme/renewal-info/{identifier}"))["suggestedWindow"]
    assert window["start"] < window["end"] and window["start"] > "2026", window
    CHU.curl(f"{CHU.url}/acme/renewal-info/{b64(key)}.AAAA", expect=404)
    CHU.curl(f"{CHU.url}/acme/renewal-info/nothing", expect=400)


def test_address():
    """an address is an identifier too (RFC 8738), proven by http-01 on it"""
    client = Client().register()
    status, order, headers = client.order("ip:127.0.0.1")
    vigie.equal((status, order["status"]), (201, "pending"), order)
    status, authorization, _ = client.post(order["authorizations"][0], None)
    vigie.equal({one["type"] for one in authorization["challenges"]}, {"http-01", "tls-alpn-01"}, authorization)
    challenge = next(one for one in authorization["challenges"] if one["type"] == "http-01")
    root = CHU.path("root/.well-known/acme-challenge")
    root.mkdir(parents=True)
    (root / challenge["token"]).write_text(f"{challenge['token']}.{client.thumbprint()}\n")
    server = subprocess.Popen([sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", CHU.path("root"), str(HTTP)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        client.post(challenge["url"], {})
        from daemon import wait_for

        def decided():
            """the authorization to be decided"""
            told = client.post(order["authorizations"][0], None)[1]
            return told["status"] != "pending" and told
        vigie.equal(wait_for(decided, 30, 0.3)["status"], "valid")
    finally:
        server.kill()
        server.wait()
    CHU.csr("address", "IP:127.0.0.1")
    CHU.openssl("req", "-in", "address.csr", "-outform", "DER", "-out", "address.der")
    status, done, _ = client.post(order["finalize"], {"csr": b64(CHU.path("address.der").read_bytes())})
    vigie.equal((status, done["status"]), (200, "valid"), done)


def test_key_change():
    """an account's key is replaced by one that signs for itself, and the old one opens nothing any more"""
    client, fresh = Client().register(), Client()
    url = f"{CHU.url}/acme/key-change"
    protected = b64(json.dumps({"alg": "ES256", "jwk": fresh.jwk, "url": url}).encode())
    payload = b64(json.dumps({"account": client.kid, "oldKey": client.jwk}).encode())
    inner = {"protected": protected, "payload": payload, "signature": b64(fresh.sign(f"{protected}.{payload}".encode()))}
    problem(client.post(url, {**inner, "signature": b64(bytes(64))}), 400, "malformed")
    vigie.equal(client.post(url, inner)[0], 200)
    problem(client.order("dns:a.chu.test"), 403, "unauthorized")
    fresh.kid = client.kid
    vigie.equal(fresh.order("dns:a.chu.test")[0], 201)
    vigie.equal(fresh.post(fresh.kid, {"status": "deactivated"})[1]["status"], "deactivated")
    problem(fresh.order("dns:a.chu.test"), 401, "unauthorized")


with DNS, CHU:
    tap.run([test_certbot, test_lego, test_uacme, test_dehydrated, test_lies, test_messages, test_others, test_address, test_key_change])
