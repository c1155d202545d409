"""Those who run the authorities are told by mail, once for each step, what these will want; and no more when it is done."""
import email
import email.policy
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from daemon import wait_for  # noqa: E402
import smtp  # noqa: E402
from support import tap, vigie  # noqa: E402

DAY = 86400
HIERARCHY = """
[hierarchy]
publication = http://pki.chu.test/pki

[authority racine]
title = AC Racine
subject = C=FR;O=CHU de Test;CN=AC Racine CHU de Test
key = P-256
years = 20
crl_hours = 4320
profiles = ocsp-responder;registrar

[authority equipements]
issuer = racine
title = AC Équipements
subject = C=FR;O=CHU de Test;CN=AC Équipements CHU de Test
key = P-256
path_length = 0
profiles = device;ocsp-responder

[authority serveurs]
issuer = racine
title = AC Serveurs
subject = C=FR;O=CHU de Test;CN=AC Serveurs CHU de Test
key = P-256
years = 3
path_length = 0
profiles = organisation-client

[cross labo]
issuer = racine
certificate = labo.pem
years = 2
path_length = 0
permitted = dns:labo.test
"""

SERVER = smtp.Server()
CHU = Registrar(init=False)
CHU.path("hierarchy.conf").write_text(HIERARCHY, encoding="utf-8")
CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "900", "-subj", "/CN=AC Labo",
            "-keyout", "labo.key", "-out", "labo.pem")
CHU.ca("init", CHU.path("hierarchy.conf"))


def hour():
    """An hour later. What is in the mails that came of it."""
    before = len(SERVER.handler.messages)
    wait_for(lambda: CHU.sql("SELECT 1 FROM schedule WHERE name = 'authorities'"), 20)
    CHU.sql("UPDATE schedule SET last = 0 WHERE name = 'authorities'")
    wait_for(lambda: CHU.sql("SELECT 1 FROM schedule WHERE name = 'authorities' AND last > 0"), 20)
    wait_for(lambda: not CHU.sql("SELECT 1 FROM mail WHERE state IN ('queued', 'sending')"), 20)
    told = []
    for _, recipients, content in SERVER.handler.messages[before:]:
        vigie.equal(recipients, ["igc@chu.test"], "to")
        message = email.message_from_bytes(content, policy=email.policy.default)
        told.append(message["Subject"] + "\n" + message.get_content())
    return told


def one_mail():
    told = hour()
    vigie.equal(len(told), 1, told)
    vigie.equal(hour(), [], "an hour later nothing is new")
    return told[0]


def now():
    return int(time.time())


def certificate_ends(where, days):
    CHU.sql(f"UPDATE pki_certificate SET not_before = {now() - 600 * DAY}, not_after = {now() + days * DAY} WHERE {where}")


def test_generation():
    """the next generation is wanted within a week: one mail, which says how"""
    text = one_mail()
    assert "AC Serveurs" in text.split("\n")[0] and "succeeds = serveurs" in text, text
    vigie.equal(CHU.sql("SELECT kind, name, days FROM pki_deadline"),
                [("generation", "serveurs", "7" if os.environ.get("VIGIE_TEST_POSTGRESQL") else 7)], "told")


def test_list():
    """a root's list: weeks before it lapses, step by step, until somebody brings the key; a resident's, not while a quarter is left"""
    CHU.ca("crl", "racine")
    vigie.equal(hour(), [], "a new list")
    for days, words in ((29, "vigie ca crl racine"), (13, "vigie ca crl racine"), (6, "vigie ca crl racine"), (-1, "refuse")):
        CHU.sql(f"UPDATE pki_crl SET this_update = {now() - 150 * DAY}, next_update = {now() + days * DAY} WHERE authority = "
                f"(SELECT id FROM pki_authority WHERE name = 'racine')")
        text = one_mail()
        assert words in text and "racine" in text.split("\n")[0], text
    CHU.ca("crl", "racine", "--full")
    vigie.equal(hour(), [], "made anew")
    # The resident signer makes its own anew at a quarter: its list of a week has two days left and nobody is told.
    CHU.sql(f"UPDATE pki_crl SET next_update = {now() + 2 * DAY} WHERE authority = (SELECT id FROM pki_authority WHERE name = 'equipements')")
    vigie.equal(hour(), [], "resident")


def test_certificates():
    """a responder, a registrar and another's authority, all due in the same hour: one mail; their successors end it"""
    CHU.ca("responder", "racine", "--passphrase-file", f"racine-ocsp={CHU.path('passphrase')}")
    for name in ("ra", "ra-next"):
        CHU.csr(name, key="rsa:2048")
        if name == "ra":
            CHU.ca("issue", "--profile", "registrar", "--csr", CHU.path("ra.csr"), "--field", "organisation=CHU", "--field",
                   "common_name=RA", "--requester", "c.martin", "--validator", "a.dsi", "--out", CHU.path("ra.pem"))
    racine = "authority = (SELECT id FROM pki_authority WHERE name = 'racine')"
    certificate_ends(f"profile = 'ocsp-responder' AND {racine}", 20)
    certificate_ends("profile = 'registrar'", 80)
    certificate_ends("id IN (SELECT certificate FROM pki_link)", 3)
    text = one_mail()
    assert all(word in text for word in ("vigie ca responder racine", "CN=RA", "labo-by-racine.cer")) and "[TLP:AMBER] 3 " in text, text
    certificate_ends("profile = 'registrar'", 29)
    CHU.ca("responder", "racine", "--passphrase-file", f"racine-ocsp={CHU.path('passphrase')}")
    assert "CN=RA" in one_mail()
    CHU.ca("issue", "--profile", "registrar", "--csr", CHU.path("ra-next.csr"), "--field", "organisation=CHU", "--field",
           "common_name=RA", "--requester", "c.martin", "--validator", "a.dsi", "--out", CHU.path("ra-next.pem"))
    certificate_ends("profile = 'registrar' AND id = (SELECT min(id) FROM pki_certificate WHERE profile = 'registrar')", 6)
    vigie.equal(hour(), [], "each has its successor")


def test_doctor():
    """where mails go out and none would say it, doctor does"""
    config = CHU.path("nobody.conf")
    config.write_text("\n".join(line for line in CHU.config.read_text().splitlines() if not line.startswith("operator_mail")))
    for file, expected in ((config, True), (CHU.config, False)):
        said = vigie.run("doctor", "--config", str(file), "--lang", "en").stdout
        vigie.equal("nobody is told by mail" in said, expected, said)


with SERVER:
    CHU.daemon.groups["mail"] = {"server": f"smtp://127.0.0.1:{SERVER.port}", "tls": "none", "from": "Vigie <vigie@chu.test>"}
    CHU.daemon.groups["pki"]["operator_mail"] = "igc@chu.test"
    CHU.daemon.write_config()
    with CHU:
        tap.run([test_generation, test_list, test_certificates, test_doctor])
