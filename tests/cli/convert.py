"""vigie convert: openssl reads what it writes, and no private key slips out of it."""
import json
import os
import pathlib
import pty
import resource
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import certificates, tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-convert-"))
AUTHORITY = certificates.Authority(FOLDER)
LEAF = AUTHORITY.issue("automate.test", key="ec")
(FOLDER / "password").write_text("correct horse\n")
PASSWORD = ["--password-file", str(FOLDER / "password")]
SEAL = ["--out-password-file", str(FOLDER / "password")]


def path(name):
    return str(FOLDER / name)


def convert(*arguments, out, expect=0):
    done = vigie.run("convert", *arguments, "--out", path(out), "--lang", "en")
    vigie.equal(done.returncode, expect, done.stderr)
    return done


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True, cwd=FOLDER).stdout


def test_round_trip():
    """PEM to PKCS#12 and back to PEM and a key, for both kinds of PKCS#12: the same key and chain come back"""
    for kind in ("pkcs12", "pkcs12-old"):
        convert(LEAF.chain, LEAF.key, "--to", kind, "--private-key", *SEAL, out=kind)
        openssl("pkcs12", "-in", path(kind), "-passin", "pass:correct horse", "-noout")
        convert(path(kind), "--to", "pem", *PASSWORD, out=f"{kind}.pem")
        convert(path(kind), "--to", "key", "--private-key", *PASSWORD, out=f"{kind}.key")
        vigie.equal(openssl("pkey", "-in", path(f"{kind}.key")), openssl("pkey", "-in", LEAF.key))
        vigie.equal((FOLDER / f"{kind}.pem").read_text(), pathlib.Path(LEAF.chain).read_text())


def test_extensions():
    """an extension names its format as well, in capitals too"""
    for name, kind in (("p12", "pkcs12"), ("PFX", "pkcs12"), ("p7b", "pkcs7"), ("PEM", "certificate")):
        convert(LEAF.certificate, "--to", name, *(SEAL if kind == "pkcs12" else []), out=f"by-{name}")
        told = json.loads(vigie.run("identify", "--json", path(f"by-{name}")).stdout)
        vigie.equal(told["objects"][0]["kind"], kind)


def test_two_keys():
    """a key store with two keys gives its certificates; a key is not chosen for the reader, who is told how to"""
    for alias in ("one", "two"):
        subprocess.run(["keytool", "-genkeypair", "-alias", alias, "-keyalg", "EC", "-groupname", "secp256r1", "-dname", f"CN={alias}", "-keystore",
                        path("two.p12"), "-storetype", "PKCS12", "-storepass", "correct horse", "-noprompt"], check=True, capture_output=True)
    convert(path("two.p12"), *PASSWORD, "--to", "pem", out="two.pem")
    vigie.equal((FOLDER / "two.pem").read_text().count("BEGIN CERTIFICATE"), 2)
    assert "PRIVATE" not in (FOLDER / "two.pem").read_text()
    assert "-srcalias" in convert(path("two.p12"), *PASSWORD, "--to", "pem", "--private-key", out="no.pem", expect=2).stderr
    assert not (FOLDER / "no.pem").exists()


def test_no_key_unasked():
    """from a file with a key, no format writes it without --private-key; a format that is a key is refused"""
    for kind in ("pem", "pkcs7", "pkcs12"):
        convert(LEAF.both, "--to", kind, *(SEAL if kind == "pkcs12" else []), out=f"public.{kind}")
        done = vigie.run("identify", "--json", path(f"public.{kind}"), *PASSWORD)
        assert '"private-key"' not in done.stdout, done.stdout
    for kind in ("key", "key-der", "key-traditional"):
        done = convert(LEAF.both, "--to", kind, out="refused", expect=2)
        assert "--private-key" in done.stderr and not (FOLDER / "refused").exists(), done.stderr


def test_modes_and_existing_files():
    """a file with a key is 0600; a file that exists is never written over, through a link neither"""
    convert(LEAF.key, "--to", "key", "--private-key", out="mine.key")
    vigie.equal(stat.S_IMODE((FOLDER / "mine.key").stat().st_mode), 0o600)
    (FOLDER / "kept").write_text("kept")
    (FOLDER / "link").symlink_to(FOLDER / "nowhere")
    for name in ("kept", "link"):
        done = convert(LEAF.chain, "--to", "pem", out=name, expect=2)
        assert name in done.stderr, done.stderr
    vigie.equal((FOLDER / "kept").read_text(), "kept")
    assert not (FOLDER / "nowhere").exists()


def test_order_and_doubles():
    """a chain in disorder and twice comes out once, leaf first"""
    convert(AUTHORITY.root.certificate, AUTHORITY.intermediate.certificate, LEAF.certificate, LEAF.chain, "--to", "pem",
            out="ordered.pem")
    expected = "".join(pathlib.Path(item.certificate).read_text()
                       for item in (LEAF, AUTHORITY.intermediate, AUTHORITY.root))
    vigie.equal((FOLDER / "ordered.pem").read_text(), expected)


def test_other_formats():
    """DER, PKCS#7 and the traditional key are read by openssl; a sealed key opens with its password alone"""
    convert(LEAF.certificate, "--to", "der", out="leaf.der")
    vigie.equal(openssl("x509", "-in", "leaf.der", "-inform", "DER"), openssl("x509", "-in", LEAF.certificate))
    convert(LEAF.chain, "--to", "pkcs7", out="chain.p7b")
    assert openssl("pkcs7", "-in", "chain.p7b", "-inform", "DER", "-print_certs").count("BEGIN") == 2
    convert(LEAF.key, "--to", "key-traditional", "--private-key", out="old.key")
    assert "BEGIN EC PRIVATE KEY" in (FOLDER / "old.key").read_text()
    convert(LEAF.key, "--to", "key", "--private-key", *SEAL, out="sealed.key")
    assert "BEGIN ENCRYPTED PRIVATE KEY" in (FOLDER / "sealed.key").read_text()
    openssl("pkey", "-in", "sealed.key", "-passin", "pass:correct horse", "-noout")
    openssl("ec", "-in", LEAF.key, "-aes128", "-passout", "pass:correct horse", "-out", "old-sealed.key")
    convert(path("old-sealed.key"), "--to", "key", "--private-key", *PASSWORD, out="unsealed.key")
    vigie.equal(openssl("pkey", "-in", "unsealed.key"), openssl("pkey", "-in", LEAF.key))


def test_refusals():
    """several objects for DER, a stranger's key, a wrong password, no password, nothing: each refusal says why"""
    (FOLDER / "wrong").write_text("wrong\n")
    convert(LEAF.chain, LEAF.key, "--to", "pkcs12", "--private-key", *SEAL, out="sealed.p12")
    other = AUTHORITY.issue("other.test", key="ec")
    for arguments, word in (
            ([LEAF.chain, "--to", "der"], "one object"),
            ([LEAF.certificate, other.key, "--to", "pem", "--private-key"], "belongs to none"),
            ([path("sealed.p12"), "--to", "pem", "--password-file", path("wrong")], "does not open"),
            ([LEAF.certificate, "--to", "pem", "--private-key"], "no private key"),
            ([LEAF.key, "--to", "pem"], "--private-key"),
            ([LEAF.key, other.key, "--to", "key", "--private-key"], "two different"),
            ([path("password"), "--to", "pem"], "nothing to convert"),
            ([LEAF.certificate, "--to", "jks"], "--to jks: no such format"), ([LEAF.certificate], "--to (pem der")):
        done = convert(*arguments, out="refused", expect=2)
        assert word in done.stderr, done.stderr
        assert not (FOLDER / "refused").exists()


def test_password_by_descriptor():
    """a password is read from a descriptor"""
    read, write = os.pipe()
    os.write(write, b"correct horse\n")
    os.close(write)
    done = subprocess.run([vigie.PROGRAM, "convert", path("pkcs12"), "--to", "pem", "--out", path("fd.pem"),
                           "--password-file", f"fd:{read}"], pass_fds=[read], capture_output=True, text=True)
    vigie.equal(done.returncode, 0, done.stderr)


def test_password_at_the_terminal():
    """without a file the password is asked at the terminal, and not shown"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(vigie.PROGRAM, [vigie.PROGRAM, "convert", path("pkcs12"), "--to", "pem", "--out", path("asked.pem")])
    seen = b""
    while b":" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"correct horse\n")
    try:
        while True:
            more = os.read(terminal, 1024)
            if not more:
                break
            seen += more
    except OSError:  # the terminal's end, as Linux tells it
        pass
    vigie.equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, seen)
    assert b"correct" not in seen and (FOLDER / "asked.pem").exists(), seen


def test_no_core():
    """a command that has a key in its hands leaves no core, whatever the shell allows"""
    fifo = path("fifo")
    os.mkfifo(fifo)
    process = subprocess.Popen([vigie.PROGRAM, "convert", fifo, "--to", "pem", "--out", path("none.pem")], stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20)))
    with open(fifo, "wb"):  # it reads now
        limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
    process.wait(30)
    vigie.equal(next(line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")), ["0", "0"])


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
