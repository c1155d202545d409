"""What a certificate costs through the whole queue: asked for over HTTP (EST, ACME), validated by an enrolment, signed by the resident
signer, fetched. Clients are processes of Python, which share this machine's processors with what they measure."""
import base64
import hashlib
import hmac
import http.client
import json
import multiprocessing
import os
import pathlib
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path += [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "pki")]
CLIENTS = 16


def requests(count, prefix):
    """CSRs with keys of their own, DER."""
    made = []
    for number in range(count):
        name = x509.DNSName(f"{prefix}-{number}.chu.test")
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), False)
        made.append((name.value, builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
                     .public_bytes(serialization.Encoding.DER)))
    return made


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Est:
    def __init__(self, port, name, secret):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Content-Type": "application/pkcs10", "Authorization":
                        "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}

    def enrol(self, name, csr):
        self.connection.request("POST", "/.well-known/est/simpleenroll", base64.b64encode(csr), self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{answer.status}: {body[:300]}"


class Acme:
    """An account bound to the enrolment, whose names need no challenge."""

    def __init__(self, port, name, secret):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.base, self.key, self.kid = f"http://127.0.0.1:{port}", ec.generate_private_key(ec.SECP256R1()), None
        point = self.key.public_key().public_numbers()
        self.jwk = {"crv": "P-256", "kty": "EC", "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))}
        self.connection.request("HEAD", "/acme/new-nonce")
        answer = self.connection.getresponse()
        answer.read()
        self.nonce = answer.headers["Replay-Nonce"]
        head = b64(json.dumps({"alg": "HS256", "kid": name, "url": f"{self.base}/acme/new-account"}).encode())
        body = b64(json.dumps(self.jwk).encode())
        mac = hmac.new(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)), f"{head}.{body}".encode(), hashlib.sha256).digest()
        binding = {"protected": head, "payload": body, "signature": b64(mac)}
        self.kid = self.post(f"{self.base}/acme/new-account", {"externalAccountBinding": binding})[1]["Location"]

    def post(self, url, payload):
        header = {"alg": "ES256", "nonce": self.nonce, "url": url, **({"kid": self.kid} if self.kid else {"jwk": self.jwk})}
        head, body = b64(json.dumps(header).encode()), "" if payload is None else b64(json.dumps(payload).encode())
        r, s = utils.decode_dss_signature(self.key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
        message = {"protected": head, "payload": body, "signature": b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}
        self.connection.request("POST", url[len(self.base):], json.dumps(message), {"Content-Type": "application/jose+json"})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status < 300, f"{url}: {answer.status}: {text[:300]}"
        self.nonce = answer.headers["Replay-Nonce"]
        return (json.loads(text) if text[:1] == b"{" else text), answer.headers

    def enrol(self, name, csr):
        order, headers = self.post(f"{self.base}/acme/new-order", {"identifiers": [{"type": "dns", "value": name}]})
        order, _ = self.post(order["finalize"], {"csr": b64(csr)})
        while order["status"] == "processing":
            time.sleep(0.005)
            order, _ = self.post(headers["Location"], None)
        assert self.post(order["certificate"], None)[0].startswith(b"-----BEGIN"), order


def work(kind, where, prefix, count, ready, go, times):
    client, mine = kind(*where), requests(count, prefix)
    ready.release()
    go.wait()
    for name, csr in mine:
        begun = time.perf_counter()
        client.enrol(name, csr)
        times.put(time.perf_counter() - begun)


def measure(kind, where, label, clients, count):
    """Seconds that pass, and of each enrolment."""
    ready, go, times = multiprocessing.Semaphore(0), multiprocessing.Event(), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(kind, where, f"{label}{number}", count, ready, go, times))
               for number in range(clients)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    begun = time.perf_counter()
    go.set()
    each = sorted(times.get(timeout=30) for _ in range(clients * count))
    passed = time.perf_counter() - begun
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return passed, each


def cpu(pids):
    """Seconds of the processor that these used."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def figures(count):
    """name, unit, value: `count` certificates by each protocol."""
    from enrolling import Enrolling
    with Enrolling() as chu:
        where = (int(chu.url.rsplit(":", 1)[1]), *chu.enrolment("--name", "dns:chu.test", profile="server-ssl"))
        children = chu.daemon.children()
        pids = [children["portal"], children["signer"]]
        measure(Est, where, "warm", 1, 5)
        _, alone = measure(Est, where, "alone", 1, max(count // 10, 20))
        yield "EST, one client: until it has its certificate, median", "ms", 1000 * alone[len(alone) // 2]
        yield "EST, one client: of a hundred, the slowest", "ms", 1000 * alone[len(alone) * 99 // 100]
        for kind, label in ((Est, "EST simpleenroll"), (Acme, "ACME, whole orders")):
            before = cpu(pids)
            passed, each = measure(kind, where, label[:4].strip().lower(), CLIENTS, count // CLIENTS)
            used = cpu(pids) - before
            yield f"{label}, {CLIENTS} clients on the same processors", "certificates/s", len(each) / passed
            yield f"{label}, by CPU time of portal and signer", "certificates/s", len(each) / used
