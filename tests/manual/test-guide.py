"""The guides that can be typed as they are printed are typed, in each language. What they say is answered is what is answered;
"…" stands for anything."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

SOURCE = pathlib.Path(sys.argv[1])
BUILD = pathlib.Path(vigie.PROGRAM).resolve().parent
TEN_MINUTES = {"en": "en/a-certificate-in-ten-minutes.md", "fr": "fr/un-certificat-en-dix-minutes.md"}
GREAT_DAYS = {"en": "en/the-authority-on-great-days.md", "fr": "fr/les-grands-jours-d-une-autorite.md"}


def steps(text):
    """[(command, answer)]: a command goes on where its line ends in a backslash."""
    found = []
    for line in re.findall(r"^    (.*)$", text, re.M):
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found[-1][0].endswith("\\"):
            found[-1][0] += "\n" + line
        else:
            found[-1][1] += line + "\n"
    return found


def pattern(answer):
    return ".*".join(re.escape(part) for part in plain(answer).split("…"))


def plain(text):
    """Spaces that do not break, in French before its punctuation, are spaces."""
    return re.sub("[\u00a0\u202f]", " ", text)


def type_them(guide, lang):
    """Runs the commands in one shell, as a person would, each followed by a mark; answers what each said."""
    commands = steps((SOURCE / "doc/guides" / guide[lang]).read_text())
    home = pathlib.Path(tempfile.mkdtemp(prefix="vigie-guide-"))
    folder = home / "vigie"
    folder.mkdir()
    (folder / "build").symlink_to(BUILD)
    (folder / "knowledge").symlink_to(SOURCE / "knowledge")
    script = "set -e\n" + "".join(f"{command}\necho '<<{i}>>'\n" for i, (command, _) in enumerate(commands))
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
    begun = time.monotonic()
    done = subprocess.run(["bash", "-c", script], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=240, env={**keep, "HOME": str(home), "LANG": f"{lang}.UTF-8",
                                            "VIGIE_KNOWLEDGE": str(SOURCE / "knowledge")})
    shutil.rmtree(home)
    said = re.split(r"<<\d+>>\n", done.stdout)
    assert done.returncode == 0, f"after {len(said) - 1} of {len(commands)} commands: {said[-1]}"
    return commands, said, time.monotonic() - begun


def follow(guide, lang):
    commands, said, seconds = type_them(guide, lang)
    for (command, answer), output in zip(commands, said):
        assert not answer or re.search(pattern(answer), plain(output), re.S), f"$ {command}\n{output}\n--- printed:\n{answer}"
    assert seconds < 600, f"{seconds:.0f} s"
    return said


def ten_minutes(lang):
    assert any("Verification: OK" in output for output in follow(TEN_MINUTES, lang)), "no handshake"


def test_english():
    """every command of the English guide works as printed, and the device's certificate is accepted from the root alone"""
    ten_minutes("en")


def test_french():
    """every command of the French guide works as printed, and the device's certificate is accepted from the root alone"""
    ten_minutes("fr")


def test_great_days_english():
    """rollover, cross-certification, restore and compromise go as the English guide prints them"""
    follow(GREAT_DAYS, "en")


def test_great_days_french():
    """rollover, cross-certification, restore and compromise go as the French guide prints them"""
    follow(GREAT_DAYS, "fr")


def test_same():
    """both languages of a guide have the same commands, but for the names of files"""
    names = {"authority": "autorite", "-file passphrase": "-file phrase", "> passphrase)": "> phrase)", "device.sock": "equipement.sock"}
    for guide, names in ((TEN_MINUTES, names), (GREAT_DAYS, {"the hole is told": "le trou est dit"})):
        english, french = ([command for command, _ in steps((SOURCE / "doc/guides" / guide[lang]).read_text())]
                           for lang in ("en", "fr"))
        for command, other in zip(english, french, strict=True):
            for name, translated in names.items():
                command = command.replace(name, translated)
            vigie.equal(command, other)


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
