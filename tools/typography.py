#!/usr/bin/env python3
"""French typography in the texts of knowledge/: tools/typography.py [FILE …], all of them by default.

No-break spaces inside « » and before : ; ? !, and ’ for an apostrophe; in English ’ and “ ” too. Only members "fr" and
"en" are touched, and the layout of the file is kept. A test holds every text to it (record-diagnosis)."""
import json
import pathlib
import re
import sys

NO_BREAK, NARROW = "\u00a0", "\u202f"
TEXT = r'"(?:[^"\\]|\\.)*"'
MEMBER = re.compile(r'("(fr|en)"\s*:\s*)(' + TEXT + r'|\[(?:[^\]"]|' + TEXT + r')*\])')


def mend(text, language):
    text = re.sub(r"(?<=[^\W\d_])'(?=[^\W\d_])", "’", text)
    if language == "en":
        text = re.sub(r"(?<=s)'(?= [a-z])", "’", text)
        return re.sub(r'\\"((?:[^"\\])*)\\"', r"“\1”", text)
    text = re.sub("« ?", "«" + NO_BREAK, text)
    text = re.sub("[ ]?»", NO_BREAK + "»", text).replace(NO_BREAK * 2, NO_BREAK)
    text = re.sub(r"(?<=\S) :(?=\s|$|\\n)", NO_BREAK + ":", text)
    return re.sub(r"(?<=\S) ([;?!])(?=\s|$|»|\\n)", NARROW + r"\1", text)


def mend_member(match):
    opening, language, value = match.groups()
    return opening + re.sub(r'"((?:[^"\\]|\\.)*)"', lambda text: f'"{mend(text.group(1), language)}"', value)


knowledge = pathlib.Path(__file__).parent.parent / "knowledge"
default = [knowledge / "diagnosis.json", knowledge / "glossary.json", *sorted((knowledge / "words").glob("*.json")),
           *sorted((knowledge / "csirt").glob("*.json")), *sorted((knowledge / "documents").glob("*.json"))]
for path in map(pathlib.Path, sys.argv[1:] or default):
    before = path.read_text(encoding="utf-8")
    after = MEMBER.sub(mend_member, before)
    json.loads(after)
    if after != before:
        path.write_text(after, encoding="utf-8")
        print(f"{path}: mended")
