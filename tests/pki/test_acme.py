"""ACME with the clients people have: certbot, lego, uacme, dehydrated; each challenge; and what must not be issued."""
import datetime
import http.client
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
from acme import Acme, b64, problem  # noqa: E402
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
class Client(Acme):
    def __init__(self, name=NAME, secret=SECRET):
        super().__init__(CHU, name, secret)


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
    vigie.equal(one.post(f"{CHU.url}/acme/revoke-cert", revoke)[0], 200)
    vigie.equal(CHU.json("certificate", CHU.serial(CHU.path("x.pem")))["state"], "revoked")


def identifier_of(path):
    """RFC 9773 4.1: base64url of the authority's key identifier and of the serial number, as DER has them"""
    text = CHU.openssl("x509", "-in", path, "-noout", "-ext", "authorityKeyIdentifier").stdout
    key = bytes.fromhex("".join(text.split("\n")[1].split()).replace(":", "").replace("keyid", ""))
    return f"{b64(key)}.{b64(bytes.fromhex(CHU.serial(path)))}"


def renewal_info(identifier):
    """What a client that knows RFC 9773 learns; when to ask again."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answer = opener.open(f"{CHU.url}/acme/renewal-info/{identifier}", timeout=30)
    return json.loads(answer.read()), int(answer.headers["Retry-After"])


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def finished(client, order, name, **how):
    CHU.csr("ari", f"DNS:{name}", **how)
    CHU.openssl("req", "-in", "ari.csr", "-outform", "DER", "-out", "ari.der")
    status, done, _ = client.post(order["finalize"], {"csr": b64(CHU.path("ari.der").read_bytes())})
    vigie.equal((status, done["status"]), (200, "valid"), done)
    CHU.path("ari.pem").write_bytes(client.post(done["certificate"], None)[1])
    return CHU.path("ari.pem")


def test_renewal_window():
    """RFC 9773: the window lies in the certificate's last third, Retry-After says when to ask again; strangers' are not known"""
    client = Client(PLAIN, PLAIN_SECRET).register()
    path = finished(client, client.order("dns:ari.interne.chu.test")[1], "ari.interne.chu.test")
    identifier = identifier_of(path)
    told, again = renewal_info(identifier)
    dates = [datetime.datetime.strptime(line.split("=")[1], "%b %d %H:%M:%S %Y GMT").replace(tzinfo=datetime.timezone.utc)
             for line in CHU.openssl("x509", "-in", path, "-noout", "-dates").stdout.splitlines()]
    start, end = (moment(told["suggestedWindow"][name]) for name in ("start", "end"))
    life = dates[1] - dates[0]
    assert dates[1] - life / 3 - datetime.timedelta(seconds=2) <= start < end <= dates[1] - life / 6 + datetime.timedelta(seconds=2), told
    assert 60 <= again <= 86400 and "explanationURL" not in told, (again, told)
    key, serial = identifier.split(".")
    for other, status in ((f"{key}.AAAA", 404), (f"{b64(bytes(20))}.{serial}", 404), (f"{identifier}/why", 404), (f"{identifier}/other", 404),
                          ("nothing", 400), (f"{key}.", 400), (f".{serial}", 400), (f"{key}.{serial}=", 400), (f"{key}.{'A' * 400}", 400)):
        CHU.curl(f"{CHU.url}/acme/renewal-info/{other}", expect=status)


def test_renewal_replaces():
    """an order says which certificate it replaces: one of its own account, of its names, once; the order shows it"""
    client, other = Client(PLAIN, PLAIN_SECRET).register(), Client(PLAIN, PLAIN_SECRET).register()
    name = "replaced.interne.chu.test"
    identifier = identifier_of(finished(client, client.order(f"dns:{name}")[1], name))

    def order(who, wanted, replaces):
        return who.post(f"{CHU.url}/acme/new-order", {"identifiers": [{"type": "dns", "value": wanted}], "replaces": replaces})
    problem(order(other, name, identifier), 400, "malformed")
    problem(order(client, "another.interne.chu.test", identifier), 400, "malformed")
    for nonsense in ("nothing", f"{identifier}x", 7, None, []):
        problem(order(client, name, nonsense), 400, "malformed")
    status, made, _ = order(client, name, identifier)
    vigie.equal((status, made["replaces"]), (201, identifier), made)
    problem(order(client, name, identifier), 409, "alreadyReplaced")
    finished(client, made, name)
    problem(order(client, name, identifier), 409, "alreadyReplaced")


def test_renewal_revoked():
    """a revoked certificate is to be renewed at once, and the reason is told in both languages"""
    client = Client(PLAIN, PLAIN_SECRET).register()
    path = finished(client, client.order("dns:ended.interne.chu.test")[1], "ended.interne.chu.test")
    identifier = identifier_of(path)
    CHU.openssl("x509", "-in", path, "-outform", "DER", "-out", "ended.cer")
    revoke = {"certificate": b64(CHU.path("ended.cer").read_bytes()), "reason": 1}
    for reason in (6, 8, 2, 99, "1", 1.5):
        problem(client.post(f"{CHU.url}/acme/revoke-cert", {**revoke, "reason": reason}), 400, "badRevocationReason")
    problem(client.post(f"{CHU.url}/acme/revoke-cert", {"certificate": "A"}), 400, "malformed")
    vigie.equal(client.post(f"{CHU.url}/acme/revoke-cert", revoke)[0], 200)
    problem(client.post(f"{CHU.url}/acme/revoke-cert", revoke), 400, "alreadyRevoked")
    told, _ = renewal_info(identifier)
    assert moment(told["suggestedWindow"]["end"]) <= datetime.datetime.now(datetime.timezone.utc), told
    why = CHU.curl(told["explanationURL"]).decode()
    assert "clé compromise" in why and "key compromised" in why, why


def test_names_once():
    """a name said twice counts once: the CSR has no room for another; names in other clothes are no names"""
    client = Client(PLAIN, PLAIN_SECRET).register()
    status, order, _ = client.order("dns:twice.interne.chu.test", "dns:TWICE.interne.chu.test")
    vigie.equal((status, len(order["identifiers"]), len(order["authorizations"])), (201, 1, 1), order)
    CHU.csr("twice", "DNS:twice.interne.chu.test", "DNS:other.interne.chu.test")
    CHU.openssl("req", "-in", "twice.csr", "-outform", "DER", "-out", "twice.der")
    problem(client.post(order["finalize"], {"csr": b64(CHU.path("twice.der").read_bytes())}), 400, "badCSR")
    for name in ("dns:10.0.0.1", "dns:127.1", "dns:0x7f000001", "dns:interne.chu.test.", "dns:xinterne.chu.test", "dns:*.*.interne.chu.test",
                 "dns:*", "dns:", "ip:", "ip:127.0.0.1/8", "ip:::ffff:127.0.0.1", "dns:a\u0000.interne.chu.test", "dns:\u0430.interne.chu.test",
                 "dns:interne.chu.test\n", "email:a@interne.chu.test"):
        answer = client.order(name)
        assert answer[0] in (400, 403), (name, answer)


def test_key_is_strong():
    """no account takes a key that is weak, private or symmetric: not at first, and not by changing it"""
    CHU.openssl("genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024", "-out", "weak.key")
    modulus = bytes.fromhex(CHU.openssl("rsa", "-in", "weak.key", "-noout", "-modulus").stdout.strip().split("=")[1])
    client, url = Client().register(), f"{CHU.url}/acme/key-change"
    weak = {"e": "AQAB", "kty": "RSA", "n": b64(modulus)}
    protected = b64(json.dumps({"alg": "RS256", "jwk": weak, "url": url}).encode())
    payload = b64(json.dumps({"account": client.kid, "oldKey": client.jwk}).encode())
    CHU.path("tosign").write_bytes(f"{protected}.{payload}".encode())
    CHU.openssl("dgst", "-sha256", "-sign", "weak.key", "-out", "signature", "tosign")
    inner = {"protected": protected, "payload": payload, "signature": b64(CHU.path("signature").read_bytes())}
    problem(client.post(url, inner), 400, "malformed")
    for jwk in (weak, {"kty": "oct", "k": b64(bytes(32))}, {**client.jwk, "d": b64(bytes(32))}, {"kty": "EC"}, {}):
        stranger = Client()
        stranger.jwk = jwk
        assert stranger.post(f"{CHU.url}/acme/new-account", {})[0] in (400, 403), jwk


def test_finalize_race():
    """one order finalized eight times at once with eight keys is one certificate"""
    import threading
    client = Client(PLAIN, PLAIN_SECRET).register()
    order = client.order("dns:race.interne.chu.test")[1]
    before, answers, threads = CHU.certificates(), [], []
    signed = []
    for i in range(8):
        CHU.csr(f"race{i}", "DNS:race.interne.chu.test")
        CHU.openssl("req", "-in", f"race{i}.csr", "-outform", "DER", "-out", f"race{i}.der")
        header = {"alg": "ES256", "nonce": client.fresh(), "url": order["finalize"], "kid": client.kid}
        protected, body = b64(json.dumps(header).encode()), b64(json.dumps({"csr": b64(CHU.path(f"race{i}.der").read_bytes())}).encode())
        signed.append({"protected": protected, "payload": body, "signature": b64(client.sign(f"{protected}.{body}".encode()))})

    def send(message):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(order["finalize"], json.dumps(message).encode(), {"Content-Type": "application/jose+json"})
        try:
            answers.append(opener.open(request, timeout=60).status)
        except urllib.error.HTTPError as failure:
            answers.append(failure.status)
    for message in signed:
        threads.append(threading.Thread(target=send, args=(message,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    vigie.equal((answers.count(200), CHU.certificates()), (1, before + 1), answers)


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


class Redirecting:
    """A server of names' owners: /.well-known/acme-challenge/TOKEN is answered by `answer(path)`, a text or an address to go to."""

    def __init__(self, answer):
        import http.server

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                told = answer(self.path)
                self.send_response(302 if told.startswith("http") else 200)
                self.send_header("Location" if told.startswith("http") else "X-Nothing", told if told.startswith("http") else "")
                self.end_headers()
                if not told.startswith("http"):
                    self.wfile.write(told.encode())

            def log_message(self, *words):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", HTTP), Handler)

    def __enter__(self):
        import threading
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __exit__(self, *how):
        self.server.shutdown()
        self.server.server_close()


def challenge(client, name, kind="http-01"):
    """A new order's challenge of this type, and its authorization's address."""
    order = client.order(f"dns:{name}")[1]
    return next(one for one in client.post(order["authorizations"][0], None)[1]["challenges"] if one["type"] == kind), order["authorizations"][0]


def outcome(client, authorization, seconds=40):
    from daemon import wait_for

    def decided():
        """the authorization to be decided"""
        told = client.post(authorization, None)[1]
        return told["status"] != "pending" and told
    return wait_for(decided, seconds, 0.3)


def proven(client, name, answer):
    """What becomes of an authorization whose server answers so."""
    wanted, authorization = challenge(client, name)
    key = f"{wanted['token']}.{client.thumbprint()}"
    with Redirecting(lambda path: answer(path, key)):
        client.post(wanted["url"], {})
        return outcome(client, authorization)


def test_redirections():
    """a challenge is followed to a name's server, and not to addresses or ports of the house, nor round and round"""
    client = Client().register()
    told = proven(client, "inside.chu.test", lambda path, key: f"{CHU.url}/acme/directory")
    vigie.equal((told["status"], "redirections lead" in json.dumps(told)), ("invalid", True), told)
    told = proven(client, "address.chu.test", lambda path, key: f"http://127.0.0.1:{HTTP}/other")
    vigie.equal(told["status"], "invalid", told)
    told = proven(client, "round.chu.test", lambda path, key: f"http://round.chu.test:{HTTP}/again")
    vigie.equal((told["status"], "too many redirections" in json.dumps(told)), ("invalid", True), told)
    told = proven(client, "far.chu.test", lambda path, key: key if path == "/there" else f"http://other.chu.test:{HTTP}/there")
    vigie.equal(told["status"], "valid", told)


def test_slow():
    """a server that drips its handshake, or sends round slowly, ends a challenge soon; another's does not wait for it"""
    import socket
    import threading
    import time
    slow, other = Client().register(), Client().register()
    with socket.create_server(("127.0.0.1", TLS)) as server:
        def drip():
            held, _ = server.accept()
            with held:
                try:
                    for octet in b"\x16\x03\x03\x40\x00\x02" + bytes(60):
                        held.sendall(bytes([octet]))
                        time.sleep(2)
                except OSError:
                    return
        threading.Thread(target=drip, daemon=True).start()
        wanted, authorization = challenge(slow, "drip.chu.test", "tls-alpn-01")
        slow.post(wanted["url"], {})
        vigie.equal(proven(other, "quick.chu.test", lambda path, key: key)["status"], "valid")
        vigie.equal(slow.post(authorization, None)[1]["status"], "pending")
        told = outcome(slow, authorization, 60)
        vigie.equal((told["status"], "no TLS handshake" in json.dumps(told)), ("invalid", True), told)

    def again(path, key):
        time.sleep(3)
        return f"http://slowly.chu.test:{HTTP}/{path.count('/')}{path}"
    began = time.monotonic()
    vigie.equal(proven(slow, "slowly.chu.test", again)["status"], "invalid")
    assert time.monotonic() - began < 40, time.monotonic() - began


def test_failures_without_end():
    """who fails sixty challenges within an hour waits; so does an address that makes accounts without end"""
    client = Client().register()
    wanted, authorization = challenge(client, "tired.chu.test")
    CHU.sql("INSERT INTO acme_authorization (order_id, account, name, wildcard, state, token, checked, ends) WITH RECURSIVE n (i) AS (SELECT 1 "
            "UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT a.order_id, a.account, a.name, 0, 'invalid', '', o.made, a.ends FROM "
            "acme_authorization a JOIN acme_order o ON o.id = a.order_id CROSS JOIN n WHERE a.id = " + authorization.rsplit("/", 1)[1])
    answer = client.post(wanted["url"], {})
    vigie.equal((answer[0], answer[1]["type"].rsplit(":", 1)[1], answer[2]["Retry-After"]), (429, "rateLimited", "3600"), answer[1])
    CHU.sql("UPDATE acme_authorization SET checked = checked - 3600 WHERE state = 'invalid'")
    vigie.equal(client.post(wanted["url"], {})[0], 200)
    connection = http.client.HTTPConnection(CHU.url.removeprefix("http://"))
    for _ in range(601):
        connection.request("POST", "/acme/new-account", b"{}", {"Content-Type": "application/jose+json"})
        connection.getresponse().read()
    fresh = Client()
    try:
        fresh.register()
    except AssertionError as refusal:
        assert "rateLimited" in str(refusal), refusal
    else:
        raise AssertionError("a six hundred and second account was made")
    vigie.equal(client.post(client.kid, None)[0], 200)  # who has one goes on


def test_orders_without_end():
    """an account has three hundred orders open at most; then it is told when to come again"""
    client = Client(PLAIN, PLAIN_SECRET).register()
    vigie.equal(client.order("dns:many.interne.chu.test")[0], 201)
    account = client.kid.rsplit("/", 1)[1]
    for _ in range(9):  # 1, 2, 4 … 512
        CHU.sql("INSERT INTO acme_order (account, names, made, ends) SELECT account, names, made, ends FROM acme_order WHERE account = "
                + account)
    status, told, headers = client.order("dns:many.interne.chu.test")
    vigie.equal((status, told["type"].rsplit(":", 1)[1], headers["Retry-After"]), (429, "rateLimited", "3600"), told)


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
    tap.run([test_certbot, test_lego, test_uacme, test_dehydrated, test_lies, test_messages, test_others, test_renewal_window,
             test_renewal_replaces, test_renewal_revoked, test_names_once, test_key_is_strong, test_finalize_race, test_redirections, test_slow,
             test_orders_without_end, test_address, test_key_change, test_failures_without_end])
