"""vigie diagnose at real servers, each with a fault of the white paper's second annex, in both languages."""
import email.utils
import json
import os
import pathlib
import pty
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import certificates  # noqa: E402
import servers  # noqa: E402
import tap  # noqa: E402
import vigie  # noqa: E402
from vigie import equal  # noqa: E402

KEEPER = tempfile.TemporaryDirectory(prefix="vigie-diagnose-")
FOLDER = pathlib.Path(KEEPER.name)
AUTHORITY = certificates.Authority(FOLDER)
LEAF = AUTHORITY.issue()
CA = ("--ca", AUTHORITY.root.certificate)


def diagnose(port, *options, lang="en", host="localhost", status=1, protocol="https"):
    """The JSON object, after its exit status was checked."""
    done = vigie.run("diagnose", f"{host}:{port}/{protocol}", "--json", "--lang", lang, *CA, *options)
    equal((done.returncode, done.stderr), (status, ""), done.stdout)
    return json.loads(done.stdout)


def ids(diagnosis):
    return [cause["id"] for cause in diagnosis["causes"]]


def expect(port, *wanted, **how):
    """These causes, in this order, with words in both languages; the English diagnosis."""
    for lang in ("fr", "en"):
        diagnosis = diagnose(port, lang=lang, **how)
        equal(ids(diagnosis), list(wanted), lang)
        for cause in diagnosis["causes"]:
            assert cause["severity"] and cause["evidence"] and cause["action"] and cause["title"], cause
            assert not re.search(r"[{}—]", cause["title"] + cause["evidence"] + cause["cause"]), cause
    return diagnosis


def issue(stem, name="localhost", issuer=None, digest="sha256", key="rsa:2048", ended=0, alternative="DNS:localhost"):
    """A certificate as Authority.issue does not make them: of an odd key or digest, signed by itself, or over since
    `ended` days."""
    made = certificates.Identity(FOLDER, stem)
    folder = FOLDER / f"{stem}.ca"
    folder.mkdir()
    (folder / "index").touch()
    extension = f"subjectAltName={alternative}" if alternative else "keyUsage=digitalSignature,keyCertSign"
    (folder / "ca.cnf").write_text(f"[ca]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\n"
                                   f"policy=any\nx509_extensions=ext\n[any]\ncommonName=supplied\n[ext]\n{extension}\n")
    dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400)) for days in
             (-100 - ended, -ended if ended else 200)]
    certificates.openssl("req", "-new", "-nodes", "-newkey", key, "-keyout", made.key, "-out", f"{made.key}.csr",
                         "-subj", f"/CN={name}")
    signer = ["-cert", issuer.certificate, "-keyfile", issuer.key] if issuer else ["-selfsign", "-keyfile", made.key]
    certificates.openssl("ca", "-batch", "-notext", "-name", "ca", "-config", str(folder / "ca.cnf"), *signer, "-md",
                         digest, "-startdate", dates[0], "-enddate", dates[1], "-in", f"{made.key}.csr", "-out",
                         made.certificate)
    rest = pathlib.Path(issuer.certificate).read_text() if issuer else ""
    pathlib.Path(made.rest).write_text(rest)
    pathlib.Path(made.chain).write_text(pathlib.Path(made.certificate).read_text() + rest)
    return made


MODERN = "ssl_protocols TLSv1.2 TLSv1.3;"


def test_healthy():
    """A sound server is told to be: status 0, what was checked, and what to check on the other side"""
    with servers.Nginx(LEAF, MODERN) as server:
        diagnosis = expect(server.port, status=0)
        equal(diagnosis["headline"], "nothing to mend")
        equal([check["id"] for check in diagnosis["checks"]], ["clock", "certificate", "chain", "name", "versions"])
        equal(len(diagnosis["advice"]), 4)
        done = vigie.run("diagnose", f"localhost:{server.port}/https", "--lang", "fr", *CA)
        equal(done.returncode, 0, done.stdout)
        assert "Cette extrémité de la liaison est saine." in done.stdout, done.stdout
        assert all(len(line) <= 96 for line in done.stdout.splitlines()), done.stdout


def test_expired():
    """Symptom 1: the certificate's date is over"""
    with servers.Nginx(issue("old", issuer=AUTHORITY.intermediate, ended=3), MODERN) as server:
        cause = expect(server.port, "certificate-expired")["causes"][0]
        equal((cause["severity"], cause["measured"]["days"]), ("critical", 3))
        assert "3\u00a0days ago" in cause["title"], cause


def test_protocol_version():
    """Symptom 2: the device knows TLS 1.0 alone, or the server TLS 1.3 alone, which is told but is no fault"""
    with servers.OpenSSL(LEAF, "-tls1", ciphers="HIGH:!aNULL:@SECLEVEL=0") as server:
        cause = expect(server.port, "protocol-version", protocol="tls")["causes"][0]
        equal(cause["measured"]["versions"], ["TLSv1.0"])
        assert "TLS\u00a01.0" in cause["evidence"], cause
    with servers.Nginx(LEAF, "ssl_protocols TLSv1.3;") as server:
        cause = expect(server.port, "protocol-recent-only", status=0)["causes"][0]
        equal(cause["severity"], "info")


def test_unknown_authority():
    """Symptom 3: an authority that nobody here knows, and a certificate that signs itself"""
    stranger = issue("stranger", name="Stranger", alternative=None)
    with servers.Nginx(issue("alone"), MODERN) as server:
        expect(server.port, "self-signed")
    with servers.Nginx(issue("foreign", issuer=stranger), MODERN) as server:
        cause = expect(server.port, "unknown-authority")["causes"][0]
        assert "Stranger" in cause["evidence"], cause


class Clock:
    """An HTTPS server whose clock is `ahead` seconds ahead, as its Date tells."""

    def __init__(self, identity, ahead):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.chain, identity.key)
        self.ahead = ahead
        self.plain = servers.Scripted(self.answer, reads=False)

    def answer(self, connection, _):
        with self.context.wrap_socket(connection, server_side=True) as session:
            session.recv(4096)
            date = email.utils.formatdate(time.time() + self.ahead, usegmt=True)
            session.sendall(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode())

    def __enter__(self):
        return self.plain.__enter__()

    def __exit__(self, *unused):
        self.plain.__exit__()


def test_clock():
    """Symptom 4: the clock, measured to the second, comes before an expired certificate"""
    with Clock(LEAF, 664) as server:
        cause = expect(server.port, "clock-skew")["causes"][0]
        assert abs(cause["measured"]["offset_seconds"] - 664) <= 1, cause
        assert "ahead" in cause["title"], cause
    with Clock(issue("late", issuer=AUTHORITY.intermediate, ended=3), -10 * 86400) as server:
        causes = expect(server.port, "clock-skew", "certificate-expired")["causes"]
        assert "does not notice" in causes[1]["cause"], causes[1]


def test_clock_alone_spoils_a_good_certificate():
    """A clock past the certificate's end: said to be the clock's fault, and critical"""
    with Clock(LEAF, 300 * 86400) as server:
        cause = expect(server.port, "clock-skew")["causes"][0]
        equal((cause["severity"], cause["measured"]["own_view"]), ("critical", "expired"))
        assert "comes from the clock" in cause["cause"], cause


def test_hostname():
    """Symptom 5: called by a name that the certificate does not have, or by one that only its CN has"""
    with servers.Nginx(LEAF, MODERN) as server:
        diagnosis = diagnose(server.port, "--name", "ecm-01.local")
        equal(ids(diagnosis), ["name-mismatch"])
        assert "localhost" in diagnosis["causes"][0]["evidence"], diagnosis
        expect(server.port, host="127.0.0.1", status=0)
    with servers.Nginx(issue("common", issuer=AUTHORITY.intermediate, alternative=None), MODERN) as server:
        expect(server.port, "name-by-common-name-only")


def test_reset():
    """Symptom 6: reset, or closed, right after the hello"""
    def reset(connection, _):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with servers.Scripted(reset) as server:
        expect(server.port, "connection-reset")
    with servers.Scripted(lambda connection, _: None) as server:
        expect(server.port, "connection-closed")


def test_chains():
    """The intermediate is missing, and named; or the chain is out of order"""
    pathlib.Path(FOLDER / "short.chain").write_text(pathlib.Path(LEAF.certificate).read_text())
    short = certificates.Identity(FOLDER, "short")
    short.key = LEAF.key
    with servers.Nginx(short, MODERN) as server:
        cause = expect(server.port, "incomplete-chain")["causes"][0]
        equal(cause["measured"]["missing"], "CN=AC d'essai")
    parts = [LEAF.certificate, AUTHORITY.root.certificate, AUTHORITY.intermediate.certificate]
    pathlib.Path(FOLDER / "mixed.chain").write_text("".join(pathlib.Path(part).read_text() for part in parts))
    mixed = certificates.Identity(FOLDER, "mixed")
    mixed.key = LEAF.key
    with servers.Nginx(mixed, MODERN) as server:
        expect(server.port, "chain-order")


def test_weak():
    """SHA-1 and RSA of 1,024 bits"""
    with servers.OpenSSL(issue("sha1", issuer=AUTHORITY.intermediate, digest="sha1"), "-tls1_2") as server:
        assert "weak-signature" in ids(diagnose(server.port, protocol="tls"))
    with servers.OpenSSL(issue("short-key", issuer=AUTHORITY.intermediate, key="rsa:1024"), "-tls1_2") as server:
        assert "weak-key" in ids(diagnose(server.port, protocol="tls"))


def test_several():
    """All causes at once, in the order of what to do first"""
    bad = issue("bad", name="ecm-01.local", digest="sha1", ended=30, alternative="DNS:ecm-01.local")
    with Clock(bad, 664) as server:
        expect(server.port, "clock-skew", "certificate-expired", "self-signed", "name-mismatch", "weak-signature")


def test_cipher():
    """A server that knows only broken ciphers fails every handshake of a current client: told, though ours went through"""
    priority = "NONE:+VERS-TLS1.2:+3DES-CBC:+SHA1:+RSA:+SIGN-ALL:+COMP-NULL:+CTYPE-X509"
    with servers.GnuTLS(LEAF, priority, "--disable-client-cert") as server:
        cause = expect(server.port, "weak-suite", protocol="tls")["causes"][0]
        equal((cause["severity"], cause["measured"]["suites"]), ("high", ["TLS_RSA_WITH_3DES_EDE_CBC_SHA"]))


def test_plain():
    """What is spoken on the port is not TLS, and named"""
    with servers.Nginx(LEAF, "clear") as server:
        cause = expect(server.port, "plain-protocol")["causes"][0]
        equal(cause["measured"]["speaks"], "http")


def test_client_certificate():
    """A server that wants the client's certificate is told to want it, and its own is judged"""
    with servers.OpenSSL(LEAF, "-Verify", "1", "-no_tls1", "-no_tls1_1", ciphers="HIGH:!aNULL:!eNULL") as server:
        diagnosis = expect(server.port, "client-certificate-required", protocol="tls", status=0)
        equal([check["id"] for check in diagnosis["checks"]], ["clock", "certificate", "chain", "name", "versions"])


def test_nobody():
    """A closed port, a name that does not exist"""
    expect(servers.free_port(), "refused")
    expect(443, "name-not-found", host="nobody.invalid")


def test_gentle():
    """--gentle looks once only: fewer connections where the server slams the door"""
    counts = []
    for options in ((), ("--gentle",)):
        with servers.Scripted(lambda connection, _: None) as server:
            equal(ids(diagnose(server.port, *options)), ["connection-closed"])
            counts.append(server.connections)
    assert counts[1] < counts[0], counts


def test_mistakes():
    """Each mistake on the command line: one line that says what to do, and status 2"""
    for arguments, named in (((), "host:port"), (("a:1", "b:2"), "host:port"), (("localhost",), "port"),
                             (("localhost:70000",), "65535"), (("localhost:1", "--ca", "/nothing.pem"), "/nothing.pem"),
                             (("localhost:1", "--ca", "/etc/passwd"), "BEGIN CERTIFICATE"),
                             (("localhost:1", "--lang", "de"), "de"), (("localhost:1", "--timeout", "1 h"), "--timeout"),
                             (("localhost:1", "--config", "/nothing.conf"), "/nothing.conf")):
        done = vigie.run("diagnose", *arguments, env={"LC_ALL": "en_GB.UTF-8"})
        equal((done.returncode, done.stdout), (2, ""), done.stderr)
        assert named in done.stderr and done.stderr.count("\n") == 1, f"{arguments}: {done.stderr!r}"


def test_help():
    """--help shows an example, in the language asked for"""
    for lang, word in (("fr", "Exemple"), ("en", "Example")):
        done = vigie.run("diagnose", "--help", "--lang", lang)
        equal(done.returncode, 0)
        assert word in done.stdout and "--ca" in done.stdout, done.stdout


def on_terminal(width, *arguments, **environment):
    """What the program prints on a terminal so wide."""
    master, slave = pty.openpty()
    import fcntl
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    process = subprocess.Popen([vigie.PROGRAM, "diagnose", *arguments], stdout=slave, stderr=subprocess.PIPE,
                               env={**os.environ, **environment})
    os.close(slave)
    output = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        output += chunk
    process.wait(60)
    process.stderr.close()
    os.close(master)
    return output.decode().replace("\r\n", "\n")


def test_terminal():
    """Colours on a terminal and only there; lines as wide as it, from 80 to 110 columns"""
    target = f"127.0.0.1:{servers.free_port()}"
    for width, limit in ((60, 80), (90, 90), (300, 110)):
        text = on_terminal(width, target, "--lang", "fr")
        assert "\033[" in text, repr(text)
        bare = re.sub(r"\033\[\d*m", "", text)
        longest = max(map(len, bare.splitlines()))
        assert limit - 12 < longest <= limit, f"{width} columns: {longest}\n{bare}"
    assert "\033[" not in on_terminal(100, target, NO_COLOR="1")
    assert "\033[" not in vigie.run("diagnose", target).stdout


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
