"""vigie csr: openssl reads the request, the key stays where it is, and a bad request is told for what it is."""
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-csr-"))


def path(name):
    return str(FOLDER / name)


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True, cwd=FOLDER).stdout


def csr(*arguments, expect=0):
    done = vigie.run("csr", *arguments, "--lang", "en")
    vigie.equal(done.returncode, expect, done.stdout + done.stderr)
    return done


def make(stem, *arguments, **how):
    return csr("--key-out", path(stem + ".key"), "--out", path(stem + ".csr"), *arguments, **how)


def problems(name):
    done = vigie.run("csr", "check", path(name), "--json")
    return [problem["id"] for problem in json.loads(done.stdout)["problems"]]


def test_names_of_all_kinds():
    """DNS, IDN and IP names are in the request as a relying party reads them, each once; it checks as well"""
    make("a", "--name", "automate.test", "--name", "échographe.test", "--name", "10.1.2.3", "--name", "2001:db8::1",
         "--name", "automate.test", "--organisation", "CHU de Kermarec", "--country", "FR")
    text = openssl("req", "-in", "a.csr", "-noout", "-text", "-verify")
    assert "DNS:automate.test, DNS:xn--chographe-93a.test, IP Address:10.1.2.3, IP Address:2001:DB8:0:0:0:0:0:1" in text, text
    assert "CN = automate.test" in text and "prime256v1" in text, text
    vigie.equal(problems("a.csr"), [])


def test_key_stays():
    """the key is 0600, belongs to the request, and is written over nothing"""
    vigie.equal(stat.S_IMODE((FOLDER / "a.key").stat().st_mode), 0o600)
    vigie.equal(openssl("pkey", "-in", "a.key", "-pubout"), openssl("req", "-in", "a.csr", "-noout", "-pubkey"))
    assert "PRIVATE" not in (FOLDER / "a.csr").read_text()
    done = make("a", "--name", "automate.test", expect=2)
    assert "a.key exists already" in done.stderr, done.stderr


def test_key_types_and_existing_keys():
    """every kind of key; a request for a key that exists, sealed or not, has that key"""
    for kind, bits in (("p384", "384 bit"), ("rsa2048", "2048 bit"), ("rsa3072", "3072 bit")):
        make(kind, "--name", "automate.test", "--key", kind)
        assert bits in openssl("req", "-in", kind + ".csr", "-noout", "-text")
    csr("--use-key", path("a.key"), "--name", "other.test", "--out", path("again.csr"))
    vigie.equal(openssl("req", "-in", "again.csr", "-noout", "-pubkey"), openssl("pkey", "-in", "a.key", "-pubout"))
    openssl("pkey", "-in", "a.key", "-aes256", "-passout", "pass:secret", "-out", "sealed.key")
    (FOLDER / "password").write_text("secret")
    csr("--use-key", path("sealed.key"), "--password-file", path("password"), "--name", "other.test", "--out",
        path("sealed.csr"))
    done = csr("--use-key", path("sealed.key"), "--name", "other.test", "--out", path("closed.csr"), expect=2)
    assert "--password-file" in done.stderr, done.stderr


def test_device_of_the_fleet():
    """the names are those of the fleet's device, found by its number or the first label of its FQDN"""
    (FOLDER / "vigie.conf").write_text(f"[store]\nurl = sqlite:{path('vigie.db')}\n")
    (FOLDER / "gmao.csv").write_text("N° inventaire;Désignation;Famille;Nom réseau;Adresse IP\n"
                                     "BM1;Échographe;Imagerie;echo-04.chu.test;10.1.2.4\n"
                                     "BM2;Scanner;Imagerie;;\n")
    config = ["--config", path("vigie.conf")]
    done = vigie.run("fleet", "import", path("gmao.csv"), "--organisation", "CHU", *config)
    vigie.equal(done.returncode, 0, done.stdout + done.stderr)
    for number, text in enumerate(("BM1", "echo-04", "echo-04.chu.test", "échographe")):
        make(f"device{number}", "--device", text, *config)
        assert "DNS:echo-04.chu.test, IP Address:10.1.2.4" in openssl("req", "-in", f"device{number}.csr", "-noout", "-text")
    for text, word in (("BM2", "neither FQDN nor IP"), ("BM9", "no device")):
        assert word in make("refused", "--device", text, *config, expect=2).stderr


def test_bad_requests():
    """what openssl lets through and an authority would refuse is named"""
    openssl("req", "-newkey", "rsa:1024", "-nodes", "-keyout", "w.key", "-out", "weak.csr", "-subj", "/CN=a.test", "-sha1")
    vigie.equal(problems("weak.csr"), ["weak-key", "weak-signature", "no-names"])
    openssl("req", "-new", "-key", "a.key", "-out", "names.csr", "-subj", "/CN=a.test", "-addext",
            "subjectAltName=DNS:b_c.test,DNS:10.1.2.3,DNS:ok.test")
    vigie.equal(problems("names.csr"), ["bad-name", "bad-name", "common-name-not-in-names"])
    der = bytearray(subprocess.run(["openssl", "req", "-in", path("a.csr"), "-outform", "DER"], capture_output=True,
                                   check=True).stdout)
    der[der.index(b"Kermarec")] = ord("C")
    (FOLDER / "altered.csr").write_bytes(der)
    vigie.equal(problems("altered.csr"), ["not-signed-by-its-key"])
    done = csr("check", path("altered.csr"), expect=1)
    assert "not signed by its own key" in done.stdout, done.stdout
    done = csr("check", path("a.key"), expect=2)
    assert "not a certificate request" in done.stderr


def test_refused_names():
    """a name that cannot be in a certificate is refused, and nothing is written"""
    for name in ("under_score.test", "-a.test", "a..test", "a" * 64 + ".test", "", "a.test/../x", "*.*.test", "a b",
                 "10.1.2.300", "10.1.2", "7"):
        done = make("refused", "--name", name, expect=2)
        assert "cannot be in a certificate" in done.stderr, (name, done.stderr)
    assert not (FOLDER / "refused.key").exists()


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
