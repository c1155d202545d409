"""vigie csr with its key in a PKCS#11 token (SoftHSM), and the certificate that comes back beside it."""
import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402
from support.postgresql import free_port  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-csr-token-"))
os.environ["SOFTHSM2_CONF"] = str(FOLDER / "softhsm2.conf")
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SHIM = os.environ["TOKEN_SHIM"]
PIN = "271828"


def path(name):
    return str(FOLDER / name)


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=FOLDER).stdout


def init_token(label):
    run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "314159")


def uri(name, token="Echo", module=MODULE, **more):
    extra = "".join(f";{key}={value}" for key, value in more.items())
    return f"pkcs11:token={token};object={name}{extra}?module-path={module}"


def pkcs11(*arguments, token="Echo"):
    return run("pkcs11-tool", "--module", MODULE, "--token-label", token, "--login", "--pin", PIN, *arguments)


def csr(*arguments, expect=0, pin="pin", lang="en", env=None):
    done = vigie.run("csr", "--name", "echo-04.test", "--password-file", path(pin), "--lang", lang, *arguments, env=env)
    vigie.equal(done.returncode, expect, done.stdout + done.stderr)
    assert PIN not in done.stdout + done.stderr
    return done


def convert(*arguments, expect=0, pin="pin", env=None):
    done = vigie.run("convert", "--to", "token", "--out-password-file", path(pin), "--lang", "en", *arguments, env=env)
    vigie.equal(done.returncode, expect, done.stdout + done.stderr)
    return done


def sign(request, out, days="20"):
    """What an authority answers: a certificate, and its chain behind it."""
    run("openssl", "x509", "-req", "-in", path(request), "-CA", "ca.pem", "-CAkey", "ca.key", "-copy_extensions", "copy", "-days", days, "-out",
        out)
    (FOLDER / out).write_text((FOLDER / "ca.pem").read_text() + (FOLDER / out).read_text())


def set_up():
    (FOLDER / "tokens").mkdir()
    (FOLDER / "softhsm2.conf").write_text(f"directories.tokendir = {FOLDER}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    (FOLDER / "pin").write_text(PIN + "\n")
    (FOLDER / "wrong").write_text("000000\n")
    for label in ("Echo", "Deux", "Deux"):
        init_token(label)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days",
        "30", "-subj", "/CN=AC")


def test_made_in_token():
    """each kind of key is made in the token and signs its request: openssl verifies it, vigie finds nothing wrong"""
    for kind, words in (("p256", "prime256v1"), ("rsa3072", "3072 bit"), ("rsa2048", "2048 bit"), ("p384", "secp384r1")):
        done = csr("--key", kind, "--key-out", uri(kind), "--out", path(f"{kind}.csr"), "--name", "10.1.2.3")
        assert "stays in the token" in done.stdout and "module-path" not in done.stdout, done.stdout
        text = run("openssl", "req", "-in", path(f"{kind}.csr"), "-noout", "-text", "-verify")
        assert words in text and "DNS:echo-04.test, IP Address:10.1.2.3" in text, text
        vigie.equal(vigie.run("csr", "check", path(f"{kind}.csr")).returncode, 0)
        assert "PRIVATE" not in (FOLDER / f"{kind}.csr").read_text()


def test_never_leaves():
    """the private keys are sensitive, never extractable, and pkcs11-tool cannot read one"""
    told = pkcs11("--list-objects", "--type", "privkey")
    vigie.equal(told.count("sensitive, always sensitive, never extractable, local"), 4, told)
    done = subprocess.run(["pkcs11-tool", "--module", MODULE, "--token-label", "Echo", "--login", "--pin", PIN, "--read-object", "--type", "privkey",
                           "--label", "p256"], capture_output=True, text=True)
    assert not done.stdout.strip(), done.stdout[:200]


def test_key_that_is_there():
    """--use-key takes a key that is there, by name or id, also one that pkcs11-tool made; --key-out writes over none"""
    done = csr("--key-out", uri("p256"), "--out", path("over.csr"), expect=2)
    assert "left as it is" in done.stderr and not (FOLDER / "over.csr").exists(), done.stderr
    csr("--use-key", uri("p256"), "--out", path("again.csr"))
    vigie.equal(run("openssl", "req", "-in", "again.csr", "-noout", "-pubkey"), run("openssl", "req", "-in", "p256.csr", "-noout", "-pubkey"))
    pkcs11("--keypairgen", "--key-type", "EC:prime256v1", "--label", "theirs", "--id", "0a0b")
    csr("--use-key", f"pkcs11:token=Echo;id=%0a%0b?module-path={MODULE}", "--out", path("theirs.csr"))
    run("openssl", "req", "-in", "theirs.csr", "-noout", "-verify")
    pkcs11("--keypairgen", "--key-type", "EC:secp521r1", "--label", "large", "--id", "0c")
    assert "this kind of key" in csr("--use-key", uri("large"), "--out", path("no.csr"), expect=2).stderr
    pkcs11("--keypairgen", "--key-type", "EC:prime256v1", "--label", "theirs", "--id", "0d")
    assert "several keys" in csr("--use-key", uri("theirs"), "--out", path("no.csr"), expect=2).stderr
    csr("--use-key", uri("theirs", id="%0d"), "--out", path("second.csr"))


def test_pin_for_each_signature():
    """a key that wants its PIN for each signature, as those of qualified cards do, signs too"""
    pkcs11("--keypairgen", "--key-type", "EC:prime256v1", "--label", "each", "--id", "0e", "--always-auth")
    assert "always" in pkcs11("--list-objects", "--type", "privkey", "--label", "each").lower()
    csr("--use-key", uri("each"), "--out", path("each.csr"))
    run("openssl", "req", "-in", "each.csr", "-noout", "-verify")


def test_certificate_comes_back():
    """the certificate is stored beside its key, id and name the same, out of its chain; a newer one takes its place"""
    sign("p256.csr", "p256.pem")
    done = convert("--out", uri("p256"), path("p256.pem"))
    assert "beside its key" in done.stdout, done.stdout
    sign("p256.csr", "newer.pem", days="25")
    convert("--out", uri("p256"), path("newer.pem"))
    told = pkcs11("--list-objects", "--type", "cert")
    vigie.equal(told.count("Certificate Object"), 1, told)
    assert "label:      p256" in told and "CN=echo-04.test" in told, told
    identity = next(line.split()[-1] for line in told.splitlines() if line.strip().startswith("ID:"))
    assert identity in pkcs11("--list-objects", "--type", "privkey"), identity
    pkcs11("--read-object", "--type", "cert", "--label", "p256", "--output-file", path("back.der"))
    serial = run("openssl", "x509", "-inform", "DER", "-in", "back.der", "-noout", "-serial")
    vigie.equal(serial, run("openssl", "x509", "-in", certificate_of("newer.pem"), "-noout", "-serial"))
    assert "none of the certificates" in convert("--out", uri("rsa2048"), path("newer.pem"), expect=2).stderr


def certificate_of(name):
    """The last block of a file, alone."""
    text = (FOLDER / name).read_text()
    (FOLDER / "alone.pem").write_text(text[text.rindex("-----BEGIN"):])
    return "alone.pem"


def test_gnutls_serves():
    """a TLS server that knows nothing of Vigie serves with the key and the certificate of the token, and openssl follows"""
    port = free_port()
    server = subprocess.Popen(["gnutls-serv", "--provider", MODULE, "--port", str(port), "--echo", "--disable-client-cert", "--x509keyfile",
                               "pkcs11:token=Echo;object=p256;type=private", "--x509certfile", "pkcs11:token=Echo;object=p256;type=cert"],
                              env={**os.environ, "GNUTLS_PIN": PIN}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(300):
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", path("ca.pem"), "-verify_hostname",
                                   "echo-04.test", "-verify_return_error"], input="", capture_output=True, text=True)
            if done.returncode == 0 or server.poll() is not None:
                break
            time.sleep(0.1)
    finally:
        server.terminate()
        said = server.communicate()[1]
    assert "Verify return code: 0 (ok)" in done.stdout, done.stdout[-500:] + done.stderr[-300:] + said


REFUSALS = (
    # URI, PIN, what the shim does, English, French
    (uri("x"), "wrong", "", "the PIN is wrong", "le code PIN est faux"),
    (uri("x", module=SHIM), "wrong", "last", "one try is left", "un seul essai"),
    (uri("x", module=SHIM), "pin", "locked", "the PIN is locked", "le code PIN est bloqué"),
    (uri("x", module=SHIM), "pin", "read-only", "read-only", "protégé en écriture"),
    (uri("x", token="Nulle-part"), "pin", "", "no such token", "ce jeton n’est pas là"),
    (uri("x", token="Deux"), "pin", "", "several tokens", "plusieurs jetons"),
    ("pkcs11:token=Echo;object=x", "pin", "", "module-path=", "module-path="),
    (f"pkcs11:token=Echo?module-path={MODULE}", "pin", "", "object=", "object="),
    (uri("x") + "&pin-value=1", "pin", "", "pin-value", "pin-value"),
    (uri("x") + "&pin-source=file:/x", "pin", "", "pin-source", "pin-source"),
    ("pkcs11:token=%zz", "pin", "", "no token’s URI", "pas une adresse de jeton"),
    (uri("x", colour="red"), "pin", "", "no token’s URI", "pas une adresse de jeton"),
    (uri("x", module="/etc/passwd"), "pin", "", "PKCS#11 library", "bibliothèque PKCS#11"),
    (uri("x", module="/nowhere.so"), "pin", "", "PKCS#11 library", "bibliothèque PKCS#11"),
)


def test_refused():
    """each thing that goes wrong with a token is told in both languages, and nothing is made or written"""
    for where, pin, shim, english, french in REFUSALS:
        for lang, words in (("en", english), ("fr", french)):
            done = csr("--key-out", where, "--out", path("refused.csr"), expect=2, pin=pin, lang=lang, env={"VIGIE_TOKEN_SHIM": shim})
            assert words in done.stderr, (words, done.stderr)
    assert not (FOLDER / "refused.csr").exists()
    assert "label:      x" not in pkcs11("--list-objects")
    done = csr("--use-key", uri("nobody"), "--out", path("refused.csr"), expect=2, lang="fr")
    assert "aucune clé privée" in done.stderr, done.stderr


def test_two_tokens_of_one_name():
    """where two tokens have one name, the refusal gives the serial numbers, and with one of them it works"""
    said = csr("--key-out", uri("y", token="Deux"), "--out", path("deux.csr"), expect=2).stderr
    serials = [word.strip(",").removeprefix("serial=") for word in said.split() if word.startswith("serial=")]
    vigie.equal(len(set(serials)), 2, said)
    csr("--key-out", uri("y", token="Deux", serial=serials[1]), "--out", path("deux.csr"))
    run("openssl", "req", "-in", "deux.csr", "-noout", "-verify")


def test_read_only_still_signs():
    """a token that may not be written to signs with the key that it has, and takes no certificate"""
    env = {"VIGIE_TOKEN_SHIM": "read-only"}
    csr("--use-key", uri("rsa2048", module=SHIM), "--out", path("ro.csr"), env=env)
    run("openssl", "req", "-in", "ro.csr", "-noout", "-verify")
    sign("rsa2048.csr", "rsa2048.pem")
    assert "read-only" in convert("--out", uri("rsa2048", module=SHIM), path("rsa2048.pem"), expect=2, env=env).stderr


def test_nothing_made_for_nothing():
    """what is wrong with the names, or with the request's file, is found before a key is made in the token"""
    (FOLDER / "there.csr").write_text("kept")
    done = vigie.run("csr", "--name", "under_score.test", "--key-out", uri("orphan"), "--out", path("o.csr"), "--password-file", path("pin"))
    vigie.equal(done.returncode, 2)
    assert "exists already" in csr("--key-out", uri("orphan"), "--out", path("there.csr"), expect=2).stderr
    assert "orphan" not in pkcs11("--list-objects")
    for options, words in ((("--out", path("x.pem")), "go together"), (("--out", uri("p256"), "--private-key"), "made there")):
        assert words in convert(*options, path("newer.pem"), expect=2).stderr


def test_asked_at_the_terminal():
    """without --password-file the PIN is asked at the terminal, unseen"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(vigie.PROGRAM, ["vigie", "csr", "--name", "a.test", "--use-key", uri("p256"), "--out", path("asked.csr"), "--lang", "fr"])
    said = b""
    while b"PIN de" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, PIN.encode() + b"\n")
    try:
        while more := os.read(terminal, 1000):
            said += more
    except OSError:
        pass
    vigie.equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, said.decode())
    assert PIN.encode() not in said
    run("openssl", "req", "-in", "asked.csr", "-noout", "-verify")


set_up()
tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
