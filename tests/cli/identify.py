"""vigie identify, held against files that the usual tools make, and against what mail and editors make of them."""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap

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
    for password, words in ((None, "wants the password"), ("wrong", "this password does not open it")):
        options = []
        if password:
            (FOLDER / "password").write_text(password + "\n")
            options = ["--password-file", str(FOLDER / "password")]
        told = vigie.run("identify", *options, str(FOLDER / "a.pfx"), "--lang", "en").stdout
        assert words in told, told


def test_what_windows_sealed():
    """a PKCS#12 of RC2-40 and one of RC2-128, which libcrypto opens only when asked, open with their password"""
    for size in (40, 128):
        openssl(f"pkcs12 -export -legacy -certpbe PBE-SHA1-RC2-{size} -keypbe PBE-SHA1-RC2-{size} -in a.crt -inkey a.key "
                f"-passout pass:secret -out rc2.pfx")
        answer = one("rc2.pfx", password="secret")
        vigie.equal((sorted(kinds(answer)), answer["private_key"]), (["certificate", "pkcs12", "private-key"], "encrypted"), size)
        vigie.equal(answer["objects"][0]["opened"], True)


def test_no_password_at_all():
    """a PKCS#12 that is sealed with no password, which is not the empty one (RFC 7292 B.1), is open to anyone"""
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out no.key")
    openssl("req -x509 -key no.key -out no.crt -subj /CN=no")
    make("certtool", "--to-p12", "--load-privkey", "no.key", "--load-certificate", "no.crt", "--outder", "--null-password", "--pkcs-cipher",
         "3des-pkcs12", "--p12-name", "no", "--outfile", "no.p12")
    answer = one("no.p12")
    vigie.equal((answer["private_key"], sorted(kinds(answer))), ("clear", ["certificate", "pkcs12", "private-key"]))


def test_keys_of_windows():
    """a key in PVK or as a CryptoAPI blob is a key, sealed or not; keys of one kind have one name wherever they are"""
    openssl("genrsa -out win.key 2048")
    openssl("rsa -in win.key -outform PVK -pvk-none -out open.pvk")
    openssl("rsa -in win.key -outform PVK -pvk-strong -provider legacy -provider default -passout pass:secret -out sealed.pvk")
    openssl("rsa -in win.key -outform MSBLOB -out key.blob")
    for name, private in (("open.pvk", "clear"), ("sealed.pvk", "encrypted"), ("key.blob", "clear")):
        answer = one(name)
        vigie.equal((answer["private_key"], kinds(answer)), (private, ["windows-private-key"]), name)
    openssl("genpkey -algorithm ED25519 -out ed.key")
    openssl("req -x509 -key ed.key -out ed.crt -subj /CN=ed")
    vigie.equal({one(name)["objects"][0]["key"]["type"] for name in ("ed.key", "ed.crt")}, {"Ed25519"})


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


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (size if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body


def integer(number):
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def sequence(*parts):
    return tlv(0x30, *parts)


PBES2, AES = bytes.fromhex("06092a864886f70d01050d"), bytes.fromhex("060960864801650304012a")
SCRYPT, PBKDF2 = bytes.fromhex("06092b06010401da47040b"), bytes.fromhex("06092a864886f70d01050c")


def pbes2(kind, *parameters):
    derivation = sequence(kind, sequence(tlv(4, b"saltsalt"), *map(integer, parameters)))
    return sequence(PBES2, sequence(derivation, sequence(AES, tlv(4, bytes(16)))))


def test_scrypt_without_end():
    """scrypt that fits in memory and takes hours is not tried; the usual one is opened"""
    (FOLDER / "scrypt.der").write_bytes(sequence(pbes2(SCRYPT, 1 << 16, 1, 1 << 16), tlv(4, bytes(64))))
    answer = one("scrypt.der", password="secret")
    vigie.equal((answer["private_key"], answer["objects"][0]["opened"]), ("encrypted", False))
    make("openssl", "pkcs8", "-topk8", "-in", "a.key", "-scrypt", "-passout", "pass:secret", "-out", "scrypt.key")
    vigie.equal(one("scrypt.key", password="secret")["objects"][0]["opened"], True)


def test_dear_in_sum():
    """a thousand objects, each of which is cheap enough, are not all opened: it would take longer than the test may"""
    sealed = sequence(pbes2(PBKDF2, 900000), tlv(4, bytes(64)))
    text = base64.encodebytes(sealed).decode()
    (FOLDER / "dear").write_text(f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}-----END ENCRYPTED PRIVATE KEY-----\n" * 1000)
    vigie.equal(len(one("dear", password="secret")["objects"]), 1000)


def test_sealed_twice():
    """a PKCS#8 of two thousand million iterations is not opened because a cheap seal of RFC 1421 is around it"""
    slow = sequence(pbes2(PBKDF2, (1 << 31) - 1), tlv(4, bytes(64)))
    key = hashlib.md5(b"secret" + bytes(8)).digest()
    key += hashlib.md5(key + b"secret" + bytes(8)).digest()
    iv = bytes(16)
    (FOLDER / "inner").write_bytes(slow)
    make("openssl", "enc", "-aes-256-cbc", "-K", key.hex(), "-iv", iv.hex(), "-in", "inner", "-out", "outer")
    text = "\n".join(textwrap.wrap(base64.b64encode((FOLDER / "outer").read_bytes()).decode(), 64)) + "\n"
    for label in ("ENCRYPTED PRIVATE KEY", "PRIVATE KEY"):
        (FOLDER / "twice").write_text(f"-----BEGIN {label}-----\nProc-Type: 4,ENCRYPTED\n"
                                      f"DEK-Info: AES-256-CBC,{iv.hex().upper()}\n\n{text}-----END {label}-----\n")
        vigie.equal(one("twice", password="secret")["objects"][0]["opened"], False)


def test_part_without_content():
    """a PKCS#12 whose encrypted part has no content is told, and may hold a key"""
    data, encrypted = bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("06092a864886f70d010706")
    safes = sequence(sequence(encrypted))
    pfx = sequence(integer(3), sequence(data, tlv(0xA0, tlv(4, safes))))
    (FOLDER / "hollow.p12").write_bytes(pfx)
    answer = one("hollow.p12", password="secret")
    vigie.equal((kinds(answer), answer["private_key"]), (["pkcs12"], "possible"))


def test_label_of_any_octets():
    """a boundary that is not UTF-8 hides no key"""
    for label in (b"CL\xc9 PRIVATE KEY", b"\xff", b"X\0 PRIVATE KEY"):
        (FOLDER / "octets").write_bytes(b"-----BEGIN " + label + b"-----\n" + b"".join(
            (FOLDER / "a.key").read_bytes().splitlines(True)[1:-1]) + b"-----END " + label + b"-----\n")
        vigie.equal(one("octets")["private_key"], "clear", label)


def test_key_behind_something_else():
    """a key in clear behind a certificate, a public key or a page, or under another's label, is seen"""
    pem, der = (FOLDER / "a.key").read_bytes(), (FOLDER / "a.key.der").read_bytes()
    certificate = (FOLDER / "a.der").read_bytes()
    block = "-----BEGIN %s-----\n" + base64.encodebytes(certificate + der).decode() + "-----END %s-----\n"
    body = b"".join(pem.splitlines(True)[1:-1])
    files = {
        "der-der": certificate + der, "der-pem": certificate + b"\n" + pem, "pub-pem": (FOLDER / "ssh.pub").read_bytes() + pem,
        "pdf-pem": b"%PDF-1.4\n" + pem, "in-block": (block % (("CERTIFICATE",) * 2)).encode(),
        "label": b"-----BEGIN EC PARAMETERS-----\n" + body + b"-----END EC PARAMETERS-----\n",
    }
    for name, octets in files.items():
        (FOLDER / name).write_bytes(octets)
        vigie.equal(one(name)["private_key"], "clear", name)
    (FOLDER / "line.der").write_bytes(certificate + b"\r\n")
    vigie.equal(kinds(one("line.der")), ["certificate"])
    (FOLDER / "more.der").write_bytes(certificate + b"noise")
    vigie.equal(one("more.der")["private_key"], "unknown")


prepare()
def test_pile():
    """a pile that processes share is answered as each file alone, in its order, and one that is not there stops nothing"""
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pile.key -out pile.pem -subj /CN=pile")
    alone = {name: one(name) for name in ("pile.key", "pile.pem")}
    names = ["pile.pem" if i % 3 else "pile.key" for i in range(100)]
    paths = [str(FOLDER / name) for name in names]
    paths.insert(97, str(FOLDER / "nowhere.pem"))
    done = vigie.run("identify", "--json", "--lang", "en", *paths)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2 and done.stderr.count("nowhere.pem") == 1, done.stderr
    assert [os.path.basename(answer["file"]) for answer in answers] == names
    for name, answer in zip(names, answers):
        for item in answer["objects"]:
            item.pop("private_key_file", None)
        assert answer["objects"] == [{k: v for k, v in item.items() if k != "private_key_file"} for item in alone[name]["objects"]], name


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
