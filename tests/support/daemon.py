"""`vigie serve` in a folder of its own, and what its processes are."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from postgresql import free_port

PROGRAM = os.environ.get("VIGIE", "vigie")


PATIENCE = 4  # of a machine that is slow, or busy with other tests


def wait_for(what, seconds=30, every=0.05):
    """The first true value of what(), which takes so many seconds at most; on a slow machine, PATIENCE times as many."""
    end = time.monotonic() + PATIENCE * seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %d s for %s" % (PATIENCE * seconds, what.__doc__ or what.__name__))
        time.sleep(every)


class Daemon:
    """with Daemon(survey={"schedule": "02:30"}) as daemon: daemon.children(), daemon.get("/")"""

    def __init__(self, folder=None, environment=None, program=PROGRAM, **groups):
        self.own_folder = folder is None
        self.program = program
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="vigie-daemon-"))
        self.port = free_port()
        self.environment = environment or {}
        self.groups = {"store": {"url": "sqlite:%s/vigie.db" % self.folder},
                       "portal": {"listen": "127.0.0.1:%d" % self.port},
                       "pki": {"enrolment_key": str(self.folder / "enrolment-key")}}
        for group, keys in groups.items():
            self.groups.setdefault(group, {}).update(keys)
        self.config = self.folder / "vigie.conf"
        self.log_path = self.folder / "log"
        self.process = None
        self.write_config()

    def write_config(self):
        text = "".join("[%s]\n%s" % (group, "".join("%s = %s\n" % pair for pair in keys.items()))
                       for group, keys in self.groups.items())
        self.config.write_text(text)

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def start(self):
        with open(self.log_path, "ab") as log:
            before = log.tell()
            self.process = subprocess.Popen([self.program, "serve", "--config", str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment})

        def at_work():
            """the portal and the worker to be at work"""
            if self.process.poll() is not None:
                raise AssertionError("it ended:\n" + self.log())
            return "are at work" in self.log()[before:]
        wait_for(at_work, 60)
        return self

    def stop(self, how=signal.SIGTERM, seconds=40):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *unused):
        self.stop()
        if kind:
            print("".join("# " + line + "\n" for line in self.log().splitlines()[-40:]), flush=True)
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def children(self):
        """{"portal": pid, "worker": pid} of those that run."""
        parents, roles = {}, {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                status = pathlib.Path("/proc", entry, "status").read_text()
                words = pathlib.Path("/proc", entry, "cmdline").read_text().split("\0")
            except OSError:
                continue
            parents[int(entry)] = int(re.search(r"^PPid:\t(\d+)$", status, re.M)[1])
            if "--child" in words:
                roles[int(entry)] = words[words.index("--child") + 1]
        # The signer with an account of its own is its keeper's child.
        return {role: pid for pid, role in roles.items()
                if parents[pid] == self.process.pid or role == "signer" and parents.get(parents[pid]) == self.process.pid}

    def keeper(self):
        """The process between the supervisor and a signer with an account of its own."""
        return int(status_of(self.children()["signer"])["PPid"])

    def both(self):
        """both children"""
        found = self.children()
        return found if len(found) == 2 else None

    def get(self, path):
        """(status, text) of a page, redirects not followed."""
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *unused):
                return None
        opener = urllib.request.build_opener(Stay, urllib.request.ProxyHandler({}))
        try:
            with opener.open("http://127.0.0.1:%d%s" % (self.port, path), timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()


def stand_still(pid):
    """Stops it, and waits until it is: before that it may still do a thing, or take another signal."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: status_of(pid)["State"].startswith("T"), 30)


def status_of(pid):
    """The members of /proc/PID/status."""
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return dict(re.findall(r"^(\w+):\t(.*)$", text, re.M))


def alive(pid):
    try:
        return status_of(pid)["State"][0] != "Z"
    except OSError:
        return False
