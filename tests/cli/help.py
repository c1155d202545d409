"""--help of every command and of every form of one: in the reader's language, within 80 columns, and what it says is so."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap, vigie  # noqa: E402

WORDS = {}
for name in ("help", "help-pki", "help-fleet", "help-case"):
    with open(os.path.join(os.environ["VIGIE_KNOWLEDGE"], "words", name + ".json"), encoding="utf-8") as file:
        WORDS |= json.load(file)


def run(*arguments, **environment):
    done = subprocess.run([vigie.PROGRAM, *arguments], text=True, capture_output=True, timeout=60,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr.replace("\u00a0", " ")


def helped(*arguments, **environment):
    status, out, error = run(*arguments, "--help", **environment)
    assert status == 0 and out and not error, f"vigie {arguments}: {status} {error}"
    return out


def listed(text):
    return re.findall(r"^  ([a-z-]+)  ", text, re.MULTILINE)


def forms(command):
    text = helped(command, "--lang", "en")
    return listed(text[text.index("Commands:"):text.index("Options")]) if "Commands:" in text else []


COMMANDS = listed(run("--help", "--lang", "en")[1])
FORMS = [(command, form) for command in COMMANDS for form in forms(command)]
ALL = {lang: {form: helped(*form, "--lang", lang) for form in [(command,) for command in COMMANDS] + FORMS}
       for lang in ("fr", "en")}


def options(text):
    return re.findall(r"^ +(?:-\w, )?--([a-z-]+)", text[text.index("Options"):], re.MULTILINE)


def flat(text):
    return re.sub(r"\s+", " ", text)


def test_complete():
    """each command, form and option is explained, in both languages, and each word of the help is said somewhere"""
    assert len(FORMS) > 90, len(FORMS)
    for lang, helps in ALL.items():
        for form, text in helps.items():
            assert "help." not in text, f"{form}: {text}"
            assert not re.search(r"(^| )–$", text, re.MULTILINE), f"{form}: {text}"
        everything = flat("\n".join(helps.values()) + run("--help", "--lang", lang)[1])
        for key, words in WORDS.items():
            said = flat(re.sub(r"\{\w+\}", "ca", words[lang]))
            assert said in everything, f"{lang}: {key} is said nowhere: {said}"


def test_width():
    """no line is longer than 80 columns, in either language"""
    for lang in ("fr", "en"):
        for form, text in [*ALL[lang].items(), (("",), run("--help", "--lang", lang)[1])]:
            for line in text.splitlines():
                assert len(line) <= 80, f"vigie {' '.join(form)} --lang {lang}: {line}"


def test_language():
    """--lang says it, before --help or after; else the environment; both languages explain the same options"""
    french = ALL["fr"][("ca", "issue")]
    assert french.startswith("Usage\u00a0: vigie ca issue --profile PROFIL --csr FICHIER") and "Options\u00a0:\n" in french
    vigie.equal(run("ca", "--lang", "fr", "issue", "--help")[1], french)
    vigie.equal(run("ca", "issue", "--help", "--lang=fr")[1], french)
    vigie.equal(run("ca", "issue", "-h", "--lang", "fr", LC_ALL="en_US.UTF-8")[1], french)
    vigie.equal(run("ca", "issue", "--help", LC_ALL="", LC_MESSAGES="", LANG="fr_FR.UTF-8")[1], french)
    vigie.equal(run("ca", "issue", "--help", LC_ALL="en_US.UTF-8")[1], ALL["en"][("ca", "issue")])
    for form, text in ALL["fr"].items():
        vigie.equal(options(text), options(ALL["en"][form]))
        assert text != ALL["en"][form]


def test_own():
    """the help of a form has the options that go with it and its own examples, and no others"""
    vigie.equal(options(ALL["en"][("ca", "revoke")]), ["reason", "config", "passphrase-file", "present", "lang", "help"])
    vigie.equal(options(ALL["en"][("csr", "check")]), ["json", "config", "lang", "help"])
    examples = ALL["en"][("csr", "check")].split("Examples:\n")[1]
    vigie.equal(examples, "  vigie csr check echo-04.csr\n")


def test_refused():
    """an option that goes with another form is refused, and so is a command that there is not; in both languages"""
    for arguments, french, english in (
            (("ca", "list", "--csr", "x"), "l’option --csr est de vigie ca issue, renew, pas de cette commande",
             "--csr is an option of vigie ca issue, renew, not of this command"),
            (("csr", "check", "--out", "x", "y"), "l’option --out est de vigie csr, pas de cette commande",
             "--out is an option of vigie csr, not of this command"),
            (("ca", "-o", "x", "list"), "l’option --out est de vigie ca issue", "--out is an option of vigie ca issue"),
            (("ca",), "il faut une commande après vigie ca ; vigie ca --help les donne",
             "a command is wanted after vigie ca: vigie ca --help lists them"),
            (("fleet", "lsit"), "lsit n’est pas une commande de vigie fleet", "lsit is no command of vigie fleet"),
            (("ca", "show"), "comme dans : vigie ca show NOM", "as in: vigie ca show NAME"),
            (("ca", "list", "x"), "comme dans : vigie ca list", "as in: vigie ca list"),
            (("ca", "answer", "a"), "comme dans : vigie ca answer NOM DEMANDE", "as in: vigie ca answer NAME REQUEST"),
            (("case", "move", "VIG-1"), "comme dans : vigie case move RÉF ÉTAT", "as in: vigie case move REF STATE"),
            (("user", "withdraw", "a", "b", "c"), "comme dans : vigie user withdraw NOM [RÔLE]", "as in: vigie user withdraw NAME"),
            (("case", "tasks", "a", "b"), "comme dans : vigie case tasks [RÉF]", "as in: vigie case tasks [REF]"),
            (("fleet", "ack"), "comme dans : vigie fleet ack NUMÉRO …", "as in: vigie fleet ack NUMBER …"),
            (("ca", "issue", "--days", "x"), "option --days : un nombre entier est attendu, pas « x »", "Cannot parse integer"),
            (("survey", "--rate", "x", "a:1"), "option --rate : un nombre est attendu, pas « x »", "Cannot parse double"),
            (("case", "list", "--band", "9" * 30), "est trop grand ou trop petit", "out of range"),
            (("fleet", "--page", "2", "renew", "A-1"), "l’option --page est de vigie fleet list", "--page is an option of"),
            (("ca", "issue", "--out"), "il manque sa valeur à l’option --out", "Missing argument for --out"),
            (("ca", "list", "--frob"), "l’option --frob n’existe pas", "Unknown option --frob")):
        for lang, words in (("fr", french), ("en", english)):
            status, out, error = run(*arguments, LC_ALL=f"{lang}_XX.UTF-8")
            error = error.replace("\u202f", " ")
            assert status == 2 and not out and error.count("\n") == 1, f"{arguments}: {status} {error}"
            assert words in error, f"{arguments}: {error}"


def test_taken():
    """what follows -- or is an option's value is no option, and no form"""
    for arguments in (("identify", "--", "--help"), ("case", "note", "--kind", "--help", "x")):
        status, out, error = run(*arguments, "--lang", "en") if arguments[1] != "--" else run(*arguments)
        assert status == 2 and not out, f"{arguments}: {status} {out}"


def test_full():
    """an answer that the disk did not take is not well, whichever command gave it"""
    for arguments in (("--help",), ("--version",), ("ca", "profiles"), ("ca", "profiles", "--json"), ("lint", "--help"), ("doctor", "--example")):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([vigie.PROGRAM, *arguments, "--lang", "en"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 2 and "takes no more" in done.stderr, (arguments, done.returncode, done.stderr)


def test_storeless():
    """the kinds of certificates are told where there is no store, with what each wants and who validates"""
    status, out, error = run("ca", "profiles", "--config", "/nowhere/vigie.conf", "--lang", "en")
    device = out[out.index("device "):]
    assert status == 0 and not error and "825 days" in device and "fields: organisation, unit (optional)" in device, out + error
    assert "validated by: biomed (biomedical department)" in device, out


tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])
