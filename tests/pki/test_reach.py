"""Where a challenge may lead: to servers of the house, never to this machine itself or its link, whatever name stands before it."""
import http.server
import pathlib
import socket
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from enrolling import Enrolling  # noqa: E402
from acme import Acme  # noqa: E402
from daemon import wait_for  # noqa: E402
from dns import Dns  # noqa: E402
from postgresql import free_port  # noqa: E402
from support import tap, vigie  # noqa: E402

HTTP, TLS = free_port(), free_port()
DNS = Dns("127.0.0.1", tempfile.mkdtemp(prefix="vigie-zone-"))
CHU = Enrolling(acme_http_port=str(HTTP), acme_tls_port=str(TLS), acme_resolvers=f"127.0.0.1:{DNS.port}")
NAME, SECRET = CHU.enrolment("--name", "dns:chu.test", "--name", "ip:127.0.0.0/8", "--name", "ip:::/0", "--challenge", profile="server-ssl")
OURSELVES = ("127.0.0.1", "127.3.2.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "64:ff9b::7f00:1", "2002:7f00:1::1")


def own_address():
    """One that this machine has and that is not its loopback, or None. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith(("127.", "169.254.", "0.")) else address


class Server:
    """Listens on `address` for all that come, and writes down what they ask; answer(host, path) is a text, or an address to go to."""

    def __init__(self, address, port, answer=lambda host, path: "nothing"):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                asked.append("connected")
                super().setup()

            def do_GET(self):
                asked.append(self.path)
                told = answer(self.headers["Host"].split(":")[0], self.path)
                away = told.startswith("http")
                self.send_response(302 if away else 200)
                self.send_header("Location" if away else "X-Nothing", told if away else "")
                self.end_headers()
                self.wfile.write(b"" if away else told.encode())

            def log_message(self, *words):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.server = Listener((address, port), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *how):
        self.server.shutdown()
        self.server.server_close()


def started(client, identifier, kind):
    """The challenge of a new order and where its authorization is."""
    status, order, _ = client.order(identifier)
    vigie.equal(status, 201, order)
    told = client.post(order["authorizations"][0], None)[1]
    return next(one for one in told["challenges"] if one["type"] == kind), order["authorizations"][0]


def outcomes(client, *wanted):
    """What becomes of challenges that are all asked for at once, each (identifier, type): [(status, why)]"""
    begun = [started(client, *one) for one in wanted]
    for challenge, _ in begun:
        client.post(challenge["url"], {})

    def decided(authorization):
        told = client.post(authorization, None)[1]
        return told["status"] != "pending" and told

    def ended(authorization):
        def look():
            """the authorization to be decided"""
            return decided(authorization)
        return wait_for(look, 90, 0.2)
    told = [ended(authorization) for _, authorization in begun]
    return [(one["status"], next((way["error"]["detail"] for way in one["challenges"] if way.get("error")), "")) for one in told]


def refused(found, what):
    assert found[0] == "invalid" and "process.reach_itself" in found[1], (what, found)


def test_first():
    """a name, or an address, that is this machine's own is not asked, by http-01 nor by tls-alpn-01: nobody hears a connection"""
    client = Acme(CHU, NAME, SECRET).register()
    wanted = [("ip:127.0.0.1", "http-01"), ("ip:127.0.0.1", "tls-alpn-01")]
    for i, address in enumerate(OURSELVES):
        DNS.names[f"a{i}.chu.test"] = [address]
        wanted.append((f"dns:a{i}.chu.test", ("http-01", "tls-alpn-01")[i % 2]))
    with Server("127.0.0.1", HTTP) as web, Server("127.0.0.1", TLS) as tls, Server("::1", HTTP) as six:
        for found, what in zip(outcomes(client, *wanted), wanted):
            refused(found, what)
        vigie.equal(web.asked + tls.asked + six.asked, [])


def test_redirected():
    """a server of the house that sends us by a name to this machine is not followed there; to another of the house, it is"""
    house = own_address()
    if not house:
        raise tap.Skip("this machine has no address beside its loopback")
    client = Acme(CHU, NAME, SECRET).register()
    away, key = {}, f".{client.thumbprint()}"
    for i, address in enumerate(OURSELVES):
        DNS.names[f"house{i}.chu.test"], DNS.names[f"r{i}.chu.test"] = [house], [address]
        away[f"house{i}.chu.test"] = f"http://r{i}.chu.test:{HTTP}/reboot"
    DNS.names["house.chu.test"] = DNS.names["further.chu.test"] = [house]

    def answer(host, path):
        token = path.rsplit("/", 1)[1]
        return token + key if host == "further.chu.test" else away.get(host) or f"http://further.chu.test:{HTTP}/{token}"
    with Server(house, HTTP, answer), Server("127.0.0.1", HTTP) as web, Server("::1", HTTP) as six:
        *sent, last = outcomes(client, *((f"dns:{name}", "http-01") for name in (*away, "house.chu.test")))
        for found, address in zip(sent, OURSELVES):
            refused(found, address)
        vigie.equal((last[0], web.asked + six.asked), ("valid", []), last)


def test_rebound():
    """a name that has an address of the house when it is first asked for, and this machine's when it is asked for again, is not reached there"""
    house = own_address()
    if not house:
        raise tap.Skip("this machine has no address beside its loopback")
    client = Acme(CHU, NAME, SECRET).register()
    with Server(house, HTTP, lambda host, path: f"http://rebound.chu.test:{HTTP}/reboot"), Server("127.0.0.1", HTTP) as web:
        DNS.names["rebound.chu.test"] = [house, "127.0.0.1"]
        refused(outcomes(client, ("dns:rebound.chu.test", "http-01"))[0], "rebound")
        vigie.equal(web.asked, [])


with CHU, DNS:
    CHU.daemon.stop()
    CHU.daemon.groups["process"]["reach_itself"] = "false"
    CHU.daemon.write_config()
    CHU.daemon.start()
    tap.run([test_first, test_redirected, test_rebound])
