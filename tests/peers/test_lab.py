"""The simulated hospital, end to end: at each of its endpoints exactly the faults it was given, and no others."""
import concurrent.futures
import itertools
import json
import os
import pathlib
import subprocess
import tempfile

import tap
import vigie
from postgresql import free_network
from vigie import equal, finding_ids

LAB = os.environ["VIGIE_LAB"]
# Addresses of our own, so that a lab somebody runs is left alone.
NETWORK = free_network()
folder = tempfile.TemporaryDirectory(prefix="vigie-lab-")
ROOTS = str(pathlib.Path(folder.name) / "roots.pem")
process = subprocess.Popen([LAB, "--folder", folder.name, "--network", NETWORK], stdout=subprocess.PIPE, text=True)


def target(device):
    return f"{device['address']}:{device['port']}/{device['protocol']}"


def test_every_endpoint():
    """A full survey of all devices: outcomes and findings as the faults say, no misses and no false alarms"""
    records = vigie.survey(*map(target, devices), options=("--ca", ROOTS, "--timeout", "3"), timeout=240)
    wrong = []
    for device, record in zip(devices, records):
        found = (record["outcome"], sorted(finding_ids(record)))
        expected = (device["outcome"], sorted(device["findings"]))
        if found != expected:
            wrong.append(f"{device['name']} ({device['faults'] or 'healthy'}): {found}, expected {expected}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_gentle():
    """The same for a few devices with --gentle: fewer connections, the same faults"""
    some = [device for device in devices if device["faults"] in ("", "expired", "clock-ahead expired", "tls10-only")][:8]
    for device, record in zip(some, vigie.survey(*map(target, some), timeout=120,
                                                 options=("--ca", ROOTS, "--gentle", "--timeout", "3"))):
        equal(sorted(finding_ids(record)), sorted(device["findings"]), device["name"])


def test_clock():
    """The clock's offset is measured to the second, by HTTP's date and by the TLS 1.2 random"""
    for faults, offset in (("clock-ahead expired", 664), ("clock-behind", -3600), ("clock-ahead tls12-only", 664)):
        device = next(device for device in devices if device["faults"] == faults)
        record = vigie.survey_one(target(device), options=("--ca", ROOTS))
        assert abs(record["clock_offset"] - offset) <= 2, f"{faults}: {record['clock_offset']}"


def diagnosis_wrong(device, lang):
    """What of a device's diagnosis is not as it should be, a line each."""
    done = vigie.run("diagnose", "--json", "--lang", lang, "--ca", ROOTS, "--name", device["name"], target(device),
                     timeout=120)
    causes = json.loads(done.stdout)["causes"] if done.stdout else []
    ids = [cause["id"] for cause in causes]
    told = f"{device['name']} ({device['faults']}, {lang})"
    if sorted(ids) != sorted(device["findings"]) or ids[:1] != device["findings"][:1]:
        yield f"{told}: {ids}, expected {device['findings']} {done.stderr}"
    for cause in causes:
        if not (cause["title"] and cause["cause"] and cause["evidence"] and cause["action"]):
            yield f"{told}: {cause['id']} is told without words"


def test_diagnose():
    """vigie diagnose names the same causes, in the order of what to do first, in both languages"""
    faulty = [(device, lang) for device in devices if device["faults"] for lang in ("fr", "en")]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        wrong = list(itertools.chain(*pool.map(lambda pair: list(diagnosis_wrong(*pair)), faulty)))
    assert not wrong, "\n" + "\n".join(wrong)


def test_diagnose_in_words():
    """On a terminal's page: the clock first, with what was measured, in French and in English"""
    device = next(device for device in devices if device["faults"] == "clock-ahead expired")
    for lang, words in (("fr", ("horloge", "11 min", "expiré")), ("en", ("clock", "11 min", "expired"))):
        done = vigie.run("diagnose", "--lang", lang, "--ca", ROOTS, "--name", device["name"], target(device))
        equal(done.returncode, 1)
        for word in words:
            assert word in done.stdout, f"{lang}: {word!r} is not in {done.stdout}"
        assert done.stdout.index(words[0]) < done.stdout.index(words[2]), done.stdout


def test_healthy():
    """A healthy device: nothing wrong, status 0"""
    for device in [device for device in devices if not device["faults"]][:4]:
        done = vigie.run("diagnose", "--ca", ROOTS, "--name", device["name"], target(device))
        equal(done.returncode, 0, done.stdout)


try:
    assert process.stdout.readline().startswith("ready"), "the lab did not start"
    devices = json.loads((pathlib.Path(folder.name) / "expected.json").read_text())
    tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
finally:
    process.terminate()
    process.wait(60)
    folder.cleanup()
