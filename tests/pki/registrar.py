"""A hospital whose authority is online: vigie serve with its signer, accounts, and the requests that they make."""
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
sys.path.insert(0, os.path.dirname(__file__))
from daemon import Daemon, stand_still, wait_for  # noqa: E402
from hospital import Hospital  # noqa: E402
from support import vigie  # noqa: E402

PASSWORD = "a password of some length\n"


class Registrar(Hospital):
    """with Registrar() as chu: chu.request("add", …)"""

    def __init__(self, **keys):
        super().__init__(**keys)
        self.path("passphrase").chmod(0o600)
        self.path("evidence-key").write_bytes(os.urandom(32))
        self.path("evidence-key").chmod(0o600)
        self.daemon = Daemon(folder=self.folder, store={"url": self.store_url},
                             pki={"signer_authorities": "equipements", "signer_passphrases": str(self.path("passphrase")),
                                  "evidence_key": str(self.path("evidence-key"))})

    def __enter__(self):
        self.daemon.start()
        return self

    def __exit__(self, *how):
        self.daemon.__exit__(*how)

    def run(self, *arguments, expect=0, input=None):
        done = vigie.run(*map(str, arguments), "--config", str(self.config), "--lang", "en", input=input)
        vigie.equal(done.returncode, expect, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def account(self, name, *roles, role="reader", organisation=0):
        self.run("user", "add", name, "--role", role, "--password-stdin", input=PASSWORD)
        for one in roles:
            self.run("user", "grant", name, one, "--organisation", organisation)

    def request(self, *arguments, expect=0):
        """The request as it is afterwards; where it fails, what is said."""
        done = self.run("request", *arguments, "--json", expect=expect)
        return done.stderr if expect == 2 else json.loads(done.stdout)

    def csr(self, name, *names, key="ec:P-256"):
        """The path of a new request, whose key lies beside it."""
        kind, value = key.split(":")
        new = ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{value}"] if kind == "ec" else ["-newkey", f"rsa:{value}"]
        extension = ["-addext", "subjectAltName=" + ",".join(names)] if names else []
        self.openssl("req", *new, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", *extension)
        return self.path(f"{name}.csr")

    def device(self, name, *more, expect=0, host=None):
        """A request for a device, by c.martin unless said otherwise."""
        csr = self.csr(name, f"DNS:{host or name}.chu.test")
        return self.request("add", "--profile", "device", "--csr", csr, "--field", "organisation=CHU de Test",
                            *(more or ("--account", "c.martin")), expect=expect)

    def holds(self, content):
        """Whether the database's files, or its dump, have these octets anywhere."""
        if not os.environ.get("VIGIE_TEST_POSTGRESQL"):
            # By another process: to open the file here would drop the locks of this one's connections.
            files = [self.path(name) for name in ("vigie.db", "vigie.db-wal") if self.path(name).exists()]
            held = subprocess.run(["cat", *files], check=True, capture_output=True).stdout
        else:
            url, options = self.store_url.split("?options=-csearch_path%3D")
            held = subprocess.run(["pg_dump", "-n", options, url], check=True, capture_output=True).stdout
        return content in held or content.hex().encode() in held

    def doctor(self, check):
        """{(state, what it says)} of this kind of check"""
        done = vigie.run("doctor", "--json", "--lang", "en", "--config", str(self.config))
        return {(one["state"], one["what"]) for one in json.loads(done.stdout)["checks"] if one["id"] == check}

    def certificates(self):
        return int(self.sql("SELECT count(*) FROM pki_certificate WHERE profile <> 'ocsp-responder'")[0][0])

    def decided(self, number):
        """The request once it is issued or refused."""
        def one():
            """a decision"""
            told = self.request("show", number)
            return told if told["state"] in ("issued", "refused") else None
        try:
            return wait_for(one)
        except AssertionError as failure:
            raise AssertionError(f"request {number}: {failure}: {self.daemon.log()[-2000:]}") from failure

    def locked(self):
        """Whether somebody is amid a transaction, and stays there."""
        if os.environ.get("VIGIE_TEST_POSTGRESQL"):
            def free():
                return self.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle' AND "
                                "pid <> pg_backend_pid()") == [("0",)]
        else:
            def free():
                with contextlib.closing(sqlite3.connect(self.store_url.removeprefix("sqlite:"), timeout=0.5)) as store:
                    return store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        return not any(free() or time.sleep(0.05) for _ in range(10))

    @contextlib.contextmanager
    def still(self):
        """The signer stands still meanwhile, as one that is busy or dead. Its pid. It holds no lock: else nobody could ask for anything."""
        signer = self.daemon.children()["signer"]
        stand_still(signer)
        try:
            while self.locked():
                os.kill(signer, signal.SIGCONT)
                time.sleep(0.1)
                stand_still(signer)
            yield signer
        finally:
            os.kill(signer, signal.SIGCONT)
