"""vigie ca init: the ceremony, judged by openssl, and what must stop it."""
import os
import stat
import sys

sys.path.insert(0, os.path.dirname(__file__))
from hospital import Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402
from support.terminal import Terminal  # noqa: E402


def test_ceremony():
    """the chain holds under openssl's strict checks; keys are sealed, mode 0600, and belong to the certificates"""
    chu = Hospital()
    chu.openssl("verify", "-x509_strict", "-CAfile", "racine.pem", "equipements.pem")
    for name in ("racine", "equipements"):
        key = chu.path(f"keys/{name}.key")
        vigie.equal(stat.S_IMODE(key.stat().st_mode), 0o600)
        assert "ENCRYPTED PRIVATE KEY" in key.read_text()
        of_key = chu.openssl("pkey", "-in", key, "-passin", "file:passphrase", "-pubout").stdout
        vigie.equal(of_key, chu.openssl("x509", "-in", f"{name}.pem", "-noout", "-pubkey").stdout)
    text = chu.openssl("x509", "-in", "equipements.pem", "-noout", "-text").stdout
    for wanted in ("CA:TRUE, pathlen:0", "DNS:chu.test", "IP:10.0.0.0/255.0.0.0", "URI:http://pki.chu.test/pki/racine.crl"):
        assert wanted in text, text


def test_lint():
    """what we sign, vigie lint finds clean; a certificate of openssl's defaults it does not"""
    chu = Hospital()
    done = vigie.run("lint", str(chu.path("racine.pem")), str(chu.path("equipements.pem")), "--lang", "en")
    vigie.equal(done.returncode, 0, done.stdout)
    chu.openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "weak.key", "-out", "weak.pem", "-subj", "/CN=x/C=fr",
                "-set_serial", "3", "-days", "4000", "-sha1", "-addext", "extendedKeyUsage=serverAuth", "-addext",
                "basicConstraints=CA:FALSE")
    done = vigie.run("lint", str(chu.path("weak.pem")), "--json", "--waive", "cabf.revocation")
    vigie.equal(done.returncode, 1)
    for wanted in ("cabf.key", "cabf.digest", "cabf.serial", "cabf.san-missing", "cabf.common-name", "cabf.lifetime"):
        assert f'"{wanted}"' in done.stdout, (wanted, done.stdout)
    assert "cabf.revocation" not in done.stdout, done.stdout


def test_every_key_type():
    """P-384, RSA-3072 and RSA-4096 make authorities that openssl verifies"""
    for key in ("P-384", "RSA-3072", "RSA-4096"):
        chu = Hospital(key=key)
        chu.openssl("verify", "-x509_strict", "-CAfile", "racine.pem", "equipements.pem")


def test_again():
    """the same ceremony again makes nothing, and takes new settings; the certificates stay as they are"""
    chu = Hospital()
    before = chu.json("show", "equipements")
    chu.path("hierarchy.conf").write_text(chu.path("hierarchy.conf").read_text().replace("delta_hours = 24", "delta_hours = 12"))
    vigie.equal(chu.json("init", chu.path("hierarchy.conf")), {"made": [], "kept": ["racine", "equipements"], "links": []})
    after = chu.json("show", "equipements")
    vigie.equal(after["sha256"], before["sha256"])
    vigie.equal(after["settings"]["delta_hours"], 12)


def test_added():
    """an authority added to the file later is signed by the issuer that was there"""
    chu = Hospital()
    with open(chu.path("hierarchy.conf"), "a", encoding="utf-8") as file:
        file.write("\n[authority labo]\nissuer = racine\ntitle = AC Labo\nsubject = C=FR;CN=AC Labo\npath_length = 0\n")
    vigie.equal(chu.json("init", chu.path("hierarchy.conf"))["made"], ["labo"])
    chu.path("labo.pem").write_text(chu.ca("show", "labo", "--pem").stdout)
    chu.openssl("verify", "-x509_strict", "-CAfile", "racine.pem", "labo.pem")


def test_wrong_declarations():
    """a hierarchy that is wrong makes nothing, and says which group and key"""
    for old, new, words in (
            ("key = P-384", "key = RSA-1024", "[authority racine] key"),
            ("years = 20", "years = 200", "[authority racine] years"),
            ("issuer = racine", "issuer = autre", "[authority equipements] issuer"),
            ("permitted = ", "permited = ", "[authority equipements] permited"),
            ("ip:10.0.0.0/8", "ip:10.0.0.0/99", "range of addresses"),
            ("CN=AC Racine", "CN=AC\u202e Racine", "direction of writing"),
            ("C=FR", "C=fr", "two capital letters"),
            ("[authority racine]", "[autorité racine]", "groups are"),
            ("CN=AC Racine CHU", "CN=" + "x" * 65, "too long"),
    ):
        chu = Hospital(init=False)
        text = chu.path("hierarchy.conf").read_text()
        assert old in text
        chu.path("hierarchy.conf").write_text(text.replace(old, new))
        done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
        assert words in done.stderr, (words, done.stderr)
        assert not list(chu.folder.glob("keys/*")), "a key was left behind"
        vigie.equal(chu.json("list"), {"authorities": []})


def test_all_or_nothing():
    """where the second key cannot be written, the first is taken away and nothing is in the store"""
    chu = Hospital(init=False)
    chu.path("keys").mkdir()
    chu.path("keys/equipements.key").write_text("mine")
    done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
    assert "is there already" in done.stderr, done.stderr
    vigie.equal([path.name for path in chu.path("keys").iterdir()], ["equipements.key"])
    vigie.equal(chu.path("keys/equipements.key").read_text(), "mine")
    vigie.equal(chu.json("list"), {"authorities": []})


def test_no_terminal():
    """without a terminal and without a passphrase file, it says so and makes nothing"""
    chu = Hospital(init=False)
    done = chu.ca("init", chu.path("hierarchy.conf"), passphrase=False, expect=2)
    assert "no terminal" in done.stderr, done.stderr
    assert not list(chu.folder.glob("keys/*"))


def test_short_passphrase():
    """a passphrase that could be guessed seals no key"""
    chu = Hospital(init=False)
    chu.path("passphrase").write_text("elevenchars\n")
    done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
    assert "fewer than 12 characters" in done.stderr, done.stderr
    assert not list(chu.folder.glob("keys/*")), "a key was made"


def test_mistyped():
    """at the terminal, two passphrases that differ and one that does not open the key are told, and asked for again"""
    chu = Hospital(init=False)
    terminal = Terminal(*chu.command("init", chu.path("hierarchy.conf")), "--lang", "en")
    for name in ("racine", "equipements"):
        for typed, again, told in (("correct horse battery", "correct house battery", "differ: try again"),
                                   (f"{name} horse battery", f"{name} horse battery", "")):
            terminal.read(f"new key of {name}:")
            terminal.say(typed)
            terminal.read("same again:")
            terminal.say(again)
            if told:
                terminal.read(told)
    said, status = terminal.end()
    vigie.equal(status, 0, said)
    terminal = Terminal(*chu.command("crl", "racine"), "--lang", "en")
    terminal.read("key of racine:")
    terminal.say("wrong horse battery")
    terminal.read("does not open it")
    terminal.read("key of racine:")
    terminal.say("racine horse battery")
    said, status = terminal.end()
    vigie.equal(status, 0, said)


tap.run([test_short_passphrase, test_mistyped, test_ceremony, test_lint, test_every_key_type, test_again, test_added, test_wrong_declarations, test_all_or_nothing,
         test_no_terminal])
