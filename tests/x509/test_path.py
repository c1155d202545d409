"""Path validation (RFC 5280 6) on the hard cases of path_cases.py: the verdict, whom a refusal names and by which clause, beside those of
OpenSSL, GnuTLS and NSS: each agrees, or differs for the reason stated there."""
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.dirname(__file__))
from path_cases import CASES, Case, ca, cn, leaf, page, root  # noqa: E402
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-path-"))
MAKER = sys.argv[1]


def run(*arguments):
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


class Files:
    """The files of a case, as each program wants them."""

    def __init__(self, name, case):
        self.folder = FOLDER / name
        self.roots = [self.path(id) for id in case.roots]
        given = [one["id"] for one in case.spec["certificates"] if one["id"] != "leaf" and one["id"] not in case.roots and one["id"] != "gone"]
        self.between = [self.path(id) for id in given]
        self.crls = [self.path(one["id"]) for one in case.spec["crls"]]
        self.leaf = self.path("leaf")

    def path(self, id):
        return self.folder / f"{id}.pem"

    def together(self, name, paths):
        made = self.folder / f"{name}.all"
        made.write_text("".join(path.read_text() for path in paths))
        return made


def purpose_of(case):
    return case.options[case.options.index("--purpose") + 1] if "--purpose" in case.options else "server"


# ---- What each says: accepted, and its words ----
def ask_vigie(files, case, *more):
    done = vigie.run("verify", "--json", "--no-system-roots", *sum((["--ca", str(path)] for path in files.roots), []),
                     *sum((["--crl", str(path)] for path in files.crls), []), *case.options, *more,
                     *map(str, [files.leaf, *files.between]))
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    vigie.equal(done.returncode, 0 if answer["verdict"] == "valid" else 1)
    return answer


def ask_openssl(files, case):
    flags = {"--policy": "-policy", "--explicit-policy": "-explicit_policy", "--inhibit-any-policy": "-inhibit_any",
             "--inhibit-policy-mapping": "-inhibit_map", "--purpose": None, "server": None, "any": None}
    options = [flags.get(option, option) for option in case.options if flags.get(option, option)]
    options += ["-explicit_policy"] if "-policy" in options else ["-policy", "anyPolicy"]
    lists = ["-crl_check", "-crl_check_all", "-use_deltas", "-extended_crl", "-CRLfile", files.together("crls", files.crls)] if files.crls else []
    between = ["-untrusted", files.together("between", files.between)] if files.between else []
    purpose = ["-purpose", "any" if purpose_of(case) == "any" else "sslserver"]
    status, words = run("openssl", "verify", "-no-CAfile", "-no-CApath", "-no-CAstore", "-CAfile", files.together("roots", files.roots), *between,
                        *lists, "-auth_level", "2", "-policy_check", "-partial_chain", *purpose, *options, files.leaf)
    return status == 0, words


def ask_gnutls(files, case):
    """Certificates alone: certtool reads lists, but holds no chain against them."""
    if files.crls:
        return None, ""
    purpose = [] if purpose_of(case) == "any" else ["--verify-purpose", "1.3.6.1.5.5.7.3.1"]
    status, words = run("certtool", "--verify", "--load-ca-certificate", files.together("roots", files.roots), "--infile",
                        files.together("chain", [files.leaf, *files.between]), "--verify-profile", "medium", *purpose)
    return status == 0, words


def ask_nss(files, case):
    """Certificates alone, by libpkix: vfychain takes lists from its database only."""
    if files.crls or purpose_of(case) == "any" or "--explicit-policy" in case.options:
        return None, ""
    policy = ["-o", "OID." + case.options[case.options.index("--policy") + 1]] if case.options.count("--policy") == 1 else []
    chain = sum((["-a", path] for path in [files.leaf, *files.between]), [])
    roots = sum((["-t", "-a", path] for path in files.roots), [])
    status, words = run("vfychain", "-d", f"sql:{FOLDER}", "-pp", "-u", "1", *policy, *chain, *roots)
    return status == 0, words


PEERS = {"openssl": ask_openssl, "gnutls": ask_gnutls, "nss": ask_nss}


# ---- The checks ----
def check_ours(name, case):
    files = Files(name, case)
    answer = ask_vigie(files, case)
    subjects = {one["id"]: ",".join(f"{key}={value}" for key, value in reversed(one["name"])) for one in case.spec["certificates"]}
    vigie.equal(answer["verdict"], "refused" if case.clause else "valid", answer["refusals"])
    if case.clause:
        wanted = subjects[case.at].replace("emailAddress", "1.2.840.113549.1.9.1")
        told = [one for one in answer["refusals"] if case.clause in one["clause"]]
        assert told and (wanted in [one["subject"] for one in told] or "emailAddress" in str(case.spec)), (case.clause, wanted, answer["refusals"])
    assert all(one["subject"] and one["clause"].startswith("RFC ") for one in answer["refusals"]), answer["refusals"]
    remarks = [one["clause"] for one in answer["remarks"]]
    assert any(case.remark in remark for remark in remarks) if case.remark else not remarks, remarks


def check_peer(peer, name, case):
    accepted, words = PEERS[peer](Files(name, case), case)
    if accepted is None:
        return
    ours = not case.clause
    if peer in case.differ:
        assert accepted != ours, f"{peer} agrees, though stated to differ: {case.differ[peer]}\n{words}"
    else:
        assert accepted == ours, f"{peer} {'accepts' if accepted else 'refuses'}\n{words}"


def tests():
    for name, case in CASES.items():
        def ours(name=name, case=case):
            check_ours(name, case)
        ours.__doc__ = f"{name}: {case.what}: {case.clause or 'accepted'}"
        yield ours
    for peer in PEERS:
        def all_cases(peer=peer):
            wrong = []
            for name, case in CASES.items():
                try:
                    check_peer(peer, name, case)
                except AssertionError as failure:
                    wrong.append(f"{name}: {failure}")
            assert not wrong, "\n".join(wrong)
        all_cases.__doc__ = f"{peer}: agrees with each verdict, or differs as stated"
        yield all_cases


# ---- Bounds ----
WIDE, HIGH = 6, 7  # keys of each layer, layers: each key of a layer is certified by each of the layer above
BOMB = {"root": root(), **{f"a{i}": ca(f"a{i}", "root", name=cn("L0")) for i in range(WIDE)}}
for layer in range(1, HIGH):
    for i in range(WIDE):
        for j in range(WIDE):
            above = "abcdefgh"[layer - 1] + (str(j) if layer == 1 else f"{j}-0")
            one = f"{'abcdefgh'[layer]}{i}-{j}"
            BOMB[one] = ca(one, above, name=cn(f"L{layer}"), key=f"k{layer}-{i}")
BOMB["leaf"] = leaf("g0-0", until=-1)
CROWD = [root(), *[ca(f"c{i}", name=cn("CA"), aki="", ski=False) for i in range(400)], leaf("c399", aki="")]
DEEP = [root(), *[ca(f"c{i}", f"c{i - 1}" if i else "root") for i in range(9)], leaf("c8")]


def ask_bounded(name, certificates, trusted="root"):
    made = Case("", {"certificates": certificates, "crls": [], "conf": ""}, "", "", [trusted], [], {}, "")
    begin = time.monotonic()
    answer = ask_vigie(Files(name, made), made)
    return answer, time.monotonic() - begin


def test_bomb():
    """46,656 paths of seven layers, each refused: 32 are tried, the answer says that it was cut, in seconds"""
    answer, seconds = ask_bounded("bomb", list(BOMB.values()))
    vigie.equal((answer["verdict"], answer["paths"], answer["cut"]), ("refused", 32, True))
    assert seconds < 10, seconds


def test_bomb_unlit():
    """the same without its root: no path, and the way that was gone is told"""
    answer, seconds = ask_bounded("bomb-unlit", list(BOMB.values()), "dark")
    assert answer["verdict"] == "refused" and seconds < 10, seconds


def test_crowd():
    """400 authorities of one name, without key identifiers: the one that signed is found"""
    answer, seconds = ask_bounded("crowd", CROWD)
    vigie.equal((answer["verdict"], answer["paths"], answer["cut"]), ("valid", 1, False))
    assert seconds < 10, seconds


def test_depth():
    """eleven certificates make no path: ten are the bound"""
    answer, _ = ask_bounded("too-deep", DEEP)
    vigie.equal(answer["verdict"], "refused")


def test_last_second():
    """a certificate is valid in the last second of its validity (RFC 5280 4.1.2.5), not in the next"""
    files = Files("basic", CASES["basic"])
    end = run("openssl", "x509", "-in", files.leaf, "-noout", "-enddate", "-dateopt", "iso_8601")[1].strip().partition("=")[2].replace(" ", "T")
    begin = run("openssl", "x509", "-in", files.leaf, "-noout", "-startdate", "-dateopt", "iso_8601")[1].strip().partition("=")[2].replace(" ", "T")

    def at(text, seconds):
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) + datetime.timedelta(seconds=seconds)
        return ask_vigie(files, CASES["basic"], "--at", moment.strftime("%Y-%m-%dT%H:%M:%SZ"))["verdict"]
    vigie.equal([at(end, 0), at(end, 1), at(begin, 0), at(begin, -1)], ["valid", "refused", "valid", "refused"])


def test_order():
    """the order in which certificates and lists are given changes no verdict"""
    for name in ("cross-constrained", "misled-same-name", "loop-way-out", "list-newer", "list-other-key-revoked", "list-cross-revoked"):
        files = Files(name, CASES[name])
        files.between.reverse()
        files.crls.reverse()
        vigie.equal(ask_vigie(files, CASES[name])["verdict"], "valid", name)


def test_soft_fail():
    """softly, what is not known is remarked upon; what is revoked is refused all the same"""
    for name, verdict, remarks in (("list-missing", "valid", 1), ("list-expired", "valid", 1), ("list-revoked", "refused", 0),
                                   ("list-good", "valid", 0)):
        answer = ask_vigie(Files(name, CASES[name]), CASES[name], "--soft-fail")
        vigie.equal((answer["verdict"], len(answer["remarks"])), (verdict, remarks), name)


def test_told():
    """the answer tells of each certificate of the path what is known of its revocation, and why not more"""
    answer = ask_vigie(Files("list-hold", CASES["list-hold"]), CASES["list-hold"])
    told = [step["revocation"] for step in answer["path"]]
    vigie.equal([one and (one["status"], one["by"], one["reason"]) for one in told],
                [("revoked", "crl", "certificateHold"), ("good", "crl", None), None])
    vigie.equal(answer["revocation"], {"by": "crl", "status": "revoked"})


def test_page():
    """doc/path-validation.md tells these differences"""
    written = pathlib.Path(__file__).resolve().parent.parent.parent / "doc/path-validation.md"
    assert written.read_text() == page(), "make it anew: python3 tests/x509/path_cases.py > doc/path-validation.md"


def prepare():
    (FOLDER / "specs.json").write_text(json.dumps({**{name: case.spec for name, case in CASES.items()}, **{
        name: {"certificates": made} for name, made in (("bomb", list(BOMB.values())), ("crowd", CROWD), ("too-deep", DEEP),
                                                        ("bomb-unlit", [*BOMB.values(), root(id="dark")]))}}))
    subprocess.run([MAKER, str(FOLDER / "specs.json"), str(FOLDER)], check=True)
    subprocess.run(["certutil", "-N", "-d", f"sql:{FOLDER}", "--empty-password"], check=True)


prepare()
tap.run([*tests(), *[value for name, value in list(globals().items()) if name.startswith("test_")]])
