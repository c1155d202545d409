"""vigie fleet: the GMAO's file in and out, and what people see of it, in both languages."""
import csv
import io
import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-fleet-"))
(FOLDER / "vigie.conf").write_text(f"[store]\nurl=sqlite:{FOLDER}/vigie.db\n")
GMAO = ("N° GMAO;Désignation;Classe;Localisation;Nom réseau;Adresse IP;Ports\r\n"
        "IMG-1;Échographe n° 4;Imagerie;Bât. A, étage 2;echo.chu.test;127.0.0.1;443 2762/dicom\r\n"
        "LAB-2;Automate;Chirurgie;Labo;;127.0.0.300;443\r\n"
        ";Sans numéro;Imagerie;;;;\r\n")
(FOLDER / "gmao.csv").write_bytes(GMAO.encode("windows-1252"))


def fleet(*arguments, lang="fr", expect=0):
    done = vigie.run("fleet", *arguments, "--config", str(FOLDER / "vigie.conf"), "--lang", lang)
    vigie.equal(done.returncode, expect, done.stdout + done.stderr)
    return done


def as_json(*arguments, expect=0):
    return json.loads(fleet(*arguments, "--json", expect=expect).stdout)


def test_dry_run():
    """A dry run says what would be done, and does nothing"""
    report = as_json("import", str(FOLDER / "gmao.csv"), "--organisation", "CHU de Kermarec", "--dry-run", expect=1)
    vigie.equal((report["created"], report["refused"], report["encoding"]), (2, 1, "Windows-1252"))
    vigie.equal(as_json("list")["total"], 0)
    assert "Importer la GMAO" in fleet("list").stdout


def test_import():
    """Good lines are kept, bad ones named by line and column in the reader's language, and a second time changes nothing"""
    done = fleet("import", str(FOLDER / "gmao.csv"), "--organisation", "CHU de Kermarec", expect=1)
    assert "ligne 3, colonne 3" in done.stderr and "« Chirurgie »".replace(" ", "\u00a0") in done.stderr, done.stderr
    assert "ligne 4, colonne 1" in done.stderr and "refusée" in done.stderr, done.stderr
    done = fleet("import", str(FOLDER / "gmao.csv"), "--organisation", "CHU de Kermarec", lang="en", expect=1)
    assert "unchanged: 2" in done.stdout and "line 3, column 6" in done.stderr, done.stdout + done.stderr


def test_tables():
    """Tables are aligned, and say in words what JSON says in ids"""
    french, english = fleet("list").stdout, fleet("list", lang="en").stdout
    assert "Échographe n° 4" in french and "Imagerie médicale" in french and "inconnu" in french
    assert "Medical imaging" in english and "unknown" in english
    vigie.equal([item["gmao"] for item in as_json("list", "echogr")["items"]], ["IMG-1"])
    vigie.equal(as_json("list", "--class", "imaging")["total"], 1)
    device = as_json("show", "img-1")
    vigie.equal([endpoint["target"] for endpoint in device["endpoints"]],
                ["echo.chu.test:443/https", "echo.chu.test:2762/dicom"])
    assert "echo.chu.test:2762/dicom" in fleet("show", "IMG-1").stdout


def test_export():
    """An export is read by a CSV reader, and imported again changes nothing"""
    text = fleet("export").stdout
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    vigie.equal([row["N° GMAO"] for row in rows], ["IMG-1", "LAB-2"])
    vigie.equal((rows[0]["Ports"], rows[0]["État TLS"]), ("443/https 2762/dicom", "inconnu"))
    fleet("export", "--output", str(FOLDER / "export.csv"))
    report = as_json("import", str(FOLDER / "export.csv"))
    vigie.equal((report["unchanged"], report["problem_count"]), (2, 0))


def test_write():
    """A device is added with its endpoints, a contact told; what is wrong is said of its field, and nothing half done"""
    device = as_json("add", "pacs.chu.test:443", "10.0.0.9:2762/dicom", "--organisation", "CHU de Kermarec", "--class",
                     "server", "--gmao", "SRV-1")
    vigie.equal([e["gentle"] for e in device["endpoints"]], [False, False])
    done = fleet("add", "x.test:443", "--organisation", "Clinique neuve", "--class", "surgery", expect=2)
    assert "Classe" in done.stderr, done.stderr
    vigie.equal([o["name"] for o in as_json("organisations")["items"]], ["CHU de Kermarec"])
    fleet("contact", "--organisation", "chu de kermarec", "--mail", "biomed@chu.test")
    vigie.equal(as_json("show", "SRV-1")["contacts"][0]["mail"], "biomed@chu.test")
    done = fleet("contact", "--organisation", "CHU de Kermarec", "--mail", "a@b\nBcc: x", expect=2)
    assert "caractères de contrôle" in done.stderr, done.stderr


def test_survey():
    """A survey is asked for once, however often it is asked for"""
    first, second = as_json("survey", "--depth", "full"), as_json("survey", "--depth", "full")
    vigie.equal((first["state"], first["targets"], first["id"]), ("waiting", 4, second["id"]))
    vigie.equal(as_json("findings")["total"], 0)


def test_feeds():
    """The calendar and the metrics go to standard output as they are"""
    assert fleet("calendar").stdout.startswith("BEGIN:VCALENDAR")
    assert '\nvigie_devices{state="unknown"} 3\n' in fleet("metrics").stdout


def test_refusals():
    """What cannot be done ends with 2 and says what is wanted"""
    for arguments, says in ((("bogus",), "vigie fleet --help"), (("import",), "vigie fleet import F"), (("show",), "vigie fleet show"), (("show", "zzz"), "« zzz »"),
                            (("ack", "x"), "« x »"), (("ack", "99"), "99"), (("list", "--sort", "colour"), "sort"),
                            (("list", "--class", "surgery"), "class"), (("survey", "--depth", "deep"), "--depth"),
                            (("list", "--organisation", "Nulle part"), "Nulle part"),
                            (("import", "/nonexistent.csv"), "nonexistent")):
        done = fleet(*arguments, expect=2)
        assert says in done.stderr.replace("\u00a0", " "), (arguments, done.stderr)


tap.run([test_dry_run, test_import, test_tables, test_export, test_write, test_survey, test_feeds, test_refusals])
