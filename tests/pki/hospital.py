"""A hospital with authorities of its own, on SQLite or on the server that $VIGIE_TEST_POSTGRESQL names."""
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import vigie  # noqa: E402

HIERARCHY = """
[hierarchy]
publication = {publication}

[authority racine]
title = AC Racine
subject = C=FR;O=CHU de Test;CN=AC Racine CHU de Test
key = P-384
years = 20

[authority equipements]
issuer = racine
title = AC Équipements
subject = C=FR;O=CHU de Test;CN=AC Équipements CHU de Test
key = {key}
path_length = 0
profiles = device;server-ssl;ocsp-responder;organisation-client;professional-authentication{profiles}
{permitted}
delta_hours = 24
delta_urls = {publication}/{{file}}-delta.crl
{more}
"""


# The next generation of the authority for devices, below `issuer`.
NEXT_EQUIPEMENTS = """
[authority equipements-2]
issuer = {issuer}
succeeds = equipements
title = AC Équipements 2
subject = C=FR;O=CHU de Test;CN=AC Équipements 2 CHU de Test
key = P-256
path_length = 0
profiles = device;server-ssl;ocsp-responder;organisation-client;professional-authentication
permitted = dns:chu.test;ip:10.0.0.0/8;ip:127.0.0.0/8
"""


class Hospital:
    """folder, and the commands run in it"""

    count = 0

    def __init__(self, key="P-256", publication="http://pki.chu.test/pki", more="", init=True, profiles="",
                 permitted="dns:chu.test;ip:10.0.0.0/8;ip:127.0.0.0/8"):
        Hospital.count += 1
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-pki-"))
        self.path("hierarchy.conf").write_text(HIERARCHY.format(
            key=key, publication=publication, more=more, profiles=f";{profiles}" if profiles else "",
            permitted=f"permitted = {permitted}" if permitted else ""))
        self.path("passphrase").write_text("correct horse battery staple\n")
        self.config = self.path("vigie.conf")
        self.store_url = self.store()
        self.config.write_text(f"[store]\nurl = {self.store_url}\n[pki]\nenrolment_key = {self.path('enrolment-key')}\n")
        if init:
            self.ca("init", self.path("hierarchy.conf"))
            self.path("racine.pem").write_text(self.ca("show", "racine", "--pem").stdout)
            self.path("equipements.pem").write_text(self.ca("show", "equipements", "--pem").stdout)

    def path(self, name):
        return self.folder / name

    def store(self):
        server = os.environ.get("VIGIE_TEST_POSTGRESQL")
        if not server:
            return f"sqlite:{self.path('vigie.db')}"
        schema = f"pki_{os.getpid()}_{Hospital.count}"
        subprocess.run(["psql", "-q", server, "-c", f"CREATE SCHEMA {schema}"], check=True)
        return f"{server}?options=-csearch_path%3D{schema}"

    def sql(self, statement):
        """Runs it on the store, behind Vigie's back; the rows."""
        if self.store_url.startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect(self.store_url.removeprefix("sqlite:"), timeout=20)) as store, store:
                return [tuple(row) for row in store.execute(statement)]
        done = subprocess.run(["psql", "-qAt", "-F", "\t", self.store_url, "-c", statement], check=True, capture_output=True, text=True)
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    def command(self, *arguments):
        return [vigie.PROGRAM, "ca", *map(str, arguments), "--config", str(self.config), "--lang", "en"]

    def ca(self, *arguments, expect=0, passphrase=True, timeout=120):
        sealed = ["--passphrase-file", str(self.path("passphrase"))] if passphrase else []
        done = subprocess.run([*self.command(*arguments), *sealed], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, start_new_session=True)
        vigie.equal(done.returncode, expect, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self.ca(*arguments, "--json").stdout)

    def openssl(self, *arguments, check=True):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, cwd=self.folder)
        if check:
            vigie.equal(done.returncode, 0, f"openssl {arguments}: {done.stderr}")
        return done
