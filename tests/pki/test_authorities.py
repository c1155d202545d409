"""Who validates what: each authority within its scope (profession, department, organisation), and nobody outside of it."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import PASSWORD, Registrar  # noqa: E402
from browser import Person  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Registrar(profiles="staff-authentication;registrar")
CHU.path("gmao.csv").write_text("N° GMAO;Désignation;Établissement;Nom réseau;Adresse IP;Ports\nA-1;Automate;CHU de Test;;;\n"
                                "B-2;Pompe;Clinique du Lac;;;\n", encoding="utf-8")
CHU.run("fleet", "import", CHU.path("gmao.csv"))
HERE, THERE = (next(one["organisation"]["id"] for one in json.loads(CHU.run("fleet", "list", "--json").stdout)["items"]
                    if one["gmao"] == gmao) for gmao in ("A-1", "B-2"))
# account: role and scope
ACCOUNTS = {
    "ordre.medecins.75": ("ordre", "--profession", "10", "--department", "75"),
    "ordre.medecins": ("ordre", "--profession", "10"),
    "ordre.infirmiers": ("ordre", "--profession", "60"),
    "ars.33": ("ars", "--department", "33"),
    "ars": ("ars",),
    "cpam.33": ("cpam", "--department", "33"),
    "ssa": ("ssa",),
    "directeur.ici": ("director", "--organisation", HERE),
    "directeur.ailleurs": ("director", "--organisation", THERE),
    "representant.ici": ("legal-representative", "--organisation", HERE),
    "mandataire.ailleurs": ("mandated-administrator", "--organisation", THERE),
    "technique": ("technical-contact",),
    "biomed.ici": ("biomed", "--organisation", HERE),
    "dsi": ("dsi",),
    "operateur": ("operator",),
    "guichet": ("registration",),
}
PARIS, GIRONDE = "department=Paris (75)", "department=Gironde (33)"
STRUCTURE = ("organisation=CHU de Test", "structure=1760021832", "service=Messagerie")
STAFF = ("organisation=CHU de Test", "finess=760021832", "register_number=12", "surname=Petit", "given_name=Léa", "product=3")


def professional(profession, *more, number="rpps=10000000009"):
    return ("professional-authentication", HERE, ("surname=Dupont", "given_name=Zoé", f"profession={profession}", number, *more))


# what is asked for, and who may validate it
CASES = {
    "physician, Paris, liberal": (professional(10, PARIS, "practice=liberal"), {"ordre.medecins.75", "ordre.medecins"}),
    "physician, Gironde": (professional(10, GIRONDE), {"ordre.medecins"}),
    "physician, somewhere": (professional(10), {"ordre.medecins"}),
    "physician of the forces, Paris": (professional(10, PARIS, "practice=military"), {"ordre.medecins.75", "ordre.medecins", "ssa"}),
    "nurse, Gironde": (professional(60, GIRONDE, "practice=liberal"), {"ordre.infirmiers"}),
    "speech therapist, Gironde, liberal": (professional(91, GIRONDE, "practice=liberal", number="adeli=339012345"),
                                           {"ars.33", "ars", "cpam.33"}),
    "speech therapist, Gironde, employed": (professional(91, GIRONDE, "practice=employed"), {"ars.33", "ars"}),
    "speech therapist, Paris, liberal": (professional(91, PARIS, "practice=liberal"), {"ars"}),
    "radiographer, Gironde, liberal": (professional(98, GIRONDE, "practice=liberal"), {"ars.33", "ars"}),
    "staff": (("staff-authentication", HERE, (*STAFF, GIRONDE)), {"directeur.ici"}),
    "staff there": (("staff-authentication", THERE, STAFF), {"directeur.ailleurs"}),
    "organisation": (("organisation-client", HERE, STRUCTURE), {"representant.ici"}),
    "organisation there": (("organisation-client", THERE, STRUCTURE), {"mandataire.ailleurs"}),
    "server": (("server-ssl", HERE, ("organisation=CHU de Test",), "dns:www.chu.test"), {"technique"}),
    "device": (("device", HERE, ("organisation=CHU de Test",), "dns:pompe.chu.test"), {"biomed.ici", "dsi"}),
    "device there": (("device", THERE, ("organisation=CHU de Test",), "dns:lit.chu.test"), {"dsi"}),
    "registrar": (("registrar", 0, ("organisation=CHU de Test", "common_name=Enregistrement")), {"operateur"}),
}


def asked(name, profile, organisation, fields, *names):
    key = "rsa:2048" if profile == "registrar" else "ec:P-256"
    parts = [part for field in fields for part in ("--field", field)] + [part for one in names for part in ("--name", one)]
    return CHU.request("add", "--profile", profile, "--csr", CHU.csr(name.replace(",", "").replace(" ", "-"), key=key), *parts,
                       "--organisation", organisation, "--account", "guichet")["id"]


def validate(number, account):
    """Whether the account may; the request waits again afterwards."""
    done = vigie.run("request", "validate", str(number), "--account", account, "--config", str(CHU.config), "--lang", "en")
    if done.returncode != 0:
        assert "no role of this account covers it" in done.stderr, f"{account}: {done.stderr}"
        return False
    wait_again()
    return True


def wait_again():
    CHU.sql("UPDATE pki_request SET state = 'requested', validator = NULL, validated = 0 WHERE state = 'validated'")


def validated(account):
    """The names of the requests that the account may validate; all of them wait again afterwards."""
    done = vigie.run("request", "validate", *map(str, NUMBERS.values()), "--account", account, "--json", "--config", str(CHU.config), "--lang", "en")
    results = {one["id"]: one for one in json.loads(done.stdout)["requests"]}
    vigie.equal(set(results), set(NUMBERS.values()), account)
    for one in results.values():
        assert one["done"] or "no role of this account covers it" in one["why"], (account, one)
    wait_again()
    return {name for name, number in NUMBERS.items() if results[number]["done"]}


def test_table():
    """each account against each request: those who may, and no other; the request names the roles that decide it"""
    NUMBERS.update({name: asked(name, *wanted) for name, (wanted, _) in CASES.items()})
    able = {account: validated(account) for account in ACCOUNTS}
    for name, (_, deciders) in CASES.items():
        vigie.equal({account for account in ACCOUNTS if name in able[account]}, deciders, name)
        roles = {ACCOUNTS[account][0] for account in deciders}
        told = set(CHU.request("show", NUMBERS[name])["validators"])
        assert roles <= told, f"{name}: {told}"
    vigie.equal(CHU.request("show", NUMBERS["speech therapist, Gironde, liberal"])["validators"], ["ars", "cpam"], "roles")
    vigie.equal(CHU.request("show", NUMBERS["physician, Gironde"])["validators"], ["ordre"], "roles")


def test_granted():
    """a role that no profile names and a scope that is none are refused; one scope is withdrawn and the other stays"""
    for arguments, words in ((("mairie",), "ordre"), (("ordre", "--profession", "médecin"), "two digits"),
                             (("ars", "--department", "Paris"), "number")):
        done = CHU.run("user", "grant", "ars", *arguments, expect=2)
        assert words in done.stderr, done.stderr
    CHU.run("user", "grant", "ars", "cpam", "--department", "75")
    CHU.run("user", "withdraw", "ars", "cpam", "--department", "33", expect=2)
    CHU.run("user", "withdraw", "ars", "cpam", "--department", "75")
    kept = [one for one in json.loads(CHU.run("user", "grants", "--json").stdout)["grants"] if one["account"] == "ordre.medecins.75"]
    vigie.equal([(one["role"], one["profession"], one["department"]) for one in kept], [("ordre", "10", "75")], kept)
    assert CHU.sql("SELECT 1 FROM pki_log WHERE kind = 'granted' AND object = 'ordre.medecins.75' AND details LIKE '%\"75\"%'")


def test_numbers():
    """a professional has an RPPS or an ADELI number, one of both, and each is looked at"""
    for numbers, words in (((), "exactly one"), (("rpps=10000000009", "adeli=339012345"), "exactly one"),
                           (("rpps=10000000008",), "check digit"), (("adeli=33901234",), "9 characters"),
                           (("adeli=999012345",), None), (("adeli=2A9012345",), None), (("adeli=9Z9012345",), "9 characters"),
                           (("rpps=99900023351",), None), (("rpps=99900023352",), "check digit")):
        fields = [part for field in ("surname=D", "given_name=Z", "profession=91", *numbers) for part in ("--field", field)]
        done = CHU.request("add", "--profile", "professional-authentication", "--csr", CHU.csr(f"n{abs(hash(numbers))}"), *fields,
                           "--account", "guichet", expect=0 if words is None else 2)
        assert words is None or words in done, f"{numbers}: {done}"


def test_pages():
    """on the portal each sees what lies in its scope, with the roles in words; a renewal and a revocation lie where the
    certificate does"""
    with CHU:
        paris = Person(CHU.daemon.port, "ordre.medecins.75", PASSWORD.strip())
        bordeaux = Person(CHU.daemon.port, "ars.33", PASSWORD.strip())
        number = NUMBERS["physician, Paris, liberal"]
        seen = {one["id"] for one in paris.json("/requests")["items"]}
        vigie.equal(seen, {number, NUMBERS["physician of the forces, Paris"]}, "what the Ordre in Paris sees")
        vigie.equal({one["id"] for one in bordeaux.json("/requests")["items"]},
                    {NUMBERS[name] for name, (_, who) in CASES.items() if "ars.33" in who}, "what the ARS in Bordeaux sees")
        bordeaux.get(f"/requests/{number}", expect=404)
        therapist = NUMBERS["speech therapist, Gironde, liberal"]
        for lang, words in (("fr", "ARS, CPAM"), ("en", "ARS (regional health agency), CPAM (health insurance)")):
            page = Person(CHU.daemon.port, "cpam.33", PASSWORD.strip(), lang=lang).get(f"/requests/{therapist}").plain
            assert words in page, page
        form = Person(CHU.daemon.port, "guichet", PASSWORD.strip(), lang="fr").get(
            "/requests/new?profile=professional-authentication").plain
        for words in ("Numéro ADELI", "Mode d’exercice", "service de santé des armées"):
            assert words in form, form
        one = CHU.request("validate", number, "--account", "ordre.medecins.75", "--wait", 60)
        assert one["serial"], one
        again = CHU.request("renew", one["serial"], "--csr", CHU.csr("again"), "--account", "guichet")["id"]
        ended = CHU.request("revoke", one["serial"], "--reason", "superseded", "--account", "guichet")
        assert again in {row["id"] for row in paris.json("/requests")["items"]}, "the renewal is not seen"
        for decision in (again, ended["id"]):
            for account in ("ordre.infirmiers", "ars", "cpam.33", "ssa", "directeur.ici"):
                vigie.equal(validate(decision, account), False, f"{decision} {account}")
        subject = CHU.request("validate", again, "--account", "ordre.medecins.75", "--wait", 60)
        assert subject["serial"], subject
        adeli = CHU.request("validate", therapist, "--account", "cpam.33", "--wait", 60)
        told = CHU.sql(f"SELECT subject FROM pki_certificate WHERE id = (SELECT issued FROM pki_request WHERE id = {therapist})")[0][0]
        assert adeli["serial"] and "CN=0339012345" in told, told
        CHU.ca("certificate", adeli["serial"], "--out", CHU.path("adeli.pem"), passphrase=False)
        for profile, status in (("professional-authentication", 0), ("device", 1)):
            done = vigie.run("lint", "--profile", profile, str(CHU.path("adeli.pem")), "--lang", "en")
            vigie.equal(done.returncode, status, f"{profile}: {done.stdout}{done.stderr}")


NUMBERS = {}
for account, (role, *scope) in ACCOUNTS.items():
    CHU.run("user", "add", account, "--role", "reader", "--password-stdin", input=PASSWORD)
    CHU.run("user", "grant", account, role, *scope)
tap.run([test_table, test_granted, test_numbers, test_pages])
