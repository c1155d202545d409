#!/usr/bin/env python3
"""What doc/deploy offers works: nginx before a portal on a Unix socket, and a unit that systemd takes."""
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import tap
from daemon import Daemon, wait_for
from postgresql import free_port
from vigie import equal

DEPLOY = pathlib.Path(sys.argv[2])
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vigie-deploy-"))


def nginx_configuration(http, https, portal_socket):
    """The example, with this test's ports and paths, in what a system's nginx.conf would be."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=vigie.chu.example", "-addext", "subjectAltName=DNS:vigie.chu.example", "-days", "2", "-keyout",
                    FOLDER / "portal.key", "-out", FOLDER / "portal.pem"], check=True, capture_output=True)
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in (("listen 80;", "listen 127.0.0.1:%d;" % http), ("listen [::]:80;", ""),
                     ("listen 443 ssl http2;", "listen 127.0.0.1:%d ssl http2;" % https), ("listen [::]:443 ssl http2;", ""),
                     ("/etc/vigie/tls/portal", str(FOLDER / "portal")), ("/run/vigie/portal.sock", portal_socket)):
        assert old in text, old
        text = text.replace(old, new)
    path = FOLDER / "nginx.conf"
    temporary = "".join("%s_temp_path %s/%s;\n" % (kind, FOLDER, kind)
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.getuid() == 0 else ""
    path.write_text("%sdaemon off;\npid %s/pid;\nerror_log %s/error.log;\nevents {}\nhttp {\naccess_log %s/access.log;\n%s%s}\n"
                    % (user, FOLDER, FOLDER, FOLDER, temporary, text))
    return path


def behind_nginx():
    """a browser reaches the portal through nginx over TLS; plain HTTP is sent there; who declares is in no log, nor is a secret of an address"""
    http, https = free_port(), free_port()
    portal_socket = str(FOLDER / "portal.sock")
    path = nginx_configuration(http, https, portal_socket)
    checked = subprocess.run(["nginx", "-t", "-c", path], capture_output=True, text=True)
    equal(checked.returncode, 0, checked.stderr)
    with Daemon(portal={"listen": "unix:" + portal_socket, "proxy": "true"},
                site={"url": "https://vigie.chu.example"}):
        nginx = subprocess.Popen(["nginx", "-c", path], stderr=subprocess.DEVNULL)
        try:
            context = ssl.create_default_context(cafile=FOLDER / "portal.pem")
            context.check_hostname = False

            def page(path="/"):
                """nginx to answer"""
                request = urllib.request.Request("https://127.0.0.1:%d%s" % (https, path), headers={"Host": "vigie.chu.example"})
                try:
                    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay(),
                                                         urllib.request.HTTPSHandler(context=context))
                    return opener.open(request, timeout=10)
                except urllib.error.HTTPError as answer:
                    return answer
                except OSError:
                    return None
            answer = wait_for(page)
            assert answer.status in (200, 302, 303), answer.status
            equal(answer.headers["Strict-Transport-Security"], "max-age=31536000")
            equal(page("/declare/report?canary").status, 404)  # no team here
            equal(page("/api/declarations?canary").status, 405)
            equal(page("/receipt?canary").status, 404)
            equal(page("/notice?link=canary").status, 404)
            equal(page("/calendar.ics?token=canary").status, 401)
            with socket.create_connection(("127.0.0.1", http)) as plain:
                plain.sendall(b"GET /x HTTP/1.0\r\nHost: vigie.chu.example\r\n\r\n")
                first = plain.recv(4096)
            assert b" 301 " in first and b"https://vigie.chu.example/x" in first, first
        finally:
            nginx.send_signal(signal.SIGTERM)
            nginx.wait(20)
    logged = (FOLDER / "access.log").read_text() + (FOLDER / "error.log").read_text()
    assert '"GET / HTTP/1.1"' in logged and "canary" not in logged, logged


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *unused):
        return None


def analyse(unit):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    equal((done.returncode, [line for line in done.stderr.splitlines() if "vigie" in line or "signer" in line]), (0, []))
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25", unit], capture_output=True,
                          text=True)
    equal(done.returncode, 0, done.stdout[-300:])
    return done.stdout


def unit_is_valid():
    """systemd takes the unit without a complaint, and finds it well confined, also with what a signer's own account adds"""
    if not shutil.which("systemd-analyze"):
        raise tap.Skip("systemd-analyze is not installed")
    unit = FOLDER / "vigie.service"
    text = (DEPLOY / "vigie.service").read_text()
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M)
    text = text.replace("User=vigie", "User=daemon").replace("Group=vigie", "Group=daemon")
    unit.write_text(text)
    alone = analyse(unit)
    equal(re.findall(r"(.) AmbientCapabilities=", alone), ["✓"], "no right at all")
    more = FOLDER / "vigie.service.d"
    more.mkdir()
    shutil.copy(DEPLOY / "vigie-signer.conf", more / "signer.conf")
    both = analyse(unit)
    equal(re.findall(r"(.) CapabilityBoundingSet=~CAP_SET\(UID\|GID\|PCAP\)", both), ["✗"], "the drop-in was read")
    others = re.findall(r"✗ (CapabilityBoundingSet=~\S+)", both)
    equal(len(others), 1, "no other capability")


tap.run([behind_nginx, unit_is_valid])
