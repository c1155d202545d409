#!/usr/bin/env python3
"""A hospital with an authority for the tests of pages: devices, requests in each state, enrolments, certificates; names of 200
letters without a space among them. Says { "url", "password" } on a line, and ends when its input does.

    pages_hospital.py FOLDER [first] [empty] [many]

first: it has no authority yet."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import PASSWORD, Registrar  # noqa: E402
from browser import Person  # noqa: E402

LONG = "Centre-hospitalier-" + "x" * 181
CHU = Registrar(init="first" not in sys.argv)
if "first" in sys.argv:
    del CHU.daemon.groups["pki"]
    CHU.daemon.write_config()


def fill(person):
    CHU.path("gmao.csv").write_text("N° GMAO;Désignation;Établissement;Nom réseau;Adresse IP;Ports\n"
                                    "A-1;Automate de biochimie;CHU de Test;automate.chu.test;127.0.0.1;1/https\n"
                                    f"B-2;{LONG};{LONG};long.chu.test;127.0.0.2;1/https\n", encoding="utf-8")
    CHU.run("fleet", "import", CHU.path("gmao.csv"))
    CHU.run("ca", "crl", "equipements", "--passphrase-file", CHU.path("passphrase"))
    for number, names in ((1, ["dns:scanner.chu.test"]), (2, ["dns:" + "a" * 60 + f".{'b' * 60}.{'c' * 60}.chu.test"])):
        CHU.device(f"d{number}", *[part for name in names for part in ("--name", name)], "--account", "c.martin", "--field",
                   "unit=" + ("Laboratoire" if number == 1 else "L" * 60), host=f"d{number}")
    issued = CHU.device("issued")
    CHU.request("validate", issued["id"], "--account", "a.dsi")
    CHU.decided(issued["id"])
    refused = CHU.device("refused")
    CHU.request("refuse", refused["id"], "--account", "a.dsi", "--reason", LONG)
    person.send(f"/requests/{issued['id']}/evidence", f"/requests/{issued['id']}",
                {"file": ("x" * 190 + ".pdf", b"%PDF-1.4\n")})
    dsi = Person(CHU.daemon.port, "a.dsi", PASSWORD.strip())
    for label in ("Automates du laboratoire", LONG):
        dsi.post("/enrolments", "/enrolments/new?profile=device", profile="device", label=label, names="dns:chu.test",
                    uses=1, days=30, **{"field.organisation": "CHU de Test"})


def multiply(count):
    """As many requests, behind Vigie's back: what a page costs, not what a request does."""
    columns = [row[1] for row in CHU.sql("PRAGMA table_info(pki_request)")]
    own = {"id": "n.value + 1000", "key_hash": "NULL"}
    values = [own.get(name, f"r.{name}") for name in columns]
    CHU.sql("WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < %d) "
            "INSERT INTO pki_request (%s) SELECT %s FROM n, (SELECT * FROM pki_request WHERE state = 'requested' LIMIT 1) r"
            % (count, ", ".join(columns), ", ".join(values)))


with CHU:
    CHU.account("admin", role="admin")
    CHU.account("c.martin", role="biomed")
    CHU.account("a.dsi", "dsi", role="biomed")
    CHU.account("nobody")
    if not {"empty", "first"} & set(sys.argv):
        fill(Person(CHU.daemon.port, "c.martin", PASSWORD.strip()))
    if "many" in sys.argv:
        multiply(10000)
    print(json.dumps({"url": f"http://127.0.0.1:{CHU.daemon.port}", "password": PASSWORD.strip()}), flush=True)
    sys.stdin.read()
