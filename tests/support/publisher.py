"""What strangers publish of how they want to be told, on real servers: sites over TLS and a whois server.

    with Site(identity, {"chu.localhost": {"/": page("…")}}) as site: ...  site.port
    with Whois({"chu.localhost": "…"}) as whois: ...                       whois.port

Names below "localhost" are this machine's for libcurl, without any resolver."""
import http.server
import socketserver
import ssl
import threading


def page(body, status=200, type="text/html; charset=utf-8", **headers):
    """An answer; header names with _ for -."""
    data = body if isinstance(body, bytes) else body.encode()
    return status, {"Content-Type": type, **{name.replace("_", "-"): value for name, value in headers.items()}}, data


def text(body):
    return page(body, type="text/plain; charset=utf-8")


def moved(to):
    return page("", status=302, Location=to)


class Site:
    """`hosts`: name → path → answer, or a function of the handler. Requests are kept in self.asked as (host, path, headers)."""

    def __init__(self, identity, hosts):
        self.hosts, self.asked, outer = hosts, [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host = self.headers.get("Host", "").partition(":")[0]
                outer.asked.append((host, self.path, dict(self.headers)))
                answer = outer.hosts.get(host, {}).get(self.path, page("Not here", 404))
                if callable(answer):
                    answer(self)
                    return
                status, headers, data = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *unused):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *unused):  # clients that hang up are part of the tests
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if identity:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.chain, identity.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()


class Whois:
    """RFC 3912: a line in, text out. `answers`: query → text; what is not in it is not known."""

    def __init__(self, answers):
        self.asked, outer = [], self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                query = self.rfile.readline(512).decode().strip()
                outer.asked.append(query)
                self.wfile.write(answers.get(query, "No match.\r\n").encode())

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()
