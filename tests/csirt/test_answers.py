"""What comes back: a mail opens a case, an answer joins it and stops the ladder, a bounce moves the ladder on. Real GnuPG and SMTP."""
import base64
import email
import email.policy
import json
import pathlib
import subprocess

import smtp
import tap
from csirt import FOLDER, OUR, THEIR, THEIRS, TOOL, Installation, end, gpg, opened, proven, site, told
from publisher import page

KEY = gpg(THEIRS, "--armor", "--export", THEIR)
COUNT = 0


def comes(installation, raw, mailbox="incident"):
    """A message comes in and is filed."""
    global COUNT
    COUNT += 1
    path = FOLDER / f"in-{COUNT}.eml"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    installation.run([TOOL, str(installation.config)], "inbound", mailbox, path)
    installation.work(1)


def mail(subject, body="Bonjour.\n", sender="Anne Petit <a.petit@hop.test>", number=None, **headers):
    global COUNT
    fields = {"From": sender, "To": "csirt@vigie.test", "Subject": subject, "Message-ID": f"<{number or COUNT}@hop.test>",
              "Date": "Mon, 23 Nov 2026 10:00:00 +0100", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n" + body.replace("\n", "\r\n")


def rows(installation, sql):
    path = installation.config.read_text().split("sqlite:")[1].split("\n")[0]
    done = subprocess.run(["sqlite3", "-json", path, sql], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


def plain(raw):
    return email.message_from_bytes(raw, policy=email.policy.default).get_body(preferencelist=("plain",)).get_content()


def test_opens():
    """A mail to the incident mailbox is a case, urgent where it says so, with its attachment; acknowledged once, without its words; the answer to
    that acknowledgement joins the case, and so does one that only bears the number."""
    with smtp.Server() as server:
        installation = Installation(server)
        body = ("--b\nContent-Type: text/plain; charset=utf-8\n\nRançongiciel au laboratoire.\n--b\n"
                "Content-Type: image/png; name=ecran.png\nContent-Transfer-Encoding: base64\n\nUE5H\n--b--\n")
        comes(installation, mail("[URGENT] Incident", body, number="first", MIME_Version="1.0",
                                 Content_Type="multipart/mixed; boundary=b"))
        case, = rows(installation, "SELECT * FROM csirt_case")
        assert (case["kind"], case["channel"], case["urgent"], case["title"]) == ("incident", "mail", 1, "[URGENT] Incident"), case
        message, = rows(installation, "SELECT * FROM csirt_message")
        assert message["body"].strip() == "Rançongiciel au laboratoire." and message["party_id"] > 0, message
        (_, recipients, raw), = server.handler.messages
        answer = email.message_from_bytes(raw, policy=email.policy.default)
        assert recipients == ["a.petit@hop.test"] and answer["Auto-Submitted"] == "auto-replied"
        assert case["reference"] in answer["Subject"] and answer["In-Reply-To"] == "<first@hop.test>"
        assert "laboratoire" not in plain(raw)
        comes(installation, mail(f"Re: {case['reference']} : votre message est reçu", "Suite.\n", number="second",
                                 In_Reply_To="<first@hop.test>"))
        comes(installation, mail(f"tr: {case['reference'].lower()}", "Encore.\n", number="third"))
        comes(installation, mail("Autre chose", number="fourth"), mailbox="contact")
        assert [row["case_id"] for row in rows(installation, "SELECT case_id FROM csirt_message ORDER BY id")] == [1, 1, 1, 2]
        assert rows(installation, "SELECT kind FROM csirt_case WHERE id = 2") == [{"kind": "request"}]
        assert len(server.handler.messages) == 2


def test_answer():
    """An answer to a notice, encrypted to us and signed, joins by Message-ID and stops the ladder; an autoresponder's answers nothing."""
    with smtp.Server() as server, site({"chu.localhost": {"/": page("x")}}, KEY) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        notice = told(installation, reference)
        ours = email.message_from_bytes(server.handler.messages[0][2], policy=email.policy.default)["Message-ID"]
        comes(installation, mail("Absence", "Je suis absent.\n", sender="security@chu.localhost", number="auto", In_Reply_To=ours,
                                 Auto_Submitted="auto-replied"))
        assert installation.case("notice", notice["id"])["state"] == "waiting"
        inside = "Content-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\nSubject: Re: %s\n\nCorrigé.\n" % reference
        gpg(THEIRS, "--import", data=gpg(FOLDER / "ours", "--export", OUR))
        sealed = gpg(THEIRS, "--armor", "--trust-model", "always", "-r", OUR, "--sign", "-u", THEIR, "--encrypt",
                     data=inside.encode()).decode()
        comes(installation, mail("...", "--e\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--e\n"
                                 "Content-Type: application/octet-stream\n\n" + sealed + "\n--e--\n", number="sealed",
                                 sender="RSSI <security@chu.localhost>", In_Reply_To=ours, MIME_Version="1.0",
                                 Content_Type="multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e"))
        assert installation.case("notice", notice["id"])["state"] == "answered"
        last = rows(installation, "SELECT * FROM csirt_message ORDER BY id DESC LIMIT 1")[0]
        assert last["body"].strip() == "Corrigé." and reference in last["subject"], last
        protection = json.loads(last["protection"])
        assert protection["encryption"]["decrypted"] and protection["signatures"][0]["state"] == "good", protection
        assert len(rows(installation, "SELECT id FROM csirt_case")) == 1
        assert len(server.handler.messages) == 1  # nobody answers an answer


def test_changed():
    """A mail that was caught, changed and sent by another is acknowledged in the same words whether it decrypts or not: it joins no case by
    what is inside."""
    with smtp.Server() as server:
        installation = Installation(server)
        key, certificate = FOLDER / "smime.key", FOLDER / "smime.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=CSIRT", "-addext",
                        "subjectAltName=email:csirt@vigie.test", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        (FOLDER / "smime.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        settings = installation.config.read_text()
        installation.config.write_text(settings.replace("[mail]\n", f"[mail]\nsmime_file = {FOLDER}/smime.pem\n"))
        comes(installation, mail("Incident", number="first"))
        case, = rows(installation, "SELECT * FROM csirt_case")

        def sealed(inside):
            done = subprocess.run(["openssl", "cms", "-encrypt", "-binary", "-aes128", "-outform", "DER", certificate], input=inside.encode(),
                                  check=True, capture_output=True)
            return bytearray(done.stdout)

        def sends(number, content):
            comes(installation, mail("...", base64.encodebytes(content).decode(), sender="thief@x.test", number=number,
                                     Content_Type="application/pkcs7-mime; smime-type=enveloped-data", Content_Transfer_Encoding="base64"))
            answer = email.message_from_bytes(server.handler.messages[-1][2], policy=email.policy.default)
            return answer["In-Reply-To"], answer["Subject"].replace(rows(installation, "SELECT reference FROM csirt_case")[-1]["reference"], "#")

        good = sealed(f"Content-Type: text/plain; hp=\"cipher\"\nSubject: {case['reference']}\nReferences: <first@hop.test>\n\n.\n")
        broken = bytearray(good)
        broken[-17] ^= 0x80  # of the padding, whatever its length: by chance, it would be good once in 256 times
        told = [sends("good", good), sends("broken", broken)]
        assert [one[0] for one in told] == ["<good@hop.test>", "<broken@hop.test>"] and told[0][1] == told[1][1], told
        assert [row["case_id"] for row in rows(installation, "SELECT case_id FROM csirt_message ORDER BY id")] == [1, 2, 3]
        read, closed = (json.loads(row["protection"]) for row in rows(installation, "SELECT protection FROM csirt_message ORDER BY id")[1:])
        assert read["encryption"]["decrypted"] and not closed["encryption"]["decrypted"], (read, closed)


def test_bounce():
    """A delivery report moves the ladder on, once; a delay does not; one of no message of ours is left."""
    with smtp.Server() as server, site({"chu.localhost": {"/": page("Sécurité : rssi@chu.localhost")}}, KEY) as web:
        installation = Installation(server)
        reference = proven(installation, f"chu.localhost:{web.port}")
        notice = told(installation, reference)
        ours = email.message_from_bytes(server.handler.messages[0][2], policy=email.policy.default)["Message-ID"]

        def report(action, status, original, number):
            return mail("Undelivered", "--r\nContent-Type: text/plain\n\nSorry.\n--r\nContent-Type: message/delivery-status\n\n"
                        "Reporting-MTA: dns; mx.test\n\nFinal-Recipient: rfc822; security@chu.localhost\n"
                        f"Action: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {status} no\n\n--r\n"
                        f"Content-Type: text/rfc822-headers\n\nMessage-ID: {original}\nSubject: ...\n\n--r--\n",
                        sender="MAILER-DAEMON@mx.test", number=number, Return_Path="<>", MIME_Version="1.0",
                        Content_Type="multipart/report; report-type=delivery-status; boundary=r")
        comes(installation, report("delayed", "4.4.1", ours, "late"))
        assert len(server.handler.messages) == 1
        comes(installation, report("failed", "5.1.1", ours, "gone"))
        installation.work(2)
        comes(installation, report("failed", "5.1.1", ours, "again"))
        comes(installation, report("failed", "5.1.1", "<else@where.test>", "else"))
        assert [recipients for _, recipients, _ in server.handler.messages][1:] == [["rssi@chu.localhost"]]
        assert installation.case("notice", notice["id"])["ladder"][0]["state"] == "done"
        assert len(rows(installation, "SELECT id FROM csirt_case")) == 1


try:
    tap.run([test_opens, test_answer, test_changed, test_bounce])
finally:
    end()
