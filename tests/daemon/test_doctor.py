#!/usr/bin/env python3
"""The doctor: what is well is said to be, what is not is found, with its remedy."""
import json
import logging
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import certificates
import servers
import smtp
import tap
from daemon import PROGRAM, Daemon
from vigie import equal

logging.disable(logging.CRITICAL)


def folder():
    return pathlib.Path(tempfile.mkdtemp(prefix="vigie-doctor-"))


class Doctor:
    """The report on a configuration: states by id, and the texts."""

    def __init__(self, config, *options):
        done = subprocess.run([PROGRAM, "doctor", "--json", "--lang", "en", "--config", str(config), *options],
                              capture_output=True, text=True, timeout=60)
        self.report = json.loads(done.stdout)
        self.status = done.returncode
        self.checks = self.report["checks"]
        assert done.stderr == "", done.stderr
        for check in self.checks:
            assert check["state"] in ("well", "unknown") or check["remedy"], check
            assert "doctor." not in check["what"], check

    def states(self, name):
        return [check["state"] for check in self.checks if check["id"] == name]

    def text(self, name):
        return " ".join(check["what"] for check in self.checks if check["id"] == name)


def certificate(place, days, name="AC Racine CHU"):
    path = place / "root.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=" + name, "-days", str(days), "-keyout", place / "root.key", "-out", path], check=True,
                   capture_output=True)
    return path


def before_and_after_the_start():
    """before the first start the store is not there yet; afterwards all of it is well"""
    daemon = Daemon()
    before = Doctor(daemon.config)
    equal((before.states("configuration"), before.states("knowledge"), before.states("store"), before.states("listen")),
          (["well"], ["well"], ["unknown"], ["well"]))
    with daemon:
        after = Doctor(daemon.config)
        equal((after.states("store"), after.states("jobs"), after.states("disk")), (["well"], ["well"], ["well"]))
        equal(after.states("listen"), ["unknown"])


def bad_configuration():
    """a configuration that is missing, wrong or open to others is the first thing told"""
    missing = Doctor("/does/not/exist.conf")
    equal((missing.status, missing.report["state"], missing.states("configuration")), (1, "broken", ["broken"]))
    daemon = Daemon(survey={"depth": "abyss"})
    wrong = Doctor(daemon.config)
    equal(wrong.states("configuration"), ["broken"])
    assert "[survey] depth" in wrong.text("configuration"), wrong.report
    daemon = Daemon()
    os.chmod(daemon.config, 0o666)
    equal(Doctor(daemon.config).states("configuration"), ["broken"])
    daemon = Daemon(store={"url": "postgresql://vigie:secret@127.0.0.1:1/vigie"})
    os.chmod(daemon.config, 0o644)
    told = Doctor(daemon.config)
    equal((told.states("configuration"), told.states("store")), (["soon"], ["broken"]))
    assert "secret" not in json.dumps(told.report), told.report


def example_is_valid():
    """the example that it prints is a configuration"""
    done = subprocess.run([PROGRAM, "doctor", "--example"], capture_output=True, text=True, timeout=60)
    path = folder() / "vigie.conf"
    path.write_text(done.stdout)
    equal((done.returncode, Doctor(path).states("configuration")), (0, ["well"]))


def rights():
    """a folder that the processes' account may not write is found, even by root"""
    if os.getuid() != 0:
        raise tap.Skip("only root can become another account")
    place = folder()
    daemon = Daemon(folder=place, process={"user": "nobody"})
    os.chmod(place, 0o755)
    os.chmod(daemon.config, 0o644)
    report = Doctor(daemon.config)
    equal((report.states("user"), report.states("store")), (["well"], ["broken"]))
    os.chown(place, pwd.getpwnam("nobody").pw_uid, -1)
    equal(Doctor(daemon.config).states("store"), ["unknown"])


def store_open_to_others():
    """a store that other accounts could read is found"""
    with Daemon() as daemon:
        os.chmod(daemon.folder / "vigie.db", 0o644)
        equal(Doctor(daemon.config).states("store-mode"), ["soon"])


def roots():
    """a root that has ended, will end, is none, or cannot be read is found; a good one is counted"""
    place = folder()
    for days, states in ((3000, ["well"]), (30, ["soon", "well"])):
        equal(Doctor(Daemon(trust={"roots": certificate(place, days)}).config).states("trust"), states)
    (place / "root.pem").write_text("not a certificate")
    equal(Doctor(Daemon(trust={"roots": place / "root.pem"}).config).states("trust"), ["broken", "well"])
    equal(Doctor(Daemon(trust={"system": "false"}).config).states("trust"), ["broken"])


def mail():
    """the mail server is talked to as when sending; --send-test sends one message"""
    off = Doctor(Daemon().config)
    equal((off.states("mail"), off.status), (["soon"], 1))
    with smtp.Server() as server:
        keys = {"server": "smtp://127.0.0.1:%d" % server.port, "tls": "none", "from": "vigie@chu.test"}
        config = Daemon(mail=keys).config
        equal(Doctor(config).states("mail"), ["well"])
        equal(server.handler.messages, [])
        equal(Doctor(config, "--send-test", "anne@chu.test").states("mail-test"), ["well"])
        equal([recipients for _, recipients, _ in server.handler.messages], [["anne@chu.test"]])
        equal(Doctor(config, "--send-test", "nobody").states("mail-test"), ["broken"])
        equal(Doctor(Daemon(mail={**keys, "tls": "required"}).config).states("mail"), ["broken"])
    down = Doctor(config)
    equal(down.states("mail"), ["broken"])
    assert str(server.port) in down.text("mail"), down.report


def mailboxes():
    """a mailbox that opens and one that does not"""
    place = folder()
    place.chmod(0o755)
    authority = certificates.Authority(place)
    (place / "password").write_text("secret\n")
    (place / "password").chmod(0o600)
    with servers.Dovecot(authority.issue(), "secret") as server:
        keys = {"url": "imaps://127.0.0.1:%d" % server.secure_port, "user": "contact", "password_file": place / "password"}
        groups = {"mailbox": {"ca_file": authority.root.certificate, "timeout": "5 s"}, "mailbox.contact": keys}
        equal(Doctor(Daemon(**groups).config).states("mailbox"), ["well"])
        groups["mailbox.incident"] = {**keys, "folder": "Nulle part"}
        both = Doctor(Daemon(**groups).config)
        equal(both.states("mailbox"), ["broken", "well"])
        assert "Nulle part" in both.text("mailbox"), both.report
    equal(Doctor(Daemon(**groups).config).states("mailbox"), ["broken", "broken"])


def keys():
    """a keyring without our key, with one that ends soon, and one open to others; an S/MIME key that is not there"""
    home = folder()

    def gpg(*words):
        subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback", *words],
                       check=True, capture_output=True)
    config = Daemon(mail={"gnupg_home": home, "smime_file": home / "none.pem"}).config
    nothing = Doctor(config)
    equal((nothing.states("openpgp"), nothing.states("smime")), (["broken"], ["broken"]))
    for days, state in ((400, "well"), (10, "soon")):
        made = certificate(home, days)
        (home / "none.pem").write_bytes((home / "root.key").read_bytes() + made.read_bytes())
        (home / "none.pem").chmod(0o600)
        equal(Doctor(config).states("smime"), [state])
    (home / "none.pem").write_text("")
    equal(Doctor(config).states("smime"), ["broken"])
    try:
        gpg("--quick-gen-key", "Vigie <vigie@chu.test>", "rsa2048", "sign,encr", "none")
        equal(Doctor(config).states("openpgp"), ["well"])
        gpg("--quick-gen-key", "Soon <soon@chu.test>", "rsa2048", "sign,encr", "10d")
        home.chmod(0o750)
        report = Doctor(config)
        equal(report.states("openpgp"), ["soon", "soon", "well"])
        assert "Soon <soon@chu.test> expires in " in report.text("openpgp"), report.text("openpgp")
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def in_both_languages():
    """French and English, aligned, with words for the states and no word missing"""
    config = Daemon().config
    for lang, words in (("fr", ("bon", "à prévoir", "À faire")), ("en", ("well", "soon", "To do"))):
        done = subprocess.run([PROGRAM, "doctor", "--lang", lang, "--config", str(config)], capture_output=True,
                              text=True, timeout=60)
        equal(done.returncode, 1)
        for word in words:
            assert word in done.stdout, done.stdout
        assert "doctor." not in done.stdout and "{" not in done.stdout and "\033" not in done.stdout, done.stdout


tap.run([before_and_after_the_start, bad_configuration, example_is_valid, rights, store_open_to_others, roots, mail, mailboxes, keys,
         in_both_languages])
