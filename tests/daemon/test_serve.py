#!/usr/bin/env python3
"""The processes: they start, are confined, come back when they die, and end when they are told to."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import tap
from daemon import PROGRAM, Daemon, alive, status_of, wait_for
from vigie import equal


def answers(daemon):
    def page():
        """the portal to answer"""
        try:
            return daemon.get("/")[0] in (200, 302, 303)
        except OSError:
            return False
    return wait_for(page, 20)


def confined():
    """both children have no capability, no new privileges, a system call filter, no core dumps, no debugger"""
    with Daemon() as daemon:
        answers(daemon)
        for pid in daemon.both().values():
            status = status_of(pid)
            # Who has no right has none to give up the bounding set, and nothing to gain by it.
            for member in ("CapInh", "CapPrm", "CapEff", "CapAmb") + (("CapBnd",) if os.getuid() == 0 else ()):
                equal(int(status[member], 16), 0, member)
            equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
            limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
            equal(re.search(r"Max core file size +(\d+) +(\d+)", limits).groups(), ("0", "0"))
        mode = os.stat(daemon.folder / "vigie.db").st_mode & 0o777
        equal(oct(mode), oct(0o600), "mode of the store")


def come_back():
    """a child that is killed is started again, and told of"""
    with Daemon() as daemon:
        answers(daemon)
        for role in ("portal", "worker"):
            before = daemon.both()[role]
            os.kill(before, signal.SIGKILL)

            def another():
                """another child"""
                found = daemon.children().get(role)
                return found and found != before
            wait_for(another, 20)
            answers(daemon)
            assert "the %s was ended by signal 9" % role in daemon.log(), daemon.log()


def end_in_order():
    """SIGTERM and SIGINT end all of it, with status 0"""
    for how in (signal.SIGTERM, signal.SIGINT):
        with Daemon() as daemon:
            answers(daemon)
            children = daemon.both()
            equal(daemon.stop(how, 20), 0)
            equal([role for role, pid in children.items() if alive(pid)], [])


def end_with_supervisor():
    """children whose supervisor was killed end by themselves"""
    with Daemon() as daemon:
        children = daemon.both()
        daemon.process.kill()
        daemon.process.wait()

        def gone():
            """the children to be gone"""
            return not any(alive(pid) for pid in children.values())
        wait_for(gone, 20)


def reload():
    """SIGHUP starts the children anew with a good configuration, and keeps them with a bad one"""
    with Daemon() as daemon:
        before = daemon.both()
        daemon.groups["survey"] = {"schedule": "25:00"}
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)

        def told():
            """the refusal"""
            return "[survey] schedule: 25:00" in daemon.log()
        wait_for(told)
        equal(daemon.both(), before)
        daemon.groups["survey"] = {"schedule": "02:30"}
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)

        def anew():
            """new children"""
            now = daemon.both()
            return now and not set(now.values()) & set(before.values())
        wait_for(anew)
        answers(daemon)


def refuse_to_start():
    """bad configuration stops the start with one line that says which key, why, and an example"""
    cases = [("survey", "schedule", "never"), ("survey", "depth", "deep"), ("survey", "parallel", "0"),
             ("mail", "server", "relay"), ("trust", "roots", "/does/not/exist.pem"), ("process", "user", "no-such-one"),
             ("survey", "unknown_key", "1"), ("process", "lease", "soon"),
             ("store", "signer_url", "postgresql:///vigie")]
    for group, key, value in cases:
        daemon = Daemon(**{group: {key: value}})
        done = subprocess.run([PROGRAM, "serve", "--config", str(daemon.config)], capture_output=True, text=True,
                              timeout=60)
        equal(done.returncode, 2, done.stderr)
        equal(done.stderr.count("\n"), 1, done.stderr)
        assert "[%s] %s" % (group, key) in done.stderr, done.stderr


def address_taken():
    """a portal address in use stops the start, and says so"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = Daemon(portal={"listen": "127.0.0.1:%d" % taken.getsockname()[1]})
        done = subprocess.run([PROGRAM, "serve", "--config", str(daemon.config)], capture_output=True, text=True,
                              timeout=60)
        equal(done.returncode, 2, done.stderr)


def service_manager():
    """the service manager is told of readiness, life and the end"""
    folder = tempfile.mkdtemp(prefix="vigie-notify-")
    path = os.path.join(folder, "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        with Daemon(environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}) as daemon:
            heard = set()
            while not {b"READY=1", b"WATCHDOG=1"} <= heard:
                heard.add(manager.recv(100))
            daemon.stop()
            while b"STOPPING=1" not in heard:
                heard.add(manager.recv(100))


def give_up_root():
    """started by root, all processes run as the configured account, and the store is its own"""
    if os.getuid() != 0:
        raise tap.Skip("only root can become another account")
    account = pwd.getpwnam("nobody")
    folder = tempfile.mkdtemp(prefix="vigie-user-")
    os.chown(folder, account.pw_uid, account.pw_gid)
    os.chmod(folder, 0o755)
    # A copy that the account can reach, wherever this one was built.
    program = shutil.copy(PROGRAM, folder)
    knowledge = os.path.join(folder, "knowledge")
    shutil.copytree(pathlib.Path(__file__).resolve().parents[2] / "knowledge", knowledge)
    with Daemon(folder=folder, program=program, environment={"VIGIE_KNOWLEDGE": knowledge},
                process={"user": "nobody"}) as daemon:
        os.chmod(daemon.config, 0o644)
        answers(daemon)
        for pid in [daemon.process.pid, *daemon.both().values()]:
            equal(status_of(pid)["Uid"].split(), [str(account.pw_uid)] * 4)
            equal(status_of(pid)["Gid"].split(), [str(account.pw_gid)] * 4)
            equal(status_of(pid)["Groups"].split(), [str(account.pw_gid)])
        equal(os.stat(daemon.folder / "vigie.db").st_uid, account.pw_uid)
        daemon.stop()
        daemon.groups["portal"]["listen"] = "unix:%s/portal.sock" % folder
        daemon.write_config()
        for _ in range(2):  # the socket's file is the account's, and replaced at the next start
            daemon.start()
            about = os.stat(daemon.folder / "portal.sock")
            equal((about.st_uid, oct(about.st_mode & 0o777)), (account.pw_uid, oct(0o660)))
            children = daemon.both()
            daemon.stop(signal.SIGKILL)

            def gone():
                """the children to be gone"""
                return not any(alive(pid) for pid in children.values())
            wait_for(gone)


def mail_rests():
    """a mail server that does not answer is asked now and then, not once for each mail that waits"""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with Daemon(mail={"server": "smtp://127.0.0.1:%d" % nobody.getsockname()[1], "from": "vigie@chu.test"}) as daemon:
            answers(daemon)
            with sqlite3.connect(daemon.folder / "vigie.db", timeout=20) as store:
                for i in range(40):
                    row = store.execute("INSERT INTO mail (message_id, sender, recipient, subject, body, state, created, changed) VALUES "
                                        "(?, 'vigie@chu.test', 'a@chu.test', 's', 'b', 'queued', ?, 0)", ("%d@x" % i, time.time())).lastrowid
                    store.execute("INSERT INTO job (kind, payload, state, due_at) VALUES ('mail', ?, 'waiting', 0)",
                                  ('{"mail":%d}' % row,))

            def tried():
                with sqlite3.connect(daemon.folder / "vigie.db", timeout=20) as store:
                    return store.execute("SELECT SUM(tries) FROM job WHERE kind = 'mail'").fetchone()[0]
            wait_for(tried, 20)
            time.sleep(4)
            equal(tried(), 1, daemon.log())


tap.run([confined, mail_rests, come_back, end_in_order, end_with_supervisor, reload, refuse_to_start, address_taken,
         service_manager, give_up_root])
