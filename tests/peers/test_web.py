"""nginx, stock and otherwise, and DICOM archives: what stands in front of most devices."""
import tempfile

import certificates
import nmap
import servers
import tap
from vigie import equal, finding_ids, survey, survey_one

folder = tempfile.TemporaryDirectory(prefix="vigie-web-")
authority = certificates.Authority(folder.name)
rsa = authority.issue()
ec = authority.issue(key="ec")
CA = ("--ca", authority.root.certificate)


def https(port):
    return f"127.0.0.1:{port}/https"


def test_nginx_stock():
    """Stock nginx: versions, suites and groups no fewer than nmap finds, no finding; in fewer connections"""
    with servers.Nginx(rsa) as server:
        record = survey_one(https(server.port), options=CA)
        seen, preference = nmap.enumerate_suites(server.port)
    equal(record["outcome"], "ok")
    equal(record["versions"], sorted(seen))
    for version, suites in seen.items():
        equal(set(suites) - set(record["suites"][version]), set(), f"{version}: nmap found more")
    equal(record["server_preference"], preference["TLSv1.2"] == "server")
    equal([certificate["sha256"] for certificate in record["chain"]], [rsa.sha256(), authority.intermediate.sha256()])
    equal(record["chain"][0]["san"], ["DNS:localhost", "IP:127.0.0.1"])
    equal(record["chain"][0]["issuer"], "CN=AC d'essai")
    equal(record["trust"]["verdict"], "trusted")
    equal(record["name_match"], True)
    equal(record["client_certificate"], False)
    assert abs(record["clock_offset"]) <= 2, record["clock_offset"]
    equal(finding_ids(record), [])
    assert record["timings"]["connections"] < 48, record["timings"]  # nmap 7.93's for these suites


def test_nginx_preference():
    """The order in which a server prefers its suites"""
    order = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
    with servers.Nginx(rsa, f"ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on; ssl_ciphers {order};",
                       f"ssl_protocols TLSv1.2; ssl_ciphers {order};") as server:
        preferring, indifferent = survey(*map(https, server.numbers))
    expected = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"]
    equal(preferring["suites"]["TLSv1.2"], expected)
    equal(preferring["server_preference"], True)
    equal(sorted(indifferent["suites"]["TLSv1.2"]), sorted(expected))
    equal(indifferent["server_preference"], False)


def test_nginx_two_certificates():
    """RSA and EC served side by side: the suites of both"""
    both = f"ssl_certificate {ec.chain}; ssl_certificate_key {ec.key}; ssl_protocols TLSv1.2;"
    with servers.Nginx(rsa, both) as server:
        suites = survey_one(https(server.port))["suites"]["TLSv1.2"]
    kinds = {name.split("_WITH_")[0] for name in suites}
    assert {"TLS_ECDHE_RSA", "TLS_ECDHE_ECDSA"} <= kinds, kinds


def test_nginx_client_certificate():
    """A client certificate asked for"""
    with servers.Nginx(rsa, f"ssl_verify_client on; ssl_client_certificate {authority.root.certificate};") as server:
        record = survey_one(https(server.port), options=CA)
    equal(record["client_certificate"], True)
    equal(record["chain"][0]["sha256"], rsa.sha256())


def test_nginx_refuses_the_handshake():
    """ssl_reject_handshake: the alert by its name, not a generic error"""
    with servers.Nginx(rsa, "ssl_reject_handshake on;") as server:
        equal(survey_one(https(server.port))["outcome"], "alert:unrecognized_name")


def test_nginx_in_the_clear():
    """Plain HTTP on the port is named"""
    with servers.Nginx(rsa, "clear") as server:
        record = survey_one(https(server.port))
    equal(record["outcome"], "not-tls:http")
    equal(finding_ids(record), ["plain-protocol"])


def test_names():
    """The certificate's names against the name asked for"""
    other = authority.issue("automate-02.chu.test", others=())
    with servers.Nginx(other) as server:
        record = survey_one(f"localhost:{server.port}/https", options=CA)
    equal(record["name_match"], False)
    assert "name-mismatch" in finding_ids(record), record["findings"]
    with servers.Nginx(rsa, "server_name localhost;") as server:
        record = survey_one(f"localhost:{server.port}/https", options=CA)
    equal(record["name_match"], True)
    equal(finding_ids(record), [])


def test_dcmtk():
    """DCMTK storescp over TLS, which serves no intermediate; and without TLS"""
    with servers.DCMTK(rsa) as archive:
        record = survey_one(f"127.0.0.1:{archive.port}/dicom", options=CA)
    equal(record["outcome"], "ok")
    equal(record["chain"][0]["sha256"], rsa.sha256())
    equal(record["trust"]["verdict"], "incomplete-chain")
    assert "incomplete-chain" in finding_ids(record), record["findings"]
    with servers.DCMTK() as archive:
        record = survey_one(f"127.0.0.1:{archive.port}/dicom", options=CA)
    equal(record["outcome"], "not-tls:dicom")


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
