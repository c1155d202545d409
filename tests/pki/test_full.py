"""The disk is full, or the key folder cannot be written: nothing is lost, nothing is issued twice, and the signer goes on."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

SQLITE = not os.environ.get("VIGIE_TEST_POSTGRESQL")
MOUNTS = []


class Small(Registrar):
    """Whose SQLite store lies on a small file system of its own, where root may mount one."""

    def store(self):
        if not SQLITE:
            return super().store()
        self.path("db").mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6M", "tmpfs", self.path("db")], capture_output=True).returncode == 0:
            MOUNTS.append(self.path("db"))
        return f"sqlite:{self.path('db')}/vigie.db"


CHU = Small()
CHU.account("c.martin", role="biomed")
CHU.account("a.dsi", "dsi")


def test_disk_full():
    """while the disk is full a validated request waits; when there is room again it has its one certificate"""
    if not MOUNTS:
        raise tap.Skip("without a file system of its own (PostgreSQL, or not root) there is nothing to fill")
    one, before = CHU.device("scanner"), CHU.certificates()
    wait_for(lambda: int(CHU.sql("SELECT (SELECT max(seq) FROM pki_checkpoint) - seq FROM pki_log_head")[0][0]) == 0)
    filler = CHU.path("db") / "filler"
    with CHU.still():
        CHU.request("validate", one["id"], "--account", "a.dsi")
        wait_for(lambda: CHU.sql("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0)  # no room is left in the log either
        try:
            with open(filler, "wb") as file:
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()
        except OSError:
            pass
    wait_for(lambda: "the disk is full" in CHU.daemon.log(), 30)
    vigie.equal((CHU.sql(f"SELECT state, issued FROM pki_request WHERE id = {one['id']}"), CHU.certificates()),
                ([("validated", None)], before), "while it is full")
    filler.unlink()
    done = CHU.decided(one["id"])
    vigie.equal((done["state"], CHU.certificates()), ("issued", before + 1), "afterwards")
    vigie.equal(json.loads(CHU.run("audit-log", "verify", "--json").stdout)["faults"], [], "log")


def test_key_folder():
    """without room for the responder's key no answers are signed, and the rest goes on: certificates, lists, the log"""
    CHU.daemon.stop()
    CHU.sql("DELETE FROM pki_responder")
    folder = CHU.path("keys")
    read_only = (subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode == 0 and
                 subprocess.run(["mount", "-o", "remount,bind,ro", folder], capture_output=True).returncode == 0)
    if read_only:
        MOUNTS.append(folder)
    CHU.daemon.start()
    if read_only:
        wait_for(lambda: "Read-only" in CHU.daemon.log(), 30)
    one = CHU.device("pump")
    done = CHU.request("validate", one["id"], "--account", "a.dsi", "--wait", 60)
    vigie.equal(done["state"], "issued", done)
    CHU.run("ca", "revoke", done["serial"], "--reason", "superseded")
    wait_for(lambda: int(CHU.sql("SELECT (SELECT max(entry) FROM pki_crl WHERE delta = 1) - (SELECT max(seq) FROM pki_log WHERE "
                                 "kind = 'revoked')")[0][0]) >= 0, 20)


def doctor():
    told = json.loads(vigie.run("doctor", "--json", "--lang", "en", "--config", str(CHU.config)).stdout)
    return {check["id"]: check for check in told["checks"]}


def test_doctor():
    """the doctor says whose key opens and which list is good, or why not"""
    told = doctor()
    vigie.equal((told["signer"]["state"], told["lists"]["state"]), ("well", "well"), told["signer"])
    CHU.path("passphrase").write_text("wrong\n")
    told = doctor()
    assert told["signer"]["state"] == "broken" and "does not open" in told["signer"]["what"], told["signer"]


try:
    with CHU:
        tap.run([test_disk_full, test_key_folder, test_doctor])
finally:
    for mount in MOUNTS:
        subprocess.run(["umount", "-l", mount])
