#!/usr/bin/env python3
"""The worker: surveys that survive it, schedules that are made up for, alarms that reach their reader once."""
import collections
import email
import email.policy
import json
import logging
import os
import pathlib
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import postgresql
import smtp
import tap
from daemon import Daemon, wait_for
from vigie import equal, run

logging.disable(logging.CRITICAL)
TOOL = sys.argv[1]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-watch-"))
FAR = time.strftime("%H:30", time.gmtime(time.time() + 43200))  # an hour that does not come while the tests run


def certificate(stem, days, name="automate.chu.test"):
    """A self-signed certificate that ends in so many days: (chain, key)."""
    chain, key = FOLDER / (stem + ".pem"), FOLDER / (stem + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/O=CHU de Kermarec/CN=" + name, "-days", str(days), "-keyout", key, "-out", chain],
                   check=True, capture_output=True)
    return chain, key


class Devices:
    """TLS on every address of 127.0.0.0/8, slow by choice; counts who was connected to."""

    def __init__(self, chain, key, delay=0.0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.delay = delay
        self.visits = collections.Counter()
        self.lock = threading.Lock()

    def __enter__(self):
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with self.lock:
            self.visits[connection.getsockname()[0]] += 1
        time.sleep(self.delay)
        try:
            connection.settimeout(10)
            with self.context.wrap_socket(connection, server_side=True) as session:
                session.recv(1)
        except OSError:
            connection.close()


class Fleet:
    def __init__(self, daemon):
        self.daemon = daemon

    def tool(self, *words):
        done = subprocess.run([TOOL, str(self.daemon.config), *map(str, words)], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, number):
        return json.loads(self.tool("run", number))

    def survey(self):
        return int(self.tool("survey"))

    def done(self, number, seconds=60):
        def finished():
            """the survey to end"""
            run = self.run(number)
            return run if run["state"] in ("finished", "failed") else None
        return wait_for(finished, seconds, 0.2)


def survey_by_job():
    """a survey that was asked for is done, and what was seen is kept"""
    with Devices(*certificate("plain", 300)) as devices, Daemon() as daemon:
        fleet = Fleet(daemon)
        fleet.tool("fill", devices.port, 20)
        with sqlite3.connect(daemon.folder / "vigie.db") as opened:  # names are resolved in the sandbox
            opened.execute("UPDATE endpoint SET host = 'localhost' WHERE id = 1")
        run = fleet.done(fleet.survey())
        equal((run["state"], run["targets"], run["done"], run["outcomes"]), ("finished", 20, 20, {"ok": 20}))
        endpoints = json.loads(fleet.tool("endpoints"))["items"]
        equal({endpoint["outcome"] for endpoint in endpoints}, {"ok"})


def killed_in_the_middle():
    """a worker killed in the middle of a survey loses nothing already seen; another goes on with the rest"""
    with Devices(*certificate("slow", 300), delay=0.3) as devices, \
            Daemon(process={"lease": "3 s"}, survey={"parallel": "4"}) as daemon:
        fleet = Fleet(daemon)
        fleet.tool("fill", devices.port, 120)
        run = fleet.survey()

        def some():
            """some endpoints to be seen"""
            return fleet.run(run)["done"] >= 20
        wait_for(some, 30)
        os.kill(daemon.children()["worker"], signal.SIGKILL)
        kept = fleet.run(run)["done"]
        end = fleet.done(run, 90)
        equal((end["state"], end["done"], end["outcomes"]), ("finished", 120, {"ok": 120}))
        assert 20 <= kept < 120, kept
        twice = [address for address, count in devices.visits.items() if count > 1]
        # in flight, or seen but not kept yet, when it was killed
        assert len(twice) <= 16, "%d endpoints were taken again" % len(twice)
        with sqlite3.connect(daemon.folder / "vigie.db") as store:
            equal(store.execute("SELECT COUNT(*), COUNT(DISTINCT endpoint_id) FROM observation").fetchone(),
                  (120, 120))


def stopped_in_the_middle():
    """a survey that the end of the service interrupts goes on at the next start, at once"""
    with Devices(*certificate("stopped", 300), delay=0.3) as devices:
        daemon = Daemon(survey={"parallel": "4"})
        with daemon:
            fleet = Fleet(daemon)
            fleet.tool("fill", devices.port, 80)
            run = fleet.survey()

            def some():
                """some endpoints to be seen"""
                return fleet.run(run)["done"] >= 10
            wait_for(some, 30)
            equal(daemon.stop(), 0)
            kept = fleet.run(run)["done"]
            assert 10 <= kept < 80, kept
            daemon.start()
            end = fleet.done(run, 30)
            equal((end["state"], end["done"]), ("finished", 80))


def schedule_made_up_for():
    """a scheduled survey that was missed while nothing ran is done once at the next start"""
    with Devices(*certificate("scheduled", 300)) as devices:
        daemon = Daemon(survey={"schedule": FAR})
        fleet = Fleet(daemon)
        fleet.tool("fill", devices.port, 3)
        with sqlite3.connect(daemon.folder / "vigie.db") as store:
            store.execute("INSERT INTO schedule (name, last) VALUES ('surveys', 1000)")

        def runs():
            """the survey to be asked for"""
            with sqlite3.connect(daemon.folder / "vigie.db", timeout=20) as store:
                return store.execute("SELECT COUNT(*) FROM survey_run").fetchone()[0]
        with daemon:
            wait_for(runs)
            equal(fleet.done(1)["done"], 3)
            daemon.stop()
            daemon.start()
            time.sleep(3)
            equal(runs(), 1)


def not_at_first_start():
    """a schedule does not run at the very first start"""
    with Daemon(survey={"schedule": FAR}) as daemon:
        time.sleep(3)
        with sqlite3.connect(daemon.folder / "vigie.db") as store:
            equal(store.execute("SELECT COUNT(*) FROM survey_run").fetchone()[0], 0)


def told_once():
    """a certificate that ends in 29 days is told to its owner, in French, with the evidence, exactly once"""
    chain, key = certificate("ending", 29)
    relay = certificate("relay", 300, "localhost")
    password = FOLDER / "password"
    password.write_text("un secret\n")
    password.chmod(0o600)
    with Devices(chain, key) as devices, smtp.Server(*relay, user="vigie", password="un secret") as server:
        mail = {"server": "smtp://localhost:%d" % server.port, "tls": "required", "from": "Vigie <vigie@chu.test>",
                "ca_file": relay[0], "user": "vigie", "password_file": password}
        with Daemon(mail=mail, site={"name": "CHU de Kermarec", "time_zone": "UTC"}, alarms={"hour": int(FAR[:2])}) as daemon:
            fleet = Fleet(daemon)
            fleet.tool("fill", devices.port, 1)
            fleet.done(fleet.survey())
            store = daemon.folder / "vigie.db"

            def waits():
                """the alarm to wait for its hour"""
                with sqlite3.connect(store) as opened:
                    return opened.execute("SELECT COUNT(*) FROM alarm_recipient").fetchone()[0] == 1
            wait_for(waits)
            equal(server.handler.messages, [])
            with sqlite3.connect(store) as opened:  # a day passes
                opened.execute("UPDATE alarm SET due = due - 86400")
                opened.execute("UPDATE alarm_recipient SET due = due - 86400")
            for _ in range(3):
                fleet.done(fleet.survey())
            assert server.handler.delivered.wait(30), daemon.log()
            fleet.done(fleet.survey())
            time.sleep(3)
            equal(len(server.handler.messages), 1)
            sender, recipients, data = server.handler.messages[0]
            equal((sender, recipients), ("vigie@chu.test", ["biomed@chu.test"]))
            message = email.message_from_bytes(data, policy=email.policy.default)
            assert message["subject"].startswith("[TLP:AMBER] avis"), message["subject"]
            equal(message["content-language"], "fr")
            text = message.get_content().replace("\u00a0", " ").replace("\r\n", "\n")
            fingerprint = subprocess.run(["openssl", "x509", "-in", chain, "-noout", "-fingerprint", "-sha256"],
                                         check=True, capture_output=True, text=True).stdout.strip().split("=")[1]
            for part in ("Automate 01", "Laboratoire", "127.0.1.2:%d" % devices.port, "automate.chu.test", "À faire",
                         fingerprint[:47], fingerprint[48:], "CHU de Kermarec"):
                assert part in text, "%s is not in:\n%s" % (part, text)
            # 29 whole days are left in the second in which it was made alone.
            assert "dans 28 jours" in text or "dans 29 jours" in text, text
            assert not any(len(line) > 72 for line in text.split("\n")), text


def killed_while_sending():
    """a worker killed between a message and the server's answer does not send it again; the doctor tells of it"""
    with Devices(*certificate("urgent", 1)) as devices, smtp.Server() as server:
        server.handler.delay = 60
        mail = {"server": "smtp://127.0.0.1:%d" % server.port, "tls": "none", "from": "Vigie <vigie@chu.test>"}
        with Daemon(mail=mail, process={"lease": "3 s"}) as daemon:
            fleet = Fleet(daemon)
            fleet.tool("fill", devices.port, 1)
            fleet.survey()
            assert server.handler.delivered.wait(30), daemon.log()
            os.kill(daemon.children()["worker"], signal.SIGKILL)

            def judged():
                """the message to be judged by the next worker"""
                with sqlite3.connect(daemon.folder / "vigie.db") as opened:
                    return opened.execute("SELECT state FROM mail").fetchone()[0] == "unknown"
            wait_for(judged, 30)
            time.sleep(3)
            equal(len(server.handler.messages), 1)
            report = json.loads(run("doctor", "--json", "--config", str(daemon.config)).stdout)
            equal([check["state"] for check in report["checks"] if check["id"] == "mail-unknown"], ["soon"])


def two_machines():
    """two machines on one PostgreSQL share the work: each endpoint once, and what a dead one left is taken over"""
    with postgresql.Cluster() as cluster, Devices(*certificate("shared", 300), delay=0.3) as devices:
        os.chmod(cluster.folder, 0o755)  # its socket; the processes gave up the right to pass everywhere
        keys = {"process": {"lease": "3 s"}, "survey": {"parallel": "4"}}
        with Daemon(store={"url": cluster.url}, **keys) as one, Daemon(store={"url": cluster.socket_url}, **keys) as two:
            equal(one.get("/login")[0], 200)
            equal(two.get("/login")[0], 200)
            fleet = Fleet(one)
            fleet.tool("fill", devices.port, 80)
            run = fleet.survey()

            def busy():
                """one of the workers to take the survey"""
                return fleet.run(run)["done"] >= 10
            wait_for(busy, 30)
            owner = cluster_query(cluster, "SELECT worker FROM job WHERE kind = 'survey'")
            victim = one if owner.split(":")[1] == str(one.children()["worker"]) else two
            victim.process.kill()  # the whole machine
            end = Fleet(two if victim is one else one).done(run, 60)
            equal((end["state"], end["done"], end["outcomes"]), ("finished", 80, {"ok": 80}))
            twice = [address for address, count in devices.visits.items() if count > 1]
            assert len(twice) <= 16, "%d endpoints were taken again" % len(twice)


def cluster_query(cluster, sql):
    done = subprocess.run(["psql", "-Atqc", "SET search_path TO vigie, public; " + sql, cluster.url], check=True,
                          capture_output=True, text=True)
    return done.stdout.strip()


tests = [survey_by_job, killed_in_the_middle, stopped_in_the_middle, schedule_made_up_for, not_at_first_start, told_once,
         killed_while_sending, two_machines]
tap.run(tests if len(sys.argv) < 4 else [globals()[name] for name in sys.argv[3:]])
