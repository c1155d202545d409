"""vigie identify, attacked: a private key hidden where nobody would look for it makes the first line say so, or say that
nobody can tell. What holds none, however odd, is still said to hold none."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-hidden-"))
GNUPG = pathlib.Path(tempfile.mkdtemp(prefix="vg-"))


def make(*command, **how):
    return subprocess.run(command, check=True, cwd=FOLDER, capture_output=True, **how).stdout


def openssl(line):
    return make("openssl", *line.split())


def identify(name, octets=None, *options):
    if octets is not None:
        (FOLDER / name).write_bytes(octets)
    done = vigie.run("identify", "--json", *options, str(FOLDER / name))
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def private(name, octets=None, *options):
    return identify(name, octets, *options)["private_key"]


def all_of(files, expected):
    """Named to one command, which tells of each in a line."""
    paths = [FOLDER / name.replace("/", "-") for name in files]
    for path, octets in zip(paths, files.values()):
        path.write_bytes(octets)
    done = vigie.run("identify", "--json", *map(str, paths))
    told = [json.loads(line) for line in done.stdout.splitlines()]
    vigie.equal([one["file"] for one in told], [str(path) for path in paths], done.stderr)
    found = {name: one["private_key"] for name, one in zip(files, told)}
    vigie.equal({name: verdict for name, verdict in found.items() if verdict not in expected}, {})


def read(name):
    return (FOLDER / name).read_bytes()


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (size if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body


def prepare():
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.crt -subj /CN=automate -days 9")
    openssl("genrsa -out rsa.key 2048")
    openssl("genpkey -algorithm ED25519 -out ed.key")
    for name in ("a", "rsa", "ed"):
        openssl(f"pkey -in {name}.key -outform DER -out {name}.der")
    openssl("ec -in a.key -outform DER -out sec1.der")
    openssl("rsa -in rsa.key -traditional -outform DER -out pkcs1.der")
    openssl("x509 -in a.crt -outform DER -out crt.der")
    openssl("pkcs8 -topk8 -in a.key -passout pass:secret -outform DER -out sealed.der")


KEYS = ("a.der", "rsa.der", "ed.der", "sec1.der", "pkcs1.der")


def test_inside_other_objects():
    """a key within DER of another kind is seen: a wrapper, a string, a signed message, a certificate's extension"""
    for name in KEYS:
        key = read(name)
        (FOLDER / "plain").write_bytes(key)
        for form in ("", "-nodetach "):
            openssl(f"cms -sign {form}-binary -in plain -signer a.crt -inkey a.key -outform DER -out signed.p7m")
        openssl("req -x509 -key a.key -out extra.crt -subj /CN=x -days 9 -outform DER -addext 1.2.3.4=DER:" +
                ":".join(f"{octet:02x}" for octet in tlv(4, key)))
        all_of({name + " in octets": tlv(4, key), name + " in a sequence": tlv(0x30, tlv(2, b"\7"), tlv(4, key)),
                name + " behind noise": os.urandom(5000) + key + os.urandom(99),
                name + " signed": read("signed.p7m"), name + " in an extension": read("extra.crt"),
                name + " behind a certificate": read("crt.der") + b"\0" * 40 + tlv(4, key)}, {"clear"})


def test_in_text():
    """a key in a comment, between the lines of another language, without armour, quoted, or printed, is seen"""
    certificate, pem = read("a.crt").decode(), read("a.key").decode()
    for name in KEYS:
        encoded = base64.encodebytes(read(name)).decode()
        one_line = encoded.replace("\n", "")
        files = {
            "comment": f"# {certificate}# key: {one_line}\n",
            "lines in a comment": certificate + "".join(f"# {line}\n" for line in encoded.splitlines()),
            "before": encoded + certificate, "after": certificate + encoded,
            "in the headers": certificate.replace("-----\n", f"-----\nComment: x\n{encoded}\n\n", 1),
            "C": "".join(f'    "{line}\\n"\n' for line in encoded.splitlines()),
            "JSON": json.dumps({"crt": certificate, "data": encoded}),
            "Kubernetes": "data:\n  tls.key: " + base64.b64encode(
                f"-----BEGIN PRIVATE KEY-----\n{encoded}-----END PRIVATE KEY-----\n".encode()).decode() + "\n",
            "mail": "> Bonjour,\n> voici ce que vous demandez, bien cordialement.\n" +
                    "".join(f"> {line}\n" for line in encoded.splitlines()) + "> Merci\n",
            "URL": base64.urlsafe_b64encode(read(name)).decode(),
            "twice": base64.encodebytes(encoded.encode()).decode(),
            "10 MB": certificate + "\n" * 10_000_000 + encoded,
            "XML": f"<key>{one_line}</key>",
        }
        all_of({f"{name} {what}": text.encode() for what, text in files.items()}, {"clear"})
    escaped = json.dumps({"private_key": pem}).encode()
    vigie.equal(private("service-account.json", escaped), "clear")
    for shape in ("rsa -in rsa.key -text -noout", "ec -in a.key -text -noout", "pkey -in ed.key -text -noout"):
        vigie.equal(private("printed", openssl(shape)), "clear", shape)


def test_armour_that_editors_broke():
    """a boundary that a word processor or a telephone changed still names a private key"""
    pem = read("a.key").decode()
    body = "x".join(pem.splitlines()[1:-1])
    variants = {
        "dashes": pem.replace("-----", "—–"), "case": pem.replace("BEGIN PRIVATE KEY", "Begin Private Key"),
        "spaces": pem.replace("-----", "--- "), "body lost": "-----BEGIN RSA PRIVATE KEY-----\n…\n",
        "label": "-----BEGIN " + "X" * 90 + " PRIVATE KEY-----\n" + body,
    }
    all_of({what: text.encode() for what, text in variants.items()}, {"clear", "possible"})
    for name, encoding in (("little", "utf-16-le"), ("big", "utf-16-be"), ("marked", "utf-16"), ("bom", "utf-8-sig")):
        vigie.equal(private(name, pem.encode(encoding)), "clear", name)
        assert private(name, read("crt.der") + pem.encode(encoding)) in ("clear", "possible"), name


def test_sealed_and_hidden():
    """a sealed key in a wrapper or without armour is told as sealed; its damaged rest as possible"""
    sealed = read("sealed.der")
    all_of({"wrapped": tlv(4, sealed), "base64": base64.b64encode(sealed), "behind": read("crt.der") + tlv(4, sealed),
            "text": b"cle : " + base64.b64encode(sealed)}, {"encrypted"})
    all_of({"cut": read("rsa.der")[:300], "wrapped and cut": tlv(4, read("rsa.der"))[:300],
            "cut text": read("rsa.key")[:400]}, {"possible", "unknown"})


def test_containers():
    """PKCS#12 without a password is in clear, as one under an empty password is; a sealed or secret part may hold a key"""
    export = "pkcs12 -export -in a.crt -inkey a.key "
    openssl(export + "-keypbe NONE -certpbe NONE -nomac -passout pass:x -out none.p12")
    openssl(export + "-keypbe NONE -certpbe NONE -passout pass:secret -out bare.p12")
    openssl(export + "-passout pass: -out empty.p12")
    openssl(export + "-legacy -passout pass: -out legacy.p12")
    openssl(export + "-passout pass:secret -out sealed.p12")
    openssl("pkcs12 -export -nokeys -in a.crt -passout pass:secret -out roots.p12")
    for name, verdict in (("none", "clear"), ("bare", "clear"), ("empty", "clear"), ("legacy", "clear"), ("sealed", "encrypted"),
                          ("roots", "possible")):
        vigie.equal(private(name + ".p12"), verdict, name)
    (FOLDER / "password").write_text("secret")
    vigie.equal(private("roots.p12", None, "--password-file", str(FOLDER / "password")), "none")
    openssl("cms -encrypt -in a.key -outform DER -out enveloped.p7m a.crt")
    vigie.equal(private("enveloped.p7m"), "possible")
    openssl("cms -data_create -in a.key -outform DER -out data.p7m")
    vigie.equal(private("data.p7m"), "clear")
    with zipfile.ZipFile(FOLDER / "keys.zip", "w") as archive:
        archive.write(FOLDER / "a.key", "server.crt")
    assert private("keys.zip") in ("clear", "possible")
    vigie.equal(private("doc.pdf", b"%PDF-1.7\nstream"), "possible")


def test_java():
    """a JKS of roots alone holds no key and shows them; one with a key says so; a cut one and a BKS may"""
    for kind in ("JKS", "JCEKS", "PKCS12"):
        store = ("-storetype", kind, "-keystore", kind.lower(), "-storepass", "changeit", "-keypass", "changeit")
        make("keytool", "-genkeypair", "-alias", "automate", "-keyalg", "EC", "-dname", "CN=automate", *store)
        make("keytool", "-importcert", "-noprompt", "-alias", "root", "-file", "a.crt", *store)
    make("keytool", "-importcert", "-noprompt", "-alias", "root", "-file", "a.crt", "-storetype", "JKS", "-keystore", "roots.jks",
         "-storepass", "changeit")
    for name, verdict in (("jks", "encrypted"), ("jceks", "encrypted"), ("pkcs12", "encrypted"), ("roots.jks", "none")):
        vigie.equal(private(name), verdict, name)
    roots = identify("roots.jks")["objects"]
    vigie.equal(([thing["kind"] for thing in roots], roots[1]["subject"]), (["jks", "certificate"], "CN=automate"))
    vigie.equal(private("cut.jks", read("roots.jks")[:-30]), "possible")
    bks = b"\0\0\0\2\0\0\0\x14" + os.urandom(20) + b"\0\0\4\0" + os.urandom(500)
    vigie.equal(private("keystore.bks", bks), "possible")


def test_other_trades():
    """keys of SSH, PuTTY, OpenPGP, JOSE and XML are told, in clear or sealed, alone or among certificates"""
    for name, password in (("ssh", ""), ("ssh-sealed", "secret")):
        make("ssh-keygen", "-q", "-t", "ed25519", "-N", password, "-f", name)
    certificate = read("a.crt")
    vigie.equal(private("bundle", certificate + read("ssh")), "clear")
    vigie.equal(private("sealed-bundle", certificate + read("ssh-sealed")), "encrypted")
    vigie.equal(private("mislabelled", read("ssh").replace(b"OPENSSH PRIVATE KEY", b"CERTIFICATE")), "clear")
    vigie.equal(private("ssh-cut", read("ssh")[:60]), "possible")
    putty = "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: %s\r\nComment: x\r\nPublic-Lines: 2\r\n"
    vigie.equal(private("clear.ppk", (putty % "none").encode()), "clear")
    vigie.equal(private("notepad.ppk", (putty % "none").encode("utf-16")), "clear")
    vigie.equal(private("sealed.ppk", (putty % "aes256-cbc").encode()), "encrypted")
    vigie.equal(private("ssh1", b"SSH PRIVATE KEY FILE FORMAT 1.1\n\0\3" + bytes(90)), "possible")
    vigie.equal(private("ssh2", b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: x\nP2/56wAAAi==\n"), "possible")
    jwk = {"kty": "EC", "crv": "P-256", "x": "a" * 43, "y": "b" * 43}
    vigie.equal(private("public.jwk", json.dumps(jwk).encode()), "unknown")
    vigie.equal(private("jwk", json.dumps({"keys": [{**jwk, "d": "c" * 43}]}, indent=2).encode()), "clear")
    vigie.equal(private("oct.jwk", b'{"kty" :"oct", "k" : "AyM1SysPpbyDfgZld3umj1qzKObwVMko"}'), "clear")
    vigie.equal(private("rsa.xml", b"<RSAKeyValue><Modulus>4w==</Modulus><D>aa==</D></RSAKeyValue>"), "clear")


def gpg(*options, password=""):
    return make("gpg", "--homedir", str(GNUPG), "--batch", "--pinentry-mode", "loopback", "--passphrase", password, *options)


def test_openpgp():
    """an OpenPGP key is told secret or public, in clear or sealed, for each algorithm, armoured and not; a message is not known"""
    for number, (algorithm, password) in enumerate((("rsa2048", ""), ("ed25519", "secret"), ("nistp256", ""), ("dsa2048", "secret"))):
        user = f"key{number}@chu.test"
        gpg("--quick-generate-key", user, algorithm, "default", "never", password=password)
        for armour in ("--armor", "--no-armor"):
            verdict = "encrypted" if password else "clear"
            vigie.equal(private(f"{number}.sec", gpg(armour, "--export-secret-keys", user, password=password)), verdict, algorithm)
            vigie.equal(private(f"{number}.pub", gpg(armour, "--export", user)), "none", algorithm)
    both = gpg("--export", "key1@chu.test") + gpg("--export-secret-keys", "key0@chu.test")
    vigie.equal(private("both", both), "clear")
    message = gpg("--armor", "--symmetric", "--output", "-", str(FOLDER / "a.key"), password="x")
    vigie.equal(private("message.asc", message), "possible")


def test_innocent():
    """what holds no key is said to hold none: chains with text between them, printed certificates, mails with fingerprints"""
    certificate = read("a.crt")
    openssl("req -new -key a.key -subj /CN=automate -out a.csr")
    openssl("crl2pkcs7 -nocrl -certfile a.crt -out a.p7b")
    openssl("x509 -in a.crt -trustout -out trusted.crt -addtrust serverAuth")
    openssl("ecparam -name prime256v1 -out ec.params")
    fingerprint = openssl("x509 -in a.crt -noout -fingerprint -sha256")
    mail = ("Bonjour,\nVoici le certificat de l'automate ; la clé privée (private key) reste sur l'équipement.\n"
            "Empreinte SHA-256 : 3699e5f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c\n").encode()
    files = {
        "printed": openssl("x509 -in a.crt -text"), "mail": mail + fingerprint + certificate + b"Cordialement\n",
        "chain": certificate * 3, "csr": read("a.csr"), "p7b": read("a.p7b"), "trusted": read("trusted.crt"),
        "bag": b"Bag Attributes\n    localKeyID: 54 69 6D 65 20 31\nsubject=CN = automate\n" + certificate,
        "der": read("crt.der"), "blank": read("crt.der") + b"\r\n", "params": read("ec.params"),
        "page": b"<!DOCTYPE html><html><body>Votre session a expir\xc3\xa9</body></html>",
    }
    all_of(files, {"none"})
    system = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    if system.exists():
        vigie.equal(private("system", system.read_bytes()), "none")


NO_PACKETS = [bytes.fromhex(head) for head in ("89ffff04", "8aff00000004", "8b04", "99ffff04", "c2ffff00000004", "c2e804", "c6e904")]


def test_what_nobody_can_tell():
    """a note, a key in figures, an unexplained attachment and 5,000 objects are not called harmless"""
    attachment = read("a.crt") + b"\n" + base64.encodebytes(os.urandom(600))
    all_of({"note": b"le mot de passe est dans le tiroir\n", "figures": read("a.der").hex().encode(),
            "attachment": attachment, "many": read("a.crt") * 4200}, {"unknown"})
    # Noise may begin as an OpenPGP packet does, which is then longer than the file, or has no end.
    all_of({"noise": os.urandom(4000), **{f"noise as {head.hex()}": head + os.urandom(4000) for head in NO_PACKETS}}, {"unknown", "possible"})
    vigie.equal(private("many-and-key", read("a.crt") * 4200 + read("a.key")), "clear")


def test_patience():
    """8 MiB made to be slow are answered while the user still waits"""
    slow = {
        "starts": b"MAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "sequences": bytes.fromhex("30820fff0201003013"),
        "seals": bytes.fromhex("3084000fffff300d06092a864886f70d01050d"), "begins": b"begin private ke ",
        "blocks": b"-----BEGIN X-----\nMAAAAAAAAAAAAAAAAAAAAA\n-----END X-----\n",
    }
    for name, part in slow.items():
        (FOLDER / name).write_bytes((part * (8 * 1024 * 1024 // len(part))))
        done = vigie.run("identify", "--json", str(FOLDER / name), timeout=60)
        assert json.loads(done.stdout)["private_key"] != "none", name


prepare()
try:
    tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
finally:
    subprocess.run(["gpgconf", "--homedir", str(GNUPG), "--kill", "all"], check=False, capture_output=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(GNUPG, ignore_errors=True)
