"""The command line against what people type: each mistake is one line that says what to do, and status 2."""
import json
import pathlib
import tempfile

import certificates
import servers
import tap
import vigie
from vigie import equal

folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-command-"))
authority = certificates.Authority(folder)
rsa = authority.issue()


def refused(*arguments, names, input=""):
    done = vigie.run(*arguments, input=input)
    equal(done.returncode, 2, " ".join(arguments))
    assert names in done.stderr, f"{arguments}: {names!r} is not in {done.stderr!r}"
    assert "Sanitizer" not in done.stderr, done.stderr


def test_no_target():
    """A target without a port, with an impossible one, with an unknown protocol"""
    for target in ("127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:443/gopher", "[::1:443", ":443",
                   "10.0.0.0/99:443"):
        refused("survey", target, names=target[:9])


def test_wrong_options():
    """Options that do not exist or cannot be"""
    refused("survey", "--depth", "abyssal", "127.0.0.1:1", names="abyssal")
    refused("survey", "--format", "yaml", "127.0.0.1:1", names="yaml")
    refused("survey", "--rate", "fast", "127.0.0.1:1", names="fast")
    refused("survey", "--nonsense", "127.0.0.1:1", names="nonsense")
    refused("survey", "--ca", str(folder / "nothing.pem"), "127.0.0.1:1", names="nothing.pem")
    refused("diagnose", names="")
    refused("diagnose", "--lang", "de", "127.0.0.1:1", names="de")
    refused("nonsense", names="nonsense")


def test_ca_file_without_certificates():
    """A file of roots that holds none"""
    (folder / "text.pem").write_text("no certificate here\n")
    refused("survey", "--ca", str(folder / "text.pem"), "127.0.0.1:1", names="text.pem")


def test_bad_lines_do_not_stop_the_rest():
    """A file of targets: what cannot be read is told with its line, the rest examined"""
    with servers.Nginx(rsa) as server:
        (folder / "targets").write_text(f"# devices\n\nnonsense\n127.0.0.1:{server.port}/https\n127.0.0.1:99999\n")
        done = vigie.run("survey", "--format", "jsonl", "--depth", "certificate", "--targets", str(folder / "targets"))
    records = [json.loads(line) for line in done.stdout.splitlines()]
    equal([record["outcome"] for record in records], ["ok"])
    equal(done.returncode, 1)
    for complaint in ("targets:3", "nonsense", "targets:5", "99999"):
        assert complaint in done.stderr, f"{complaint!r} is not in {done.stderr}"


def test_standard_input():
    """Targets from stdin, among them a network"""
    with servers.Nginx(rsa) as server:
        done = vigie.run("survey", "--format", "jsonl", "--depth", "certificate", "--targets", "-",
                         input=f"127.0.0.1/32:{server.port}\n")
    equal([json.loads(line)["outcome"] for line in done.stdout.splitlines()], ["ok"])


def test_formats():
    """CSV and table say the same as JSON"""
    with servers.Nginx(rsa) as server:
        for form, version in (("csv", "TLSv1.2"), ("table", "1.2")):
            done = vigie.run("survey", "--format", form, f"127.0.0.1:{server.port}/https")
            assert f"127.0.0.1:{server.port}" in done.stdout, done.stdout
            assert version in done.stdout, done.stdout


def test_status():
    """Status 0 where all is well, 1 where something is wrong"""
    with servers.Nginx(rsa) as server:
        target = f"127.0.0.1:{server.port}/https"
        equal(vigie.run("survey", "--ca", authority.root.certificate, target).returncode, 0)
        equal(vigie.run("survey", target).returncode, 1)
        equal(vigie.run("diagnose", "--ca", authority.root.certificate, target).returncode, 0)
        equal(vigie.run("diagnose", target).returncode, 1)


def test_unknown_name():
    """A name that does not exist is told so"""
    equal(vigie.survey_one("nowhere.invalid:443/https")["outcome"], "name-not-found")


def test_help():
    """Each command that help lists explains itself with an example"""
    commands = [line.split()[0] for line in vigie.run("help").stdout.splitlines() if line.startswith("  ")]
    assert {"survey", "diagnose", "serve"} <= set(commands), commands
    for command in commands:
        for lang in ("fr", "en"):
            done = vigie.run(command, "--help", "--lang", lang)
            equal(done.returncode, 0, command)
            assert f"vigie {command} " in done.stdout, done.stdout


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
