"""vigie ca crl: lists that openssl reads and obeys, full, delta and divided."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from hospital import Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402


def issue(chu, *names, profile="device", more=()):
    """One key, a certificate for each name; their serials."""
    chu.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "a.csr",
                "-subj", "/CN=a")
    serials = []
    for name in names:
        out = ["--out", chu.path(f"{name}.pem")]
        named = ["--name", f"dns:{name}.chu.test", "--field", "organisation=CHU"] if profile == "device" else []
        serials.append(chu.json("issue", "--profile", profile, "--csr", chu.path("a.csr"), *named, *more, *out)["issued"][0]["serial"])
    return serials


PERSON = ["--field", "surname=Martin", "--field", "given_name=Camille", "--field", "profession=60", "--field", "rpps=10000000009",
          "--requester", "a", "--validator", "b"]


def publish(chu, *more):
    lists = chu.json("crl", "equipements", *more)["lists"]
    chu.ca("publish", chu.path("web"))
    paths = sorted(chu.path("web").glob("*.crl"))
    linted = vigie.run("lint", *map(str, paths), "--waive", "cabf.crl-hold", "--lang", "en")
    vigie.equal((linted.returncode, linted.stdout.count("nothing to report")), (0, len(paths)), linted.stdout + linted.stderr)
    for path in paths:
        chu.openssl("crl", "-inform", "DER", "-in", path, "-out", chu.path(path.stem + ".crl.pem"))
    return [one["file"] for one in lists]


def verify(chu, name, *lists, flags=()):
    crls = [argument for one in lists for argument in ("-CRLfile", chu.path(one + ".crl.pem"))]
    return chu.openssl("verify", "-CAfile", "racine.pem", "-untrusted", "equipements.pem", "-crl_check", *flags, *crls,
                       chu.path(f"{name}.pem"), check=False)


def text(chu, name):
    return chu.openssl("crl", "-in", chu.path(name + ".crl.pem"), "-noout", "-text").stdout


def test_full():
    """a full list: signed by the authority, numbered, and openssl refuses whom it names, and only these"""
    chu = Hospital()
    good, bad = issue(chu, "good", "bad")
    vigie.equal(publish(chu), ["equipements.crl", "equipements-delta.crl"])
    vigie.equal(verify(chu, "bad", "equipements").returncode, 0)
    chu.ca("revoke", bad, "--reason", "keyCompromise")
    vigie.equal(publish(chu, "--full"), ["equipements.crl", "equipements-delta.crl"])
    chu.openssl("crl", "-in", "equipements.crl.pem", "-CAfile", "equipements.pem", "-noout")
    vigie.equal(verify(chu, "good", "equipements").returncode, 0)
    assert "certificate revoked" in verify(chu, "bad", "equipements").stderr
    told = text(chu, "equipements")
    for wanted in (bad.upper(), "Key Compromise", "X509v3 CRL Number", "X509v3 Freshest CRL", "equipements-delta.crl",
                   "X509v3 Authority Key Identifier"):
        assert wanted in told, (wanted, told)
    assert good.upper() not in told
    vigie.equal(json.loads(chu.ca("crl", "equipements", "--json").stdout), {"lists": []})


def test_delta():
    """what is revoked after the full list is in the delta, which openssl takes with it; a hold that ended is taken off"""
    chu = Hospital()
    first, second = issue(chu, "first", "second")
    person, = issue(chu, "person", profile="professional-authentication", more=PERSON)
    chu.ca("revoke", first, "--reason", "superseded")
    chu.ca("revoke", person, "--reason", "certificateHold")
    publish(chu)
    assert "certificate revoked" in verify(chu, "person", "equipements").stderr
    chu.ca("revoke", second, "--reason", "cessationOfOperation")
    chu.ca("revoke", person, "--reason", "removeFromCRL")
    vigie.equal(publish(chu), ["equipements-delta.crl"])
    deltas = ["-use_deltas"]
    both = ["equipements", "equipements-delta"]
    vigie.equal(verify(chu, "second", "equipements").returncode, 0)
    assert "certificate revoked" in verify(chu, "second", *both, flags=deltas).stderr
    # Before 3.0.22, without -extended_crl, OpenSSL may take the delta for the full list.
    assert "certificate revoked" in verify(chu, "first", *both, flags=[*deltas, "-extended_crl"]).stderr
    vigie.equal(verify(chu, "person", *both, flags=deltas).returncode, 0)
    told = text(chu, "equipements-delta")
    for wanted in ("X509v3 Delta CRL Indicator: critical", "Remove From CRL", second.upper()):
        assert wanted in told, (wanted, told)
    assert first.upper() not in told
    numbers = [int(re.search(r"CRL Number: *\n *(?:0x)?([0-9A-Fa-f]+)", text(chu, name))[1], 16) for name in both]
    assert numbers[1] > numbers[0], numbers
    publish(chu, "--full")
    assert person.upper() not in text(chu, "equipements") and second.upper() in text(chu, "equipements")


def test_divided():
    """four lists: each certificate points at its own, which alone knows it; openssl finds each in its scope"""
    chu = Hospital(more="crl_shards = 4")
    names = [f"d{i}" for i in range(10)]
    serials = issue(chu, *names)
    for serial in serials:
        chu.ca("revoke", serial, "--reason", "superseded")
    publish(chu)
    seen = set()
    for name, serial in zip(names, serials):
        points = chu.openssl("x509", "-in", f"{name}.pem", "-noout", "-ext", "crlDistributionPoints").stdout
        own = re.search(r"pki/(equipements-\d)\.crl", points)[1]
        seen.add(own)
        assert "certificate revoked" in verify(chu, name, own).stderr, verify(chu, name, own).stderr
        assert serial.upper() in text(chu, own)
        assert "X509v3 Issuing Distribution Point: critical" in text(chu, own)
        other = next(f"equipements-{i}" for i in range(4) if f"equipements-{i}" != own)
        assert serial.upper() not in text(chu, other)
        assert "different CRL scope" in verify(chu, name, other).stderr, verify(chu, name, other).stderr
    assert len(seen) > 1


def at(chu, days, *arguments):
    return subprocess.run(["faketime", "-f", f"{days}d", *chu.command(*arguments), "--json", "--passphrase-file", chu.path("passphrase")],
                          capture_output=True, text=True, env={**os.environ, "ASAN_OPTIONS": "verify_asan_link_order=0"})


def test_due():
    """a list is made again while a quarter of its life is left, though nothing changed; not before"""
    chu = Hospital()
    publish(chu)
    vigie.equal(publish(chu), [])
    for days, expected in ((0.7, []), (0.8, ["equipements-delta.crl"]), (6, ["equipements.crl", "equipements-delta.crl"])):
        done = at(chu, f"+{days}", "crl", "equipements")
        vigie.equal([one["file"] for one in json.loads(done.stdout)["lists"]], expected, done.stderr)


def test_linted():
    """a list that would break a rule is not signed: the one before stays, and what is wrong is said"""
    chu = Hospital()
    bad, = issue(chu, "bad")
    chu.ca("revoke", bad, "--reason", "keyCompromise")
    publish(chu)
    before = chu.path("web/equipements.crl").read_bytes()
    chu.sql("UPDATE pki_revocation SET reason = 7")
    done = chu.ca("crl", "equipements", "--full", expect=2)
    assert "not signed, for it breaks RFC 5280 5.3.1" in done.stderr and "rfc5280.crl-reason" in done.stderr, done.stderr
    chu.ca("publish", chu.path("web"))
    vigie.equal(chu.path("web/equipements.crl").read_bytes(), before)
    chu.sql("UPDATE pki_revocation SET reason = 1")
    vigie.equal(publish(chu, "--full"), ["equipements.crl", "equipements-delta.crl"])


def test_clock():
    """a clock that jumped behind the log makes no list and no certificate"""
    chu = Hospital()
    done = at(chu, "-1", "crl", "equipements")
    vigie.equal(done.returncode, 2, done.stdout)
    assert "behind the last line of the log" in done.stderr, done.stderr


def test_ahead():
    """a clock that was ahead, and is right again: somebody says so in the log, and lists of the future are made anew"""
    chu = Hospital()
    issue(chu, "a")
    publish(chu)
    vigie.equal(at(chu, "+2", "crl", "equipements", "--full").returncode, 0)
    assert "vigie audit-log resume" in chu.ca("crl", "equipements", expect=2).stderr
    log = lambda *arguments: subprocess.run([vigie.PROGRAM, "audit-log", *arguments, "--config", chu.config, "--lang", "en"],
                                            capture_output=True, text=True)
    vigie.equal(log("resume").returncode, 2, "a reason is wanted")
    done = log("resume", "--reason", "started in another year")
    vigie.equal(done.returncode, 0, done.stderr)
    vigie.equal(publish(chu), ["equipements.crl", "equipements-delta.crl"])
    done = verify(chu, "a", "equipements")
    vigie.equal(done.returncode, 0, done.stderr)
    vigie.equal(log("verify").returncode, 0)
    done = log("resume", "--reason", "again")
    assert done.returncode == 2 and "nothing is to be resumed" in done.stderr, done.stderr


def test_root():
    """the root's list tells of its own authority; openssl then refuses all below it, and we issue no more under it"""
    chu = Hospital()
    issue(chu, "a")
    serial = chu.openssl("x509", "-in", "equipements.pem", "-noout", "-serial").stdout.strip().split("=")[1]
    chu.ca("revoke", serial, "--reason", "cACompromise")
    chu.json("crl", "racine")
    publish(chu)
    done = verify(chu, "a", "equipements", "racine", flags=["-crl_check_all"])
    assert "certificate revoked" in done.stderr, done.stderr
    done = chu.ca("issue", "--profile", "device", "--csr", chu.path("a.csr"), "--name", "dns:b.chu.test", "--field", "organisation=x",
                  expect=2)
    assert "is revoked" in done.stderr, done.stderr


tap.run([test_full, test_delta, test_divided, test_due, test_linted, test_clock, test_ahead, test_root])
