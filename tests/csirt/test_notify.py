"""A notice from end to end with real peers: a site with security.txt and its key, GnuPG on both sides, an SMTP server; by the commands
of vigie case, and the worker with a set clock."""
import email
import email.policy
import re
import urllib.request

import daemon
import smtp
import tap
from csirt import DAY, FOLDER, Installation, OUR, OURS, THEIR, THEIRS, end, gpg, make_key, no_source, opened, post, proven, served, site, told
from publisher import page, text


def test_encrypted():
    """security.txt names contact and key: the notice goes encrypted to that key and signed by ours; nothing of it is on the
    wire in clear, and nothing of the source is in it."""
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        contacts = installation.case("contacts", reference)
        assert contacts["contacts"][0]["value"] == "security@chu.localhost", contacts
        assert contacts["contacts"][0]["source"] == "security-txt"
        assert (contacts["keys"][0]["fingerprint"], contacts["keys"][0]["state"]) == (THEIR, "well"), contacts["keys"]
        notice = told(installation, reference)
        assert notice["state"] == "waiting" and notice["language"] == "fr", notice
        assert notice["protection"] == {"signed": True, "encrypted_to": [THEIR], "content_free": False}, notice["protection"]
        (sender, recipients, raw), = server.handler.messages
        assert (sender, recipients) == ("csirt@vigie.test", ["security@chu.localhost"])
        assert b"Secret-de-fabrique" not in raw and b"\r\nSubject: ...\r\n" in raw
        inside, status = opened(raw)
        content = inside.get_content()
        assert f"VALIDSIG {OUR}" in status or "GOODSIG" in status, status
        assert inside["Subject"].startswith("[TLP:AMBER] " + reference), inside["Subject"]
        assert "Secret-de-fabrique" in content and "liste des patients" in content and "TLP:AMBER" in content
        assert "https://vigie.test/verify" in content and reference in content
        code = re.search(r"Code +([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})", content)
        assert code and "{code}" not in content, content
        no_source(content, inside["Subject"], raw.decode(errors="replace"))


def test_signed_file():
    """A security.txt that is signed is verified with the key that it names; one changed after it was signed is hardly believed any more."""
    plain = "Contact: mailto:security@chu.localhost\nExpires: 2099-01-01T00:00:00Z\n"
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        reference = installation.open()
        signed = gpg(THEIRS, "--clear-sign", "-u", THEIR,
                     data=(plain + f"Encryption: https://chu.localhost:{web.port}/key.asc\n").encode()).decode()
        for body, state, low in ((signed, "good", False), (signed.replace("security@", "evil@"), "bad", True)):
            hosts["chu.localhost"]["/.well-known/security.txt"] = text(body)
            installation.case("contacts", reference, "--ask", "--domain", f"chu.localhost:{web.port}")
            installation.work()
            found = installation.case("contacts", reference)
            signature, = found["lookup"]["security_txt"]["signatures"]
            assert signature["state"] == state and THEIR.endswith(signature["fingerprint"]), signature
            address = "evil@chu.localhost" if low else "security@chu.localhost"
            contact, = [one for one in found["contacts"] if one["value"] == address]
            assert (contact["confidence"] < 30) == low, contact
            assert "data" not in found["lookup"]["security_txt"]


def test_held_key():
    """Without one in security.txt, a key held for the contact is used; with both, both can read it."""
    hosts = {"chu.localhost": {"/": page("x")}}
    other = make_key(FOLDER / "others", "Autre <autre@chu.localhost>")
    gpg(OURS, "--import", data=gpg(FOLDER / "others", "--export", other))
    with smtp.Server() as server, site(hosts) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        installation.case("contact", reference, "mail", "security@chu.localhost", "--fingerprint", other)
        notice = told(installation, reference)
        assert notice["protection"]["encrypted_to"] == [other], notice["protection"]
        hosts["chu.localhost"]["/key.asc"] = text(gpg(THEIRS, "--armor", "--export", THEIR).decode())
        hosts["chu.localhost"]["/.well-known/security.txt"] = text(
            "Contact: mailto:security@chu.localhost\nExpires: 2099-01-01T00:00:00Z\n"
            f"Encryption: https://chu.localhost:{web.port}/key.asc\n")
        installation.case("contacts", reference, "--ask", "--domain", f"chu.localhost:{web.port}")
        installation.work()
        notice = told(installation, reference)
        assert notice["protection"]["encrypted_to"] == [THEIR, other], notice["protection"]


def test_sick_key():
    """A key that has expired is told early, as a task and in the list of keys, and not used: what is sensitive then stays behind a link."""
    old = make_key(FOLDER / "old", "Vieille <security@chu.localhost>", life="30d", faked="-400d")
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(FOLDER / "old", "--armor", "--export", old)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        key, = installation.case("contacts", reference)["keys"]
        assert key["state"] == "broken" and "expired" in [one["id"] for one in key["problems"]], key
        notice = told(installation, reference)
        assert notice["protection"] == {"signed": True, "encrypted_to": [], "content_free": True}, notice["protection"]
        (_, _, raw), = server.handler.messages
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert message.get_content_type() == "multipart/signed", message.get_content_type()
        content = message.get_body(preferencelist=("plain",)).get_content()
        assert "https://vigie.test/notice?link=" in content
        for secret in ("Secret-de-fabrique", "patients", "Kermarec", "AMBER"):
            assert secret not in content and secret not in raw.decode(errors="replace"), secret
        no_source(content)


def test_reminders():
    """Reminders come after working days, later each time, without a word of the matter, answer the first message, and stop with an answer."""
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        notice = told(installation, reference)
        for day in range(0, 60, 3):
            installation.work(day * DAY)
        found = installation.case("notice", notice["id"])
        mails = len(server.handler.messages)
        assert mails >= 2 and found["ladder"][0]["tries"] == mails, (mails, found["ladder"])
        first, _ = opened(server.handler.messages[0][2])
        outer = email.message_from_bytes(server.handler.messages[0][2], policy=email.policy.default)
        for _, _, raw in server.handler.messages[1:]:
            inside, _ = opened(raw)
            content = inside.get_content()
            assert "Secret-de-fabrique" not in content and "patients" not in content, content
            reminder = email.message_from_bytes(raw, policy=email.policy.default)
            assert reminder["In-Reply-To"] == outer["Message-ID"], (reminder["In-Reply-To"], outer["Message-ID"])
        installation.case("outcome", notice["id"], "answered", "--note", "Corrigé, disent-ils")
        installation.work(200 * DAY)
        assert len(server.handler.messages) == mails
        follow = installation.case("follow", reference)
        assert follow["silent_days"] is None, follow


def test_refused_recipient():
    """An address that the server refuses counts as a bounce: the next address is tried at once, each in a mail of its own."""
    hosts = {"chu.localhost": {"/": page("Écrire à accueil@chu.localhost, sécurité : rssi@chu.localhost")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        server.handler.recipient_answers = ["550 5.1.1 no such user"]
        notice = told(installation, reference)
        installation.work(60)
        installation.work(120)
        (_, recipients, raw), = server.handler.messages
        assert recipients == ["rssi@chu.localhost"] or recipients == ["accueil@chu.localhost"], recipients
        assert b"security@chu.localhost" not in raw
        found = installation.case("notice", notice["id"])
        assert [one["state"] for one in found["ladder"]][:2] == ["done", "now"], found["ladder"]
        bounced = [one for one in installation.case("contacts", reference)["contacts"] if one["bounces"]]
        assert [one["value"] for one in bounced] == ["security@chu.localhost"], bounced


def test_unproven():
    """Without a verification the command refuses, and says what is missing; nothing is sent."""
    with smtp.Server() as server, site({"chu.localhost": {}}) as web:
        installation = Installation(server)
        reference = installation.open()
        installation.case("contacts", reference, "--ask", "--domain", f"chu.localhost:{web.port}")
        installation.work()
        notice = installation.case("notify", reference, "--observed", "x")
        said = installation.case("confirm", notice["id"], status=2)
        assert "record a verification first" in said, said
        installation.work()
        assert server.handler.messages == []


def test_served():
    """The same by vigie serve, its worker in its sandbox: asked, found, confirmed, encrypted and sent, without anything else being done."""
    hosts = {"chu.localhost": {"/": page("x")}}
    with smtp.Server() as server, site(hosts, gpg(THEIRS, "--armor", "--export", THEIR)) as web:
        installation = Installation(server)
        process = served(installation)
        try:
            reference = installation.open()
            installation.case("verify", reference, "present", "GET /status sans compte rend la liste des patients")
            installation.case("contacts", reference, "--ask", "--domain", f"chu.localhost:{web.port}")

            def found():
                """the search to be over"""
                return installation.case("contacts", reference)["lookup"]["state"] == "done"
            daemon.wait_for(found, 60, 0.5)
            notice = installation.case("notify", reference, "--observed", "Secret-de-fabrique")
            installation.case("confirm", notice["id"])
            assert server.handler.delivered.wait(60), process.log()
            inside, _ = opened(server.handler.messages[0][2])
            assert "Secret-de-fabrique" in inside.get_content()
        except AssertionError:
            print("# " + process.log().replace("\n", "\n# "))
            raise
        finally:
            process.stop()


def test_page():
    """What could not be encrypted is read on the page that the mail names, with the code that comes by phone, and not without;
    the page by which a message is checked knows its code."""
    with smtp.Server() as server, site({"chu.localhost": {"/": page("x")}}) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        notice = told(installation, reference)
        content = email.message_from_bytes(server.handler.messages[0][2], policy=email.policy.default).get_body(
            preferencelist=("plain",)).get_content()
        link = re.search(r"notice\?link=([0-9a-f]{32})", content.replace("\n", "")).group(1)
        check = re.search(r"Code +([0-9A-Z-]{14})", content).group(1)
        process = served(installation)
        try:
            here = f"http://127.0.0.1:{installation.port}"
            with urllib.request.urlopen(f"{here}/notice?link={link}", timeout=20) as answer:
                form = answer.read().decode()
            assert link in form and "Secret-de-fabrique" not in form and reference not in form
            assert post(f"{here}/notice", link=link, code="AAAA-BBBB-CCCC")[0] == 403
            code = installation.case("code", notice["id"]).split()[0]
            status, shown = post(f"{here}/notice", link=link, code=code.lower().replace("-", " "))
            assert status == 200 and "Secret-de-fabrique" in shown and "TLP:AMBER" in shown, (status, shown)
            no_source(shown)
            assert post(f"{here}/notice", link="0" * 32, code=code)[0] == 403
            assert post(f"{here}/notice", link="<script>", code=code)[0] == 403
            for _ in range(30):
                status, _ = post(f"{here}/notice", link=link, code="AAAA-BBBB-CCCC")
            assert status == 429, status
            status, shown = post(f"{here}/verify", reference=reference, code=check)
            assert status == 200 and ("Authentique" in shown or "Genuine" in shown), shown
        finally:
            process.stop()


try:
    tap.run([test_served, test_page, test_encrypted, test_signed_file, test_held_key, test_sick_key, test_reminders, test_refused_recipient, test_unproven])
finally:
    end()
