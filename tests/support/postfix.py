"""A Postfix of its own: STARTTLS demanded, mail for chu.test put into a maildir."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from postgresql import free_port

MASTER = """
127.0.0.1:%(port)d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
"""

MAIN = """
compatibility_level = 3.6
queue_directory = %(folder)s/queue
data_directory = %(folder)s/data
maillog_file = %(folder)s/log
maillog_file_prefixes = %(folder)s
myhostname = relay.chu.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
local_transport = error:no local mail
virtual_mailbox_domains = chu.test
virtual_mailbox_base = %(folder)s/mail
virtual_mailbox_maps = inline:{ {biomed@chu.test = biomed/} }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = %(certificate)s
smtpd_tls_key_file = %(key)s
smtpd_tls_session_cache_database =
smtpd_relay_restrictions = reject_unauth_destination
alias_maps =
alias_database =
"""


class Postfix:
    """with Postfix(certificate, key) as postfix: postfix.port, postfix.mails()"""

    def __init__(self, certificate, key):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-postfix-"))
        self.values = {"port": self.port, "folder": self.folder, "certificate": certificate, "key": key}

    def __enter__(self):
        self.folder.chmod(0o755)
        for name in ("conf", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix", "postfix")
        shutil.chown(self.folder / "mail", 65534, 65534)
        (self.folder / "conf" / "main.cf").write_text(MAIN % self.values)
        (self.folder / "conf" / "master.cf").write_text(
            MASTER % self.values + "postlog unix-dgram n - n - 1 postlogd\n")
        self.command("start")
        return self

    def command(self, word, check=True):
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.folder / "conf"), word], check=check, capture_output=True)

    def __exit__(self, *unused):
        self.command("stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def mails(self):
        return [path.read_bytes() for path in sorted((self.folder / "mail").glob("biomed/new/*"))]

    def wait_for_mail(self, seconds=60):
        for _ in range(seconds * 10):
            if self.mails():
                return self.mails()
            time.sleep(0.1)
        raise AssertionError("no mail arrived: " + self.log())
