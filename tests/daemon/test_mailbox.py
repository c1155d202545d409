#!/usr/bin/env python3
"""Mail that comes in, through the processes as they run: from a mailbox into the store, confined all the while."""
import imaplib
import json
import os
import pathlib
import sqlite3
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import certificates
import servers
import tap
from daemon import Daemon, wait_for
from vigie import equal

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
    context = ssl.create_default_context(cafile=AUTHORITY.root.certificate)
    with imaplib.IMAP4_SSL("127.0.0.1", server.secure_port, ssl_context=context) as imap:
        imap.login("incident", "secret")
        imap.append("INBOX", None, None, b"From: a@b.test\r\nSubject: %d\r\n\r\nx\r\n" % number)


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
            equal("mailbox incident: imaps://" in daemon.log(), True)


def cell_dies():
    """when the process that reads mail is killed, the worker starts anew with another"""
    with Daemon() as daemon:
        def cells():
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
        first = cells()
        equal(len(first), 1)
        os.kill(first[0], 9)

        def another():
            """another cell"""
            return [pid for pid in cells() if pid not in first]
        wait_for(another, 40)


tap.run([taken_while_serving, cell_dies])
