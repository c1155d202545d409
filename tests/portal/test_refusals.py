#!/usr/bin/env python3
"""Every refusal that the desk's pages can show has words in French: the formats of the sources against knowledge/words/refusals.json."""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What reads the configuration and the rules refuses at start, and commands refuse, on a terminal.
AT_START = {"anchor.c", "calendar.c", "canned.c", "clocks.c", "condition.c", "cvss4.c", "declaration-form.c", "escalation.c", "fetch.c", "priority.c",
            "rdap.c", "roster.c", "rules.c", "statistics.c", "suppress.c", "team.c", "facts.c", "listen.c", "http.c", "gate.c", "portal.c",
            "notice-text.c", "notice-send.c", "inbound.c", "open.c", "declaration.c", "enrol.c", "enrol-message.c", "enrol-est.c",
            "policy.c", "enrol-acme.c"}
# Those that no person meets: they name a member that only a program sends, or a fault of ours.
OF_PROGRAMS = ("%s", "the body is", "%.40s: a text, a whole number", "case: there is none", "enums", "there is a user", "%s%s", "the artefact does not open",
               "there is no user %s: vigie")
TEXT = r'((?:"(?:[^"\\]|\\.)*"\s*(?:PRI\w+|G_GINT64_FORMAT|G_GSIZE_FORMAT)?\s*)+)'
CALL = re.compile(r'\b(?:\w*(?:invalid|refuse|set_error(?:_literal)?|none|deny|denied))\(\s*(?:&?\w+,\s*)*?error,'
                  r'(?:\s*VIGIE_ERROR,)?(?:\s*VIGIE_ERROR_(\w+),)?\s*' + TEXT)
PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|(PRI\w+|G_GINT64_FORMAT|G_GSIZE_FORMAT)')


def plain(text):
    return text.replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"')


def formats():
    for room in ("csirt", "portal"):
        for path in sorted((ROOT / "src" / room).glob("*.c")):
            if path.name in AT_START:
                continue
            for code, text in CALL.findall(path.read_text()):
                message = "".join(a or b and "d" for a, b in PIECE.findall(text)).replace('\\"', '"')
                if code not in ("INTERNAL", "UNAVAILABLE") and " " in message and not message.startswith(OF_PROGRAMS):
                    yield path.name, plain(re.sub(r"%[-+ #0-9.]*(?:l|z)*[a-zA-Z]", "\u00a4", message))


def compiled(entries):
    for texts in entries.values():
        pieces = re.split(r"\{(\w+)\}", plain(texts["en"]))
        names = pieces[1::2]
        yield re.compile("(.*?)".join(re.escape(piece) for piece in pieces[0::2]) + r"\Z", re.S), names


def known(message, patterns, depth=0):
    if message == "\u00a4":
        return depth > 0
    for pattern, names in patterns:
        found = pattern.match(message)
        if not found:
            continue
        why = dict(zip(names, found.groups())).get("why")
        if why is None or (depth < 3 and known(why, patterns, depth + 1)):
            return True
    return False


def main():
    patterns = list(compiled(json.loads((ROOT / "knowledge/words/refusals.json").read_text())))
    all_of_them = list(formats())
    missing = [f"{name}: {message}" for name, message in all_of_them if not known(message, patterns)]
    print("1..2")
    print("ok 1 the sources were read" if len(all_of_them) > 90 else f"not ok 1 only {len(all_of_them)} refusals were found")
    for line in missing:
        print("# no French:", line)
    print(("not " if missing else "") + "ok 2 each refusal of the desk is known in French")
    return bool(missing)


sys.exit(main())
