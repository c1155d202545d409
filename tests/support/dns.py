"""A name server for one zone: every name has one address, TXT records come from files in a folder, one a name."""
import pathlib
import socket
import struct
import threading


class Dns:
    """with Dns("127.0.0.1", folder) as dns: dns.port; folder / "_acme-challenge.a.chu.test" holds a record a line

    dns.names["a.chu.test"] = ["10.0.0.1", "::1"]: its address is the first one when it is first asked for, then the next; the last stays."""

    def __init__(self, address, folder):
        self.address, self.folder = address, pathlib.Path(folder)
        self.names = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *how):
        self.socket.close()

    def serve(self):
        while True:
            try:
                question, client = self.socket.recvfrom(2048)
            except OSError:
                return
            self.socket.sendto(self.answer(question), client)

    def addresses(self, name, kind):
        given = self.names.get(name, [self.address])
        family = socket.AF_INET6 if ":" in given[0] else socket.AF_INET
        if kind != (28 if family == socket.AF_INET6 else 1):
            return []
        return [socket.inet_pton(family, given.pop(0) if len(given) > 1 else given[0])]

    def answer(self, question):
        name, at = [], 12
        while question[at]:
            name.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        records = self.addresses(".".join(name).lower(), kind) if kind in (1, 28) else []
        if kind == 16 and (self.folder / ".".join(name).lower()).exists():
            records = [bytes([len(line)]) + line.encode() for line in (self.folder / ".".join(name).lower()).read_text().split()]
        flags = 0x8580 if records or kind in (1, 28) else 0x8583
        head = struct.pack(">HHHHHH", struct.unpack(">H", question[:2])[0], flags, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(data)) + data for data in records)
        return head + question[12:at + 5] + body
