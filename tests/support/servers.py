"""Real servers on free ports of loopback, each a context manager:

    with OpenSSL(identity, "-tls1_2") as server:
        survey(f"127.0.0.1:{server.port}")

A starter returns when the server listens, keeps its output in a file of its folder, and stops it by its pid."""
import grp
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import postgresql

free_port = postgresql.free_port
STARTS_WITHIN = 60


def user_name():
    return pwd.getpwuid(os.getuid()).pw_name


class Server:
    """A process that listens on self.port. A subclass gives its command, and writes its files in self.folder."""

    environment = {}
    input = subprocess.DEVNULL

    def __init__(self):
        self.port = free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def ports(self):
        return [self.port]

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-peer-"))
        try:
            self.log = self.folder / "output"
            command = self.command()
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen(command, cwd=self.folder, stdin=self.input, stdout=log, stderr=log,
                                                env={**os.environ, **self.environment})
            for port in self.ports():
                self.wait_for(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_for(self, port):
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__} does not listen on {port}:\n{self.output()}")

    def output(self):
        return self.log.read_text(errors="replace")[-2000:]

    def __exit__(self, *unused):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class OpenSSL(Server):
    """openssl s_server with any options; at @SECLEVEL=0, so that it speaks from TLS 1.0 on."""

    def __init__(self, identity, *options, ciphers="ALL:@SECLEVEL=0"):
        super().__init__()
        self.identity, self.options, self.ciphers = identity, options, ciphers

    def command(self):
        return ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-key", self.identity.key, "-cert",
                self.identity.certificate, "-cert_chain", self.identity.rest, "-cipher", self.ciphers, "-www",
                *self.options]


class GnuTLS(Server):
    def __init__(self, identity, priority="NORMAL", *options):
        super().__init__()
        self.identity, self.priority, self.options = identity, priority, options

    def command(self):
        return ["gnutls-serv", "--http", "-p", str(self.port), "--x509certfile", self.identity.chain,
                "--x509keyfile", self.identity.key, "--priority", self.priority, *self.options]


class NSS(Server):
    """NSS selfserv, which still speaks SSL 3.0: versions as in "ssl3:tls1.2", suites in its own letters."""

    environment = {"NSS_DISABLE_UNLOAD": "1"}

    def __init__(self, identity, versions, *options):
        super().__init__()
        self.identity, self.versions, self.options = identity, versions, options

    def command(self):
        def tool(*arguments):
            subprocess.run(arguments, check=True, cwd=self.folder, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        database = f"sql:{self.folder}"
        (self.folder / "none").write_text("\n")
        tool("certutil", "-N", "-d", database, "--empty-password")
        tool("openssl", "pkcs12", "-export", "-in", self.identity.chain, "-inkey", self.identity.key, "-name",
             "server", "-out", "server.p12", "-passout", "pass:")
        tool("pk12util", "-i", "server.p12", "-d", database, "-W", "")
        return ["selfserv", "-d", database, "-n", "server", "-p", str(self.port), "-V", self.versions, "-w", "",
                *self.options]


class Nginx(Server):
    """One port for each of `servers`: lines of a server block."""

    def __init__(self, identity, *servers):
        super().__init__()
        self.identity, self.servers = identity, servers or ("",)
        self.numbers = [self.port] + [free_port() for _ in self.servers[1:]]

    def ports(self):
        return self.numbers

    def command(self):
        blocks = "".join(f"server {{ listen 127.0.0.1:{port}{'' if 'clear' in lines else ' ssl'};"
                         f" ssl_certificate {self.identity.chain}; ssl_certificate_key {self.identity.key};"
                         f" {lines.replace('clear', '')} location / {{ return 200 'nginx'; }} }}\n"
                         for port, lines in zip(self.numbers, self.servers))
        places = "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            f"daemon off; pid {self.folder}/pid; error_log stderr; worker_processes 1; user {user_name()};\n"
            f"events {{ worker_connections 256; }}\nhttp {{ access_log off;\n{places}{blocks}}}\n")
        return ["/usr/sbin/nginx", "-e", "stderr", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]


class DCMTK(Server):
    """storescp, a DICOM archive; with an identity over TLS."""

    def __init__(self, identity=None, *options):
        super().__init__()
        self.identity, self.options = identity, options

    def command(self):
        secure = ["+tls", self.identity.key, self.identity.certificate, "-ic"] if self.identity else []
        return ["storescp", *secure, *self.options, "--ignore", str(self.port)]


class OpenLDAP(Server):
    """slapd without data: self.port is StartTLS, self.secure_port LDAPS."""

    def __init__(self, identity, ca):
        super().__init__()
        self.identity, self.ca = identity, ca
        self.secure_port = free_port()

    def ports(self):
        return [self.port, self.secure_port]

    def command(self):
        # Under another path than the packaged one, whose AppArmor profile would not let it read our files.
        program = shutil.copy("/usr/sbin/slapd", self.folder / "slapd")
        (self.folder / "slapd.conf").write_text(
            f"include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_null\npidfile {self.folder}/pid\n"
            f"TLSCertificateFile {self.identity.chain}\nTLSCertificateKeyFile {self.identity.key}\n"
            f"TLSCACertificateFile {self.ca}\ndatabase null\nsuffix dc=chu,dc=test\n")
        return [str(program), "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h",
                f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.secure_port}"]


class Slapd(Server):
    """slapd with the entries of `tree` (LDIF) below `suffix`; `identity` (chain, key) is for StartTLS."""

    def __init__(self, suffix, tree, password, identity=None, more=""):
        super().__init__()
        self.suffix, self.tree, self.password, self.identity, self.more = suffix, tree, password, identity, more

    def arguments(self):
        return [str(self.folder / "slapd"), "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", f"ldap://127.0.0.1:{self.port}"]

    def command(self):
        # Under another path than the packaged one, whose AppArmor profile would not let it read our files.
        program = shutil.copy("/usr/sbin/slapd", self.folder / "slapd")
        (self.folder / "data").mkdir()
        tls = f"TLSCertificateFile {self.identity[0]}\nTLSCertificateKeyFile {self.identity[1]}\n" if self.identity else ""
        (self.folder / "slapd.conf").write_text(
            f"include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {self.folder}/pid\n{tls}{self.more}"
            f"database mdb\nsuffix {self.suffix}\nrootdn cn=vigie,{self.suffix}\nrootpw {self.password}\n"
            f"directory {self.folder}/data\nmaxsize 268435456\n")
        subprocess.run([program, "-T", "add", "-f", self.folder / "slapd.conf"], input=self.tree, text=True, check=True, capture_output=True)
        return self.arguments()


class MariaDB(Server):
    def __init__(self, identity):
        super().__init__()
        self.identity = identity

    def command(self):
        data = self.folder / "data"
        user = [f"--user={user_name()}"]
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal", *user],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", *user, "--bind-address=127.0.0.1",
                f"--port={self.port}", f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid",
                f"--ssl-cert={self.identity.chain}", f"--ssl-key={self.identity.key}", "--skip-log-bin",
                "--innodb-buffer-pool-size=16M", f"--tmpdir={self.folder}"]


class Dovecot(Server):
    """IMAP and POP3: self.port and self.pop3_port with STARTTLS, self.secure_port IMAPS. With a password, mailboxes
    that hold mail, self.folder/mail/USER; without one, it lets everybody in, and nobody to any mail."""

    def __init__(self, identity, password=None):
        super().__init__()
        self.identity, self.password = identity, password
        self.pop3_port, self.secure_port = free_port(), free_port()

    def ports(self):
        return [self.port, self.pop3_port, self.secure_port]

    def passdb(self):
        return f"password={self.password}" if self.password else "nopassword=y"

    def owner(self):
        return os.getuid() or 1

    def command(self):
        def listener(name, port, secure="no"):
            return f"  inet_listener {name} {{\n    address = 127.0.0.1\n    port = {port}\n    ssl = {secure}\n  }}\n"

        own = "" if os.getuid() == 0 else (
            f"default_internal_user = {user_name()}\ndefault_login_user = {user_name()}\n"
            f"default_internal_group = {grp.getgrgid(os.getgid()).gr_name}\n"
            "service anvil {\n  chroot =\n}\nservice stats {\n  chroot =\n}\n")
        (self.folder / "dovecot.conf").write_text(
            f"base_dir = {self.folder}/run\nstate_dir = {self.folder}/state\nlog_path = /dev/stderr\n"
            f"protocols = imap pop3\nssl = yes\nssl_cert = <{self.identity.chain}\nssl_key = <{self.identity.key}\n"
            f"mail_location = maildir:{self.folder}/mail/%u\n{own}first_valid_uid = 1\n"
            f"passdb {{\n  driver = static\n  args = {self.passdb()}\n}}\n"
            f"userdb {{\n  driver = static\n  args = uid={self.owner()} gid={self.owner()}\n}}\n"
            "service imap-login {\n  chroot =\n" + listener("imap", self.port)
            + listener("imaps", self.secure_port, "yes") + "}\nservice pop3-login {\n  chroot =\n"
            + listener("pop3", self.pop3_port) + listener("pop3s", 0) + "}\n")
        self.folder.chmod(0o755)  # its processes run as other users
        (self.folder / "mail").mkdir(exist_ok=True)
        if os.getuid() == 0:
            os.chown(self.folder / "mail", 1, 1)
        return ["/usr/sbin/dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]


class Vsftpd(Server):
    """FTP with AUTH TLS."""

    def __init__(self, identity):
        super().__init__()
        self.identity = identity

    def command(self):
        own = "" if os.getuid() == 0 else "run_as_launching_user=YES\n"
        (self.folder / "empty").mkdir()
        (self.folder / "vsftpd.conf").write_text(
            f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={self.port}\nbackground=NO\nanonymous_enable=YES\n"
            f"ssl_enable=YES\nrsa_cert_file={self.identity.chain}\nrsa_private_key_file={self.identity.key}\n"
            f"secure_chroot_dir={self.folder}/empty\nanon_root={self.folder}/empty\nseccomp_sandbox=NO\n"
            f"ssl_ciphers=HIGH\n{own}")
        (self.folder / "vsftpd.conf").chmod(0o600)
        return ["/usr/sbin/vsftpd", str(self.folder / "vsftpd.conf")]


class Prosody(Server):
    """XMPP with STARTTLS for clients."""

    def __init__(self, identity, host="xmpp.test"):
        super().__init__()
        self.identity, self.host = identity, host

    def command(self):
        (self.folder / "prosody.cfg.lua").write_text(
            f'run_as_root = true\npidfile = "{self.folder}/pid"\ndata_path = "{self.folder}"\n'
            f'daemonize = false\nmodules_enabled = {{ "tls", "saslauth" }}\n'
            f'modules_disabled = {{ "s2s", "offline" }}\ninterfaces = {{ "127.0.0.1" }}\n'
            f'c2s_ports = {{ {self.port} }}\ns2s_ports = {{ }}\nlog = {{ info = "*console" }}\n'
            f'VirtualHost "{self.host}"\n'
            f'ssl = {{ certificate = "{self.identity.chain}"; key = "{self.identity.key}"; }}\n')
        return ["prosody", "-F", "--config", str(self.folder / "prosody.cfg.lua")]


class PostgreSQL(postgresql.Cluster):
    """A cluster that answers SSLRequest; the key is copied to where its user may read it."""

    def __init__(self, identity):
        super().__init__()
        self.served = identity

    def configure(self):
        for source, name in ((self.served.chain, "server.crt"), (self.served.key, "server.key")):
            target = shutil.copy(source, os.path.join(self.data, name))
            os.chmod(target, 0o600)
            if self.user:
                os.chown(target, self.user.pw_uid, self.user.pw_gid)
        self.settings["ssl"] = "on"
        super().configure()


class Scripted:
    """A server whose every connection a Python function handles, in a thread: handle(connection, bytes_first_read)."""

    def __init__(self, handle, reads=True):
        self.handle, self.reads = handle, reads
        self.connections = 0

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                connection.settimeout(30)
                self.handle(connection, connection.recv(65536) if self.reads else b"")
            except OSError:
                pass  # the surveyor hung up, as it may

    def __exit__(self, *unused):
        self.socket.close()


def end(connection):
    """Reads until the other side has hung up."""
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass


def hang_up(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def relay(upstream, connection, hello):
    """One connection of a real server, which has had its client's hello, until the client hangs up or the server does."""
    with socket.create_connection(("127.0.0.1", upstream)) as server:
        server.sendall(hello)
        threading.Thread(target=lambda: (end(connection), hang_up(server)), daemon=True).start()
        try:
            while data := server.recv(65536):
                connection.sendall(data)
        except OSError:
            pass
