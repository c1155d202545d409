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
    tap.run([device_added, all_problems_at_once, known_already, changed_meanwhile, at_once, retired, endpoints_kept, by_program, who_may])
