"""STARTTLS and the protocols within, at the servers that hospitals run."""
import tempfile

import certificates
import servers
import smtp
import tap
from vigie import equal, survey, survey_one

folder = tempfile.TemporaryDirectory(prefix="vigie-starttls-")
authority = certificates.Authority(folder.name)
rsa = authority.issue()
CA = ("--ca", authority.root.certificate)


def secure(target, versions=None):
    """The target examined: TLS spoken, the right certificate, trusted, the right name, ends well."""
    record = survey_one(target, options=CA)
    equal(record["outcome"], "ok", target)
    equal(record["protocol"], target.partition("/")[2], target)
    equal(record["chain"][0]["sha256"], rsa.sha256(), target)
    equal(record["trust"]["verdict"], "trusted", target)
    equal(record["name_match"], True, target)
    equal(record["versions"], versions or ["TLSv1.2", "TLSv1.3"], target)
    for version in record["versions"]:
        assert record["suites"][version], f"{target}: no suite of {version}"
    return record


def clear(target):
    """A server that does not offer STARTTLS says so."""
    record = survey_one(target, options=CA)
    assert record["outcome"].startswith("starttls-refused:"), f"{target}: {record['outcome']}"
    equal(record["chain"], [], target)


def test_smtp():
    """SMTP (aiosmtpd) with STARTTLS, and one without"""
    with smtp.Server(rsa.chain, rsa.key) as server:
        secure(f"127.0.0.1:{server.port}/smtp")
    with smtp.Server() as server:
        clear(f"127.0.0.1:{server.port}/smtp")


def test_smtps():
    """SMTP inside TLS"""
    with smtp.Server(rsa.chain, rsa.key, implicit=True) as server:
        secure(f"127.0.0.1:{server.port}/smtps")


def test_dovecot():
    """Dovecot: IMAP and POP3 with STARTTLS, IMAPS"""
    with servers.Dovecot(rsa) as server:
        secure(f"127.0.0.1:{server.port}/imap")
        secure(f"127.0.0.1:{server.pop3_port}/pop3")
        secure(f"127.0.0.1:{server.secure_port}/imaps")


def test_ldap():
    """OpenLDAP: StartTLS and LDAPS"""
    with servers.OpenLDAP(rsa, authority.root.certificate) as server:
        versions = survey_one(f"127.0.0.1:{server.secure_port}/ldaps", options=CA)["versions"]
        assert "TLSv1.2" in versions and "TLSv1.3" in versions, versions
        secure(f"127.0.0.1:{server.secure_port}/ldaps", versions)
        secure(f"127.0.0.1:{server.port}/ldap", versions)


def test_postgresql():
    """PostgreSQL: SSLRequest"""
    with servers.PostgreSQL(rsa) as server:
        secure(f"127.0.0.1:{server.port}/postgresql")


def test_mariadb():
    """MariaDB: the SSL capability"""
    with servers.MariaDB(rsa) as server:
        secure(f"127.0.0.1:{server.port}/mysql")


def test_ftp():
    """vsftpd: AUTH TLS"""
    with servers.Vsftpd(rsa) as server:
        record = survey_one(f"127.0.0.1:{server.port}/ftp", options=CA)
        secure(f"127.0.0.1:{server.port}/ftp", record["versions"])
        assert "TLSv1.2" in record["versions"], record["versions"]


def test_xmpp():
    """Prosody: XMPP STARTTLS for a named host"""
    with servers.Prosody(rsa, host="localhost") as server:
        secure(f"localhost:{server.port}/xmpp")


def test_wrong_protocol():
    """TLS asked of a port that first speaks in the clear: named for what it speaks"""
    with smtp.Server(rsa.chain, rsa.key) as mail, servers.Vsftpd(rsa) as ftp:
        records = survey(f"127.0.0.1:{mail.port}", f"127.0.0.1:{ftp.port}")
    equal([record["outcome"] for record in records], ["not-tls:smtp", "not-tls:ftp"])


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
