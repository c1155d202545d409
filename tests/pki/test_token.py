"""Keys in a PKCS#11 token (SoftHSM): made there, used there, never elsewhere; by command and by the resident signer."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-token-"))
os.environ["SOFTHSM2_CONF"] = str(FOLDER / "softhsm2.conf")
from registrar import Registrar  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "271828"
(FOLDER / "tokens").mkdir()
(FOLDER / "softhsm2.conf").write_text(f"directories.tokendir = {FOLDER}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "CA", "--pin", PIN, "--so-pin", "314159"], check=True,
               capture_output=True)


def uri(name, token="CA"):
    return f"pkcs11:token={token};object={name}?module-path={MODULE}"


class InToken(Registrar):
    def __init__(self, key):
        super().__init__(init=False, key=key)
        self.path("passphrase").write_text(PIN + "\n")
        text = self.path("hierarchy.conf").read_text()
        self.place = f"{key}-{os.getpid()}"
        for name in ("racine", "equipements"):
            text = text.replace(f"[authority {name}]\n", f"[authority {name}]\nkey_file = {uri(name + self.place)}\n")
        self.path("hierarchy.conf").write_text(text)


CHU = InToken("P-256")


def pkcs11(*arguments):
    return subprocess.run(["pkcs11-tool", "--module", MODULE, "--token-label", "CA", "--login", "--pin", PIN, *arguments],
                          capture_output=True, text=True, check=True).stdout


def test_ceremony():
    """the ceremony makes the keys in the token; the authorities sign, and openssl follows"""
    CHU.ca("init", CHU.path("hierarchy.conf"))
    for name in ("racine", "equipements"):
        CHU.path(f"{name}.pem").write_text(CHU.ca("show", name, "--pem").stdout)
    CHU.openssl("verify", "-CAfile", "racine.pem", "equipements.pem")
    CHU.ca("issue", "--profile", "device", "--csr", CHU.csr("a", "DNS:a.chu.test"), "--accept-names", "--field", "organisation=CHU", "--out",
           CHU.path("a.pem"))
    CHU.openssl("verify", "-CAfile", "racine.pem", "-untrusted", "equipements.pem", "a.pem")
    CHU.ca("crl", "racine", "equipements")
    CHU.ca("responder", "equipements")
    vigie.equal(CHU.json("answers", "equipements")["signed"], 2)
    assert not [path for path in CHU.folder.rglob("*") if path.suffix == ".key" and path.name != "a.key"], "no key in a file"


def test_stays():
    """the private keys are sensitive and cannot be taken out"""
    told = pkcs11("--list-objects", "--type", "privkey")
    vigie.equal(told.count("Private Key Object"), 3, told)
    vigie.equal(told.count("sensitive, always sensitive, never extractable, local"), 3, told)
    done = subprocess.run(["pkcs11-tool", "--module", MODULE, "--token-label", "CA", "--login", "--pin", PIN, "--read-object", "--type",
                           "privkey", "--label", f"racine{CHU.place}"], capture_output=True, text=True)
    assert not done.stdout.strip(), done.stdout[:200]


def refused(words, *arguments):
    said = CHU.ca(*arguments, expect=2).stderr
    assert words in said and PIN not in said, said


def test_refused():
    """a wrong PIN, a token that is not there, a URI without a module or with a PIN: each is said, and nothing is made"""
    CHU.path("passphrase").write_text("000000\n")
    refused("the PIN is wrong", "crl", "equipements", "--full")
    CHU.path("passphrase").write_text(PIN + "\n")
    other = CHU.path("other.conf")
    text = CHU.path("hierarchy.conf").read_text().replace("[authority racine]", "[authority autre]").split("[authority equipements]")[0]
    here = uri("racine" + CHU.place)
    for place, words in ((uri("x", token="nowhere"), "no such token"), ("pkcs11:token=CA;object=x", "module-path="),
                         (uri("x") + "&pin-value=1", "pin-value"), (f"pkcs11:token=CA?module-path={MODULE}", "object="),
                         (f"pkcs11:token=CA;object=x?module-path={CHU.path('a.pem')}", "PKCS#11 library")):
        other.write_text(text.replace(here, place))
        refused(words, "init", other)
    other.write_text(text.replace("key = P-384", "key = RSA-3072"))
    refused("the key there is no RSA-3072", "init", other)
    vigie.equal(len(CHU.json("list")["authorities"]), 2)


def test_resident():
    """the resident signer issues with a key in the token, from within its sandbox, and signs OCSP answers for the portal there"""
    CHU.daemon.groups["pki"]["token_folders"] = f"{FOLDER}"
    CHU.daemon.write_config()
    with CHU:
        CHU.account("c.martin", role="biomed")
        CHU.account("a.dsi", "dsi")
        one = CHU.device("resident")
        done = CHU.request("validate", one["id"], "--account", "a.dsi", "--wait", 60, "--out", CHU.path("resident.pem"))
        vigie.equal(done["state"], "issued", (done, CHU.daemon.log()[-1500:]))

        def on_the_spot():
            """an answer with a nonce"""
            done = CHU.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "resident.pem", "-nonce", "-url",
                               f"http://127.0.0.1:{CHU.daemon.port}/pki/ocsp", "-CAfile", "racine.pem", "-verify_other", "equipements.pem",
                               check=False)
            return "resident.pem: good" in done.stdout and "Response verify OK" in done.stderr and "no nonce" not in done.stderr
        wait_for(on_the_spot, 20)
    CHU.openssl("verify", "-CAfile", "racine.pem", "-untrusted", "equipements.pem", "resident.pem")


def test_rsa():
    """an RSA authority in the token signs too"""
    rsa = InToken("RSA-3072")
    rsa.ca("init", rsa.path("hierarchy.conf"))
    for name in ("racine", "equipements"):
        rsa.path(f"{name}.pem").write_text(rsa.ca("show", name, "--pem").stdout)
    rsa.ca("issue", "--profile", "device", "--csr", rsa.csr("r", "DNS:r.chu.test"), "--accept-names", "--field", "organisation=CHU", "--out",
           rsa.path("r.pem"))
    rsa.openssl("verify", "-CAfile", "racine.pem", "-untrusted", "equipements.pem", "r.pem")


tap.run([test_ceremony, test_stays, test_refused, test_resident, test_rsa])
