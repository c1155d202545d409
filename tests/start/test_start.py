"""./start as somebody types it who has just cloned: the simulated hospital with its CSIRT and its authority, twice.

In a network of its own, for the hospital has fixed addresses; without the right to make one, the test is skipped."""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

SOURCE, BUILD = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(SOURCE / "tests" / "support"))
import tap  # noqa: E402
from browser import Person  # noqa: E402
from daemon import wait_for  # noqa: E402

PORT, SECRET = 8080, "correct horse battery"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def isolate():
    """This program again, in a network that holds nothing but loopback."""
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        print("1..0 # SKIP no network namespace can be made here")
        sys.exit(0)
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv, "isolated"])


def loopback_up():
    with socket.socket() as any_socket:
        name = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


class Start:
    """with Start(folder, "C.UTF-8") as start: start.told is what it printed until the hospital runs"""

    def __init__(self, folder, language):
        self.process = subprocess.Popen(["./start", "--port", str(PORT)], cwd=folder, env={**os.environ, "LC_ALL": language}, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.told = ""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.told += line

    def __enter__(self):
        wait_for(lambda: "Ctrl-C" in self.told or self.process.poll() is not None, 240)
        assert self.process.poll() is None, self.told
        return self

    def __exit__(self, *_):
        """Ctrl-C: reaches all that the terminal runs."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)
        self.reader.join(60)

    def left(self):
        """Who of the group still runs."""
        everybody = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True).stdout.splitlines()
        return [line for line in everybody if line.split()[0] == str(self.process.pid) and not line.split()[1].startswith("Z")]


def folder_of_a_clone():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-start-"))
    shutil.copy(SOURCE / "start", folder)
    for name in ("tools", "lab", "knowledge"):
        (folder / name).symlink_to(SOURCE / name)
    (folder / "build").symlink_to(BUILD)
    return folder


FOLDER = folder_of_a_clone()
accounts = {}


def get_certificate():
    """What the biomedical engineer and the DSI do for a device, to the file that the device wants."""
    biomed, dsi = Person(PORT, "biomed", accounts["biomed"]), Person(PORT, "dsi", accounts["dsi"])
    device = biomed.json("/devices?q=BM1003")["items"][0]["id"]
    page = f"/devices/{device}/certificate"
    asked = biomed.send(page, page, {}, mode="key", key="p256", password=SECRET, again=SECRET)
    assert asked.status == 303, asked.text
    request = asked.headers["Location"]
    assert dsi.post(f"{request}/validate", request).status == 303
    wait_for(lambda: biomed.json(request)["state"] == "issued", 30)
    return biomed.post(f"{request}/key", request, password=SECRET, format="pkcs12")


def acknowledged(address):
    """the acknowledgement in what the hospital's relay was given"""
    return [mail for mail in (FOLDER / "var/lab/mail").glob("*.eml") if f"To: {address}".encode() in mail.read_bytes()]


def test_first():
    """the first start prints four accounts, and everybody finds their work: fleet, cases, requests; who declared is answered by mail"""
    with Start(FOLDER, "fr_FR.UTF-8") as start:
        accounts.update(re.findall(r"^ +(\w+) +((?:\w{6}-){3}\w{6})  ", start.told, re.M))
        assert sorted(accounts) == ["admin", "biomed", "csirt", "dsi"] and "Se connecter" in start.told, start.told
        cases = Person(PORT, "csirt", accounts["csirt"]).json("/cases")["items"]
        assert len(cases) == 5 and cases[0]["urgent"] and cases[0]["title"].startswith("CH de Landévant"), cases[0]
        assert Person(PORT, "biomed", accounts["biomed"]).json("/devices?state=broken")["items"]
        Person(PORT, "admin", accounts["admin"]).get("/events")
        file = get_certificate()
        assert file.status == 200, file.text
        (FOLDER / "device.p12").write_bytes(file.body)
        wait_for(lambda: acknowledged("y.legoff@ch-landevant.test"), 60)
    done = subprocess.run(["openssl", "pkcs12", "-in", FOLDER / "device.p12", "-passin", f"pass:{SECRET}", "-nokeys"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("BEGIN CERTIFICATE") == 2, done
    wait_for(lambda: not start.left(), 10)


def test_second():
    """a second start keeps what the first made, and prints no password; in English for who reads English"""
    with Start(FOLDER, "en_GB.UTF-8") as start:
        assert "Log in" in start.told and "lost: build/vigie user password" in start.told, start.told
        assert not any(password in start.told for password in accounts.values()), start.told
        csirt = Person(PORT, "csirt", accounts["csirt"])
        assert len(csirt.json("/cases")["items"]) == 5
    wait_for(lambda: not start.left(), 10)


def test_secrets():
    """what is secret can be read by its owner alone"""
    secret = [path for path in (FOLDER / "var").rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert not secret, secret
    shutil.rmtree(FOLDER)


if sys.argv[-1] != "isolated":
    isolate()
loopback_up()
tap.run([test_first, test_second, test_secrets])
