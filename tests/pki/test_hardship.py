"""What goes wrong around the enrolment protocols: the same number twice, clocks that jump, many at once for one enrolment, long and slow
bodies, a signer that dies. No certificate that should not be, none lost, and each answer is the protocol's own."""
import base64
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import cmp  # noqa: E402
import scep  # noqa: E402
from cmp import Cmp  # noqa: E402
from enrolling import Enrolling  # noqa: E402
from daemon import wait_for  # noqa: E402
from scep import Scep  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Enrolling(registrar=True)
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test")
EST = f"{CHU.url}/.well-known/est"
CHU.path("anchors.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())
POSTGRESQL = bool(os.environ.get("VIGIE_TEST_POSTGRESQL"))


def body(name):
    """A CSR as EST wants it, in a file of its own."""
    CHU.openssl("req", "-in", CHU.csr(name, f"DNS:{name}.chu.test"), "-outform", "DER", "-out", f"{name}.der")
    path = CHU.path(f"{name}.b64")
    path.write_bytes(base64.b64encode(CHU.path(f"{name}.der").read_bytes()))
    return path


def post(path, user=f"{NAME}:{SECRET}"):
    """The status, and the body."""
    done = subprocess.run(["curl", "-s", "-m", "60", "-u", user, "-w", "\n%{http_code}", "--data-binary", f"@{path}", f"{EST}/simpleenroll"],
                          capture_output=True)
    answer, status = done.stdout.rsplit(b"\n", 1)
    return int(status), answer


COLLIDE = ("INSERT INTO pki_certificate (authority, serial, entry, profile, subject, not_before, not_after, shard, der) VALUES "
           "(NEW.authority, NEW.serial, -NEW.entry, 'other', '', 0, 0, 0, NEW.der)")


def test_serial():
    """a serial number that was there already is given to nobody: the request waits, and has its one certificate under another number"""
    if POSTGRESQL:
        CHU.sql(f"CREATE FUNCTION collide() RETURNS trigger AS $$ BEGIN {COLLIDE}; RETURN NEW; END $$ LANGUAGE plpgsql")
        CHU.sql("CREATE TRIGGER collide BEFORE INSERT ON pki_certificate FOR EACH ROW WHEN (NEW.profile = 'device') "
                "EXECUTE FUNCTION collide()")
    else:
        CHU.sql(f"CREATE TRIGGER collide BEFORE INSERT ON pki_certificate WHEN NEW.profile = 'device' BEGIN {COLLIDE}; END")
    before, path = CHU.certificates(), body("numbered")
    try:
        vigie.equal((post(path)[0], CHU.certificates()), (202, before))
    finally:
        CHU.sql("DROP TRIGGER collide" + (" ON pki_certificate" if POSTGRESQL else ""))
    wait_for(lambda: post(path)[0] == 200, 90, 1)
    vigie.equal((post(path)[0], CHU.certificates()), (200, before + 1))


def test_race():
    """twelve devices at once, by an enrolment for three: three certificates"""
    name, secret = CHU.enrolment("--name", "dns:chu.test", "--uses", 3)
    before, paths, answers = CHU.certificates(), [body(f"race{i}") for i in range(12)], []
    threads = [threading.Thread(target=lambda path=path: answers.append(post(path, f"{name}:{secret}")[0])) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vigie.equal((answers.count(200), CHU.certificates()), (3, before + 3), answers)
    assert set(answers) <= {200, 400, 403}, answers


def test_same_race():
    """one request eight times at once is one certificate, answered eight times"""
    before, path, answers = CHU.certificates(), body("echo"), []
    threads = [threading.Thread(target=lambda: answers.append(post(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vigie.equal((len(set(answers)), CHU.certificates()), (1, before + 1), answers)


def test_signer_dies():
    """the signer is killed again and again while devices ask: each that was answered has a certificate that the store knows"""
    answers = []

    def ask(path):
        answers.append((path, post(path)))
    before, paths = CHU.certificates(), [body(f"dying{i}") for i in range(4)]
    for i, path in enumerate(paths):
        thread = threading.Thread(target=ask, args=(path,))
        thread.start()
        time.sleep(0.05 * (i + 1))
        killed = CHU.daemon.children()["signer"]
        os.kill(killed, signal.SIGKILL)
        thread.join()
        wait_for(lambda: CHU.daemon.children().get("signer", killed) != killed, 60)  # each time it rests twice as long
    assert all(status in (200, 202) for _, (status, _) in answers), answers
    for path in paths:
        wait_for(lambda: post(path)[0] == 200, 60, 0.5)
    vigie.equal(CHU.certificates(), before + len(paths))
    vigie.equal(CHU.run("audit-log", "verify").returncode, 0)


PLACES = (".well-known/est/simpleenroll", ".well-known/est/serverkeygen", ".well-known/cmp", "scep", "acme/new-account", "acme/new-order")


def test_bodies():
    """bodies without end are refused unread, by each protocol; those that only drip keep nobody waiting"""
    CHU.path("long").write_bytes(b"A" * 300000)
    for place in PLACES:
        CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", f"@{CHU.path('long')}", f"{CHU.url}/{place}", expect=413)
    host, port = CHU.url.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=10) for _ in PLACES]
    for connection, place in zip(slow, PLACES):
        connection.sendall(f"POST /{place} HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\nA".encode())
    began = time.monotonic()
    vigie.equal(post(body("quick"))[0], 200)
    assert time.monotonic() - began < 10
    for connection in slow:
        connection.close()


def test_garbage():
    """whatever is sent, each protocol answers in its own words, and the portal stands"""
    for place in PLACES:
        for size in (0, 1, 2, 17, 500, 8000):
            CHU.path("garbage").write_bytes(os.urandom(size))
            CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", f"@{CHU.path('garbage')}", f"{CHU.url}/{place}", expect="4..")
    assert "the portal ended" not in CHU.daemon.log(), CHU.daemon.log()


# ---- Clocks -----------------------------------------------------------------------------------------------------
DAY = 86400


def at(seconds, protocol, content, *more):
    CHU.path("ask").write_bytes(content)
    done = subprocess.run([os.environ["ASK_AT"], CHU.store_url, CHU.path("registrar-both.pem"), str(seconds), protocol, CHU.path("ask"), *more],
                          capture_output=True, text=True, timeout=60)
    vigie.equal(done.returncode, 0, done.stderr)
    return done.stdout


def test_ended():
    """by a clock years ahead or days behind, registrar, certificates and enrolments have ended or not begun: nobody is answered"""
    body("timely")
    csr, before = CHU.path("timely.der").read_bytes(), CHU.requests()
    device, client = Scep(CHU, "clock"), Cmp(CHU, NAME, SECRET)
    CHU.openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "clock-cmp.key")
    messages = (("scep", device.message(scep.REQUEST, device.csr("DNS:clock.chu.test", challenge=f"{NAME}:{SECRET}"))),
                ("cmp", client.message(cmp.IR, client.request("clock-cmp.key", "clock.chu.test"))))
    CHU.openssl("x509", "-in", "registrar.pem", "-outform", "DER", "-out", "registrar.der")
    shown = CHU.path("registrar.der").read_bytes()
    for seconds in (800 * DAY, 20000 * DAY, -2 * DAY):
        for protocol, message in messages:
            said = at(seconds, protocol, message)
            assert said.startswith("refused") and "pki.registrar" in said, (seconds, protocol, said)
        assert "not valid now" in at(seconds, "shown", shown)
    assert "answered" in at(0, "shown", shown)
    assert "ended" in at(40 * DAY, "est", csr, NAME, SECRET)
    assert "behind the last line of the log" in at(-DAY, "est", csr, NAME, SECRET)
    vigie.equal(CHU.requests(), before)


def test_jump():
    """a clock that jumped ahead and back: what was asked meanwhile is not signed, and nothing else is, until somebody says it is right"""
    body("jumped"), body("later")
    before, log = CHU.certificates(), len(CHU.daemon.log())
    assert at(2 * DAY, "est", CHU.path("jumped.der").read_bytes(), NAME, SECRET).startswith("answered")
    status, said = post(CHU.path("later.b64"))
    assert status == 403 and b"clock" in said, (status, said)
    wait_for(lambda: "clock" in CHU.daemon.log()[log:], 60)
    vigie.equal(CHU.certificates(), before)
    vigie.equal(CHU.run("audit-log", "resume", "--reason", "it was ahead").returncode, 0)
    wait_for(lambda: CHU.certificates() == before + 1, 60, 0.5)
    vigie.equal(post(CHU.path("later.b64"))[0], 200)
    vigie.equal(CHU.run("audit-log", "verify").returncode, 0)


with CHU:
    tap.run([test_serial, test_race, test_same_race, test_signer_dies, test_bodies, test_garbage, test_ended, test_jump])
