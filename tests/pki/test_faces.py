"""The protocols' faces attacked by hand: messages out of order, of another's, forged, repeated after a restart, many at once. Nobody has a
certificate, or loses one, by it."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
import scep  # noqa: E402
from enrolling import Enrolling  # noqa: E402
from acme import Acme, b64, problem  # noqa: E402
from scep import Scep  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Enrolling(registrar=True)
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test")
CHU.path("anchors.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())


def client(name=NAME, secret=SECRET):
    return Acme(CHU, name, secret).register()


def csr_of(name, key=None):
    """In base64url, DER."""
    CHU.csr(name, f"DNS:{name}.chu.test")
    more = ("-key", key) if key else ("-key", f"{name}.key")
    CHU.openssl("req", "-new", *more, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.chu.test", "-outform", "DER", "-out",
                f"{name}.der")
    return b64(CHU.path(f"{name}.der").read_bytes())


def send(url, body, kind="application/jose+json"):
    """(status, what came back), of octets as they are."""
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    connection.request("POST", place.path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text[:1] == b"{" else text


def jws(told, payload, sign, **members):
    protected = b64(told if isinstance(told, bytes) else json.dumps(told).encode())
    body = b64(json.dumps(payload).encode()) if payload is not None else ""
    return json.dumps({"protected": protected, "payload": body, "signature": b64(sign(f"{protected}.{body}".encode())), **members}).encode()


def test_jws_confused():
    """none, HS256 under the public key in each of its forms, another curve's or key's algorithm, crit, b64, a header that nobody signed,
    members twice, jwk and kid together, another server's kid or one with something behind it: no account speaks by them"""
    one = client()
    url = f"{CHU.url}/acme/new-order"
    wanted = {"identifiers": [{"type": "dns", "value": "jws.chu.test"}]}
    CHU.openssl("ec", "-in", one.key, "-pubout", "-outform", "DER", "-out", "public.der")
    CHU.openssl("ec", "-in", one.key, "-pubout", "-out", "public.pem")
    publics = [CHU.path("public.der").read_bytes(), CHU.path("public.pem").read_bytes(), json.dumps(one.jwk).encode(),
               base64.urlsafe_b64decode(one.jwk["x"] + "="), b""]

    def header(**changed):
        told = {"alg": "ES256", "nonce": one.fresh(), "url": url, "kid": one.kid, **changed}
        return {member: value for member, value in told.items() if value is not None}

    def tried(message):
        status, told = send(url, message)
        assert status in (400, 401, 403) and "urn:ietf:params:acme:error:" in str(told), (status, told, message)
    tried(jws(header(alg="none"), wanted, lambda data: b""))
    tried(jws(header(alg="NONE"), wanted, lambda data: b""))
    for public in publics:
        tried(jws(header(alg="HS256"), wanted, lambda data: hmac.new(public, data, "sha256").digest()))
        key = {"kty": "oct", "k": b64(public)}
        tried(jws(header(alg="HS256", kid=None, jwk=key), wanted, lambda data: hmac.new(public, data, "sha256").digest()))
    for algorithm in ("ES384", "ES512", "ES256K", "RS256", "PS256", "EdDSA", "dir", "", 5, None, ["ES256"]):
        tried(jws(header(alg=algorithm), wanted, one.sign))
    tried(jws(header(crit=["b64"], b64=False), wanted, one.sign))
    tried(jws(header(crit=[]), wanted, one.sign))
    tried(jws(header(jwk=one.jwk), wanted, one.sign))
    tried(jws(header(kid=None), wanted, one.sign, header={"kid": one.kid}))
    tried(jws(header(), wanted, one.sign, header={"alg": "ES256"}))
    number = one.kid.rsplit("/", 1)[1]
    for kid in (f"https://other.example/acme/account/{number}", one.kid + "/", one.kid + "abc", one.kid + " ", one.kid.replace(number, f"0{number}"),
                one.kid.replace(number, f"+{number}"), number, int(number), {"kid": one.kid}, ""):
        tried(jws(header(kid=kid), wanted, one.sign))
    twice = json.dumps(header())[:-1] + ', "alg": "none"}'
    tried(jws(twice.encode(), wanted, one.sign))
    whole = json.loads(jws(header(), wanted, one.sign))
    tried(json.dumps({"payload": whole["payload"], "signatures": [{"protected": whole["protected"], "signature": whole["signature"]}]}).encode())
    tried((whole["protected"] + "." + whole["payload"] + "." + whole["signature"]).encode())
    tried(json.dumps({**whole, "signature": ""}).encode())
    raw = header(b64=False)
    protected, body = b64(json.dumps(raw).encode()), json.dumps(wanted)
    tried(json.dumps({"protected": protected, "payload": body, "signature": b64(one.sign(f"{protected}.{body}".encode()))}).encode())
    vigie.equal(one.order("dns:jws.chu.test")[0], 201)


def test_kid_of_any_kind():
    """a key of its own beside a kid that is no text is both"""
    stranger = Acme(CHU, NAME, SECRET)
    url = f"{CHU.url}/acme/new-account"
    for kid in (5, None, {}, []):
        header = {"alg": "ES256", "nonce": stranger.fresh(), "url": url, "jwk": stranger.jwk, "kid": kid}
        status, told = send(url, jws(header, {"onlyReturnExisting": True}, stranger.sign))
        vigie.equal((status, told["type"]), (400, "urn:ietf:params:acme:error:malformed"), (kid, told))


def test_out_of_order():
    """finalized before it is proven, again, by a deactivated authorization or after the enrolment ended: no certificate"""
    name, secret = CHU.enrolment("--name", "dns:chu.test", "--challenge", profile="server-ssl")
    one = client(name, secret)
    before = CHU.certificates()
    order = one.order("dns:early.chu.test")[1]
    problem(one.post(order["finalize"], {"csr": csr_of("early")}), 403, "orderNotReady")
    problem(one.post(order["finalize"].replace("finalize", "finalize/finalize"), {"csr": csr_of("early")}), 404, "malformed")
    vigie.equal(one.post(order["authorizations"][0], {"status": "valid"})[1]["status"], "pending")
    problem(one.post(order["finalize"].replace("/finalize", "").replace("/order/", "/cert/"), None), 404, "malformed")
    vigie.equal(one.post(order["authorizations"][0], {"status": "deactivated"})[1]["status"], "deactivated")
    problem(one.post(order["finalize"], {"csr": csr_of("early")}), 403, "orderNotReady")
    vigie.equal(one.post(order["authorizations"][0], {"status": "pending"})[1]["status"], "deactivated")
    name, secret = CHU.enrolment("--name", "dns:chu.test", "--uses", 5)
    one = client(name, secret)
    order, later = one.order("dns:late.chu.test")[1], one.order("dns:later.chu.test")[1]
    vigie.equal(one.post(order["finalize"], {"csr": csr_of("late")})[1]["status"], "valid")
    problem(one.post(order["finalize"], {"csr": csr_of("late")}), 403, "orderNotReady")
    vigie.equal(CHU.certificates(), before + 1)
    number = CHU.sql(f"SELECT id FROM pki_enrolment WHERE name = '{name}'")[0][0]
    CHU.run("request", "end", str(number), "--account", "a.dsi")
    vigie.equal(one.post(later["finalize"], {"csr": csr_of("later")})[0], 403)
    problem(one.post(f"{CHU.url}/acme/new-order", {"identifiers": [{"type": "dns", "value": "more.chu.test"}]}), 403, "unauthorized")
    vigie.equal(CHU.certificates(), before + 1)


def test_others_by_number():
    """whoever counts through orders, authorizations, challenges, certificates and accounts finds none but their own"""
    one, other = client(), client()
    order = one.order("dns:mine.chu.test")[1]
    vigie.equal(one.post(order["finalize"], {"csr": csr_of("mine")})[1]["status"], "valid")
    number = int(order["finalize"].split("/")[-2])
    authorization = int(order["authorizations"][0].rsplit("/", 1)[1])
    for path in (f"order/{number}", f"order/{number}/finalize", f"cert/{number}", f"authz/{authorization}", f"challenge/{authorization}/http-01"):
        for payload in (None, {}, {"status": "deactivated"}, {"csr": csr_of("mine")}):
            problem(other.post(f"{CHU.url}/acme/{path}", payload), 404, "malformed")
    problem(other.post(one.kid, {"status": "deactivated"}), 403, "unauthorized")
    problem(other.post(one.kid.replace("/account/", "/orders/"), None), 403, "unauthorized")
    for path in ("order/-1", "order/0", "order/99999999999999999999", "order/1e3", "order/", "authz/0x10"):
        assert other.post(f"{CHU.url}/acme/{path}", None)[0] in (403, 404), path
    vigie.equal(one.post(order["finalize"].removesuffix("/finalize"), None)[1]["status"], "valid")


def test_many_enrolments():
    """an account goes on with its enrolment, and new ones are bound, however many were made since"""
    one = client()
    columns = "label, authority, profile, fields, names, challenge, open, uses, used, ends, device, organisation, account, made, ended"
    CHU.sql(f"INSERT INTO pki_enrolment (name, secret, {columns}) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) "
            f"SELECT 'x' || CAST(i AS TEXT), '', {columns} FROM pki_enrolment, n WHERE name = '{NAME}'")
    try:
        order = one.order("dns:many.chu.test")
        vigie.equal(order[0], 201, order)
        vigie.equal(client().order("dns:many2.chu.test")[0], 201)
    finally:
        CHU.sql("DELETE FROM pki_enrolment WHERE name LIKE 'x%' AND secret = '' AND sha256 = ''")


def test_open_ended():
    """an enrolment that is open to all takes no accounts once it was ended; an older one that is not does"""
    def required():
        return json.loads(CHU.curl(f"{CHU.url}/acme/directory"))["meta"]["externalAccountRequired"]

    def opened():
        name, _ = CHU.enrolment("--open", "--challenge", "--name", "dns:chu.test", profile="server-ssl")
        return str(CHU.sql(f"SELECT id FROM pki_enrolment WHERE name = '{name}'")[0][0])
    older, newer = opened(), opened()
    vigie.equal(required(), False)
    CHU.run("request", "end", newer, "--account", "a.dsi")
    one = Acme(CHU, NAME, SECRET)
    status, _, headers = one.post(f"{CHU.url}/acme/new-account", {})
    one.kid = headers["Location"]
    vigie.equal((status, one.order("dns:open.chu.test")[0]), (201, 201))
    CHU.run("request", "end", older, "--account", "a.dsi")
    vigie.equal(required(), True)
    problem(Acme(CHU, NAME, SECRET).post(f"{CHU.url}/acme/new-account", {}), 403, "externalAccountRequired")


def test_account_key():
    """an account's key is no certificate's: who has the server's would have the account"""
    one = client()
    order = one.order("dns:same.chu.test")[1]
    before = CHU.certificates()
    problem(one.post(order["finalize"], {"csr": csr_of("same", one.key)}), 400, "badCSR")
    vigie.equal(CHU.certificates(), before)


def test_account_race():
    """the same new account asked for eight times at once, and a key that two accounts change to at once, are one"""
    def at_once(messages):
        answers = []
        threads = [threading.Thread(target=lambda message=message: answers.append(send(*message))) for message in messages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers
    one = Acme(CHU, NAME, SECRET)
    url = f"{CHU.url}/acme/new-account"
    inner = {"alg": "HS256", "kid": NAME, "url": url}
    mac = json.loads(jws(inner, one.jwk, lambda data: hmac.new(base64.urlsafe_b64decode(SECRET + "="), data, "sha256").digest()))
    messages = [(url, jws({"alg": "ES256", "nonce": one.fresh(), "url": url, "jwk": one.jwk}, {"externalAccountBinding": mac}, one.sign))
                for _ in range(8)]
    answers = at_once(messages)
    vigie.equal(sorted({status for status, _ in answers} - {200}), [201], answers)
    vigie.equal(len({told["orders"] for _, told in answers}), 1, answers)
    first, second, fresh = client(), client(), Acme(CHU, NAME, SECRET)
    url = f"{CHU.url}/acme/key-change"
    messages = []
    for who in (first, second):
        inner = json.loads(jws({"alg": "ES256", "jwk": fresh.jwk, "url": url}, {"account": who.kid, "oldKey": who.jwk}, fresh.sign))
        messages.append((url, jws({"alg": "ES256", "nonce": who.fresh(), "url": url, "kid": who.kid}, inner, who.sign)))
    answers = at_once(messages)
    vigie.equal(sorted(status for status, _ in answers), [200, 409], answers)


def test_replay_after_restart():
    """messages of ACME, SCEP and EST sent again after a restart issue nothing"""
    one = client()
    url = f"{CHU.url}/acme/new-order"
    message = jws({"alg": "ES256", "nonce": one.fresh(), "url": url, "kid": one.kid}, {"identifiers": [{"type": "dns", "value": "re.chu.test"}]},
                  one.sign)
    vigie.equal(send(url, message)[0], 201)
    device = Scep(CHU, "replayed")
    asked = device.message(scep.REQUEST, device.csr("DNS:replayed.chu.test", challenge=f"{NAME}:{SECRET}"))
    first = device.read(device.post(asked))
    vigie.equal(first[0], scep.SUCCESS)
    before = CHU.certificates()
    CHU.daemon.stop()
    CHU.daemon.start()
    status, told = send(url, message)
    vigie.equal((status, told["type"]), (400, "urn:ietf:params:acme:error:badNonce"))
    vigie.equal(device.read(device.post(asked)), first)
    vigie.equal(CHU.certificates(), before)


def test_scep_renewals():
    """a renewal signed by a certificate that is revoked, ended, another authority's or its own yields nothing; nor does one whose request
    has other names, by a certificate of another profile"""
    before = None
    device = Scep(CHU, "worn")
    status, told = device.send(scep.REQUEST, device.csr("DNS:worn.chu.test", challenge=f"{NAME}:{SECRET}"))
    vigie.equal(status, scep.SUCCESS)
    CHU.path("worn.pem").write_text(told)
    owner = Scep(CHU, "worn-new", CHU.path("worn.pem"), device.key)
    CHU.openssl("genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "renewed.key")
    before = CHU.certificates()
    CHU.issued("other", "server-ssl", "rsa:2048", "DNS:other.chu.test", fields=("organisation=CHU de Test",))
    before += 1
    server = Scep(CHU, "server", CHU.path("other.pem"), CHU.path("other.key"))
    status, told = server.send(scep.RENEWAL, server.csr("DNS:worn.chu.test", key="renewed.key"))
    vigie.equal(status, scep.FAILURE, told)
    CHU.openssl("req", "-x509", "-key", device.key, "-subj", "/CN=worn", "-addext", "subjectAltName=DNS:worn.chu.test", "-out", "lookalike.pem")
    lookalike = Scep(CHU, "lookalike", CHU.path("lookalike.pem"), device.key)
    vigie.equal(lookalike.send(scep.RENEWAL, lookalike.csr("DNS:worn.chu.test", key="renewed.key"))[0], scep.FAILURE)
    CHU.ca("revoke", CHU.serial(CHU.path("worn.pem")), "--reason", "superseded")
    for kind in (scep.RENEWAL, scep.REQUEST):
        owner.transaction = os.urandom(8).hex()
        vigie.equal(owner.send(kind, owner.csr("DNS:worn.chu.test", key="renewed.key"))[0], scep.FAILURE, kind)
    vigie.equal(CHU.certificates(), before)


with CHU:
    tap.run([test_jws_confused, test_kid_of_any_kind, test_out_of_order, test_others_by_number, test_many_enrolments, test_open_ended, test_account_key,
             test_account_race, test_replay_after_restart, test_scep_renewals])
