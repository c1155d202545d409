"""The signer under a role of its own in PostgreSQL: what doc/deploy/signer.sql grants is enough for its work, and is all that it may."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

GRANTS = pathlib.Path(__file__).resolve().parents[2] / "doc/deploy/signer.sql"
CHU = Registrar()
OWNER = CHU.store_url
assert "//vigie@" in OWNER, OWNER
SIGNER = OWNER.replace("//vigie@", "//signer@")


def psql(url, *arguments):
    return subprocess.run(["psql", "-qAt", "-v", "ON_ERROR_STOP=1", url, *arguments], capture_output=True, text=True)


def own_role():
    """As the README says it; here in a schema of the test's own."""
    done = psql(OWNER, "-f", GRANTS, "-f", GRANTS, "-c", "CREATE ROLE signer LOGIN", "-c", "GRANT vigie_signer TO signer", "-c",
                "GRANT USAGE ON SCHEMA " + OWNER.split("search_path%3D")[1] + " TO vigie_signer")
    vigie.equal(done.returncode, 0, done.stderr)
    CHU.daemon.groups["store"] = {"url": OWNER, "signer_url": SIGNER}
    CHU.daemon.write_config()


def connected():
    """The roles of those who are connected, by name."""
    return {row[0] for row in CHU.sql("SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()")}


def issued(name):
    one = CHU.device(name)
    return CHU.request("validate", one["id"], "--account", "a.dsi", "--wait", 60)


def test_work():
    """it issues, renews, refuses, revokes, and makes lists, responders and answers, as one role, the others as the other"""
    first = issued("first")
    vigie.equal(first["state"], "issued", CHU.daemon.log()[-800:])
    vigie.equal(connected(), {"vigie", "signer"})
    renewal = CHU.request("renew", first["serial"], "--csr", CHU.csr("renewed"))
    CHU.sql(f"UPDATE pki_request SET state = 'validated', proof = 'certificate' WHERE id = {renewal['id']}")  # as a protocol does
    vigie.equal(CHU.decided(renewal["id"])["state"], "issued")
    wrong = CHU.device("wrong")
    CHU.sql(f"UPDATE pki_request SET state = 'validated' WHERE id = {wrong['id']}")
    vigie.equal(CHU.decided(wrong["id"])["state"], "refused")
    once = CHU.request("enrol", "--profile", "device", "--name", "dns:chu.test", "--uses", 1, "--field", "organisation=CHU de Test",
                       "--account", "a.dsi")
    machine = CHU.device("machine")
    CHU.sql(f"UPDATE pki_request SET state = 'validated', proof = 'enrolment', enrolment = {once['id']} WHERE id = {machine['id']}")
    vigie.equal(CHU.decided(machine["id"])["state"], "issued")
    asked = CHU.request("revoke", first["serial"], "--reason", "keyCompromise", "--account", "s.op")
    vigie.equal(CHU.request("validate", asked["id"], "--account", "s.op", "--wait", 60)["state"], "issued")
    CHU.run("ca", "certificate", first["serial"], "--out", CHU.path("first.pem"))

    def told():
        """the list, the signed end of the log, and an OCSP answer on the spot"""
        rows = CHU.sql("SELECT (SELECT max(seq) FROM pki_checkpoint) - (SELECT seq FROM pki_log_head), (SELECT max(entry) FROM pki_crl) - "
                       "(SELECT max(seq) FROM pki_log WHERE kind = 'revoked'), (SELECT count(*) FROM pki_answer)")
        done = CHU.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "first.pem", "-nonce", "-url",
                           f"http://127.0.0.1:{CHU.daemon.port}/pki/ocsp", "-CAfile", "racine.pem", "-verify_other", "equipements.pem",
                           check=False)
        return (int(rows[0][0]) == 0 and rows[0][1] and int(rows[0][1]) >= 0 and int(rows[0][2]) > 0 and "revoked" in done.stdout
                and "Response verify OK" in done.stderr and "no nonce" not in done.stderr)
    wait_for(told, 20)
    assert "permission denied" not in CHU.daemon.log(), CHU.daemon.log()[-1500:]


def test_nothing_else():
    """it cannot change what was written, decide in a person's stead, or see what is not its business"""
    for statement in ("DELETE FROM pki_log", "UPDATE pki_log SET details = ''", "UPDATE pki_certificate SET der = der",
                      "DELETE FROM pki_certificate", "UPDATE pki_request SET validator = 'x'", "UPDATE pki_request SET names = '[]'",
                      "INSERT INTO pki_grant SELECT * FROM pki_grant", "UPDATE pki_enrolment SET uses = 0", "SELECT content FROM pki_evidence",
                      "UPDATE pki_authority SET settings = '{}'", "SELECT * FROM account", "SELECT * FROM session", "SELECT * FROM mail",
                      "SELECT * FROM job", "SELECT * FROM csirt_case", "DELETE FROM pki_request", "CREATE TABLE x (y INT)"):
        done = psql(SIGNER, "-c", statement)
        assert done.returncode != 0 and "permission denied" in done.stderr, (statement, done.stderr)
    vigie.equal(psql(SIGNER, "-c", "SELECT count(*) FROM pki_request").returncode, 0)


own_role()
with CHU:
    CHU.account("c.martin", role="biomed")
    CHU.account("a.dsi", "dsi")
    CHU.account("s.op", "operator")
    tap.run([test_work, test_nothing_else])
