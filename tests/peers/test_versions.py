"""Every version from SSLv2 to TLS 1.3, each spoken by a server that knows it."""
import socket
import struct
import tempfile

import certificates
import nmap
import servers
import tap
from vigie import equal, survey_one

folder = tempfile.TemporaryDirectory(prefix="vigie-versions-")
authority = certificates.Authority(folder.name)
rsa = authority.issue()
ec = authority.issue(key="ec")
CA = ("--ca", authority.root.certificate)


def surveyed(server, **how):
    return survey_one(f"127.0.0.1:{server.port}", options=CA, **how)


def one_version(option, name):
    with servers.OpenSSL(rsa, option) as server:
        record = surveyed(server)
    equal(record["outcome"], "ok", option)
    equal(record["versions"], [name], option)
    equal(sorted(record["suites"]), [name], option)
    equal(record["chain"][0]["sha256"], rsa.sha256(), option)
    equal(record["trust"]["verdict"], "trusted", option)
    return record


def test_openssl_each_version():
    """openssl s_server limited to TLS 1.0, 1.1, 1.2, 1.3: exactly that version, and the chain"""
    for option, name in (("-tls1", "TLSv1.0"), ("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2"),
                         ("-tls1_3", "TLSv1.3")):
        one_version(option, name)


def test_openssl_all_versions():
    """openssl s_server at @SECLEVEL=0: TLS 1.0 to 1.3 and no SSL"""
    with servers.OpenSSL(rsa) as server:
        record = surveyed(server)
    equal(record["versions"], ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
    equal(record["versions_tested"], ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"])


def test_openssl_holes():
    """TLS 1.0 and 1.2 without 1.1: the hole is seen"""
    with servers.OpenSSL(rsa, "-no_tls1_1", "-no_tls1_3") as server:
        record = surveyed(server)
    equal(record["versions"], ["TLSv1.0", "TLSv1.2"])


def test_openssl_chosen_suites():
    """Suites in the order that the server prefers, and that it prefers at all"""
    ciphers = "ECDHE-RSA-CHACHA20-POLY1305:AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"
    expected = ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
    with servers.OpenSSL(rsa, "-tls1_2", "-serverpref", ciphers=ciphers) as server:
        record = surveyed(server)
    equal(record["suites"]["TLSv1.2"], expected)
    equal(record["server_preference"], True)
    with servers.OpenSSL(rsa, "-tls1_2", ciphers=ciphers) as server:
        record = surveyed(server)
    equal(sorted(record["suites"]["TLSv1.2"]), sorted(expected))
    equal(record["server_preference"], False)


def test_openssl_tls13_suites():
    """TLS 1.3 suites as configured, in their order"""
    suites = ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
    with servers.OpenSSL(ec, "-tls1_3", "-serverpref", "-ciphersuites", ":".join(suites)) as server:
        record = surveyed(server)
    equal(record["suites"], {"TLSv1.3": suites})
    equal(record["chain"][0]["key"], {"type": "EC", "bits": 256, "curve": "secp256r1"})
    equal(record["chain"][0]["sha256"], ec.sha256())


def test_openssl_groups():
    """Groups as configured, also where a hello retry is needed to be heard"""
    with servers.OpenSSL(ec, "-tls1_3", "-groups", "P-384") as server:
        record = surveyed(server)
    equal(record["groups"], ["secp384r1"])
    equal(record["chain"][0]["sha256"], ec.sha256())
    with servers.OpenSSL(rsa, "-groups", "X25519:P-256") as server:
        record = surveyed(server)
    equal(sorted(record["groups"]), ["secp256r1", "x25519"])


def test_openssl_client_certificate():
    """A client certificate demanded: said, and the server's chain read all the same"""
    for version in ("-tls1_2", "-tls1_3"):
        with servers.OpenSSL(rsa, version, "-Verify", "1", "-CAfile", authority.root.certificate) as server:
            record = surveyed(server)
        equal(record["client_certificate"], True, version)
        equal(record["chain"][0]["sha256"], rsa.sha256(), version)
    with servers.OpenSSL(rsa) as server:
        equal(surveyed(server)["client_certificate"], False)


def test_openssl_against_nmap():
    """Every suite that nmap finds at an openssl s_server with all its suites, and no other"""
    with servers.OpenSSL(rsa, ciphers="ALL:COMPLEMENTOFALL:@SECLEVEL=0") as server:
        record = surveyed(server)
        seen, _ = nmap.enumerate_suites(server.port)
    equal(record["versions"], sorted(seen))
    for version, suites in seen.items():
        missing = set(suites) - set(record["suites"][version])
        equal(missing, set(), f"{version}: not found")
        surplus = set(record["suites"][version]) - set(suites)
        # nmap 7.93 does not try these.
        surplus = {name for name in surplus if not name.endswith(("CCM", "CCM_8", "CCM_SHA256", "CCM_8_SHA256"))}
        equal(surplus, set(), f"{version}: not seen by nmap")


def test_gnutls_versions():
    """gnutls-serv limited to each version it knows"""
    for version in ("1.0", "1.1", "1.2", "1.3"):
        with servers.GnuTLS(rsa, f"NORMAL:-VERS-ALL:+VERS-TLS{version}") as server:
            record = surveyed(server)
        equal(record["versions"], [f"TLSv{version}"], version)
        equal(record["chain"][0]["sha256"], rsa.sha256(), version)


def test_gnutls_suites():
    """gnutls-serv with chosen suites: those, against nmap"""
    with servers.GnuTLS(rsa, "NORMAL:-CIPHER-ALL:+AES-256-GCM:+AES-128-CBC:-VERS-ALL:+VERS-TLS1.2") as server:
        record = surveyed(server)
        seen, _ = nmap.enumerate_suites(server.port)
    equal(sorted(record["suites"]["TLSv1.2"]), sorted(seen["TLSv1.2"]))


def test_nss_ssl3():
    """NSS selfserv that speaks nothing but SSL 3.0: its suites and its chain"""
    with servers.NSS(rsa, "ssl3:ssl3") as server:
        record = surveyed(server)
        seen, _ = nmap.enumerate_suites(server.port)
    equal(record["outcome"], "ok")
    equal(record["versions"], ["SSLv3"])
    equal(sorted(record["suites"]["SSLv3"]), sorted(seen["SSLv3"]))
    equal(record["chain"][0]["sha256"], rsa.sha256())
    assert "protocol-version" in [finding["id"] for finding in record["findings"]], record["findings"]


def test_nss_ssl3_to_tls12():
    """NSS selfserv from SSL 3.0 to TLS 1.2"""
    with servers.NSS(rsa, "ssl3:tls1.2") as server:
        equal(surveyed(server)["versions"], ["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2"])


def ssl2_hello(certificate):
    """SERVER-HELLO of SSL 2.0 with DES-192-EDE3-CBC-WITH-MD5 and RC4-128-WITH-MD5."""
    specs = bytes.fromhex("0700c0010080")
    body = struct.pack(">BBBHHHH", 4, 0, 1, 2, len(certificate), len(specs), 16) + certificate + specs + bytes(16)
    return struct.pack(">H", 0x8000 | len(body)) + body


def ssl2_server(certificate, also=None):
    """Answers SSL 2.0 hellos; to any other, what `also` makes of it, or nothing but the end."""
    def handle(connection, hello):
        if len(hello) > 4 and hello[0] & 0x80 and hello[2] == 1 and hello[3:5] == b"\0\2":
            connection.sendall(ssl2_hello(certificate))
            connection.recv(4096)
        elif also:
            also(connection, hello)
        else:
            connection.shutdown(socket.SHUT_WR)
    return servers.Scripted(handle)


def der(identity):
    certificates.openssl("x509", "-in", identity.certificate, "-outform", "DER", "-out", identity.certificate + ".der")
    with open(identity.certificate + ".der", "rb") as file:
        return file.read()


def test_ssl2_alone():
    """A server that speaks nothing but SSL 2.0: the version, its ciphers and its certificate"""
    with ssl2_server(der(rsa)) as server:
        record = surveyed(server)
    equal(record["outcome"], "ok")
    equal(record["versions"], ["SSLv2"])
    equal(len(record["suites"]["SSLv2"]), 2)
    equal(record["chain"][0]["sha256"], rsa.sha256())


def test_ssl2_besides():
    """SSL 2.0 on a server that speaks TLS too is seen"""
    with servers.OpenSSL(rsa, "-tls1_2") as real:
        with ssl2_server(der(rsa), also=lambda connection, hello: servers.relay(real.port, connection, hello)) as server:
            record = surveyed(server)
    equal(record["versions"], ["SSLv2", "TLSv1.2"])


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
