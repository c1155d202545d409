"""How many answers `openssl ocsp` signs in a second of its processor: responder.py FOLDER SECONDS, in a network of its own, whose loopback
this brings up. FOLDER holds index.txt, ca.pem and ca.key."""
import fcntl
import pathlib
import socket
import struct
import subprocess
import sys
import time

from enrol import cpu

PORT, SIOCSIFFLAGS, IFF_UP = 8080, 0x8914, 1


def loopback_up():
    with socket.socket() as one:
        fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def request(folder):
    """About one of its certificates, with a nonce, as it goes over the wire."""
    serial = (folder / "index.txt").read_text().split("\t")[3]
    subprocess.run(["openssl", "ocsp", "-issuer", folder / "ca.pem", "-serial", f"0x{serial}", "-reqout", folder / "fresh.req"], check=True,
                   capture_output=True)
    content = (folder / "fresh.req").read_bytes()
    return b"POST / HTTP/1.0\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n" % len(content) + content


def rate(folder, seconds):
    asked = request(folder)
    with open(folder / "ocsp.log", "w") as log:
        server = subprocess.Popen(["openssl", "ocsp", "-port", str(PORT), "-index", folder / "index.txt", "-CA", folder / "ca.pem", "-rsigner",
                                   folder / "ca.pem", "-rkey", folder / "ca.key", "-nmin", "5", "-ignore_err"], stdout=log, stderr=log)
    try:
        while "waiting" not in (folder / "ocsp.log").read_text():
            time.sleep(0.05)
        before, end, count = cpu([server.pid]), time.monotonic() + seconds, 0
        while time.monotonic() < end:  # one connection each: it knows no other way
            with socket.create_connection(("127.0.0.1", PORT)) as connection:
                connection.sendall(asked)
                assert b"200 OK" in connection.recv(4096)
            count += 1
        return count / (cpu([server.pid]) - before)
    finally:
        server.terminate()
        server.wait()


loopback_up()
print(rate(pathlib.Path(sys.argv[1]), float(sys.argv[2])))
