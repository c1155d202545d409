"""vigie verify --online: lists, responders and issuers over HTTP from nginx, openssl ocsp, the portal, and servers that mean no good. What
could not be fetched is told apart from what is revoked and what is good."""
import datetime
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading
import time

for folder in ("..", ".", "../support", "../pki"):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), folder))
from daemon import Daemon  # noqa: E402
from hospital import Hospital  # noqa: E402
from path_cases import ca, cert, cn, crl, leaf, root  # noqa: E402
from servers import Server, free_port  # noqa: E402
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-online-"))
FILES = FOLDER / "made"
WEB, TLS, NGINX, CLOSED = [free_port() for _ in range(4)]
HITS = []


def web(path):
    return f"http://127.0.0.1:{WEB}/{path}"


def openssl(*arguments, before=()):
    done = subprocess.run([*before, "openssl", *map(str, arguments)], capture_output=True, text=True, cwd=FILES, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- What the certificates name ----
def aia(ocsp=None, issuers=None):
    return ("authorityInfoAccess", ",".join([f"OCSP;URI:{one}" for one in ocsp or []] + [f"caIssuers;URI:{one}" for one in issuers or []]))


def cdp(*urls):
    return ("crlDistributionPoints", ",".join(f"URI:{url}" for url in urls))


NAMED = {
    "good": [aia([web("ocsp/by-delegate")])],
    "revoked": [aia([web("ocsp/by-delegate")])],
    "listed": [cdp(web("ca.crl"))],
    "list-revoked": [cdp(web("ca.crl"))],
    "fallback": [aia([f"http://127.0.0.1:{CLOSED}"]), cdp(web("ca.crl"))],
    "closed": [aia([f"http://127.0.0.1:{CLOSED}"]), cdp(f"http://127.0.0.1:{CLOSED}/ca.crl")],
    "silent": [],
    "slow": [cdp(web("slow"))],
    "trickle": [cdp(web("trickle"))],
    "endless": [aia([web("endless")])],
    "html": [aia([web("html")]), cdp(web("html"))],
    "lost": [cdp(web("404"))],
    "sent-on": [cdp(web("redirect/ca.crl"))],
    "loop": [cdp(web("loop"))],
    "to-file": [cdp(web("to-file"))],
    "schemes": [cdp("ldap://127.0.0.1/cn=ca", f"file://{FILES}/ca.crl.der", "http://user:word@127.0.0.1/ca.crl")],
    "many": [cdp(*[web(f"404/{i}") for i in range(40)])],
    "fresh": [cdp(web("fresh.crl")), ("freshestCRL", f"URI:{web('delta.crl')}")],
    "other-authority": [aia([web("ocsp/other-root")])],
    "no-usage": [aia([web("ocsp/by-plain")])],
    "delegate": [aia([web("ocsp/by-delegate")])],
    "delegate-open": [aia([web("ocsp/by-delegate-open")])],
    "delegate-listed": [aia([web("ocsp/by-delegate-listed")])],
    "delegate-gone": [aia([web("ocsp/by-delegate-gone")]), cdp(web("ca.crl"))],
    "delegate-over": [aia([web("ocsp/by-delegate-over")])],
    "replayed": [aia([web("replay")])],
    "stale": [aia([web("stale")])],
    "undated": [aia([web("undated")])],
    "busy": [aia([web("busy")])],
    "prepared": [aia([web("no-nonce")])],
    "moved": [aia([web("moved-ocsp")])],
    "large": [cdp(web("large.crl"))],
    "unlisted": [aia([web("ocsp/ca")])],
    "secure": [cdp(f"https://127.0.0.1:{TLS}/ca.crl")],
    "down": [cdp(f"https://127.0.0.1:{TLS}/away")],
}
SIGNERS = [cert("by-delegate", "ca", [("extendedKeyUsage", "OCSPSigning"), ("noCheck", "ignored")]),
           cert("by-delegate-open", "ca", [("extendedKeyUsage", "OCSPSigning")]),
           cert("by-delegate-listed", "ca", [("extendedKeyUsage", "OCSPSigning"), cdp(web("ca.crl"))]),
           cert("by-delegate-gone", "ca", [("extendedKeyUsage", "OCSPSigning")]),
           cert("by-delegate-over", "ca", [("extendedKeyUsage", "OCSPSigning"), ("noCheck", "ignored")], until=-1),
           cert("by-plain", "ca", [("extendedKeyUsage", "clientAuth")]), root(id="other-root")]
SPEC = {"made": {
    "conf": "",
    "certificates": [root(), ca("ca", "root", cdp(f"http://127.0.0.1:{NGINX}/root.crl"), aia(issuers=[web("root.cer")])),
                     ca("sub", "ca", cdp(web("ca.crl")), aia(issuers=[web("ca.p7c")])), *SIGNERS,
                     *[leaf("ca", *extensions, id=id) for id, extensions in NAMED.items()],
                     leaf("sub", aia(issuers=[web("404"), web("sub.cer")]), cdp(web("sub.crl")), id="orphan"),
                     leaf("sub", aia(issuers=[web("html")]), id="orphan-lost"),
                     ca("cross1", key="k", name=cn("CA")), ca("cross2", key="k", name=cn("CA")), leaf("cross1", cdp(web("cross.crl")), id="crossed")],
    "crls": [crl("root.crl", "root"), crl("ca.crl", "ca", [{"id": "list-revoked", "reason": 4}, "by-delegate-gone"]), crl("sub.crl", "sub"),
             crl("fresh.crl", "ca"), crl("delta.crl", "ca", [{"id": "fresh", "reason": 1}], number=6, base=5),
             crl("cross.crl", "cross1", ["crossed"]),
             crl("large.crl", "ca", ["large"], filler=650000)]}}


# ---- Servers ----
def respond(request, signer, *options, before=()):
    """By openssl ocsp, whose own server would listen at every address of the machine."""
    (FILES / "request.der").write_bytes(request)
    authority = "other-root.pem" if signer == "other-root" else "ca.pem"
    openssl("ocsp", "-index", "index.txt", "-CA", authority, "-rsigner", f"{signer}.pem", "-rkey", f"{signer}-key.pem", "-reqin", "request.der",
            "-respout", "response.der", *options, before=before)
    return (FILES / "response.der").read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *unused):
        pass

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pour(self, piece, pause):
        self.send_response(200)
        self.end_headers()
        for _ in range(100000):
            self.wfile.write(piece)
            time.sleep(pause)

    def do_GET(self):
        path = self.path.strip("/")
        HITS.append(path)
        try:
            self.route(path)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client had enough, as it should

    def route(self, path):
        first, _, rest = path.partition("/")
        file = FILES / (path + ".der")
        if first == "slow":
            time.sleep(60)
            self.answer(b"late")
        elif first in ("trickle", "endless"):
            self.pour(*((b"0", 0.2) if first == "trickle" else (b"0" * 65536, 0)))
        elif first == "html":
            self.answer(b"<html>portal</html>", headers=[("Content-Type", "application/pkix-crl")])
        elif first == "redirect":
            self.answer(b"", 302, [("Location", "/" + rest)])
        elif first == "loop":
            self.answer(b"", 302, [("Location", "/loop")])
        elif first == "away":
            self.answer(b"", 302, [("Location", web("ca.crl"))])
        elif first == "to-file":
            self.answer(b"", 302, [("Location", f"file://{FILES}/ca.crl.der")])
        elif file.exists():
            self.answer(file.read_bytes())
        else:
            self.answer(b"", 404)

    def do_POST(self):
        path = self.path.strip("/")
        HITS.append(path)
        request = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] != "application/ocsp-request":
            return self.answer(b"", 415)
        first, _, signer = path.partition("/")
        if first == "ocsp":
            self.answer(respond(request, signer, "-ndays", "1"))
        elif first == "stale":
            self.answer(respond(request, "ca", "-nmin", "60", before=["faketime", "-f", "-2d"]))
        elif first == "undated":
            self.answer(respond(request, "ca", before=["faketime", "-f", "-2d"]))
        elif first == "replay":
            openssl("ocsp", "-issuer", "ca.pem", "-cert", "replayed.pem", "-nonce", "-reqout", "other.der")
            self.answer(respond((FILES / "other.der").read_bytes(), "ca", "-ndays", "1"))
        elif first == "no-nonce":
            openssl("ocsp", "-issuer", "ca.pem", "-cert", "prepared.pem", "-no_nonce", "-reqout", "other.der")
            self.answer(respond((FILES / "other.der").read_bytes(), "ca", "-ndays", "1"))
        elif first == "busy":
            self.answer(bytes([0x30, 3, 0x0A, 1, 3]))
        elif first == "moved-ocsp":
            self.answer(b"", 307, [("Location", "/ocsp/ca")])
        else:
            self.route(path)


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *unused):
        pass  # the client hung up, as it may


class StaticNginx(Server):
    """The lists of a folder, in clear."""

    def __init__(self):
        super().__init__()
        self.port = NGINX

    def command(self):
        places = "".join(f"{kind}_temp_path {self.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "root.crl").write_bytes((FILES / "root.crl.der").read_bytes())
        self.folder.chmod(0o755)
        (self.folder / "nginx.conf").write_text(
            f"daemon off; pid {self.folder}/pid; error_log stderr; worker_processes 1;\nevents {{ worker_connections 64; }}\n"
            f"http {{ access_log off;\n{places}server {{ listen 127.0.0.1:{self.port}; root {self.folder}; }} }}\n")
        return ["/usr/sbin/nginx", "-e", "stderr", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]


# ---- Asking ----
def ask(name, *more, given=("ca",), root_name="root", expect=None):
    HITS.clear()
    begin = time.monotonic()
    done = vigie.run("verify", "--json", "--no-system-roots", "--ca", str(FILES / f"{root_name}.pem"), *more, str(FILES / f"{name}.pem"),
                     *[str(FILES / f"{one}.pem") for one in given])
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    answer["seconds"] = time.monotonic() - begin
    if expect:
        vigie.equal((answer["verdict"], answer["revocation"]["status"]), expect, (answer["refusals"], answer["fetches"]))
    return answer


def online(name, verdict, status, *more, **how):
    return ask(name, "--online", "--loopback", *more, expect=(verdict, status), **how)


def failed(answer, kind, word):
    found = [one for one in answer["fetches"] if one["kind"] == kind and one["outcome"] == "failed" and word in one["detail"]]
    assert found, answer["fetches"]


def refused(answer, clause):
    assert any(clause in one["clause"] for one in answer["refusals"]), answer["refusals"]


def test_not_asked():
    """without --online nobody is asked"""
    answer = ask("listed", expect=("valid", None))
    vigie.equal((HITS, answer["fetches"]), ([], []))


def test_responder():
    """openssl ocsp tells good and revoked of the leaf, with its reason; nginx has the list of the authority"""
    answer = online("good", "valid", "good")
    told = [step["revocation"] and (step["revocation"]["status"], step["revocation"]["by"], step["revocation"]["source"]) for step in answer["path"]]
    vigie.equal(told, [("good", "ocsp", web("ocsp/by-delegate")), ("good", "crl", f"http://127.0.0.1:{NGINX}/root.crl"), None])
    vigie.equal({(one["kind"], one["outcome"]) for one in answer["fetches"]}, {("ocsp", "fetched"), ("crl", "fetched")})
    answer = online("revoked", "refused", "revoked")
    vigie.equal(answer["path"][0]["revocation"]["reason"], "keyCompromise")
    refused(answer, "RFC 6960 2.2: it is revoked")
    online("revoked", "refused", "revoked", "--soft-fail")


def test_list():
    """a list tells good and revoked; a redirection leads to it; where the responder is down it is asked instead"""
    online("listed", "valid", "good")
    refused(online("list-revoked", "refused", "revoked"), "RFC 5280 6.1.3 a 3")
    online("sent-on", "valid", "good")
    vigie.equal(HITS, ["redirect/ca.crl", "ca.crl"])
    failed(online("fallback", "valid", "good"), "ocsp", "Couldn't connect")


def test_delta():
    """the delta that freshestCRL names is fetched, and revokes"""
    answer = online("fresh", "refused", "revoked")
    vigie.equal([one["kind"] for one in answer["fetches"] if one["for"] == "CN=fresh"], ["crl", "delta"])


def test_issuers():
    """missing issuers are fetched where the certificates say, DER and PKCS#7, one above the other; what is no certificate is said"""
    answer = online("orphan", "valid", "good", given=())
    vigie.equal([one["subject"] for one in answer["path"]], ["CN=orphan", "CN=sub", "CN=ca", "CN=root"])
    failed(answer, "issuer", "404")
    answer = ask("orphan-lost", "--online", "--loopback", given=())
    refused(answer, "6.1.1 d: its issuer was not given")
    failed(answer, "issuer", "no certificate")
    vigie.equal(ask("orphan", given=())["verdict"], "refused")


def test_unreachable():
    """nobody answers: neither good nor revoked, refused unless softly; a certificate that names nobody is another thing"""
    answer = online("closed", "refused", "unreachable")
    refused(answer, "nobody whom it names for its revocation could be reached")
    answer = online("closed", "valid", "unreachable", "--soft-fail")
    vigie.equal([one["subject"] for one in answer["remarks"]], ["CN=closed"])
    answer = online("silent", "refused", "unknown")
    vigie.equal(answer["path"][0]["revocation"]["status"], "unknown")


def test_slow():
    """silence and trickles end when the time for one address is over"""
    for name in ("slow", "trickle"):
        answer = online(name, "refused", "unreachable", "--timeout", "1")
        failed(answer, "crl", "Timeout")
        assert answer["seconds"] < 30, answer["seconds"]


def test_hostile():
    """endless bodies, web pages, 404, redirections in circles and to files, other schemes: each refused, told why, and no more is asked"""
    failed(online("endless", "refused", "unreachable"), "ocsp", "more than 65536 octets")
    answer = online("html", "refused", "unreachable")
    failed(answer, "ocsp", "no OCSP response")
    failed(answer, "crl", "no revocation list")
    failed(online("lost", "refused", "unreachable"), "crl", "the server answers 404")
    failed(online("loop", "refused", "unreachable"), "crl", "too many redirections")
    vigie.equal(len(HITS), 4)
    failed(online("to-file", "refused", "unreachable"), "crl", "no web address")
    answer = online("schemes", "refused", "unreachable")
    failed(answer, "crl", "no web address")
    failed(answer, "crl", "a user in it")
    vigie.equal(len([one for one in answer["fetches"] if one["kind"] == "crl" and one["for"] == "CN=schemes"]), 3)
    online("many", "refused", "unreachable")
    vigie.equal(len(HITS), 4)


def test_signers():
    """whose word counts: the issuer's, a responder's of its own that is not revoked; no other authority's, no other certificate's"""
    refused(online("other-authority", "refused", "unknown"), "RFC 6960 4.2.2")
    refused(online("no-usage", "refused", "unknown"), "has not made the response's signer a responder")
    online("delegate", "valid", "good")
    refused(online("delegate-open", "refused", "unknown"), "whether the response's signer is revoked is not known")
    online("delegate-open", "valid", "good", "--crl", str(FILES / "ca.crl.pem"))
    online("delegate-listed", "valid", "good")  # the list that the responder names for itself is fetched
    answer = online("delegate-gone", "valid", "good")  # by the list: the revoked responder's word does not count
    vigie.equal(answer["path"][0]["revocation"]["by"], "crl")
    refused(online("delegate-over", "refused", "unknown"), "has not made the response's signer a responder, or not for now")


def test_freshness():
    """a response to another question, an old one, one without an end: none counts; one made beforehand, without the nonce, does"""
    failed(online("replayed", "refused", "unreachable"), "ocsp", "its nonce differs")
    refused(online("stale", "refused", "unknown"), "the response is too old")
    refused(online("undated", "refused", "unknown"), "the response is too old")
    failed(online("busy", "refused", "unreachable"), "ocsp", "trylater")
    vigie.equal(HITS, ["busy", "busy"], "once more without a nonce")
    online("prepared", "valid", "good")
    online("moved", "valid", "good")
    vigie.equal(HITS, ["moved-ocsp", "ocsp/ca"])


def test_secure():
    """over HTTPS whoever serves it: the list proves itself; from there no redirection leads to HTTP"""
    online("secure", "valid", "good")
    failed(online("down", "refused", "unreachable"), "crl", "from HTTPS to HTTP")


def test_unknown():
    """what the responder does not know is neither good nor revoked, nor was nobody reached"""
    refused(online("unlisted", "refused", "unknown"), "the responder does not know it")


def test_large():
    """a list of 650,000 entries, larger than other files may be, tells of the one that is looked for, fetched or given as PEM"""
    assert (FILES / "large.crl.der").stat().st_size > 16 << 20
    online("large", "refused", "revoked")
    ask("large", "--crl", str(FILES / "large.crl.pem"), "--crl", str(FILES / "root.crl.pem"), expect=("refused", "revoked"))


def test_once():
    """two paths to the same leaf: its list is fetched once"""
    answer = ask("crossed", "--online", "--loopback", given=("cross1", "cross2"))
    vigie.equal((answer["verdict"], answer["paths"], HITS.count("cross.crl")), ("refused", 2, 1))


def test_words():
    """in French and in English the reader is told what was asked, and that silence is no revocation"""
    for lang, words in (("fr", ("n’a répondu", "Demandé en ligne", "pas de réponse")), ("en", ("none of the addresses", "Asked online", "no answer"))):
        done = vigie.run("verify", "--online", "--loopback", "--no-system-roots", "--ca", str(FILES / "root.pem"), str(FILES / "closed.pem"),
                         str(FILES / "ca.pem"), "--lang", lang)
        assert all(word in done.stdout for word in words), done.stdout
    done = vigie.run("verify", "--online", "--timeout", "0", str(FILES / "good.pem"))
    vigie.equal(done.returncode, 2)
    assert "--timeout" in done.stderr, done.stderr


def test_portal():
    """an authority of ours, its lists and answers from our portal: good, then revoked"""
    port = free_port()
    chu = Hospital(publication=f"http://127.0.0.1:{port}/pki")
    serials = {}
    for name in ("one", "two"):
        chu.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "a.csr", "-subj", "/CN=a")
        serials[name] = chu.json("issue", "--profile", "device", "--csr", chu.path("a.csr"), "--name", f"dns:{name}.chu.test", "--field",
                                 "organisation=CHU", "--out", chu.path(f"{name}.pem"))["issued"][0]["serial"]
    chu.ca("revoke", serials["two"], "--reason", "keyCompromise")
    chu.ca("responder", "equipements")
    chu.ca("answers", "equipements")
    for authority in ("racine", "equipements"):
        chu.ca("crl", authority)
    store = next(line for line in chu.config.read_text().splitlines() if line.startswith("url"))[6:]
    daemon = Daemon(folder=chu.folder, store={"url": store}, portal={"listen": f"127.0.0.1:{port}"}).start()
    try:
        for name, expected in (("one", ("valid", "good")), ("two", ("refused", "revoked"))):
            done = vigie.run("verify", "--json", "--online", "--loopback", "--purpose", "any", "--no-system-roots", "--ca", str(chu.path("racine.pem")),
                             str(chu.path(f"{name}.pem")))  # the authority between comes from the portal, too
            answer = json.loads(done.stdout)
            vigie.equal((answer["verdict"], answer["revocation"]["status"]), expected, answer)
            vigie.equal(answer["path"][0]["revocation"]["by"], "ocsp")
    finally:
        daemon.stop()


def prepare():
    (FOLDER / "specs.json").write_text(json.dumps(SPEC))
    subprocess.run([sys.argv[1], str(FOLDER / "specs.json"), str(FOLDER)], check=True)
    for one in SPEC["made"]["crls"]:
        openssl("crl", "-in", f"{one['id']}.pem", "-outform", "DER", "-out", f"{one['id']}.der")
    for name in ("root", "sub"):
        openssl("x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.cer.der")
    openssl("crl2pkcs7", "-nocrl", "-certfile", "ca.pem", "-outform", "DER", "-out", "ca.p7c.der")
    lines = []
    end = (datetime.datetime.utcnow() + datetime.timedelta(days=300)).strftime("%y%m%d%H%M%SZ")
    for name in [*(set(NAMED) - {"unlisted"}), *[one["id"] for one in SIGNERS]]:
        serial = openssl("x509", "-in", f"{name}.pem", "-noout", "-serial").strip().partition("=")[2]
        gone = name == "revoked"
        lines.append(f"{'R' if gone else 'V'}\t{end}\t{'260101000000Z,keyCompromise' if gone else ''}\t{serial}\tunknown\t/CN={name}\n")
    (FILES / "index.txt").write_text("".join(lines))
    for port in (WEB, TLS):
        server = Quiet(("127.0.0.1", port), Handler)
        if port == TLS:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(FILES / "other-root.pem", FILES / "other-root-key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()


prepare()
with StaticNginx():
    try:
        tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
    except SystemExit as end:
        status = end.code
sys.exit(status)
