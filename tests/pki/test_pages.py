"""The portal's pages of registration: people ask, validate, refuse, revoke; a device has its next certificate."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import PASSWORD, Registrar  # noqa: E402
from browser import Person  # noqa: E402
from daemon import free_port, wait_for  # noqa: E402
from schema import fits  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Registrar()
PORT = free_port()
CHU.path("gmao.csv").write_text("N° GMAO;Désignation;Établissement;Nom réseau;Adresse IP;Ports\n"
                                f"A-1;Automate;CHU de Test;automate.chu.test;127.0.0.1;{PORT}/https\n"
                                "B-2;Pousse-seringue;Clinique du Lac;;;\n", encoding="utf-8")
CHU.run("fleet", "import", CHU.path("gmao.csv"))
DEVICES = json.loads(CHU.run("fleet", "list", "--json").stdout)["items"]
DEVICE = next(one["id"] for one in DEVICES if one["gmao"] == "A-1")
ORGANISATION = next(one["organisation"]["id"] for one in DEVICES if one["gmao"] == "A-1")
ELSEWHERE = next(one["organisation"]["id"] for one in DEVICES if one["gmao"] == "B-2")
CHU.account("c.martin", role="biomed")
CHU.account("a.dsi", "dsi", role="biomed", organisation=ORGANISATION)
CHU.account("x.autre", "dsi", organisation=ELSEWHERE)
CHU.account("o.ordre", "ordre")
CHU.account("g.guichet", "registration")
CHU.account("s.op", "operator")
CHU.account("nobody")
CHU.account("i.admin", role="admin")


class Patient(Person):
    """Who looks again once the signer has signed, however slow the machine is."""

    def ask(self, method, *rest):
        answer = super().ask(method, *rest)
        if method == "POST":
            wait_for(lambda: not CHU.sql("SELECT 1 FROM pki_request WHERE state = 'validated'"))
        return answer


def person(name):
    return Patient(CHU.daemon.port, name, PASSWORD.strip())


def read(name):
    return CHU.path(name).read_bytes()


def number_of(answer):
    assert answer.status == 303, f"{answer.status}: {answer.plain[-1500:]}"
    return answer.headers["Location"].rsplit("/", 1)[1]


def ask(who, name, **fields):
    csr = CHU.csr(name, f"DNS:{name}.chu.test")
    return who.send("/requests", "/requests/new?profile=device", {"csr": ("a.csr", csr.read_bytes())}, profile="device",
                    **{"field.organisation": "CHU de Test", "organisation": ORGANISATION, **fields})


def test_ask_and_validate():
    """a technician asks with a form; who has the role in that organisation, and no one else, finds and validates it"""
    martin, dsi, other, nobody = person("c.martin"), person("a.dsi"), person("x.autre"), person("nobody")
    assert "Medical device or equipment" in martin.get("/requests/new").plain
    number = number_of(ask(martin, "scanner"))
    page = martin.get(f"/requests/{number}").plain
    assert "to validate" in page and "scanner.chu.test" in page and "IT department" in page, page
    vigie.equal([one["id"] for one in dsi.json("/requests")["items"]], [int(number)], "what the validator sees")
    vigie.equal((other.json("/requests")["items"], nobody.json("/requests")["items"]), ([], []), "what others see")
    other.get(f"/requests/{number}", expect=404)
    nobody.get(f"/requests/{number}", expect=404)
    vigie.equal(martin.post(f"/requests/{number}/validate", f"/requests/{number}").status, 403, "the asker")
    vigie.equal(nobody.post(f"/requests/{number}/validate", "/account").status, 403, "a stranger")
    vigie.equal(number_of(dsi.post(f"/requests/{number}/validate", f"/requests/{number}")), number, "validated")
    page = martin.get(f"/requests/{number}").plain
    assert "The certificate is issued" in page and "a.dsi" in page, page
    pem = martin.get(f"/requests/{number}/certificate")
    assert "attachment" in pem.headers["Content-Disposition"] and pem.text.count("BEGIN CERTIFICATE") == 2, pem.text[:200]
    nobody.get(f"/requests/{number}/certificate", expect=404)
    vigie.equal(dsi.post(f"/requests/{number}/validate", f"/requests/{number}").status, 409, "twice")


def test_mistake():
    """what cannot be issued is said above the form, which keeps what was typed"""
    csr = CHU.csr("outside", "DNS:example.org")
    done = person("c.martin").send("/requests", "/requests/new?profile=device", {"csr": ("a.csr", csr.read_bytes())},
                                   profile="device", **{"field.organisation": "Ma “Clinique”"})
    assert done.status == 400 and "example.org" in done.plain and "not among what is permitted" in done.plain, done.plain
    assert 'value="Ma “Clinique”"' in done.text, done.text[-3000:]
    done = person("c.martin").send("/requests", "/requests/new?profile=device", {"csr": ("a.csr", b"")}, profile="device")
    assert done.status == 400 and "CSR) is missing" in done.plain, done.plain


def test_mistake_beside():
    """a refusal that is of one input stands beside it, and a screen reader is told so; files have to be chosen again, which is said"""
    csr = CHU.csr("martin")
    path, profile = "/requests/new?profile=professional-authentication", "professional-authentication"
    fields = {"field.rpps": "10000000001", "field.surname": "Martin", "field.given_name": "Zoé", "field.profession": "10"}
    done = person("g.guichet").send("/requests", path, {"csr": ("a.csr", csr.read_bytes())}, profile=profile, **fields)
    assert done.status == 400 and "files have to be chosen again" in done.plain, done.plain
    wrong = re.findall(r'<input id="([^"]*)"[^>]*aria-invalid="true"[^>]*aria-describedby="([^"]*)"', done.text)
    assert wrong and wrong[0][0] == "field.rpps" and len(wrong) == 1, done.text[-5000:]
    for name in wrong[0][1].split():
        assert f'id="{name}"' in done.text, name
    done = person("g.guichet").send("/requests", path, {"csr": ("a.csr", b"none")}, profile=profile, **fields)
    vigie.equal(re.findall(r'<input id="([^"]*)"[^>]*aria-invalid="true"', done.text), ["csr"], done.text[-5000:])


def test_evidence():
    """papers go with a request for a person, to those who decide; nothing of them is shown as a page"""
    guichet, ordre, other = person("g.guichet"), person("o.ordre"), person("x.autre")
    csr = CHU.csr("dupont")
    fields = {"field.rpps": "10000000009", "field.surname": "Dupont", "field.given_name": "Zoé", "field.profession": "10"}
    done = guichet.send("/requests", "/requests/new?profile=professional-authentication",
                        {"csr": ("a.csr", csr.read_bytes()), "evidence": ("carte é.html", b"<script>alert(1)</script>")},
                        profile="professional-authentication", **fields)
    number = number_of(done)
    one = ordre.json(f"/requests/{number}")
    vigie.equal((one["state"], one["dual_control"], len(one["evidence"])), ("requested", True, 1), one)
    file = ordre.get(f"/requests/{number}/evidence?file={one['evidence'][0]['id']}")
    vigie.equal((file.body, file.headers["Content-Type"], file.headers["X-Content-Type-Options"]),
                (b"<script>alert(1)</script>", "application/octet-stream", "nosniff"), "evidence")
    assert file.headers["Content-Disposition"].startswith("attachment"), file.headers
    other.get(f"/requests/{number}/evidence?file={one['evidence'][0]['id']}", expect=404)
    assert "Zoé Dupont" in ordre.get("/requests").plain
    done = ordre.post(f"/requests/{number}/refuse", f"/requests/{number}", reason="La pièce n’est pas lisible.")
    assert done.status == 303 and "pas lisible" in guichet.get(f"/requests/{number}").plain


def test_revoke():
    """who asked ends the certificate on its page; the end is public at once"""
    martin, dsi = person("c.martin"), person("a.dsi")
    number = number_of(ask(martin, "pump"))
    dsi.post(f"/requests/{number}/validate", f"/requests/{number}")
    serial = martin.json(f"/requests/{number}")["serial"]
    issued = martin.json(f"/issued?q={serial}")["items"]
    vigie.equal([one["state"] for one in issued], ["good"], issued)
    page = f"/issued/{issued[0]['id']}"
    shown = martin.get(page)
    CHU.path("pump.pem").write_bytes(martin.get(f"/requests/{number}/certificate").body)
    digest = CHU.openssl("x509", "-in", "pump.pem", "-noout", "-fingerprint", "-sha256").stdout.split("=")[1].strip().replace(":", "").lower()
    assert "CHU de Test" in shown.plain and "<code>pump.chu.test</code>" in shown.text and digest in shown.plain, shown.plain
    person("nobody").get(page, expect=404)
    done = martin.post(f"{page}/revoke", page, reason="")
    assert done.status == 400 and 'role="alert"' in done.text and "pump.chu.test" in done.plain, done.plain
    done = martin.post(f"{page}/revoke", page, reason="cessationOfOperation")
    assert "It is done" in martin.get(done.headers["Location"]).plain
    vigie.equal(martin.json(page)["state"], "revoked", "state")
    assert "name=\"reason\"" not in martin.get(page).text


def test_authority():
    """an authority's own certificate is neither renewed nor revoked by a form: its page says how"""
    operator = person("s.op")
    one = next(one for one in operator.json("/issued")["items"] if one["profile"] == "authority")
    page = operator.get(f"/issued/{one['id']}")
    assert "in a ceremony" in page.plain and "/revoke" not in page.text and "/renew" not in page.text, page.plain


def test_renew():
    """the next certificate of one that was issued: by its page, with a new key and the same names"""
    martin, dsi = person("c.martin"), person("a.dsi")
    number = number_of(ask(dsi, "renewed"))  # who may validate does so by asking
    one = dsi.json(f"/requests/{number}")
    vigie.equal((one["state"], one["validator"]), ("issued", "a.dsi"), one)
    page = f"/issued/{dsi.json('/issued?q=' + one['serial'])['items'][0]['id']}"
    martin.get(page, expect=404)
    done = dsi.send(f"{page}/renew", page, {"csr": ("b.csr", b"no request")})
    assert done.status == 400 and 'role="alert"' in done.text and "/renew" in done.text, done.plain
    done = dsi.send(f"{page}/renew", page, {"csr": ("b.csr", CHU.csr("renewed2").read_bytes())})
    again = dsi.json(f"/requests/{number_of(done)}")
    vigie.equal((again["state"], again["names"], again["replaces"]), ("issued", ["dns:renewed.chu.test"], one["serial"]), again)


def test_device_csr():
    """on a device's page its own request is uploaded, and gets all the names that the fleet knows"""
    martin, dsi = person("c.martin"), person("a.dsi")
    assert "New certificate" in martin.get(f"/devices/{DEVICE}").plain
    page = f"/devices/{DEVICE}/certificate"
    number = number_of(martin.send(page, page, {"csr": ("d.csr", CHU.csr("device").read_bytes())}, mode="csr"))
    one = martin.json(f"/requests/{number}")
    vigie.equal((one["state"], sorted(one["names"]), one["organisation"]),
                ("requested", ["dns:automate.chu.test", "ip:127.0.0.1"], ORGANISATION), one)
    dsi.post(f"/requests/{number}/validate", f"/requests/{number}")
    text = martin.get(f"/requests/{number}").plain
    assert "Is it installed?" in text and f"automate.chu.test:{PORT}" in text and "Survey now" in text, text


def test_device_key():
    """a key made for a device is given once, to who asked, sealed; the store never has it in clear"""
    martin, dsi = person("c.martin"), person("a.dsi")
    page, secret = f"/devices/{DEVICE}/certificate", "correct horse battery"
    done = martin.send(page, page, {}, mode="key", key="p256", password="short", again="short")
    assert done.status == 400 and "12 characters" in done.plain, done.plain
    number = number_of(martin.send(page, page, {}, mode="key", key="p256", password=secret, again=secret))
    assert "The private key" not in martin.get(f"/requests/{number}").plain
    dsi.post(f"/requests/{number}/validate", f"/requests/{number}")
    assert "The private key" in martin.get(f"/requests/{number}").plain
    assert "The private key" not in dsi.get(f"/requests/{number}").plain
    if not os.environ.get("VIGIE_TEST_POSTGRESQL"):
        sealed = CHU.sql(f"SELECT sealed_key FROM pki_request WHERE id = {number}")[0][0]
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in sealed, sealed[:40]
    taking = f"/requests/{number}"
    vigie.equal(dsi.post(f"{taking}/key", "/account", password=secret).status, 403, "another person")
    vigie.equal(martin.post(f"{taking}/key", taking, password="wrong wrong wrong").status, 403, "a wrong password")
    file = martin.post(f"{taking}/key", taking, password=secret, format="pkcs12")
    assert file.status == 200 and file.headers["Cache-Control"] == "no-store", f"{file.status} {file.headers}"
    CHU.path("device.p12").write_bytes(file.body)
    CHU.openssl("pkcs12", "-in", "device.p12", "-passin", f"pass:{secret}", "-nodes", "-out", "device.pem")
    assert read("device.pem").count(b"BEGIN CERTIFICATE") == 2 and b"PRIVATE KEY" in read("device.pem")
    vigie.equal(martin.post(f"{taking}/key", taking, password=secret).status, 404, "twice")
    vigie.equal(CHU.sql(f"SELECT count(*) FROM pki_request WHERE id = {number} AND sealed_key IS NOT NULL"),
                [("0",)] if os.environ.get("VIGIE_TEST_POSTGRESQL") else [(0,)], "the store")


def test_api():
    """programs ask and decide by tokens that may act; a token that reads decides nothing"""
    act = CHU.run("user", "token", "a.dsi", "--scope", "act", "--label", "t").stdout.strip()
    look = CHU.run("user", "token", "a.dsi", "--scope", "read", "--label", "t").stdout.strip()
    csr = CHU.csr("byapi", "DNS:byapi.chu.test").read_text()
    body = json.dumps({"profile": "device", "csr": csr, "field.organisation": "CHU de Test", "organisation": ORGANISATION})
    stranger = Person(CHU.daemon.port)

    def send(token):
        return stranger.ask("POST", "/api/requests", body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    vigie.equal(send(look).status, 403, "a token that reads")
    done = send(act)
    one = json.loads(done.text)
    vigie.equal((done.status, one["state"], one["protocol"]), (200, "issued", "rest"), one)
    vigie.equal(json.loads(send(act).text)["state"], "issued", "the same key again, once the first is decided")


def test_enrolment():
    """who validates lets machines ask by themselves: the secret is shown once, others see nothing of it, its maker ends it"""
    dsi, martin, other = person("a.dsi"), person("c.martin"), person("x.autre")
    form = {"profile": "device", "label": "Automates du labo", "names": "labo.chu.test", "uses": "2", "days": "7",
            "organisation": ORGANISATION, "field.organisation": "CHU de Test"}
    page = dsi.get("/enrolments/new").plain
    assert "Medical device" in page and "Health professional" not in page, page
    done = martin.post("/enrolments", "/enrolments/new?profile=device", **form)
    assert done.status == 400 and "no role of this account" in done.plain and 'value="Automates du labo"' in done.text, done.plain
    done = dsi.post("/enrolments", "/enrolments/new?profile=device", **form)
    name, secret = (text for text in re.findall(r"<code>([a-z0-9]+)</code>", done.text))
    assert done.status == 200 and len(secret) >= 24, done.plain
    assert secret not in dsi.get("/enrolments").text
    one = dsi.json("/enrolments")["items"][0]
    vigie.equal((one["name"], one["names"], one["uses"], one["usable"]), (name, ["dns:labo.chu.test"], 2, True), one)
    vigie.equal(other.json("/enrolments")["items"], [], "another organisation's")
    vigie.equal(other.post(f"/enrolments/{one['id']}/end", "/account").status, 403, "another organisation's validator")
    vigie.equal(dsi.post(f"/enrolments/{one['id']}/end", "/enrolments").status, 303, "ended")
    vigie.equal(dsi.json("/enrolments")["items"][0]["usable"], False, "ended")


def test_schemas():
    """what the API answers of requests and certificates is as its OpenAPI document says"""
    dsi = person("a.dsi")
    document = json.loads(dsi.get("/api/openapi.json").text)
    for path, value in {"/requests": None, "/issued": None, "/enrolments": None, "/requests/{id}": "/requests", "/issued/{id}": "/issued"}.items():
        here = path.replace("{id}", str(dsi.json(value)["items"][0]["id"])) if value else path
        schema = document["paths"]["/api" + path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        fits(dsi.json(here), schema, document["components"]["schemas"], path)


def test_grant():
    """an administrator gives who validates their role, and takes it back, on the account's page"""
    admin = person("i.admin")
    one = next(one["id"] for one in admin.json("/accounts")["items"] if one["name"] == "nobody")
    page = f"/accounts/{one}"
    given = {"grant": "dsi", "organisation": ORGANISATION, "profession": "", "department": ""}
    vigie.equal(admin.post(f"{page}/grant", page, **given).status, 303)
    request = f"/requests/{number_of(ask(person('c.martin'), 'granted'))}"
    vigie.equal(person("nobody").post(f"{request}/validate", request).status, 303)
    vigie.equal(person("nobody").json(request)["validator"], "nobody")
    vigie.equal(admin.post(f"{page}/withdraw", page, **given).status, 303)
    person("nobody").get(request, expect=404)
    for wrong in ({"grant": "emperor"}, {"organisation": "CHU"}, {"organisation": "-1"}):
        vigie.equal(admin.post(f"{page}/grant", page, **{**given, **wrong}).status, 409, wrong)
        vigie.equal(admin.post(f"{page}/role", page, role="reader", organisation="CHU").status, 409)
    vigie.equal(admin.json(f"/accounts/{one}")["grants"], [])


def test_cross_site():
    """another site's form validates nothing"""
    martin, dsi = person("c.martin"), person("a.dsi")
    number = number_of(ask(martin, "crossed"))
    done = dsi.ask("POST", f"/requests/{number}/validate", "csrf=wrong", {"Content-Type": "application/x-www-form-urlencoded"})
    vigie.equal(done.status, 403, done.text)
    vigie.equal(martin.json(f"/requests/{number}")["state"], "requested", "state")
    done = martin.post(f"/requests/{number}/refuse", f"/requests/{number}", reason="taken back")
    vigie.equal((done.status, martin.json(f"/requests/{number}")["state"]), (303, "refused"), "taken back")


with CHU:
    tap.run([test_ask_and_validate, test_mistake, test_mistake_beside, test_evidence, test_revoke, test_authority, test_renew, test_device_csr, test_device_key,
             test_api, test_enrolment, test_schemas, test_grant, test_cross_site])
