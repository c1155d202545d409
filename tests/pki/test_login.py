"""Logging in to the portal with a certificate: nginx as we hand it out verifies it, the portal checks it again."""
import http.client
import os
import pathlib
import re
import socket
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from daemon import Daemon, free_port, wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

CHU = Registrar()
DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "doc" / "deploy" / "nginx.conf"
PORT, SOCKET = free_port(), CHU.path("portal.sock")
PERSON = [word for pair in ("rpps=10000000009", "surname=Dupont", "given_name=Zoé", "profession=10") for word in ("--field", pair)]
CHU.daemon.groups["portal"] = {"listen": f"unix:{SOCKET}", "proxy": "true", "client_certificates": "true"}
CHU.daemon.groups["site"] = {"url": f"https://127.0.0.1:{PORT}"}
CHU.daemon.write_config()
CHU.account("dupont")
CHU.account("other")


def issue(name, *more):
    """NAME.pem and NAME.key; the serial number."""
    CHU.ca("issue", "--csr", CHU.csr(name), "--out", CHU.path(f"{name}.pem"), *more)
    return CHU.openssl("x509", "-in", f"{name}.pem", "-noout", "-serial").stdout.strip()[7:].lower()


def person(name):
    return issue(name, "--profile", "professional-authentication", *PERSON, "--requester", "a", "--validator", "b")


class Nginx:
    """The configuration that we hand out, with what it has in comments for client certificates."""

    def __enter__(self):
        given = DEPLOY.read_text()
        server = given[given.index("upstream"):given.index("server {\n    listen 80")]
        server += given[given.index("server {", given.index("listen 443") - 40):]
        CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "tls.key", "-out", "tls.pem",
                    "-subj", "/CN=portal", "-days", "3")
        CHU.path("authorities.pem").write_bytes(CHU.path("racine.pem").read_bytes() + CHU.path("equipements.pem").read_bytes())
        for old, new in [("listen 443 ssl http2;", f"listen 127.0.0.1:{PORT} ssl;"), ("listen [::]:443 ssl http2;", ""),
                         ("/etc/vigie/tls/portal.pem", str(CHU.path("tls.pem"))), ("/etc/vigie/tls/portal.key", str(CHU.path("tls.key"))),
                         ("/run/vigie/portal.sock", str(SOCKET)), ("#ssl_", "ssl_"),
                         ("/etc/vigie/tls/authorities.pem", str(CHU.path("authorities.pem")))]:
            assert old in server, f"doc/deploy/nginx.conf has no {old}"
            server = server.replace(old, new)
        places = "".join(f"{kind}_temp_path {CHU.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""
        CHU.path("nginx.conf").write_text(f"daemon off; {user} pid {CHU.folder}/pid; error_log stderr; worker_processes 1; events {{}}\n"
                                          f"http {{ access_log off; {places}\n{server} }}\n")
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", CHU.path("nginx.conf"), "-p", CHU.folder],
                                        stderr=subprocess.DEVNULL)
        wait_for(lambda: curl("/healthz")[0] == 200)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def curl(path, certificate=None, *more):
    """(status, text) by curl, which keeps cookies for each certificate."""
    shown = ["--cert", CHU.path(f"{certificate}.pem"), "--key", CHU.path(f"{certificate}.key")] if certificate else []
    jar = CHU.path(f"jar-{certificate}")
    done = subprocess.run(["curl", "-sk", "-b", jar, "-c", jar, "-w", "\n%{http_code}", *shown, *more, f"https://127.0.0.1:{PORT}{path}"],
                          capture_output=True, text=True, timeout=30)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text


def log_in(certificate, *more):
    """The status of a login by the page's button, sent whether it is shown or not; the page."""
    CHU.path(f"jar-{certificate}").unlink(missing_ok=True)
    page = curl("/login", certificate, *more)[1]
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    if not csrf:
        return 400, page
    status, text = curl("/login/certificate", certificate, "--data-urlencode", f"csrf={csrf[1]}", *more)
    return status, page + text


def test_link():
    """a certificate is linked to an account by hand, and only one whose subject a second person validated"""
    CHU.serial = person("dupont")
    device = issue("device", "--profile", "device", "--name", "dns:device.chu.test", "--field", "organisation=CHU")
    said = CHU.run("user", "certificate", "dupont", device, expect=2).stderr
    assert "dual control" in said, said
    assert "no user nobody" in CHU.run("user", "certificate", "nobody", CHU.serial, expect=2).stderr
    vigie.equal(log_in("dupont")[0], 403, "not linked yet")
    CHU.run("user", "certificate", "dupont", CHU.serial)
    assert "dupont" in CHU.run("user", "certificates").stdout


def test_log_in():
    """with the linked certificate, and with its successor of the same subject, one is in; the log says with which"""
    for name in ("dupont", "successor"):
        if name == "successor":
            person(name)
        status, text = log_in(name)
        assert status == 303 and "Se connecter avec votre certificat" in text, f"{status} {text[-800:]}"
        status, text = curl("/account", name)
        assert status == 200 and "dupont" in text, f"{status}"
    assert CHU.sql(f"SELECT 1 FROM audit WHERE action = 'login' AND details = 'certificate {CHU.serial}'")


def test_none():
    """without a certificate nothing is offered, and nothing given"""
    status, text = log_in(None)
    assert status == 403 and "Se connecter avec votre certificat" not in text, status


def test_wrong_authority():
    """a certificate of the same subject by another authority is refused by nginx, and by the portal if it were passed on"""
    CHU.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "wrong.key", "-out", "wrong.pem",
                "-subj", "/C=FR/SN=Dupont/GN=Zoé/CN=810000000009", "-days", "3")
    vigie.equal(log_in("wrong")[0], 400, "by nginx")
    vigie.equal(direct("wrong")[0], 403, "by the portal")


def direct(name, verdict="SUCCESS", port=None):
    """A login past nginx, as a proxy that were fooled would pass it on: over the socket, or a TCP port."""
    pem = urllib.parse.quote(CHU.path(f"{name}.pem").read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n", safe="")
    fields = {"Host": f"127.0.0.1:{PORT}", "X-SSL-Client-Cert": pem, "X-SSL-Client-Verify": verdict}

    def ask(method, path, body=None, more=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or 1, timeout=20)
        if not port:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(SOCKET))
        connection.request(method, path, body, {**fields, **(more or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text
    answer, text = ask("GET", "/login")
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    csrf = re.search(r'name="csrf" value="([^"]+)"', text)[1]
    answer, text = ask("POST", "/login/certificate", urllib.parse.urlencode({"csrf": csrf}),
                       {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"})
    return answer.status, text


def test_direct():
    """what the proxy did not verify counts for nothing; garbage is no certificate"""
    vigie.equal(direct("dupont")[0], 303, "as nginx passes it on")
    for verdict in ("FAILED:certificate has expired", "NONE", "success", ""):
        vigie.equal(direct("dupont", verdict)[0], 403, verdict)
    text = CHU.path("dupont.pem").read_text()
    CHU.path("cut.pem").write_text(text.replace(text.splitlines()[3], text.splitlines()[3][::-1], 1))
    vigie.equal(direct("cut")[0], 403, "a certificate with one line turned round")


def test_forged():
    """a browser's own X-SSL-Client-Cert does not pass nginx; over TCP it is never believed, nor can that be configured"""
    pem = urllib.parse.quote(CHU.path("dupont.pem").read_text(), safe="")
    vigie.equal(log_in(None, "-H", f"X-SSL-Client-Cert: {pem}", "-H", "X-SSL-Client-Verify: SUCCESS")[0], 403, "through nginx")
    with Daemon(folder=CHU.path("tcp").mkdir() or CHU.path("tcp"), store=CHU.daemon.groups["store"]) as tcp:
        vigie.equal(direct("dupont", port=tcp.port)[0], 403, "over TCP")
    wrong = Daemon(folder=CHU.path("tcp"), store=CHU.daemon.groups["store"], portal={"client_certificates": "true"},
                   environment={"LC_ALL": "en_US.UTF-8"})
    try:
        wrong.start()
    except AssertionError:
        pass
    wrong.stop()
    assert "must then be a Unix socket" in wrong.log(), wrong.log()


def test_expired():
    """a certificate that has ended lets nobody in, whatever the proxy said: the portal's own clock counts"""
    later = Daemon(folder=CHU.path("later").mkdir() or CHU.path("later"), store=CHU.daemon.groups["store"],
                   portal={"listen": f"unix:{CHU.path('later.sock')}", "client_certificates": "true"},
                   environment={"LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME": "+1200d",
                                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"})
    global SOCKET
    now, SOCKET = SOCKET, CHU.path("later.sock")
    try:
        with later:
            status, text = direct("dupont")
            assert status == 403 and "aucun compte" in text, status
    finally:
        SOCKET = now
    vigie.equal(direct("dupont")[0], 303, "today")


def test_disabled():
    """a closed account stays closed; an unlinked certificate opens nothing"""
    CHU.run("user", "disable", "dupont")
    vigie.equal(direct("dupont")[0], 403, "disabled")
    CHU.run("user", "enable", "dupont")
    CHU.run("user", "no-certificate", "dupont")
    vigie.equal(direct("dupont")[0], 403, "unlinked")
    CHU.run("user", "certificate", "dupont", CHU.serial)


def test_revoked():
    """held, it lets nobody in; released, it does; revoked, never again"""
    CHU.run("ca", "revoke", CHU.serial, "--reason", "certificateHold")
    vigie.equal(log_in("dupont")[0], 403, "held")
    CHU.run("ca", "revoke", CHU.serial, "--reason", "removeFromCRL")
    vigie.equal(log_in("dupont")[0], 303, "released")
    CHU.run("ca", "revoke", CHU.serial, "--reason", "keyCompromise")
    vigie.equal((log_in("dupont")[0], log_in("successor")[0]), (403, 303), "revoked; its successor")


with CHU, Nginx():
    tap.run([test_link, test_log_in, test_none, test_wrong_authority, test_direct, test_forged, test_expired, test_disabled, test_revoked])
