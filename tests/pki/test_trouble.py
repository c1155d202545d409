"""Bad days: an authority's key in other hands, a store restored from an old backup, keys destroyed."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from hospital import NEXT_EQUIPEMENTS, Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402

NEXT = NEXT_EQUIPEMENTS.format(issuer="racine")


def issue(chu, name, *more):
    chu.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", f"/CN={name}")
    return chu.json("issue", "--profile", "device", "--csr", chu.path(f"{name}.csr"), "--name", f"dns:{name}.chu.test", "--field",
                    "organisation=CHU", "--out", chu.path(f"{name}.pem"), *more)["issued"][0]["serial"]


def publish(chu, *names):
    lists = chu.json("crl", *names)["lists"]
    chu.ca("publish", chu.path("web"))
    return {one["file"]: one["number"] for one in lists}


def answer(chu, name, authority="equipements"):
    """What OCSP says of NAME.pem now."""
    sealed = f"{authority}-ocsp={chu.path('passphrase')}"
    chu.openssl("ocsp", "-issuer", f"{authority}.pem", "-cert", f"{name}.pem", "-reqout", "one.req", "-no_nonce")
    chu.path("one.resp").unlink(missing_ok=True)
    chu.ca("answer", authority, chu.path("one.req"), "--out", chu.path("one.resp"), "--passphrase-file", sealed)
    return chu.openssl("ocsp", "-issuer", f"{authority}.pem", "-cert", f"{name}.pem", "-respin", "one.resp", "-no_nonce", "-noverify").stdout


def faults(chu, *more):
    return json.loads(vigie.run("audit-log", "verify", "--json", "--config", str(chu.config), *map(str, more)).stdout)["faults"]


def test_compromise():
    """one command: revoked in the root's list, nothing below is good, it issues no more, and its key is never certified again"""
    chu = Hospital()
    issue(chu, "pump")
    chu.ca("responder", "equipements", "--passphrase-file", f"equipements-ocsp={chu.path('passphrase')}")
    chu.ca("answers", "equipements", "--passphrase-file", f"equipements-ocsp={chu.path('passphrase')}")
    assert "good" in answer(chu, "pump")
    told = chu.json("compromise", "equipements")
    vigie.equal((len(told["revoked"]), {(one["profile"], one["certificates"]) for one in told["below"]}),
                (1, {("device", 1), ("ocsp-responder", 1)}))
    publish(chu, "racine")
    chu.openssl("crl", "-inform", "DER", "-in", "web/racine.crl", "-out", "racine.crl.pem")
    text = chu.openssl("crl", "-in", "racine.crl.pem", "-noout", "-text").stdout
    assert "CA Compromise" in text, text
    done = chu.openssl("verify", "-CAfile", "racine.pem", "-crl_check", "-CRLfile", "racine.crl.pem", "equipements.pem", check=False)
    assert "certificate revoked" in done.stderr, done
    chu.ca("answers", "equipements", "--passphrase-file", f"equipements-ocsp={chu.path('passphrase')}")
    shown = [one for one in chu.json("certificates")["certificates"] if one["profile"] == "device"]
    vigie.equal([(one["state"], one["reason"]) for one in shown], [("revoked", "cACompromise")])
    assert "revoked" in answer(chu, "pump") and "cACompromise" in answer(chu, "pump")
    done = chu.ca("issue", "--profile", "device", "--csr", chu.path("pump.csr"), "--name", "dns:y.chu.test", "--field", "organisation=CHU",
                  "--out", chu.path("y.pem"), expect=2)
    assert "revoked" in done.stderr, done
    vigie.equal([one["state"] for one in chu.json("list")["authorities"]], ["current", "revoked"])
    done = chu.ca("compromise", "equipements", expect=2)
    assert "nothing of it is left to revoke" in done.stderr, done.stderr
    vigie.equal(faults(chu), [])


def test_reissue():
    """all that it issued is issued again for the same keys and names, gently, and killed meanwhile none twice and none left out"""
    chu = Hospital()
    serials = [issue(chu, f"d{i}") for i in range(21)]
    chu.ca("revoke", serials[0], "--reason", "superseded")
    chu.ca("compromise", "equipements")
    done = chu.ca("reissue", "equipements", "--out", chu.path("again"), expect=2)
    assert "nothing succeeds" in done.stderr, done.stderr
    with open(chu.path("hierarchy.conf"), "a", encoding="utf-8") as file:
        file.write(NEXT)
    chu.ca("init", chu.path("hierarchy.conf"))
    process = subprocess.Popen([*chu.command("reissue", "equipements", "--out", chu.path("again"), "--rate", 1), "--passphrase-file",
                                str(chu.path("passphrase"))], stdout=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 30
    while not chu.json("certificates", "--authority", "equipements-2")["certificates"] and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(chu.json("certificates", "--authority", "equipements-2")["certificates"]) == 16
    vigie.equal(len(chu.json("reissue", "equipements", "--out", chu.path("again"))["certificates"]), 4)
    vigie.equal(chu.json("reissue", "equipements", "--out", chu.path("again"))["certificates"], [])
    files = sorted(chu.path("again").iterdir())
    vigie.equal(len(files), 20)
    for path in files:
        name = path.name.split(".")[0]
        chu.openssl("verify", "-CAfile", "racine.pem", "-untrusted", path, "-verify_hostname", f"{name}.chu.test", path)
        vigie.equal(chu.openssl("x509", "-in", path, "-noout", "-pubkey").stdout,
                    chu.openssl("pkey", "-in", f"{name}.key", "-pubout").stdout, name)
    vigie.equal(faults(chu), [])


def test_root():
    """a root's compromise: what its successor said for it is revoked; a root alone cannot be revoked, and that is said"""
    chu = Hospital()
    done = chu.ca("compromise", "racine", expect=2)
    assert "taken out of what trusts it" in done.stderr, done.stderr
    with open(chu.path("hierarchy.conf"), "a", encoding="utf-8") as file:
        file.write("\n[authority racine-2]\nsucceeds = racine\ntitle = AC Racine 2\nsubject = C=FR;O=CHU de Test;CN=AC Racine CHU de Test\n")
    chu.ca("init", chu.path("hierarchy.conf"))
    issue(chu, "pump")
    vigie.equal(len(chu.json("compromise", "racine")["revoked"]), 1)
    vigie.equal([one["state"] for one in chu.json("list")["authorities"]], ["revoked", "revoked", "current"])
    done = chu.ca("issue", "--profile", "device", "--csr", chu.path("pump.csr"), "--name", "dns:y.chu.test", "--field", "organisation=CHU",
                  "--out", chu.path("y.pem"), expect=2)
    assert "revoked" in done.stderr, done
    chu.ca("crl", "racine-2")
    chu.ca("publish", chu.path("web"))
    assert "CA Compromise" in chu.openssl("crl", "-inform", "DER", "-in", "web/racine-2.crl", "-noout", "-text").stdout


def test_destroy():
    """a key is destroyed once nothing wants it, and the log tells who was there"""
    chu = Hospital()
    key = chu.path("keys/equipements.key")
    done = chu.ca("destroy", "equipements", expect=2)
    assert "still wanted" in done.stderr and key.exists(), done.stderr
    chu.ca("compromise", "equipements")
    chu.ca("destroy", "equipements", "--present", "Mme Le Goff", "--present", "M. Riou")
    assert not key.exists()
    assert chu.json("show", "equipements")["destroyed"]
    vigie.equal(faults(chu), [])


def test_dates():
    """the list says by when each is to be rolled over, and what is late"""
    chu = Hospital(init=False)
    text = chu.path("hierarchy.conf").read_text().replace("path_length = 0", "path_length = 0\nyears = 1")
    chu.path("hierarchy.conf").write_text(text)
    chu.ca("init", chu.path("hierarchy.conf"))
    root, devices = chu.json("list")["authorities"]
    vigie.equal((root["state"], root["late"], devices["late"]), ("current", False, True))
    assert devices["issues_for"] > 365 and devices["roll_over_by"] < devices["not_before"], devices
    assert "TO BE ROLLED OVER" in chu.ca("list").stdout
    told = json.loads(vigie.run("doctor", "--json", "--lang", "en", "--config", str(chu.config)).stdout)["checks"]
    late = [check for check in told if check["id"] == "generations"]
    assert [check["state"] for check in late] == ["soon"] and "equipements" in late[0]["what"], late


class Backup:
    """The store as it was, brought back."""

    def __init__(self, chu):
        self.chu, self.server = chu, os.environ.get("VIGIE_TEST_POSTGRESQL")
        url = next(line for line in chu.config.read_text().splitlines() if line.startswith("url"))[6:]
        self.schema = re.search(r"search_path%3D(\w+)", url)[1] if self.server else None
        if self.server:
            self.kept = subprocess.run(["pg_dump", "-n", self.schema, self.server], check=True, capture_output=True, text=True).stdout
        else:
            subprocess.run(["sqlite3", chu.path("vigie.db"), f".backup {chu.path('backup.db')}"], check=True)

    def restore(self):
        if self.server:
            subprocess.run(["psql", "-q", self.server, "-c", f"DROP SCHEMA {self.schema} CASCADE"], check=True, capture_output=True)
            subprocess.run(["psql", "-q", self.server], input=self.kept, check=True, capture_output=True, text=True)
        else:
            for path in self.chu.folder.glob("vigie.db*"):
                path.unlink()
            shutil.copy(self.chu.path("backup.db"), self.chu.path("vigie.db"))


def test_restore():
    """a backup older than the last issue: no number is given twice, what was revoked since stays revoked, the hole is told"""
    chu = Hospital()
    before = issue(chu, "before")
    numbers = publish(chu, "equipements")
    kept = Backup(chu)
    after, lost = issue(chu, "after"), issue(chu, "lost")
    for serial in (before, after, lost):
        chu.ca("revoke", serial, "--reason", "keyCompromise")
    numbers = publish(chu, "equipements", "--full")
    shutil.copytree(chu.path("web"), chu.path("mirror"))
    point = chu.path("checkpoint")
    point.write_text(vigie.run("audit-log", "checkpoint", "--config", str(chu.config)).stdout)
    kept.restore()
    assert faults(chu, "--checkpoint", point), "the hole is not told"
    told = chu.json("adopt", chu.path("mirror/equipements.crl"), chu.path("after.pem"), point)["files"]
    vigie.equal([(one["certificates"], one["revocations"]) for one in told], [(0, 3), (0, 0), (0, 0)])
    vigie.equal([one["others"] for one in told], [0, 0, 0])
    vigie.equal(faults(chu), [])
    again = publish(chu, "equipements", "--full")
    for file, number in numbers.items():
        assert again[file] > number, (file, number, again)
    text = chu.openssl("crl", "-inform", "DER", "-in", "web/equipements.crl", "-noout", "-text").stdout
    for serial in (before, after, lost):
        assert serial.upper() in text, (serial, text)
    told = chu.json("adopt", chu.path("mirror/equipements.crl"))["files"][0]
    vigie.equal((told["revocations"], told["known"]), (0, 3))
    new = issue(chu, "new")
    assert new not in (before, after, lost)
    vigie.equal(faults(chu), [])


def test_adopt_certificate():
    """a certificate issued after the backup is taken back and can be revoked; what others signed is not"""
    chu = Hospital()
    kept = Backup(chu)
    serial = issue(chu, "pump")
    kept.restore()
    done = chu.ca("revoke", serial, "--reason", "superseded", expect=2)
    assert "no authority here issued" in done.stderr, done.stderr
    vigie.equal(chu.json("adopt", chu.path("pump.pem"))["files"][0]["certificates"], 1)
    chu.ca("revoke", serial, "--reason", "superseded")
    other = Hospital()
    issue(other, "alien")
    told = chu.json("adopt", other.path("alien.pem"))["files"][0]
    vigie.equal((told["certificates"], told["others"]), (0, 2))
    chu.path("torn.pem").write_bytes(chu.path("pump.pem").read_bytes()[:300])
    chu.ca("adopt", chu.path("torn.pem"))
    vigie.equal(faults(chu), [])


tap.run([test_compromise, test_reissue, test_root, test_destroy, test_dates, test_restore, test_adopt_certificate])
