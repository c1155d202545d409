"""vigie lint on revocation lists: openssl's, lists built by hand of which each breaks one rule, altered ones, one of a million entries."""
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-lint-list-"))


# ---- DER, as far as a list needs it ----
def element(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else (lambda octets: bytes([0x80 | len(octets)]) + octets)(size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + content


def sequence(*parts):
    return element(0x30, *parts)


def integer(value):
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([40 * first + second])
    for arc in rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        out += bytes(reversed(digits))
    return element(0x06, out)


def utc(text):
    return element(0x17, text.encode())


def extension(number, value, critical=False):
    return sequence(oid(number), element(0x01, b"\xff") if critical else b"", element(0x04, value))


def reason(code, critical=False):
    return extension("2.5.29.21", element(0x0A, bytes([code])), critical)


def scope(*parts, critical=True):
    return extension("2.5.29.28", sequence(*parts), critical)


def entry(serial, *extensions, time=utc("261101000000Z")):
    return sequence(integer(serial) if isinstance(serial, int) else serial, time, sequence(*extensions) if extensions else b"")


ECDSA = sequence(oid("1.2.840.10045.4.3.2"))
NAME = sequence(element(0x31, sequence(oid("2.5.4.3"), element(0x0C, b"AC"))))
AUTHORITY_KEY = extension("2.5.29.35", sequence(element(0x80, b"\x01" * 20)))
NUMBER = extension("2.5.29.20", integer(7))
DELTA = extension("2.5.29.27", integer(6), True)
POINT = element(0xA0, element(0xA0, element(0x86, b"http://chu.test/a.crl")))
TRUE = b"\xff"


def make(entries=(entry(1), entry(2, reason(1))), extensions=(AUTHORITY_KEY, NUMBER), version=b"\x02\x01\x01", inner=ECDSA, outer=ECDSA, issuer=NAME,
         this=utc("261101000000Z"), following=utc("261108000000Z"), tail=b""):
    listed = sequence(*entries) if entries is not None else b""
    tbs = sequence(version, inner, issuer, this, following, listed, element(0xA0, sequence(*extensions)) if extensions else b"", tail)
    return sequence(tbs, outer, element(0x03, b"\x00", b"\x30\x06\x02\x01\x01\x02\x01\x01"))


def lint(content, expect=None, options=(), name="list.crl"):
    (FOLDER / name).write_bytes(content)
    done = vigie.run("lint", str(FOLDER / name), "--json", "--lang", "en", *options)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)["files"][0]
    vigie.equal(done.returncode, 1 if found["findings"] else 0)
    vigie.equal(found["kind"], "crl")
    ids = [one["id"].replace("rfc5280.crl-", "") for one in found["findings"]]
    if expect is not None:
        vigie.equal(ids, expect, found["findings"])
    return found["findings"]


def test_well():
    """full, empty, delta and divided lists as they should be break no rule; nor does a PEM one"""
    for content in (make(), make(entries=None), make(extensions=(AUTHORITY_KEY, NUMBER, DELTA), entries=(entry(1, reason(8)),)),
                    make(extensions=(AUTHORITY_KEY, NUMBER, scope(POINT))), make(extensions=(AUTHORITY_KEY, NUMBER, scope(element(0x81, TRUE)))),
                    make(following=element(0x18, b"20500101000000Z"), this=utc("491201000000Z"))):
        lint(content, [])
    pem = subprocess.run(["openssl", "crl", "-inform", "DER"], input=make(), capture_output=True, check=True).stdout
    lint(pem, [])


SOME_REASONS = element(0x83, b"\x00\x60")
BAD = (
    ("version", dict(version=b"")),
    ("version", dict(version=b"\x02\x01\x00")),
    ("algorithm", dict(outer=sequence(oid("1.2.840.10045.4.3.3")))),
    ("issuer", dict(issuer=sequence())),
    ("time", dict(this=element(0x18, b"20261101000000Z"))),
    ("time", dict(this=utc("2611010000Z"))),
    ("time", dict(following=utc("261108000000+0100"))),
    ("time", dict(entries=(entry(1, time=element(0x18, b"20261101000000.5Z")),))),
    ("next-update", dict(following=b"")),
    ("period", dict(following=utc("261031000000Z"))),
    ("empty", dict(entries=())),
    ("serial", dict(entries=(entry(-5),))),
    ("serial", dict(entries=(entry(1 << 165),))),
    ("serial-twice", dict(entries=(entry(9), entry(3), entry(9)))),
    ("serial-twice", dict(entries=(entry(9), entry(b"\x02\x02\x00\x09")))),
    ("extension-twice", dict(extensions=(AUTHORITY_KEY, NUMBER, NUMBER))),
    ("extension-twice", dict(entries=(entry(1, reason(1), reason(1)),))),
    ("unknown-critical", dict(extensions=(AUTHORITY_KEY, NUMBER, extension("1.2.3.4", b"\x05\x00", True)))),
    ("authority-key", dict(extensions=(NUMBER,))),
    ("authority-key", dict(extensions=(extension("2.5.29.35", sequence()), NUMBER))),
    ("authority-key", dict(extensions=(extension("2.5.29.35", sequence(element(0x80, b"\x01")), True), NUMBER))),
    ("number", dict(extensions=(AUTHORITY_KEY,))),
    ("number", dict(extensions=(AUTHORITY_KEY, extension("2.5.29.20", integer(7), True)))),
    ("number", dict(extensions=(AUTHORITY_KEY, extension("2.5.29.20", integer(-7))))),
    ("number", dict(extensions=(AUTHORITY_KEY, extension("2.5.29.20", integer(1 << 165))))),
    ("delta-critical", dict(extensions=(AUTHORITY_KEY, NUMBER, extension("2.5.29.27", integer(6))))),
    ("delta-base", dict(extensions=(AUTHORITY_KEY, NUMBER, extension("2.5.29.27", integer(8), True)))),
    ("delta-base", dict(extensions=(AUTHORITY_KEY, NUMBER, extension("2.5.29.27", b"\x05\x00", True)))),
    ("scope-critical", dict(extensions=(AUTHORITY_KEY, NUMBER, scope(POINT, critical=False)))),
    ("scope", dict(extensions=(AUTHORITY_KEY, NUMBER, scope()))),
    ("scope", dict(extensions=(AUTHORITY_KEY, NUMBER, scope(element(0x81, TRUE), element(0x82, TRUE))))),
    ("scope", dict(extensions=(AUTHORITY_KEY, NUMBER, scope(POINT, element(0x81, b"\x00"))))),
    ("scope", dict(extensions=(AUTHORITY_KEY, NUMBER, scope(element(0x82, TRUE), element(0x81, TRUE))))),
    ("freshest", dict(extensions=(AUTHORITY_KEY, NUMBER, extension("2.5.29.46", sequence(sequence(POINT)), True)))),
    ("freshest", dict(extensions=(AUTHORITY_KEY, NUMBER, DELTA, extension("2.5.29.46", sequence(sequence(POINT)))))),
    ("reason", dict(entries=(entry(1, reason(7)),))),
    ("reason", dict(entries=(entry(1, reason(11)),))),
    ("reason", dict(entries=(entry(1, reason(1, True)),))),
    ("reason-unspecified", dict(entries=(entry(1, reason(0)),))),
    ("reason-remove", dict(entries=(entry(1, reason(8)),))),
    ("invalidity", dict(entries=(entry(1, extension("2.5.29.24", utc("261101000000Z"))),))),
    ("entry-issuer", dict(entries=(entry(1, extension("2.5.29.29", sequence(element(0xA4, NAME)), True)),))),
    ("entry-critical", dict(entries=(entry(1, extension("1.2.3", b"\x05\x00", True)),))),
    ("cabf.crl-digest", dict(inner=sequence(oid("1.2.840.113549.1.1.5"), b"\x05\x00"), outer=sequence(oid("1.2.840.113549.1.1.5"), b"\x05\x00"))),
    ("cabf.crl-lifetime", dict(following=utc("271201000000Z"))),
    ("cabf.crl-lifetime", dict(following=utc("261120000000Z"), extensions=(AUTHORITY_KEY, NUMBER, scope(element(0x81, TRUE))))),
    ("cabf.crl-scope", dict(extensions=(AUTHORITY_KEY, NUMBER, scope(SOME_REASONS)))),
    ("cabf.crl-hold", dict(entries=(entry(1, reason(6)),))),
    ("malformed", dict(tail=b"\x05\x00")),
    ("malformed", dict(entries=(entry(1) + b"\x05\x00",))),
    ("malformed", dict(entries=(sequence(integer(1)),))),
    ("malformed", dict(extensions=(AUTHORITY_KEY, NUMBER, sequence(oid("2.5.29.18"), element(0x01, b"\x00"), element(0x04, b"\x30\x00"))))),
)


def test_each_rule():
    """a list that breaks one rule is told of that rule alone, with its clause, in both languages"""
    for rule, parts in BAD:
        found = lint(make(**parts), [rule])
        assert found[0]["clause"].startswith(("RFC 5280", "CA/B BR")), found
    said = {lang: vigie.run("lint", str(FOLDER / "list.crl"), "--lang", lang).stdout for lang in ("fr", "en")}
    assert "ses octets ne suivent pas" in said["fr"] and "its octets do not follow" in said["en"], said
    lint(make(entries=(entry(1, reason(6)),)), [], ["--waive", "cabf.crl-hold"])


def test_all_rules_are_tested():
    """each rule of lists that has words has a list above that breaks it"""
    words = json.loads((pathlib.Path(os.environ["VIGIE_KNOWLEDGE"]) / "words" / "lint.json").read_text())
    known = {key.removeprefix("lint.").replace("rfc5280.crl-", "") for key in words if ".crl-" in key}
    vigie.equal(known, {rule for rule, _ in BAD})


def test_indirect():
    """in an indirect list, a serial number may be there for each issuer, once; order matters to nothing"""
    indirect = (AUTHORITY_KEY, NUMBER, scope(POINT, element(0x84, TRUE)))

    def of(name, critical=True):
        return extension("2.5.29.29", sequence(element(0xA4, sequence(element(0x31, sequence(oid("2.5.4.3"), element(0x0C, name)))))), critical)
    well = make(entries=(entry(1), entry(1, of(b"B")), entry(2), entry(1, of(b"C")), entry(3, of(b"B"))), extensions=indirect)
    lint(well, ["cabf.crl-scope"])
    lint(make(entries=(entry(1, of(b"B")), entry(2, of(b"C")), entry(1, of(b"B"))), extensions=indirect), ["serial-twice", "cabf.crl-scope"])
    lint(make(entries=(entry(1, of(b"B", False)),), extensions=indirect), ["entry-issuer", "cabf.crl-scope"])


def test_openssl():
    """lists that openssl makes: version 2 breaks nothing; version 1 lacks what RFC 5280 wants"""
    (FOLDER / "ca.conf").write_text(f"[ca]\ndefault_ca=one\n[one]\ndatabase={FOLDER}/index\ncrlnumber={FOLDER}/number\ndefault_md=sha256\n"
                                    "default_crl_days=7\n[ext]\nauthorityKeyIdentifier=keyid\n")
    (FOLDER / "number").write_text("01\n")
    when = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).strftime("%y%m%d%H%M%SZ")
    (FOLDER / "index").write_text("".join(f"R\t300101000000Z\t{when},{why}\t{serial:04X}\tunknown\t/CN={serial}\n" for serial, why in
                                          ((0x1234, "keyCompromise"), (0x2345, "superseded"), (0x3456, "CACompromise"))))
    run = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj",
           "/CN=AC"]
    subprocess.run(run, cwd=FOLDER, check=True, capture_output=True)
    base = ["openssl", "ca", "-config", "ca.conf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-out", "o.crl"]
    for more, expect in ((["-crlexts", "ext"], []), ([], None)):
        subprocess.run(base + more, cwd=FOLDER, check=True, capture_output=True)
        lint((FOLDER / "o.crl").read_bytes(), expect)
    one = (FOLDER / "ca.conf").read_text().replace(f"crlnumber={FOLDER}/number\n", "")
    (FOLDER / "ca.conf").write_text(one)
    subprocess.run(base, cwd=FOLDER, check=True, capture_output=True)
    found = [one["id"] for one in lint((FOLDER / "o.crl").read_bytes())]
    assert "rfc5280.crl-number" in found and "rfc5280.crl-authority-key" in found, found


def test_altered():
    """octets altered or cut anywhere are told, or the file is refused: never worse"""
    content = make(extensions=(AUTHORITY_KEY, NUMBER, DELTA, scope(POINT)), entries=(entry(7), entry(5, reason(1)), entry(9)))
    chance = random.Random(5280)
    for turn in range(60):
        altered = bytearray(content)
        if turn % 3:
            altered[chance.randrange(len(altered))] ^= 1 << chance.randrange(8)
        else:
            del altered[chance.randrange(len(altered)):]
        (FOLDER / "altered.crl").write_bytes(altered)
        done = vigie.run("lint", str(FOLDER / "altered.crl"), "--lang", "en")
        assert done.returncode in (0, 1, 2) and "Sanitizer" not in done.stderr, (turn, done.stderr[-800:])


def peak(name):
    """The most memory that the program had, in KiB, and what it found."""
    code = ("import resource, subprocess, sys\n"
            "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.returncode, done.stdout + done.stderr)")
    said = subprocess.run([sys.executable, "-c", code, vigie.PROGRAM, "lint", str(FOLDER / name), "--lang", "en"], capture_output=True, text=True).stdout
    memory, status, told = said.split(" ", 2)
    return int(memory), int(status), told


def test_million():
    """a million entries in no order, two of them twins: found, and memory stays near the file's own size"""
    count = 1_000_000
    serials = list(range(1 << 62, (1 << 62) + count))
    random.Random(1).shuffle(serials)
    serials[-1] = serials[17]
    time = utc("261101000000Z")
    entries = [b"\x30\x19\x02\x08" + serial.to_bytes(8, "big") + time for serial in serials]
    (FOLDER / "small.crl").write_bytes(make())
    (FOLDER / "million.crl").write_bytes(make(entries=entries))
    size = (FOLDER / "million.crl").stat().st_size // 1024
    least, status, told = peak("small.crl")
    vigie.equal(status, 0, told)
    most, status, told = peak("million.crl")
    assert status == 1 and f"{serials[17]:016x}" in told and told.count("\n") == 2, (status, told)
    assert most - least < size + 24 * count // 1024 + 8 * 1024, (most, least, size)
    print(f"# {size} KiB: {most - least} KiB more than for a small list")


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
