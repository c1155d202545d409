"""A real SMTP server (aiosmtpd) in a thread, whose answers a test can script."""
import asyncio
import ssl
import threading

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    """Keeps what was delivered; `answers` are given to DATA one by one before messages are taken."""

    def __init__(self):
        self.messages = []  # (sender, recipients, bytes)
        self.data_answers = []
        self.recipient_answers = []
        self.delay = 0  # seconds between the final dot and the answer
        self.delivered = threading.Event()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.recipient_answers:
            answer = self.recipient_answers.pop(0)
            if answer:
                return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        if self.data_answers:
            answer = self.data_answers.pop(0)
            if answer:
                return answer
        self.messages.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content))
        self.delivered.set()
        if self.delay:
            await asyncio.sleep(self.delay)
        return "250 2.0.0 taken as %d" % len(self.messages)


class Server:
    """with Server(...) as server: server.port, server.handler.messages"""

    def __init__(self, certificate=None, key=None, implicit=False, user=None, password=None, port=0):
        self.handler = Handler()
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
        self.implicit = implicit
        self.user, self.password = user, password
        self.loop = asyncio.new_event_loop()
        self.port = port

    def _login(self, server, session, envelope, mechanism, data):
        wanted = (self.user.encode(), self.password.encode())
        return AuthResult(success=(data.login, data.password) == wanted, handled=False)

    def _factory(self):
        options = {"hostname": "relay.test", "loop": self.loop}
        if self.context and not self.implicit:
            options.update(tls_context=self.context, require_starttls=True)
        if self.user:
            options.update(authenticator=self._login, auth_required=True)
            if self.implicit:
                options.update(auth_require_tls=False)
        return SMTP(self.handler, **options)

    def __enter__(self):
        context = self.context if self.implicit else None
        started = self.loop.create_server(self._factory, "127.0.0.1", self.port, ssl=context)
        self.server = self.loop.run_until_complete(started)
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *unused):
        def stop():
            self.server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.call_later(0.05, self.loop.stop)
        self.loop.call_soon_threadsafe(stop)
        self.thread.join(5)
