"""Evidence beside requests: nowhere in the database's files in clear, in its own row alone, with keys that can be changed,
read by those who may and noted, erased when its time is over."""
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from registrar import PASSWORD, Registrar  # noqa: E402
from browser import Person  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

CANARY = b"%PDF-1.4 passport of Zoe Dupont, 12AB34567"
CHU = Registrar()
CHU.account("g.guichet", "registration")
CHU.account("o.ordre", "ordre")
CHU.account("x.autre", "director")
FIELDS = ("rpps=10000000009", "surname=Dupont", "given_name=Zoé", "profession=10")


def person(name):
    return Person(CHU.daemon.port, name, PASSWORD.strip())


def asked(name, *papers):
    """A request for a person, with papers; the numbers of both."""
    one = CHU.request("add", "--profile", "professional-authentication", "--csr", CHU.csr(name), "--account", "g.guichet",
                      *(part for field in FIELDS for part in ("--field", field)))
    for paper in papers:
        CHU.path("passeport.pdf").write_bytes(paper)
        one = CHU.request("evidence", one["id"], CHU.path("passeport.pdf"), "--type", "application/pdf", "--account", "g.guichet")
    return one["id"], [paper["id"] for paper in one["evidence"]]


def holds(content):
    return CHU.holds(content)


def file(who, number, paper, expect=200):
    return who.get(f"/requests/{number}/evidence?file={paper}", expect=expect)


def kinds(number):
    return [row[0] for row in CHU.sql(f"SELECT kind FROM pki_log WHERE object = 'request {number}' ORDER BY seq")]


def reseal(expect=0):
    done = CHU.run("reseal", "--json", expect=expect)
    return json.loads(done.stdout)["evidence"]["sealed"] if expect == 0 else done.stderr


def set_keys(*keys):
    CHU.path("evidence-key").write_bytes(b"".join(keys))


def restart():
    CHU.daemon.stop()
    CHU.daemon.start()


def doctor():
    return CHU.doctor("seal")


def test_sealed():
    """neither the files of the database nor its dump hold what was attached; the same paper twice is not the same octets"""
    number, (first, second) = asked("sealed", CANARY, CANARY)
    assert not holds(CANARY) and not holds(CANARY[9:25]), "in clear"
    rows = CHU.sql(f"SELECT {'content' if not os.environ.get('VIGIE_TEST_POSTGRESQL') else 'md5(content)'} FROM pki_evidence "
                   f"WHERE request = {number}")
    assert rows[0] != rows[1], "the same octets twice"
    vigie.equal(file(person("o.ordre"), number, first).body, CANARY, "read")
    assert any(state == "well" and "2, by the key" in what for state, what in doctor()), doctor()


def test_noted():
    """each reading is a line of the log with who it was, and who may not read leaves none; the log has no name of a file"""
    number, (paper,) = asked("noted", CANARY)
    file(person("o.ordre"), number, paper)
    file(person("x.autre"), number, paper, expect=404)
    file(person("o.ordre"), number, 10**6, expect=404)
    vigie.equal(kinds(number), ["requested", "evidence", "evidence-read"])
    vigie.equal(CHU.sql(f"SELECT who FROM pki_log WHERE kind = 'evidence-read' AND object = 'request {number}'"), [("o.ordre",)])
    vigie.equal(CHU.sql("SELECT count(*) FROM pki_log WHERE details LIKE '%passeport%'")[0][0] in (0, "0"), True, "a name in the log")


def test_moved():
    """what was pasted from another request, or changed, does not open; nothing of it is given out or noted as read"""
    (mine, (paper,)), (other, (theirs,)) = asked("mine", CANARY), asked("other", b"%PDF-1.4 another person's passport")
    ordre = person("o.ordre")
    columns = "content, sha256, seal_key"
    CHU.sql(f"UPDATE pki_evidence SET ({columns}) = (SELECT {columns} FROM pki_evidence WHERE id = {theirs}) WHERE id = {paper}")
    said = file(ordre, mine, paper, expect=400)
    assert "does not open" in said.text and b"another person" not in said.body, said.text
    CHU.sql(f"UPDATE pki_evidence SET request = {mine} WHERE id = {theirs}")
    file(ordre, mine, theirs, expect=400)
    CHU.sql(f"UPDATE pki_evidence SET seal_key = '' WHERE id = {theirs}")
    assert "not sealed" in file(ordre, mine, theirs, expect=400).text, "unsealed"
    assert "evidence-read" not in kinds(mine) + kinds(other), kinds(mine)
    CHU.sql(f"DELETE FROM pki_evidence WHERE id IN ({paper}, {theirs})")


def test_keys():
    """another key says so; a new key before the old opens all, seals anew also when killed on its way, and then stands alone"""
    number, (paper,) = asked("keys", CANARY)
    old, new = CHU.path("evidence-key").read_bytes(), os.urandom(32)
    set_keys(new)
    restart()
    said = file(person("o.ordre"), number, paper, expect=409).text
    assert "does not hold" in said, said
    assert any(state == "broken" and "open with no key" in what for state, what in doctor()), doctor()
    set_keys(new, old)
    restart()
    vigie.equal(file(person("o.ordre"), number, paper).body, CANARY, "the old key behind the new")
    assert any(state == "soon" and "older key" in what for state, what in doctor()), doctor()
    for name in ("k1", "k2", "k3"):
        asked(name, *(os.urandom(600_000) for _ in range(8)))
    set_keys(os.urandom(32), new, old)
    for delay in (0.03, 0.06, 0.1, 0.15):
        process = subprocess.Popen([vigie.PROGRAM, "reseal", "--config", str(CHU.config)], stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = int(CHU.sql("SELECT count(DISTINCT seal_key) FROM pki_evidence")[0][0])
    reseal()
    vigie.equal(int(CHU.sql("SELECT count(DISTINCT seal_key) FROM pki_evidence")[0][0]), 1, f"keys, {left} before")
    set_keys(CHU.path("evidence-key").read_bytes()[:32])
    restart()
    vigie.equal(file(person("o.ordre"), number, paper).body, CANARY, "the newest key alone")


def test_from_before():
    """what an earlier version kept in clear is sealed when the new one starts, and leaves no trace in the files"""
    number, (paper,) = asked("before", b"%PDF-1.4")
    clear = CANARY * 3000
    digest = hashlib.sha256(clear).hexdigest()
    CHU.daemon.stop()
    literal = f"'\\x{clear.hex()}'" if os.environ.get("VIGIE_TEST_POSTGRESQL") else f"x'{clear.hex()}'"
    statement = f"UPDATE pki_evidence SET content = {literal}, sha256 = '{digest}', seal_key = '' WHERE id = {paper}"
    if os.environ.get("VIGIE_TEST_POSTGRESQL"):
        subprocess.run(["psql", "-q", CHU.store_url], input=statement, text=True, check=True)
    else:
        CHU.sql(statement)
    assert holds(CANARY), "there it is"
    assert any(state == "broken" and "1 are not sealed" in what for state, what in doctor()), doctor()
    CHU.daemon.start()
    assert not holds(CANARY), "in clear"
    vigie.equal(file(person("o.ordre"), number, paper).body, clear, "read")


def clean():
    CHU.sql("INSERT INTO job (kind, payload, state, due_at, unique_key) VALUES ('cleaning', '{}', 'waiting', 0, 'cleaning') "
            "ON CONFLICT DO NOTHING")  # its hour may have come
    wait_for(lambda: not CHU.sql("SELECT 1 FROM job WHERE kind = 'cleaning'"), 30)


def test_erased():
    """erased after its time: of a refused request soon, of a certificate after its end and that of what renewed it; the log and
    the page keep the digest alone"""
    refused, (first,) = asked("refused", CANARY)
    issued, (second,) = asked("issued", CANARY)
    waiting, (third,) = asked("waiting", CANARY)
    CHU.request("refuse", refused, "--reason", "unreadable", "--account", "o.ordre")
    one = CHU.request("validate", issued, "--account", "o.ordre", "--wait", 60)
    again = CHU.request("renew", one["serial"], "--csr", CHU.csr("again"), "--account", "g.guichet")
    CHU.request("validate", again["id"], "--account", "o.ordre", "--wait", 60)
    CHU.sql(f"UPDATE pki_certificate SET not_after = 1000 WHERE id = (SELECT issued FROM pki_request WHERE id = {issued})")
    clean()
    ordre = person("o.ordre")
    vigie.equal([file(ordre, number, paper).status for number, paper in ((refused, first), (issued, second), (waiting, third))],
                [200] * 3, "not yet")
    CHU.sql(f"UPDATE pki_request SET ended = 1000 WHERE id = {refused}")
    clean()
    said = file(ordre, refused, first, expect=404).text
    assert "erased" in said, said
    vigie.equal(file(ordre, issued, second).status, 200, "renewed")
    CHU.sql(f"UPDATE pki_certificate SET not_after = 1000 WHERE id = (SELECT issued FROM pki_request WHERE id = {again['id']})")
    clean()
    file(ordre, issued, second, expect=404)
    vigie.equal(file(ordre, waiting, third).status, 200, "a request that waits")
    vigie.equal(CHU.sql(f"SELECT name, type, length(content) FROM pki_evidence WHERE id IN ({first}, {second})"),
                [("", "", 0)] * 2 if not os.environ.get("VIGIE_TEST_POSTGRESQL") else [("", "", "0")] * 2, "rows")
    vigie.equal([kinds(number)[-1] for number in (refused, issued)], ["evidence-erased"] * 2, "lines")
    page = ordre.get(f"/requests/{refused}")
    assert "time for which it is kept being over" in page.plain and "passeport.pdf" not in page.text, page.plain
    told = ordre.json(f"/requests/{refused}")["evidence"][0]
    vigie.equal((told["erased"], told["name"], len(told["sha256"])), (True, "", 64), told)
    for name, value in (("evidence", 2), ("evidence-erased", 2)):
        digest = told["sha256"]
        count = CHU.sql(f"SELECT count(*) FROM pki_log WHERE kind = '{name}' AND details LIKE '%{digest}%'")[0][0]
        assert int(count) >= value, (name, count)


def test_no_key():
    """without a key nothing is taken, and page, command and doctor say so"""
    del CHU.daemon.groups["pki"]["evidence_key"]
    CHU.daemon.write_config()
    restart()
    number, _ = asked("none")
    CHU.path("a.pdf").write_bytes(CANARY)
    said = CHU.request("evidence", number, CHU.path("a.pdf"), expect=2)
    assert "pki.evidence_key" in said, said
    page = person("g.guichet").get("/requests/new?profile=professional-authentication").text
    assert 'name="evidence"' not in page, page
    assert any("nothing can be attached" in what for _, what in doctor()), doctor()
    CHU.daemon.groups["pki"]["evidence_key"] = str(CHU.path("evidence-key"))
    CHU.daemon.write_config()
    CHU.path("evidence-key").chmod(0o644)
    vigie.equal(vigie.run("serve", "--config", str(CHU.config)).returncode, 2, "a key that others read")
    CHU.path("evidence-key").chmod(0o600)


with CHU:
    tap.run([test_sealed, test_noted, test_moved, test_keys, test_from_before, test_erased, test_no_key])
