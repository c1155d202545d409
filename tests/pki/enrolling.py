"""A hospital whose portal answers the enrolment protocols: over HTTP, and over TLS through nginx, which asks for certificates."""
import os
import re
import subprocess
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from daemon import Daemon  # noqa: E402
from postgresql import free_port  # noqa: E402
from servers import Nginx  # noqa: E402
from support import vigie  # noqa: E402

PASSPHRASE = "correct horse battery staple"


class Enrolling(Registrar):
    """with Enrolling(tls=True) as chu: chu.url, chu.enrolment("--name", "dns:chu.test"), chu.openssl(…)

    The registrar's certificate and the portal's own are issued by the authority as anybody's would be."""

    def __init__(self, tls=False, registrar=False, **pki):
        super().__init__(profiles="registrar", permitted="")  # strongSwan reads no name constraints
        self.account("a.dsi", "dsi", "technical-contact", "operator")
        self.front, port = None, free_port()
        while str(port) in pki.values():  # a client's, which it opens later
            port = free_port()
        groups = dict(self.daemon.groups)
        groups["pki"] = {**groups["pki"], **pki}
        if registrar:
            groups["pki"]["registrar"] = str(self.registrar())
        groups["portal"] = {"listen": f"127.0.0.1:{port}"}
        self.url = f"http://127.0.0.1:{port}"
        if tls:
            groups["portal"] = {"listen": f"unix:{self.path('portal.sock')}", "proxy": "true", "client_certificates": "true"}
            self.front = self.nginx()
            self.url = f"https://127.0.0.1:{self.front.port}"
        groups["site"] = {"url": self.url}
        groups["process"] = {"reach_itself": "true"}  # where servers of names are, here
        self.daemon = Daemon(folder=self.folder, **groups)

    def __enter__(self):
        self.daemon.start()
        if self.front:
            self.front.__enter__()
        return self

    def __exit__(self, *how):
        if self.front:
            self.front.__exit__()
        super().__exit__(*how)

    def issued(self, name, profile, key, *names, fields=()):
        """PEM files of a certificate issued by hand: certificate with its chain, key."""
        csr = self.csr(name, *names, key=key)
        more = [option for field in fields for option in ("--field", field)]
        people = ("--requester", "c.martin", "--validator", "a.dsi") if profile == "registrar" else ()
        self.ca("issue", "--profile", profile, "--csr", csr, "--accept-names", *more, *people, "--out", self.path(f"{name}.pem"))
        return self.path(f"{name}.pem"), self.path(f"{name}.key")

    def registrar(self):
        certificate, key = self.issued("registrar", "registrar", "rsa:2048",
                                       fields=("organisation=CHU de Test", "common_name=Enregistrement"))
        both = self.path("registrar-both.pem")
        both.touch(0o600)
        both.write_text(certificate.read_text() + key.read_text())
        return both

    def nginx(self):
        certificate, key = self.issued("portal", "server-ssl", "ec:P-256", "DNS:pki.chu.test", "IP:127.0.0.1",
                                       fields=("organisation=CHU de Test",))
        self.path("both.pem").write_text(self.path("racine.pem").read_text() + self.path("equipements.pem").read_text())
        return Nginx(types.SimpleNamespace(chain=certificate, key=key), f"""
            ssl_client_certificate {self.path('both.pem')}; ssl_verify_client optional; ssl_verify_depth 3;
            location ~ ^/(\\.well-known|acme|scep|login|account|api)(/|$) {{
                proxy_pass http://unix:{self.path('portal.sock')}:;
                proxy_set_header Host $host;
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
                proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
            }}""")

    def enrolment(self, *options, profile="device", field="organisation=CHU de Test"):
        """Its name and secret."""
        made = self.request("enrol", "--profile", profile, "--field", field, "--account", "a.dsi", *options)
        return made["name"], made["secret"]

    def curl(self, *options, expect=200):
        """The body; its status is as expected, a number or a pattern."""
        out = self.path("curl.out")
        done = subprocess.run(["curl", "-s", "--cacert", self.path("racine.pem"), "-o", out, "-w", "%{http_code}",
                               *map(str, options)], capture_output=True, text=True, timeout=60)
        body = out.read_bytes() if out.exists() else b""
        assert re.fullmatch(str(expect), done.stdout), f"{options}: {done.stdout}, not {expect}: {body[:500]} {done.stderr}"
        return body

    def tool(self, *command, expect=0, timeout=90, **how):
        """A client that people have; what it printed."""
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout, cwd=self.folder,
                              stdin=subprocess.DEVNULL, **how)
        said = done.stdout + done.stderr
        assert (done.returncode == 0) == (expect == 0), f"{command}: {done.returncode} {said[-3000:]}\n{self.daemon.log()[-1500:]}"
        return said

    def good(self, certificate, form="PEM"):
        """The certificate is ours and good; what openssl says of it."""
        pem = self.path("checked.pem")
        self.openssl("x509", "-in", certificate, "-inform", form, "-out", pem)
        self.openssl("verify", "-CAfile", "racine.pem", "-untrusted", "equipements.pem", pem)
        return self.openssl("x509", "-in", pem, "-noout", "-text").stdout

    def serial(self, certificate, form="PEM"):
        return self.openssl("x509", "-in", certificate, "-inform", form, "-noout", "-serial").stdout.strip().split("=")[1].lower()

    def requests(self):
        return int(self.sql("SELECT count(*) FROM pki_request")[0][0])
