#!/usr/bin/env python3
"""Writes vigie.conf(5) in a language, its keys taken from the program that reads them, which says them with the words of a folder:
conf-manual.py EXAMPLE-PROGRAM LANG KNOWLEDGE PAGE.in OUTPUT"""
import os
import pathlib
import re
import subprocess
import sys
import textwrap


SAID = {'en': ('Group', 'by default', 'by default empty,', 'for example', ';'),
        'fr': ('Groupe', 'par défaut', 'vide par défaut,', 'par exemple', '\\~;')}


def escaped(text):
    text = text.replace('\\', '\\e').replace('"', '\\(dq')
    return '\\&' + text if text[:1] in ".'" else text


def quoted(text):
    return f'"{escaped(text)}"'


def keys(example):
    """(group, name, meaning, type, example, default) of each, in order."""
    group = meaning = None
    for line in example.splitlines():
        if line.startswith('['):
            group = line[1:-1]
        elif found := re.fullmatch(r'# (.*) \(([^()]*)\)\s*; (?:for example|par exemple\s*): (.*)', line):
            meaning = found.groups()
        elif found := re.fullmatch(r'#(\w+) = (.*)', line):
            if meaning is None:
                sys.exit(f'conf-manual: no meaning before: {line}')
            yield (group, found[1], *meaning, found[2])
            meaning = None


def section(lang, example):
    word, by_default, empty, for_example, end = SAID[lang]
    lines, last = [], None
    for group, name, meaning, kind, sample, default in keys(example):
        if group != last:
            lines += ['.El'] if last else []
            lines += [f'.Ss {word} {group}', '.Bl -tag -width Ds']
            last = group
        lines += [f'.It Cm {name} No = Ar {quoted(kind)}',
                  *(escaped(line) for line in textwrap.wrap(meaning, 70, break_on_hyphens=False))]
        lines[-1] += end
        lines += [by_default, f'.Ql {quoted(default)} ,'] if default else [empty]
        lines += [for_example, f'.Ql {quoted(sample)} .']
    if not lines:
        sys.exit('conf-manual: no key was understood')
    return '\n'.join(lines + ['.El'])


def main():
    program, lang, knowledge, page, output = sys.argv[1:]
    example = subprocess.run([program, lang], check=True, stdout=subprocess.PIPE, encoding='utf-8',
                             env={**os.environ, 'VIGIE_KNOWLEDGE': knowledge}).stdout
    text = pathlib.Path(page).read_text(encoding='utf-8')
    pathlib.Path(output).write_text(text.replace('@KEYS@', section(lang, example)), encoding='utf-8')


main()
