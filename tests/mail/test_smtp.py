#!/usr/bin/env python3
"""Mail against a real SMTP server: delivered once, whatever happens."""
import email
import email.policy
import logging
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import postfix
import smtp
import tap
from postgresql import free_port

logging.disable(logging.CRITICAL)
TOOL = sys.argv[1]
FOLDER = tempfile.TemporaryDirectory()
COUNT = 0


def path(name):
    return os.path.join(FOLDER.name, name)


def make_certificate():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=relay.test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                    "-keyout", path("key.pem"), "-out", path("cert.pem")], check=True, capture_output=True)


class Client:
    """A store and a configuration of its own."""

    def __init__(self, port, scheme="smtp", **keys):
        global COUNT
        COUNT += 1
        self.config = path("vigie-%d.conf" % COUNT)
        settings = {"server": "%s://127.0.0.1:%d" % (scheme, port), "from": "Vigie <vigie@chu.test>",
                    "tls": "none", "timeout": "5 s"}
        settings.update(keys)
        with open(self.config, "w") as out:
            out.write("[store]\nurl = sqlite:%s\n[mail]\n" % path("store-%d.db" % COUNT))
            for key, value in settings.items():
                out.write("%s = %s\n" % (key, value))

    def tool(self, *words, check=True):
        done = subprocess.run([TOOL, self.config, *words], capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(done.stderr)
        return done

    def add(self, to="Atelier biomédical <biomed@chu.test>", subject="Échéance : 29 jours", text="Bonjour,\n",
            key="k1"):
        self.tool("add", "Vigie <vigie@chu.test>", to, subject, text, key)

    def run(self, offset=0):
        self.tool("run", str(offset))

    def states(self):
        return [line.split(" ", 2) for line in self.tool("show").stdout.splitlines()]


def equal(got, wanted):
    if got != wanted:
        raise AssertionError("%r, not %r" % (got, wanted))


def delivered_once():
    """a message queued twice under one key arrives once, as it was written"""
    with smtp.Server() as server:
        client = Client(server.port)
        text = "Un paragraphe « long » " + "de mots accentués " * 12 + "fin.\n\n  SHA-256  9f:1c\n.\n..point\nFrom ici\n"
        client.add(text=text)
        client.add(text=text)
        client.run()
        client.run(7200)
        equal(len(server.handler.messages), 1)
        sender, recipients, data = server.handler.messages[0]
        equal((sender, recipients), ("vigie@chu.test", ["biomed@chu.test"]))
        message = email.message_from_bytes(data, policy=email.policy.default)
        equal(message["subject"], "Échéance : 29 jours")
        equal(message["to"].addresses[0].display_name, "Atelier biomédical")
        equal(message["auto-submitted"], "auto-generated")
        equal(message.defects, [])
        lines = message.get_content().replace("\r\n", "\n").split("\n")
        if any(len(line) > 72 for line in lines):
            raise AssertionError("a line is longer than 72: %r" % lines)
        lines = [line[1:] if line.startswith(" ") else line for line in lines]  # RFC 3676 4.4
        joined = "".join(line if line.endswith(" ") else line + "\n" for line in lines)
        equal(joined.rstrip("\n"), text.rstrip("\n"))
        state, tries, answer = client.states()[0]
        equal((state, tries, answer), ("sent", "1", "250 2.0.0 taken as 1"))


def later():
    """a 4xx answer, to the recipient or to the message, is tried again and then delivered once"""
    with smtp.Server() as server:
        server.handler.recipient_answers = ["451 4.3.0 greylisted"]
        server.handler.data_answers = ["452 4.3.1 disk full"]
        client = Client(server.port)
        client.add()
        client.run()
        equal([s[0] for s in client.states()], ["queued"])
        equal(client.states()[0][2], "451 4.3.0 greylisted")
        client.run(1)  # not due yet
        equal(client.states()[0][2], "451 4.3.0 greylisted")
        client.run(100)
        equal(client.states()[0][0::2], ["queued", "452 4.3.1 disk full"])
        client.run(1000)
        equal(client.states()[0][0], "sent")
        equal(len(server.handler.messages), 1)


def refused():
    """a 5xx answer is final, and visible with the server's words"""
    with smtp.Server() as server:
        server.handler.recipient_answers = ["550 5.1.1 no such mailbox"]
        server.handler.data_answers = ["554 5.7.1 looks like spam"]
        client = Client(server.port)
        client.add(key="a")
        client.add(key="b")
        client.run()
        client.run(100000)
        equal([s[0] for s in client.states()], ["failed", "failed"])
        equal(sorted(s[2] for s in client.states()), ["550 5.1.1 no such mailbox", "554 5.7.1 looks like spam"])
        metrics = client.tool("metrics").stdout.splitlines()
        equal([line for line in metrics if line.startswith("vigie_mails") and ("failed" in line or "sent" in line)],
              ['vigie_mails{state="sent"} 0', 'vigie_mails{state="failed"} 2'])
        equal(server.handler.messages, [])


def down_then_up():
    """a server that is down is tried again, for days if need be; in the end it is told as failed"""
    port = free_port()
    client = Client(port)
    client.add(key="a")
    client.run()
    equal(client.states()[0][0], "queued")
    for day in range(1, 20):
        client.run(day * 6 * 3600)
    equal(client.states()[0][0], "queued")
    if "127.0.0.1:%d" % port not in client.states()[0][2]:
        raise AssertionError(client.states())
    with smtp.Server(port=port) as server:
        client.run(121 * 3600 - 7200)
        equal(client.states()[0][0], "sent")
        equal(len(server.handler.messages), 1)
    client.add(key="b")
    client.run(121 * 3600)
    equal(client.states()[1][0], "failed")


def kill_while_waiting():
    """killed between the final dot and the answer: told as unknown, never sent again"""
    with smtp.Server() as server:
        server.handler.delay = 60
        client = Client(server.port)
        client.add()
        child = subprocess.Popen([TOOL, client.config, "run", "0"])
        if not server.handler.delivered.wait(60):
            raise AssertionError("nothing arrived")
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        equal(client.states()[0][0], "sending")
        client.run(61)  # after the lease
        client.run(100000)
        equal(client.states()[0][0], "unknown")
        equal(len(server.handler.messages), 1)


def silence_after_dot():
    """a server that takes the message and never answers: unknown, not sent again"""
    with smtp.Server() as server:
        server.handler.delay = 30
        client = Client(server.port, timeout="2 s")
        client.add()
        client.run()
        client.run(100000)
        equal(client.states()[0][0], "unknown")
        equal(len(server.handler.messages), 1)


def kill_before_dot():
    """killed before the message was given whole: sent by the next try, once"""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as listener:
        client = Client(port)
        client.add()
        child = subprocess.Popen([TOOL, client.config, "run", "0"])
        connection = listener.accept()[0]
        connection.sendall(b"220 relay.test\r\n")
        connection.recv(500)
        connection.sendall(b"250 relay.test\r\n")
        if not connection.recv(500).startswith(b"MAIL"):
            raise AssertionError("MAIL was expected")
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        connection.close()
    equal(client.states()[0][0], "queued")
    with smtp.Server(port=port) as server:
        client.run(61)
        equal(client.states()[0][0], "sent")
        equal(len(server.handler.messages), 1)


def secured():
    """STARTTLS is demanded and the certificate verified; a login is only sent over TLS"""
    with open(path("password"), "w") as out:
        out.write("s3cret é\n")
    os.chmod(path("password"), 0o600)
    cert, key = path("cert.pem"), path("key.pem")
    login = {"user": "vigie", "password_file": path("password")}
    for implicit in (False, True):
        scheme = "smtps" if implicit else "smtp"
        with smtp.Server(cert, key, implicit=implicit, user="vigie", password="s3cret é") as server:
            client = Client(server.port, scheme=scheme, tls="required", ca_file=cert, **login)
            answer = client.tool("check").stdout
            equal((answer[:3], answer.count("\n")), ("250", 1))
            client.add()
            client.run()
            equal(client.states()[0][0], "sent")
            stranger = Client(server.port, scheme=scheme, tls="required", **login)
            stranger.add()
            stranger.run()
            equal(stranger.states()[0][0], "queued")
            if "certificate" not in stranger.states()[0][2].lower():
                raise AssertionError(stranger.states())
            equal(stranger.tool("check", check=False).returncode, 1)
            equal(len(server.handler.messages), 1)
    with smtp.Server() as server:
        client = Client(server.port, tls="required", ca_file=cert)
        client.add()
        client.run()
        equal(client.states()[0][0], "queued")
        equal(server.handler.messages, [])


def through_postfix():
    """Postfix takes a message over STARTTLS and delivers it; what it refuses is told in its words"""
    if os.getuid() != 0 or not os.path.exists("/usr/sbin/postfix"):
        raise tap.Skip("only root can run a postfix, where there is one")
    cert, key = path("cert.pem"), path("key.pem")
    with postfix.Postfix(cert, key) as relay:
        client = Client(relay.port, tls="required", ca_file=cert)
        text = "Équipement « Automate 02 »\n\n  SHA-256  9f:1c\n.\nfin\n"
        client.add(text=text, key="a")
        client.add(to="personne@chu.test", key="b")
        client.add(to="ailleurs@autre.test", key="c")
        client.run()
        equal([state[0] for state in client.states()], ["sent", "failed", "failed"])
        assert "queued as" in client.states()[0][2], client.states()
        assert "5.1.1" in client.states()[1][2], client.states()
        assert "5.7.1" in client.states()[2][2], client.states()
        (data,) = relay.wait_for_mail()
        message = email.message_from_bytes(data, policy=email.policy.default)
        equal(message["subject"], "Échéance : 29 jours")
        assert "\n.\nfin\n" in message.get_content(), message.get_content()
        assert "ESMTPS" in message["received"], message["received"]
        clear = Client(relay.port, tls="none")
        clear.add()
        clear.run()
        equal(clear.states()[0][0], "queued")  # Postfix demands STARTTLS: a matter of configuration


def wrong_login():
    """a refused login is a matter of configuration: the message waits"""
    with open(path("wrong"), "w") as out:
        out.write("wrong\n")
    os.chmod(path("wrong"), 0o600)
    cert, key = path("cert.pem"), path("key.pem")
    with smtp.Server(cert, key, user="vigie", password="right") as server:
        client = Client(server.port, tls="required", ca_file=cert, user="vigie", password_file=path("wrong"))
        client.add()
        client.run()
        equal(client.states()[0][0], "queued")
        if not client.states()[0][2].startswith("535"):
            raise AssertionError(client.states())
        os.chmod(path("wrong"), 0o644)
        done = client.tool("check", check=False)
        if "chmod" not in done.stderr:
            raise AssertionError(done.stderr)


def bad_configuration():
    """each wrong key is told in one line with an example"""
    cases = [({"server": "http://x"}, "[mail] server"), ({"tls": "maybe"}, "[mail] tls"),
             ({"from": "nobody"}, "[mail] from"), ({"user": "vigie"}, "in clear"),
             ({"tls": "required", "user": "vigie"}, "password_file"),
             ({"server": "smtp://vigie:secret@127.0.0.1"}, "[mail] server")]
    for keys, part in cases:
        done = Client(25, **keys).tool("check", check=False)
        equal(done.returncode, 1)
        if part not in done.stderr or "as in:" not in done.stderr and "as in" not in done.stderr:
            raise AssertionError(done.stderr)
        equal(done.stderr.count("\n"), 1)


def sealed():
    """what is to be encrypted is ciphertext from the moment it is queued, and arrives as such"""
    home = path("gnupg")
    os.mkdir(home, 0o700)

    def gpg(*words, data=None):
        return subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback",
                               *words], input=data, check=True, capture_output=True).stdout
    try:
        gpg("--quick-gen-key", "Vigie <vigie@chu.test>", "rsa2048", "sign", "none")
        key = [line.split(":")[9] for line in gpg("--with-colons", "--list-keys").decode().splitlines() if line[:3] == "fpr"][0]
        gpg("--quick-add-key", key, "rsa2048", "encr", "none")
        with smtp.Server() as server:
            client = Client(server.port, gnupg_home=home)
            client.tool("seal", "Vigie <vigie@chu.test>", "RSSI <rssi@chu.test>", "Sujet confidentiel", "Corps confidentiel",
                        key, key)
            for file in pathlib.Path(FOLDER.name).glob("store-%d.*" % COUNT):
                equal(b"confidentiel" in file.read_bytes(), False)
            client.run()
            (_, recipients, message), = server.handler.messages
            equal((recipients, b"confidentiel" in message, b"Subject: ...\r\n" in message), (["rssi@chu.test"], False, True))
            armor = message[message.index(b"-----BEGIN PGP"):message.index(b"-----END PGP")] + b"-----END PGP MESSAGE-----\n"
            inside = email.message_from_bytes(gpg("--decrypt", data=armor), policy=email.policy.default)
            equal((inside["Subject"], inside.get_content().strip()), ("Sujet confidentiel", "Corps confidentiel"))
            done = client.tool("seal", "vigie@chu.test", "rssi@chu.test", "s", "t", key, "A" * 40, check=False)
            equal((done.returncode, len(client.states())), (1, 1))
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)


make_certificate()
tap.run([delivered_once, later, refused, down_then_up, kill_while_waiting, silence_after_dot, kill_before_dot,
         secured, through_postfix, wrong_login, bad_configuration, sealed])
