"""A passphrase divided among people, at a real terminal: three of five open the key, two do not, and a wrong share is told."""
import itertools
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
from hospital import Hospital  # noqa: E402
from support import tap, vigie  # noqa: E402
from support.terminal import Terminal  # noqa: E402

PEOPLE = ["Mme Le Goff", "M. Riou", "Dr Abgrall", "Mme Kerjean", "M. Tanguy"]


class Shared(Hospital):
    """Whose root is shared 3/5."""

    def __init__(self):
        super().__init__(init=False)
        text = self.path("hierarchy.conf").read_text()
        self.path("hierarchy.conf").write_text(text.replace("title = AC Racine\n", "title = AC Racine\nshares = 3/5\n", 1))
        self.codes = []

    def ceremony(self, spoil=False):
        terminal = Terminal(*self.command("init", self.path("hierarchy.conf")), "--passphrase-file", self.path("passphrase"))
        for number, person in enumerate(PEOPLE, 1):
            terminal.read(rf"share {number} of 5\? Name:")
            terminal.say(person)
            sheet = terminal.read(r"Code +[a-z0-9 ]+\r?\n")
            code = re.search(r"Code +([a-z0-9 ]+)", sheet)[1].strip()
            assert f"given to {person}" in sheet, sheet
            question = rf"Share {number}, from the sheet[^:]*:"
            terminal.read(question)
            if spoil and number == 1:
                terminal.say(code[:-1] + ("a" if code[-1] != "a" else "b"))
                terminal.read(r"not that code[^\n]*\n")
                terminal.read(question)
            terminal.say(code.upper().replace(" ", "-"))
            said = terminal.read(r"\x1b\[3J")
            assert code not in said, "what is typed is shown"
            self.codes.append(code)
        said, status = terminal.end()
        vigie.equal(status, 0, said)
        for name in ("racine", "equipements"):
            self.path(f"{name}.pem").write_text(self.ca("show", name, "--pem").stdout)
        return said

    def open(self, *codes):
        """vigie ca crl racine, with these typed in."""
        terminal = Terminal(*self.command("crl", "racine", "--full"))
        for code in codes:
            terminal.read(r"share \d of the 3 that it takes[^:]*:")
            terminal.say(code)
        return terminal


CHU = Shared()


def test_ceremony():
    """each person is shown one code, copies it and types it back; no code and no passphrase is anywhere afterwards"""
    said = CHU.ceremony(spoil=True)
    assert "racine is made" in said, said
    vigie.equal(len(set(CHU.codes)), 5)
    for path in CHU.folder.rglob("*"):
        if path.is_file():
            octets = path.read_bytes()
            for code in CHU.codes:
                for form in (code, code.replace(" ", "")):
                    assert form.encode() not in octets, f"{path} holds a share"


def test_any_three():
    """any three open it, and the log tells whose they were, by name alone"""
    for three in list(itertools.combinations(range(5), 3))[::3]:
        terminal = CHU.open(*(CHU.codes[i] for i in three))
        said, status = terminal.end()
        vigie.equal(status, 0, said)
        for i in three:
            assert f"good: share {i + 1}, {PEOPLE[i]}" in terminal.all, terminal.all
    done = vigie.run("audit-log", "verify", "--json", "--config", str(CHU.config))
    vigie.equal(json.loads(done.stdout)["faults"], [])
    vigie.equal(CHU.json("show", "racine")["shares"], 3)


def test_wrong():
    """a wrong letter, another authority's share, the same twice: each is told at once, and asked for again"""
    typed = CHU.codes[0]
    wrong = typed[:-1] + ("a" if typed[-1] != "a" else "b")
    terminal = CHU.open(CHU.codes[0], wrong)
    terminal.read("does not check: a letter is wrong")
    terminal.read(r"share 2 of the 3[^:]*:")
    terminal.say("abcd")
    terminal.read("40 letters and digits are wanted")
    terminal.read(r"share 2 of the 3[^:]*:")
    terminal.say(CHU.codes[0])
    terminal.read("given already")
    terminal.read(r"share 2 of the 3[^:]*:")
    terminal.say(CHU.codes[4])
    terminal.read(r"share 3 of the 3[^:]*:")
    terminal.say(CHU.codes[2])
    said, status = terminal.end()
    vigie.equal(status, 0, said)


def test_another_ceremony():
    """shares of an earlier ceremony check, and do not open the key: that is told"""
    other = Shared()
    other.ceremony()
    said, status = CHU.open(CHU.codes[0], other.codes[1], CHU.codes[2]).end()
    assert status == 2 and "not of one ceremony" in said, said
    said, status = CHU.open(*other.codes[:3]).end()
    assert status == 2 and "does not open it" in said, said


def test_declared():
    """3/5 is wanted as that: one of one, four of three, seventeen are refused; so is a ceremony without a terminal"""
    for shares in ("1/1", "4/3", "2/17", "x", "3"):
        chu = Shared()
        chu.path("hierarchy.conf").write_text(chu.path("hierarchy.conf").read_text().replace("3/5", shares))
        done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
        assert "[authority racine] shares" in done.stderr, done.stderr
    chu = Shared()
    done = chu.ca("init", chu.path("hierarchy.conf"), expect=2)
    assert "no terminal" in done.stderr, done.stderr
    assert not list(chu.path("keys").glob("*"))


tap.run([test_ceremony, test_any_three, test_wrong, test_another_ceremony, test_declared])
