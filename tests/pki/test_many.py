"""Many requests decided in one action: each by its own rules, and the answer says which were not, and why."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import PASSWORD, Registrar  # noqa: E402
from browser import Person  # noqa: E402
from daemon import wait_for  # noqa: E402
from schema import fits  # noqa: E402
from support import tap, vigie  # noqa: E402

ORDER = 200
CHU = Registrar(profiles="registrar")
CHU.path("gmao.csv").write_text("N° GMAO;Désignation;Établissement\nA-1;Automate;CHU de Test\nB-2;Pousse-seringue;Clinique du Lac\n",
                                encoding="utf-8")
CHU.run("fleet", "import", CHU.path("gmao.csv"))
HERE, ELSEWHERE = (next(one["organisation"]["id"] for one in json.loads(CHU.run("fleet", "list", "--json").stdout)["items"]
                        if one["gmao"] == gmao) for gmao in ("A-1", "B-2"))
CHU.account("c.martin", role="biomed")
CHU.account("l.autre", role="biomed")
CHU.account("a.dsi", "dsi", role="biomed", organisation=HERE)
CHU.account("s.op", "operator")
CHU.account("nobody")


def person(name):
    return Person(CHU.daemon.port, name, PASSWORD.strip())


def ask(who, name, organisation=HERE):
    csr = CHU.csr(name, f"DNS:{name}.chu.test")
    done = who.send("/requests", "/account", {"csr": ("a.csr", csr.read_bytes())}, profile="device",
                    **{"field.organisation": "CHU de Test", "organisation": organisation})
    assert done.status == 303, done.plain[-1500:]
    return int(done.headers["Location"].rsplit("/", 1)[1])


def state(number):
    return CHU.sql(f"SELECT state FROM pki_request WHERE id = {number}")[0][0]


def boxes(page):
    return [int(number) for number in re.findall(r'name="requests\.(\d+)"', page)]


def decide(who, numbers, decision="validate", **more):
    return who.post("/requests/decide", "/requests/decide", decision=decision, **{f"requests.{n}": "yes" for n in numbers}, **more)


def test_order():
    """an order of 200: one page, under 200 KB, shows them all; one action validates them, and each is issued"""
    martin, dsi = person("c.martin"), person("a.dsi")
    numbers = [ask(martin, f"pump-{i}") for i in range(ORDER)]
    page = dsi.get("/requests/decide").text
    vigie.equal(sorted(boxes(page)), numbers, "what is offered")
    vigie.equal(" checked" in page, False, "nothing is picked beforehand")
    assert len(page) < 200_000, len(page)
    vigie.equal(dsi.get("/requests/decide?all=yes").text.count(" checked"), ORDER, "all at once, without script")
    assert "Decide several" in dsi.get("/requests").text
    done = decide(dsi, numbers)
    assert done.status == 200 and f"Requests validated: {ORDER}" in done.plain and "not decided" not in done.plain, done.plain
    vigie.equal(boxes(done.text), [], "what is left")
    wait_for(lambda: not CHU.sql("SELECT 1 FROM pki_request WHERE state = 'validated'"), 60)
    vigie.equal(CHU.sql("SELECT DISTINCT state FROM pki_request"), [("issued",)], "what came of them")
    vigie.equal(json.loads(CHU.run("audit-log", "verify", "--json").stdout)["faults"], [], "the log")


def test_each_for_its_own():
    """what the reader may not decide is not offered, and where its number is sent nonetheless, only the others are decided"""
    martin, autre, dsi = person("c.martin"), person("l.autre"), person("a.dsi")
    good, decided = ask(martin, "good"), ask(martin, "decided")
    elsewhere = ask(martin, "elsewhere", ELSEWHERE)
    CHU.request("refuse", decided, "--account", "a.dsi", "--reason", "twice")
    other = ask(autre, "other")
    vigie.equal(sorted(boxes(dsi.get("/requests/decide").text)), sorted([good, other]), "what is offered")
    vigie.equal(boxes(dsi.get("/requests/decide?requester=L.Autre").text), [other], "of one requester")
    vigie.equal(boxes(dsi.get("/requests/decide?profile=server-ssl").text), [], "of another profile")
    answer = decide(dsi, [good, decided, elsewhere, 999999])
    text = answer.plain
    assert "Requests validated: 1" in text and "Requests not decided: 3" in text, text
    for why in (f"request {decided}: it is decided already", f"request {elsewhere}: no role of this account covers it", "there is no request 999999"):
        assert why in text, (why, text)
    assert "elsewhere.chu.test" not in text, "what the reader does not see is not named"
    vigie.equal((CHU.decided(good)["state"], state(decided), state(elsewhere)), ("issued", "refused", "requested"))
    text = decide(person("c.martin"), [other]).plain
    assert "Requests not decided: 1" in text, text
    text = person("nobody").post("/requests/decide", "/account", decision="validate", **{f"requests.{other}": "yes"}).plain
    assert "Requests not decided: 1" in text and "other.chu.test" not in text, text
    vigie.equal(state(other), "requested")
    decide(dsi, [other], "refuse", reason="no more")


def test_dual():
    """where two persons are wanted, who asked is not the second one, in a heap neither"""
    numbers = [CHU.request("add", "--profile", "registrar", "--csr", CHU.csr(f"ra-{who}", key="rsa:2048"), "--field", "organisation=CHU",
                           "--field", f"common_name={who}", "--account", who)["id"] for who in ("s.op", "c.martin")]
    done = CHU.run("request", "validate", *numbers, "--account", "s.op", expect=1)
    vigie.equal((state(numbers[0]), CHU.decided(numbers[1])["state"]), ("requested", "issued"), done.stdout)
    assert "another person is wanted" in done.stdout, done.stdout


def test_refused():
    """all with one reason, which each who asked reads"""
    martin, dsi = person("c.martin"), person("a.dsi")
    numbers = [ask(martin, f"wrong-{i}") for i in range(3)]
    text = decide(dsi, numbers, "refuse", reason="Mauvais établissement").plain
    assert "Requests refused: 3" in text, text
    for number in numbers:
        assert "Mauvais établissement" in martin.get(f"/requests/{number}").plain


def test_mistakes():
    """nothing is decided by halves: none picked, nothing said, no reason, a reason with a validation; what was picked stays picked"""
    martin, dsi = person("c.martin"), person("a.dsi")
    one, two = ask(martin, "one"), ask(martin, "two")
    for sent, words in (((dsi, []), "no request was picked"), ((dsi, [one], ""), "validate or refuse is wanted"),
                        ((dsi, [one], "refuse"), "a reason is wanted")):
        answer = decide(*sent)
        assert answer.status == 400 and words in answer.plain, answer.plain
    answer = decide(dsi, [one], reason="Typed, then Enter")
    assert answer.status == 400 and "to validate, leave it empty" in answer.plain, answer.plain
    vigie.equal(re.findall(r'name="requests\.(\d+)" value="yes" checked', answer.text), [str(one)], "still picked")
    assert 'value="Typed, then Enter"' in answer.text
    vigie.equal((state(one), state(two)), ("requested", "requested"))
    decide(dsi, [one, two], "refuse", reason="no more")


def test_program():
    """the API takes a list, and answers as its schema says"""
    one = ask(person("c.martin"), "by-api")
    token = CHU.run("user", "token", "a.dsi", "--scope", "act", "--label", "t").stdout.strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    program = Person(CHU.daemon.port)
    answer = program.ask("POST", "/api/requests/decide", json.dumps({"requests": [str(one), "999999"], "decision": "validate"}), headers)
    told = json.loads(answer.text)
    vigie.equal(answer.status, 200, told)
    schemas = json.loads(program.get("/api/openapi.json").text)["components"]["schemas"]
    fits(told, schemas["RequestQueue"], schemas, "/requests/decide")
    vigie.equal([(result["id"], result["done"]) for result in told["results"]], [(one, True), (999999, False)])


def test_command():
    """vigie request validate N…: exit 1 and why where one was not; refuse N… with one reason"""
    martin = person("c.martin")
    one, two, three = (ask(martin, f"cli-{i}") for i in range(3))
    CHU.request("refuse", two, "--account", "a.dsi", "--reason", "twice")
    done = CHU.run("request", "validate", one, two, three, "--account", "a.dsi", "--wait", 60, expect=1)
    assert f"Request {one}: done" in done.stdout and f"Request {two}: not decided. request {two}: it is decided already" in done.stdout, done.stdout
    more = [ask(martin, f"cli-more-{i}") for i in range(2)]
    told = json.loads(CHU.run("request", "refuse", *more, "--account", "a.dsi", "--reason", "wrong", "--json").stdout)
    vigie.equal([(result["id"], result["done"], result["state"]) for result in told["requests"]], [(n, True, "refused") for n in more])
    CHU.run("request", "validate", *range(1, 502), "--account", "a.dsi", expect=2)
    CHU.run("request", "validate", one, "x", "--account", "a.dsi", expect=2)


with CHU:
    tap.run([test_order, test_each_for_its_own, test_dual, test_refused, test_mistakes, test_program, test_command])
