#!/usr/bin/env python3
"""Mailboxes on a real IMAP server (Dovecot): each message is taken once, whatever dies in between."""
import hashlib
import imaplib
import json
import os
import pathlib
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import certificates
import servers
import tap

TOOL = sys.argv[1]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-mailbox-"))
PASSWORD = "mot2passe"
COUNT = 0


def equal(got, wanted):
    if got != wanted:
        raise AssertionError("%.600r, not %.600r" % (got, wanted))


class Box:
    """A mailbox of its own at the server, with a store and a configuration of its own."""

    def __init__(self, port=None, archive="Vigie", scheme="imaps", **keys):
        global COUNT
        COUNT += 1
        self.user = "incident%d" % COUNT
        self.store = FOLDER / ("store-%d.db" % COUNT)
        self.config = FOLDER / ("vigie-%d.conf" % COUNT)
        port = port or (SERVER.secure_port if scheme == "imaps" else SERVER.port)
        settings = {"url": "%s://127.0.0.1:%d" % (scheme, port), "user": self.user, "archive": archive,
                    "password_file": FOLDER / "password", **keys}
        general = {"ca_file": settings.pop("ca_file", AUTHORITY.root.certificate), "timeout": settings.pop("timeout", "5 s"),
                   "every": "60 s"}
        with open(self.config, "w") as out:
            out.write("[store]\nurl = sqlite:%s\n[mailbox]\n" % self.store)
            out.write("".join("%s = %s\n" % item for item in general.items()) + "[mailbox.incident]\n")
            out.write("".join("%s = %s\n" % item for item in settings.items()))
        if archive:
            with self.imap() as imap:
                imap.create(archive)

    def imap(self):
        context = ssl.create_default_context(cafile=AUTHORITY.root.certificate)
        imap = imaplib.IMAP4_SSL("127.0.0.1", SERVER.secure_port, ssl_context=context)
        imap.login(self.user, PASSWORD)
        return imap

    def put(self, *raws, flags=None):
        with self.imap() as imap:
            for raw in raws:
                equal(imap.append("INBOX", flags, None, raw)[0], "OK")

    def count(self, folder, criterion="ALL"):
        with self.imap() as imap:
            imap.select(folder, readonly=True)
            return len(imap.search(None, criterion)[1][0].split())

    def tool(self, *words, check=True):
        done = subprocess.run([TOOL, str(self.config), *words], capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout if check else done

    def poll(self):
        return int(self.tool("poll", "incident"))

    def kept(self):
        return [json.loads(line) for line in self.tool("inbound").splitlines()]

    def state(self):
        return json.loads(self.tool("state"))[0]


def mail(number, body=b"texte\r\n"):
    return b"From: a@b.test\r\nSubject: %d\r\nMessage-ID: <%d@b.test>\r\n\r\n" % (number, number) + body


def sha256(raw):
    return hashlib.sha256(raw).hexdigest()


def taken_once():
    """what is new is kept byte for byte, then marked as seen and moved; nothing is taken twice"""
    box = Box()
    raws = [mail(1), mail(2, b"x" * 100000 + b"\r\n"), mail(3, b"\r\n".join(b"{5}" for _ in range(2000))), mail(4, bytes(byte for byte in range(1, 256) if byte not in b"\r\n"))]
    box.put(*raws)
    equal(box.tool("look", "incident").strip(), "4")
    equal(box.poll(), 4)
    equal([one["sha256"] for one in box.kept()], [sha256(raw) for raw in raws])
    equal((box.count("INBOX"), box.count("Vigie"), box.count("Vigie", "SEEN")), (0, 4, 4))
    box.put(mail(5))
    equal((box.poll(), box.poll()), (1, 0))
    equal(len(box.kept()), 5)
    state = box.state()
    equal((state["failures"], state["error"], state["waiting"], state["mailbox"]), (0, None, 5, "incident"))


def without_archive():
    """without an archive folder mail stays, marked as seen; over STARTTLS too; what others read before is left to them"""
    box = Box(archive="", scheme="imap")
    box.put(mail(1), flags="\\Seen")
    box.put(mail(2))
    equal(box.poll(), 1)
    equal([one["sha256"] for one in box.kept()], [sha256(mail(2))])
    equal((box.count("INBOX"), box.count("INBOX", "UNSEEN")), (2, 0))
    box.put(mail(3), flags="\\Seen")
    equal((box.poll(), box.poll()), (1, 0))


def huge():
    """a mail of 50 MB is kept whole; of one larger than 64 MiB the beginning, and it stays at the server"""
    box = Box(timeout="30 s")
    big, larger = mail(1, (b"x" * 70 + b"\r\n") * 700000), mail(2, (b"y" * 70 + b"\r\n") * 1000000)
    box.put(big, larger)
    equal(box.poll(), 2)
    one, two = box.kept()
    equal((one["sha256"], one["kept"]), (sha256(big), len(big)))
    equal((two["kept"], two["size"] >= len(larger)), (64 << 20, True))
    equal((box.count("INBOX"), box.count("Vigie")), (1, 1))
    equal(box.poll(), 0)


def killed():
    """killed at any moment, again and again: none is lost, none is kept twice, all are moved in the end"""
    box = Box()
    raws = [mail(number) for number in range(120)]
    box.put(*raws)
    draw = random.Random(1)
    for _ in range(25):
        with subprocess.Popen([TOOL, str(box.config), "poll", "incident"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            time.sleep(draw.uniform(0.02, 0.35))
            process.kill()
    box.poll()
    box.poll()
    equal(sorted(one["sha256"] for one in box.kept()), sorted(sha256(raw) for raw in raws))
    equal((box.count("INBOX"), box.count("Vigie")), (0, 120))


def renumbered():
    """when the server numbers anew, what was taken before is known again, what was not is taken"""
    box = Box(archive="")
    box.put(mail(1), mail(2))
    equal(box.poll(), 2)
    box.put(mail(3))
    os.unlink(SERVER.folder / "mail" / box.user / "dovecot-uidlist")
    for name in (SERVER.folder / "mail" / box.user).glob("dovecot.index*"):
        name.unlink()
    equal(box.poll(), 1)
    equal(len(box.kept()), 3)


def in_trouble():
    """a server that is down, refuses the password or shows another certificate is told, and asked less and less often"""
    free = servers.free_port()
    for keys, words in (({"port": free}, "onnect"), ({"ca_file": AUTHORITY.intermediate.certificate + ".none"}, "ertificate"),
                        ({"password_file": FOLDER / "wrong"}, "refuses user and password"), ({"folder": "Nulle part"}, "Nulle part")):
        box = Box(archive="", timeout="30 s", **keys)
        waits, times = [], 3 if "port" in keys else 1
        for _ in range(times):
            done = box.tool("poll", "incident", check=False)
            equal((done.stderr if words not in done.stderr else words, done.returncode, PASSWORD in done.stderr), (words, 1, False))
            state = box.state()
            waits.append(state["next"] - state["last_poll"])
        equal((state["failures"], words in state["error"], waits), (times, True, [120, 240, 480][:times]))
    box = Box(password_file=FOLDER / "open")
    equal("chmod 640" in box.tool("poll", "incident", check=False).stderr, True)


ANSWERS = {
    "endless": b"* 1 FETCH (" + b"x" * (6 << 20),
    "literal": b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n",
    "short": b"* 1 FETCH (UID 1 BODY[]<0> {100}\r\nabc",
    "garbage": random.Random(2).randbytes(2000) + b"\r\n" * 5,
    "silent": b"",
    "flood": b"* 1 FETCH (FLAGS ())\r\n" * 150000,
}


def hostile_server(kind):
    """Lets in whoever comes and answers FETCH with what no server may answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(IDENTITY.chain, IDENTITY.key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, context.wrap_socket(listener.accept()[0], server_side=True) as peer, peer.makefile("rb") as lines:
            peer.sendall(b"* OK [CAPABILITY IMAP4rev1] hostile\r\n")
            for line in lines:
                tag, _, words = line.strip().partition(b" ")
                if words.startswith(b"SELECT"):
                    peer.sendall(b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 2]\r\n")
                elif words.startswith(b"UID SEARCH"):
                    peer.sendall(b"* SEARCH 1\r\n")
                elif words.startswith(b"UID FETCH"):
                    peer.sendall(ANSWERS[kind])
                    if kind == "silent":
                        time.sleep(4)
                    return
                peer.sendall(tag + b" OK done\r\n")

    def guarded():
        try:
            serve()
        except OSError:
            pass
    threading.Thread(target=guarded, daemon=True).start()
    return listener.getsockname()[1]


def hostile():
    """a hostile server cannot make us wait, grow or keep what is no message"""
    for kind in ANSWERS:
        box = Box(port=hostile_server(kind), archive="", timeout="2 s")
        started = time.monotonic()
        equal((kind, box.tool("poll", "incident", check=False).returncode), (kind, 1))
        equal((box.kept(), time.monotonic() - started < 20), ([], True))


AUTHORITY = certificates.Authority(FOLDER)
IDENTITY = AUTHORITY.issue()
for name, text, mode in (("password", PASSWORD + "\n", 0o600), ("wrong", "autre\n", 0o600), ("open", PASSWORD, 0o644)):
    (FOLDER / name).write_text(text)
    (FOLDER / name).chmod(mode)
FOLDER.chmod(0o755)
try:
    with servers.Dovecot(IDENTITY, PASSWORD) as SERVER:
        tap.run([taken_once, without_archive, huge, killed, renumbered, in_trouble, hostile])
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
