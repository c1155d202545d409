"""CMP with openssl cmp, SCEP with strongSwan and certmonger: messages that prove themselves, over plain HTTP."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from enrolling import Enrolling  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Enrolling(registrar=True)
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test")
CHU.path("anchors.pem").write_text(CHU.path("racine.pem").read_text() + CHU.path("equipements.pem").read_text())


def cmp(command, *options, expect=0):
    return CHU.tool("openssl", "cmp", "-cmd", command, "-server", CHU.url.removeprefix("http://"), "-path", ".well-known/cmp",
                    *options, expect=expect)


SECRETLY = ("-ref", NAME, "-secret", f"pass:{SECRET}")


def key(name, kind="ec"):
    option = "ec_paramgen_curve:P-256" if kind == "ec" else "rsa_keygen_bits:2048"
    CHU.openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", f"{name}.key")
    return CHU.path(f"{name}.key")


def initial(name, *more, **how):
    return cmp("ir", *SECRETLY, "-newkey", key(name), "-subject", f"/CN={name}", "-sans", f"{name}.chu.test", "-certout",
               f"{name}.pem", "-chainout", "chain.pem", *more, **how)


def signed(name):
    return ("-cert", f"{name}.pem", "-key", f"{name}.key", "-trusted", "anchors.pem", "-untrusted", "equipements.pem")


def test_ir():
    """openssl cmp ir: by the secret of an enrolment, confirmed explicitly, or implicitly where it asks for that"""
    initial("perfuseur")
    assert "DNS:perfuseur.chu.test" in CHU.good(CHU.path("perfuseur.pem"))
    initial("perfuseur2", "-implicit_confirm")
    CHU.good(CHU.path("perfuseur2.pem"))


def test_cmp_refused():
    """a wrong secret, an unknown name, a name not allowed, a replayed message, garbage: no certificate"""
    before = CHU.certificates()
    cmp("ir", "-ref", NAME, "-secret", "pass:wrong", "-newkey", key("x"), "-subject", "/CN=x", "-certout", "x.pem", expect=1)
    cmp("ir", "-ref", "nobody", "-secret", f"pass:{SECRET}", "-newkey", key("x"), "-subject", "/CN=x", "-certout", "x.pem", expect=1)
    said = cmp("ir", *SECRETLY, "-newkey", key("x"), "-subject", "/CN=x", "-sans", "bank.example", "-certout", "x.pem", expect=1)
    assert "bank.example" in said, said
    for body in (b"", b"\x30\x80", b"x" * 60000, os.urandom(300)):
        CHU.path("body").write_bytes(body)
        CHU.curl("--data-binary", f"@{CHU.path('body')}", f"{CHU.url}/.well-known/cmp", expect=400)
    vigie.equal(CHU.certificates(), before)
    initial("once", "-reqout", "once.ir")
    vigie.equal(CHU.certificates(), before + 1)
    body = subprocess.run(["curl", "-s", "--data-binary", f"@{CHU.path('once.ir')}", f"{CHU.url}/.well-known/cmp"],
                          capture_output=True).stdout
    assert b"answered already" in body, body
    vigie.equal(CHU.certificates(), before + 1)


def test_cr_p10cr_kur():
    """openssl cmp cr and p10cr, and kur by the certificate that is renewed"""
    cmp("cr", *SECRETLY, "-newkey", key("bistouri"), "-subject", "/CN=b", "-sans", "bistouri.chu.test", "-certout", "bistouri.pem")
    CHU.good(CHU.path("bistouri.pem"))
    csr = CHU.csr("echo", "DNS:echo.chu.test")
    cmp("p10cr", *SECRETLY, "-csr", csr, "-certout", "echo.pem")
    assert "DNS:echo.chu.test" in CHU.good(CHU.path("echo.pem"))
    cmp("kur", *signed("bistouri"), "-newkey", key("bistouri-new"), "-certout", "bistouri-new.pem")
    assert "DNS:bistouri.chu.test" in CHU.good(CHU.path("bistouri-new.pem"))
    assert CHU.serial(CHU.path("bistouri.pem")) != CHU.serial(CHU.path("bistouri-new.pem"))


def test_rr():
    """openssl cmp rr revokes the certificate that signs, and no other; after that it proves nothing any more"""
    for name in ("rr1", "rr2"):
        cmp("ir", *SECRETLY, "-newkey", key(name), "-subject", f"/CN={name}", "-sans", f"{name}.chu.test", "-certout", f"{name}.pem")
    cmp("rr", *signed("rr1"), "-oldcert", "rr2.pem", "-revreason", "0", expect=1)
    cmp("rr", *signed("rr1"), "-oldcert", "rr1.pem", "-revreason", "0")
    vigie.equal(CHU.json("certificate", CHU.serial(CHU.path("rr1.pem")))["state"], "revoked")
    vigie.equal(CHU.json("certificate", CHU.serial(CHU.path("rr2.pem")))["state"], "good")
    cmp("kur", *signed("rr1"), "-newkey", key("rr3"), "-certout", "rr3.pem", expect=1)


def test_reasons():
    """openssl cmp rr -revreason: the reason that the owner gives is in the store; keyCompromise bars the key for good"""
    for number, reason in (("1", "keyCompromise"), ("4", "superseded"), ("5", "cessationOfOperation")):
        initial(f"reason{number}")
        cmp("rr", *signed(f"reason{number}"), "-oldcert", f"reason{number}.pem", "-revreason", number)
        told = CHU.json("certificate", CHU.serial(CHU.path(f"reason{number}.pem")))
        vigie.equal((told["state"], told["reason"]), ("revoked", reason))
    said = cmp("ir", *SECRETLY, "-newkey", "reason1.key", "-subject", "/CN=r", "-sans", "r.chu.test", "-certout", "r.pem", expect=1)
    assert "keyCompromise" in said, said


def test_polling():
    """while the signer stands still openssl cmp is told to wait, polls, and then has its certificate; a revocation is announced"""
    initial("leaving")
    before = CHU.requests()
    with CHU.still():
        waiting = subprocess.Popen(["openssl", "cmp", "-cmd", "ir", "-server", CHU.url.removeprefix("http://"), "-path", ".well-known/cmp",
                                    *SECRETLY, "-newkey", key("polled"), "-subject", "/CN=polled", "-sans", "polled.chu.test", "-certout",
                                    "polled.pem", "-total_timeout", "60"], cwd=CHU.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        cmp("rr", *signed("leaving"), "-oldcert", "leaving.pem", "-revreason", "5")
        wait_for(lambda: CHU.requests() > before, 60)
        time.sleep(3)
        assert waiting.poll() is None, waiting.communicate()
    said, _ = waiting.communicate(timeout=60)
    vigie.equal(waiting.returncode, 0, said)
    assert "polling" in said.lower() or "waiting" in said.lower(), said
    assert "DNS:polled.chu.test" in CHU.good(CHU.path("polled.pem"))
    vigie.equal(CHU.json("certificate", CHU.serial(CHU.path("leaving.pem")))["state"], "revoked")


def test_restart():
    """a portal that is killed while openssl cmp polls, and started again, goes on with the exchange: by a secret, and by a certificate"""
    initial("renewing")
    clients = []
    with CHU.still():
        for name, command in (("outliving", ("ir", *SECRETLY, "-subject", "/CN=o", "-sans", "outliving.chu.test")),
                              ("outliving2", ("ir", *SECRETLY, "-implicit_confirm", "-subject", "/CN=o", "-sans", "outliving2.chu.test")),
                              ("renewed", ("kur", *signed("renewing")))):
            clients.append((name, subprocess.Popen(
                ["openssl", "cmp", "-cmd", *command, "-server", CHU.url.removeprefix("http://"), "-path", ".well-known/cmp", "-newkey",
                 key(name), "-certout", f"{name}.pem", "-total_timeout", "120", "-keep_alive", "0"],
                cwd=CHU.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))
        wait_for(lambda: int(CHU.sql("SELECT count(*) FROM cmp_exchange WHERE issued = 0")[0][0]) == 3, 60)
        time.sleep(0.5)  # they have heard, and wait for five seconds; openssl cmp gives up where nobody listens just when it polls
        for _, client in clients:
            client.send_signal(signal.SIGSTOP)
        before = CHU.daemon.children()["portal"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: subprocess.run(["curl", "-s", "-o", "/dev/null", CHU.url]).returncode == 0 and
                 CHU.daemon.children().get("portal", before) != before, 60)
        for _, client in clients:
            client.send_signal(signal.SIGCONT)
    for name, client in clients:
        said, _ = client.communicate(timeout=120)
        vigie.equal(client.returncode, 0, said)
        CHU.good(CHU.path(f"{name}.pem"))
    vigie.equal(int(CHU.sql("SELECT count(*) FROM cmp_exchange WHERE issued = 0")[0][0]), 0, "none waits any more")


def test_not_taken():
    """a certificate that openssl cmp does not trust is not confirmed, and is revoked"""
    before = CHU.certificates()
    said = initial("distrusted", "-out_trusted", "registrar.pem", expect=1)
    assert "rejecting" in said.lower() or "reject" in said.lower(), said
    vigie.equal(CHU.certificates(), before + 1)
    serial = CHU.sql("SELECT max(id) FROM pki_certificate")[0][0]
    vigie.equal(int(CHU.sql(f"SELECT count(*) FROM pki_revocation WHERE certificate = {serial}")[0][0]), 1)


def test_genm():
    """openssl cmp genm is answered, signed by the registrar whose certificate the client verifies"""
    initial("genm")
    cmp("genm", *signed("genm"), "-infotype", "signKeyPairTypes")
    cmp("genm", *SECRETLY, "-infotype", "signKeyPairTypes")
    for kind in ("caCerts", "certReqTemplate", "currentCRL", "caProtEncCert", "keyPairParamReq"):
        cmp("genm", *SECRETLY, "-infotype", kind)


# ---- SCEP -------------------------------------------------------------------------------------------------------
SCEP = f"{CHU.url}/scep"


def swan(out, *options, expect=0):
    done = subprocess.run(["pki", "--scep", "--url", SCEP, "--outform", "pem", *map(str, options)], capture_output=True, cwd=CHU.folder,
                          timeout=90, stdin=subprocess.DEVNULL)
    assert (done.returncode == 0) == (expect == 0), (done.stderr[-2000:], CHU.daemon.log()[-1000:])
    if expect == 0:
        CHU.path(out).write_bytes(done.stdout)
    return done.stderr.decode(errors="replace")


def authorities():
    CHU.tool("pki", "--scepca", "--url", SCEP, "--caout", "scep-ca.pem", "--raout", "scep-ra.pem", "--outform", "pem", "--force")
    return ("--cacert-enc", "registrar.pem", "--cacert-sig", "registrar.pem", "--cacert", "anchors.pem")


def test_scep_strongswan():
    """strongSwan's pki learns the authorities, enrols by the challenge password and renews by its certificate"""
    anchors = authorities()
    key("scep", "rsa")
    swan("scep.pem", "--in", "scep.key", "--dn", "CN=scep", "--san", "scep.chu.test", "--password", f"{NAME}:{SECRET}", *anchors)
    assert "DNS:scep.chu.test" in CHU.good(CHU.path("scep.pem"))
    key("scep-new", "rsa")
    swan("scep-new.pem", "--in", "scep-new.key", "--dn", "CN=scep", "--san", "scep.chu.test", "--cert", "scep.pem", "--key", "scep.key",
         *anchors)
    assert "DNS:scep.chu.test" in CHU.good(CHU.path("scep-new.pem"))


def test_scep_refused():
    """a wrong challenge password, none, garbage: no certificate, and the client is told"""
    before = CHU.certificates()
    anchors = authorities()
    key("scep-x", "rsa")
    for password in (f"{NAME}:wrong", "nothing", f"nobody:{SECRET}"):
        swan("x.pem", "--in", "scep-x.key", "--dn", "CN=x", "--san", "x.chu.test", "--password", password, *anchors, expect=1)
    for body in (b"", b"\x30\x80\x06", os.urandom(400), b"x" * 60000):
        CHU.path("body").write_bytes(body)
        CHU.curl("--data-binary", f"@{CHU.path('body')}", f"{SCEP}?operation=PKIOperation", expect=400)
    CHU.curl(f"{SCEP}?operation=Nothing", expect=400)
    vigie.equal(CHU.certificates(), before)


def test_scep_certmonger():
    """certmonger's scep-submit reads what the portal can and who it is"""
    submit = "/usr/lib/certmonger/scep-submit"
    said = CHU.tool(submit, "-u", SCEP, "-c")
    assert "POSTPKIOperation" in said and "SHA-256" in said, said
    assert "BEGIN CERTIFICATE" in CHU.tool(submit, "-u", SCEP, "-C")


with CHU:
    tap.run([test_ir, test_cmp_refused, test_cr_p10cr_kur, test_rr, test_reasons, test_polling, test_restart, test_not_taken, test_genm, test_scep_strongswan, test_scep_refused,
             test_scep_certmonger])
