#!/usr/bin/env python3
"""Mail that comes in, through the processes as they run: from a mailbox into the store, confined all the while."""
import imaplib
import logging
import os
import pathlib
import sqlite3
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import certificates
import servers
import smtp
import tap
from daemon import Daemon, wait_for
from vigie import equal

logging.disable(logging.CRITICAL)
PLACE = pathlib.Path(tempfile.mkdtemp(prefix="vigie-inbound-"))
PLACE.chmod(0o755)
AUTHORITY = certificates.Authority(PLACE)
(PLACE / "password").write_text("secret\n")
(PLACE / "password").chmod(0o600)


def groups(server):
    return {"mailbox": {"ca_file": AUTHORITY.root.certificate, "every": "5 s", "timeout": "5 s"},
            "mailbox.incident": {"url": "imaps://127.0.0.1:%d" % server.secure_port, "user": "incident",
                                 "password_file": PLACE / "password"}}


def put(server, number):
    put_raw(server, b"From: a@b.test\r\nSubject: %d\r\n\r\nx\r\n" % number)


def put_raw(server, raw):
    context = ssl.create_default_context(cafile=AUTHORITY.root.certificate)
    with imaplib.IMAP4_SSL("127.0.0.1", server.secure_port, ssl_context=context) as imap:
        imap.login("incident", "secret")
        imap.append("INBOX", None, None, raw)


def rows(daemon, sql):
    with sqlite3.connect("file:%s/vigie.db?mode=ro" % daemon.folder, uri=True) as store:
        return store.execute(sql).fetchall()


def taken_while_serving():
    """the worker takes what comes, asks for its filing, goes on after the server was away, and says how it stands"""
    with servers.Dovecot(AUTHORITY.issue(), "secret") as server:
        put(server, 1)
        with Daemon(**groups(server)) as daemon:
            def first():
                """the first message"""
                return rows(daemon, "SELECT raw FROM mail_inbound") == [(b"From: a@b.test\r\nSubject: 1\r\n\r\nx\r\n",)]
            wait_for(first, 30)
            put(server, 2)

            def second():
                """the second message"""
                return len(rows(daemon, "SELECT id FROM mail_inbound")) == 2
            wait_for(second, 30)
            equal(len(rows(daemon, "SELECT id FROM job WHERE kind = 'mail-inbound'")) >= 1, True)
            server.__exit__()

            def noticed():
                """the failure to be noted"""
                return rows(daemon, "SELECT failures FROM mailbox WHERE failures > 0")
            wait_for(noticed, 30)

            def told():
                """a line of the log"""
                return "mailbox incident: imaps://" in daemon.log()
            wait_for(told, 30)


def filed_and_acknowledged():
    """a mail becomes a case, and whoever wrote it has its reference at once"""
    knowledge = pathlib.Path(os.environ["VIGIE_KNOWLEDGE"])
    with servers.Dovecot(AUTHORITY.issue(), "secret") as imap, smtp.Server() as relay:
        put(imap, 1)
        keys = {"server": "smtp://127.0.0.1:%d" % relay.port, "tls": "none", "from": "CSIRT <csirt@chu.test>"}
        team = {"team": knowledge / "csirt" / "teams" / "cert-sante.json"}
        with Daemon(mail=keys, csirt=team, **groups(imap)) as daemon:
            assert relay.handler.delivered.wait(60), daemon.log()
            (reference,), = rows(daemon, "SELECT reference FROM csirt_case WHERE kind = 'incident'")
            (_, recipients, message), = relay.handler.messages
            equal((recipients, reference.encode() in message, b"Auto-Submitted: auto-replied" in message),
                  (["a@b.test"], True, True))


def encrypted_while_serving():
    """an encrypted mail is opened by the confined processes: its case has the protected subject, nothing of it is in clear outside"""
    home = PLACE / "gnupg"
    home.mkdir(mode=0o700)

    def gpg(*words, data=None):
        return subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback",
                               "--trust-model", "always", *words], input=data, check=True, capture_output=True).stdout
    try:
        gpg("--quick-gen-key", "csirt@chu.test", "rsa2048", "sign,encr", "none")
        sealed = gpg("--armor", "-r", "csirt@chu.test", "--encrypt",
                     data=b"Content-Type: text/plain; protected-headers=\"v1\"\r\nSubject: Serveur compromis\r\n\r\nsecret\r\n")
        with servers.Dovecot(AUTHORITY.issue(), "secret") as imap:
            put_raw(imap, b"From: a@b.test\r\nSubject: ...\r\nContent-Type: multipart/encrypted; boundary=e; "
                          b"protocol=\"application/pgp-encrypted\"\r\n\r\n--e\r\nContent-Type: application/pgp-encrypted\r\n\r\n"
                          b"Version: 1\r\n--e\r\nContent-Type: application/octet-stream\r\n\r\n" + sealed + b"\r\n--e--\r\n")
            team = {"team": pathlib.Path(os.environ["VIGIE_KNOWLEDGE"]) / "csirt" / "teams" / "cert-sante.json"}
            with Daemon(mail={"gnupg_home": home}, csirt=team, **groups(imap)) as daemon:
                def filed():
                    """the case"""
                    return rows(daemon, "SELECT title FROM csirt_case")
                equal(wait_for(filed, 60), [("Serveur compromis",)])
                equal("compromis" in daemon.log(), False)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True)


def cell_dies():
    """when the process that reads mail is killed, the worker starts anew with another"""
    with Daemon() as daemon:
        def cells():
            """the cell"""
            found = []
            for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
                try:
                    text = stat.read_text()
                except OSError:
                    continue
                name, parent = text[text.index("(") + 1:text.rindex(")")], int(text.rsplit(")", 1)[1].split()[1])
                if name == "vigie mail cell" and parent in daemon.children().values():
                    found.append(int(stat.parent.name))
            return found
        first = wait_for(cells)
        equal(len(first), 1)
        os.kill(first[0], 9)

        def another():
            """another cell"""
            return [pid for pid in cells() if pid not in first]
        wait_for(another, 40)


tap.run([taken_while_serving, filed_and_acknowledged, encrypted_while_serving, cell_dies])
