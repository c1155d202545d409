#!/usr/bin/env python3
"""The CSIRT's desk over HTTP: who may, two analysts at once, hostile texts, what leaves, the same through the API."""
import hashlib
import html
import http.client
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap
from hospital import Browser, Hospital, equal

PAGES = ["/cases", "/cases/1", "/cases/1/qualify", "/cases/1/ssvc", "/cases/1/cvss", "/cases/1/write", "/cases/1/call",
         "/cases/1/escalate?partner=corruss", "/cases/3/notify", "/cases/tasks", "/cases/load", "/cases/report", "/cases/handover", "/cases/new",
         "/api/cases", "/api/cases/1", "/api/cases/changes", "/api/cases/1/changes", "/api/cases/tasks", "/api/cases/load",
         "/api/cases/handover", "/cases/artefacts/1"]
FORMS = ["/cases", "/cases/1/take", "/cases/1/change", "/cases/1/move", "/cases/1/override", "/cases/1/event", "/cases/1/note",
         "/cases/1/merge", "/cases/1/split", "/cases/1/link", "/cases/1/unlink", "/cases/1/access", "/cases/1/consent",
         "/cases/1/consent/withdraw", "/cases/1/task", "/cases/1/task/done", "/cases/1/qualify", "/cases/1/judge",
         "/cases/1/write", "/cases/1/call", "/cases/1/escalate", "/cases/1/verify", "/cases/1/contacts/search", "/cases/1/contacts",
         "/cases/1/contacts/decide", "/cases/1/notices", "/cases/1/parts", "/cases/1/notices/change", "/cases/1/notices/confirm",
         "/cases/1/notices/withdraw", "/cases/1/notices/outcome", "/cases/1/notices/code", "/cases/1/follow", "/cases/1/party", "/cases/handover", "/cases/handover/1/read"]
RESTRICTED = 4  # of cases.c


def seen(page):
    return re.search(r'name="seen" value="(\d+)"', page)[1]


def who_may():
    """Analyst and head see the desk; reader, biomed, admin and who is confined see none of it, nor that it is there"""
    for user in ("reader", "biomed", "admin", "confined"):
        browser = hospital.browser(user)
        assert 'href="/cases"' not in browser.get("/").text, user
        for page in PAGES:
            answer = browser.get(page)
            equal(answer.status, 403, f"{user} {page}")
            assert "VIG-" not in answer.text and "Rançongiciel" not in answer.text
        for form in FORMS:
            equal(browser.post(form, text="x").status, 403, f"{user} {form}")
    for user in ("analyst", "head"):
        browser = hospital.browser(user)
        assert 'href="/cases"' in browser.get("/").text, user
        for page in PAGES:
            equal(browser.get(page).status, 200, f"{user} {page}")


def strangers():
    """Without a session the pages lead to the login and the API asks for a token; a token needs the scope of cases"""
    for page in PAGES:
        equal(hospital.ask("GET", page).status, 401 if page.startswith("/api") or "artefacts" in page else 303, page)
    analyst = hospital.browser("analyst")
    for scope, status in (("read", 403), ("act", 403), ("case", 200)):
        headers = {"Authorization": f"Bearer {analyst.token(scope)}"}
        equal(hospital.ask("GET", "/api/cases", None, headers).status, status, scope)


def restricted():
    """A restricted case does not exist for whom it does not name; the head reads it, and names who may"""
    analyst, head = hospital.browser("analyst"), hospital.browser("head")
    for path in ("", "/changes", "/qualify", "/write", "/notify"):
        prefix = "/api" if path == "/changes" else ""
        equal(analyst.get(f"{prefix}/cases/{RESTRICTED}{path}").status, 404, path)
    analyst.get("/cases")
    for form, fields in (("note", {"text": "x"}), ("take", {}), ("task", {"title": "x"}), ("move", {"state": "acknowledged"}),
                         ("write", {"do": "send", "subject": "x", "text": "x"}), ("call", {"text": "x"})):
        equal(analyst.post(f"/cases/{RESTRICTED}/{form}", **fields).status, 404, form)
    assert "forum" not in analyst.get("/cases?state=all").text
    equal(analyst.post("/cases/1/access", account="reader", may="1").status, 400, "an analyst gives access")
    assert "forum" in head.get(f"/cases/{RESTRICTED}").text
    head.post(f"/cases/{RESTRICTED}/access", account="analyst", may="1")
    equal(analyst.get(f"/cases/{RESTRICTED}").status, 200)
    head.get(f"/cases/{RESTRICTED}")
    head.post(f"/cases/{RESTRICTED}/access", account="analyst", may="0")
    equal(analyst.get(f"/cases/{RESTRICTED}").status, 404)


def looks_are_kept():
    """Each look at a RED case is kept, and the head alone sees who looked"""
    analyst, head = hospital.browser("analyst"), hospital.browser("head")
    analyst.get("/cases/6")
    assert "Qui a lu ce dossier" not in analyst.get("/cases/6").text
    page = head.get("/cases/6").text
    assert re.search(r"<li>analyst <span", page[page.index("Qui a lu"):]), "the analyst's look is not there"


def in_words():
    """Every page stands in both languages under 100 KB, with no key left untranslated, no script and no style within"""
    for language in ("fr", "en"):
        browser = hospital.browser("head", language)
        for page in [p for p in PAGES if not p.startswith("/api") and "artefacts" not in p] + ["/cases/6", "/cases/4"]:
            answer = browser.get(page)
            equal(answer.status, 200, page)
            assert len(answer.text.encode()) < 100_000, f"{page}: {len(answer.text)}"
            assert f'<html lang="{language}">' in answer.text
            left = re.search(r">[^<]*\b(?:desk|csirt|portal)\.[a-z][a-z.-]+[^<]*<", answer.text)
            assert not left, f"{page}: {left[0]}"
            assert "<script>" not in answer.text and " style=" not in answer.text and " onclick=" not in answer.text


def hostile():
    """What strangers wrote into title, organisation, facts, message, note, task, link and file name is text everywhere"""
    browser = hospital.browser("head")
    for page in ("/cases?state=all", "/cases/6", "/cases/2", "/cases/6/write", "/cases/6/qualify", "/cases/6/call", "/cases/tasks",
                 "/cases/handover", "/cases?q=%3Cscript%3Ealert(1)%3C/script%3E", "/cases?assignee=%3Cscript%3E",
                 "/cases/6/cvss?vector=%3Cscript%3E", "/cases/1/ssvc?p.exploitation=%3Cscript%3E", "/cases/6/write?canned=%3Cscript%3E"):
        text = browser.get(page).text
        assert "<script>alert" not in text and "<img src=x" not in text, page
    said = html.unescape(browser.get("/cases/6").text)
    equal(said.count("<script>alert(1)</script>") >= 6, True, "the texts are shown as they are")
    for form, fields in (("note", {"text": "<script>alert(2)</script>"}), ("task", {"title": "<script>alert(2)</script>"}),
                         ("override", {"band": "9", "reason": "<script>alert(2)</script>"}),
                         ("write", {"do": "look", "party": "0", "subject": "<script>alert(2)</script>", "text": "<script>alert(2)</script>"})):
        browser.get("/cases/6")
        assert "<script>alert" not in browser.post(f"/cases/6/{form}", **fields).text, form


def artefacts():
    """An artefact leaves as a download that nothing opens, its name harmless; and the timeline says who took it"""
    browser = hospital.browser("analyst")
    for number, name in ((1, "note-de-ran"), (2, "script_")):
        answer = browser.get(f"/cases/artefacts/{number}")
        equal(answer.headers["Content-Type"], "application/octet-stream")
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith(f'attachment; filename="{name}') and disposition.isascii(), disposition
        assert "<" not in disposition, disposition
        assert "sandbox" in ", ".join(answer.headers.get_all("Content-Security-Policy"))
        equal(answer.headers["X-Content-Type-Options"], "nosniff")
    kinds = [entry["kind"] for entry in browser.json("/api/cases/1")["timeline"]]
    assert any("artefact" in kind and kind != "artefact" for kind in kinds), kinds


def artefacts_added():
    """An analyst adds a file; it comes back as it was, and its digest stands beside it; a form without the session's token adds none"""
    browser = hospital.browser("analyst")
    browser.get("/cases/3")
    content = bytes(range(256)) * 40
    def body(csrf):
        return b"".join([b'--edge\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n', csrf.encode(), b'\r\n--edge\r\nContent-Disposition: '
                         b'form-data; name="file"; filename="../../journal.log"\r\nContent-Type: text/html\r\n\r\n', content, b"\r\n--edge--\r\n"])
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    equal(browser.ask("POST", "/cases/3/artefact", body("0" * 64), headers).status, 403)
    equal(browser.ask("POST", "/cases/3/artefact", body(browser.csrf), headers).status, 303)
    artefact = browser.json("/api/cases/3")["artefacts"][-1]
    equal((artefact["name"], artefact["size"], artefact["sha256"]), ("journal.log", len(content), hashlib.sha256(content).hexdigest()))
    connection = hospital.raw(f"GET /cases/artefacts/{artefact['id']} HTTP/1.0\r\nHost: x\r\nCookie: session={browser.cookies['session']}\r\n\r\n".encode())
    equal(connection.split(b"\r\n\r\n", 1)[1], content)
    equal(hospital.browser("admin").post("/cases/3/artefact").status, 403)


def parties():
    """A third party gets a thread of its own and sees the parts that were ticked; the sealed source is the head's alone"""
    browser = hospital.browser("analyst")
    browser.get("/cases/3")
    equal(browser.post("/cases/3/party", role="supplier", name="Éditeur du PACS", mail="psirt@editeur.test", **{"members.technical": "1"}).status, 303)
    party = browser.json("/api/cases/3")["parties"][-1]
    equal((party["role"], party["sees"]), ("supplier", ["technical"]))
    equal(browser.post("/cases/3/party", role="supplier", name="x", **{"members.nonsense": "1"}).status, 400)
    equal(browser.get("/cases/3/source").status, 403)
    equal(hospital.browser("head").get("/cases/3/source").status, 404, "its source is open")


def two_at_once():
    """Two analysts change one case: the second is told what the first did, nothing is lost, what was typed stands there still"""
    first, second = hospital.browser("analyst"), hospital.browser("head")
    at = seen(first.get("/cases/2").text)
    equal(seen(second.get("/cases/2").text), at)
    equal(first.post("/cases/2/override", seen=at, band="1", reason="Le chef de service insiste").status, 303)
    answer = second.post("/cases/2/override", seen=at, band="4", reason="Rien ne presse")
    equal(answer.status, 409)
    assert "entre-temps" in answer.text and "Le chef de service insiste" in answer.text and "Rien ne presse" in answer.text
    equal(second.json("/api/cases/2")["band"], 1)
    again = second.post("/cases/2/override", seen=seen(answer.text), band="3", reason="Rien ne presse")
    equal(again.status, 303)
    equal(second.json("/api/cases/2")["band"], 3)
    at = seen(first.get("/cases/2/qualify").text)
    second.get("/cases/2")
    second.post("/cases/2/note", text="vu")
    answer = first.post("/cases/2/qualify", seen=at, title="Autre objet", **{"facts.beds": "77"})
    equal(answer.status, 409)
    assert 'value="Autre objet"' in answer.text and 'value="77"' in answer.text, "what was typed is lost"


def qualify():
    """A qualification is kept fact by fact, moves the case on and sets its priority; what is wrong is said by name"""
    browser = hospital.browser("analyst")
    page = browser.get("/cases/1/qualify").text
    before = browser.json("/api/cases/1")
    form = {"seen": seen(page), "then": "qualified", "category": "malicious-code", "likelihood": "certain", "tlp": "AMBER+STRICT",
            "facts.patients": "proven", "facts.systems": "1", "facts.systems.imaging": "1", "facts.degraded": "0", "facts.beds": ""}
    equal(browser.post("/cases/1/qualify", **form).status, 303)
    case = browser.json("/api/cases/1")
    equal((case["state"], case["likelihood"], case["tlp"]), ("qualified", "certain", "AMBER+STRICT"))
    equal(case["facts"]["systems"], ["imaging"])
    equal(case["facts"]["degraded"], False)
    assert "beds" not in case["facts"] and case["facts"]["care"] == before["facts"]["care"], "a fact not asked for is left as it is"
    wrong = browser.post("/cases/1/qualify", seen=seen(browser.get("/cases/1").text), **{"facts.beds": "many"})
    equal(wrong.status, 400)
    assert "beds" in wrong.text
    looser = browser.post("/cases/1/qualify", seen=seen(browser.get("/cases/1").text), tlp="CLEAR")
    equal(looser.status, 400, "a looser label without a reason, by an analyst")


def overrides_need_reasons():
    """A priority set by hand, a case turned away or reopened, a declined escalation: none without a reason"""
    browser = hospital.browser("analyst")
    for form, fields in (("override", {"band": "1"}), ("move", {"state": "rejected"}),
                         ("escalate", {"partner": "corruss", "decision": "decline"})):
        page = browser.get("/cases/1").text
        answer = browser.post(f"/cases/1/{form}", seen=seen(page), **fields)
        equal(answer.status, 400, form)
        assert 'role="alert"' in answer.text


def escalation():
    """What a partner would see is shown before anyone is told; confirmed, it is in the timeline; it is decided once"""
    browser = hospital.browser("analyst")
    shown = browser.json("/api/cases/1/escalate?partner=corruss")
    assert shown["leaves"]["members"], "nothing would leave"
    assert "proof" not in shown["leaves"]["members"] and "Le Goff" not in json.dumps(shown["leaves"]["members"].get("summary", {}))
    equal(browser.json("/api/cases/1")["escalations"], [], "looking is no deciding")
    browser.get("/cases/1")
    equal(browser.post("/cases/1/escalate", partner="corruss", decision="confirm").status, 303)
    case = browser.json("/api/cases/1")
    equal([(row["partner"], row["state"]) for row in case["escalations"]], [("corruss", "confirmed")])
    assert "escalation" in [entry["kind"] for entry in case["timeline"]]
    equal([party["sees"] != [] for party in case["parties"] if party["partner"] == "corruss"], [True])
    equal(browser.post("/cases/1/escalate", partner="corruss", decision="confirm").status, 409)
    equal(browser.post("/cases/1/escalate", partner="nobody", decision="confirm").status, 404)


def letters():
    """A letter is shown exactly as it leaves before it does; the label decides the way; the reporter's thread alone has it"""
    browser = hospital.browser("analyst")
    page = browser.get("/cases/2/write?canned=acknowledge").text
    reference = browser.json("/api/cases/2")["reference"]
    assert reference in page and "{reference}" not in page and "{team}" not in page, "variables are not filled"
    party = browser.json("/api/cases/2")["parties"][0]["id"]
    looked = browser.post("/cases/2/write", do="look", party=party, subject="Reçu", text="Bonjour & <merci>").text
    assert "TLP:AMBER" in looked and "Le CSIRT de Kermarec" in looked and "Bonjour &amp; &lt;merci&gt;" in looked
    assert "/receipt" in looked, "AMBER without a key: the mail says only that a message waits"
    equal(len(browser.json("/api/cases/2")["messages"]), 1, "looking sends nothing")
    equal(browser.post("/cases/2/write", do="send", party=party, subject="Reçu", text="Bonjour & <merci>").status, 303)
    case = browser.json("/api/cases/2")
    sent = case["messages"][-1]
    equal((sent["direction"], sent["party"], sent["author"]), ("out", party, "analyst"))
    assert sent["subject"].startswith(f"[TLP:AMBER] {reference}") and "Bonjour & <merci>" in sent["body"]
    assert case["answered"], "the first answer is kept"
    clear = browser.post("/cases/5/write", do="look", party=browser.json("/api/cases/5")["parties"][0]["id"], subject="x", text="x").text
    assert "en clair" in clear, "CLEAR may go by mail"
    equal(browser.post("/cases/2/write", do="send", party="999", subject="x", text="x").status, 400)
    equal(browser.post("/cases/2/write", do="send", party=party, subject="", text="x").status, 400)


def handover():
    """The note keeps the moment, names no restricted case, and says who of the next shift has read it"""
    analyst, head = hospital.browser("analyst"), hospital.browser("head")
    analyst.get("/cases/handover")
    equal(analyst.post("/cases/handover", text="  ").status, 400)
    equal(analyst.post("/cases/handover", text="Le DSI rappelle à 22 h").status, 303)
    page = head.get("/cases/handover").text
    assert "Le DSI rappelle à 22 h" in page and "pas encore lue" in page and "forum" not in page
    note = head.json("/api/cases/handover")["items"][0]
    equal((note["author"], note["read"]), ("analyst", []))
    assert "1 à accès restreint" in page and note["picture"]["urgent"]
    equal(head.post(f"/cases/handover/{note['id']}/read").status, 303)
    head.post(f"/cases/handover/{note['id']}/read")
    equal([read["account"] for read in head.json("/api/cases/handover")["items"][0]["read"]], ["head"])
    equal(head.post("/cases/handover/999/read").status, 404)


def a_call_and_a_finding():
    """A case opened after a call, and one from a finding, which it is linked to; a wrong one is said and what was typed kept"""
    browser = hospital.browser("analyst")
    browser.get("/cases/new")
    answer = browser.post("/cases", kind="incident", channel="phone", title="Appel du standard", tlp="AMBER", urgent="1", name="Mme Kerbrat",
                          phone="+33298222222", text="Écrans noirs aux urgences", organisation_name="CH de Bréhat")
    equal(answer.status, 303)
    case = browser.json("/api" + answer.headers["Location"])
    equal((case["title"], case["urgent"], case["channel"], case["assignee"]), ("Appel du standard", True, "phone", "analyst"))
    equal(case["parties"][0]["name"], "Mme Kerbrat")
    page = browser.get("/findings/1").text
    assert "/cases/new?finding=1" in page
    page = browser.get("/cases/new?finding=1").text
    title = html.unescape(re.search(r'name="title"[^>]* value="([^"]*)"', page)[1])
    assert title, "the finding's title is not there"
    answer = browser.post("/cases", kind="vulnerability", channel="survey", title=title, finding="1")
    equal(answer.status, 303)
    case = browser.json("/api" + answer.headers["Location"])
    equal([(link["kind"], link["ref"]) for link in case["links"]], [("finding", 1)])
    wrong = browser.post("/cases", kind="nonsense", channel="phone", title="Gardé")
    equal(wrong.status, 400)
    assert 'value="Gardé"' in wrong.text


def notices():
    """Nobody is told before it is verified; then a contact, a draft that is read again, and a person's word that it leaves"""
    browser = hospital.browser("analyst")
    page = browser.get("/cases/3/notify").text
    assert "Avant de prévenir" in page
    equal(browser.post("/cases/3/contacts/search", domain="not a domain").status, 400)
    equal(browser.post("/cases/3/contacts/search", domain="arvor.test").status, 303)
    equal(browser.json("/api/cases/3/notify")["contacts"]["lookup"]["state"], "waiting")
    browser.get("/cases/3/notify")
    equal(browser.post("/cases/3/contacts", kind="mail", value="ssi@arvor.test", name="RSSI").status, 303)
    contact = browser.json("/api/cases/3/notify")["contacts"]["contacts"][0]
    equal((contact["value"], contact["source"], contact["confirmed_by"]), ("ssi@arvor.test", "person", "analyst"))
    browser.get("/cases/3/notify")
    equal(browser.post("/cases/3/notices", **{f"contacts.{contact['id']}": "1", "language": "fr", "expected": "feedback"}).status, 303)
    draft = browser.json("/api/cases/3/notify")["notices"][0]
    equal((draft["state"], draft["ladder"][0]["value"]), ("draft", "ssi@arvor.test"))
    browser.get("/cases/3/notify")
    refused = browser.post("/cases/3/notices/confirm", notice=draft["id"])
    equal(refused.status, 409, "it is not verified")
    equal(browser.post("/cases/3/verify", kind="check", outcome="present", method="").status, 400, "a check says what was done")
    equal(browser.post("/cases/3/verify", kind="check", outcome="present", method="Page de connexion vue sans compte").status, 303)
    assert browser.json("/api/cases/3")["verified"]
    browser.get("/cases/3/notify")
    equal(browser.post("/cases/3/notices/change", notice=draft["id"], subject="PACS exposé {code}", body=draft["body"] + "\nMerci.").status, 303)
    equal(browser.post("/cases/3/notices/confirm", notice=draft["id"]).status, 303)
    equal(browser.json("/api/cases/3/notify")["notices"][0]["state"], "ready")
    page = browser.get("/cases/3/notify").text
    assert "à envoyer" in page
    equal(browser.post("/cases/3/notices/withdraw", notice=draft["id"], reason="Déjà prévenus").status, 303)
    equal(browser.post("/cases/3/notices/confirm", notice="999").status, 404)


def split_and_merge():
    """Messages become a case of their own; merged back, the other's reference leads here"""
    browser = hospital.browser("analyst")
    case = browser.json("/api/cases/2")
    page = browser.get("/cases/2").text
    answer = browser.post("/cases/2/split", seen=seen(page), title="Une autre affaire", **{f"messages.{case['messages'][0]['id']}": "1"})
    equal(answer.status, 303)
    other = browser.json("/api" + answer.headers["Location"])
    equal(len(other["messages"]), 1)
    page = browser.get("/cases/2").text
    equal(browser.post("/cases/2/merge", seen=seen(page), reference=other["reference"].lower(), reason="la même").status, 303)
    equal(browser.json(f"/api/cases/{other['id']}")["merged_into"], 2)


def changes():
    """The number that open pages ask for grows with each change, and asking is no look"""
    browser = hospital.browser("analyst")
    before, own = browser.json("/api/cases/changes")["changes"], browser.json("/api/cases/3/changes")["changes"]
    browser.get("/cases/3")
    browser.post("/cases/3/note", text="un mot")
    assert browser.json("/api/cases/changes")["changes"] > before
    equal(browser.json("/api/cases/3/changes")["changes"], own + 1)


def through_the_api():
    """The same work with a token: facts as JSON, errors as problems"""
    token = hospital.browser("analyst").token("case")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(path, **members):
        answer = hospital.ask("POST", "/api" + path, json.dumps(members), headers)
        return answer.status, json.loads(answer.text)
    status, case = post("/cases", kind="request", channel="api", title="Par programme")
    equal(status, 200)
    status, case = post(f"/cases/{case['id']}/change", facts={"beds": 12, "care": ["dialysis"]}, category="fraud")
    equal((status, case["facts"]), (200, {"beds": 12, "care": ["dialysis"]}))
    status, problem = post(f"/cases/{case['id']}/change", facts={"beds": "twelve"})
    equal((status, problem["status"]), (400, 400))
    assert "beds" in problem["detail"]
    status, case = post(f"/cases/{case['id']}/consent", owner="CHU", audiences=["partner"], members=["technical", "summary"], evidence="appel",
                        ends="2100-01-01")
    equal((status, case["consents"][0]["scope"]["audiences"], sorted(case["consents"][0]["scope"]["members"])),
          (200, ["partner"], ["summary", "technical"]))
    status, problem = post(f"/cases/{case['id']}/move", state="closed")
    equal(status, 409)
    status, _ = post(f"/cases/{case['id']}/note", text="vu", seen=0)
    equal(status, 409, "seen counts for programs, too")


def filters():
    """The address filters the queue: by state, kind, label, analyst, words; what is no filter's value is said"""
    browser = hospital.browser("analyst")
    for query, found in (("kind=vulnerability", "PACS"), ("tlp=CLEAR", "pompe"), ("assignee=head", "pompe"), ("q=ran%C3%A7ongiciel", "bloc"),
                         ("state=closed", "ordinateur"), ("band=1", "bloc")):
        assert found in browser.get(f"/cases?{query}").text, query
    assert "Aucun dossier ne correspond" in browser.get("/cases?q=zzzz").text
    equal(browser.get("/cases?state=nonsense").status, 400)
    equal(browser.get("/cases?page=x").status, 400)


def references():
    """A whole reference in the search of any page leads to its case, however it is written, and to nobody else's"""
    browser, reader = hospital.browser("analyst"), hospital.browser("reader")
    reference = browser.json("/api/cases/1")["reference"]
    for written in (reference, reference.lower(), reference.replace("-", " ")):
        answer = browser.get("/search?q=" + written.replace(" ", "%20"))
        equal((answer.status, answer.headers["Location"]), (303, "/cases/1"), written)
        equal(reader.get("/search?q=" + written.replace(" ", "%20")).status, 200)
    hidden = hospital.browser("head").json(f"/api/cases/{RESTRICTED}")["reference"]
    equal(browser.get("/search?q=" + hidden).status, 200, "a restricted case does not exist")


def no_team():
    """Without a team there is no desk: no link to it, and its pages say why"""
    with Hospital("--empty") as own:
        browser = Browser(own)
        browser.log_in("head")
        assert 'href="/cases"' not in browser.get("/").text
        equal(browser.get("/cases").status, 404)


def report():
    """The year is told with small counts held back, the same as a page, as data, as PDF and as CSV; a case has its review"""
    browser = hospital.browser("analyst")
    told = browser.json("/api/cases/report")
    small = [count for table in told["tables"] for row in table["rows"] for count in row["counts"] if count and count < told["threshold"]]
    equal(small, [])
    page = browser.get("/cases/report").text
    assert page.count("<h1") == 1 and "TLP:CLEAR" in page and f'/cases/report?year={told["year"] - 1}' in page
    csv = browser.get("/cases/report.csv")
    equal((csv.status, csv.headers["Content-Type"]), (200, "text/csv; charset=utf-8"))
    lines = csv.text.split("\r\n")
    equal(lines[0], "table,row,column,count")
    assert all(line.count(",") == 3 for line in lines[:-1]) and lines[-1] == ""
    headers = {"Cookie": f"session={browser.cookies['session']}"}
    for path, name in ((f"/cases/report.pdf?year={told['year']}", f"rapport-annuel-{told['year']}.pdf"),
                       ("/cases/1/review.pdf", "retour-experience-1.pdf")):
        connection = http.client.HTTPConnection(hospital.host, hospital.port, timeout=20)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        equal((answer.status, answer.headers["Content-Type"]), (200, "application/pdf"), path)
        equal(answer.headers["Content-Disposition"], f'attachment; filename="{name}"')
        assert answer.read().startswith(b"%PDF-1.5"), path
    equal(browser.get("/cases/99999/review.pdf").status, 404)
    equal(hospital.browser("biomed").get("/cases/report.pdf").status, 403)


with Hospital("--desk") as hospital:
    tap.run([who_may, strangers, restricted, looks_are_kept, in_words, hostile, artefacts, artefacts_added, parties, two_at_once, qualify,
             overrides_need_reasons, escalation, letters, handover, a_call_and_a_finding, notices, split_and_merge, changes, through_the_api,
             filters, references, no_team, report])
