"""vigie ca issue, revoke and the log: what comes out holds under openssl, and what must not come out does not."""
import base64
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from itertools import count
from math import gcd, prod
from random import Random

sys.path.insert(0, os.path.dirname(__file__))
from der import integer, sequence  # noqa: E402
from hospital import Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402

FIELDS = ["--field", "organisation=CHU de Test"]
DEVICE = ["issue", "--profile", "device", *FIELDS]
CHU = Hospital()


def csr(name="automate", key="ec", names="DNS:automate.chu.test,IP:10.1.2.3", subject="/CN=automate", digest="-sha256", chu=CHU):
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else [key]
    extra = ["-addext", f"subjectAltName={names}"] if names else []
    chu.openssl("req", "-new", "-utf8", "-newkey", *kind, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject,
                digest, *extra)
    return chu.path(f"{name}.csr")


def issue(*arguments, expect=0, chu=CHU):
    done = chu.ca(*arguments, "--json", expect=expect)
    return json.loads(done.stdout)["issued"] if done.stdout else done.stderr


def refused(*arguments, words, chu=CHU):
    one = issue(*arguments, expect=1, chu=chu)[0]
    assert one["serial"] is None and words in one["error"], (words, one)


def log(*arguments, chu=CHU):
    done = subprocess.run([vigie.PROGRAM, "audit-log", *map(str, arguments), "--config", str(chu.config), "--lang", "en"],
                          capture_output=True, text=True)
    return done.returncode, done.stdout


def test_device():
    """a device's certificate: verified by openssl with name constraints, for its names, both purposes; lint is silent"""
    issued = issue(*DEVICE, "--csr", csr(), "--accept-names", "--field", "unit=Laboratoire", "--out", CHU.path("automate.pem"))[0]
    for purpose, name in (("sslserver", "-verify_hostname automate.chu.test"), ("sslclient", "-verify_ip 10.1.2.3")):
        CHU.openssl("verify", "-x509_strict", "-CAfile", "racine.pem", "-untrusted", "equipements.pem", "-purpose", purpose,
                    *name.split(), "automate.pem")
    text = CHU.openssl("x509", "-in", "automate.pem", "-noout", "-text", "-nameopt", "utf8").stdout
    for wanted in ("O=CHU de Test, OU=Laboratoire, CN=automate.chu.test", "CA:FALSE", "TLS Web Server Authentication",
                   "URI:http://pki.chu.test/pki/equipements.crl", "OCSP - URI:http://pki.chu.test/pki/ocsp", "X509v3 Freshest CRL"):
        assert wanted in text, (wanted, text)
    vigie.equal(len(issued["serial"]), 32)
    done = vigie.run("lint", str(CHU.path("automate.pem")), "--waive", "cabf.lifetime", "--waive", "cabf.internal-name")
    vigie.equal(done.returncode, 0, done.stdout)
    again = CHU.ca("certificate", issued["serial"]).stdout
    vigie.equal(again, CHU.path("automate.pem").read_text())


def test_rsa():
    """an RSA-2048 key of an old device is certified, with keyEncipherment; RSA-1024 is not"""
    issue(*DEVICE, "--csr", csr("old", "rsa:2048"), "--accept-names", "--out", CHU.path("old.pem"))
    assert "Key Encipherment" in CHU.openssl("x509", "-in", "old.pem", "-noout", "-text").stdout
    refused(*DEVICE, "--csr", csr("older", "rsa:1024"), "--accept-names", words="key of this type or size")


def test_several():
    """several requests in one commit: good ones are issued, bad ones told, each for itself"""
    good, bad = csr("good"), csr("bad", names="DNS:autre.example")
    CHU.path("out").mkdir()
    first, second = issue(*DEVICE, "--csr", good, "--csr", bad, "--accept-names", "--out", CHU.path("out"), expect=1)
    assert first["serial"] and "not among what is permitted" in second["error"]
    vigie.equal([path.name for path in CHU.path("out").iterdir()], ["good.pem"])


def test_names():
    """names that were not validated, not permitted, or hide something are refused"""
    refused(*DEVICE, "--csr", csr("n1"), words="which was not validated")
    refused(*DEVICE, "--csr", csr("n2"), "--name", "dns:automate.chu.test", words="ip:10.1.2.3")
    refused(*DEVICE, "--csr", csr("n3", names="IP:192.168.1.1"), "--accept-names", words="not among what is permitted")
    refused(*DEVICE, "--csr", csr("n4", names="DNS:xchu.test"), "--accept-names", words="not among what is permitted")
    refused(*DEVICE, "--csr", csr("n5", names="email:a@chu.test"), "--accept-names", words="no name of this kind")
    refused(*DEVICE, "--csr", csr("n6", names="URI:http://chu.test"), "--accept-names", words="no DNS name")
    refused(*DEVICE, "--csr", csr("n7", names=None), words="a name is wanted")
    refused(*DEVICE, "--csr", csr("n8", subject="/CN=auto\u202etamot"), "--accept-names", words="direction of writing")
    refused(*DEVICE, "--csr", csr("n9", names="DNS:a_b.chu.test"), "--accept-names", words="no DNS name")
    refused(*DEVICE, "--csr", csr("n10"), "--accept-names", "--field", "unit=a\u202eb", words="direction of writing")
    issue(*DEVICE, "--csr", csr("n11", names=None), "--name", "dns:autre.chu.test")


def der_of(path):
    return bytearray(base64.b64decode("".join(path.read_text().splitlines()[1:-1])))


def test_broken_requests():
    """a request whose proof is false, that is cut, huge, or has a NUL in its name is refused"""
    der = der_of(csr("proof"))
    for name, data, words in (("flip", der[:-3] + bytes([der[-3] ^ 1]) + der[-2:], "proof of possession"),
                              ("cut", der[:len(der) // 2], "X.690"),
                              ("huge", bytes(64 * 1024), "larger than 32 KiB"),
                              ("empty", b"", "X.690"),
                              ("text", b"-----BEGIN CERTIFICATE REQUEST-----\n????\n-----END CERTIFICATE REQUEST-----\n", "X.690"),
                              ("nul", der.replace(b"automate.chu.test", b"auto\0ate.chu.test"), "")):
        CHU.path(name).write_bytes(bytes(data))
        refused(*DEVICE, "--csr", CHU.path(name), "--accept-names", words=words)
    refused(*DEVICE, "--csr", csr("sha1", digest="-sha1"), "--accept-names", words="SHA-1")
    huge = csr("long", names=",".join(f"DNS:{'x' * 60}{i}.chu.test" for i in range(101)))
    refused(*DEVICE, "--csr", huge, "--accept-names", words="more than 100 names")


def rsa_key(name, p, q, e=65537):
    """RSAPrivateKey (RFC 8017 A.1.2) of these primes."""
    d = pow(e, -1, (p - 1) * (q - 1)) if e > 1 else 1
    numbers = (0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    der = sequence(*map(integer, numbers))
    CHU.path(f"{name}.key").write_text("-----BEGIN RSA PRIVATE KEY-----\n" + base64.encodebytes(der).decode() + "-----END RSA PRIVATE KEY-----\n")
    CHU.openssl("req", "-new", "-key", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:x.chu.test")
    return CHU.path(f"{name}.csr")


def test_weak_keys():
    """keys that others can find are refused, to who asks and by lint: close primes, ROCA, a small factor, an exponent of 3"""
    random = Random(7)
    first = prod(number for number in range(3, 702, 2) if all(number % i for i in range(3, int(number**.5) + 1, 2)))

    def is_prime(number):
        return gcd(number, first) == 1 and all(pow(base, number - 1, number) == 1 for base in (2, 3))

    def prime(begin, step=2):
        return next(number for number in (begin + i * step for i in count()) if is_prime(number))

    def some(bits=1024):
        return prime(random.getrandbits(bits) | 1 | 3 << bits - 2)

    def infineon():
        product = 2 * first
        return prime(((3 << 1022) // product + random.getrandbits(40)) * product + pow(65537, random.getrandbits(64), product), product)

    p, q = some(), some()
    for words, primes in (("modulus", (691, some(2040))), ("close primes", (p, prime(p + (1 << 512)))), ("ROCA", (infineon(), infineon()))):
        refused(*DEVICE, "--csr", rsa_key("weak", *primes), "--accept-names", words=words)
    while (p - 1) % 3 == 0 or (q - 1) % 3 == 0:
        p, q = some(), some()
    refused(*DEVICE, "--csr", rsa_key("three", p, q, 3), "--accept-names", words="exponent")
    issue(*DEVICE, "--csr", rsa_key("well", p, q), "--accept-names")
    CHU.openssl("req", "-x509", "-key", "weak.key", "-out", "weak.pem", "-subj", "/CN=x")
    done = vigie.run("lint", str(CHU.path("weak.pem")))
    assert "cabf.rsa" in done.stdout and "ROCA" in done.stdout, done.stdout


def test_dual_control():
    """a profile for persons wants three people, an RPPS number that is one, and puts the health extensions in"""
    person = ["issue", "--profile", "professional-authentication", "--csr", csr("ps", names=None), "--field", "surname=Martin",
              "--field", "given_name=Camille", "--field", "profession=60", "--field", "title=Infirmier"]
    good = ["--field", "rpps=10000000009"]
    refused(*person, *good, words="both who asked and who validated")
    refused(*person, *good, "--requester", "camille", "--validator", "camille", words="another person")
    me = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    refused(*person, *good, "--requester", "camille", "--validator", me, words="who issues")
    people = ["--requester", "camille", "--validator", "ordre"]
    refused(*person, *people, "--field", "rpps=10000000008", words="RPPS")
    refused(*person, *people, words="exactly one of the fields rpps, adeli")
    refused(*person, *people, *good, "--field", "profession=61", words="form")
    refused(*person, *people, *good, "--field", "secret=1", words="no field secret")
    issue(*person, *people, *good, "--field", "specialties=SM36", "--out", CHU.path("ps.pem"))
    text = CHU.openssl("x509", "-in", "ps.pem", "-noout", "-text").stdout
    for wanted in ("title = Infirmier", "CN = 810000000009", "1.2.250.1.71.1.2.7"):
        assert wanted in text, text
    dump = CHU.openssl("asn1parse", "-in", "ps.pem").stdout
    for wanted in ("[HEX DUMP]:02013C", "[HEX DUMP]:040103", "[HEX DUMP]:30060C04534D3336"):
        assert wanted in dump, dump


def test_profile_not_served():
    """an authority issues its own profiles alone"""
    assert "no authority issues this profile" in issue("issue", "--profile", "staff-signature", "--csr", csr("s"), expect=2)
    refused(*DEVICE[:2], "device", "--authority", "racine", "--csr", csr("r"), words="does not issue it")


def test_wrong_passphrase():
    """a wrong passphrase opens nothing and issues nothing"""
    CHU.path("wrong").write_text("tata yoyo\n")
    before = len(CHU.json("certificates")["certificates"])
    done = CHU.ca(*DEVICE, "--csr", csr("w"), "--accept-names", "--passphrase-file", f"equipements={CHU.path('wrong')}", expect=2)
    assert "does not open it" in done.stderr
    vigie.equal(len(CHU.json("certificates")["certificates"]), before)


def test_revocation():
    """final is final; a hold wants a profile that allows it and can be released; a compromised key does not come back"""
    serial = issue(*DEVICE, "--csr", csr("rev"), "--accept-names")[0]["serial"]
    assert "knows no hold" in CHU.ca("revoke", serial, "--reason", "certificateHold", expect=2).stderr
    CHU.ca("revoke", serial, "--reason", "keyCompromise")
    assert "already" in CHU.ca("revoke", serial, "--reason", "superseded", expect=2).stderr
    refused(*DEVICE, "--csr", CHU.path("rev.csr"), "--accept-names", words="make a new key")
    vigie.equal(CHU.json("certificate", serial)["state"], "revoked")
    person = issue("issue", "--profile", "professional-authentication", "--csr", csr("h", names=None), "--field", "surname=Noël",
                   "--field", "given_name=Zoé", "--field", "profession=10", "--field", "rpps=10000000009", "--requester", "a",
                   "--validator", "b")[0]["serial"]
    for reason, state in (("certificateHold", "held"), ("removeFromCRL", "good"), ("certificateHold", "held"),
                          ("cessationOfOperation", "revoked")):
        CHU.ca("revoke", person.upper(), "--reason", reason)
        vigie.equal(CHU.json("certificate", person)["state"], state)
    assert "no authority here" in CHU.ca("revoke", "00ff", "--reason", "superseded", expect=2).stderr
    assert "is wanted" in CHU.ca("revoke", serial, "--reason", "ennui", expect=2).stderr


def tlv(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + length + content


def parts(content):
    """The elements of a DER content, each whole."""
    while content:
        size, head = content[1], 2
        if size > 127:
            head += size & 127
            size = int.from_bytes(content[2:head], "big")
        yield content[:head + size], content[head:head + size]
        content = content[head + size:]


def ec_key(name, scalar, curve):
    """ECPrivateKey (RFC 5915) of this number, and a request that it signed."""
    der = sequence(integer(1), tlv(4, scalar.to_bytes(32, "big")), tlv(0xA0, curve))
    CHU.path(f"{name}.key").write_text("-----BEGIN EC PRIVATE KEY-----\n" + base64.encodebytes(der).decode() + "-----END EC PRIVATE KEY-----\n")
    CHU.openssl("req", "-new", "-key", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:x.chu.test")
    return CHU.path(f"{name}.csr")


def test_compromised_key_in_other_clothes():
    """who has a compromised key has it with any exponent, and its negative on the curve: neither is certified; nor what older versions barred"""
    def compromised(name, key):
        serial = issue(*DEVICE, "--csr", csr(name, key=key), "--accept-names")[0]["serial"]
        CHU.ca("revoke", serial, "--reason", "keyCompromise")
        CHU.openssl("pkey", "-in", f"{name}.key", "-traditional", "-outform", "DER", "-out", "key.der")
        return [value for _, value in parts(next(parts(CHU.path("key.der").read_bytes()))[1])]

    p, q = (int.from_bytes(one, "big") for one in compromised("worn", "rsa:3072")[4:6])
    exponent = next(e for e in count(65539, 2) if gcd(e, (p - 1) * (q - 1)) == 1)
    refused(*DEVICE, "--csr", rsa_key("other", p, q, exponent), "--accept-names", words="make a new key")
    _, scalar, curve = compromised("point", "ec")[:3]
    negative = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 - int.from_bytes(scalar, "big")
    refused(*DEVICE, "--csr", ec_key("negative", negative, curve), "--accept-names", words="make a new key")
    CHU.openssl("req", "-in", csr("older"), "-noout", "-pubkey", "-out", "older.pub")
    CHU.openssl("pkey", "-pubin", "-in", "older.pub", "-outform", "DER", "-out", "older.spki")
    bar(hashlib.sha256(CHU.path("older.spki").read_bytes()).hexdigest())
    refused(*DEVICE, "--csr", CHU.path("older.csr"), "--accept-names", words="make a new key")


def bar(digest):
    """As versions did that told keys by all of their encoding."""
    blob = f"x'{digest}'" if CHU.store_url.startswith("sqlite:") else f"'\\x{digest}'"
    CHU.sql(f"INSERT INTO pki_bad_key (hash) VALUES ({blob})")


def test_key_has_one_encoding():
    """an RSA key whose parameters are left out, signed again by the key itself, is refused: it could come back unrecognised"""
    csr("rsa", key="rsa:3072")
    der = subprocess.run(["openssl", "req", "-in", CHU.path("rsa.csr"), "-outform", "DER"], capture_output=True, check=True).stdout
    (_, request), = parts(der)
    (_, info), (algorithm, _), _ = parts(request)
    version, subject, (_, key), attributes = parts(info)
    _, bits = parts(key)
    bare = tlv(0x30, tlv(0x30, bytes.fromhex("06092a864886f70d010101")) + bits[0])
    changed = tlv(0x30, version[0] + subject[0] + bare + attributes[0])
    CHU.path("info").write_bytes(changed)
    CHU.openssl("dgst", "-sha256", "-sign", "rsa.key", "-out", "signature", "info")
    signature = tlv(0x03, b"\0" + CHU.path("signature").read_bytes())
    CHU.path("bare.csr").write_bytes(tlv(0x30, changed + algorithm + signature))
    refused(*DEVICE, "--csr", CHU.path("bare.csr"), "--accept-names", words="encoded as RFC")
    issue(*DEVICE, "--csr", CHU.path("rsa.csr"), "--accept-names")


def test_log():
    """the log proves itself; a line, a certificate or a revocation changed behind its back, or a tail cut off, is told"""
    status, told = log("verify", "--json")
    vigie.equal((status, json.loads(told)["faults"]), (0, []), told)
    CHU.path("checkpoint").write_text(log("checkpoint")[1])
    issue(*DEVICE, "--csr", csr("later"), "--accept-names")
    status, told = log("verify", "--checkpoint", CHU.path("checkpoint"))
    assert status == 0 and "Not compared" not in told, told
    assert "Not compared with a checkpoint" in log("verify")[1], "what it does not prove is not told"
    if os.environ.get("VIGIE_TEST_POSTGRESQL"):
        return
    original = CHU.path("vigie.db")
    subprocess.run(["sqlite3", original, "PRAGMA wal_checkpoint(TRUNCATE)"], check=False, capture_output=True)
    saved = sqlite3.connect(original)
    for sql, words in (
            ("UPDATE pki_log SET details = '{}' WHERE seq = 3", "was changed"),
            ("DELETE FROM pki_log WHERE seq = 2", "missing"),
            ("UPDATE pki_certificate SET der = zeroblob(300) WHERE id = 3", "not the one that was issued"),
            ("DELETE FROM pki_revocation", "not in the store"),
            ("UPDATE pki_revocation SET reason = 4", "other than the log tells"),
            ("UPDATE pki_revocation SET shard = 1", "other than the log tells"),
            ("UPDATE pki_revocation SET not_after = 1; UPDATE pki_certificate SET not_after = 1", "the log and itself tell"),
            ("UPDATE pki_certificate SET profile = 'server-ssl' WHERE id = 3", "the log and itself tell"),
            ("UPDATE pki_certificate SET subject = 'CN=other' WHERE id = 3", "the log and itself tell"),
            ("UPDATE pki_checkpoint SET signature = zeroblob(70)", "does not hold"),
            ("DELETE FROM pki_checkpoint", "signatures were taken out"),
            ("DELETE FROM pki_checkpoint WHERE seq = (SELECT MAX(seq) FROM pki_checkpoint)", "signatures were taken out"),
            ("DELETE FROM pki_log WHERE seq > 3; DELETE FROM pki_checkpoint WHERE seq > 3; UPDATE pki_log_head SET seq = 3",
             "cut or rewritten"),
    ):
        saved.execute("VACUUM INTO ?", (str(CHU.path("copy.db")),))
        copy = sqlite3.connect(CHU.path("copy.db"))
        copy.executescript("PRAGMA foreign_keys = OFF;" + sql)
        copy.commit()
        copy.close()
        CHU.path("copy.conf").write_text(f"[store]\nurl = sqlite:{CHU.path('copy.db')}\n")
        done = subprocess.run([vigie.PROGRAM, "audit-log", "verify", "--config", CHU.path("copy.conf"), "--checkpoint",
                               CHU.path("checkpoint"), "--lang", "en"], capture_output=True, text=True)
        vigie.equal(done.returncode, 1, sql + done.stderr)
        assert words in done.stdout, (sql, words, done.stdout)
        for path in CHU.folder.glob("copy.db*"):
            path.unlink()


def test_two_at_once():
    """eight processes that issue at once: all certificates are there, the log is one chain"""
    chu = Hospital()
    requests = [str(csr(f"c{i}", chu=chu)) for i in range(5)]
    wanted = [argument for path in requests for argument in ("--csr", path)]
    sealed = ["--passphrase-file", str(chu.path("passphrase")), "--json", "--accept-names"]
    running = [subprocess.Popen([*chu.command(*DEVICE, *wanted), *sealed], stdout=subprocess.PIPE, text=True) for _ in range(8)]
    serials = [one["serial"] for process in running for one in json.loads(process.communicate(timeout=120)[0])["issued"]]
    vigie.equal((len(serials), len(set(serials))), (40, 40))
    status, told = log("verify", "--json", chu=chu)
    vigie.equal((status, json.loads(told)["certificates"]), (0, 42), told)


def test_serials():
    """a serial number begins with the second it was given in, so that the store's index grows at its end; the rest is chance"""
    CHU.path("serials").mkdir()
    begun = int(time.time())
    serials = [bytes.fromhex(one["serial"])
               for one in issue(*DEVICE, "--csr", csr("serial1"), "--csr", csr("serial2"), "--accept-names", "--out", CHU.path("serials"))]
    for serial in serials:
        assert serial[0] >> 2 == 0x10 and len(serial) == 16, serial.hex()
        assert begun <= int.from_bytes(serial[:5], "big") & (1 << 34) - 1 <= time.time() + 1, serial.hex()
    vigie.equal(len({serial[5:] for serial in serials}), 2)


def test_killed():
    """killed at any moment: no file was handed out that the store does not hold, and the log is whole"""
    chu = Hospital()
    requests = [str(csr(f"k{i}", chu=chu)) for i in range(20)]
    wanted = [argument for path in requests for argument in ("--csr", path)]
    for round in range(8):
        folder = chu.path(f"out{round}")
        folder.mkdir()
        process = subprocess.Popen([*chu.command(*DEVICE, *wanted, "--accept-names", "--out", folder, "--passphrase-file",
                                                 chu.path("passphrase"))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.05 + 0.06 * round)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in folder.glob("*.pem"):
            text = path.read_text()
            if "END CERTIFICATE" not in text:
                continue
            serial = chu.openssl("x509", "-in", path, "-noout", "-serial").stdout.strip().split("=")[1]
            vigie.equal(chu.json("certificate", serial)["state"], "good")
    vigie.equal(log("verify", chu=chu)[0], 0)


tap.run([test_device, test_rsa, test_several, test_names, test_broken_requests, test_weak_keys, test_dual_control, test_profile_not_served,
         test_wrong_passphrase, test_revocation, test_compromised_key_in_other_clothes, test_key_has_one_encoding, test_log, test_two_at_once, test_serials,
         test_killed])
