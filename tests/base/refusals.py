#!/usr/bin/env python3
"""Every refusal has words in French: the sentences of the sources against knowledge/words, as the program itself reads them.

A sentence is any string of a source that has two words, but for what the rules below leave out. A new room is a row of ROOMS."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import tap  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAY = sys.argv[1]
VALUE = "\u00a4"  # stands for a value, which may be a refusal of its own
# What only a program sends to the desk; what the supervisor tells its log, which is in English.
OF_PROGRAMS = ("the body is", f"{VALUE}: a text, a whole number", "case: there is none", "enums", "the artefact does not open",
               f"there is no user {VALUE}: vigie", "was ended by", "ended with status")
# A room: (its sources, whether every sentence counts or those alone that are said beside `error`, the files left out).
ROOMS = [
    # "lang" refuses before there are words; "config" says what its keys mean, "seccomp" lists system calls, "keys" has RFC 8446's
    # labels, "read-verdict" what machines answer mail with. Programs enrol, and frame requests.
    ("src/base/*.c", True, ("lang", "config")),
    ("src/base/config.c", False, ()),
    ("src/sandbox/*.c", True, ("seccomp",)),
    ("src/store/*.c", True, ()),
    ("src/net/*.c", True, ()),
    ("src/tls/*.c", True, ("keys",)),
    ("src/x509/*.c", True, ("traces",)),
    ("src/mail/*.c", True, ("read-verdict",)),
    ("src/document/*.c", True, ()),
    ("src/record/*.c", True, ()),
    ("src/survey/*.c", True, ()),
    ("src/fleet/*.c", True, ()),
    ("src/csirt/*.c", False, ()),
    ("src/pki/*.c", True, ("acme*", "cmp*", "scep*", "server-key")),
    ("src/portal/*.c", False, ("enrol*", "gate")),
    ("src/daemon/*.c", True, ()),
    ("src/cli/*.c", True, ()),
]
# Where a string is no refusal: it goes to the database, into JSON, a document, a log; or the program ends, by a fault of ours.
CALLS = re.compile(r"store_\w+|query_\w+|json_\w+|\w*(?<!strdup_)printf|str\w+|g_str(?!dup_printf|concat|lcpy)\w*|g_error|vigie_log|vigie_words?|"
                   r"g_assert\w*|cli_parse|\w*label_is|contains|lint_tell|list_tell")
# Its neighbours in the call or the table say so: a fault of ours, an option, what --help shows.
NEIGHBOURS = re.compile(r"VIGIE_ERROR_INTERNAL|G_OPTION_ARG_\w+|forms|examples")
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|AND|OR|NULL|UNION|ON|COALESCE|GROUP BY|ORDER BY|VALUES|CASE|COUNT|EXISTS|RECURSIVE|"
                 r"PRAGMA|LISTEN|DESC|RETURNING|SET)\b|\b[a-z]{1,2}\.[a-z_]+\b")
# What a command is called with, and examples of it; columns; XML; what explains itself, from its capital to its full stop, as a
# metric does.
ARGUMENT = r"\[?(--[a-z-]+|-[a-z_]+|[A-Z]{2,}\S*|[A-Z]\b|\S+\|\S+|…|\.\.\.|\|)\]?"
OTHER = re.compile(rf"([a-z-]+ )?{ARGUMENT}( {ARGUMENT})*|[^:]*\[-.*|vigie [a-z-]+ .*|  --.*|\w+(, \w+){{3,}}|<.*|[A-Z].*\.")
# Two words, one of them a plain one, and no clause nor list of names; what holds a line's end is a text of its own.
SENTENCE = re.compile(r"[a-z]{2,}[,:;]? \S|\S [a-z]{2,}")
NAMED = re.compile(r"(RFC|ETSI|CA/B) [^:]*|[a-z]+, [a-z]+|\[[a-z.%]+\] \w+( = )?|vigie( \w+)+")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'|[A-Za-z_]\w*|\S', re.S)
FORMAT = re.compile(r"%[-+ #0-9.*]*(?:l|z|h|j)*[a-zA-Z]")


def literals(source):
    """Each string, its pieces joined, with the innermost call that it is an argument of and the words before it there."""
    stack, words, previous, pieces = [], [], "", None
    for found in TOKEN.finditer(source):
        token = found.group()
        if token.startswith(("//", "/*")):
            continue
        if token[0] == '"':
            pieces = (pieces or []) + [token[1:-1]]
            continue
        if pieces is not None and re.fullmatch(r"PRI\w+|(?:G_G|JSON_)\w+_FORMAT", token):
            pieces.append("d")
            continue
        if pieces is not None:
            call = next((name for opening, name, _ in reversed(stack) if opening == "("), "")
            yield "".join(pieces), call, words + [word for opening, _, before in stack if opening == "{" for word in before]
            pieces = None
        if token in "([{":
            stack.append((token, previous, words))
            words = []
        elif token in ")]}" and stack:
            words = stack.pop()[2]
        elif token == ";":
            words = []
        else:
            words = words + [token]
        previous = token


def sentences(path, all_sentences=True):
    for text, call, words in literals(path.read_text()):
        plain = text.replace('\\"', '"').replace("\\'", "'")
        if SENTENCE.search(FORMAT.sub("", plain)) and "\\" not in plain and not NAMED.fullmatch(plain) and not OTHER.fullmatch(plain) and not SQL.search(plain) \
                and not CALLS.fullmatch(call) and not any(NEIGHBOURS.fullmatch(word) for word in words):
            if all_sentences or "error" in words:
                yield FORMAT.sub(VALUE, plain)


def say(messages):
    """Each as the program says it in French, or None; any value is one that French is known of."""
    with tempfile.TemporaryDirectory() as folder:
        words = pathlib.Path(folder, "words")
        words.mkdir()
        for path in (ROOT / "knowledge/words").iterdir():
            (words / path.name).symlink_to(path)
        (words / "test.json").write_text(json.dumps({"refusal.test": {"fr": VALUE, "en": VALUE}}))
        done = subprocess.run([SAY], input="".join(message + "\n" for message in messages), capture_output=True, text=True, check=True,
                              timeout=300, env={**os.environ, "VIGIE_KNOWLEDGE": folder})
    said = done.stdout.split("\n")[:-1]
    assert len(said) == len(messages)
    return said


def check(room, all_sentences, left_out):
    def every_one():
        read = [(path.name, sentence) for path in sorted(ROOT.glob(room)) if not any(path.match(name + ".c") for name in left_out)
                for sentence in sentences(path, all_sentences) if not sentence.startswith(OF_PROGRAMS)]
        assert read, "nothing was read"
        # A beginning, for what comes from below: "authority X: ".
        said = say([sentence + VALUE if sentence.endswith(": ") else sentence for _, sentence in read])
        missing = [f"{name}: {sentence}" for (name, sentence), words in zip(read, said) if not words]
        assert not missing, f"{len(missing)} of {len(read)} without French:\n  " + "\n  ".join(missing)
    every_one.__doc__ = f"each refusal of {room} is known in French"
    return every_one


def test_reader():
    """the reader of sources finds a sentence that is in pieces, in a table or in a choice, and none that is no refusal"""
    source = pathlib.Path(tempfile.mkdtemp(), "room.c")
    source.write_text('static const char *const why[] = {[ONE] = "it is too old"}; /* "in a comment" */\n'
                      'bool f(void) { g_set_error(error, VIGIE_ERROR, code, "device %" PRIu64 ": \\"%.80s\\" is "\n'
                      '"none", id, x ? "it is gone" : NULL); store_exec(s, error, "some words of SQL");\n'
                      'g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "a fault of ours");\n'
                      'json_t *a = json_pack("{s:s}", "a name", "RFC 5280 4.1"); }')
    found = list(sentences(source))
    assert found == ["it is too old", f'device {VALUE}: "{VALUE}" is none', "it is gone"], found
    source.unlink()
    source.parent.rmdir()


def test_once():
    """one English sentence has one French"""
    known = {}
    for path in sorted((ROOT / "knowledge/words").glob("*.json")):
        for key, texts in json.loads(path.read_text()).items():
            english = re.sub(r"\{\w+\}", VALUE, texts["en"]) if key.startswith("refusal.") else key
            assert english not in known, f"{key} and {known[english]}: {english}"
            known[english] = key


def test_unknown():
    """what nobody translated is told"""
    assert say(["nobody translated this", f"{VALUE}: 200 characters at most"]) == ["", f"{VALUE}\u00a0: 200 caractères au plus"]


tap.run([test_reader, test_once, test_unknown] + [check(*room) for room in ROOMS])
