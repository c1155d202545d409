"""vigie lint on certificates that claim to follow ETSI EN 319 412: one as it should be, then each rule broken alone."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-lint-"))
PERSON = "/C=FR/CN=Claire Martin/GN=Claire/SN=Martin/serialNumber=899700245667"
SEAL = "/C=FR/O=CHU de Test/organizationIdentifier=NTRFR-750712184/CN=Cachet"
STATEMENTS = """1.3.6.1.5.5.7.1.3 = ASN1:SEQUENCE:statements
[statements]
compliance = SEQUENCE:compliance
type = SEQUENCE:type
pds = SEQUENCE:pds
[compliance]
id = OID:0.4.0.1862.1.1
[type]
id = OID:0.4.0.1862.1.6
kinds = SEQUENCE:kinds
[kinds]
one = OID:0.4.0.1862.1.6.1
[pds]
id = OID:0.4.0.1862.1.5
places = SEQUENCE:places
[places]
one = SEQUENCE:place
[place]
url = IA5STRING:https://chu.example/pds-en.pdf
language = PRINTABLESTRING:en
"""
EXTENSIONS = """keyUsage = critical,digitalSignature,nonRepudiation
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid
certificatePolicies = 0.4.0.194112.1.2
crlDistributionPoints = URI:http://chu.example/a.crl
authorityInfoAccess = caIssuers;URI:http://chu.example/a.cer,OCSP;URI:http://chu.example/ocsp
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=FOLDER, capture_output=True, text=True)
    vigie.equal(done.returncode, 0, done.stderr)


openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days",
        "30", "-subj", "/C=FR/O=CHU de Test/CN=AC Personnes", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "bare.key", "-out", "bare.pem", "-days",
        "30", "-subj", "/CN=AC", "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def etsi(subject=PERSON, extensions=EXTENSIONS + STATEMENTS, ca="ca"):
    """The ids that vigie lint has for such a certificate, of ETSI."""
    (FOLDER / "ext").write_text(extensions)
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k", "-out", "r", "-subj", subject)
    openssl("x509", "-req", "-in", "r", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-extfile", "ext", "-days", "20", "-out", "c.pem")
    done = vigie.run("lint", str(FOLDER / "c.pem"), "--json", "--lang", "en")
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    return sorted({one["id"] for one in json_findings(found) if one["id"].startswith("etsi.")})


def json_findings(value):
    """Every finding, wherever the object has them."""
    if isinstance(value, dict):
        if "id" in value and "clause" in value:
            yield value
        for inner in value.values():
            yield from json_findings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from json_findings(inner)


def test_well():
    """a person's and an organisation's qualified certificate, as they should be, break no rule"""
    vigie.equal(etsi(), [])
    vigie.equal(etsi(SEAL), [])


def test_no_claim():
    """a certificate that claims nothing of ETSI's is not held to it"""
    vigie.equal(etsi("/CN=automate", "keyUsage = digitalSignature,keyCertSign\nbasicConstraints = CA:FALSE\n"), [])


def test_names():
    """what lacks in a name is told, each by its own rule"""
    for subject, rule in (("/C=FR/CN=Claire/serialNumber=1", "subject-person"), ("/C=FR/CN=Claire/GN=C/SN=M", "subject-person"),
                          ("/O=CHU/organizationIdentifier=NTRFR-1/CN=C", "subject-organisation"),
                          ("/C=FR/O=CHU/organizationIdentifier=750712184/CN=C", "organisation-identifier"),
                          ("/C=FR/O=CHU/organizationIdentifier=NTR-FR750712184/CN=C", "organisation-identifier")):
        vigie.equal(etsi(subject), [f"etsi.{rule}"], subject)
    vigie.equal(etsi(ca="bare"), ["etsi.issuer"])


def test_extensions():
    """each extension that is wrong or missing is told by its own rule"""
    for old, new, rule in (("critical,digitalSignature,nonRepudiation", "critical,nonRepudiation,keyEncipherment", "key-usage"),
                           ("critical,digitalSignature", "digitalSignature", "key-usage-critical"),
                           ("certificatePolicies = 0.4.0.194112.1.2\n", "", "policies"),
                           ("caIssuers;URI:http://chu.example/a.cer,", "", "issuer-access"),
                           ("1.3.6.1.5.5.7.1.3 = ASN1", "1.3.6.1.5.5.7.1.3 = critical,ASN1", "statements-critical"),
                           ("type = SEQUENCE:type\n", "", "type"), ("pds = SEQUENCE:pds\n", "", "disclosure"),
                           ("https://chu", "http://chu", "disclosure"), ("PRINTABLESTRING:en", "PRINTABLESTRING:fr", "disclosure")):
        text = EXTENSIONS + STATEMENTS
        assert old in text, old
        vigie.equal(etsi(extensions=text.replace(old, new)), [f"etsi.{rule}"], (old, new))
    bare = "".join(line + "\n" for line in EXTENSIONS.splitlines() if "crl" not in line and "Info" not in line)
    vigie.equal(etsi(extensions=bare + STATEMENTS), ["etsi.issuer-access", "etsi.revocation"])
    vigie.equal(etsi(extensions=EXTENSIONS + "1.3.6.1.5.5.7.1.3 = DER:3002300105"), ["etsi.statements"])


tap.run([test_well, test_no_claim, test_names, test_extensions])
