#!/usr/bin/env python3
"""Reading mail from strangers: what people and programs write, and what is meant to break the reader."""
import base64
import email.message
import email.policy
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import tap

TOOL = sys.argv[1]
FOLDER = tempfile.TemporaryDirectory()
CONFIG = os.path.join(FOLDER.name, "vigie.conf")
with open(CONFIG, "w") as config:
    config.write("[mail]\nfrom = CSIRT <csirt@chu.test>\n")
COUNT = 0


def read(*raws, within=60):
    """What the reader says of each message, in children of a cell."""
    global COUNT
    paths = []
    for raw in raws:
        COUNT += 1
        paths.append(os.path.join(FOLDER.name, "%d.eml" % COUNT))
        with open(paths[-1], "wb") as out:
            out.write(raw if isinstance(raw, bytes) else raw.encode())
    done = subprocess.run([TOOL, CONFIG, "read", *paths], capture_output=True, timeout=within)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return answers if len(raws) > 1 else answers[0]


def equal(got, wanted):
    if got != wanted:
        raise AssertionError("%.500r, not %.500r" % (got, wanted))


def contains(whole, part):
    if part not in whole:
        raise AssertionError("%.500r not in %.500r" % (part, whole))


HEAD = "From: Doe <jd@hop.test>\nTo: csirt@chu.test\nSubject: s\nMessage-ID: <m1@hop.test>\n"


def header_fields():
    """people, dates, subjects and threads are told in UTF-8, whatever their encoding"""
    got = read("From: =?utf-8?q?Ren=C3=A9e?= <Renee@CHU.test>\r\nTo: x@y.test, \"Z, q\" <z@q.test>,\r\n team: a@b.test, c@d.test;\r\n"
               "Cc: d@e.test\r\nReply-To: r@e.test\r\nSubject: =?iso-8859-1?q?=E9t=E9?= =?utf-8?b?4oKs?=\r\n"
               "Date: Sat, 21 Nov 2026 20:00:00 +0100\r\nMessage-ID: <a.1@b>\r\nIn-Reply-To: <z@q>\r\n"
               "References: <x@q>\r\n\t<y@q> <z@q>\r\n\r\ntexte\r\n")
    equal(got["from"], [{"name": "Renée", "address": "Renee@CHU.test"}])
    equal([one["address"] for one in got["to"]], ["x@y.test", "z@q.test", "a@b.test", "c@d.test"])
    equal(got["to"][1]["name"], "Z, q")
    equal((got["cc"][0]["address"], got["reply_to"][0]["address"]), ("d@e.test", "r@e.test"))
    equal(got["subject"], "été€")
    equal(got["date"], 1795287600)
    equal((got["message_id"], got["in_reply_to"], got["references"]), ("a.1@b", ["z@q"], ["x@q", "y@q", "z@q"]))
    equal((got["text"].strip(), got["text_from"], got["readable"]), ("texte", "plain", True))


def plain_before_html():
    """of alternatives the plain one is read; without one HTML is reduced, scripts left out, links shown"""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["Subject"] = "a@b.test", "s"
    message.set_content("clair é\n")
    message.add_alternative("<p>html</p>", subtype="html")
    got = read(message.as_bytes())
    equal((got["text"].strip(), got["text_from"], got["attachments"]), ("clair é", "plain", []))
    got = read(HEAD + "Content-Type: text/html; charset=utf-8\n\n<html><head><title>t</title><style>p{}</style></head>"
               "<body><script>alert('x < y')</script><p>Bonjour&nbsp;&eacute;quipe,</p><ul><li>un<li>deux</ul>"
               "<a href=\"http://evil.test/?a=1&amp;b=2\">https://chu.test</a> 1 &lt; 2 <!-- caché --> fin")
    equal(got["text"], "Bonjour équipe,\n\n- un\n- deux\nhttps://chu.test <http://evil.test/?a=1&b=2> 1 < 2 fin")
    equal(got["text_from"], "html")


def attachments_told():
    """attachments come out decoded, with their hash; their names can do no harm"""
    content = bytes(range(256)) * 3
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["Subject"] = "a@b.test", "s"
    message.set_content("voir ci-joint\n")
    for name in ("../../etc/passwd", "C:\\windows\\évil\u202egpj.exe", "con.txt", ".bashrc", "a" * 300 + ".pdf", "/.."):
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    got = read(message.as_bytes())
    equal([one["name"] for one in got["attachments"]],
          ["passwd", "évilgpj.exe", "_con.txt", "bashrc", "a" * 116 + ".pdf", "part-1.7.bin"])
    for one in got["attachments"]:
        equal((one["sha256"], one["bytes"]), (hashlib.sha256(content).hexdigest(), content.hex()))
    inner = email.message.EmailMessage(policy=email.policy.SMTP)
    inner["Subject"] = "Transféré : faille"
    inner.set_content("dedans")
    outer = email.message.EmailMessage(policy=email.policy.SMTP)
    outer["From"], outer["Subject"] = "a@b.test", "s"
    outer.set_content("dehors")
    outer.add_attachment(inner)
    got = read(outer.as_bytes())
    equal((got["attachments"][0]["name"], got["attachments"][0]["message"]), ("Transféré _ faille.eml", True))
    equal(got["text"].strip(), "dehors")


def charsets():
    """what is not of the charset it names is read all the same, and said"""
    for charset, text, problem in (("iso-8859-1", "été".encode("latin-1"), []), ("utf-8", "été".encode("latin-1"), ["charset"]),
                                   ("x-unknown", "été".encode(), ["charset"]), ("", "été".encode("cp1252"), []),
                                   ("utf-16", "été".encode("utf-16"), []), ("//IGNORE", "été".encode(), ["charset"])):
        got = read(HEAD.encode() + b"Content-Type: text/plain; charset=\"" + charset.encode() + b"\"\n\n" + text)
        equal(got["problems"], problem)
        if charset != "utf-8":
            equal(got["text"], "été")
    got = read(HEAD + "\nbell \a esc \x1b[31m nul \0 bidi \u202e end")
    equal(got["text"], "bell  esc [31m nul  bidi \u202e end")
    got = read("Subject: a\x1b[31m\u202eb\n\nx")
    equal(got["subject"], "a[31mb")


def flowed():
    """soft line breaks are undone, quotes kept"""
    got = read(HEAD + "Content-Type: text/plain; format=flowed\n\n> un \n> deux\nTrois \nquatre\n-- \nsigné\n")
    equal(got["text"], "> un deux\nTrois quatre\n-- \nsigné\n")


def automatic():
    """who answers by itself is recognised, people are not mistaken for programs"""
    cases = [("Auto-Submitted: auto-replied (vacation)\n", "reply"), ("X-Autoreply: yes\n", "reply"),
             ("Subject: Réponse automatique : absente\n", "reply"), ("Precedence: bulk\n", "bulk"),
             ("List-Id: <l.test>\n", "bulk"), ("Auto-Submitted: auto-generated\n", "generated"),
             ("X-Auto-Response-Suppress: All\n", "generated"), ("Return-Path: <>\n", "generated"),
             ("Auto-Submitted: no\nX-Auto-Response-Suppress: All\n", None), ("X-Mailer: evolution\n", None),
             ("Subject: Re: out of office servers\n", None)]
    answers = read(*["From: a@b.test\n" + head + "\nx" for head, kind in cases])
    for (head, kind), got in zip(cases, answers):
        equal((head, (got["automatic"] or {}).get("kind")), (head, kind))
    equal(read("From: a@b.test\nX-Loop: csirt@chu.test\n\nx")["loop"], True)
    equal(read("From: a@b.test\nX-Loop: other@chu.test\n\nx")["loop"], False)


BOUNCE = """Return-Path: <>
From: MAILER-DAEMON@relay.test
To: csirt@chu.test
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

I'm sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.test

Final-Recipient: rfc822; dsi@chu.test
Original-Recipient: rfc822;dsi-alias@chu.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1
 unknown user

Final-Recipient: rfc822; b@chu.test
Action: delayed
Status: 4.4.1
--b
Content-Type: text/rfc822-headers

Message-ID: <our-1@chu.test>
Subject: x
--b--
"""


def bounces():
    """a delivery report tells whom it failed for, how, and which message of ours it was"""
    got = read(BOUNCE)
    equal(got["automatic"]["kind"], "bounce")
    equal(got["bounce"], {"message_id": "our-1@chu.test", "recipients": [
        {"address": "dsi-alias@chu.test", "action": "failed", "status": "5.1.1", "diagnostic": "550 5.1.1 unknown user"},
        {"address": "b@chu.test", "action": "delayed", "status": "4.4.1", "diagnostic": ""}]})
    equal(got["text"].strip(), "I'm sorry.")
    got = read("From: Mail Delivery System <Mailer-Daemon@x.test>\nX-Failed-Recipients: a@b.test, c@d.test\n\nfailed")
    equal([one["address"] for one in got["bounce"]["recipients"]], ["a@b.test", "c@d.test"])


def huge():
    """a mail of 50 MB, one of 1,000 and one of 100,000 parts are read within their bounds and in seconds"""
    started = time.monotonic()
    body = base64.encodebytes(os.urandom(37 << 20))
    got = read(HEAD.encode() + b"Content-Type: application/zip; name=big.zip\nContent-Transfer-Encoding: base64\n\n" + body)
    equal((got["attachments"][0]["size"], got["problems"]), (37 << 20, []))
    many = HEAD + "Content-Type: multipart/mixed; boundary=b\n\n"
    for number, problems in ((998, []), (100000, ["too-many-parts"])):
        got = read(many + "".join("--b\nContent-Type: image/png\n\n%d\n" % i for i in range(number)) + "--b--\n")
        equal((len(got["attachments"]), got["problems"]), (min(number, 999), problems))
    got = read(b"Subject: s\n\n" + b"x" * (70 << 20))
    equal((got["problems"], got["size"], len(got["text"])), (["too-large", "text-cut"], (70 << 20) + 12, 1 << 20))
    if time.monotonic() - started > 40:
        raise AssertionError("took %d s" % (time.monotonic() - started))


def nested():
    """multiparts 100 deep are read, deeper ones are bounded and said; so are endless headers and recipients"""
    for depth, problems in ((99, []), (5000, ["too-deep"])):
        raw = HEAD + "".join("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(depth))
        raw += "Content-Type: text/plain\n\nau fond\n" + "".join("--b%d--\n" % i for i in reversed(range(depth)))
        got = read(raw)
        equal([one for one in got["problems"] if one != "broken-mime"], problems)
        if not problems:
            equal(got["text"].strip(), "au fond")
    equal(read("X: " + "y" * 300000 + "\n" + HEAD + "\nx")["problems"], ["header-too-large"])
    got = read("To: " + ", ".join("a%d@b.test" % i for i in range(1000)) + "\n\nx")
    equal((len(got["to"]), got["problems"]), (200, ["too-many-addresses"]))


def broken():
    """broken MIME is read as far as it goes: no boundary, no end, no header, nothing at all, garbage"""
    for raw in (HEAD + "Content-Type: multipart/mixed\n\nx", HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx",
                HEAD + "Content-Type: multipart/mixed; boundary=b\n\nno part"):
        got = read(raw)
        equal((got["readable"], got["problems"]), (True, ["broken-mime"]))
        contains(got["text"] + "no part x", "x")
    for raw in (b"", b"\n", b"\0" * 1000, os.urandom(100000), b"From: <\nTo: ((((\"\nSubject: =?utf-8?q?\n\n", b"a: b",
                HEAD.encode() + b"Content-Transfer-Encoding: base64\n\n%%%%!!"):
        equal((raw, read(raw)["readable"]), (raw, True))
    equal(read(HEAD + "Content-Transfer-Encoding: base64\n\n!!!!aGVsbG8=")["problems"], ["broken-encoding"])
    equal(read("Subject: a\nSubject: b\n\nx")["problems"], ["duplicate-header"])


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % entry) as stat:
                if entry.isdigit() and int(stat.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry))
        except OSError:
            pass
    return found


def sandboxed(pid):
    try:
        with open("/proc/%d/status" % pid) as status:
            return "Seccomp:\t2" in status.read()
    except OSError:
        return False


def isolated():
    """a child that dies makes its message unreadable, not lost, and the next one is read"""
    big, small = os.path.join(FOLDER.name, "big.eml"), os.path.join(FOLDER.name, "small.eml")
    with open(big, "wb") as out:
        out.write(HEAD.encode() + b"\n" + b"x" * (60 << 20))
    with open(small, "w") as out:
        out.write(HEAD + "\nfin")
    with subprocess.Popen([TOOL, CONFIG, "read", big, big, small], stdout=subprocess.PIPE) as tool:
        killed = set()
        while len(killed) < 2 and tool.poll() is None:
            for keeper in children(tool.pid):
                for child in children(keeper):
                    if child not in killed and len(killed) < 2 and sandboxed(child):
                        os.kill(child, signal.SIGKILL)
                        killed.add(child)
        first, second, third = [json.loads(line) for line in tool.stdout.read().splitlines()]
    equal((first["readable"], first["text"], first["size"] > 60 << 20), (False, "", True))
    equal((second["readable"], third["text"]), (True, "fin"))
    equal(set(first) - set(third), set())

tap.run([header_fields, plain_before_html, attachments_told, charsets, flowed, automatic, bounces, huge, nested, broken, isolated])
