"""The codec against real servers: every version, suite kind and group that they can be told to speak.

Arguments: the probe. What each server must show is known from how it was started, never from the codec itself."""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import certificates
import servers
import tap

PROBE = sys.argv[1]
SSL3, TLS10, TLS11, TLS12, TLS13 = 2, 4, 8, 16, 32
NAMES = {SSL3: "SSLv3", TLS10: "TLSv1.0", TLS11: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3"}
FOLDER = tempfile.TemporaryDirectory(prefix="vigie-tls-")
AUTHORITY = certificates.Authority(FOLDER.name)
IDENTITY = AUTHORITY.issue()
ELLIPTIC = AUTHORITY.issue(key="ec")
INTERMEDIATE = AUTHORITY.intermediate.sha256()


def probe(server, **options):
    words = [f"{name}={value}" for name, value in options.items()]
    done = subprocess.run([PROBE, str(server.port), *words], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def expect(found, **wanted):
    for name, value in wanted.items():
        assert found[name] == value, f"{name}: {found[name]!r}, not {value!r}, in {found}"


def expect_chain(found, identity=IDENTITY):
    expect(found, state="done", complete=True, certificates=[identity.sha256(), INTERMEDIATE])


def test_openssl_versions():
    """openssl s_server: each version, whole and octet by octet"""
    with servers.OpenSSL(IDENTITY) as server:
        for version in (TLS10, TLS11, TLS12, TLS13):
            for drip in (1, 7, 65536):
                found = probe(server, versions=version, drip=drip)
                expect_chain(found)
                expect(found, version=NAMES[version], request=False, downgrade={TLS12: 1, TLS13: 0}.get(version, 2))
        expect(probe(server, versions=SSL3), state="alert", alert="handshake_failure")
        expect(probe(server, versions=1), state="alert")


def test_openssl_suites():
    """openssl s_server: each suite of TLS 1.3 is decrypted, and the key exchanges before it are told apart"""
    options = ["-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
               "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256", "-dhparam", dhparam(1024)]
    with servers.OpenSSL(IDENTITY, *options) as server:
        for suite, name in (("1301", "TLS_AES_128_GCM_SHA256"), ("1302", "TLS_AES_256_GCM_SHA384"),
                            ("1303", "TLS_CHACHA20_POLY1305_SHA256"), ("1304", "TLS_AES_128_CCM_SHA256"),
                            ("1305", "TLS_AES_128_CCM_8_SHA256")):
            found = probe(server, versions=TLS13, suites=suite)
            expect_chain(found)
            expect(found, suite=name)
        expect(probe(server, versions=TLS12, suites="0033"), suite="TLS_DHE_RSA_WITH_AES_128_CBC_SHA", dh_bits=1024)
        expect(probe(server, versions=TLS12, suites="C030", groups=24), group="secp384r1", dh_bits=0)
        expect(probe(server, versions=TLS12, suites="002F"), group="", dh_bits=0, state="done")
        found = probe(server, versions=TLS12, suites="0018,C018")
        expect(found, state="done", certificates=[])
        expect(probe(server, versions=TLS12, suites="C02B"), state="alert", alert="handshake_failure")


def dhparam(bits):
    path = pathlib.Path(FOLDER.name) / f"dh{bits}.pem"
    certificates.openssl("dhparam", "-out", str(path), str(bits))
    return str(path)


def test_openssl_groups():
    """openssl s_server: each group of ours, offered at once and after a HelloRetryRequest"""
    with servers.OpenSSL(IDENTITY) as server:
        for number, name in ((29, "x25519"), (23, "secp256r1"), (24, "secp384r1"), (25, "secp521r1"), (30, "x448")):
            found = probe(server, versions=TLS13, groups=number, shares=number)
            expect_chain(found)
            expect(found, group=name, retried=False)
            found = probe(server, versions=TLS13, groups=number, shares="none", drip=3)
            expect_chain(found)
            expect(found, group=name, retried=True)
            found = probe(server, versions=TLS13, groups=number, shares="none", until="hello")
            expect(found, state="retry", group=name, version="TLSv1.3", suite="TLS_AES_128_GCM_SHA256")
        found = probe(server, versions=TLS13, groups="23,29", shares=23)
        assert found["server_groups"][:2] == ["x25519", "secp256r1"], found
        expect(probe(server, versions=TLS13, groups=256, shares="none", until="hello"), group="ffdhe2048")


def test_openssl_retry_with_every_hash():
    """openssl s_server: the transcript after a retry is right for SHA-256 and for SHA-384"""
    with servers.OpenSSL(IDENTITY, "-groups", "P-384") as server:
        for suite in ("1301", "1302", "1303"):
            found = probe(server, versions=TLS13, suites=suite)
            expect_chain(found)
            expect(found, group="secp384r1", retried=True)


class Stateless(servers.OpenSSL):
    """Serving pages, s_server passes over -stateless."""

    input = subprocess.PIPE  # it reads what to send: an end of file would stop it

    def command(self):
        return [word for word in super().command() if word != "-www"]


def test_openssl_cookie():
    """openssl s_server -stateless: the cookie of its HelloRetryRequest is echoed, with and without a new group"""
    for options in ((), ("-groups", "P-256")):
        with Stateless(IDENTITY, "-stateless", *options) as server:
            found = probe(server, versions=TLS13)
            expect_chain(found)
            expect(found, retried=True)


def test_client_certificate():
    """a certificate demanded of the client, before and in TLS 1.3: the server's is still read"""
    with servers.OpenSSL(IDENTITY, "-Verify", "2", "-CAfile", AUTHORITY.root.certificate) as server:
        for version in (TLS10, TLS12, TLS13):
            found = probe(server, versions=version)
            expect_chain(found)
            expect(found, request=True)


def test_forms():
    """hellos of every form are understood; a server's answer to none it can serve is an alert"""
    with servers.OpenSSL(ELLIPTIC) as server:
        for options in ({}, {"form": "small"}):
            expect_chain(probe(server, versions=TLS12 | TLS13, name="localhost", **options), ELLIPTIC)
        expect(probe(server, versions=TLS12), suite="TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    with servers.OpenSSL(IDENTITY, "-alpn", "http/1.1") as server:
        for version in (TLS10, TLS10 | TLS12):
            expect_chain(probe(server, versions=version, form="bare"))
        for version in (TLS12, TLS13):
            expect(probe(server, versions=version, alpn="h2,http/1.1"), alpn="http/1.1")


def test_gnutls():
    """gnutls-serv: each version, its own way to cut records, and its P-256 preference"""
    with servers.GnuTLS(IDENTITY, "NORMAL:+VERS-ALL:+DHE-RSA:+ANON-ECDH:%SERVER_PRECEDENCE:%VERIFY_ALLOW_BROKEN",
                        "--disable-client-cert") as server:
        for version in (TLS12, TLS13):
            for drip in (1, 65536):
                found = probe(server, versions=version, drip=drip)
                expect_chain(found)
                expect(found, version=NAMES[version])
        expect(probe(server, versions=TLS13, shares="none", until="hello"), state="retry", version="TLSv1.3")
        expect_chain(probe(server, versions=TLS13, shares="none"))
        expect(probe(server, versions=TLS12, suites="C02F", groups=23), group="secp256r1")


def test_nss():
    """NSS selfserv: from SSL 3.0 to TLS 1.3, and its demand for a client's certificate"""
    for range, versions in (("ssl3:tls1.2", (SSL3, TLS10, TLS11, TLS12)), ("tls1.2:tls1.3", (TLS12, TLS13))):
        with servers.NSS(IDENTITY, range) as server:
            for version in versions:
                found = probe(server, versions=version)
                expect(found, state="done", version=NAMES[version], has_time=version != TLS13)
                assert found["certificates"][0] == IDENTITY.sha256(), found
    with servers.NSS(IDENTITY, "ssl3:ssl3", "-r", "-r") as server:
        expect(probe(server, versions=SSL3), state="done", version="SSLv3", request=True)
        expect(probe(server, versions=TLS10 | TLS11 | TLS12), state="done", version="SSLv3")


def test_other_protocols():
    """servers that speak something else are named"""
    with servers.DCMTK() as server:
        found = probe(server)
        assert found["state"] in ("not-tls", "more"), found
        if found["state"] == "not-tls":
            expect(found, speaks="dicom")
    with servers.MariaDB(IDENTITY) as server:
        expect(probe(server), state="not-tls", speaks="mysql")
    with servers.Vsftpd(IDENTITY) as server:
        expect(probe(server), state="not-tls", speaks="ftp")


tap.run([test_openssl_versions, test_openssl_suites, test_openssl_groups, test_openssl_retry_with_every_hash,
         test_openssl_cookie, test_client_certificate, test_forms, test_gnutls, test_nss, test_other_protocols])
