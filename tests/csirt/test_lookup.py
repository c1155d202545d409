"""The search for a contact, against real servers: a site over TLS, RDAP, whois. And what a site cannot make us do."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import certificates
import publisher
import tap
from publisher import moved, page, text

TOOL = sys.argv[1]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-lookup-"))
AUTHORITY = certificates.Authority(FOLDER)
NAMES = tuple(f"DNS:{name}.localhost" for name in ("chu", "ecg.chu", "www.chu", "rdap", "other", "registrar"))
IDENTITY = AUTHORITY.issue("chu.localhost", key="ec", others=NAMES)


def look_up(domain, rdap="https://rdap.localhost:1/", whois="127.0.0.1:1", private="true", timeout="5 s", status=0, itself="true"):
    config = FOLDER / "vigie.conf"
    config.write_text(f"[trust]\nroots = {AUTHORITY.root.certificate}\nsystem = false\n[csirt]\nlookup_private = {private}\n"
                      f"lookup_timeout = {timeout}\nrdap = {rdap}\nwhois = {whois}\n[process]\nreach_itself = {itself}\n")
    done = subprocess.run([TOOL, str(config), "lookup", domain], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if status == 0 else done.stderr


def contacts(found, source=None):
    return [one["value"] for one in found["contacts"] if source in (None, one["source"])]


def outcomes(found, source):
    return [one["outcome"] for one in found["steps"] if one["source"] == source]


def why(found, source):
    return " ".join(one["why"] or "" for one in found["steps"] if one["source"] == source)


def security_txt(port, more=""):
    return text(f"Contact: mailto:security@chu.localhost\nContact: tel:+33298000000\nExpires: 2099-01-01T00:00:00Z\n{more}")


def rdap(*entities):
    return page(json.dumps({"objectClassName": "domain", "ldhName": "chu.localhost", "entities": list(entities)}),
                type="application/rdap+json")


def entity(mail, *roles):
    return {"roles": list(roles), "vcardArray": ["vcard", [["fn", {}, "text", mail], ["email", {}, "text", mail]]]}


def test_order():
    """security.txt comes before pages, pages before RDAP; whois is not asked where RDAP knew; each with its place and confidence."""
    hosts = {"chu.localhost": {
        "/": page("<a href='/ecrire'>Nous contacter</a> <a href='https://other.localhost/'>contact agency</a>"),
        "/ecrire": page("<p>Standard accueil@chu.localhost</p><p>" + "x " * 200 + "Sécurité : rssi (at) chu (point) localhost"),
        "/mentions-legales": page("Hébergeur : abuse@hosting.test")}}
    with publisher.Site(IDENTITY, hosts) as site, publisher.Whois({}) as whois:
        hosts["chu.localhost"]["/.well-known/security.txt"] = security_txt(
            site.port, f"Encryption: https://chu.localhost:{site.port}/key.asc\n")
        hosts["chu.localhost"]["/key.asc"] = text("-----BEGIN PGP PUBLIC KEY BLOCK-----")
        hosts["rdap.localhost"] = {"/domain/chu.localhost": rdap(
            entity("noc@registrar.test", "registrar"), entity("dsi@chu.localhost", "technical"))}
        found = look_up(f"chu.localhost:{site.port}", f"https://rdap.localhost:{site.port}/", f"127.0.0.1:{whois.port}")
        assert contacts(found)[:3] == ["security@chu.localhost", "+33298000000", "rssi@chu.localhost"], contacts(found)
        assert contacts(found, "rdap") == ["dsi@chu.localhost", "noc@registrar.test"], found
        assert contacts(found)[-1] in ("abuse@hosting.test", "noc@registrar.test"), contacts(found)
        assert found["security_txt"]["usable"], found["security_txt"]
        assert found["security_txt"]["place"] == f"https://chu.localhost:{site.port}/.well-known/security.txt"
        assert len(found["keys"]) == 1 and found["keys"][0]["data"], found["keys"]
        assert whois.asked == []
        assert "other.localhost" not in [host for host, _, _ in site.asked]
        assert all("Cookie" not in headers for _, _, headers in site.asked)


def test_device_name():
    """A device's own name has none: the domain above it is asked."""
    hosts = {}
    with publisher.Site(IDENTITY, hosts) as site:
        hosts["ecg.chu.localhost"] = {"/": page("ECG")}
        found = look_up(f"ecg.chu.localhost:{site.port}")
        asked = [one["url"] for one in found["steps"] if one["source"] == "security-txt"]
        assert "https://chu.localhost/.well-known/security.txt" in asked, asked


def test_not_a_file():
    """A site that answers every address with a page of its own has no security.txt; an expired one is told, and believed less."""
    shell = page("<html><body>Application</body></html>")
    hosts = {"chu.localhost": {"/.well-known/security.txt": shell, "/security.txt": shell}}
    with publisher.Site(IDENTITY, hosts) as site:
        found = look_up(f"chu.localhost:{site.port}")
        assert found["security_txt"] is None and "no security.txt" in why(found, "security-txt"), found
        hosts["chu.localhost"]["/.well-known/security.txt"] = text(
            "Contact: mailto:old@chu.localhost\nExpires: 2020-01-01T00:00:00Z\n")
        found = look_up(f"chu.localhost:{site.port}")
        assert found["contacts"][0]["confidence"] < 50, found["contacts"]
        assert "expired" in [one["id"] for one in found["security_txt"]["problems"]]


def test_registrar_and_whois():
    """RDAP that knows the registrar alone leads to its own answer; where that knows nobody, whois is asked and its referral followed."""
    hosts = {}
    with publisher.Site(IDENTITY, hosts) as site, publisher.Whois({}) as second:
        def registry(related):
            answer = json.loads(rdap(entity("noc@registrar.test", "registrar"))[2])
            answer["links"] = [{"rel": "related", "type": "application/rdap+json", "href": related}]
            return page(json.dumps(answer), type="application/rdap+json")
        base = f"https://rdap.localhost:{site.port}/"
        hosts["rdap.localhost"] = {"/domain/chu.localhost": registry(f"https://registrar.localhost:{site.port}/d")}
        hosts["registrar.localhost"] = {"/d": rdap(entity("dsi@chu.localhost", "technical"))}
        found = look_up(f"chu.localhost:{site.port}", base)
        assert "dsi@chu.localhost" in contacts(found, "rdap") and outcomes(found, "whois") == [], found
        hosts["registrar.localhost"] = {}
        answers = {"chu.localhost": f"% thin\r\nwhois: localhost\r\nRegistrar Abuse Contact Email: abuse@registrar.test\r\n"}
        with publisher.Whois(answers) as whois:
            found = look_up(f"chu.localhost:{site.port}", base, f"127.0.0.1:{whois.port}")
            assert whois.asked == ["chu.localhost"], whois.asked
            assert "abuse@registrar.test" in contacts(found, "whois"), found
            urls = [one["url"] for one in found["steps"] if one["source"] == "whois"]
            assert urls[1:] == ["whois://localhost/chu.localhost"], urls
        answers["chu.localhost"] = "Tech Email: dsi@chu.localhost\n"
        with publisher.Whois(answers) as whois:
            found = look_up(f"chu.localhost:{site.port}", base, f"127.0.0.1:{whois.port}")
            assert contacts(found, "whois") == ["dsi@chu.localhost"], found


def test_private_addresses():
    """Without leave, no address of this machine or a private network is reached, whatever name leads there; not by whois either."""
    with publisher.Site(IDENTITY, {"chu.localhost": {"/": page("x")}}) as site, publisher.Whois({}) as whois:
        for domain in (f"chu.localhost:{site.port}", f"127.0.0.1:{site.port}", f"[::1]:{site.port}", f"0.0.0.0:{site.port}",
                       f"[::ffff:127.0.0.1]:{site.port}"):
            for private, itself, why in (("false", "true", "lookup_private"), ("true", "false", "reach_itself")):
                found = look_up(domain, f"https://127.0.0.1:{site.port}/", f"127.0.0.1:{whois.port}", private=private, itself=itself)
                assert set(one["outcome"] for one in found["steps"]) == {"refused"}, (domain, found["steps"])
                assert why in found["steps"][0]["why"], found["steps"]
        assert site.asked == [] and whois.asked == []


def test_redirections():
    """Three redirections within the domain are followed; a fourth, another domain, another port, plain HTTP and other schemes are not."""
    with publisher.Site(IDENTITY, {}) as site, publisher.Site(None, {}) as plain:
        here = f"https://chu.localhost:{site.port}"
        known = "/.well-known/security.txt"
        www = {f"/{i}": moved(f"{here}/{i + 1}") for i in range(1, 6)}
        site.hosts["www.chu.localhost"] = {known: security_txt(site.port)}
        site.hosts["chu.localhost"] = {**www, known: moved(f"https://www.chu.localhost:{site.port}{known}")}
        found = look_up(f"chu.localhost:{site.port}")
        assert contacts(found, "security-txt")[0] == "security@chu.localhost", found
        assert "redirected" in [one["id"] for one in found["security_txt"]["problems"]]
        secret = f"http://other.localhost:{plain.port}/secret"
        for target, said in ((f"{here}/1", "too many redirections"), (f"https://other.localhost:{site.port}/", "another domain"),
                             (f"http://chu.localhost:{plain.port}/", "HTTPS to HTTP"),
                             (f"https://chu.localhost:{plain.port}/", "another port"), (secret, "HTTP"),
                             ("file:///etc/passwd", ""), ("gopher://chu.localhost/", ""),
                             (f"https://user:secret@chu.localhost:{site.port}/", "user")):
            site.hosts["chu.localhost"][known] = moved(target)
            found = look_up(f"chu.localhost:{site.port}")
            first = found["steps"][0]
            assert first["outcome"] != "found" and said in first["why"], (target, first)
            assert found["security_txt"] is None
        assert plain.asked == []


def test_hostile_server():
    """A certificate that nobody vouches for, an endless page, one that never ends its answer: refused, in bounded time."""
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"a" * 65536)
        except OSError:
            pass

    def slow(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"a")
                time.sleep(0.2)
        except OSError:
            pass
    hosts = {"chu.localhost": {"/.well-known/security.txt": endless, "/security.txt": endless, "/": endless}}
    with publisher.Site(IDENTITY, hosts) as site:
        found = look_up(f"chu.localhost:{site.port}")
        assert "octets" in why(found, "security-txt") and found["contacts"] == [], found
        hosts["chu.localhost"] = {"/.well-known/security.txt": slow}
        start = time.monotonic()
        found = look_up(f"chu.localhost:{site.port}", timeout="2 s")
        assert outcomes(found, "security-txt")[0] == "unreachable" and time.monotonic() - start < 60, found
    stranger = certificates.Authority(pathlib.Path(tempfile.mkdtemp(dir=FOLDER))).issue("chu.localhost", key="ec", others=NAMES)
    with publisher.Site(stranger, {"chu.localhost": {"/.well-known/security.txt": security_txt(0)}}) as site:
        found = look_up(f"chu.localhost:{site.port}")
        assert found["security_txt"] is None and "SSL" in found["steps"][0]["why"], found["steps"][0]


def test_domains():
    """What is no domain is refused before anything is asked, and said how it should look."""
    for domain in ("", "chu.localhost/path", "user@chu.localhost", "chu localhost", "http://chu.localhost", "a?b", "-" * 300,
                   "$(reboot)", "chu.localhost\r\nX: y"):
        said = look_up(domain, status=2)
        assert "as in chu.example" in said, (domain, said)


tap.run([test_order, test_device_name, test_not_a_file, test_registrar_and_whois, test_private_addresses, test_redirections,
         test_hostile_server, test_domains])
