"""vigie verify --online where certificates name a directory, as those of the health sector do: lists, deltas and issuers from OpenLDAP, and
directories that mean no good. What is not there, not to be asked or not to be believed is told, in time."""
import base64
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

for folder in ("..", ".", "../support"):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), folder))
from path_cases import ca, cert, cn, crl, leaf, root  # noqa: E402
from servers import Slapd, free_port  # noqa: E402
from support import tap, vigie  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-ldap-"))
FILES = FOLDER / "made"
HOSTILE = free_port()
SUFFIX = "o=ASIP-SANTE,c=FR"
AUTHORITY = r"cn=TEST AC ÉLÉMENTAIRE\, \"Nord\" #1,ou=0002 187512751," + SUFFIX
DELEGATED = f"cn=ailleurs,{SUFFIX}"
LIST = "certificaterevocationlist;binary?base?objectClass=pkiCA"
CONF = []


def address(dn, question, port=None, quote=True):
    return f"ldap://127.0.0.1:{port or SLAPD.port}/{urllib.parse.quote(dn, safe=',=' if quote else ',=; #+')}?{question}"


def named(extension, *urls):
    """An extension whose addresses hold commas, which openssl's own form would divide."""
    name = f"s{len(CONF)}"
    lines = "".join(f"URI.{i}={url}\n" for i, url in enumerate(urls))
    CONF.append(f"[{name}]\nfullname=@{name}n\n[{name}n]\n{lines}")
    return (extension, name)


def cdp(*urls):
    return named("crlDistributionPoints", *urls)


def issuers(*urls):
    name = f"s{len(CONF)}"
    CONF.append(f"[{name}]\n" + "".join(f"caIssuers;URI.{i}={url}\n" for i, url in enumerate(urls)))
    return ("authorityInfoAccess", f"@{name}")


def octets(name):
    pem = (FILES / f"{name}.pem").read_text().split("-----")
    return base64.b64decode(pem[2])


SLAPD = Slapd(SUFFIX, "", "annuaire")
BINARY = "certificateRevocationList;binary"
# What a directory may do wrong, by the name that the address asks for; see hostile().
BAD = ["silent", "trickle", "huge", "garbage", "references", "empties", "cut", "gone", "strangers", "many", "nested"]
NAMED = {
    "listed": [cdp(address(AUTHORITY, LIST))],
    "gone-listed": [cdp(address(AUTHORITY, LIST))],
    "plain": [cdp(address(AUTHORITY, "CERTIFICATEREVOCATIONLIST"))],
    "spaces": [cdp(address(f"cn=AC Simple,ou=0002 187512751,{SUFFIX}", LIST, quote=False))],
    "several": [cdp(address(f"cn=several,{SUFFIX}", LIST))],
    "fresh": [cdp(address(AUTHORITY, LIST)), named("freshestCRL", address(AUTHORITY, "deltaRevocationList;binary?base?objectClass=pkiCA"))],
    "authority-list": [cdp(address(f"cn=arl,{SUFFIX}", "authorityRevocationList;binary"))],
    "both": [cdp(address(f"cn=nobody,{SUFFIX}", LIST), address(AUTHORITY, LIST))],
    "nobody": [cdp(address(f"cn=nobody,{SUFFIX}", LIST))],
    "other-class": [cdp(address(AUTHORITY, BINARY + "?base?(objectClass=person)"))],
    "no-list": [cdp(address(DELEGATED.replace("ailleurs", "several"), "cACertificate;binary,authorityRevocationList"))],
    "elsewhere": [cdp(address(DELEGATED, LIST))],
    "broken-filter": [cdp(address(AUTHORITY, BINARY + "?base?(&(objectClass=pkiCA)"))],
    "domain": [cdp(f"ldap:///CN=AC,CN=CDP,CN=Public%20Key%20Services,DC=chu,DC=test?{BINARY}?base?objectClass=cRLDistributionPoint")],
    "secret": [cdp(address(AUTHORITY, "userPassword,*"))],
    "all": [cdp(address(AUTHORITY, ""))],
    "subtree": [cdp(address(SUFFIX, BINARY + "?sub"))],
    "demanding": [cdp(address(AUTHORITY, BINARY + "?base?(objectClass=*)?!bindname=cn=vigie"))],
    "secure": [cdp(address(AUTHORITY, LIST).replace("ldap:", "ldaps:"))],
    "unnamed": [cdp(f"ldap://annuaire.invalid/{SUFFIX}?{BINARY}")],
    "closed": [cdp(address(AUTHORITY, LIST, port=free_port()))],
    **{name: [cdp(address(f"cn={name}", BINARY, port=HOSTILE))] for name in BAD},
}
SPEC = {"made": {
    "certificates": [root(), ca("ca", "root", cdp(address("cn=RACINE," + SUFFIX, LIST)), issuers(address("cn=RACINE," + SUFFIX, "cACertificate;binary"))),
                     *[leaf("ca", *extensions, id=id) for id, extensions in NAMED.items()],
                     ca("other", "root"), ca("sub", "ca", cdp(address(AUTHORITY, LIST)),
                                             issuers(address(AUTHORITY, "cACertificate;binary?base?objectClass=pkiCA"))),
                     leaf("sub", issuers(address(f"cn=sub,{SUFFIX}", "crossCertificatePair;binary")), cdp(address(f"cn=sub,{SUFFIX}", LIST)), id="orphan"),
                     leaf("sub", issuers(address(f"cn=arl,{SUFFIX}", "cACertificate;binary")), id="orphan-lost")],
    "crls": [crl("root.crl", "root"), crl("ca.crl", "ca", [{"id": "gone-listed", "reason": 1}]), crl("other.crl", "other"), crl("sub.crl", "sub"),
             crl("delta.crl", "ca", [{"id": "fresh", "reason": 4}], number=6, base=5)]}}
SPEC["made"]["conf"] = "".join(CONF)


# ---- A directory's answers, written by hand ----
def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    head = bytes([size]) if size < 128 else bytes([0x84]) + size.to_bytes(4, "big")
    return bytes([tag]) + head + body


def message(operation, number=1):
    return tlv(0x30, tlv(2, bytes([number])), operation)


def entry(values, attribute=BINARY):
    return tlv(0x64, tlv(4, b"cn=x"), tlv(0x30, tlv(0x30, tlv(4, attribute.encode()), tlv(0x31, *[tlv(4, one) for one in values]))))


DONE = tlv(0x65, tlv(10, b"\0"), tlv(4), tlv(4))


def converse(connection):
    asked = connection.recv(4096)
    name = next((one for one in sorted(BAD, key=len, reverse=True) if b"cn=" + one.encode() in asked), "silent")
    right = message(entry([octets("ca.crl")]))
    answers = {
        "huge": b"\x30\x84\xf0\0\0\0\x02\x01\x01\x64\x84\xef\0\0\0",
        "garbage": b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/html\r\n\r\n" * 100,
        "references": message(tlv(0x73, tlv(4, b"ldap://127.0.0.1/c=FR"))) * 5000,
        "empties": message(entry([b""] * 300000)),
        "cut": right[:-20],
        "gone": b"",
        "strangers": message(entry([b"x"]), number=9) * 20000,
        "many": message(entry([b"no list"] * 200 + [octets("ca.crl")])),
        "nested": message(tlv(0x64, *[b"\x30\x80"] * 3000)),
    }
    if name == "trickle":
        for octet in right:
            connection.sendall(bytes([octet]))
            time.sleep(0.05)
    elif name != "silent":
        connection.sendall(answers[name])
        if name not in ("cut", "gone", "garbage"):
            connection.recv(4096)
    else:
        connection.recv(4096)


def hostile():
    listener = socket.create_server(("127.0.0.1", HOSTILE))

    def serve(connection):
        with connection:
            try:
                converse(connection)
            except OSError:
                pass  # the client had enough, as it should

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


# ---- Asking ----
def ask(name, verdict, status, *more, given=("ca",)):
    begin = time.monotonic()
    done = vigie.run("verify", "--online", "--loopback", "--json", "--no-system-roots", "--ca", str(FILES / "root.pem"), *more, str(FILES / f"{name}.pem"),
                     *[str(FILES / f"{one}.pem") for one in given])
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    vigie.equal((answer["verdict"], answer["revocation"]["status"]), (verdict, status), (answer["refusals"], answer["fetches"]))
    answer["seconds"] = time.monotonic() - begin
    return answer


def why(name, *more):
    """Why nothing could be fetched of the leaf's address."""
    answer = ask(name, "refused", "unreachable", *more)
    failure, = [one["detail"] for one in answer["fetches"] if one["for"] == f"CN={name}"]
    return failure, answer


def test_lists():
    """a list is found by the name of its entry, whatever is escaped in it, and tells good and revoked; the address is shown"""
    answer = ask("listed", "valid", "good")
    vigie.equal(answer["path"][0]["revocation"]["source"], address(AUTHORITY, LIST))
    answer = ask("gone-listed", "refused", "revoked")
    vigie.equal(answer["path"][0]["revocation"]["reason"], "keyCompromise")


def test_spellings():
    """without ;binary, in capitals, without scope and filter; with the spaces of its name as they are; authorityRevocationList"""
    for name in ("plain", "spaces", "authority-list"):
        ask(name, "valid", "good")


def test_several():
    """of several values that of the issuer counts; of several addresses that which has it"""
    ask("several", "valid", "good")
    answer = ask("both", "valid", "good")
    vigie.equal([one["outcome"] for one in answer["fetches"] if one["for"] == "CN=both"], ["failed", "fetched"])


def test_delta():
    """the delta that freshestCRL names is fetched, and revokes"""
    answer = ask("fresh", "refused", "revoked")
    vigie.equal([one["kind"] for one in answer["fetches"] if one["for"] == "CN=fresh"], ["crl", "delta"])


def test_issuers():
    """issuers that were not given: of a pair of certificates, then of several certificates of one entry"""
    answer = ask("orphan", "valid", "good", given=())
    vigie.equal([one["subject"] for one in answer["path"]], ["CN=orphan", "CN=sub", "CN=ca", "CN=root"])
    done = vigie.run("verify", "--online", "--loopback", "--json", "--no-system-roots", "--ca", str(FILES / "root.pem"), str(FILES / "orphan-lost.pem"))
    assert any("nothing of what" in (one["detail"] or "") for one in json.loads(done.stdout)["fetches"]), done.stdout


def test_absent():
    """what the directory does not have, says in other words, or sends on: told each"""
    for name, words in (("nobody", "the directory has no such entry"), ("other-class", "the directory has no such entry"),
                        ("no-list", "what is there is no revocation list"), ("elsewhere", "sends elsewhere"), ("broken-filter", "Bad search filter"),
                        ("unnamed", "no address is known"), ("closed", "Connection refused")):
        failure, _ = why(name)
        assert words in failure, (name, failure)


def test_not_asked():
    """no server, another attribute, all of them, more than one entry, what it demands, ldaps: nothing is asked, and why is told in French, too"""
    for name, words in (("domain", "names no server"), ("secret", "RFC 4523 2"), ("all", "RFC 4523 2"), ("subtree", "one entry of a directory"),
                        ("demanding", "RFC 4516 2"), ("secure", "RFC 5280 8")):
        failure, _ = why(name)
        assert words in failure, (name, failure)
    for lang, words in (("fr", "elle ne nomme aucun serveur"), ("en", "it names no server")):
        done = vigie.run("verify", "--online", "--loopback", "--no-system-roots", "--ca", str(FILES / "root.pem"), str(FILES / "domain.pem"), str(FILES / "ca.pem"),
                         "--lang", lang)
        assert words in done.stdout, done.stdout


def test_slow():
    """silence and a trickle end when the time for one address is over"""
    for name in ("silent", "trickle"):
        failure, answer = why(name, "--timeout", "1")
        assert "Timed out" in failure, (name, failure)
        assert answer["seconds"] < 9, answer["seconds"]


def test_hostile():
    """a message of four gigabytes, noise, references without end, a hundred thousand empty values, half an answer, others' answers"""
    for name, words in (("huge", "more than 67108864 octets"), ("garbage", "cannot be reached"), ("references", "sends elsewhere"),
                        ("empties", "nothing of what"), ("cut", "cannot be reached"), ("gone", "cannot be reached"), ("strangers", "Timed out"),
                        ("many", "no revocation list"), ("nested", "nothing of what")):
        failure, _ = why(name, *(["--timeout", "2"] if name == "strangers" else []))
        assert words in failure, (name, failure)


def ldif(dn, *classes, **values):
    lines = [f"dn:: {base64.b64encode(dn.encode()).decode()}", *[f"objectClass: {one}" for one in classes]]
    for name, several in values.items():
        binary = ";binary" if isinstance(several[0], bytes) else ""
        lines += [f"{name}{binary}:: {base64.b64encode(one if binary else one.encode()).decode()}" for one in several]
    return "\n".join(lines) + "\n\n"


def pair(first, second):
    return tlv(0x30, tlv(0xA0, octets(first)), tlv(0xA1, octets(second)))


def tree():
    held = ("applicationProcess", "pkiCA", "deltaCRL")
    lists = dict(certificateRevocationList=[octets("ca.crl")])
    return "".join([
        ldif(SUFFIX, "organization", o=["ASIP-SANTE"]),
        ldif(f"ou=0002 187512751,{SUFFIX}", "organizationalUnit", ou=["0002 187512751"]),
        ldif(AUTHORITY, *held, cACertificate=[octets("other"), octets("ca")], deltaRevocationList=[octets("delta.crl")], **lists),
        ldif(f"cn=AC Simple,ou=0002 187512751,{SUFFIX}", *held, **lists),
        ldif(f"cn=RACINE,{SUFFIX}", *held, cACertificate=[octets("root")], certificateRevocationList=[octets("root.crl")]),
        ldif(f"cn=several,{SUFFIX}", *held, cACertificate=[octets("ca")], certificateRevocationList=[octets("other.crl"), octets("ca.crl")]),
        ldif(f"cn=arl,{SUFFIX}", *held, authorityRevocationList=[octets("ca.crl")]),
        ldif(f"cn=sub,{SUFFIX}", *held, crossCertificatePair=[pair("sub", "other")], certificateRevocationList=[octets("sub.crl")]),
        ldif(DELEGATED, "referral", "extensibleObject", cn=["ailleurs"], ref=[f"ldap://127.0.0.1:{HOSTILE}/cn=silent"])])


(FOLDER / "specs.json").write_text(json.dumps(SPEC))
subprocess.run([sys.argv[1], str(FOLDER / "specs.json"), str(FOLDER)], check=True)
SLAPD.tree = tree()
threading.Thread(target=hostile, daemon=True).start()
with SLAPD:
    tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
