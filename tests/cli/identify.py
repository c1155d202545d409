"""vigie identify, held against files that the usual tools make, and against what mail and editors make of them."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-identify-"))


def make(*command):
    subprocess.run(command, check=True, cwd=FOLDER, capture_output=True)


def openssl(line):
    make("openssl", *line.split())


def identify(*names, password=None):
    options = ["--json"]
    if password:
        (FOLDER / "password").write_text(password + "\n")
        options += ["--password-file", str(FOLDER / "password")]
    done = vigie.run("identify", *options, *[str(FOLDER / name) for name in names])
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(names), done.stderr
    return done.returncode, answers


def one(name, **how):
    return identify(name, **how)[1][0]


def kinds(answer):
    return [thing["kind"] for thing in answer["objects"]]


def prepare():
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=AC -days 100")
    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.csr -subj /CN=automate.test "
            "-addext subjectAltName=DNS:automate.test,IP:10.1.2.3")
    openssl("x509 -req -in a.csr -CA ca.crt -CAkey ca.key -days 30 -copy_extensions copy -out a.crt")
    openssl("pkcs12 -export -in a.crt -inkey a.key -certfile ca.crt -passout pass:secret -out a.pfx")
    openssl("pkcs12 -export -legacy -in a.crt -inkey a.key -passout pass:secret -out old.p12")
    openssl("crl2pkcs7 -nocrl -certfile a.crt -certfile ca.crt -outform DER -out a.p7b")
    openssl("pkey -in a.key -aes256 -passout pass:secret -out sealed.key")
    openssl("pkey -in a.key -outform DER -out a.key.der")
    openssl("rsa -in ca.key -traditional -out pkcs1.key")
    openssl("rsa -in ca.key -traditional -aes128 -passout pass:secret -out old-sealed.key")
    openssl("ec -in a.key -out sec1.key")
    openssl("x509 -in a.crt -outform DER -out a.der")
    openssl("pkey -in a.key -pubout -out a.pub")
    openssl("dsaparam -genkey -out dsa.key 1024")
    openssl("dhparam -out dh.pem 512")
    make("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "ssh")
    make("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", "ssh-sealed")


PRIVATE = {
    "a.crt": "none", "a.csr": "none", "a.der": "none", "a.pub": "none", "a.p7b": "none", "dh.pem": "none",
    "ssh.pub": "none", "ca.key": "clear", "a.key": "clear", "a.key.der": "clear", "pkcs1.key": "clear",
    "sec1.key": "clear", "dsa.key": "clear", "ssh": "clear", "a.pfx": "encrypted", "old.p12": "encrypted",
    "sealed.key": "encrypted", "old-sealed.key": "encrypted", "ssh-sealed": "encrypted",
}


def test_private_key_or_not():
    """whether a private key is in it is right for every file that openssl and ssh-keygen make"""
    _, answers = identify(*PRIVATE)
    vigie.equal({os.path.basename(answer["file"]): answer["private_key"] for answer in answers}, PRIVATE)


def test_extension_means_nothing():
    """a key called .crt is a key, in clear, and the first line says so in both languages"""
    (FOLDER / "innocent.crt").write_bytes((FOLDER / "a.key").read_bytes())
    vigie.equal(one("innocent.crt")["private_key"], "clear")
    for lang, word in (("fr", "CLÉ PRIVÉE EN CLAIR"), ("en", "PRIVATE KEY IN CLEAR")):
        done = vigie.run("identify", "--lang", lang, str(FOLDER / "innocent.crt"))
        assert word in done.stdout.splitlines()[1], done.stdout


def test_kinds():
    """each object is told for what it is, in the order of the file"""
    vigie.equal(kinds(one("a.csr")), ["certificate-request"])
    vigie.equal(kinds(one("a.p7b")), ["pkcs7", "certificate", "certificate"])
    vigie.equal(kinds(one("dh.pem")), ["dh-parameters"])
    vigie.equal(kinds(one("sec1.key")), ["private-key"])
    vigie.equal(one("pkcs1.key")["objects"][0]["format"], "PKCS#1")


def test_key_and_certificate_of_two_files():
    """a certificate is told in which other file its key is, and not told so of a stranger's key"""
    _, (certificate, _) = identify("a.crt", "a.key")
    assert certificate["objects"][0]["private_key_file"].endswith("/a.key")
    _, (certificate, _) = identify("a.crt", "ca.key")
    assert "private_key_file" not in certificate["objects"][0]


def test_sealed_containers():
    """a PKCS#12 tells what seals it; with the password, what is in it; with a wrong one, nothing false"""
    closed, old = one("a.pfx"), one("old.p12")
    vigie.equal(closed["objects"][0]["opened"], False)
    vigie.equal(closed["objects"][0]["protection"]["legacy"], False)
    vigie.equal(old["objects"][0]["protection"]["legacy"], True)
    opened = one("a.pfx", password="secret")
    vigie.equal(sorted(kinds(opened)), ["certificate", "certificate", "pkcs12", "private-key"])
    leaf = next(thing for thing in opened["objects"] if thing.get("role") == "leaf")
    vigie.equal(opened["objects"][leaf["private_key_index"]]["kind"], "private-key")
    vigie.equal(kinds(one("a.pfx", password="wrong")), kinds(closed))
    assert one("sealed.key", password="secret")["objects"][0]["opened"]


def test_damage_is_named_and_undone():
    """UTF-16, a byte order mark, CRLF, lost boundaries and text around are named, and the certificate read all the same"""
    pem = (FOLDER / "a.crt").read_text()
    damaged = {
        "utf-16": pem.encode("utf-16"),
        "byte-order-mark": pem.encode("utf-8-sig"),
        "crlf": pem.replace("\n", "\r\n").encode(),
        "boundaries-missing": "".join(pem.splitlines(True)[1:-1]).encode(),
    }
    for what, octets in damaged.items():
        (FOLDER / what).write_bytes(octets)
        answer = one(what)
        vigie.equal((kinds(answer), answer["damage"]), (["certificate"], [what]))
    (FOLDER / "around").write_text("Bonjour,\nvoici le certificat\n" + pem + "Cordialement")
    vigie.equal(one("around")["objects"][0]["line"], 3)


def test_what_cannot_be_read():
    """a cut file, a page, an archive, an empty file and noise are named; a cut key may be a key; status 1 or 0"""
    key = (FOLDER / "a.key").read_text()
    files = {
        "cut": ("".join(key.splitlines(True)[:2]).encode(), "unreadable", "possible", 1),
        "page": (b"\n <!DOCTYPE html><html><body>Login</body></html>", "html", "none", 1),
        "zip": (b"PK\3\4" + bytes(40), "zip", "possible", 0),
        "jks": (b"\xfe\xed\xfe\xed" + bytes(40), "jks", "possible", 0),
        "empty": (b"", "empty", "none", 1),
        "noise": (bytes(range(256)), "unknown", "unknown", 1),
    }
    for name, (octets, kind, private, status) in files.items():
        (FOLDER / name).write_bytes(octets)
        left, answers = identify(name)
        vigie.equal((kinds(answers[0]), answers[0]["private_key"], left), ([kind], private, status), name)


def test_chain():
    """what the chain of a file lacks is named, and disorder is told"""
    vigie.equal(one("a.crt")["chain"]["missing"], ["CN=AC"])
    both = (FOLDER / "ca.crt").read_text() + (FOLDER / "a.crt").read_text()
    (FOLDER / "disorder.pem").write_text(both)
    chain = one("disorder.pem")["chain"]
    vigie.equal((chain["missing"], chain["ordered"]), ([], False))


def test_hostile():
    """ten million iterations are not counted, 5,000 boundaries end, and a missing file is an error of its own"""
    make("openssl", "pkcs8", "-topk8", "-in", "a.key", "-iter", "9000000", "-passout", "pass:secret", "-out", "slow.key")
    answer = one("slow.key", password="secret")
    vigie.equal(answer["objects"][0]["opened"], False)
    (FOLDER / "many").write_text("-----BEGIN X-----\n" * 5000)
    assert one("many")["cut"]
    done = vigie.run("identify", str(FOLDER / "missing"))
    assert done.returncode == 2 and "missing" in done.stderr, done.stderr


prepare()
tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
