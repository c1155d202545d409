"""vigie case report: the year as text, PDF, HTML, CSV and JSON, in both languages; what is there is not overwritten."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from daemon import Daemon  # noqa: E402
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-report-"))
TEAM = pathlib.Path(os.environ["VIGIE_KNOWLEDGE"], "csirt", "teams", "cert-sante.json")
(FOLDER / "vigie.conf").write_text(f"[store]\nurl = sqlite:{FOLDER}/vigie.db\n[csirt]\nteam = {TEAM}\n")

vigie.equal(vigie.run("user", "add", "head", "--role", "head", "--generate", "--config", str(FOLDER / "vigie.conf")).returncode, 0)


def case(*arguments, expect=0, lang="en"):
    done = vigie.run("case", *arguments, "--as", "head", "--config", str(FOLDER / "vigie.conf"), "--lang", lang)
    vigie.equal(done.returncode, expect, done.stdout + done.stderr)
    return done


def test_forms():
    """the year is printed as text, and written in the form that the file's name ends in"""
    for lang, title in (("fr", "Rapport annuel 2026"), ("en", "Yearly report 2026")):
        assert title in case("report", "--year", "2026", lang=lang).stdout
    told = json.loads(case("report", "--year", "2026", "--json").stdout)
    vigie.equal((told["year"], told["cases"], len(told["tables"])), (2026, 0, 4))
    for name, begins in (("r.pdf", b"%PDF-1.5"), ("r.html", b"<article"), ("r.txt", b"TLP:CLEAR"), ("r.csv", b"table,row,column,count\r\n")):
        case("report", "--year", "2026", "--out", str(FOLDER / name))
        assert (FOLDER / name).read_bytes().startswith(begins), name
    subprocess.run(["qpdf", "--check", FOLDER / "r.pdf"], check=True, capture_output=True)


def test_refusals():
    """a file that exists stays, an unknown form, year or case is said"""
    before = (FOLDER / "r.pdf").read_bytes()
    case("report", "--year", "2025", "--out", str(FOLDER / "r.pdf"), expect=2)
    vigie.equal((FOLDER / "r.pdf").read_bytes(), before)
    assert ".pdf" in case("report", "--out", str(FOLDER / "r.docx"), expect=2).stderr
    assert "2000 to 9998" in case("report", "--year", "26", expect=2).stderr
    case("review", "CERTSANTE-2026-000001-A", expect=2)


def test_sandboxed():
    """the portal of vigie serve, which may read little, finds fonts and sets the report"""
    with Daemon(csirt={"team": TEAM}) as daemon:
        vigie.run("user", "add", "ana", "--role", "head", "--password-stdin", "--config", str(daemon.config), input="correct horse battery\n")
        jar = urllib.request.HTTPCookieProcessor()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        url = f"http://127.0.0.1:{daemon.port}"
        page = opener.open(f"{url}/login", timeout=20).read().decode()
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        form = urllib.parse.urlencode({"csrf": csrf, "name": "ana", "password": "correct horse battery"}).encode()
        opener.open(f"{url}/login", form, timeout=20)
        (FOLDER / "served.pdf").write_bytes(opener.open(f"{url}/cases/report.pdf?year=2026", timeout=20).read())
    fonts = subprocess.run(["pdffonts", FOLDER / "served.pdf"], check=True, capture_output=True, text=True).stdout
    assert len(fonts.splitlines()) > 2, fonts
    text = subprocess.run(["pdftotext", FOLDER / "served.pdf", "-"], check=True, capture_output=True, text=True).stdout
    assert "2026" in text and "TLP:CLEAR" in text, text


tap.run([test_forms, test_refusals, test_sandboxed])
