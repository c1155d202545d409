"""A rollover while the authority works: requests, renewals and enrolments go to the next generation by themselves."""
import base64
import json
import os
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from hospital import NEXT_EQUIPEMENTS  # noqa: E402
from registrar import Registrar  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

NEXT = """
[authority racine-2]
succeeds = racine
title = AC Racine
subject = C=FR;O=CHU de Test;CN=AC Racine CHU de Test
years = 20
""" + NEXT_EQUIPEMENTS.format(issuer="racine-2")

CHU = Registrar()
CHU.account("c.martin", role="biomed")
CHU.account("a.dsi", "dsi")
STATE = {}


def issuer(serial):
    """Which authority issued it, and the file that is handed out with it."""
    CHU.path("one.pem").unlink(missing_ok=True)
    CHU.run("ca", "certificate", serial, "--out", CHU.path("one.pem"))
    return CHU.openssl("x509", "-in", "one.pem", "-noout", "-issuer").stdout


def test_before():
    """there is a certificate, an enrolment, and a request that waits for validation when the ceremony begins"""
    one = CHU.device("scanner")
    STATE["old"] = CHU.request("validate", one["id"], "--account", "a.dsi", "--wait", 60)["serial"]
    STATE["waits"] = CHU.device("pump")["id"]
    STATE["enrolment"] = CHU.request("enrol", "--profile", "device", "--name", "dns:labo.chu.test", "--account", "a.dsi", "--field",
                                     "organisation=CHU de Test")
    assert "quipements CHU" in issuer(STATE["old"])


def test_ceremony():
    """while the portal and the signer run, the ceremony takes over what waits; the doctor says that the signer wants the new key"""
    with open(CHU.path("hierarchy.conf"), "a", encoding="utf-8") as file:
        file.write(NEXT)
    CHU.ca("init", CHU.path("hierarchy.conf"))
    rows = CHU.sql("SELECT a.name FROM pki_request q JOIN pki_authority a ON a.id = q.authority WHERE q.state = 'requested'")
    vigie.equal([row[0] for row in rows], ["equipements-2"])
    told = json.loads(vigie.run("doctor", "--json", "--lang", "en", "--config", str(CHU.config)).stdout)["checks"]
    wanted = [check for check in told if check["id"] == "generations" and check["state"] == "broken"]
    assert len(wanted) == 1 and "equipements-2" in wanted[0]["what"], wanted
    CHU.daemon.groups["pki"]["signer_authorities"] = "equipements;equipements-2"
    CHU.daemon.stop()
    CHU.daemon.write_config()
    CHU.daemon.start()


def test_waiting():
    """the request that waited is issued by the new generation"""
    done = CHU.request("validate", STATE["waits"], "--account", "a.dsi", "--wait", 60)
    vigie.equal((done["state"], done["authority"]), ("issued", "equipements-2"), done)


def test_renewal():
    """a certificate of the old generation, renewed, is of the new one, with what leads to either root"""
    new = CHU.request("renew", STATE["old"], "--csr", CHU.csr("scanner2"), "--account", "c.martin")
    done = CHU.request("validate", new["id"], "--account", "a.dsi", "--wait", 60)
    vigie.equal((done["state"], done["authority"]), ("issued", "equipements-2"), done)
    assert "quipements 2 CHU" in issuer(done["serial"])
    CHU.path("racine-2.pem").write_text(CHU.ca("show", "racine-2", "--pem").stdout)
    for root in ("racine.pem", "racine-2.pem"):
        CHU.openssl("verify", "-CAfile", root, "-untrusted", "one.pem", "-verify_hostname", "scanner.chu.test", "one.pem")


def test_est():
    """EST: the authorities' certificates with those that link them (RFC 7030 4.1.3), and a device enrols as before"""
    def ask(path, body=None, login=None):
        request = urllib.request.Request(f"http://127.0.0.1:{CHU.daemon.port}/.well-known/est/{path}", data=body)
        if login:
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
            request.add_header("Content-Type", "application/pkcs10")
        with urllib.request.urlopen(request, timeout=30) as answer:
            CHU.path("p7").write_bytes(base64.b64decode(answer.read()))
        return CHU.openssl("pkcs7", "-inform", "DER", "-in", "p7", "-print_certs", "-noout").stdout
    vigie.equal(ask("equipements-2/cacerts").count("subject="), 3)
    csr = CHU.csr("labo", "DNS:a.labo.chu.test")
    CHU.openssl("req", "-in", csr, "-outform", "DER", "-out", "labo.der")
    body = base64.b64encode(CHU.path("labo.der").read_bytes())
    told = ask("simpleenroll", body, (STATE["enrolment"]["name"], STATE["enrolment"]["secret"]))
    assert "quipements 2 CHU" in told, told


def test_both_fresh():
    """the signer keeps lists and answers of both generations; what the old one issued and is revoked now is in its list"""
    CHU.run("ca", "revoke", STATE["old"], "--reason", "superseded")

    def told():
        """the delta list of the old generation to hold it"""
        rows = CHU.sql("SELECT count(*) FROM pki_crl l JOIN pki_authority a ON a.id = l.authority WHERE a.name = 'equipements' AND l.entry >= "
                       "(SELECT max(seq) FROM pki_log WHERE kind = 'revoked')")
        return int(rows[0][0]) > 0
    wait_for(told, 20)
    wait_for(lambda: int(CHU.sql("SELECT count(*) FROM pki_responder")[0][0]) == 2, 20)


def test_done():
    """when all that the old one issued has ended it is done: its lists are made no more, and its key may be destroyed"""
    states = {one["name"]: one["state"] for one in CHU.json("list")["authorities"]}
    vigie.equal((states["equipements"], states["equipements-2"]), ("succeeded", "current"))
    ends = CHU.sql("SELECT id, not_after FROM pki_certificate WHERE authority = (SELECT id FROM pki_authority WHERE name = 'equipements')")
    CHU.sql(f"UPDATE pki_certificate SET not_after = not_before WHERE id IN ({', '.join(str(one) for one, _ in ends)})")
    states = {one["name"]: one["state"] for one in CHU.json("list")["authorities"]}
    vigie.equal(states["equipements"], "done")
    CHU.ca("destroy", "equipements")
    for one, end in ends:  # as the log has it
        CHU.sql(f"UPDATE pki_certificate SET not_after = {end} WHERE id = {one}")
    vigie.equal(json.loads(CHU.run("audit-log", "verify", "--json").stdout)["faults"], [])


with CHU:
    tap.run([test_before, test_ceremony, test_waiting, test_renewal, test_est, test_both_fresh, test_done])
