"""Servers that break the protocol on purpose: each gets an outcome of its own, in bounded time and memory."""
import os
import resource
import socket
import struct
import subprocess
import tempfile
import threading
import time

import certificates
import servers
import tap
import vigie
from vigie import equal

folder = tempfile.TemporaryDirectory(prefix="vigie-hostile-")
authority = certificates.Authority(folder.name)
rsa = authority.issue()
# Sanitizers keep what is freed for a while, and shadow memory besides.
MEMORY = 96 * 1024 * 1024 if os.environ.get("VIGIE_SANITIZED") != "1" else 512 * 1024 * 1024
SECONDS = 60
ESTABLISHED = 1  # of struct tcp_info


def outcome(handle, reads=True, depth="full"):
    """What a survey with 2 s timeouts says of such a server; fails where it costs too much time or memory."""
    with servers.Scripted(handle, reads) as server:
        started = time.monotonic()
        program = [vigie.PROGRAM, "survey", "--format", "jsonl", "--depth", depth, "--timeout", "2",
                   f"127.0.0.1:{server.port}"]
        process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        text, errors = process.communicate(timeout=SECONDS)
        took = time.monotonic() - started
    assert process.returncode in (0, 1), f"left with {process.returncode}: {errors}"
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert peak < MEMORY, f"{peak / 2**20:.0f} MiB of memory"
    assert took < SECONDS, f"{took:.0f} s"
    lines = text.splitlines()
    equal(len(lines), 1, "records")
    return vigie.json.loads(lines[0])


def record(kind, body, version=0x0303):
    return struct.pack(">BHH", kind, version, len(body)) + body


def message(kind, body):
    return struct.pack(">B", kind) + struct.pack(">I", len(body))[1:] + body


def server_hello(suite=0xC02F, version=0x0303):
    return message(2, struct.pack(">H", version) + bytes(32) + b"\0" + struct.pack(">HB", suite, 0))


def certificate_list(*certificates_der):
    body = b"".join(struct.pack(">I", len(der))[1:] + der for der in certificates_der)
    return message(11, struct.pack(">I", len(body))[1:] + body)


def wait_for_end(connection):
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass


def says(data):
    def handle(connection, hello):
        connection.sendall(data)
        wait_for_end(connection)
    return handle


def test_reset():
    """A reset after the hello"""
    def handle(connection, hello):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    equal(outcome(handle)["outcome"], "reset-after-hello")


def test_closed():
    """An end after the hello"""
    equal(outcome(lambda connection, hello: None)["outcome"], "closed-after-hello")


def test_silence():
    """Silence"""
    equal(outcome(lambda connection, hello: time.sleep(10))["outcome"], "timeout-handshake")


def test_refused():
    """A port on which nothing listens"""
    done = vigie.survey_one(f"127.0.0.1:{servers.free_port()}")
    equal(done["outcome"], "refused")
    equal(done["chain"], [])


def test_garbage():
    """Noise of all kinds is never TLS, and never a crash"""
    for seed in range(8):
        noise = bytes((seed * 7919 + i * i * 31 + i * seed) % 251 for i in range(600))
        found = outcome(says(noise), depth="certificate")["outcome"]
        assert found.startswith(("not-tls:", "malformed:", "closed", "timeout")), found


def test_ssh():
    """SSH on the port"""
    equal(outcome(says(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), reads=False)["outcome"], "not-tls:ssh")


def test_telnet():
    """Telnet on the port"""
    equal(outcome(says(bytes([255, 253, 24, 255, 251, 1]) + b"\r\nlogin: "), reads=False)["outcome"],
          "not-tls:telnet")


def test_alert():
    """An alert is told by its name"""
    equal(outcome(says(record(21, b"\2\x28")))["outcome"], "alert:handshake_failure")


def test_endless_records():
    """Records without end"""
    def handle(connection, hello):
        while True:
            connection.sendall(record(22, server_hello()) + record(22, message(11, bytes(4000))) * 64)
    found = outcome(handle)["outcome"]
    assert found.startswith(("limit:", "malformed:")), found


def test_endless_empty_records():
    """Empty records without end"""
    def handle(connection, hello):
        while True:
            connection.sendall(record(22, b"") * 1000)
    found = outcome(handle)["outcome"]
    assert found.startswith(("limit:", "malformed:", "timeout-")), found


def test_endless_warnings():
    """Warning alerts without end"""
    def handle(connection, hello):
        while True:
            connection.sendall(record(21, b"\1\0") * 1000)
    found = outcome(handle)["outcome"]
    assert found.startswith(("limit:", "malformed:", "alert:", "timeout-", "closed")), found


def test_huge_certificate():
    """A certificate message that announces 16 MB, and sends them"""
    def handle(connection, hello):
        size = 2 ** 24 - 1
        body = struct.pack(">B", 11) + struct.pack(">I", size)[1:] + struct.pack(">I", size - 3)[1:]
        connection.sendall(record(22, server_hello()) + record(22, body))
        for _ in range(1024):
            connection.sendall(record(22, bytes(16384)))
        wait_for_end(connection)
    found = outcome(handle)["outcome"]
    assert found.startswith(("limit:", "malformed:")), found


def test_drip():
    """One octet of an answer each half second does not hold the survey beyond its timeout"""
    def handle(connection, hello):
        for octet in record(22, server_hello()) * 10:
            connection.sendall(bytes([octet]))
            time.sleep(0.5)
    equal(outcome(handle, depth="certificate")["outcome"], "timeout-handshake")


def test_cut_short():
    """An answer cut at every octet of its beginning"""
    flight = record(22, server_hello() + certificate_list(b"\x30\x03\x02\x01\x00") + message(14, b""))
    for size in range(1, len(flight), 7):
        found = outcome(lambda connection, hello, size=size: connection.sendall(flight[:size]),
                        depth="certificate")["outcome"]
        assert found.startswith(("malformed:", "closed-", "not-tls:")), f"{size}: {found}"


def test_wrong_lengths():
    """Lengths that contradict each other name the clause they break"""
    hello = bytearray(server_hello())
    hello[3] += 9
    for flight in (record(22, bytes(hello)) + record(22, message(14, b"")),
                   record(22, server_hello() + message(11, b"\0\0\xff\0\0\x01\x30") + message(14, b"")),
                   record(22, server_hello() + certificate_list(b"") + message(14, b""))):
        found = outcome(says(flight), depth="certificate")["outcome"]
        assert found.startswith(("malformed:", "timeout-handshake")), found


def test_suite_not_offered():
    """A suite that was not offered"""
    found = outcome(says(record(22, server_hello(suite=0xFEFE))), depth="certificate")["outcome"]
    assert found.startswith("malformed:"), found


def test_not_a_certificate():
    """A certificate that is none"""
    flight = record(22, server_hello() + certificate_list(b"not a certificate") + message(14, b""))
    found = outcome(says(flight), depth="certificate")
    assert found["outcome"].startswith("malformed:") or found["chain"] is not None, found


def test_ten_thousand_names():
    """A certificate of 10,000 names, from a real server"""
    identity = authority.issue("device", others=[f"DNS:d{number:05d}.test" for number in range(10000)])
    with servers.OpenSSL(identity) as server:
        found = vigie.survey_one(f"127.0.0.1:{server.port}", depth="certificate")
    equal(found["outcome"], "ok")
    equal(len(found["chain"][0]["san"]), 4096, "names kept")


def test_falls_over():
    """A device that falls over under two connections at once is examined whole with --gentle"""
    taken, fell = [], []

    def open_still(connection):
        """As the kernel has it: this process may have had to wait for a processor."""
        return connection.fileno() >= 0 and connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED

    with servers.OpenSSL(rsa, "-tls1_2") as real:
        def relay(connection, hello):
            fell.extend(one for one in taken if open_still(one))
            taken.append(connection)
            with socket.create_connection(("127.0.0.1", real.port)) as upstream:
                upstream.sendall(hello)
                connection.sendall(upstream.recv(65536))
                wait_for_end(connection)
        with servers.Scripted(relay) as device:
            found = vigie.survey_one(f"127.0.0.1:{device.port}", depth="protocols", options=("--gentle",))
    assert len(taken) > 1
    equal(fell, [], "connections while another was open")
    equal(found["outcome"], "ok")
    equal(found["versions"], ["TLSv1.2"])


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
