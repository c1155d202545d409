"""A hospital as its biomedical engineer uses Vigie: the GMAO imported, the fleet surveyed by `vigie serve` whose worker is
killed on the way, findings, alarms by mail, the GMAO brought up to date."""
import csv
import datetime
import io
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import tap
import vigie
from daemon import Daemon, wait_for
from postgresql import free_network
from vigie import equal

NETWORK = free_network()
FAR = time.gmtime(time.time() + 43200).tm_hour  # the mail of the morning does not come while this runs
folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-hospital-"))
# A medical device is asked nothing that a client would not ask: these two keep their secret.
TOLD_GENTLY = {"plain-mllp": ["handshake-timeout"], "ssl2-only": ["connection-reset"]}


def fleet(*arguments):
    done = vigie.run("fleet", *arguments, "--json", "--config", str(watch.config))
    assert done.returncode in (0, 1), f"vigie fleet {arguments} left with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def findings():
    """{host: its active findings, sorted}"""
    found = {device["name"]: [] for device in devices}
    items = fleet("findings", "--state", "active", "--page-size", "500")["items"]
    for finding in items:
        found[finding["endpoint"]["target"].split(":")[0]].append(finding["kind"])
    return {name: sorted(ids) for name, ids in found.items()}


def expected():
    return {device["name"]: sorted(TOLD_GENTLY.get(device["faults"], device["findings"])) for device in devices}


def mails():
    return sorted((folder / "lab" / "mail").glob("*.eml"))


def test_import():
    """The GMAO's file, ISO-8859-1 with semicolons: every device, and nothing when it is imported again"""
    told = fleet("import", str(folder / "lab" / "gmao.csv"))
    equal((told["encoding"], told["delimiter"]), ("Windows-1252", ";"))  # which ISO-8859-1 is a part of
    equal((told["created"], told["refused"], told["endpoints_created"]), (len(devices), 0, len(devices)), told)
    again = fleet("import", str(folder / "lab" / "gmao.csv"))
    equal((again["created"], again["updated"], again["unchanged"]), (0, 0, len(devices)), again)


def test_survey_killed():
    """The worker is killed in the middle of the survey: what was seen is kept, and the rest is seen too"""
    subprocess.run([vigie.PROGRAM, "fleet", "survey", "--depth", "full", "--config", str(watch.config)], check=True,
                   capture_output=True)

    def some():
        """some devices to be seen"""
        return seen() >= 5
    wait_for(some, 60)
    os.kill(watch.children()["worker"], signal.SIGKILL)
    before = seen()

    def all_of_them():
        """all devices to be seen"""
        return seen() == len(devices)
    wait_for(all_of_them, 120, 0.5)
    assert 5 <= before < len(devices), before


def seen():
    """How many endpoints were examined."""
    items = fleet("list", "--page-size", "500")["items"]
    return sum(device["checked"] is not None for device in items)


def test_findings():
    """At each device exactly the faults that it was given"""
    found, wanted = findings(), expected()
    wrong = [f"{name}: {found[name]}, expected {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    assert not wrong, "\n" + "\n".join(wrong)


def test_alarms():
    """Whoever answers for it is told once, by mail, of what is urgent"""
    def told():
        """a mail"""
        return mails()
    wait_for(told, 120, 0.5)
    fleet("survey", "--depth", "certificate", "--wait")
    equal(len(mails()), 1)
    text = mails()[0].read_text()
    assert "automate-02.chu-kermarec.test" in text and "To: biomed@chu-kermarec.test" in text, text


def test_export():
    """The GMAO's file comes back with the certificate's end, the versions and the state"""
    output = folder / "export.csv"
    done = vigie.run("fleet", "export", "--output", str(output), "--config", str(watch.config))
    equal(done.returncode, 0, done.stderr)
    rows = list(csv.DictReader(io.StringIO(output.read_text(encoding="utf-8-sig")), delimiter=";"))
    equal(len(rows), len(devices))
    row = next(row for row in rows if row["N° GMAO"] == "BM3002")
    equal((row["Versions TLS"], row["État TLS"]), ("TLSv1.2 TLSv1.3", "en défaut"), row)
    end = datetime.date.fromisoformat(row["Fin du certificat"])
    assert 2 <= (datetime.date.today() - end).days <= 4, row
    again = fleet("import", str(output))
    equal((again["created"], again["updated"]), (0, 0), again)


def test_feeds():
    """The calendar and the metrics tell of the same devices"""
    calendar = vigie.run("fleet", "calendar", "--config", str(watch.config)).stdout
    assert calendar.startswith("BEGIN:VCALENDAR") and "automate-02" in calendar.replace("\r\n ", ""), calendar[:500]
    metrics = vigie.run("fleet", "metrics", "--config", str(watch.config)).stdout
    assert f'vigie_endpoints{{state="' in metrics, metrics[:500]


def serve_config():
    roots = folder / "lab" / "roots.pem"
    return {"trust": {"roots": roots, "system": "false"}, "process": {"lease": "3 s"},
            "alarms": {"hour": FAR, "fallback": "biomed@chu-kermarec.test"},
            "mail": {"server": f"smtp://{NETWORK}.2.6:2525", "ca_file": roots,
                     "from": "Vigie <vigie@chu-kermarec.test>"}}


lab = subprocess.Popen([os.environ["VIGIE_LAB"], "--folder", str(folder / "lab"), "--network", NETWORK],
                       stdout=subprocess.PIPE, text=True)
try:
    assert lab.stdout.readline().startswith("ready"), "the lab did not start"
    devices = json.loads((folder / "lab" / "expected.json").read_text())
    with Daemon(**serve_config()) as watch:
        tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
finally:
    lab.terminate()
    lab.wait(60)
    subprocess.run(["rm", "-rf", str(folder)], check=False)
