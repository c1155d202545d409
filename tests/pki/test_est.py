"""EST: curl and strongSwan enrol and renew over TLS, each by what it can prove, and nobody else."""
import base64
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from der import octets, oid, parts, sequence, tlv, value  # noqa: E402
from enrolling import Enrolling  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Enrolling(tls=True, registrar=True)
EST = f"{CHU.url}/.well-known/est"
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test")


def base64_der(csr):
    der = CHU.openssl("req", "-in", csr, "-outform", "DER", "-out", "request.der") and CHU.path("request.der").read_bytes()
    CHU.path("request.b64").write_bytes(base64.b64encode(der))
    return f"@{CHU.path('request.b64')}"


def certificate_of(body, name):
    CHU.path("answer.p7").write_bytes(base64.b64decode(body))
    CHU.openssl("pkcs7", "-in", "answer.p7", "-inform", "DER", "-print_certs", "-out", f"{name}.pem")
    return CHU.path(f"{name}.pem")


def enrol(name, user, operation="simpleenroll", expect=200, more=()):
    who = ("-u", user) if user else ()
    return CHU.curl(*who, *more, "-H", "Content-Type: application/pkcs10", "--data-binary",
                    base64_der(CHU.csr(name, f"DNS:{name}.chu.test")), f"{EST}/{operation}", expect=expect)


def test_cacerts():
    """the authorities come as PKCS#7 on one line of base64, before anybody has proven anything; of one authority its chain"""
    for place in ("cacerts", "equipements/cacerts"):
        body = CHU.curl(f"{EST}/{place}")
        assert b"\n" not in body, body
        text = certificate_of(body, "authorities").read_text()
        assert "AC Racine CHU de Test" in text, text
        vigie.equal(text.count("BEGIN CERTIFICATE"), 2, text)
    CHU.curl(f"{EST}/nobody/cacerts", expect=400)
    CHU.curl(f"{EST}/fullcmc", "-X", "POST", expect=404)


def test_csrattrs():
    """who says who it is learns which key its profile asks for; strangers, and those who mean another authority, nothing"""
    for place in ("csrattrs", "equipements/csrattrs", "nobody/csrattrs"):
        CHU.curl(f"{EST}/{place}", expect=204)
    CHU.curl("-u", f"{NAME}:{SECRET}", f"{EST}/racine/csrattrs", expect=204)
    CHU.curl("-u", f"{NAME}:wrong", f"{EST}/csrattrs", expect=403)
    told = base64.b64decode(CHU.curl("-u", f"{NAME}:{SECRET}", f"{EST}/csrattrs"))
    vigie.equal(told, sequence(sequence(oid("1.2.840.10045.2.1"), tlv(0x31, oid("1.2.840.10045.3.1.7"))), oid("1.2.840.10045.4.3.2")))


# ---- Keys made for a device -------------------------------------------------------------------------------------------
def made(answer):
    """type and content of the key's part; the certificate, PEM"""
    parts = [part.split(b"\r\n\r\n", 1) for part in answer.split(b"--vigie-est-boundary")[1:3]]
    fields = parts[0][0].decode().lower()
    assert "content-transfer-encoding: base64" in fields and b"certs-only" in parts[1][0], answer
    return fields, base64.b64decode(parts[0][1]), certificate_of(parts[1][1], "made")


def belongs(key, certificate):
    CHU.path("made.key").write_bytes(key)
    own = CHU.openssl("pkey", "-in", "made.key", "-inform", "DER", "-pubout").stdout
    vigie.equal(own, CHU.openssl("x509", "-in", certificate, "-noout", "-pubkey").stdout)


def secret_of(key):
    """Of a PKCS#8: the number that nobody else may know."""
    inner = value(value(list(parts(value(key)))[2][0]))
    members = [content for _, content in parts(inner)]
    return members[3] if len(members) > 5 else members[1]


def test_server_key():
    """a device that cannot make its key has one made, with its certificate, over TLS; the store holds nothing of it"""
    before = CHU.certificates()
    for kind, bits in (("ec:P-256", "256 bit"), ("rsa:3072", "3072 bit")):
        body = base64_der(CHU.csr("weak", "DNS:weak.chu.test", key=kind))
        fields, key, certificate = made(CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", body, f"{EST}/serverkeygen"))
        text = CHU.good(certificate)
        assert "application/pkcs8" in fields and "DNS:weak.chu.test" in text and bits in text, text
        belongs(key, certificate)
        other = made(CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", body, f"{EST}/serverkeygen"))[1]
        assert key != other
        vigie.equal(int(CHU.sql("SELECT count(*) FROM pki_request WHERE sealed_key IS NOT NULL")[0][0]), 0)
        for path in CHU.folder.glob("vigie.db*"):
            assert secret_of(key) not in path.read_bytes(), path
    vigie.equal(CHU.certificates(), before + 4)


def test_server_key_refused():
    """without proof, for a name not allowed, for a profile whose keys are their owners', or while the signer stands still: none"""
    before, body = CHU.certificates(), base64_der(CHU.csr("weak", "DNS:weak.chu.test"))

    def ask(expect, *who):
        return CHU.curl(*who, "--data-binary", body, f"{EST}/serverkeygen", expect=expect)
    ask(401)
    ask(403, "-u", f"{NAME}:wrong")
    CHU.ca("issue", "--profile", "organisation-client", "--csr", CHU.csr("seal", key="rsa:2048"), "--field", "structure=1012345678", "--field",
           "organisation=CHU de Test", "--field", "service=Test", "--requester", "c.martin", "--validator", "a.dsi", "--out",
           CHU.path("seal.pem"))
    before += 1
    said = ask(403, "--cert", CHU.path("seal.pem"), "--key", CHU.path("seal.key"))
    assert b"owners" in said, said
    with CHU.still():
        ask(503, "-u", f"{NAME}:{SECRET}")
    body = base64_der(CHU.csr("bank", "DNS:bank.example"))
    ask(403, "-u", f"{NAME}:{SECRET}")
    for text in (b"", b"AAAA", base64.b64encode(os.urandom(200))):
        CHU.path("request.b64").write_bytes(text)
        ask(400, "-u", f"{NAME}:{SECRET}")
    vigie.equal((CHU.certificates(), CHU.sql("SELECT count(*) FROM pki_request WHERE state = 'validated'")[0][0] in (0, "0")), (before, True))


def wanting(name, attribute, identifier):
    """A request with one attribute more, whose signature says nothing any more."""
    der = base64_der(CHU.csr(name, f"DNS:{name}.chu.test")) and CHU.path("request.der").read_bytes()
    info, algorithm, signature = [whole for whole, _ in parts(value(der))]
    version, subject, key, attributes = [whole for whole, _ in parts(value(info))]
    more = sequence(oid(attribute), tlv(0x31, octets(identifier)))
    CHU.path("request.b64").write_bytes(base64.b64encode(
        sequence(sequence(version, subject, key, tlv(0xA0, value(attributes), more)), algorithm, signature)))
    return f"@{CHU.path('request.b64')}"


def test_server_key_sealed():
    """a key is encrypted to the certificate shown over TLS where that is asked for (RFC 7030 4.4.1.2), and to no other"""
    csr = CHU.csr("sealed", "DNS:sealed.chu.test", key="rsa:2048")
    old = certificate_of(CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", base64_der(csr), f"{EST}/simpleenroll"), "sealed")
    CHU.path("opens.key").write_bytes(CHU.path("sealed.key").read_bytes())
    shown = ("--cert", old, "--key", CHU.path("opens.key"))
    text = CHU.openssl("x509", "-in", old, "-noout", "-ext", "subjectKeyIdentifier").stdout
    identifier = bytes.fromhex(text.split("\n")[1].strip().replace(":", ""))
    asymmetric, symmetric = "1.2.840.113549.1.9.16.2.54", "1.2.840.113549.1.9.16.2.37"
    before = CHU.certificates()
    CHU.curl(*shown, "--data-binary", wanting("sealed", symmetric, b"psk"), f"{EST}/serverkeygen", expect=400)
    CHU.curl(*shown, "--data-binary", wanting("sealed", asymmetric, bytes(20)), f"{EST}/serverkeygen", expect=400)
    CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", wanting("sealed", asymmetric, identifier), f"{EST}/serverkeygen", expect=400)
    vigie.equal(CHU.certificates(), before)
    fields, sealed, certificate = made(CHU.curl(*shown, "--data-binary", wanting("sealed", asymmetric, identifier), f"{EST}/serverkeygen"))
    assert "server-generated-key" in fields, fields
    CHU.path("sealed.p7").write_bytes(sealed)
    CHU.openssl("cms", "-decrypt", "-in", "sealed.p7", "-inform", "DER", "-inkey", "opens.key", "-binary", "-out", "signed.p7")
    CHU.path("anchors.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())
    CHU.openssl("cms", "-verify", "-in", "signed.p7", "-inform", "DER", "-CAfile", "anchors.pem", "-purpose", "any", "-binary", "-out",
                "package")
    belongs(value(CHU.path("package").read_bytes()), certificate)


def test_curl():
    """a device with the name and secret of an enrolment has its certificate in one call"""
    text = CHU.good(certificate_of(enrol("pousse-seringue", f"{NAME}:{SECRET}"), "pousse-seringue"))
    assert "DNS:pousse-seringue.chu.test" in text and "O = CHU de Test" in text, text


def test_refused():
    """without a secret, with a wrong one, for a name that was not allowed: nothing is issued"""
    before = CHU.certificates()
    enrol("stranger", None, expect=401)
    enrol("stranger", f"{NAME}:wrong", expect=403)
    enrol("stranger", f"nobody:{SECRET}", expect=403)
    csr = CHU.csr("bank", "DNS:bank.example")
    said = CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", base64_der(csr), f"{EST}/simpleenroll", expect=403)
    assert b"bank.example" in said, said
    for body in ("", "AAAA", "%%%", "A" * 60000):
        CHU.path("body").write_text(body)
        CHU.curl("-u", f"{NAME}:{SECRET}", "--data-binary", f"@{CHU.path('body')}", f"{EST}/simpleenroll", expect=400)
    vigie.equal(CHU.certificates(), before)


def test_shut_out():
    """an account that is disabled took its enrolments with it: whoever knows their secrets enrols nothing"""
    CHU.account("u.biomed", "biomed")
    name, secret = CHU.enrolment("--name", "dns:chu.test", "--account", "u.biomed")
    CHU.good(certificate_of(enrol("before", f"{name}:{secret}"), "before"))
    CHU.run("user", "disable", "u.biomed")
    said = enrol("after", f"{name}:{secret}", expect=403)
    assert b"who made the enrolment" in said, said


def test_renewal():
    """who shows its certificate renews it: the same names, a new key; not after it was revoked"""
    old = certificate_of(enrol("moniteur", f"{NAME}:{SECRET}"), "moniteur-old")
    CHU.path("old.key").write_bytes(CHU.path("moniteur.key").read_bytes())
    shown = ("--cert", old, "--key", CHU.path("old.key"))
    enrol("moniteur", None, "simplereenroll", expect=401)
    new = certificate_of(enrol("moniteur", None, "simplereenroll", more=shown), "moniteur-new")
    assert "DNS:moniteur.chu.test" in CHU.good(new)
    assert CHU.serial(old) != CHU.serial(new)
    enrol("autre", None, "simplereenroll", more=shown, expect=403)
    CHU.ca("revoke", CHU.serial(old), "--reason", "superseded")
    said = enrol("moniteur", None, "simplereenroll", more=shown, expect=403)
    assert b"revoked" in said, said


def test_label():
    """a label is the authority that is meant: what is proven for another is refused there (RFC 7030 3.2.2)"""
    enrol("label", f"{NAME}:{SECRET}", "racine/simpleenroll", expect=403)
    CHU.good(certificate_of(enrol("label", f"{NAME}:{SECRET}", "equipements/simpleenroll"), "label"))


def test_again():
    """told to wait, a device asks the same again and has what came of it, once; also where that used up its enrolment"""
    name, secret = CHU.enrolment("--name", "dns:chu.test", "--uses", 1)
    body = base64_der(CHU.csr("patient", "DNS:patient.chu.test"))
    before = CHU.certificates()

    def ask(expect):
        return CHU.curl("-u", f"{name}:{secret}", "--data-binary", body, f"{EST}/simpleenroll", expect=expect)
    with CHU.still():
        ask(202)
        ask(202)
    wait_for(lambda: CHU.certificates() > before)
    first = ask(200)
    vigie.equal((ask(200), CHU.certificates()), (first, before + 1))
    serial = CHU.serial(certificate_of(first, "patient"))
    CHU.ca("revoke", serial, "--reason", "superseded")
    ask(403)
    enrol("other", f"{name}:{secret}", expect=403)
    vigie.equal(CHU.certificates(), before + 1)


def test_hostile_names():
    """an address in a name's clothes, NUL, wildcards outside, dots, bidi, names without end: no certificate"""
    before = CHU.certificates()
    every, secret = CHU.enrolment("--name", "dns:chu.test", "--name", "ip:10.0.0.0/8")
    alternatives = ["DNS:10.0.0.1", "DNS:127.1", "DNS:0x7f000001", "DNS:chu.test.", "DNS:.chu.test", "DNS:a..chu.test", "DNS:evilchu.test",
                    "DNS:*", "DNS:*.test", "DNS:a.*.chu.test", "DNS:chu.test.bank.example", "DNS:a_b.chu.test", "DNS:-a.chu.test", "IP:11.0.0.1",
                    "IP:::ffff:10.0.0.1", "email:a@chu.test", "URI:https://chu.test", "DNS:" + "a" * 64 + ".chu.test",
                    "DNS:" + "a." * 130 + "chu.test", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@chu.test", "DNS:chu.test, DNS:bank.example"]
    for names in alternatives:
        said = CHU.curl("-u", f"{every}:{secret}", "--data-binary", base64_der(CHU.csr("hostile", names)), f"{EST}/simpleenroll", expect="4..")
        assert said.strip(), names
    CHU.csr("raw", "DNS:aXb.chu.test")
    CHU.openssl("req", "-in", "raw.csr", "-outform", "DER", "-out", "raw.der")
    for octet in (b"\0", b"\n", b"\xe2", b" ", b"/", b"@"):
        forged(CHU.path("raw.der").read_bytes().replace(b"aXb.chu.test", b"a" + octet + b"b.chu.test"))
        CHU.curl("-u", f"{every}:{secret}", "--data-binary", f"@{CHU.path('request.b64')}", f"{EST}/simpleenroll", expect="4..")
    for subject in ("/CN=a\u202eb", "/CN=a\u200bb", "/CN=" + "a" * 60 + "/O=\ufeffx"):
        csr = CHU.path("bidi.csr")
        CHU.openssl("req", "-new", "-key", "raw.key", "-utf8", "-subj", subject, "-addext", "subjectAltName=DNS:bidi.chu.test", "-out", csr)
        CHU.curl("-u", f"{every}:{secret}", "--data-binary", base64_der(csr), f"{EST}/simpleenroll", expect=400)
    many = CHU.csr("many", *(f"DNS:h{i}.chu.test" for i in range(101)))
    CHU.curl("-u", f"{every}:{secret}", "--data-binary", base64_der(many), f"{EST}/simpleenroll", expect=400)
    long = CHU.csr("long", *("DNS:" + "a" * 60 + f".{i}.chu.test" for i in range(900)))
    CHU.curl("-u", f"{every}:{secret}", "--data-binary", base64_der(long), f"{EST}/simpleenroll", expect="4..")
    CHU.path("body").write_text("A" * 300000)
    CHU.curl("-u", f"{every}:{secret}", "--data-binary", f"@{CHU.path('body')}", f"{EST}/simpleenroll", expect=413)
    vigie.equal(CHU.certificates(), before)


def forged(der):
    """The request of raw.key with these octets instead, signed again."""
    info, algorithm, _ = [whole for whole, _ in parts(value(der))]
    CHU.path("info").write_bytes(info)
    CHU.openssl("dgst", "-sha256", "-sign", "raw.key", "-out", "signature", "info")
    whole = sequence(info, algorithm, tlv(0x03, b"\0" + CHU.path("signature").read_bytes()))
    CHU.path("request.b64").write_bytes(base64.b64encode(whole))


def test_subject():
    """what a renewal's subject says is not taken over, whoever it names: the new certificate has the old one's"""
    old = certificate_of(enrol("honest", f"{NAME}:{SECRET}"), "honest-old")
    CHU.path("honest-old.key").write_bytes(CHU.path("honest.key").read_bytes())
    CHU.openssl("req", "-new", "-key", "honest.key", "-subj", "/CN=director/O=Ministry", "-out", "other.csr")
    body = CHU.curl("--cert", old, "--key", CHU.path("honest-old.key"), "--data-binary", base64_der(CHU.path("other.csr")),
                    f"{EST}/simplereenroll")
    text = CHU.good(certificate_of(body, "honest-new"))
    assert "Ministry" not in text and "director" not in text and "DNS:honest.chu.test" in text, text


def test_forged_field():
    """a client that says itself what the proxy should say is not believed"""
    pem = CHU.path("portal.pem").read_text().split("-----END")[0] + "-----END CERTIFICATE-----"
    field = pem.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")
    enrol("forged", None, "simplereenroll", expect=401,
          more=("-H", "X-SSL-Client-Verify: SUCCESS", "-H", f"X-SSL-Client-Cert: {field}"))


def test_strongswan():
    """strongSwan's pki gets the authorities, enrols and renews"""
    CHU.tool("pki", "--estca", "--url", CHU.url, "--cacert", CHU.path("racine.pem"), "--caout", "est-ca.pem", "--outform", "pem",
             "--force")
    CHU.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "swan.key", "-outform", "DER", "-out", "swan.csr", "-subj",
                "/CN=swan", "-addext", "subjectAltName=DNS:swan.chu.test")
    command = ["pki", "--est", "--url", CHU.url, "--in", "swan.csr", "--cacert", CHU.path("racine.pem"), "--cacert",
               CHU.path("equipements.pem"), "--outform", "pem"]
    for name, who in (("swan1.pem", ["--userpass", f"{NAME}:{SECRET}"]), ("swan2.pem", ["--cert", "swan1.pem", "--key", "swan.key"])):
        import subprocess
        done = subprocess.run([*map(str, command), *who], capture_output=True, cwd=CHU.folder, timeout=90, stdin=subprocess.DEVNULL)
        vigie.equal(done.returncode, 0, done.stderr)
        CHU.path(name).write_bytes(done.stdout)
        assert "DNS:swan.chu.test" in CHU.good(CHU.path(name))


def test_tcp():
    """what a proxy says counts on a Unix socket alone: on a port the portal refuses to start"""
    import subprocess
    config = CHU.path("tcp.conf")
    config.write_text(CHU.config.read_text().replace(f"unix:{CHU.path('portal.sock')}", "127.0.0.1:0"))
    done = subprocess.run([vigie.PROGRAM, "serve", "--config", config], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "portal.client_certificates" in done.stderr, done.stderr


with CHU:
    tap.run([test_cacerts, test_csrattrs, test_server_key, test_server_key_refused, test_server_key_sealed, test_curl, test_refused, test_shut_out, test_renewal, test_label, test_again, test_hostile_names, test_subject, test_forged_field, test_strongswan, test_tcp])
