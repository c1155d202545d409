"""vigie lint --profile: what our signer signs keeps its profile; what openssl signs does where it follows it, and each departure is told."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from hospital import Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402

POLICY = "1.2.250.1.999.7"
CHU = Hospital(profiles="server-smime;staff-signature;professional-signature;organisation-seal;registrar", permitted="",
               more=f"policy.device = {POLICY}")
ORGANISATION = {"organisation": "CHU de Kermarec", "department": "Finistère (29)", "structure": "1290000001"}
PERSON = {"surname": "Noël", "given_name": "Zoé", "department": "Finistère (29)", "organisation": "CHU de Kermarec"}
EVERY = {  # of each kind of profile: fields, names
    "device": ({"organisation": "CHU de Kermarec", "unit": "Bloc + réa", "serial_number": "A-1/2"}, ["dns:a.chu.test", "ip:10.1.2.3"]),
    "server-ssl": (ORGANISATION, ["dns:www.chu.test", "dns:chu.test"]),
    "server-smime": ({**ORGANISATION, "common_name": "mss.chu.test"}, ["email:mss@chu.test"]),
    "organisation-client": ({**ORGANISATION, "service": "Portail"}, []),
    "organisation-seal": ({**ORGANISATION, "service": "Cachet"}, []),
    "professional-authentication": ({"surname": "Martin", "given_name": "Anne-Lise", "profession": "10", "rpps": "10000000009", "title": "M",
                                     "specialties": "SM26,SM54"}, []),
    "professional-signature": ({"surname": "Martin", "given_name": "Anne-Lise", "profession": "10", "rpps": "10000000009"}, []),
    "staff-signature": ({**PERSON, "finess": "290000017", "register_number": "00000042", "product": "2"}, []),
}


def fields_of(profile):
    """The fields that the profile has, of those above."""
    path = os.path.join(os.environ["VIGIE_KNOWLEDGE"], "profiles", profile + ".json")
    with open(path, encoding="utf-8") as file:
        known = json.load(file)["fields"]
    return {name: value for name, value in EVERY[profile][0].items() if name in known}


def request(name, *options):
    CHU.openssl("req", "-new", *(options or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")), "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", "/CN=x")
    return CHU.path(f"{name}.csr")


def lint(profile, name, *options):
    """(ids that are found, ids that the profile waives); the issuer in the same file is of no profile."""
    done = vigie.run("lint", "--profile", profile, str(CHU.path(name)), "--json", "--lang", "en", *options)
    assert done.returncode in (0, 1), done.stderr
    files = json.loads(done.stdout)["files"]
    vigie.equal(done.returncode, 1 if any(file["findings"] for file in files) else 0)
    return [one["id"] for one in files[0]["findings"]], [one["id"] for one in files[0].get("waived", [])]


def test_ours():
    """a certificate of each kind of profile, with an EC and with an RSA key, breaks none of its profile's rules"""
    for profile, (_, names) in EVERY.items():
        for key in ((), ("-newkey", "rsa:2048")):
            arguments = [part for item in fields_of(profile).items() for part in ("--field", "=".join(item))]
            arguments += [part for name in names for part in ("--name", name)]
            CHU.path("one.pem").unlink(missing_ok=True)
            CHU.ca("issue", "--profile", profile, "--csr", request("one", *key), *arguments, "--requester", "a", "--validator", "b", "--out",
                   CHU.path("one.pem"))
            found, _ = lint(profile, "one.pem")
            vigie.equal(found, [], (profile, key))


def test_another_profile():
    """held against another profile, it is told what is not that profile's"""
    CHU.ca("issue", "--profile", "device", "--csr", request("d"), "--field", "organisation=CHU", "--name", "ip:10.1.2.3", "--out", CHU.path("d.pem"))
    found, waived = lint("professional-authentication", "d.pem")
    assert {"profile.field", "profile.names", "profile.lifetime"} & set(found), found
    vigie.equal(lint("device", "d.pem"), ([], ["cabf.lifetime", "cabf.internal-name"]))
    vigie.equal(lint("device", "d.pem", "--policy", POLICY)[0], [])
    vigie.equal(lint("device", "d.pem", "--policy", "1.2.3")[0], ["profile.policy"])


def test_waived_is_said():
    """what the profile passes over is said in words, and does not count; what the user waives is not said"""
    for lang, words in (("en", "waived by the profile device"), ("fr", "écarté par le profil device")):
        done = vigie.run("lint", "--profile", "device", str(CHU.path("d.pem")), "--lang", lang)
        assert done.returncode == 0 and done.stdout.count(words) == 2, done.stdout
    vigie.equal(lint("device", "d.pem", "--waive", "cabf.lifetime")[1], ["cabf.internal-name"])


WELL = {
    "key": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "subject": "/C=FR/O=CHU de Kermarec/OU=Bloc/serialNumber=A-1/CN=a.chu.test",
    "days": "800", "keyUsage": "critical,digitalSignature", "extendedKeyUsage": "clientAuth,serverAuth", "basicConstraints": "CA:FALSE",
    "subjectAltName": "DNS:a.chu.test,IP:10.1.2.3", "subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid",
    "crlDistributionPoints": "URI:http://pki.chu.test/a.crl", "more": "",
}
DEPARTURES = (
    ({"key": ("-newkey", "rsa:2048"), "keyUsage": "critical,digitalSignature,keyEncipherment"}, []),
    ({"key": ("-newkey", "rsa:2048")}, ["profile.key-usage"]),
    ({"key": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1")}, ["cabf.key", "profile.key"]),
    ({"key": ("-newkey", "rsa:5120"), "keyUsage": "critical,digitalSignature,keyEncipherment"}, ["profile.key"]),
    ({"key": ("-newkey", "ed25519")}, ["profile.key"]),
    ({"subject": "/C=FR/O=CHU de Kermarec/CN=a.chu.test"}, []),
    ({"subject": "/C=FR/O=CHU de Kermarec/OU=Bloc/serialNumber=A-1"}, ["profile.subject"]),
    ({"subject": "/C=DE/O=CHU de Kermarec/CN=a.chu.test"}, ["profile.subject"]),
    ({"subject": "/C=FR/L=Brest/O=CHU de Kermarec/CN=a.chu.test"}, None),
    ({"subject": "/O=CHU de Kermarec/C=FR/CN=a.chu.test"}, None),
    ({"subject": "/C=FR/CN=a.chu.test"}, ["profile.field"]),
    ({"subject": "/C=FR/O=CHU de Kermarec/serialNumber=A?1/CN=a.chu.test"}, ["profile.field"]),
    ({"days": "900"}, ["profile.lifetime"]),
    ({"keyUsage": "digitalSignature"}, ["profile.key-usage"]),
    ({"keyUsage": "critical,digitalSignature,nonRepudiation"}, ["profile.key-usage"]),
    ({"extendedKeyUsage": "serverAuth"}, ["profile.purposes"]),
    ({"extendedKeyUsage": "serverAuth,clientAuth,codeSigning"}, ["profile.purposes"]),
    ({"subjectAltName": "DNS:a.chu.test,email:a@chu.test"}, ["profile.names"]),
    ({"subjectAltName": "DNS:a.chu.test,URI:http://a.chu.test/"}, ["profile.names"]),
    ({"subjectKeyIdentifier": "none"}, ["profile.extension"]),
    ({"more": "nsComment = hello"}, ["profile.extension-foreign"]),
    ({"more": "noCheck = ignored"}, ["profile.extension-foreign"]),
)


def sign(parts):
    """A certificate that openssl makes of these parts."""
    extensions = "".join(f"{name} = {parts[name]}\n" for name in parts if name[0] != "m" and name not in ("key", "subject", "days") and parts[name] != "")
    CHU.path("ext").write_text(extensions + parts["more"] + "\n")
    CHU.openssl("req", "-new", *parts["key"], "-nodes", "-keyout", "o.key", "-out", "o.csr", "-subj", parts["subject"], "-utf8")
    CHU.openssl("x509", "-req", "-in", "o.csr", "-CA", "other.pem", "-CAkey", "other.key", "-days", parts["days"], "-extfile", "ext", "-out", "o.pem")


def test_departures():
    """a certificate of openssl's that follows the device's profile keeps it; each departure is told, and it alone"""
    CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "other.key", "-out", "other.pem", "-subj",
                "/C=FR/O=Autre/CN=AC", "-days", "2000")
    sign(WELL)
    vigie.equal(lint("device", "o.pem"), ([], ["cabf.lifetime", "cabf.internal-name"]))
    for change, expect in DEPARTURES:
        sign({**WELL, **change})
        found, _ = lint("device", "o.pem")
        if expect is None:
            assert "profile.subject" in found or "profile.field" in found, (change, found)
        else:
            vigie.equal(found, expect, change)
    sign({**WELL, "days": "900"})
    vigie.equal(lint("device", "o.pem", "--waive", "profile.lifetime")[0], [])


def test_one_of():
    """of the fields of which a profile wants one, none or two are told; one, whichever it is, keeps it"""
    person = {**WELL, "keyUsage": "critical,digitalSignature", "extendedKeyUsage": "clientAuth", "subjectAltName": "",
              "more": "1.2.250.1.71.1.2.5 = DER:040103\n1.2.250.1.71.1.2.2 = DER:020100\n1.2.250.1.71.1.2.7 = DER:02010a\n"}
    for more, expect in (("", ["profile.field"]), ("+CN=810000000009", []), ("+CN=0290012345", None), ("+CN=910000000009", ["profile.field"])):
        sign({**person, "subject": "/C=FR/SN=Martin+GN=Anne" + more})
        found, _ = lint("professional-authentication", "o.pem")
        if expect is not None:
            vigie.equal(found, expect, more)


def test_requests():
    """a request is held against what the profile asks of one: key, names, proof"""
    def ask(names, *key):
        CHU.openssl("req", "-new", *(key or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")), "-nodes", "-keyout", "r.key", "-out", "r.csr",
                    "-subj", "/CN=x", *(("-addext", f"subjectAltName={names}") if names else ()))
        return lint("device", "r.csr")[0]
    vigie.equal(ask("DNS:a.chu.test,IP:10.1.2.3"), [])
    vigie.equal(ask(""), ["profile.names"])
    vigie.equal(ask("DNS:a.chu.test,email:a@chu.test"), ["profile.names"])
    vigie.equal(ask("DNS:a.chu.test", "-newkey", "rsa:1024"), ["profile.key"])
    vigie.equal(ask("DNS:a_b.chu.test"), ["profile.request"])
    done = vigie.run("lint", str(CHU.path("r.csr")), "--lang", "en")
    assert done.returncode == 2 and "--profile" in done.stderr, done.stderr


def test_wrong_options():
    """a profile that is not there, a policy without a profile: said, status 2"""
    for options, words in ((("--profile", "nothing"), "there is none of that name"),
                           (("--policy", "1.2.3"), "--profile"), (("--waive", "profile.nothing"), "no such check")):
        done = vigie.run("lint", *options, str(CHU.path("d.pem")), "--lang", "en")
        assert done.returncode == 2 and words in done.stderr, (options, done.stderr)


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
