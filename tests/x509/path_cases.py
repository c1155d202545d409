"""The cases of test_path.py: authorities, certificates and lists, right or wrong, and the verdict that RFC 5280 asks for.

CASES is { name: Case }. `clause` is "" where the leaf is to be accepted, else what the refusal cites and, in `at`, whom it names.
`differ` is { peer: why it says otherwise }: a peer that is not named there must agree."""
import dataclasses

SIGN = "keyCertSign,cRLSign"
CASES = {}


@dataclasses.dataclass
class Case:
    what: str
    spec: dict
    clause: str
    at: str
    roots: list
    options: list
    differ: dict
    remark: str


def cn(text, **more):
    return [["CN", text], *more.items()]


def cert(id, issuer="root", ext=(), **more):
    """A certificate as asked, with its key identifiers; `aki` names another's, or "" for none."""
    named = [["subjectKeyIdentifier", "hash"]] if more.get("version", 3) == 3 and more.pop("ski", True) else []
    if issuer and "aki" not in more and named:
        named.append(["authorityKeyIdentifier", "keyid"])
    more = {key: value for key, value in more.items() if not (key == "aki" and value == "")}
    return {"id": id, "issuer": issuer, "name": more.pop("name", cn(id)), "ext": [*named, *map(list, ext)], **more}


def ca(id, issuer="root", *ext, pathlen=None, usage=SIGN, basic="critical,CA:TRUE", **more):
    own = []
    if basic:
        own.append(("basicConstraints", basic + (f",pathlen:{pathlen}" if pathlen is not None else "")))
    if usage:
        own.append(("keyUsage", "critical," + usage))
    return cert(id, issuer, [*own, *ext], **more)


def root(*ext, id="root", **more):
    return ca(id, None, *ext, **more)


def leaf(issuer="ca", *ext, names="DNS:leaf.chu.test", usage="serverAuth", id="leaf", **more):
    own = [("keyUsage", "critical,digitalSignature,keyEncipherment")]
    if names:
        own.append(("subjectAltName", names))
    if usage:
        own.append(("extendedKeyUsage", usage))
    return cert(id, issuer, [*own, *ext], **more)


def crl(id, issuer="ca", revoked=(), ext=(), **more):
    return {"id": id, "issuer": issuer, "revoked": [{"id": one} if isinstance(one, str) else one for one in revoked],
            "ext": list(map(list, ext)), **more}


def case(name, what, certificates, clause="", at="leaf", crls=(), conf="", roots=("root",), options=(), differ=None,
         remark=""):
    assert name not in CASES, name
    CASES[name] = Case(what, {"certificates": certificates, "crls": list(crls), "conf": conf}, clause, at if clause else "",
                       list(roots), list(options), differ or {}, remark)


# ---- Signatures, dates, names ----
case("basic", "root, authority, leaf", [root(), ca("ca"), leaf()])
case("direct", "a leaf under the root", [root(), leaf("root")])
case("bad-signature", "another key signed the leaf", [root(), ca("ca"), leaf(signed="odd")], "6.1.3 a 1")
case("bad-signature-above", "another key signed the authority", [root(), ca("ca", signed="odd"), leaf()], "6.1.3 a 1", "ca")
case("algorithms-differ", "SHA-384 named within, SHA-256 outside and used", [root(), ca("ca"), leaf(claims="sha384")], "4.1.1.2",
     differ={"nss": "believes the outer one"})
case("expired", "the leaf is over", [root(), ca("ca"), leaf(until=-1)], "6.1.3 a 2: its validity has ended")
case("early", "the leaf has not begun", [root(), ca("ca"), leaf(**{"from": 2})], "6.1.3 a 2: its validity has not begun")
case("expired-above", "the authority is over", [root(), ca("ca", until=-1), leaf()], "6.1.3 a 2", "ca")
case("expired-root", "the root is over: RFC 5280 does not look, all do", [root(until=-1), ca("ca"), leaf()], "6.1.3 a 2", "root")
case("not-nested", "the leaf lasts longer than its authority: only now counts", [root(), ca("ca", until=30), leaf()])
case("begins-before", "the leaf is older than its authority's certificate", [root(), ca("ca", **{"from": -1}), leaf()])
case("other-issuer", "the leaf names another issuer", [root(), ca("ca"), leaf(issuer_name=cn("other"))], "6.1.1 d")
case("name-folded", "names compare without case and doubled spaces (RFC 5280 7.1)",
     [root(), ca("ca", name=cn("Issuing  Authority")), leaf(issuer_name=cn("ISSUING authority"))],
     differ={"gnutls": "compares names octet by octet", "nss": "compares names octet by octet"})
case("missing", "no authority between", [root(), leaf("root", issuer_name=cn("lost"))], "6.1.1 d")
case("own-word", "a leaf that signs itself", [root(), leaf(None)], "6.1.1 d")
case("strange-root", "the path ends at a root that is not trusted", [root(), root(id="other"), ca("ca", "other"), leaf()],
     "6.1.1 d", "other")
case("leaf-trusted", "the leaf is itself a root of ours", [root(), leaf("root")], roots=["leaf"],
     differ={"nss": "wants an authority behind it", "gnutls": "wants an authority behind it"})
case("sha1", "SHA-1 under the leaf", [root(), ca("ca"), leaf(digest="sha1")], "9325",
     differ={"nss": "leaves digests to the system's policy"})
case("sha1-above", "SHA-1 under the authority", [root(), ca("ca", digest="sha1"), leaf()], "9325", "ca",
     differ={"nss": "leaves digests to the system's policy"})
case("sha1-root", "SHA-1 under the root itself, which is trusted for what it is", [root(digest="sha1"), ca("ca"), leaf()])
case("md5", "MD5 under the leaf", [root(), ca("ca", key="rsa2048:ca"), leaf(digest="md5")], "9325")
case("rsa1024", "a leaf of RSA 1,024", [root(), ca("ca"), leaf(key="rsa:leaf")], "9325 4.5: its key",
     differ={"nss": "accepts RSA from 1,023 bits on"})
case("rsa1024-above", "an authority of RSA 1,024", [root(), ca("ca", key="rsa:ca"), leaf()], "9325 4.5: this authority", "ca",
     differ={"nss": "accepts RSA from 1,023 bits on"})

# ---- Authorities ----
case("no-basic", "keyCertSign, but no basicConstraints", [root(), ca("ca", basic=None), leaf()], "6.1.4 k", "ca")
case("no-basic-no-usage", "neither keyUsage nor basicConstraints", [root(), ca("ca", basic=None, usage=None), leaf()], "6.1.4 k", "ca")
case("not-ca", "CA:FALSE", [root(), ca("ca", basic="critical,CA:FALSE"), leaf()], "6.1.4 k", "ca")
case("basic-not-critical", "basicConstraints not critical", [root(), ca("ca", basic="CA:TRUE"), leaf()])
case("no-usage", "an authority without keyUsage may sign", [root(), ca("ca", usage=None), leaf()])
case("usage-lists-only", "keyUsage without keyCertSign", [root(), ca("ca", usage="cRLSign"), leaf()], "6.1.4 n", "ca")
case("leaf-issues", "a leaf issued another", [root(), leaf("root", id="below"), leaf("below")], "6.1.4 k", "below")
case("version1", "an authority of version 1", [root(), cert("ca", version=1), leaf()], "6.1.4 k", "ca")
case("version1-root", "a root of version 1 is trusted for what it is", [cert("root", None, version=1), ca("ca"), leaf()],
     differ={"nss": "wants basicConstraints of roots, too"})
case("purpose", "not for servers", [root(), ca("ca"), leaf(usage="clientAuth")], "4.2.1.12")
case("purpose-any", "no extended key usage is every usage", [root(), ca("ca"), leaf(usage=None)])
case("purpose-above", "the authority is for clients: its leaves, too (CA/B Forum 7.1.2.10.6)",
     [root(), ca("ca", "root", ("extendedKeyUsage", "clientAuth")), leaf()], "4.2.1.12", "ca",
     differ={"nss": "looks at the leaf alone"})
case("unknown-critical", "an unknown critical extension", [root(), ca("ca"), leaf("ca", ("1.2.250.1.999.1", "critical,ASN1:NULL"))],
     "6.1.4 o")
case("unknown-critical-above", "the same in the authority",
     [root(), ca("ca", "root", ("1.2.250.1.999.1", "critical,ASN1:NULL")), leaf()], "6.1.4 o", "ca")
case("unknown", "an unknown extension that is not critical", [root(), ca("ca"), leaf("ca", ("1.2.250.1.999.1", "ASN1:NULL"))])

TWICE = {"nss": "takes the first of two"}
case("twice-basic", "basicConstraints twice (RFC 5280 4.2)", [root(), ca("ca", "root", ("basicConstraints", "critical,CA:FALSE")), leaf()],
     "4.2", "ca")
case("twice-names", "two lists of alternative names, the second beyond the constraint",
     [root(), ca("ca", "root", ("nameConstraints", "critical,permitted;DNS:chu.test")), leaf("ca", ("subjectAltName", "DNS:a.other.test"))], "4.2",
     differ=TWICE)
case("twice-points", "distribution points twice", [root(), ca("ca"), leaf("ca", *2 * [("crlDistributionPoints", "URI:http://pki.chu.test/a.crl")])],
     "4.2", differ=TWICE)
case("twice-unknown", "an extension that nobody knows, twice", [root(), ca("ca"), leaf("ca", *2 * [("1.2.250.1.999.1", "ASN1:NULL")])], "4.2",
     differ={**TWICE, "openssl": "looks at those alone that it knows"})

# ---- Path length ----
case("length", "pathlen 0, nothing below but leaves", [root(), ca("ca", pathlen=0), leaf()])
case("length-exceeded", "pathlen 0, an authority below", [root(), ca("up", pathlen=0), ca("ca", "up"), leaf()], "6.1.4 l", "up")
case("length-one", "pathlen 1, one authority below", [root(), ca("up", pathlen=1), ca("ca", "up"), leaf()])
case("length-self-issued", "pathlen 0, a self-issued authority below does not count",
     [root(), ca("up", pathlen=0), ca("ca", "up", name=cn("up")), leaf()],
     differ={"gnutls": "counts self-issued certificates"})
case("length-self-issued-more", "pathlen 0, below the self-issued one another authority",
     [root(), ca("up", pathlen=0), ca("new", "up", name=cn("up")), ca("ca", "new"), leaf()], "6.1.4 l", "up")
case("length-lowered", "pathlen 0 below pathlen 2", [root(), ca("top", pathlen=2), ca("up", "top", pathlen=0), ca("ca", "up"), leaf()],
     "6.1.4 l", "up")
case("length-raised", "pathlen 5 below pathlen 0 gives nothing back",
     [root(), ca("up", pathlen=0), ca("ca", "up", pathlen=5), leaf()], "6.1.4 l", "up")
case("length-last", "the last certificate is an authority and does not count", [root(), ca("up", pathlen=0), ca("leaf", "up")],
     options=["--purpose", "any"])
case("length-root", "the root's own pathlen holds (RFC 5937 3)", [root(pathlen=0), ca("up"), ca("ca", "up"), leaf()], "6.1.4 l", "root")
case("deep", "ten certificates", [root(), *[ca(f"c{i}", f"c{i - 1}" if i else "root") for i in range(8)], leaf("c7")])


# ---- Name constraints ----
def constrained(text):
    return ca("ca", "root", ("nameConstraints", "critical," + text))


OUT, EX = "6.1.3 b", "6.1.3 c"
for name, text, names, clause in (
        ("dns", "permitted;DNS:chu.test", "DNS:leaf.chu.test", ""),
        ("dns-itself", "permitted;DNS:chu.test", "DNS:chu.test", ""),
        ("dns-outside", "permitted;DNS:chu.test", "DNS:leaf.other.test", OUT),
        ("dns-suffix", "permitted;DNS:chu.test", "DNS:leafchu.test", OUT),
        ("dns-one-outside", "permitted;DNS:chu.test", "DNS:leaf.chu.test,DNS:leaf.other.test", OUT),
        ("dns-excluded", "excluded;DNS:secret.chu.test", "DNS:leaf.secret.chu.test", EX),
        ("dns-beside-excluded", "excluded;DNS:secret.chu.test", "DNS:leaf.chu.test", ""),
        ("dns-both", "permitted;DNS:chu.test,excluded;DNS:secret.chu.test", "DNS:secret.chu.test", EX),
        ("dns-case", "permitted;DNS:CHU.test", "DNS:leaf.chu.TEST", ""),
        ("ip", "permitted;IP:10.0.0.0/255.0.0.0", "IP:10.1.2.3", ""),
        ("ip-outside", "permitted;IP:10.0.0.0/255.0.0.0", "IP:11.1.2.3", OUT),
        ("ip-excluded", "excluded;IP:10.1.0.0/255.255.0.0", "IP:10.1.2.3", EX),
        ("ip-six", "permitted;IP:fd00:0:0:0:0:0:0:0/ff00:0:0:0:0:0:0:0", "IP:fd12::1", ""),
        ("ip-six-outside", "permitted;IP:fd00:0:0:0:0:0:0:0/ff00:0:0:0:0:0:0:0", "IP:2001:db8::1", OUT),
        ("other-kind", "permitted;IP:10.0.0.0/255.0.0.0", "DNS:leaf.chu.test", ""),
        ("email-host", "permitted;email:chu.test", "email:a@chu.test", ""),
        ("email-domain", "permitted;email:.chu.test", "email:a@mail.chu.test", ""),
        ("email-domain-itself", "permitted;email:.chu.test", "email:a@chu.test", OUT),
        ("email-outside", "permitted;email:chu.test", "email:a@mail.chu.test", OUT),
        ("email-one", "permitted;email:a@chu.test", "email:b@chu.test", OUT),
        ("email-excluded", "excluded;email:chu.test", "email:a@chu.test", EX),
        ("uri", "permitted;URI:.chu.test", "URI:https://leaf.chu.test/x", ""),
        ("uri-outside", "permitted;URI:.chu.test", "URI:https://leaf.other.test/x", OUT),
        ("uri-excluded", "excluded;URI:leaf.chu.test", "URI:https://leaf.chu.test/x", EX),
        ("uri-no-host", "permitted;URI:.chu.test", "URI:urn:uuid:f81d4fae", "4.2.1.10")):
    case("names-" + name, f"{text} for {names}", [root(), constrained(text), leaf(names=names)], clause,
         differ={"gnutls": "does not know constraints on URIs"} if name in ("uri-outside", "uri-no-host") else None)

DIR = "[d]\nO=CHU\n[e]\nO=CHU\nOU=Secret\n"
CHU = [["O", "CHU"], ["CN", "leaf"]]
case("names-dir", "permitted O=CHU", [root(), constrained("permitted;dirName:d"), leaf(name=CHU)], conf=DIR)
case("names-dir-outside", "permitted O=CHU, the leaf is of another", [root(), constrained("permitted;dirName:d"),
                                                                    leaf(name=[["O", "Other"], ["CN", "x"]])], OUT, conf=DIR,
     differ={"gnutls": "does not know constraints on directory names"})
case("names-dir-excluded", "excluded O=CHU, OU=Secret", [root(), constrained("excluded;dirName:e"),
                                                        leaf(name=[["O", "CHU"], ["OU", "Secret"], ["CN", "x"]])], EX, conf=DIR)
case("names-dir-san", "permitted O=CHU, another directoryName among the alternative names",
     [root(), constrained("permitted;dirName:d"), leaf(names="dirName:o", name=CHU)], OUT, conf=DIR + "[o]\nO=Other\n",
     differ={"gnutls": "does not know constraints on directory names"})
case("names-email-subject", "an address in the subject is constrained, too",
     [root(), constrained("permitted;email:chu.test"), leaf(names=None, name=[["CN", "x"], ["emailAddress", "a@other.test"]])], OUT)
case("names-inherited", "constraints hold two authorities below",
     [root(), ca("up", "root", ("nameConstraints", "critical,permitted;DNS:chu.test")), ca("ca", "up"), leaf(names="DNS:a.other.test")], OUT)
case("names-narrowed", "permitted by the one, not by the other",
     [root(), ca("up", "root", ("nameConstraints", "critical,permitted;DNS:chu.test")),
      ca("ca", "up", ("nameConstraints", "critical,permitted;DNS:lab.chu.test")), leaf()], OUT)
case("names-widened", "the lower cannot give what the upper does not",
     [root(), ca("up", "root", ("nameConstraints", "critical,permitted;DNS:lab.chu.test")),
      ca("ca", "up", ("nameConstraints", "critical,permitted;DNS:chu.test")), leaf()], OUT)
case("names-root", "the root's own constraints hold (RFC 5937 3)",
     [root(("nameConstraints", "critical,permitted;DNS:chu.test")), ca("ca"), leaf(names="DNS:a.other.test")], OUT)
case("names-ca", "the authority's own name is not permitted",
     [root(), ca("up", "root", ("nameConstraints", "critical,permitted;dirName:d")), ca("ca", "up"), leaf(name=CHU)], OUT, "ca", conf=DIR,
     differ={"gnutls": "does not know constraints on directory names"})
case("names-self-issued", "a self-issued authority is exempt, its leaves are not",
     [root(), ca("up", "root", ("nameConstraints", "critical,permitted;dirName:d")), ca("ca", "up", name=cn("up")), leaf(name=CHU)], conf=DIR)
case("names-self-issued-leaf", "a self-issued last certificate is not exempt",
     [root(), ca("up", "root", ("nameConstraints", "critical,permitted;dirName:d")), ca("leaf", "up", name=cn("up"))], OUT, conf=DIR,
     options=["--purpose", "any"], differ={"gnutls": "does not know constraints on directory names"})
case("names-common-name", "a host in CN alone is constrained as a dNSName: clients may take it for one",
     [root(), constrained("permitted;DNS:chu.test"), leaf(names=None, name=cn("leaf.other.test"))], OUT)
case("names-unknown-kind", "a constraint on a kind of name that cannot be compared, and such a name",
     [root(), constrained("permitted;RID:1.2.3"), leaf(names="RID:1.2.3.4")], "4.2.1.10",
     differ={"nss": "passes over constraints that it does not know"})

case("names-wildcard", "a wildcard that covers a name that is excluded", [root(), constrained("excluded;DNS:secret.chu.test"),
                                                                       leaf(names="DNS:*.chu.test")], EX,
     differ={peer: "compares the text; the excluded name is accepted by its wildcard" for peer in ("openssl", "gnutls", "nss")})
case("names-constraints-in-leaf", "name constraints in a certificate that is no authority's are of no effect",
     [root(), ca("ca"), leaf("ca", ("nameConstraints", "permitted;DNS:other.test"))])

# ---- Policies ----
A, B, ANY = "1.2.250.1.999.1", "1.2.250.1.999.2", "2.5.29.32.0"
NO_POLICY = "6.1.5 g"


def policies(*oids):
    return ("certificatePolicies", ",".join(oids))


REQUIRE = ("policyConstraints", "critical,requireExplicitPolicy:0")
LAX = {"gnutls": "does not process policies"}
BLIND = {"gnutls": "does not know policyConstraints, policyMappings and inhibitAnyPolicy, and refuses them where critical"}
case("policy-none", "no policies, none asked", [root(), ca("ca"), leaf()])
case("policy-required", "required, and there in all", [root(), ca("ca", "root", REQUIRE, policies(A)), leaf("ca", policies(A))],
     differ=BLIND)
case("policy-required-missing", "required, and the leaf has none", [root(), ca("ca", "root", REQUIRE, policies(A)), leaf()], NO_POLICY)
case("policy-required-other", "required, and the leaf's is another", [root(), ca("ca", "root", REQUIRE, policies(A)), leaf("ca", policies(B))],
     NO_POLICY)
case("policy-required-later", "required after one more certificate: the leaf",
     [root(), ca("ca", "root", ("policyConstraints", "critical,requireExplicitPolicy:1"), policies(A)), leaf()], NO_POLICY)
case("policy-required-too-late", "required after two more certificates, the path is shorter",
     [root(), ca("ca", "root", ("policyConstraints", "critical,requireExplicitPolicy:3"), policies(A)), leaf()],
     differ=BLIND)
case("policy-asked", "asked for, and there", [root(), ca("ca", "root", policies(A, B)), leaf("ca", policies(A))], options=["--policy", A])
case("policy-asked-other", "asked for, and another there", [root(), ca("ca", "root", policies(A, B)), leaf("ca", policies(A))], NO_POLICY,
     options=["--policy", B], differ=LAX)
case("policy-asked-two", "one of two asked for", [root(), ca("ca", "root", policies(A)), leaf("ca", policies(A))], options=["--policy", B, "--policy", A])
case("policy-explicit", "some policy asked for, none there", [root(), ca("ca"), leaf()], NO_POLICY, options=["--explicit-policy"], differ=LAX)
case("policy-any", "anyPolicy above stands for the leaf's", [root(), ca("ca", "root", policies(ANY)), leaf("ca", policies(A))], options=["--policy", A])
case("policy-any-inhibited", "anyPolicy above, but inhibited further above",
     [root(), ca("up", "root", ("inhibitAnyPolicy", "critical,0"), REQUIRE, policies(A)), ca("ca", "up", policies(ANY)), leaf("ca", policies(A))],
     NO_POLICY)
case("policy-any-inhibited-later", "inhibited from the second certificate below on",
     [root(), ca("up", "root", ("inhibitAnyPolicy", "critical,1"), REQUIRE, policies(A)), ca("ca", "up", policies(ANY)), leaf("ca", policies(A))],
     differ=BLIND)
case("policy-any-self-issued", "inhibited, but a self-issued certificate may still use it",
     [root(), ca("up", "root", ("inhibitAnyPolicy", "critical,0"), REQUIRE, policies(A)), ca("ca", "up", policies(ANY), name=cn("up")),
      leaf("ca", policies(A))],
     differ=BLIND)
case("policy-any-refused", "the user wants no anyPolicy", [root(), ca("ca", "root", policies(ANY)), leaf("ca", policies(A))], NO_POLICY,
     options=["--explicit-policy", "--inhibit-any-policy"], differ=LAX)
MAP = ("policyMappings", f"critical,{A}:{B}")
case("policy-mapped", "the authority's A is the leaf's B", [root(), ca("ca", "root", policies(A), MAP), leaf("ca", policies(B))],
     options=["--policy", A],
     differ=BLIND)
case("policy-mapped-away", "mapped, the leaf still says A", [root(), ca("ca", "root", policies(A), MAP), leaf("ca", policies(A))], NO_POLICY,
     options=["--policy", A])
case("policy-mapping-inhibited", "mapping inhibited above",
     [root(), ca("up", "root", ("policyConstraints", "critical,requireExplicitPolicy:0,inhibitPolicyMapping:0"), policies(A)),
      ca("ca", "up", policies(A), MAP), leaf("ca", policies(B))], NO_POLICY)
case("policy-mapping-refused", "the user wants no mapping", [root(), ca("ca", "root", policies(A), MAP), leaf("ca", policies(B))], NO_POLICY,
     options=["--explicit-policy", "--inhibit-policy-mapping"])
case("policy-mapping-any", "a mapping to anyPolicy is none (6.1.4 a)",
     [root(), ca("ca", "root", REQUIRE, policies(A), ("policyMappings", f"critical,{A}:{ANY}")), leaf("ca", policies(A))], "4.2.1.4", "ca")
case("policy-twice", "a policy twice in one certificate (4.2.1.4)", [root(), ca("ca", "root", REQUIRE, policies(A)), leaf("ca", policies(A, A))],
     "4.2.1.4", differ={"nss": "does not mind"})

# ---- Several paths ----
FIRST, ROOT = "takes the first issuer that fits", "stops at any certificate that signs itself"
AKI = "OpenSSL will not find the path"
case("cross-expired", "two certificates of the authority, the first is over",
     [root(), ca("old", key="k", name=cn("CA"), until=-1), ca("new", key="k", name=cn("CA")), leaf("new")],
     differ={"gnutls": FIRST})
case("cross-other-root", "our root is over, another one has certified its key",
     [root(until=-1), root(id="second"), ca("cross", "second", key="root", name=cn("root")), ca("ca"), leaf()], roots=["root", "second"],
     differ={"openssl": "stops at the first root that it meets"})
case("cross-constrained", "one certificate of the authority forbids the name, the other does not",
     [root(), ca("no", "root", ("nameConstraints", "critical,excluded;DNS:chu.test"), key="k", name=cn("CA")), ca("yes", key="k", name=cn("CA")),
      leaf("yes")], differ={"openssl": FIRST, "gnutls": FIRST})
case("cross-length", "one certificate of the authority allows no authority below, the other does",
     [root(), ca("no", key="k", name=cn("CA"), pathlen=0), ca("yes", key="k", name=cn("CA")), ca("ca", "yes"), leaf()],
     differ={"gnutls": FIRST})
case("bridge", "three authorities and a bridge between them",
     [root(), ca("bridge"), root(id="far"), ca("far-cross", "bridge", key="far", name=cn("far")), ca("ca", "far"), leaf()],
     differ={"openssl": ROOT, "gnutls": ROOT})
case("bridge-closed", "the bridge's only way is for other names",
     [root(), ca("bridge", "root", ("nameConstraints", "critical,permitted;DNS:other.test")), root(id="far"),
      ca("far-cross", "bridge", key="far", name=cn("far")), ca("ca", "far"), leaf()], OUT)
case("loop", "two authorities certify each other, and nobody them",
     [root(), root(id="a"), root(id="b"), ca("ab", "b", key="a", name=cn("a")), ca("ba", "a", key="b", name=cn("b")), leaf("ab")], "6.1.1 d", "a")
case("loop-way-out", "two authorities certify each other, and the root one of them",
     [root(), root(id="a"), ca("b"), ca("ab", "b", key="a", name=cn("a")), ca("ba", "a", key="b", name=cn("b")), leaf("ab")],
     differ={"openssl": ROOT, "gnutls": ROOT})
case("two-names", "the same key under two names", [root(), ca("one", key="k"), ca("two", key="k"), leaf("two")])
case("two-names-swapped", "the same key under two names: the name must fit as well", [root(), ca("one", key="k"), leaf("one", issuer_name=cn("two"))],
     "6.1.1 d")
case("same-name", "two authorities of one name, without identifiers, the wrong one first",
     [root(), ca("wrong", name=cn("CA"), aki="", ski=False), ca("right", name=cn("CA"), aki="", ski=False), leaf("right", aki="")],
     differ={"openssl": "takes the first of that name, and finds a bad signature", "gnutls": "takes the first of that name"})
case("misled", "the leaf's authority key identifier is that of another authority", [root(), ca("ca"), ca("other"), leaf(aki="other")], remark=AKI,
     differ={peer: "asks that identifiers agree, RFC 5280 does not" for peer in ("openssl", "gnutls", "nss")})
case("misled-same-name", "two authorities of one name, and the identifier of the wrong one",
     [root(), ca("wrong", name=cn("CA")), ca("right", name=cn("CA")), leaf("right", aki="wrong")], remark=AKI,
     differ={"openssl": "follows the identifier, and finds a bad signature", "gnutls": "follows the identifier",
             "nss": "follows the identifier"})
case("rollover-new-by-old", "a new key, certified by the old one, which is the root",
     [root(), ca("new", name=cn("root")), leaf("new")])
case("rollover-old-by-new", "the root is new, the leaf is of the old key, which the new one certified",
     [root(name=cn("CA")), ca("old", name=cn("CA")), leaf("old")])
case("rollover-expired", "the old root is over; what it issued lives on by the new one's certificate for its key",
     [root(id="old-root", name=cn("CA"), key="old", until=-1), root(name=cn("CA")), ca("old", name=cn("CA")), leaf("old")],
     roots=["old-root", "root"], differ={"openssl": "stops at the root that is over", "gnutls": "stops at the root that is over"})

# ---- Revocation lists ----
REVOKED = "6.1.3 a 3"
ROOTS = crl("root-crl", "root")
IDP, DP = "issuingDistributionPoint", "crlDistributionPoints"
POINT = "[p]\nfullname=URI:http://pki.chu.test/a.crl\n"


def scoped(**options):
    return {"conf": "[i]\n" + "".join(f"{key}={value}\n" for key, value in options.items()) + "[ao]\nfullname=URI:http://pki.chu.test/a.crl\n"}


def listed(name, what, lists, clause="", at="leaf", leaf_ext=(), more=(), conf="", differ=None, ca_ext=(), **of_ca):
    case("list-" + name, what, [root(), ca("ca", "root", *ca_ext, **of_ca), leaf("ca", *leaf_ext), leaf("ca", id="gone"), *more], clause, at,
         [ROOTS, *lists], conf, differ=differ)


listed("good", "lists of all, the leaf in none", [crl("a", revoked=["gone"])])
listed("revoked", "the leaf is in its issuer's list", [crl("a", revoked=[{"id": "leaf", "reason": 1}])], REVOKED)
listed("hold", "on hold is revoked", [crl("a", revoked=[{"id": "leaf", "reason": 6}])], REVOKED)
listed("missing", "no list of the leaf's issuer", [], "6.3.3: no revocation list")
case("list-authority-revoked", "the authority is revoked", [root(), ca("ca"), leaf()], REVOKED, "ca", [crl("root-crl", "root", ["ca"]), crl("a")])
case("list-cross-revoked", "one certificate of the authority is revoked, the other is not",
     [root(), ca("one", key="k", name=cn("CA")), ca("two", key="k", name=cn("CA")), leaf("one")], "", "",
     [crl("root-crl", "root", ["one"]), crl("a", "one")], differ={"openssl": FIRST})
listed("expired", "past its nextUpdate", [crl("a", until=-1, **{"from": -9})], "5.1.2.5")
listed("early", "not of now", [crl("a", **{"from": 1})], "5.1.2.4")
listed("endless", "without nextUpdate, which RFC 5280 5.1.2.5 requires", [crl("a", until=None)], "5.1.2.5",
       differ={"openssl": "takes it for good for ever"})
listed("other-key", "a stranger's list under the same name", [crl("a", signed="odd")], "6.3.3 g")
listed("other-key-revoked", "a stranger's list that revokes counts no more", [crl("a", revoked=["leaf"], signed="odd"), crl("b")],
       differ={"openssl": "takes the first list of that name"})
listed("no-usage", "its issuer's key may not sign lists", [crl("a")], "6.3.3 f", usage="keyCertSign")
listed("rollover", "signed by the issuer's new key, certified by the same root", [crl("a", "new", ext=[("authorityKeyIdentifier", "keyid")])],
       more=[ca("new", name=cn("ca"))])
listed("rollover-uncertified", "signed by a new key that nobody certified", [crl("a", "new")], "6.3.3", more=[root(id="new", name=cn("ca"))])
listed("sha1", "SHA-1 under the list", [crl("a", digest="sha1")], "9325", differ={"openssl": "does not look at a list's digest"})
listed("newer", "the newer list took the hold back", [crl("a", revoked=[{"id": "leaf", "reason": 6}], number=4, **{"from": -3}), crl("b", number=5)])
listed("newer-revokes", "the newer list has it, whatever the order", [crl("b", revoked=["leaf"], number=5), crl("a", number=4, **{"from": -3})], REVOKED)
listed("users", "for users alone, and the leaf is one", [crl("a", ext=[(IDP, "critical,@i")])], **scoped(onlyuser="TRUE"))
listed("authorities", "for authorities alone, and the leaf is none", [crl("a", ext=[(IDP, "critical,@i")])], "6.3.3 b", **scoped(onlyCA="TRUE"))
listed("attributes", "for attribute certificates alone", [crl("a", ext=[(IDP, "critical,@i")])], "6.3.3 b", **scoped(onlyAA="TRUE"))
case("list-users-for-authority", "for users alone, asked of an authority", [root(), ca("ca"), leaf()], "6.3.3 b", "ca",
     [crl("root-crl", "root", ext=[(IDP, "critical,@i")]), crl("a")], **scoped(onlyuser="TRUE"))
listed("some-reasons", "for some reasons alone", [crl("a", ext=[(IDP, "critical,@i")])], "6.3.3 l", **scoped(onlysomereasons="keyCompromise"))
listed("all-reasons", "two lists, together for all reasons", [crl("a", ext=[(IDP, "critical,@i")]), crl("b", ext=[(IDP, "critical,@j")])],
       conf="[i]\nonlysomereasons=keyCompromise,CACompromise\n[j]\nonlysomereasons=affiliationChanged,superseded,cessationOfOperation,"
            "certificateHold,privilegeWithdrawn,AACompromise\n")
listed("some-reasons-revoked", "for some reasons alone, and revoked for one", [crl("a", revoked=[{"id": "leaf", "reason": 1}], ext=[(IDP, "critical,@i")])],
       REVOKED, **scoped(onlysomereasons="keyCompromise"))
listed("point", "of the distribution point that the leaf names", [crl("a", ext=[(IDP, "critical,@i")])],
       leaf_ext=[(DP, "URI:http://pki.chu.test/a.crl")], conf="[i]\nfullname=URI:http://pki.chu.test/a.crl\n")
listed("point-mismatch", "of another distribution point", [crl("a", ext=[(IDP, "critical,@i")])], "6.3.3 b",
       leaf_ext=[(DP, "URI:http://pki.chu.test/b.crl")], conf="[i]\nfullname=URI:http://pki.chu.test/a.crl\n")
listed("point-unnamed", "of a distribution point, and the leaf names none", [crl("a", ext=[(IDP, "critical,@i")])], "6.3.3 b",
       conf="[i]\nfullname=URI:http://pki.chu.test/a.crl\n")
INDIRECT = "[p]\nfullname=URI:http://pki.chu.test/a.crl\nCRLissuer=dirName:lister\n[lister]\nCN=lister\n[i]\nindirectCRL=TRUE\n"
LISTER = [ca("lister", usage="cRLSign")]
listed("indirect", "by another that the leaf names as its list's issuer", [crl("a", "lister", ext=[(IDP, "critical,@i")])], leaf_ext=[(DP, "p")],
       more=LISTER, conf=INDIRECT)
listed("indirect-revoked", "the other's list revokes it in its issuer's name", [crl("a", "lister", [{"id": "leaf", "of": "ca"}], [(IDP, "critical,@i")])],
       REVOKED, leaf_ext=[(DP, "p")], more=LISTER, conf=INDIRECT)
listed("indirect-namesake", "the other's list has that number, of another issuer", [crl("a", "lister", [{"id": "leaf", "of": "root"}], [(IDP, "critical,@i")])],
       leaf_ext=[(DP, "p")], more=LISTER, conf=INDIRECT)
listed("indirect-unnamed", "by another that the leaf does not name", [crl("a", "lister", ext=[(IDP, "critical,@i")])], "6.3.3: no revocation list",
       more=LISTER, conf=INDIRECT)
listed("indirect-unsaid", "by another that the leaf names, in a list that does not say so", [crl("a", "lister")], "6.3.3: no revocation list",
       leaf_ext=[(DP, "p")], more=LISTER, conf=INDIRECT)
FRESH = ("freshestCRL", "URI:http://pki.chu.test/d.crl")
listed("delta", "a delta adds nothing about the leaf", [crl("a"), crl("d", number=6, base=5)], leaf_ext=[FRESH])
listed("delta-revoked", "a delta revokes", [crl("a"), crl("d", revoked=["leaf"], number=6, base=5)], REVOKED, leaf_ext=[FRESH])
listed("delta-removed", "a delta takes the hold back", [crl("a", revoked=[{"id": "leaf", "reason": 6}]), crl("d", revoked=[{"id": "leaf", "reason": 8}], number=6, base=5)],
       leaf_ext=[FRESH])
listed("delta-unannounced", "a delta counts where no freshestCRL told of it", [crl("a"), crl("d", revoked=["leaf"], number=6, base=5)], REVOKED,
       differ={"openssl": "looks at deltas only where freshestCRL is there"})
listed("delta-alone", "a delta without the complete list", [crl("d", number=6, base=5)], "5.2.4", leaf_ext=[FRESH])
listed("delta-base-old", "the complete list is older than the delta's base: it stands alone", [crl("a", number=4), crl("d", revoked=["gone"], number=6, base=5)],
       leaf_ext=[FRESH])
listed("delta-base-expired", "the complete list is over, the delta keeps it current", [crl("a", until=-1, **{"from": -9}), crl("d", number=6, base=5)],
       leaf_ext=[FRESH])
listed("delta-both-old", "over, and too old for the delta", [crl("a", number=4, until=-1, **{"from": -9}), crl("d", number=6, base=5)], "5.1.2.5",
       leaf_ext=[FRESH])
listed("delta-other-key", "a stranger's delta revokes nothing", [crl("a"), crl("d", revoked=["leaf"], number=6, base=5, signed="odd")], leaf_ext=[FRESH],
       differ={"openssl": "fails where a delta's signature does, rather than passing it over"})
listed("delta-other-scope", "a delta for users, a list for all", [crl("a"), crl("d", revoked=["leaf"], number=6, base=5, ext=[(IDP, "critical,@i")])],
       leaf_ext=[FRESH], **scoped(onlyuser="TRUE"))
listed("critical", "an unknown critical extension of the list", [crl("a", ext=[("1.2.250.1.999.1", "critical,ASN1:NULL")])], "5.2")
listed("critical-entry", "an unknown critical extension of some entry", [crl("a", revoked=[{"id": "gone", "odd": True}])], "5.2")


# ---- The differences, for doc/path-validation.md: python3 tests/x509/path_cases.py > doc/path-validation.md ----
PEERS = {"openssl": "OpenSSL", "gnutls": "GnuTLS", "nss": "NSS"}
PAGE = """# Path validation: where programs differ

Made by `tests/x509/path_cases.py`, which describes {cases} hard cases of RFC 5280 section 6 by what is wrong or unusual in them;
`tests/x509/test_path.py` makes the certificates and lists, and holds `vigie verify`, `openssl verify`, `certtool --verify` and
`vfychain -pp` to this page at every run. The verdict of `vigie verify` is what RFC 5280 asks for, unless the case says so;
the {lists} cases with revocation lists are held against OpenSSL alone, for the tools of the other two take none.

Versions: OpenSSL 3.0, GnuTLS 3.7, NSS 3.87, as Debian 12 has them. {counts}

| case | `vigie verify` | says otherwise |
|---|---|---|
"""


def rows():
    for name, one in CASES.items():
        reasons = {}
        for peer, why in one.differ.items():
            reasons.setdefault(why, []).append(PEERS[peer])
        if reasons:
            verdict = f"refuses, {one.clause.partition(':')[0]}" if one.clause else "accepts"
            told = "; ".join(f"{', '.join(peers)}: {why}" for why, peers in reasons.items())
            yield f"| {one.what} (`{name}`) | {verdict} | {told} |\n"


def page():
    counts = ", ".join(f"{title} differs in {sum(peer in one.differ for one in CASES.values())}" for peer, title in PEERS.items()) + "."
    return PAGE.format(cases=len(CASES), lists=sum(bool(one.spec["crls"]) for one in CASES.values()), counts=counts) + "".join(rows())


if __name__ == "__main__":
    print(page(), end="")
