"""Reminders of certificates that end: each once, to the address of the request, and none where there is a successor."""
import email
import email.policy
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from daemon import wait_for  # noqa: E402
import smtp  # noqa: E402
from support import tap, vigie  # noqa: E402

SERVER = smtp.Server()
CHU = Registrar()
CHU.account("c.martin", role="biomed")
CHU.account("a.dsi", "dsi")


def issue(name, mail, days):
    csr = CHU.csr(name, f"DNS:{name}.chu.test")
    one = CHU.request("add", "--profile", "device", "--csr", csr, "--field", "organisation=CHU de Test", "--account", "c.martin",
                      *(("--mail", mail) if mail else ()), "--days", days)
    return CHU.request("validate", one["id"], "--account", "a.dsi", "--wait", 60)


def hour():
    """An hour later: the timer's slot comes again. How many messages there are when it was there."""
    wait_for(lambda: CHU.sql("SELECT 1 FROM schedule WHERE name = 'certificates-end'"), 20)
    CHU.sql("UPDATE schedule SET last = 0 WHERE name = 'certificates-end'")
    wait_for(lambda: CHU.sql("SELECT 1 FROM schedule WHERE name = 'certificates-end' AND last > 0"), 20)
    wait_for(lambda: not CHU.sql("SELECT 1 FROM mail WHERE state IN ('queued', 'sending')"), 20)
    return len(SERVER.handler.messages)


def last():
    sender, recipients, content = SERVER.handler.messages[-1]
    return recipients, email.message_from_bytes(content, policy=email.policy.default)


def test_once():
    """at 90, 30 and 7 days before the end, once each, whoever asks"""
    one = issue("scanner", "labo@chu.test", 60)
    issue("silent", None, 60)
    issue("later", "labo@chu.test", 400)
    vigie.equal((hour(), hour()), (1, 1), "90 days")
    recipients, message = last()
    text = message.get_content()
    vigie.equal(recipients, ["labo@chu.test"], "to")
    assert "scanner.chu.test" in message["Subject"] and one["serial"] in text and f"/requests/{one['id']}" in text, text
    for days, expected in ((29, 2), (6, 3), (1, 3), (-1, 3)):
        CHU.sql(f"UPDATE pki_certificate SET not_after = (SELECT max(time) FROM pki_log) + {days * 86400} "
                f"WHERE subject LIKE '%scanner%'")
        vigie.equal((hour(), hour()), (expected, expected), f"{days} days")


def test_not():
    """none for what was revoked, nor for what has its successor"""
    before = hour()
    gone, old = issue("gone", "labo@chu.test", 400), issue("old", "labo@chu.test", 400)
    CHU.run("ca", "revoke", gone["serial"], "--reason", "superseded")
    new = CHU.request("renew", old["serial"], "--csr", CHU.csr("old2"), "--account", "c.martin")
    CHU.request("validate", new["id"], "--account", "a.dsi", "--wait", 60)
    CHU.sql(f"UPDATE pki_certificate SET not_after = not_after - {395 * 86400} WHERE id IN (SELECT issued FROM pki_request WHERE id IN "
            f"({gone['id']}, {old['id']}))")
    vigie.equal(hour(), before, "none")


def test_revoked():
    """where an authority is revoked, who asked for what it issued is told what to do, once; the portal tells everyone, on each page"""
    before = hour()
    one = issue("pump", "labo@chu.test", 400)
    CHU.ca("compromise", "equipements")
    told = hour() - before
    text = next(message for message in map(lambda m: email.message_from_bytes(m[2], policy=email.policy.default),
                                           SERVER.handler.messages[before:]) if "pump" in message["Subject"]).get_content()
    assert one["serial"] in text, text
    vigie.equal(hour() - before, told, "once")


with SERVER:
    CHU.daemon.groups["mail"] = {"server": f"smtp://127.0.0.1:{SERVER.port}", "tls": "none", "from": "Vigie <vigie@chu.test>"}
    CHU.daemon.write_config()
    with CHU:
        tap.run([test_once, test_not, test_revoked])
