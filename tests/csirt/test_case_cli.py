"""vigie case: a case from the phone call to its end, who may do what, and a source that the head's key alone opens."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-case-"))
CONF = str(FOLDER / "vigie.conf")


def prepare():
    (FOLDER / "key").write_bytes(os.urandom(32))
    os.chmod(FOLDER / "key", 0o600)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=head",
                    "-keyout", FOLDER / "head.key", "-out", FOLDER / "head.pem"], check=True, capture_output=True)
    team = pathlib.Path(os.environ["VIGIE_KNOWLEDGE"]) / "csirt/teams/cert-fr.json"
    (FOLDER / "vigie.conf").write_text(
        f"[store]\nurl=sqlite:{FOLDER}/vigie.db\n[csirt]\nteam={team}\nartefact_key={FOLDER}/key\n"
        f"head_certificate={FOLDER}/head.pem\n")
    for name, role in (("a.martin", "analyst"), ("h.bernard", "head"), ("admin", "admin")):
        done = vigie.run("user", "add", name, "--role", role, "--generate", "--config", CONF)
        vigie.equal(done.returncode, 0, done.stderr)


def case(*arguments, by="a.martin", expect=0, lang="fr", input=None):
    done = vigie.run("case", *arguments, "--as", by, "--config", CONF, "--lang", lang, input=input)
    vigie.equal(done.returncode, expect, done.stdout + done.stderr)
    return done


def as_json(*arguments, **how):
    return json.loads(case(*arguments, "--json", **how).stdout)


def opened(*arguments, **how):
    return as_json("open", "--title", "Rançongiciel au bloc", *arguments, **how)["reference"]


def test_life():
    """A case is opened by phone, changed, moved, noted, closed; what is shown says so in both languages"""
    reference = as_json("open", "--title", "Rançongiciel au bloc", "--organisation", "CHU de Kermarec", "--text", "-",
                        "--fact", "patients=potential", "--fact", "care=emergency,maternity", "--fact", "degraded=true",
                        "--name", "Anne Le Goff", "--mail", "anne@chu.test", input="Les postes sont chiffrés.")["reference"]
    case("change", reference, "likelihood=certain", "facts.threat=high", "category=malicious-code")
    case("assign", reference, "a.martin")
    for state in ("acknowledged", "qualified", "in-progress", "resolved", "closed"):
        case("move", reference, state)
    case("note", reference, "Rappelé le RSSI", "--kind", "call")
    shown = as_json("show", reference)
    vigie.equal((shown["state"], shown["assignee"], shown["facts"]["care"]), ("closed", "a.martin", ["emergency", "maternity"]))
    vigie.equal(shown["timeline"][-1]["details"]["text"], "Rappelé le RSSI")
    french, english = case("show", reference).stdout, case("show", reference, lang="en").stdout
    assert "clos" in french and "urgences, maternité" in french and "Journal" in french, french
    assert "closed" in english and "Timeline" in english, english
    assert reference in case("list", "rancong", "--state", "all").stdout
    vigie.equal(as_json("list")["total"], 0)
    case("move", reference, "in-progress", expect=2)
    case("move", reference, "in-progress", "--reason", "revenu")


def test_roles():
    """An administrator reads no case; an analyst does not decide for the head; who has no account does nothing"""
    reference = opened()
    for arguments in (["list"], ["show", reference], ["check"], ["open", "--title", "x"], ["load"]):
        assert "analysts" in case(*arguments, by="admin", expect=2, lang="en").stderr
    assert "head" in case("change", reference, "restricted=true", expect=2, lang="en").stderr
    case("change", reference, "restricted=true", by="h.bernard")
    assert "there is none" in case("show", reference, expect=2, lang="en").stderr
    case("access", reference, "a.martin", by="h.bernard")
    case("show", reference)
    assert "--as" in case("list", by="nobody.at.all", expect=2, lang="en").stderr


def test_red():
    """Each look at a case marked RED is kept, for the head to read"""
    reference = opened("--tlp", "RED")
    case("show", reference)
    readings = as_json("show", reference, by="h.bernard")["readings"]
    vigie.equal([reading["account"] for reading in readings], ["h.bernard", "a.martin"])
    vigie.equal(as_json("show", reference)["readings"], None)


def test_source():
    """A protected source is in no file of the store in the clear; openssl opens it with the head's key"""
    reference = opened("--source", "protected", "--name", "Zébulon Lanceur", "--mail", "zebulon@alerte.test")
    for file in FOLDER.glob("vigie.db*"):
        assert b"zebulon" not in file.read_bytes(), file
    assert "head" in case("source", reference, expect=2, lang="en").stderr
    case("source", reference, "--out", str(FOLDER / "source.der"), by="h.bernard")
    clear = subprocess.run(["openssl", "cms", "-decrypt", "-inform", "DER", "-in", FOLDER / "source.der", "-inkey",
                            FOLDER / "head.key"], check=True, capture_output=True).stdout
    vigie.equal(json.loads(clear)["mail"], "zebulon@alerte.test")


def test_artefact():
    """A file is kept sealed and comes back as it was"""
    reference, content = opened(), b"MZ\x00malveillant" * 1000
    (FOLDER / "sample.exe").write_bytes(content)
    number = as_json("artefact", reference, str(FOLDER / "sample.exe"))["artefact"]
    for file in FOLDER.glob("vigie.db*"):
        assert b"malveillant" not in file.read_bytes(), file
    case("extract", str(number), "--out", str(FOLDER / "out.bin"))
    vigie.equal((FOLDER / "out.bin").read_bytes(), content)


def test_pack():
    """artefacts for who has no OpenPGP go into a container that 7-Zip opens with the password alone; what must not leave does not"""
    reference = opened()
    (FOLDER / "sample.log").write_bytes(b"une trace " * 500)
    number = str(as_json("artefact", reference, str(FOLDER / "sample.log"))["artefact"])
    party = lambda *sees: str(as_json("party", reference, "--role", "supplier", "--name", "Éditeur", "--phone", "+33123456789",  # noqa: E731
                                      "--sees", *sees)["party"])
    blind, supplier = party("case"), party("case,artefacts")
    out = FOLDER / "pieces.zip"
    assert "Éditeur" in case("pack", reference, blind, number, "--out", str(out), expect=2, lang="en").stderr and not out.exists()
    case("pack", reference, supplier, number, "--out", str(out), expect=2)  # AMBER: not without the owner's word
    case("consent", reference, "--owner", "CHU", "--evidence", "courriel du 3", "--audiences", "supplier", "--members", "artefacts",
         "--ends", "2100-01-01T00:00:00Z", by="h.bernard")
    told = as_json("pack", reference, supplier, number, "--out", str(out))
    vigie.equal((told["artefacts"], out.stat().st_mode & 0o777), (1, 0o600))
    seven = lambda password: subprocess.run(["7zz", "x", f"-p{password}", "-so", out], capture_output=True)  # noqa: E731
    vigie.equal(seven(told["password"]).stdout, b"une trace " * 500)
    assert seven("wrong").returncode != 0
    log = case("show", reference).stdout
    assert "conteneur chiffré" in log and told["password"] not in log, log
    case("pack", reference, supplier, "999", "--out", str(FOLDER / "none.zip"), expect=2)


def test_work():
    """Tasks, links, parties, consent, merge and split, each by its command"""
    first, second = opened("--text", "-", input="un"), opened("--text", "-", input="deux")
    task = as_json("task", first, "Rappeler", "--kind", "call", "--due", "2026-01-01T09:00:00Z")["task"]
    assert "Rappeler" in case("tasks").stdout
    case("done", str(task), "joint")
    case("link", first, "case", second, "--note", "même attaquant")
    vigie.equal(as_json("show", second)["links"][0]["name"], first)
    case("party", first, "--role", "csirt", "--name", "CERT ami", "--sees", "case,technical")
    assert "accord" in case("release", first, "partner").stdout
    case("consent", first, "--owner", "CHU", "--evidence", "courriel", "--audiences", "partner", "--members", "technical",
         "--ends", "2099-01-01T00:00:00Z")
    vigie.equal(list(as_json("release", first, "partner")["members"]), ["technical"])
    case("override", first, "1", expect=2)
    case("override", first, "1", "--reason", "le ministre appelle")
    vigie.equal(as_json("show", first)["band"], 1)
    case("merge", first, second, "--reason", "le même")
    messages = as_json("show", first)["messages"]
    vigie.equal([message["body"] for message in messages], ["un", "deux"])
    part = as_json("split", first, "À part", str(messages[1]["id"]))["reference"]
    vigie.equal([message["body"] for message in as_json("show", part)["messages"]], ["deux"])


def test_verify():
    """A line that was changed in the database is found, and the exit status says so"""
    reference = opened()
    vigie.equal(as_json("check")["faults"], [])
    subprocess.run([sys.executable, "-c", "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute("
                    "\"UPDATE csirt_entry SET author = 'x' WHERE case_id = (SELECT id FROM csirt_case WHERE reference = ?)\","
                    " [sys.argv[2]]); d.commit()", FOLDER / "vigie.db", reference], check=True)
    vigie.equal(as_json("check", reference, expect=1)["faults"][0]["fault"], "changed")
    assert "ligne modifiée" in case("check", expect=1).stdout


prepare()
tap.run([test_life, test_roles, test_red, test_source, test_artefact, test_pack, test_work, test_verify])
