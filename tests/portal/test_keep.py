#!/usr/bin/env python3
"""The fleet kept from the portal: `vigie serve`, people with browsers and programs with tokens, on either database."""
import html
import http.client
import json
import os
import re
import subprocess
import sys
import threading

import tap
from browser import Person
from daemon import PROGRAM, Daemon
from vigie import equal

PASSWORD = "correct horse battery"


def vigie(*arguments, input=None, status=0):
    done = subprocess.run([PROGRAM, *arguments, "--config", str(daemon.config)], input=input, capture_output=True, text=True)
    assert done.returncode == status, f"vigie {' '.join(arguments)}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout


def fields_of(page):
    """What a browser would send of the page's largest form: name → value."""
    forms = re.findall(r'<form method="post".*?</form>', page, re.S)
    form, fields = max(forms, key=len), {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            fields[name[1]] = html.unescape(value[1] if value else "")
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.S):
        fields[name] = html.unescape(text)
    for name, inner in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', inner) or re.search(r'<option value="([^"]*)"', inner)
        fields[name] = html.unescape(chosen[1]) if chosen else ""
    return fields


def form_of(person, path):
    return fields_of(person.get(path).text)


def send(person, path, fields):
    """A form as it was opened, sent."""
    import urllib.parse
    return person.ask("POST", path, urllib.parse.urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})


def call(token, path, body=None, method="POST"):
    """The API by a token: (status, object)."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body),
                       {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text.startswith("{") else text


def log(action):
    return [row for row in people["admin"].json("/audit")["items"] if row["action"] == action]


def add_device(person, **fields):
    form = {**form_of(person, "/devices/new"), **fields}
    answer = send(person, "/devices", form)
    equal(answer.status, 303, answer.plain)
    return int(answer.headers["Location"].rsplit("/", 1)[1])


# ---- Devices --------------------------------------------------------------------------------------------------

def device_added():
    """A device with its endpoints is added by the form, is in the log, and the command shows the same"""
    biomed = people["biomed"]
    device = add_device(biomed, name="Scanner 2", serial="S-1", gmao="G-1", fqdn="Scanner-2.chu.test", endpoints="443/https, 2762",
                        firmware="1.0", **{"class": "imaging", "criticality": "vital", "note": "une\r\ndeux"})
    told = biomed.json(f"/devices/{device}")
    equal([told[name] for name in ("name", "class", "criticality", "serial", "note")],
          ["Scanner 2", "imaging", "vital", "S-1", "une\ndeux"])
    equal(sorted(endpoint["target"] for endpoint in told["endpoints"]),
          ["Scanner-2.chu.test:2762/dicom", "Scanner-2.chu.test:443/https"])
    equal([log("device-added")[0][name] for name in ("who", "object")], ["biomed", "Scanner 2"])
    assert "Scanner 2" in vigie("fleet", "show", "G-1"), "the command does not know it"


def all_problems_at_once():
    """Whatever is wrong is said beside each field at once, nothing is written, nothing that was typed is lost"""
    biomed = people["biomed"]
    before = biomed.json("/devices")["total"]
    form = {**form_of(biomed, "/devices/new"), "name": "", "fqdn": "a b", "ip": "10.2.3", "endpoints": "x", "location": "<b>réa</b>",
            "serial": "9" * 201}
    answer = send(biomed, "/devices", form)
    equal(answer.status, 400)
    wrong = set(re.findall(r'aria-invalid="true" aria-describedby="[^"]*?x-(\w+)-why', answer.text))
    equal(wrong, {"name", "fqdn", "ip", "serial", "endpoints"})
    equal({name: text for name, text in fields_of(answer.text).items() if name != "csrf"},
          {name: text for name, text in form.items() if name != "csrf"}, "what was typed")
    assert "200 characters at most" in answer.plain
    equal(biomed.json("/devices")["total"], before)


def known_already():
    """A serial number or FQDN of another device is shown with a link, and is saved once it is said to be another; a CMMS number is one's alone"""
    biomed = people["biomed"]
    form = {**form_of(biomed, "/devices/new"), "name": "Double", "serial": "S-1", "fqdn": "Scanner-2.chu.test"}
    answer = send(biomed, "/devices", form)
    equal(answer.status, 409)
    equal(len(re.findall(r'<p class="other"><a href="/devices/1">Scanner 2</a>', answer.text)), 2)
    equal(send(biomed, "/devices", {**form, "gmao": "G-1", "alike": "yes"}).status, 409, "the number of another")
    equal(send(biomed, "/devices", {**form, "alike": "yes"}).status, 303)


def changed_meanwhile():
    """Two people change one device: different fields are both kept; of the same field both values are shown and none is lost"""
    biomed, admin = people["biomed"], people["admin"]
    device = add_device(biomed, name="Moniteur", location="Réa 1", serial="S-2")
    mine, theirs = form_of(biomed, f"/devices/{device}/change"), form_of(admin, f"/devices/{device}/change")
    equal(send(admin, f"/devices/{device}/change", {**theirs, "location": "Réa 2", "firmware": "2.1"}).status, 303)
    equal(send(biomed, f"/devices/{device}/change", {**mine, "model": "M540"}).status, 303, "other fields")
    told = biomed.json(f"/devices/{device}")
    equal([told["location"], told["firmware"], told["model"]], ["Réa 2", "2.1", "M540"])
    answer = send(biomed, f"/devices/{device}/change", {**mine, "location": "Bloc 3"})
    equal(answer.status, 409)
    again = fields_of(answer.text)
    equal([again["location"], again["was.location"], again["firmware"]], ["Bloc 3", "Réa 2", "2.1"])
    assert "<strong>Réa 2</strong>" in answer.text and "admin" not in told["location"]
    equal(biomed.json(f"/devices/{device}")["location"], "Réa 2", "written all the same")
    equal(send(biomed, f"/devices/{device}/change", again).status, 303)
    equal(biomed.json(f"/devices/{device}")["location"], "Bloc 3")


def at_once():
    """Of twelve who change the same field from the same form at the same moment, one is heard; the others are told"""
    biomed, statuses = people["biomed"], []
    device = add_device(biomed, name="Pompe", serial="S-3", location="A")
    form = form_of(biomed, f"/devices/{device}/change")
    threads = [threading.Thread(target=lambda place=f"B{number}": statuses.append(
        send(biomed, f"/devices/{device}/change", {**form, "location": place}).status)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sorted(statuses), [303] + [409] * 11)


def retired():
    """A retired device keeps its history, leaves the list and the survey, and can return"""
    biomed = people["biomed"]
    device = add_device(biomed, name="Vieux respirateur", serial="S-4", ip="127.0.0.1", endpoints="443")
    equal(biomed.post(f"/devices/{device}/retire", f"/devices/{device}/change").status, 303)
    equal(biomed.json("/devices?q=vieux")["total"], 0)
    equal(biomed.json("/devices?q=vieux&retired=true")["total"], 1)
    equal([event["kind"] for event in biomed.json(f"/devices/{device}")["history"]],
          ["device-retired", "endpoint-added", "device-created"])
    equal(biomed.json("/endpoints?q=vieux")["total"], 0)
    equal(biomed.post(f"/devices/{device}/return", f"/devices/{device}/change").status, 303)
    equal(biomed.json("/endpoints?q=vieux")["total"], 1)
    equal((len(log("device-retired")), len(log("device-returned"))), (1, 1))


def endpoints_kept():
    """Endpoints are added, changed and removed from the device's page; the same place twice is refused in words"""
    biomed = people["biomed"]
    device = add_device(biomed, name="Automate", serial="S-5", fqdn="automate.chu.test")
    page = f"/devices/{device}"
    equal(biomed.post(page + "/endpoints", page, endpoints="443 11112/dicom").status, 303)
    twice = biomed.post(page + "/endpoints", page, endpoints="8443 443/https")
    equal(twice.status, 409)
    assert "“443/https” exists already" in twice.plain and 'value="8443 443/https"' in twice.text, twice.plain
    endpoints = biomed.json(page)["endpoints"]
    equal(len(endpoints), 2, "half of them were added")
    endpoint = endpoints[0]["id"]
    form = form_of(biomed, f"/endpoints/{endpoint}/change")
    equal(form["gentle"], "yes")
    del form["gentle"]
    equal(send(biomed, f"/endpoints/{endpoint}/change", {**form, "port": "70000"}).status, 400)
    equal(send(biomed, f"/endpoints/{endpoint}/change", {**form, "port": "9443", "protocol": "tls"}).status, 303)
    told = biomed.json(f"/endpoints/{endpoint}")
    equal((told["target"], told["gentle"]), ("automate.chu.test:9443/tls", False))
    equal(biomed.post(f"/endpoints/{endpoint}/remove", f"/endpoints/{endpoint}/change").status, 303)
    equal(len(biomed.json(page)["endpoints"]), 1)
    equal(biomed.post(page + "/endpoints", page, endpoints="9443/tls").status, 303, "back again")
    equal([one["id"] for one in biomed.json(page)["endpoints"]].count(endpoint), 1, "its history is another's")


def by_program():
    """The API adds and changes with a token of scope fleet, refuses with the field and why, and knows the same conflict"""
    token = vigie("user", "token", "biomed", "--scope", "fleet", "--label", "gmao").strip()
    act = vigie("user", "token", "biomed", "--scope", "act", "--label", "other").strip()
    body = {"organisation": 1, "name": "Par programme", "serial": "S-6", "fqdn": "programme.chu.test", "endpoints": "443/https"}
    equal(call(act, "/api/devices", body)[0], 403)
    status, device = call(token, "/api/devices", body)
    equal((status, device["name"], len(device["endpoints"])), (201, "Par programme", 1))
    status, refused = call(token, "/api/devices", {"organisation": 1, "ip": "x"})
    equal(status, 400)
    assert refused["detail"].startswith("name: ") or refused["detail"].startswith("ip: "), refused
    path = f"/api/devices/{device['id']}/change"
    equal(call(token, path, {"location": "Bloc 1"})[1]["location"], "Bloc 1")
    equal(call(token, path, {"location": "Bloc 2", "was": {"location": ""}})[0], 409)
    equal(call(token, path, {"location": "Bloc 2", "was": {"location": "Bloc 1"}})[0], 200)
    equal(call(token, "/api/devices", {**body, "name": "Autre"})[0], 409)


# ---- The GMAO -------------------------------------------------------------------------------------------------

GMAO = ("N° inventaire;Désignation;Marque;N° de série;Famille;Localisation;Ports;Nom réseau;Établissement;Contrat\r\n"
        "B-1;Respirateur 1;Dräger;R1;Respirateur;Bloc 1;443/https;resp-1.chu.test;;X\r\n"
        "B-2;Respirateur 2;Dräger;R2;Respirateur;Bloc 2;443/https;resp-2.chu.test;;X\r\n"
        ";Sans numéro;Dräger;;Respirateur;Bloc 2;;;;X\r\n"
        "B-3;Échographe;Philips;E1;Zorglub;Bloc 3;;;Clinique du Port;X\r\n")


def send_file(person, content, organisation="CHU de Kermarec", name="gmao.csv"):
    answer = person.send("/imports", "/imports", {"file": (name, content)}, organisation=organisation)
    equal(answer.status, 303, answer.plain)
    return answer.headers["Location"]


def import_previewed():
    """A file is shown before anything is written: what is added, what is wrong in which line; refused lines are downloaded"""
    biomed = people["biomed"]
    before = biomed.json("/devices")["total"]
    place = send_file(biomed, GMAO.encode("cp1252"))
    page = biomed.get(place)
    equal(biomed.json("/devices")["total"], before, "the preview wrote")
    for text in ("3 devices to be added", "1 line refused", "Windows-1252", "Respirateur 2", "“Zorglub” is not understood", "Nothing is written yet"):
        assert text in page.plain, f"{text}: {page.plain}"
    told = biomed.json(place)
    equal([(one["line"], one["problem"], one["refused"]) for one in told["report"]["problems"]],
          [(4, "no-identity", True), (5, "unknown-word", False)])
    equal([(one["line"], one["change"], one["device"], one["endpoints"]) for one in told["report"]["changes"]],
          [(2, "created", None, 1), (3, "created", None, 1), (5, "created", None, 0)])
    refused = biomed.get(place + "/refused.csv")
    lines = refused.body.decode("utf-8-sig").split("\r\n")
    equal(len(lines), 3, lines)
    assert lines[0].startswith("N° inventaire;") and lines[1].startswith(";Sans numéro;Dräger;"), lines
    assert "CMMS number" in lines[1].rsplit(";", 1)[1], lines
    equal(biomed.post(place + "/confirm", place).status, 303)
    equal(biomed.json("/devices")["total"], before + 3)
    done = biomed.json(place)
    equal((done["state"], done["by"], done["report"]["created"]), ("imported", "biomed", 3))
    equal(log("imported")[0]["object"], place)
    equal(biomed.post(place + "/confirm", place).status, 303, "a second click")
    equal(biomed.json("/devices")["total"], before + 3)
    equal(biomed.json(place)["report"]["created"], 3, "what came of it is forgotten")


def import_again():
    """The same file again changes nothing and offers nothing to confirm; a changed cell is shown before and after"""
    biomed = people["biomed"]
    page = biomed.get(send_file(biomed, GMAO.encode())).plain
    assert "3 unchanged" in page and "Nothing to import" in page and "Nothing is written yet" not in page, page
    place = send_file(biomed, GMAO.replace("Bloc 2;443", "Bloc 9;443").encode("utf-16"))
    page = biomed.get(place)
    assert "Location: Bloc 2 → Bloc 9" in page.plain.replace("\n", ""), page.plain
    change = biomed.json(place)["report"]["changes"]
    equal([one["fields"] for one in change], [{"location": {"before": "Bloc 2", "after": "Bloc 9"}}])


def import_hostile():
    """What is no CSV, too much, empty, markup or another's is refused in words; nobody imports for another organisation"""
    biomed, confined = people["biomed"], people["confined"]
    for content, word in [(b"PK\x03\x04\0\0", "xlsx"), (b"\0" * 100, "zero bytes"), (b"a\r\n1\r\n", "column")]:
        answer = biomed.send("/imports", "/imports", {"file": ("x.csv", content)})
        equal(answer.status, 400, word)
        assert word in answer.plain and "Choose" not in answer.plain, answer.plain
    equal(biomed.send("/imports", "/imports", {}).status, 400)
    place = send_file(biomed, "N° inventaire;Désignation\r\nX-1;<script>alert(1)</script>\r\n".encode(), name="<b>.csv")
    page = biomed.get(place).text
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    equal(confined.ask("GET", place).status, 404)
    equal(confined.post(place + "/confirm", "/imports").status, 404)
    equal(confined.ask("GET", place + "/refused.csv").status, 404)
    own = send_file(confined, GMAO.encode(), organisation="CHU de Kermarec")
    report = confined.json(own)["report"]
    equal((report["created"], report["updated"], report["unchanged"], report["refused"]), (2, 0, 1, 1),
          "rows that name none are the reader's organisation's")
    stolen = confined.json(send_file(confined, GMAO.replace("Clinique du Port", "CHU de Kermarec").encode()))["report"]
    equal([one["problem"] for one in stolen["problems"]], ["no-identity", "other-organisation"])
    equal(people["reader"].ask("GET", "/imports").status, 403)


def import_columns():
    """Columns that are not recognised are chosen on the page, and known the next time; nothing is imported before they are"""
    biomed, confined = people["biomed"], people["confined"]
    before = biomed.json("/devices")["total"]
    place = send_file(biomed, "Réf;Intitulé;Où;Marque\r\nK-1;Scanner <b>;Salle 4;Siemens\r\n".encode())
    page = biomed.get(place)
    assert "does not recognise the columns" in page.plain and "Où – Salle 4" in page.plain and "Import</button>" not in page.text, page.plain
    equal(biomed.post(place + "/confirm", place).status, 409, "confirmed without a name")
    equal(biomed.json(place)["state"], "previewed", "it waits for its columns")
    form = form_of(biomed, place)
    equal({name: value for name, value in form.items() if value and name != "csrf"}, {"columns.manufacturer": "4"})
    equal(send(biomed, place + "/columns", {**form, "columns.gmao": "9"}).status, 400, "a column that the file does not have")
    equal(confined.post(place + "/columns", "/imports", **{"columns.gmao": "1"}).status, 404, "another's file")
    chosen = {**form, "columns.gmao": "1", "columns.name": "2", "columns.location": "3"}
    equal(send(biomed, place + "/columns", chosen).status, 303)
    page = biomed.get(place)
    assert "1 device to be added" in page.plain and "Scanner &lt;b&gt;" in page.text, page.plain
    equal(biomed.json("/devices")["total"], before)
    equal(biomed.post(place + "/confirm", place).status, 303)
    equal(biomed.json("/devices")["total"], before + 1)
    equal(send(biomed, place + "/columns", chosen).status, 409, "imported already")
    again = biomed.json(send_file(biomed, "Réf;Intitulé;Où;Marque\r\nK-1;Scanner <b>;Salle 5;Siemens\r\n".encode()))
    equal([one["fields"] for one in again["report"]["changes"]], [{"location": {"before": "Salle 4", "after": "Salle 5"}}])
    other = biomed.json(send_file(biomed, "Réf;Intitulé;Lieu\r\nK-1;Scanner;Salle 6\r\n".encode()))
    equal(other["report"]["enough"], False, "another shape")


def import_at_once():
    """Confirmed twelve times at once, a file is imported once"""
    biomed, statuses = people["biomed"], []
    place = send_file(biomed, GMAO.replace("B-", "C-").replace(";R", ";S").replace(";E1", ";E2").encode())
    biomed.csrf_of = biomed.csrf(place)
    threads = [threading.Thread(target=lambda: statuses.append(send(biomed, place + "/confirm", {"csrf": biomed.csrf_of}).status))
               for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(statuses, [303] * 12)
    equal([row["object"] for row in log("imported")].count(place), 1)


def import_by_program():
    """A program sends the file, reads what would change, and confirms"""
    token = vigie("user", "token", "biomed", "--scope", "fleet", "--label", "import").strip()
    boundary = "b"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="g.csv"\r\n\r\n' + GMAO.replace("B-", "D-")
            .replace(";R", ";T").replace(";E1", ";E3") + f'\r\n--{boundary}\r\nContent-Disposition: form-data; '
            f'name="organisation"\r\n\r\nCHU de Kermarec\r\n--{boundary}--\r\n').encode()
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.request("POST", "/api/imports", body, {"Authorization": f"Bearer {token}",
                                                      "Content-Type": f"multipart/form-data; boundary={boundary}"})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    equal((answer.status, told["state"], told["report"]["created"]), (201, "previewed", 3))
    status, done = call(token, f"/api/imports/{told['id']}/confirm", {})
    equal((status, done["state"]), (200, "imported"))


def exported():
    """The fleet leaves as the GMAO takes it, all or the filtered list, with the certificate's end; importing it changes nothing"""
    biomed = people["biomed"]
    answer = biomed.get("/devices/export.csv")
    equal(answer.headers["Content-Type"], "text/csv; charset=utf-8")
    assert "attachment" in answer.headers["Content-Disposition"]
    text = answer.body.decode("utf-8-sig")
    assert "Certificate" in text.split("\r\n")[0] and "Respirateur 1" in text, text[:500]
    some = biomed.get("/devices/export.csv?q=respirateur+2").body.decode("utf-8-sig").split("\r\n")
    equal({line.split(";")[2] for line in some[1:-1]}, {"Respirateur 2"})
    assert "/devices/export.csv?q=respirateur" in biomed.get("/devices?q=respirateur&page=1").text
    report = biomed.json(send_file(biomed, answer.body, organisation=""))["report"]
    equal((report["created"], report["updated"]), (0, 0))
    mine = people["confined"].get("/devices/export.csv?organisation=1").body.decode("utf-8-sig")
    assert "CHU de Kermarec" not in mine, "another organisation's devices are exported"


# ---- Whom alarms reach ----------------------------------------------------------------------------------------

def contacts_kept():
    """Organisations and contacts are added, changed and removed; a device's page shows whom its alarms reach; wrong mail is refused"""
    biomed = people["biomed"]
    answer = send(biomed, "/organisations", {**form_of(biomed, "/organisations/new"), "name": "Hôpital de l’Île", "finess": "290000017"})
    equal(answer.status, 303)
    place = answer.headers["Location"]
    twice = send(biomed, "/organisations", {**form_of(biomed, "/organisations/new"), "name": "hopital de l’ile"})
    equal(twice.status, 409)
    assert "exists already" in twice.plain
    page = biomed.get(place).plain
    assert "No contact: nobody is told" in page and "90, 30, 7, 1 days" in page, page
    form = form_of(biomed, place + "/contacts/new")
    wrong = send(biomed, place + "/contacts", {**form, "name": "Camille", "mail": "camille@a, b@c"})
    equal(wrong.status, 400)
    assert "is not a mail address" in wrong.plain
    equal(send(biomed, place + "/contacts", {**form, "name": "Camille", "mail": "camille@ile.test", "role": "biomed"}).status, 303)
    contact = biomed.json(place)["contacts"][0]
    mine = form_of(biomed, f"/contacts/{contact['id']}/change")
    theirs = form_of(people["admin"], f"/contacts/{contact['id']}/change")
    equal(send(people["admin"], f"/contacts/{contact['id']}/change", {**theirs, "mail": "c@ile.test"}).status, 303)
    equal(send(biomed, f"/contacts/{contact['id']}/change", {**mine, "mail": "d@ile.test"}).status, 409)
    device = add_device(biomed, name="Pompe de l’île", serial="I-1", organisation=place.rsplit("/", 1)[1])
    equal([one["mail"] for one in biomed.json(f"/devices/{device}")["contacts"]], ["c@ile.test"])
    equal([log("contact-changed")[0][name] for name in ("who", "object", "details")], ["admin", "Hôpital de l’Île", "c@ile.test"])
    confined = people["confined"]
    equal(confined.ask("GET", f"/contacts/{contact['id']}/change").status, 404)
    equal(confined.post(f"/contacts/{contact['id']}/remove", "/account").status, 404)
    equal(confined.ask("GET", place + "/contacts/new").status, 404)
    equal(confined.post("/organisations", "/account", name="À moi").status, 403)
    equal(confined.post("/organisations/2/contacts", "/organisations/2/contacts/new", name="Nous", mail="nous@clinique.test",
                        role="dsi").status, 303)
    equal(biomed.post(f"/contacts/{contact['id']}/remove", f"/contacts/{contact['id']}/change").status, 303)
    equal(biomed.json(place)["contacts"], [])


# ---- Accounts -------------------------------------------------------------------------------------------------

def account_id(name):
    return next(one["id"] for one in people["admin"].json("/accounts")["items"] if one["name"] == name)


def post(person, path, page, **fields):
    answer = person.post(path, page, **fields)
    equal(answer.status, 303, answer.plain)


def account_made():
    """An account is made by page; its password is shown once and lets in; its role and organisation hold at once"""
    admin = people["admin"]
    answer = admin.post("/accounts", "/accounts/new", name="c.martin", role="reader")
    equal(answer.status, 201)
    password = re.search(r'<p class="secret"><code>([^<]+)</code>', answer.text)[1]
    martin, page = Person(daemon.port, "c.martin", password), f"/accounts/{account_id('c.martin')}"
    assert password not in admin.get(page).text, "shown again"
    equal(martin.ask("GET", "/devices/new").status, 403)
    post(admin, page + "/role", page, role="biomed", organisation="2")
    equal(martin.ask("GET", "/devices/new").status, 200)
    equal(martin.ask("GET", "/devices/1").status, 404, "of another organisation")
    twice = admin.post("/accounts", "/accounts/new", name="C.Martin", role="reader")
    equal(twice.status, 400)
    assert "C.Martin" in twice.text and "already" in twice.plain, twice.plain
    equal(admin.post("/accounts", "/accounts/new", name="a b", role="reader").status, 400)
    equal([log(action)[0]["object"] for action in ("user-added", "role-changed")], ["c.martin", "c.martin"])
    answer = admin.post(page + "/password", page)
    again = re.search(r'<p class="secret"><code>([^<]+)</code>', answer.text)[1]
    equal(martin.ask("GET", "/").status, 303, "the session outlives the password")
    equal(Person(daemon.port).post("/login", "/login", name="c.martin", password=password).status, 403)
    Person(daemon.port, "c.martin", again)
    raced = admin.post(page + "/role", page, role="reader", organisation="", **{"was.role": "reader", "was.organisation": "2"})
    equal(raced.status, 409)
    assert "changed this account meanwhile" in raced.plain


def account_closed():
    """Sessions and tokens are seen with their last use, ended and removed; a disabled account is out until it is opened again"""
    admin, page = people["admin"], f"/accounts/{account_id('reader')}"
    one, other = Person(daemon.port, "reader", PASSWORD), Person(daemon.port, "reader", PASSWORD)
    token = vigie("user", "token", "reader", "--scope", "read", "--label", "supervision <b>").strip()
    equal(call(token, "/api/devices", method="GET")[0], 200)
    told = admin.json(page)
    assert len(told["sessions"]) >= 2 and told["tokens"][0]["used"], told
    post(admin, page + "/sessions/end", page, session=told["sessions"][0]["session"])
    equal(sorted([one.ask("GET", "/").status, other.ask("GET", "/").status]), [200, 303])
    post(admin, page + "/sessions/end", page)
    equal([one.ask("GET", "/").status, other.ask("GET", "/").status, people["reader"].ask("GET", "/").status], [303] * 3)
    post(admin, page + "/tokens/remove", page, token=str(told["tokens"][0]["id"]))
    equal(call(token, "/api/devices", method="GET")[0], 401)
    people["reader"] = Person(daemon.port, "reader", PASSWORD)
    post(admin, page + "/disable", page)
    equal(people["reader"].ask("GET", "/").status, 303)
    equal(Person(daemon.port).post("/login", "/login", name="reader", password=PASSWORD).status, 403)
    post(admin, page + "/enable", page)
    people["reader"] = Person(daemon.port, "reader", PASSWORD)
    assert {"user-disabled", "user-enabled", "sessions-ended", "token-removed"} <= {row["action"] for row in admin.json("/audit")["items"]}


def own_account():
    """One sees one's own sessions, ends the others, and keeps the present one"""
    one, other = Person(daemon.port, "analyst", PASSWORD), Person(daemon.port, "analyst", PASSWORD)
    equal([session["own"] for session in one.json("/account")["sessions"]].count(True), 1)
    post(one, "/account/sessions/end", "/account")
    equal((one.ask("GET", "/").status, other.ask("GET", "/").status), (200, 303))
    people["analyst"] = Person(daemon.port, "analyst", PASSWORD)
    foreign = people["admin"].json(f"/accounts/{account_id('analyst')}")["sessions"][0]["session"]
    post(one, "/account/sessions/end", "/account", session="0" * 16)
    post(people["biomed"], "/account/sessions/end", "/account", session=foreign)
    equal(people["analyst"].ask("GET", "/").status, 200, "another's session was ended")


def last_administrator():
    """The last administrator neither disables nor demotes nor confines himself; of two who do it to each other at once one stays"""
    admin, page = people["admin"], f"/accounts/{account_id('admin')}"
    for path, fields in [("/disable", {}), ("/role", {"role": "reader"}), ("/role", {"role": "admin", "organisation": "1"})]:
        answer = admin.post(page + path, page, **fields)
        equal(answer.status, 409, path)
        assert "he last administrator of all organisations stays" in answer.plain
    vigie("user", "add", "second", "--role", "admin", "--password-stdin", input=PASSWORD + "\n")
    vigie("user", "add", "third", "--role", "admin", "--organisation", "1", "--password-stdin", input=PASSWORD + "\n")
    second, theirs = Person(daemon.port, "second", PASSWORD), f"/accounts/{account_id('second')}"
    equal(Person(daemon.port, "third", PASSWORD).ask("GET", "/accounts").status, 403, "confined, and keeps all accounts")
    for _ in range(5):
        tokens = admin.csrf("/account"), second.csrf("/account")
        statuses = []
        threads = [threading.Thread(target=lambda who=who, path=path, csrf=csrf: statuses.append(
            send(who, path + "/role", {"csrf": csrf, "role": "biomed"}).status))
            for who, path, csrf in [(admin, theirs, tokens[0]), (second, page, tokens[1])]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        roles = vigie("user", "list", "--json")
        left = [one["name"] for one in json.loads(roles)["users"] if one["role"] == "admin" and not one["organisation"]]
        equal(len(left), 1, f"{statuses} {left}")
        for name in ("admin", "second"):
            vigie("user", "role", name, "--role", "admin")
    vigie("user", "disable", "second")


def accounts_are_administrators():
    """Nobody else sees or keeps accounts, and no token does; an administrator gives nobody, himself included, the CSIRT's cases to read"""
    admin, desk = people["admin"], f"/accounts/{account_id('analyst')}"
    own = f"/accounts/{account_id('admin')}"
    equal(admin.post("/accounts", "/accounts/new", name="spy", role="head").status, 400)
    for path, page, fields in [(own + "/role", own, {"role": "analyst"}), (desk + "/password", desk, {})]:
        answer = admin.post(path, page, **fields)
        equal(answer.status, 409, path)
        assert "on the server" in answer.plain and 'class="secret"' not in answer.text, answer.plain
    equal(people["analyst"].ask("GET", "/").status, 200, "the session was ended")
    for name in ("reader", "biomed", "analyst", "confined"):
        person = people[name]
        equal(person.ask("GET", "/accounts").status, 403, name)
        equal(person.post("/accounts", "/account", name="x", role="admin").status, 403, name)
        equal(person.post("/accounts/1/password", "/account").status, 403, name)
    for scope in ("act", "fleet", "read"):
        token = vigie("user", "token", "admin", "--scope", scope, "--label", "x").strip()
        equal(call(token, "/api/accounts", {"name": "x", "role": "admin"})[0], 403, scope)
        equal(call(token, "/api/accounts", method="GET")[0], 403, scope)
    equal(people["admin"].ask("POST", "/accounts", "name=x&role=admin",
                              {"Content-Type": "application/x-www-form-urlencoded"}).status, 403, "without the form's token")


def who_may():
    """Readers and analysts look and change nothing; who is confined adds to their organisation and reaches no other's devices"""
    for name in ("reader", "analyst"):
        person = people[name]
        assert "/devices/new" not in person.get("/devices").text and "/change" not in person.get("/devices/1").text
        equal(person.ask("GET", "/devices/new").status, 403, name)
        equal(person.post("/devices/1/retire", "/account").status, 403, name)
        equal(person.post("/devices", "/account", organisation="1", name="x").status, 403, name)
    confined = people["confined"]
    device = add_device(confined, name="À la clinique", organisation="1", serial="S-7")
    equal(confined.json(f"/devices/{device}")["organisation"]["id"], 2)
    for path in ("/devices/1/change", "/devices/1/retire", "/devices/1/endpoints", "/endpoints/1/change", "/endpoints/1/remove"):
        equal(confined.post(path, "/account", name="stolen", endpoints="1").status, 404, path)
    form = {**form_of(confined, f"/devices/{device}/change"), "organisation": "1", "model": "X"}
    equal(send(confined, f"/devices/{device}/change", form).status, 303)
    equal(confined.json(f"/devices/{device}")["organisation"]["id"], 2, "moved out of reach")
    form = {**form_of(confined, "/devices/new"), "name": "x", "serial": "S-1"}
    equal(send(confined, "/devices", form).status, 303, "another organisation's device is told of")
    people["biomed"].get("/devices/1/change")
    equal(people["biomed"].ask("POST", "/devices/1/change", "name=x", {"Content-Type": "application/x-www-form-urlencoded"}).status,
          403, "without the form's token")


def fill():
    vigie("fleet", "contact", "--organisation", "CHU de Kermarec", "--mail", "biomed@chu.test")
    vigie("fleet", "contact", "--organisation", "Clinique du Port", "--mail", "biomed@clinique.test")
    for name, role in [("reader", "reader"), ("biomed", "biomed"), ("analyst", "analyst"), ("admin", "admin"), ("confined", "biomed")]:
        confined = ["--organisation", "2"] if name == "confined" else []
        vigie("user", "add", name, "--role", role, "--password-stdin", *confined, input=PASSWORD + "\n")
        people[name] = Person(daemon.port, name, PASSWORD)


people = {}
url = os.environ.get("VIGIE_TEST_POSTGRESQL")
with Daemon(**({"store": {"url": url}} if url else {})) as daemon:
    fill()
    tap.run([device_added, all_problems_at_once, known_already, changed_meanwhile, at_once, retired, endpoints_kept, by_program, import_previewed,
             import_again, import_hostile, import_columns, import_at_once, import_by_program, exported, contacts_kept, who_may, account_made,
             account_closed, own_account, last_administrator, accounts_are_administrators])
