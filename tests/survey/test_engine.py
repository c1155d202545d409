"""The engine against servers that show how it behaves: pace, ladder of hellos, clock, resume, interruption."""
import json
import os
import pathlib
import signal
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
from servers import end, relay
from vigie import equal

folder = tempfile.TemporaryDirectory(prefix="vigie-engine-")
authority = certificates.Authority(folder.name)
rsa = authority.issue()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def client_version(hello):
    return hello[9] << 8 | hello[10]


def test_certificate_in_one_connection():
    """The certificate of a TLS 1.2 server takes one connection, that of a TLS 1.3-only server two"""
    for option, connections in (("-tls1_2", 1), ("-tls1_3", 2)):
        with servers.OpenSSL(rsa, option) as server:
            record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="certificate")
        equal(record["outcome"], "ok", option)
        equal(record["chain"][0]["sha256"], rsa.sha256(), option)
        equal(record["timings"]["connections"], connections, option)


def test_gentle_is_one_client():
    """A gentle survey of a server of TLS 1.2 and 1.3 is one connection for the certificate, and never SSLv2"""
    with servers.OpenSSL(rsa) as server:
        record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="certificate", options=("--gentle",))
        equal((record["outcome"], record["timings"]["connections"]), ("ok", 1))
        equal(record["versions"], ["TLSv1.3"])
        record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="protocols", options=("--gentle",))
    assert "SSLv2" not in record["versions_tested"], record["versions_tested"]
    equal(record["versions"], ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"])


LAST_DATA, LAST_ACK = 52, 56  # where struct tcp_info has the milliseconds since they came


def since(connection, what):
    """By the kernel's clock: this process may have had to wait for a processor."""
    return struct.unpack_from("=I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64), what)[0] / 1000


def test_gentle_pauses():
    """To a gentle target one connection at a time, with at least half a second between them"""
    spans = []
    with servers.OpenSSL(rsa) as real:
        def device(connection, hello):
            began = time.monotonic() - since(connection, LAST_DATA)
            relay(real.port, connection, hello)
            end(connection)
            spans.append((began, time.monotonic() - since(connection, LAST_ACK)))
        with servers.Scripted(device) as server:
            vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="protocols", options=("--gentle",))
    time.sleep(0.2)
    spans.sort()
    assert len(spans) >= 4, spans
    for (_, ended), (began, _) in zip(spans, spans[1:]):
        assert began - ended > 0.4, f"a pause of {began - ended:.2f} s"


def test_per_host():
    """No more connections to one address at once than --per-host says"""
    lock, now, most = threading.Lock(), [0], [0]

    def count(connection, hello):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1

    with servers.Scripted(count) as server:
        targets = "".join(f"127.0.0.1:{server.port}/tls\n" for _ in range(20))
        done = vigie.run("survey", "--format", "jsonl", "--depth", "certificate", "--per-host", "3", "-t", "-",
                         input=targets)
    equal(len(done.stdout.splitlines()), 20)
    assert 2 <= most[0] <= 3, most


def test_rate():
    """No more new connections a second than --rate says"""
    with servers.OpenSSL(rsa, "-tls1_2") as server:
        started = time.monotonic()
        vigie.run("survey", "--format", "jsonl", "--depth", "certificate", "--rate", "20", "-t", "-",
                  input=f"127.0.0.1:{server.port}/tls\n" * 21)
    took = time.monotonic() - started
    assert 0.9 < took < 30, took


def test_fragile_to_long_hellos():
    """A device that resets hellos over 255 octets is examined with smaller ones"""
    with servers.OpenSSL(rsa, "-tls1_2") as real:
        def device(connection, hello):
            if len(hello) > 260:
                reset(connection)
            else:
                relay(real.port, connection, hello)
        with servers.Scripted(device) as server:
            target = f"localhost:{server.port}/tls"
            record = vigie.survey_one(target, depth="certificate")
            equal((record["outcome"], record["versions"]), ("ok", ["TLSv1.2"]))
            equal(record["chain"][0]["sha256"], rsa.sha256())
            record = vigie.survey_one(target, depth="full")
    assert len(record["suites"]["TLSv1.2"]) > 10, record["suites"]


def test_version_intolerant():
    """A device that resets what it does not know, instead of choosing lower, is heard in TLS 1.0"""
    with servers.OpenSSL(rsa, "-tls1") as real:
        def device(connection, hello):
            if client_version(hello) > 0x0301:
                reset(connection)
            else:
                relay(real.port, connection, hello)
        with servers.Scripted(device) as server:
            record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="protocols")
    equal((record["outcome"], record["versions"]), ("ok", ["TLSv1.0"]))
    equal(record["chain"][0]["sha256"], rsa.sha256())


def test_takes_a_breath():
    """A device that takes no connection for a moment is asked again, and the list of its suites is whole"""
    with servers.OpenSSL(rsa, "-tls1_2", ciphers="AES128-SHA:AES256-SHA:@SECLEVEL=0") as real:
        port = servers.free_port()
        with socket.create_server(("127.0.0.1", port)) as place:
            place.settimeout(60)
            relay(real.port, *hello_from(place, program := start(f"127.0.0.1:{port}/tls")))
        time.sleep(0.7)  # nothing listens
        with socket.create_server(("127.0.0.1", port)) as place:
            place.settimeout(0.2)
            while program.poll() is None:
                try:
                    relay(real.port, *hello_from(place, program))
                except TimeoutError:
                    pass
            output, _ = program.communicate()
    equal(sorted(json.loads(output)["suites"]["TLSv1.2"]),
          ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"])


def start(target):
    return subprocess.Popen([vigie.PROGRAM, "survey", "--format", "jsonl", "--depth", "full", target],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def hello_from(place, program):
    connection, _ = place.accept()
    return connection, connection.recv(65536)


def test_refuses_names():
    """A server that refuses our server_name with an alert is asked once more without"""
    with servers.OpenSSL(rsa, "-tls1_2") as real:
        def device(connection, hello):
            if b"localhost" in hello:
                connection.sendall(bytes.fromhex("15030300020270"))
            else:
                relay(real.port, connection, hello)
        with servers.Scripted(device) as server:
            record = vigie.survey_one(f"localhost:{server.port}/tls", depth="certificate")
    equal(record["outcome"], "ok")


def server_hello_at(moment):
    random = struct.pack(">I", int(moment)) + os.urandom(28)
    body = b"\x03\x03" + random + b"\0" + b"\xc0\x2f" + b"\0"
    message = b"\x02" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x03" + struct.pack(">H", len(message)) + message + bytes.fromhex("15030300020250")


def test_clock_in_random():
    """The clock in the random of TLS 1.2: told where two hellos agree, not where it is chance"""
    for offset, found in ((664, 664), (-86000, -86000), (0, 0)):
        with servers.Scripted(lambda c, hello: c.sendall(server_hello_at(time.time() + offset))) as server:
            record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="protocols")
        assert record["clock_offset"] is not None and abs(record["clock_offset"] - found) <= 10, record
        equal(record["clock_source"], "tls-random")
    with servers.Scripted(lambda c, hello: c.sendall(server_hello_at(struct.unpack(">I", os.urandom(4))[0]))) as server:
        record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="protocols")
    equal(record["clock_offset"], None)


def http_date(offset):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + offset)).encode()


def test_clock_in_clear():
    """The clock of plain HTTP, and of an SMTP greeting"""
    def http(connection, hello):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nDate: " + http_date(-3600) + b"\r\n\r\n")
    with servers.Scripted(http) as server:
        record = vigie.survey_one(f"127.0.0.1:{server.port}/https", depth="certificate")
    equal(record["outcome"], "not-tls:http")
    assert abs(record["clock_offset"] + 3600) <= 10 and record["clock_source"] == "http-date", record

    def smtp(connection, nothing):
        connection.sendall(b"220 mail.test ESMTP; " + http_date(120).replace(b"GMT", b"+0000") + b"\r\n")
        connection.recv(1000)
        connection.sendall(b"250 mail.test\r\n")
        end(connection)
    with servers.Scripted(smtp, reads=False) as server:
        record = vigie.survey_one(f"127.0.0.1:{server.port}/smtp", depth="certificate")
    equal(record["outcome"], "starttls-refused:STARTTLS is not announced")
    assert abs(record["clock_offset"] - 120) <= 10 and record["clock_source"] == "smtp-date", record


def test_clock_over_https():
    """The clock of an HTTPS server, by a HEAD request after everything else"""
    with servers.Nginx(rsa, "ssl_protocols TLSv1.2 TLSv1.3;") as server:
        record = vigie.survey_one(f"127.0.0.1:{server.port}/https", depth="protocols")
        equal(record["clock_source"], "http-date")
        assert abs(record["clock_offset"]) <= 10, record["clock_offset"]
        record = vigie.survey_one(f"127.0.0.1:{server.port}/https", depth="certificate")
    equal(record["clock_offset"], None)


def test_silent_neighbours_named():
    """What says nothing to a hello is asked in clear, once, and named; a gentle one is left in peace"""
    def waits_for_a_line(connection, first):
        while b"\r\n\r\n" not in first:
            first = connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    with servers.Scripted(waits_for_a_line) as server:
        options = ("--timeout", "1")
        record = vigie.survey_one(f"127.0.0.1:{server.port}/https", depth="certificate", options=options)
        equal(record["outcome"], "not-tls:http")
        record = vigie.survey_one(f"127.0.0.1:{server.port}/https", depth="certificate",
                                  options=options + ("--gentle",))
    equal(record["outcome"], "timeout-handshake")

    def mllp(connection, first):
        while b"\x1c\r" not in first:
            first = connection.recv(4096)
        connection.sendall(b"\x0bMSH|^~\\&|LAB\rMSA|AR|1\r\x1c\r")
    with servers.Scripted(mllp) as server:
        record = vigie.survey_one(f"127.0.0.1:{server.port}/mllp", depth="certificate", options=options)
    equal(record["outcome"], "not-tls:mllp")


def test_few_connections():
    """A server with the suites that are recommended today is examined whole in 14 connections"""
    ciphers = ("ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:"
               "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;")
    with servers.Nginx(rsa, ciphers) as server:
        record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="full")
    equal([len(record["suites"][version]) for version in record["versions"]], [3, 3])
    equal(record["server_preference"], True)
    equal(record["groups"][:5], ["x25519", "secp256r1", "x448", "secp521r1", "secp384r1"])
    assert record["timings"]["connections"] <= 14, record["timings"]


def test_groups_without_tls13():
    """All groups of a TLS 1.2 server, in its order, whether it has few suites or many"""
    for ciphers in ("ECDHE-RSA-AES128-GCM-SHA256", "ALL:@SECLEVEL=0"):
        with servers.OpenSSL(rsa, "-tls1_2", "-serverpref", "-groups", "P-384:X25519:P-521", ciphers=ciphers) as server:
            record = vigie.survey_one(f"127.0.0.1:{server.port}/tls", depth="full")
        equal(record["groups"], ["secp384r1", "x25519", "secp521r1"], ciphers)


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def test_resume_after_kill():
    """kill -9 loses no record: what the journal has was printed, and the next run does the rest"""
    work = pathlib.Path(folder.name)
    count = 400
    with servers.OpenSSL(rsa, "-tls1_2") as server:
        (work / "targets").write_text("".join(f"127.0.{n // 250}.{1 + n % 250}:{server.port}/tls\n" for n in range(count)))
        command = [vigie.PROGRAM, "survey", "--format", "jsonl", "--depth", "certificate", "--rate", "40", "-t",
                   str(work / "targets"), "--resume", str(work / "journal")]
        with open(work / "records", "ab") as records:
            process = subprocess.Popen(command, stdout=records, stderr=subprocess.DEVNULL)
            until = time.monotonic() + 60
            while len(lines_of(work / "journal")) < 20 and time.monotonic() < until:
                time.sleep(0.05)
            process.kill()
            process.wait()
        printed = {json.loads(line)["target"] for line in (work / "records").read_text().splitlines()}
        noted = set((work / "journal").read_text().splitlines()[1:])
        assert 0 < len(noted) < count, f"{len(noted)} in the journal: nothing to show"
        equal(noted - printed, set(), "in the journal, not printed")
        with open(work / "records", "ab") as records:
            done = subprocess.run([*command, "--rate", "0"], stdout=records, stderr=subprocess.PIPE, text=True, timeout=180)
        assert done.returncode in (0, 1), done.stderr
        lines = (work / "records").read_text().splitlines()
        equal(len({json.loads(line)["target"] for line in lines}), count)
        assert len(lines) <= count + len(printed - noted), "what the journal had was done again"
        again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    equal(again.stdout, "", "a third run has nothing left")


def test_interrupted():
    """SIGINT ends a survey at once: each target under way is told as interrupted"""
    with servers.Scripted(lambda connection, hello: end(connection)) as server:
        process = subprocess.Popen([vigie.PROGRAM, "survey", "--format", "jsonl", f"127.0.0.1:{server.port}/tls"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while server.connections == 0 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    equal(process.returncode, 1)
    equal(json.loads(output)["outcome"], "interrupted")


def test_full_disk():
    """A disk that is full: one line that says so, status 2"""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([vigie.PROGRAM, "survey", "--format", "jsonl", "127.0.0.1:1"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=30)
    equal(done.returncode, 2)
    assert "le disque est plein" in done.stderr, done.stderr


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
