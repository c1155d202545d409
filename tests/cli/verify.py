"""vigie verify: what openssl accepts is accepted, and each thing that is wrong is refused with its clause."""
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-verify-"))


def path(name):
    return str(FOLDER / name)


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=FOLDER)


def write(name, text):
    (FOLDER / name).write_text(text)


def issue(name, issuer, extensions, days="400"):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out",
            name + ".csr", "-subj", f"/CN={name}")
    write(name + ".ext", extensions)
    signer = ["-CA", issuer + ".crt", "-CAkey", issuer + ".key"] if issuer else ["-signkey", name + ".key"]
    openssl("x509", "-req", "-in", name + ".csr", *signer, "-days", days, "-extfile", name + ".ext", "-out", name + ".crt")


def prepare():
    authority = "basicConstraints=critical,CA:TRUE{}\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
    issue("root", None, authority.format(""))
    issue("between", "root", authority.format(",pathlen:0"))
    issue("below", "between", authority.format(""))
    issue("limited", "root", authority.format("") + "nameConstraints=critical,permitted;DNS:chu.test\n")
    server = "subjectAltName=DNS:{}\nextendedKeyUsage=serverAuth\n"
    issue("leaf", "between", server.format("leaf.chu.test"))
    issue("revoked", "between", server.format("revoked.chu.test"))
    issue("deep", "below", server.format("deep.chu.test"))
    issue("inside", "limited", server.format("a.chu.test"))
    issue("outside", "limited", server.format("a.elsewhere.test"))
    issue("under-leaf", "leaf", server.format("under.chu.test"))
    issue("mail", "between", "subjectAltName=email:a@chu.test\nextendedKeyUsage=emailProtection\n")
    write("index.txt", "")
    write("ca.cnf", "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ndefault_md=sha256\ncrl_extensions=e\ncrlnumber=number\n"
                    "[e]\nauthorityKeyIdentifier=keyid\n")
    write("number", "01")
    for name in ("root", "between"):
        write("index.txt", "")
        signer = ["-cert", name + ".crt", "-keyfile", name + ".key"]
        if name == "between":
            openssl("ca", "-config", "ca.cnf", *signer, "-revoke", "revoked.crt")
        openssl("ca", "-config", "ca.cnf", *signer, "-gencrl", "-crldays", "30", "-out", name + ".crl")


def verify(*names, **options):
    arguments = []
    for name, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            arguments += ["--" + name, item]
    done = vigie.run("verify", "--json", "--no-system-roots", "--ca", path("root.crt"), *arguments,
                     *[path(name + ".crt") for name in names])
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    vigie.equal(done.returncode, 0 if answer["verdict"] == "valid" else 1, done.stderr)
    return answer


def refused(word, *names, **options):
    refusals = verify(*names, **options)["refusals"]
    found = [refusal for refusal in refusals if word in refusal["clause"]]
    assert found, refusals


def later(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_accepted():
    """a chain in any order is accepted, for its name and purpose, and the path is told leaf first"""
    answer = verify("between", "leaf", name="leaf.chu.test")
    vigie.equal((answer["verdict"], [step["subject"] for step in answer["path"]]),
                ("valid", ["CN=leaf", "CN=between", "CN=root"]))
    vigie.equal(verify("mail", "between", purpose="mail-signature", name="a@chu.test")["verdict"], "valid")
    vigie.equal(verify("inside", "limited")["verdict"], "valid")


def test_dates():
    """past and future are refused, at the certificate concerned; the moment is the caller's"""
    refused("validity has ended", "leaf", "between", at=later(500))
    early = verify("leaf", "between", at=later(-10))["refusals"]
    vigie.equal([(step["depth"], step["clause"]) for step in early],
                [(depth, "RFC 5280 6.1.3 a 2: its validity has not begun") for depth in (2, 1, 0)])


def test_limits():
    """when the certificate ends is told, whether accepted or not, and which names it has where one was asked for"""
    def said(*options):
        return vigie.run("verify", path("leaf.crt"), path("between.crt"), "--ca", path("root.crt"), "--no-system-roots", "--lang", "en",
                         *options).stdout
    assert re.search(r"CN=leaf\n     expires in \d+.\w+ \(", said()), said()
    assert "EXPIRED" in said("--at", later(500)), said("--at", later(500))
    assert "names: leaf.chu.test" in said("--name", "other.chu.test"), said("--name", "other.chu.test")


def test_names_and_purposes():
    """another name, another purpose"""
    refused("RFC 9525", "leaf", "between", name="other.chu.test")
    refused("RFC 9525", "mail", "between", purpose="mail-signature", name="b@chu.test")
    refused("RFC 5280 4.2.1.12", "leaf", "between", purpose="client")
    refused("RFC 5280 4.2.1.12", "mail", "between", purpose="server")


def test_paths():
    """a missing intermediate, a path too long, a constraint, a leaf that signs: each refused by its clause"""
    assert verify("leaf")["verdict"] == "refused"
    refused("6.1.4 l: the path is longer", "deep", "below", "between")
    refused("6.1.3 b: a name", "outside", "limited")
    refused("6.1.4 k: it is not an authority", "under-leaf", "leaf", "between")


def test_revocation_lists():
    """good, revoked, a list that is missing, and one past its time are told apart"""
    lists = [path("root.crl"), path("between.crl")]
    vigie.equal(verify("leaf", "between")["revocation"], {"by": None, "status": None})
    vigie.equal(verify("leaf", "between", crl=lists)["revocation"], {"by": "crl", "status": "good"})
    answer = verify("revoked", "between", crl=lists)
    vigie.equal((answer["verdict"], answer["revocation"]["status"]), ("refused", "revoked"))
    refused("no revocation list of its issuer", "leaf", "between", crl=lists[0])
    refused("past its nextUpdate", "leaf", "between", crl=lists, at=later(60))


def test_ocsp():
    """a response for it counts; one for another, or by nobody's authority, does not"""
    write("index.txt", "")
    openssl("ca", "-config", "ca.cnf", "-cert", "between.crt", "-keyfile", "between.key", "-valid", "leaf.crt")
    openssl("ca", "-config", "ca.cnf", "-cert", "between.crt", "-keyfile", "between.key", "-revoke", "revoked.crt")
    for name, signer in (("leaf", "between"), ("revoked", "between"), ("leaf", "mail")):
        openssl("ocsp", "-issuer", "between.crt", "-cert", name + ".crt", "-reqout", "request.der", "-no_nonce")
        openssl("ocsp", "-index", "index.txt", "-CA", "between.crt", "-rsigner", signer + ".crt", "-rkey", signer + ".key",
                "-reqin", "request.der", "-respout", f"{name}-{signer}.ocsp", "-ndays", "1")
    vigie.equal(verify("leaf", "between", ocsp=path("leaf-between.ocsp"))["revocation"], {"by": "ocsp", "status": "good"})
    vigie.equal(verify("revoked", "between", ocsp=path("revoked-between.ocsp"))["revocation"]["status"], "revoked")
    refused("says nothing of this certificate", "leaf", "between", ocsp=path("revoked-between.ocsp"))
    refused("has not made the response's signer a responder", "leaf", "between", ocsp=path("leaf-mail.ocsp"))
    refused("too old", "leaf", "between", ocsp=path("leaf-between.ocsp"), at=later(30))


def test_bad_input():
    """no certificate, an unknown purpose, a bad date: status 2 and a reason"""
    for arguments, word in (([path("leaf.key")], "no certificate"), ([path("leaf.crt"), "--purpose", "x"], "mail-signature"),
                            ([path("leaf.crt"), "--at", "demain"], "RFC 3339"), ([], "which file")):
        done = vigie.run("verify", "--no-system-roots", "--ca", path("root.crt"), "--lang", "en", *arguments)
        vigie.equal(done.returncode, 2, done.stdout)
        assert word in done.stderr, done.stderr


def test_words():
    """every clause that the sources cite has its French"""
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    known = {entry["en"].replace("’", "'") for entry in json.loads((root / "knowledge/words/refusals-verify.json").read_text()).values()}
    cited = set()
    for name in ("validate", "revoke-list", "revoke-response", "online", "verify"):
        source = re.sub(r'"\s*\n\s*"', "", (root / f"src/x509/{name}.c").read_text())
        cited |= set(re.findall(r'"(RFC \d[^"]*: [^"]*)"', source))
    assert len(cited) > 50 and cited <= known, sorted(cited - known)
    done = vigie.run("verify", "--no-system-roots", "--ca", path("root.crt"), "--lang", "fr", path("leaf.crt"))
    assert "son émetteur n’a pas été donné" in done.stdout, done.stdout


prepare()
tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
