"""An authority's next generation: certificates of both hold for whoever trusts either root, and nothing is lost on the way."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from hospital import NEXT_EQUIPEMENTS, Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402

NEXT = """
[authority racine-2]
succeeds = racine
title = AC Racine
subject = C=FR;O=CHU de Test;CN=AC Racine CHU de Test
key = P-384
years = 20
""" + NEXT_EQUIPEMENTS.format(issuer="racine-2")


def declare(chu, text=NEXT):
    with open(chu.path("hierarchy.conf"), "a", encoding="utf-8") as file:
        file.write(text)


def issue(chu, name):
    """The leaf, NAME.pem; what is handed out with it, NAME-chain.pem."""
    chu.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", f"/CN={name}")
    serial = chu.json("issue", "--profile", "device", "--csr", chu.path(f"{name}.csr"), "--name", f"dns:{name}.chu.test", "--field",
                      "organisation=CHU", "--out", chu.path(f"{name}.pem"))["issued"][0]["serial"]
    return serial


def again(chu, serial, name):
    """What is handed out now of a certificate issued before."""
    chu.path(name).unlink(missing_ok=True)
    chu.ca("certificate", serial, "--out", chu.path(name))


def save(chu, *names):
    for name in names:
        chu.path(f"{name}.pem").write_text(chu.ca("show", name, "--pem").stdout)


def links(chu):
    chu.ca("publish", chu.path("web"))
    for path in chu.path("web").glob("*.cer"):
        chu.openssl("x509", "-inform", "DER", "-in", path, "-out", chu.path(path.stem + ".link.pem"))


def holds(chu, root, file, name):
    """Three relying parties, who trust this root alone and are given the file as it was handed out."""
    text = chu.path(file).read_text()
    chu.path("leaf.pem").write_text(text[:text.index("-----END") + 26])
    chu.openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted", file, "-purpose", "sslserver", "-verify_hostname", name,
                "leaf.pem")
    done = subprocess.run(["certtool", "--verify", "--load-ca-certificate", root, "--infile", file, "--verify-hostname", name],
                          capture_output=True, text=True, cwd=chu.folder)
    vigie.equal(done.returncode, 0, done.stdout + done.stderr)
    done = vigie.run("verify", str(chu.path(file)), "--ca", str(chu.path(root)), "--no-system-roots", "--name", name, "--lang", "en")
    vigie.equal(done.returncode, 0, done.stdout + done.stderr)


def test_either_root():
    """leaves of either generation hold for whoever trusts either root, with what is handed out: openssl, gnutls, vigie verify"""
    chu = Hospital()
    old = issue(chu, "before")
    declare(chu)
    told = chu.json("init", chu.path("hierarchy.conf"))
    vigie.equal((told["made"], told["kept"], told["links"]), (["racine-2", "equipements-2"], ["racine", "equipements"],
                                                              ["racine-2-by-racine", "racine-by-racine-2"]))
    save(chu, "racine-2", "equipements-2")
    new = issue(chu, "after")
    again(chu, old, "old.pem")
    again(chu, new, "new.pem")
    for root in ("racine.pem", "racine-2.pem"):
        holds(chu, root, "new.pem", "after.chu.test")
        holds(chu, root, "old.pem", "before.chu.test")
    # Without the link it does not hold: it is the link that does it.
    done = chu.openssl("verify", "-CAfile", "racine.pem", "-untrusted", "equipements-2.pem", "after.pem", check=False)
    assert done.returncode != 0, done.stdout


def test_issues_no_more():
    """the old generation issues no more, whoever names it; its lists and the answers for its certificates go on"""
    chu = Hospital()
    old = issue(chu, "before")
    declare(chu)
    chu.ca("init", chu.path("hierarchy.conf"))
    done = chu.ca("issue", "--authority", "equipements", "--profile", "device", "--csr", chu.path("before.csr"), "--name",
                  "dns:x.chu.test", "--field", "organisation=CHU", "--out", chu.path("x.pem"), expect=1)
    assert "issues no more: equipements-2 does" in done.stdout + done.stderr, done
    issue(chu, "after")
    vigie.equal(chu.json("certificates", "--authority", "equipements-2")["certificates"][0]["subject"], "CN=after.chu.test,O=CHU,C=FR")
    chu.ca("responder", "equipements", "--passphrase-file", f"equipements-ocsp={chu.path('passphrase')}")
    chu.ca("revoke", old, "--reason", "superseded")
    vigie.equal([one["file"] for one in chu.json("crl", "equipements", "equipements-2")["lists"]],
                ["equipements.crl", "equipements-delta.crl", "equipements-2.crl"])
    chu.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "before.pem", "-reqout", "before.req", "-no_nonce")
    chu.ca("answer", "equipements", chu.path("before.req"), "--out", chu.path("before.resp"), "--passphrase-file",
           f"equipements-ocsp={chu.path('passphrase')}")
    told = chu.openssl("ocsp", "-issuer", "equipements.pem", "-cert", "before.pem", "-respin", "before.resp", "-CAfile", "racine.pem",
                       "-verify_other", "equipements.pem", "-no_nonce").stdout
    assert "revoked" in told, told


def test_revoked_across():
    """lists of both generations are obeyed: each certificate by its own authority's, the old intermediate by the old root's"""
    chu = Hospital()
    old = issue(chu, "before")
    declare(chu)
    chu.ca("init", chu.path("hierarchy.conf"))
    save(chu, "racine-2", "equipements-2")
    new = issue(chu, "after")
    chu.ca("revoke", old, "--reason", "superseded")
    chu.ca("revoke", new, "--reason", "superseded")
    fine = issue(chu, "fine")
    names = ("racine", "racine-2", "equipements", "equipements-2")
    chu.ca("crl", *names)
    links(chu)
    lists = []
    for name in names:
        chu.openssl("crl", "-inform", "DER", "-in", f"web/{name}.crl", "-out", f"{name}.crl.pem")
        lists += ["-CRLfile", f"{name}.crl.pem"]
    for serial, file, wanted in ((old, "old.pem", "certificate revoked"), (new, "new.pem", "certificate revoked"), (fine, "ok.pem", ": OK")):
        again(chu, serial, file)
        for root in ("racine.pem", "racine-2.pem"):
            text = chu.path(file).read_text()
            chu.path("leaf.pem").write_text(text[:text.index("-----END") + 26])
            done = chu.openssl("verify", "-CAfile", root, "-untrusted", file, "-crl_check_all", "-extended_crl", *lists, "leaf.pem",
                               check=False)
            assert wanted in done.stdout + done.stderr, (file, root, done.stdout, done.stderr)


def test_successor_by_name():
    """an intermediate's next generation under the same name and the same root: lists and chains do not mix"""
    chu = Hospital()
    old = issue(chu, "before")
    declare(chu, NEXT[NEXT.index("[authority equipements-2]"):].replace("racine-2", "racine").replace("Équipements 2", "Équipements"))
    chu.ca("init", chu.path("hierarchy.conf"))
    new = issue(chu, "after")
    chu.ca("revoke", old, "--reason", "superseded")
    chu.ca("crl", "racine", "equipements", "equipements-2")
    chu.ca("publish", chu.path("web"))
    for name in ("equipements", "equipements-2", "racine"):
        chu.openssl("crl", "-inform", "DER", "-in", f"web/{name}.crl", "-out", f"{name}.crl.pem")
    for serial, file, wanted in ((old, "old.pem", "certificate revoked"), (new, "new.pem", ": OK")):
        again(chu, serial, file)
        done = chu.openssl("verify", "-CAfile", "racine.pem", "-untrusted", file, "-crl_check", "-CRLfile", "equipements.crl.pem", "-CRLfile",
                           "equipements-2.crl.pem", file, check=False)
        assert wanted in done.stdout + done.stderr, (file, done.stdout, done.stderr)


def test_wrong():
    """a second successor, one that issues less, another name under a path length, a change afterwards: refused, nothing made"""
    for old, new, words in (
            ("succeeds = racine\n", "succeeds = nulle\n", "no authority of that name"),
            ("issuer = racine-2\nsucceeds = equipements\n", "issuer = racine-2\nsucceeds = racine\n", "a root succeeds a root"),
            ("profiles = device;server-ssl;", "profiles = server-ssl;", "all that the generation before it issues"),
    ):
        chu = Hospital()
        assert old in NEXT, old
        declare(chu, NEXT.replace(old, new))
        done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
        assert words in done.stderr, (words, done.stderr)
        vigie.equal(len(chu.json("list")["authorities"]), 2)
    chu = Hospital()
    declare(chu)
    declare(chu, NEXT[:NEXT.index("[authority equipements-2]")].replace("racine-2", "racine-3"))
    done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
    assert "another succeeds it already" in done.stderr, done.stderr


def test_killed():
    """killed at any moment, the ceremony is done whole or not at all, and the same again ends it: no key is lost, none is left over"""
    chu = Hospital()
    declare(chu)
    began = time.monotonic()
    spare = Hospital()
    declare(spare)
    spare.ca("init", spare.path("hierarchy.conf"))
    took = time.monotonic() - began
    for i in range(14):
        process = subprocess.Popen([*chu.command("init", chu.path("hierarchy.conf")), "--passphrase-file", str(chu.path("passphrase"))],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(took * (i + 1) / 28)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        known = {one["name"] for one in chu.json("list")["authorities"]}
        assert known in ({"racine", "equipements"}, {"racine", "equipements", "racine-2", "equipements-2"}), known
    chu.ca("init", chu.path("hierarchy.conf"))
    issue(chu, "after")
    chu.ca("crl", "racine-2", "racine")
    vigie.equal(sorted(path.name for path in chu.path("keys").iterdir()),
                ["equipements-2.key", "equipements.key", "racine-2.key", "racine.key"])
    vigie.equal(json.loads(vigie.run("audit-log", "verify", "--json", "--config", str(chu.config)).stdout)["faults"], [])


def test_killed_at_the_end():
    """killed after the commit and before the keys stand at their place: whoever opens one puts it there"""
    chu = Hospital()
    for name in ("racine", "equipements"):
        chu.path(f"keys/{name}.key").rename(chu.path(f"keys/{name}.key.new"))
    issue(chu, "after")
    assert chu.path("keys/equipements.key").exists() and not chu.path("keys/equipements.key.new").exists()
    chu.ca("init", chu.path("hierarchy.conf"))
    assert chu.path("keys/racine.key").exists() and not chu.path("keys/racine.key.new").exists()


def foreign(chu, *more):
    """Another's root with a certificate for labo.test and one for chu.test."""
    chu.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "f.key", "-out", "f.pem",
                "-days", "900", "-subj", "/C=FR/O=Labo/CN=AC Labo", "-addext", "keyUsage=critical,keyCertSign,cRLSign", *more)
    chu.openssl("req", "-new", "-key", "f.key", "-out", "f.csr", "-subj", "/C=FR/O=Labo/CN=AC Labo")
    for name in ("pc.labo.test", "pc.chu.test"):
        chu.path("ext").write_text(f"subjectAltName=DNS:{name}\nauthorityKeyIdentifier=keyid\nbasicConstraints=critical,CA:FALSE\n"
                                   "keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\ncertificatePolicies=1.2.3.4\n")
        chu.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "l.key", "-out", "l.csr",
                    "-subj", f"/C=FR/CN={name}")
        chu.openssl("x509", "-req", "-in", "l.csr", "-CA", "f.pem", "-CAkey", "f.key", "-CAcreateserial", "-out", f"{name}.pem", "-days",
                    "300", "-extfile", "ext")


CROSS = """
[cross labo]
issuer = racine
certificate = {file}
years = 2
path_length = 0
permitted = dns:labo.test;dns:chu.test
excluded = dns:chu.test
policies = 1.2.3.4
"""


def test_cross():
    """ours vouches for another's authority, from its certificate or its request: for the names that are allowed, and no others"""
    for file in ("f.pem", "f.csr"):
        chu = Hospital()
        foreign(chu)
        declare(chu, CROSS.format(file=chu.path(file)))
        told = chu.json("init", chu.path("hierarchy.conf"))
        vigie.equal((told["made"], told["links"]), (["labo"], ["labo-by-racine"]))
        links(chu)
        text = chu.openssl("x509", "-in", "labo-by-racine.link.pem", "-noout", "-text").stdout
        for wanted in ("CA:TRUE, pathlen:0", "Policy: 1.2.3.4", "Permitted", "Excluded"):
            assert wanted in text, text
        for name, code in (("pc.labo.test", 0), ("pc.chu.test", 2)):
            done = chu.openssl("verify", "-x509_strict", "-policy_check", "-CAfile", "racine.pem", "-untrusted", "labo-by-racine.link.pem",
                               f"{name}.pem", check=False)
            vigie.equal(done.returncode, code, done.stdout + done.stderr)
        vigie.equal(chu.json("init", chu.path("hierarchy.conf"))["made"], [])  # it stands
        serial = re.search("serial=(.*)", chu.openssl("x509", "-in", "labo-by-racine.link.pem", "-noout", "-serial").stdout)[1]
        chu.ca("revoke", serial, "--reason", "cessationOfOperation")
        chu.ca("crl", "racine")
        vigie.equal(chu.json("init", chu.path("hierarchy.conf"))["links"], ["labo-by-racine"])  # a new one is made


MAPPED = """
[cross labo]
issuer = racine
certificate = {file}
years = 2
path_length = 0
permitted = dns:labo.test
policies = {policies}
mappings = {mappings}
"""


def test_mapped():
    """a policy of another's is one of ours where the cross-certificate maps it, and only there: openssl, vigie verify"""
    for mappings, accepted in (("1.2.250.1.999.1:1.2.3.4", True), ("1.2.250.1.999.1:1.2.3.5", False)):
        chu = Hospital()
        foreign(chu)
        declare(chu, MAPPED.format(file=chu.path("f.pem"), policies="1.2.250.1.999.1", mappings=mappings))
        chu.ca("init", chu.path("hierarchy.conf"))
        links(chu)
        text = chu.openssl("x509", "-in", "labo-by-racine.link.pem", "-noout", "-text").stdout
        assert re.search("X509v3 Policy Mappings: critical\n *" + mappings, text), text
        vigie.equal(vigie.run("lint", str(chu.path("labo-by-racine.link.pem")), "--lang", "en").returncode, 0)
        done = chu.openssl("verify", "-x509_strict", "-policy", "1.2.250.1.999.1", "-explicit_policy", "-CAfile", "racine.pem", "-untrusted",
                           "labo-by-racine.link.pem", "pc.labo.test.pem", check=False)
        vigie.equal(done.returncode == 0, accepted, done.stdout + done.stderr)
        chu.path("path.pem").write_text(chu.path("pc.labo.test.pem").read_text() + chu.path("labo-by-racine.link.pem").read_text())
        done = vigie.run("verify", str(chu.path("path.pem")), "--ca", str(chu.path("racine.pem")), "--no-system-roots", "--policy",
                         "1.2.250.1.999.1", "--explicit-policy", "--lang", "en")
        vigie.equal(done.returncode == 0, accepted, done.stdout + done.stderr)


def test_mapping_refused():
    """a mapping that is none, of anyPolicy, or of a policy that is not asserted, makes no certificate"""
    chu = Hospital()
    foreign(chu)
    before = chu.path("hierarchy.conf").read_text()
    for policies, mappings, words in (("1.2.3", "1.2.3", "ours and theirs are wanted"), ("1.2.3", "1.2.3:x", "ours and theirs are wanted"),
                                      ("1.2.3", "1.2.3:2.5.29.32.0", "anyPolicy"), ("2.5.29.32.0", "2.5.29.32.0:1.2.3", "anyPolicy"),
                                      ("1.2.3", "1.2.4:1.2.5", "among policies")):
        chu.path("hierarchy.conf").write_text(before)
        declare(chu, MAPPED.format(file=chu.path("f.pem"), policies=policies, mappings=mappings))
        done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
        assert words in done.stderr, (words, done.stderr)


def test_cross_refused():
    """what is no authority's, weak, or bears our own name or key is not vouched for"""
    def attempt(words, prepare):
        chu = Hospital()
        prepare(chu)
        declare(chu, CROSS.format(file=chu.path("f.pem")))
        done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
        assert words in done.stderr, (words, done.stderr)
        vigie.equal(len(chu.json("certificates")["certificates"]), 2)

    def made(*more):
        return lambda chu: chu.openssl("req", "-x509", "-nodes", "-keyout", "f.key", "-out", "f.pem", *more)
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    attempt("no authority's certificate", made(*ec, "-subj", "/CN=x", "-addext", "basicConstraints=critical,CA:FALSE"))
    attempt("weak", made("-newkey", "rsa:1024", "-subj", "/CN=AC x"))
    attempt("the name or the key of an authority here", made(*ec, "-utf8", "-subj", "/C=FR/O=CHU de Test/CN=AC Racine CHU de Test"))
    attempt("the name or the key of an authority here", lambda chu: chu.path("f.pem").write_text(chu.path("equipements.pem").read_text()))
    attempt("neither a certificate nor a request", lambda chu: chu.path("f.pem").write_text(""))


if __name__ == "__main__":
    tap.run([test_either_root, test_issues_no_more, test_revoked_across, test_successor_by_name, test_wrong, test_killed, test_killed_at_the_end,
             test_cross, test_mapped, test_mapping_refused, test_cross_refused])
