#!/usr/bin/env python3
"""OpenPGP and S/MIME with real GnuPG and OpenSSL as the other side: read, verified, sealed; keys judged."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import tap

TOOL = sys.argv[1]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vp"))
CONFIG = FOLDER / "vigie.conf"
OURS, THEIRS = FOLDER / "ours", FOLDER / "theirs"
SUBJECT = "[VIG-2026-000123] Serveur compromis à Kermarec"


def equal(got, wanted):
    if got != wanted:
        raise AssertionError("%.800r, not %.800r" % (got, wanted))


def gpg(home, *words, data=None, check=True, faked=None):
    command = (["faketime", "-f", faked] if faked else []) + [
        "gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *words]
    done = subprocess.run(command, input=data, capture_output=True)
    if check and done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def make_key(home, user, *options, faked=None):
    gpg(home, *options, "--quick-gen-key", user, "ed25519/cert,sign", "default", "2y", faked=faked)
    fingerprint = print_of(home, user)
    gpg(home, "--quick-add-key", fingerprint, "cv25519", "encr", "2y", faked=faked)
    return fingerprint


def print_of(home, user):
    lines = gpg(home, "--with-colons", "--list-keys", user).decode().splitlines()
    return [line.split(":")[9] for line in lines if line.startswith("fpr")][0]


def tool(*words, check=True):
    done = subprocess.run([TOOL, str(CONFIG), *map(str, words)], capture_output=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done if not check else done.stdout


def write(name, data):
    path = FOLDER / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def read(raw):
    return json.loads(tool("read", write("mail.eml", raw)))


def prepare():
    global OUR, THEIR
    for home in (OURS, THEIRS):
        home.mkdir(mode=0o700)
    OUR = make_key(OURS, "CSIRT CHU <csirt@chu.test>")
    THEIR = make_key(THEIRS, "Partenaire <p@hop.test>")
    gpg(THEIRS, "--import", data=gpg(OURS, "--export", OUR))
    for name in ("ours", "rogue"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=" + name,
                        "-addext", "subjectAltName=email:%s@chu.test" % name, "-keyout", FOLDER / (name + ".key"), "-out",
                        FOLDER / (name + ".crt")], check=True, capture_output=True)
    write("smime.pem", (FOLDER / "ours.key").read_bytes() + (FOLDER / "ours.crt").read_bytes())
    CONFIG.write_text("[mail]\nfrom = CSIRT <csirt@chu.test>\ngnupg_home = %s\nsmime_file = %s/smime.pem\n"
                      "[trust]\nroots = %s/ours.crt\nsystem = false\n" % (OURS, FOLDER, FOLDER))


def outer(body, subject="..."):
    return ("From: p@hop.test\nTo: csirt@chu.test\nSubject: %s\nMessage-ID: <m1@hop.test>\nMIME-Version: 1.0\n" % subject) + body


def pgp_mime(inside, *options):
    sealed = gpg(THEIRS, "--armor", "--trust-model", "always", "-r", OUR, *options, "--encrypt", data=inside.encode()).decode()
    return outer("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e\n\n--e\n"
                 "Content-Type: application/pgp-encrypted\n\nVersion: 1\n\n--e\nContent-Type: application/octet-stream\n\n"
                 + sealed + "\n--e--\n")


INSIDE = ("Content-Type: multipart/mixed; boundary=i; protected-headers=\"v1\"\nSubject: %s\n\n--i\n"
          "Content-Type: text/plain; charset=utf-8\n\nLes données sont chiffrées.\n--i\n"
          "Content-Type: image/png; name=ecran.png\n\nPNG\n--i--\n" % SUBJECT)


def pgp_mime_read():
    """PGP/MIME is opened, its real subject, text and attachments told; before the sender's key is known, and after"""
    raw = pgp_mime(INSIDE, "--sign", "-u", THEIR)
    got = read(raw)
    equal((got["subject"], got["outer_subject"], got["text"].strip()), (SUBJECT, "...", "Les données sont chiffrées."))
    equal([(one["name"], one["encrypted"]) for one in got["attachments"]], [("ecran.png", True)])
    equal({k: got["encryption"][k] for k in ("kind", "decrypted", "whole", "error")},
          {"kind": "pgp-mime", "decrypted": True, "whole": True, "error": None})
    equal([(one["state"], one["whole"]) for one in got["signatures"]], [("unknown-key", True)])
    keys = json.loads(tool("import", write("their.asc", gpg(THEIRS, "--armor", "--export", THEIR))))
    equal([(key["fingerprint"], key["health"], key["secret"]) for key in keys], [(THEIR, "well", False)])
    equal([(one["state"], one["fingerprint"], one["signer"]) for one in read(raw)["signatures"]],
          [("good", THEIR, "Partenaire <p@hop.test>")])
    exchange = raw.replace("multipart/encrypted; protocol=\"application/pgp-encrypted\"", "multipart/mixed")
    equal(read(exchange)["subject"], SUBJECT)


def not_for_us():
    """what is encrypted to others, broken or too large stays closed, is said, and is not lost"""
    stranger = FOLDER / "stranger"
    stranger.mkdir(mode=0o700)
    other = make_key(stranger, "x@y.test")
    gpg(THEIRS, "--import", data=gpg(stranger, "--export", other))
    raw = pgp_mime(INSIDE)
    theirs = gpg(THEIRS, "--armor", "--trust-model", "always", "-r", other, "--encrypt", data=b"x").decode()
    closed = raw[:raw.index("-----BEGIN")] + theirs + "\n--e--\n"
    got = read(closed)
    equal((got["encryption"]["decrypted"], got["readable"], got["subject"]), (False, True, "..."))
    equal(got["encryption"]["error"], "it is encrypted to none of our keys")
    equal(len(got["attachments"]), 1)
    got = read(raw.replace("-----BEGIN PGP MESSAGE-----\n\n", "-----BEGIN PGP MESSAGE-----\n\nAAAA"))
    equal((got["encryption"]["decrypted"], got["readable"]), (False, True))
    bomb = gpg(THEIRS, "--armor", "--trust-model", "always", "-r", OUR, "--compress-level", "9", "--encrypt",
               data=b"\0" * (200 << 20)).decode()
    started = time.monotonic()
    got = read(raw[:raw.index("-----BEGIN")] + bomb + "\n--e--\n")
    equal(got["encryption"]["error"], "it holds more than 64 MiB")
    if time.monotonic() - started > 30:
        raise AssertionError("the bomb took %d s" % (time.monotonic() - started))
    shutil.rmtree(stranger, ignore_errors=True)


def inline():
    """inline PGP: encrypted within other words, and signed in clear"""
    sealed = gpg(THEIRS, "--armor", "--trust-model", "always", "-r", OUR, "--sign", "-u", THEIR, "--encrypt",
                 data="dedans é".encode()).decode()
    got = read(outer("Content-Type: text/plain; charset=utf-8\n\nBonjour\n" + sealed + "Cordialement\n"))
    equal(got["text"], "Bonjour\ndedans é\nCordialement\n")
    equal((got["encryption"]["kind"], got["encryption"]["whole"], got["signatures"][0]["whole"]), ("pgp-inline", False, False))
    clear = gpg(THEIRS, "--armor", "-u", THEIR, "--clearsign", data="signé é\n- tiret\n".encode()).decode()
    got = read(outer("Content-Type: text/plain; charset=utf-8\n\n" + clear))
    equal((got["text"].strip(), got["encryption"]), ("signé é\n- tiret", None))
    equal([(one["state"], one["whole"]) for one in got["signatures"]], [("good", True)])
    got = read(outer("Content-Type: text/plain; charset=utf-8\n\n" + clear.replace("signé", "changé")))
    equal([one["state"] for one in got["signatures"]], ["bad"])


def signed():
    """multipart/signed is verified over its exact bytes, whatever line ends it arrived with; a change is seen"""
    part = ("Content-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\r\nSubject: %s\r\n\r\nBonjour -- \r\nfin\r\n"
            % SUBJECT)
    signature = gpg(THEIRS, "--armor", "-u", THEIR, "--detach-sign", data=part.encode()).decode()
    raw = outer("Content-Type: multipart/signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"; boundary=s\n\n--s\n"
                + part.replace("\r", "") + "\n--s\nContent-Type: application/pgp-signature\n\n" + signature + "\n--s--\n", "faux")
    for text in (raw, raw.replace("\n", "\r\n")):
        got = read(text)
        equal([(one["state"], one["fingerprint"], one["whole"]) for one in got["signatures"]], [("good", THEIR, True)])
        equal((got["subject"], got["outer_subject"]), (SUBJECT, "faux"))
    equal([one["state"] for one in read(raw.replace("Bonjour", "bonjour"))["signatures"]], ["bad"])
    equal([one["state"] for one in read(raw.replace(signature, "rien"))["signatures"]], ["error"])


def smime():
    """S/MIME: enveloped, signed beside and within, and both; whom we do not trust is told apart"""
    part = write("part.txt", "Content-Type: text/plain; charset=utf-8\r\n\r\nsecret é\r\n")

    def cms(*words, data):
        return subprocess.run(["openssl", "cms", *words], input=data, capture_output=True, check=True, cwd=FOLDER).stdout

    def with_head(raw):
        return b"From: a@b.test\nSubject: s\n" + raw

    for cipher in ("-aes256", "-aes-256-gcm"):
        sealed = cms("-encrypt", "-in", part, cipher, "ours.crt", data=b"")
        got = read(with_head(sealed))
        equal((got["text"].strip(), got["encryption"]["kind"], got["encryption"]["decrypted"]), ("secret é", "smime", True))
    for options in (["-nodetach"], []):
        for who, state in (("ours", "good"), ("rogue", "untrusted")):
            made = cms("-sign", *options, "-in", part, "-signer", who + ".crt", "-inkey", who + ".key", data=b"")
            got = read(with_head(made))
            equal([(one["kind"], one["state"], one["signer"], one["whole"]) for one in got["signatures"]],
                  [("smime", state, who + "@chu.test", True)])
            equal((got["text"].strip(), got["encryption"]), ("secret é", None))
    made = cms("-sign", "-in", part, "-signer", "ours.crt", "-inkey", "ours.key", data=b"")
    equal([one["state"] for one in read(with_head(made.replace(b"secret", b"Secret")))["signatures"]], ["bad"])
    both = cms("-encrypt", "-aes256", "ours.crt", data=made)
    got = read(with_head(both))
    equal((got["text"].strip(), got["encryption"]["decrypted"], got["signatures"][0]["state"]), ("secret é", True, "good"))
    got = read(with_head(cms("-encrypt", "-aes256", "rogue.crt", data=made)))
    equal((got["encryption"]["decrypted"], got["encryption"]["error"]), (False, "it is encrypted to none of our certificates"))


def changed_on_its_way():
    """what could have been changed without a key leads to nothing by itself: S/MIME's CBC; OpenPGP without its digest is not opened"""
    inside = ("Content-Type: text/plain; hp=\"cipher\"\r\nSubject: inside [VIG-2026-000123]\r\nIn-Reply-To: <ours@chu.test>\r\n"
              "References: <ours@chu.test>\r\nReply-To: thief@x.test\r\n\r\nsecret\r\n").encode()

    def cms(cipher, data):
        made = subprocess.run(["openssl", "cms", "-encrypt", "-binary", cipher, "-outform", "DER", FOLDER / "ours.crt"], input=data,
                              capture_output=True, check=True).stdout
        return base64.b64encode(made).decode()

    def part(sealed):
        return "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\n" + sealed + "\n"

    def told(got):
        return (got["malleable"], got["subject"], got["outer_subject"], got["in_reply_to"], got["references"],
                [one["address"] for one in got["reply_to"]])

    for cipher in ("-aes128", "-aes-256-cbc", "-des3"):
        equal(told(read(outer(part(cms(cipher, inside))))), (True, "inside [VIG-2026-000123]", "...", [], [], []))
    equal(told(read(outer(part(cms("-aes-256-gcm", inside))))),
          (False, "inside [VIG-2026-000123]", "...", ["ours@chu.test"], ["ours@chu.test"], ["thief@x.test"]))
    wrapped = "Content-Type: multipart/mixed; boundary=w\n\n--w\n" + part(cms("-aes128", inside)) + "--w--\n"
    equal(told(read(pgp_mime(wrapped)))[0::3], (True, []))
    equal(told(read(pgp_mime(INSIDE)))[0], False)
    old = pgp_mime(INSIDE, "--rfc2440", "--cipher-algo", "CAST5")
    got = read(old)
    equal((got["encryption"]["decrypted"], got["subject"], got["text"]), (False, "...", ""))
    # Both texts together are one text: what opens must not make a message too long to be filed.
    long = "Content-Type: multipart/mixed; boundary=l\n\n--l\nContent-Type: text/plain\n\n" + ("mot " * 19 + "mot\n") * 13000
    got = read(outer(long + "\n--l\n" + part(cms("-aes128", b"Content-Type: text/plain\r\n\r\n" + b"bloc " * 20000)) + "--l--\n"))
    equal((len(got["text"]), "text-cut" in got["problems"], got["encryption"]["decrypted"]), (1 << 20, True, True))


def sealed_by_us():
    """what we seal, GnuPG opens; outside neither subject nor text nor name of a file; our own reader reads it back"""
    attachment = write("piece.bin", os.urandom(5000))
    raw = tool("build", "CSIRT <csirt@chu.test>", SUBJECT, "Bonjour,\nvoici é.\n", attachment, OUR, THEIR, OUR)
    for hidden in ("Kermarec", "voici", "pi=C3=A8ce", "Content-Language", "VIG-2026"):
        if hidden.encode() in raw:
            raise AssertionError("%s is in clear" % hidden)
    for line in (b"Subject: ...\r\n", b"In-Reply-To: <two@chu.test>\r\n", b"References: <one@chu.test> <two@chu.test>\r\n",
                 b"X-Loop: csirt@chu.test\r\n"):
        equal(line in raw, True)
    equal(b"Auto-Submitted" in raw, False)
    armor = raw[raw.index(b"-----BEGIN PGP"):raw.index(b"-----END PGP")] + b"-----END PGP MESSAGE-----\r\n"
    inside = gpg(THEIRS, "--decrypt", data=armor)
    for line in (b"hp=cipher", b"HP-Outer: Subject: ...\r\n", b"Kermarec"):
        equal((line, line in inside), (line, True))
    got = read(raw)
    equal((got["subject"], got["outer_subject"], got["text"].strip()), (SUBJECT, "...", "Bonjour,\nvoici é."))
    equal([(one["name"], one["size"], one["encrypted"]) for one in got["attachments"]], [("pièce jointe.bin", 5000, True)])
    equal([(one["state"], one["fingerprint"]) for one in got["signatures"]], [("good", OUR)])
    raw = tool("build", "CSIRT <csirt@chu.test>", SUBJECT, "Bonjour,\n.point \nvoici é.\n", attachment, OUR)
    got = read(raw)
    equal([(one["state"], one["whole"]) for one in got["signatures"]], [("good", True)])
    equal(got["subject"], SUBJECT)
    start = raw.index(b"\r\n\r\n--") + 6
    boundary = raw[start - 2:raw.index(b"\r\n", start)]
    covered = write("covered", raw.split(boundary + b"\r\n")[1][:-2])
    armor = write("covered.asc", raw[raw.index(b"-----BEGIN PGP SIG"):raw.index(b"-----END PGP SIG")] + b"-----END PGP SIGNATURE-----\n")
    gpg(THEIRS, "--verify", str(armor), str(covered))


def refused():
    """never for some of them, never by a name: a key that is not held or cannot be encrypted to makes nothing"""
    for keys in ([THEIR, "A" * 40], ["p@hop.test"], [THEIR[-16:]]):
        done = tool("build", "a@chu.test", "s", "t", "-", "-", *keys, check=False)
        equal((done.returncode, done.stdout), (1, b""))
    done = tool("build", "a@chu.test", "s", "t", "-", THEIR, THEIR, check=False)
    equal((done.returncode, b"no secret key" in done.stderr), (1, True))


def files():
    """files signed beside and encrypted; clear-signed text gives what its signature covers"""
    data = write("rapport.pdf", os.urandom(100000))
    signature = write("rapport.pdf.asc", tool("sign", data, OUR))
    gpg(THEIRS, "--verify", str(signature), str(data))
    equal([one["state"] for one in json.loads(tool("verify", data, signature))], ["good"])
    equal([one["state"] for one in json.loads(tool("verify", write("autre", b"x"), signature))], ["bad"])
    armor = tool("encrypt", data, OUR, THEIR)
    equal(gpg(THEIRS, "--decrypt", data=armor), data.read_bytes())
    clear = gpg(THEIRS, "-u", THEIR, "--clearsign", data=b"Contact: mailto:p@hop.test\n")
    lines = tool("verify", write("security.txt", clear)).split(b"\n", 1)
    equal((json.loads(lines[0])[0]["state"], lines[1].strip()), ("good", b"Contact: mailto:p@hop.test"))
    equal(json.loads(tool("verify", write("security.txt", b"Contact: x\n")))[0]["state"], "error")
    equal(tool("export", OUR).startswith(b"-----BEGIN PGP PUBLIC KEY"), True)


def health():
    """a key's ills are told early: ended, ending, revoked, weak, without encryption, resting on SHA-1; secrets refused"""
    home = FOLDER / "ill"
    home.mkdir(mode=0o700)

    def exported(user):
        return write("key", gpg(home, "--armor", "--export", user))

    def problems(path):
        key = json.loads(tool("examine", path))[0]
        return key["health"], [one["id"] for one in key["problems"]], key["encrypts"]

    gpg(home, "--quick-gen-key", "soon@x.test", "rsa2048", "default", "10d")
    gpg(home, "--quick-gen-key", "small@x.test", "rsa1024", "default", "none")
    gpg(home, "--quick-gen-key", "only-signs@x.test", "ed25519", "default", "none")
    gpg(home, "--quick-gen-key", "dsa@x.test", "dsa2048", "default", "none")
    gpg(home, "--cert-digest-algo", "SHA1", "--quick-gen-key", "sha1@x.test", "rsa2048", "default", "none")
    gpg(home, "--quick-gen-key", "old@x.test", "rsa2048", "default", "1d", faked="-400d")
    gpg(home, "--quick-gen-key", "revoked@x.test", "rsa2048", "default", "none")
    revocation = (home / "openpgp-revocs.d" / (print_of(home, "revoked@x.test") + ".rev")).read_text().replace(":-----", "-----")
    gpg(home, "--import", data=revocation.encode())
    batch = "Key-Type: DSA\nKey-Length: 2048\nSubkey-Type: ELG-E\nSubkey-Length: 2048\nName-Email: elg@x.test\n%no-protection\n"
    gpg(home, "--gen-key", data=batch.encode())
    # rsa2048 "default" signs alone: what counts is told beside no-encryption
    for user in ("soon", "small", "sha1"):
        gpg(home, "--quick-add-key", print_of(home, user + "@x.test"), "rsa1024" if user == "small" else "rsa2048", "encr", "none")
    equal(problems(exported("soon@x.test"))[1], ["expires-soon"])
    equal(problems(exported("small@x.test")), ("soon", ["weak-rsa"], True))
    equal(problems(exported("only-signs@x.test")), ("broken", ["no-encryption"], False))
    equal(problems(exported("dsa@x.test"))[1], ["no-encryption", "dsa"])
    equal(problems(exported("elg@x.test")), ("soon", ["dsa", "elgamal"], True))
    equal("sha1" in problems(exported("sha1@x.test"))[1], True)
    equal(problems(exported("old@x.test"))[0::2], ("broken", False))
    equal(problems(exported("old@x.test"))[1][0], "expired")
    equal(problems(exported("revoked@x.test"))[1][0], "revoked")
    key = json.loads(tool("import", exported("soon@x.test")))[0]
    equal((key["problems"][0]["days"], key["users"]), (9, ["soon@x.test"]))
    listed = {one["fingerprint"]: one for one in json.loads(tool("list"))}
    equal((listed[OUR]["secret"], listed[OUR]["signs"], listed[THEIR]["secret"]), (True, True, False))
    equal(json.loads(tool("list", "A" * 40)), [])
    secret = write("secret", gpg(home, "--armor", "--export-secret-keys", "soon@x.test"))
    for path in (secret, write("garbage", os.urandom(1000)), write("none", b"hello")):
        equal(tool("import", path, check=False).returncode, 1)
    equal(tool("encrypt", write("x", b"x"), "-", print_of(home, "revoked@x.test"), check=False).returncode, 1)


def containers():
    """the container opens in 7-Zip with the password told, and with no other"""
    one, two = write("rapport é.txt", "secret"), write("b.bin", os.urandom(100000))
    password = tool("container", FOLDER / "c.zip", one, two).decode().strip()
    equal((len(password), password.count("-")), (29, 5))
    out = FOLDER / "out"
    subprocess.run(["7zz", "x", "-y", "-p" + password, "-o" + str(out), FOLDER / "c.zip"], check=True, capture_output=True)
    equal(((out / one.name).read_bytes(), (out / "b.bin").read_bytes()), (b"secret", two.read_bytes()))
    listing = subprocess.run(["7zz", "l", "-slt", FOLDER / "c.zip"], check=True, capture_output=True).stdout
    equal(listing.count(b"AES-256"), 2)
    wrong = subprocess.run(["7zz", "x", "-y", "-pXXXX", "-o" + str(FOLDER / "no"), FOLDER / "c.zip"], capture_output=True)
    equal(wrong.returncode != 0, True)


def nothing_left():
    """no agent, no folder of keys outlives the cell that made it"""
    for command in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes()
        except OSError:
            continue
        equal(b"gpg-agent" in words and str(OURS).encode() in words, False)
    CONFIG.write_text("")
    before = {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("vigie-keys-")}
    equal(json.loads(tool("examine", FOLDER / "their.asc"))[0]["fingerprint"], THEIR)
    equal({name for name in os.listdir(tempfile.gettempdir()) if name.startswith("vigie-keys-")} - before, set())


try:
    prepare()
    tap.run([pgp_mime_read, not_for_us, inline, signed, smime, changed_on_its_way, sealed_by_us, refused, files, health, containers, nothing_left])
finally:
    for name in ("ours", "theirs", "ill", "stranger"):
        subprocess.run(["gpgconf", "--homedir", str(FOLDER / name), "--kill", "all"], capture_output=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
