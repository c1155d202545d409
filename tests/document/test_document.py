#!/usr/bin/env python3
"""Documents: the same model as PDF, HTML and text; the PDF read back by poppler and qpdf."""
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap

TOOL = sys.argv[1]
FOLDER = tempfile.TemporaryDirectory(prefix="vigie-document-")
LONG = ("Le 12 novembre à 7 h 45, l’astreinte du groupement hospitalier a constaté que les postes du service des urgences ne "
        "s’ouvraient plus : « Fichiers chiffrés ! » s’affichait à l’écran. ")
REFERENCE = "VIG-2026-{:06d}-K"


def model(*blocks, **more):
    return {"language": "fr", "title": "Rapport annuel 2026", "author": "CSIRT de test", "date": "3 janvier 2027", "blocks": list(blocks),
            **more}


def table(rows, **more):
    return {"table": {"columns": [{"title": "Référence"}, {"title": "Constat"}, {"title": "Durée (h)", "align": "right"}], "rows": rows,
                      **more}}


WHOLE = model({"heading": "En bref"}, {"text": LONG * 3}, {"note": "À lire\nd’abord"}, {"heading": "Détail", "level": 2},
              {"list": ["un", "deux"]}, {"list": ["premier", "second"], "ordered": True},
              {"facts": [["Structure", "CHU de Kermarec"], ["Patients", "potentiel"]]},
              {"bars": {"caption": "Par mois", "columns": ["Mois", "Incidents"], "rows": [["janvier", 12], ["mars", "< 5"]]}},
              table([[REFERENCE.format(n), LONG[:20 + n * 31 % 120], n] for n in range(120)], caption="Tous"),
              table([], caption="Majeurs", empty="Aucun incident majeur."), {"break": True}, {"text": "La fin."},
              subtitle="Incidents & <suites>", tlp="AMBER+STRICT")


def run(*command, check=True):
    done = subprocess.run([str(part) for part in command], capture_output=True)
    assert not check or done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done


def path_of(value):
    path = pathlib.Path(FOLDER.name, "model.json")
    path.write_text(json.dumps(value))
    return path


def pdf(value, name="out.pdf"):
    path = pathlib.Path(FOLDER.name, name)
    path.write_bytes(run(TOOL, "pdf", path_of(value)).stdout)
    return path


def text_of(path, *options):
    return run("pdftotext", "-enc", "UTF-8", *options, path, "-").stdout.decode()


def pages_of(path):
    return text_of(path, "-layout").split("\f")[:-1]


def pdf_is_well():
    """It is sound, tagged, in A4, of one paper size, with title, author, language and the date that was given"""
    path = pdf(WHOLE)
    assert b"No syntax or stream encoding errors" in run("qpdf", "--check", path).stdout
    told = dict(re.findall(r"^([\w ]+?):\s+(.*)$", run("env", "TZ=UTC", "pdfinfo", path).stdout.decode(), re.M))
    for name, value in {"Title": "Rapport annuel 2026", "Author": "CSIRT de test", "Tagged": "yes", "Page size": "595.276 x 841.89 pts (A4)",
                        "Subject": "Incidents & <suites>", "JavaScript": "no"}.items():
        assert told[name] == value, f"{name}: {told[name]}"
    assert "Nov 22 00:00:00 2026" in told["CreationDate"], told
    root = run("qpdf", "--json=1", "--json-key=objects", path).stdout.decode()
    catalogue = next(value for value in json.loads(root)["objects"].values() if isinstance(value, dict) and value.get("/Type") == "/Catalog")
    assert catalogue["/Lang"] == "fr" and catalogue["/ViewerPreferences"]["/DisplayDocTitle"] and catalogue["/MarkInfo"]["/Marked"]


def pdf_has_structure():
    """A screen reader finds headings, paragraphs, lists with their marks, and tables with head cells on each page"""
    told = run("pdfinfo", "-struct-text", pdf(WHOLE)).stdout.decode()
    names = re.findall(r"^\s*(\w+)(?: \(\w+\))?:?$", told, re.M)
    for name in ("H1", "H2", "H3", "P", "L", "LI", "Lbl", "LBody", "Table", "Caption", "TR", "TH", "TD"):
        assert name in names, f"no {name} in {set(names)}"
    assert names.count("H1") == 1
    assert names.count("TH") > 6, "the head is not repeated"


def same_twice():
    """The same model gives the same octets"""
    assert pdf(WHOLE, "a.pdf").read_bytes() == pdf(WHOLE, "b.pdf").read_bytes()


def marked_on_each_page():
    """TLP stands above and below on each page, with the page's number; without a label there is none"""
    pages = pages_of(pdf(WHOLE))
    assert len(pages) > 4, len(pages)
    for number, page in enumerate(pages):
        lines = [line for line in page.splitlines() if line.strip()]
        assert lines[0].endswith("TLP:AMBER+STRICT") and lines[-1].endswith("TLP:AMBER+STRICT"), lines
        assert f"{number + 1}/{len(pages)}" in lines[-1], lines[-1]
    assert "TLP" not in text_of(pdf(model({"text": "x"})))
    for label in ("RED", "AMBER", "GREEN", "CLEAR"):
        assert text_of(pdf(model({"text": "x"}, tlp=label))).count(f"TLP:{label}\n") == 2


def tables_break_well():
    """A long table loses no row, repeats its head, cuts no row in two, and keeps a reference in one piece"""
    pages = pages_of(pdf(model(table([[REFERENCE.format(n), f"début {n} " + LONG + f"fin {n}.", n] for n in range(60)]))))
    for page in pages:
        assert "Référence" in page and "Durée" in page
    whole = "".join(pages)
    assert re.findall(r"VIG-2026-(\d{6})-K", whole) == [f"{n:06d}" for n in range(60)]
    for page in pages:
        begun = [int(n) for n in re.findall(r"début (\d+)\b", page)]
        ended = [int(n) for n in re.findall(r"\b(\d+)\.\s", page + " ")]
        assert begun and begun[-1] in ended, f"row {begun[-1]} is cut"


def hard_cases():
    """A row higher than a page, a word wider than one, twenty columns, nothing at all: set, and nothing is lost"""
    tall = [f"ligne{n}" for n in range(300)]
    text = text_of(pdf(model(table([["a", "\n".join(tall), 1], ["b", "c", 2]]))))
    assert re.findall(r"ligne\d+", text) == tall
    word = "x" * 2000
    assert text_of(pdf(model({"text": word}, table([[word, word, 1]])))).count("x") == 6000
    many = {"table": {"columns": [{"title": f"c{n}"} for n in range(20)], "rows": [[n + 10 for n in range(20)]] * 3}}
    assert re.findall(r"\d\d", text_of(pdf(model(many)))).count("29") == 3
    assert len(pages_of(pdf(model()))) == 1
    assert "Aucun incident majeur." in text_of(pdf(WHOLE))
    lines = [f"mot{n}" for n in range(3000)]
    assert re.findall(r"mot\d+", text_of(pdf(model({"text": " ".join(lines)})))) == lines
    run("qpdf", "--check", pdf(model({"list": [" ".join(lines)] * 2}, {"facts": [["a", " ".join(lines)]]}, {"note": " ".join(lines)})))


def hostile_texts():
    """64 KiB of one word, of marks on one letter, of turned directions, of empty lines or of words are set within seconds"""
    for text in ("x" * 65000, "e" + "\u0301" * 30000, "\u202e\u2066a" * 9000, "\n" * 60000, "mot " * 16000, "\u200d\U0001f469" * 9000):
        begun = time.monotonic()
        pdf(model({"text": text}, {"list": [text[:9000]]}, table([[text[:9000], text[:9000], 1]])))
        assert time.monotonic() - begun < 60, f"{text[:10]!r}: {time.monotonic() - begun:.1f} s"


def html_is_escaped():
    """The page's form says the same, escaped, with scopes, and no style or script of its own"""
    page = run(TOOL, "html", path_of(WHOLE)).stdout.decode()
    assert page.startswith('<article class="document" lang="fr">') and "TLP:AMBER+STRICT" in page
    assert "Incidents &amp; &lt;suites&gt;" in page and "<suites>" not in page
    for wanted in ('<th scope="col">Référence</th>', "<caption>Tous</caption>", "<h3>Détail</h3>", "<dt>Structure</dt><dd>CHU de Kermarec</dd>",
                   '<p class="note">À lire<br>d’abord</p>', "Aucun incident majeur.", "<ol><li>premier</li>", "&lt; 5"):
        assert wanted in page, wanted
    assert "style=" not in page and "<script" not in page
    assert len(re.findall("<tr>", page)) == 1 + 2 + 1 + 120


def text_is_narrow():
    """For mails: 72 columns, marked at both ends, wide tables row by row"""
    text = run(TOOL, "text", path_of(WHOLE)).stdout.decode()
    assert text.startswith("TLP:AMBER+STRICT\n") and text.endswith("TLP:AMBER+STRICT\n")
    assert max(len(line) for line in text.splitlines()) <= 72
    for wanted in ("Rapport annuel 2026\n====", "- un\n", " 1. premier\n", "Structure  CHU de Kermarec", "Aucun incident majeur.",
                   "janvier         12\n", "Référence: VIG-2026-000119-K\n"):
        assert wanted in text, f"{wanted!r} in {text}"


def refusals():
    """What is no model is refused by its place"""
    for value, wanted in [([], "object"), (model({"texte": "x"}), "block 1: no block"), (model({"text": "x"}, {"text": 1}), "block 2: a text is"),
                          (model(tlp="WHITE"), "tlp"), (model({"heading": "x", "level": 4}), "level"), (model(table([["a"]])), "as many cells"),
                          (model({"bars": {"columns": ["a"], "rows": []}}), "bars have 2"), (model(language="de"), "language"),
                          (model({"text": "x" * 70000}), "64 KiB")]:
        for how in ("pdf", "html", "text"):
            done = run(TOOL, how, path_of(value), check=False)
            assert done.returncode == 1 and wanted in done.stderr.decode(), f"{wanted}: {done.stderr.decode()}"


def templates_are_data():
    """A document's template takes its language, members, lists and conditions from the data; all that are handed out are models"""
    folder = pathlib.Path(FOLDER.name, "knowledge")
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "sample.json").write_text(json.dumps({
        "title": {"fr": "Rapport {year}", "en": "Report {year}"}, "tlp": "{label}", "blocks": [
            {"if": "note", "then": [{"note": "{note}"}], "else": [{"text": {"fr": "Rien", "en": "Nothing"}}]},
            {"for": "groups", "each": {"table": {"caption": "{title}", "columns": ["a", "b"],
                                                 "rows": [{"for": "rows", "each": ["{name} {year}", "{count}"]}]}}},
            {"list": [{"for": "names", "each": "<{item}>"}]}]}))
    data = path_of({"year": 2026, "label": "GREEN", "note": "", "names": ["x", "y"],
                    "groups": [{"title": {"fr": "Un", "en": "One"}, "rows": [{"name": "n", "count": 3}, {"name": "{year}", "count": "< 5"}]}]})
    filled = json.loads(subprocess.run([TOOL, "fill", "sample", "en", data], capture_output=True, check=True,
                                       env={**os.environ, "VIGIE_KNOWLEDGE": str(folder)}).stdout)
    assert filled["title"] == "Report 2026" and filled["language"] == "en" and filled["tlp"] == "GREEN", filled
    assert filled["blocks"] == [{"text": "Nothing"}, {"table": {"caption": "One", "columns": ["a", "b"],
                                                                 "rows": [["n 2026", 3], ["{year} 2026", "< 5"]]}},
                                {"list": ["<x>", "<y>"]}], filled["blocks"]
    text = html.unescape(run(TOOL, "html", path_of(filled)).stdout.decode())
    assert "Report 2026" in text


tap.run([pdf_is_well, pdf_has_structure, same_twice, marked_on_each_page, tables_break_well, hard_cases, hostile_texts, html_is_escaped, text_is_narrow,
         refusals, templates_are_data])
