#!/usr/bin/env python3
"""Writes vigie.conf(5), its keys taken from the program that reads them: conf-manual.py EXAMPLE-PROGRAM PAGE.in OUTPUT"""
import pathlib
import re
import subprocess
import sys
import textwrap


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
        elif found := re.fullmatch(r'# (.*) \(([^()]*)\); for example: (.*)', line):
            meaning = found.groups()
        elif found := re.fullmatch(r'#(\w+) = (.*)', line):
            if meaning is None:
                sys.exit(f'conf-manual: no meaning before: {line}')
            yield (group, found[1], *meaning, found[2])
            meaning = None


def section(example):
    lines, last = [], None
    for group, name, meaning, kind, sample, default in keys(example):
        if group != last:
            lines += ['.El'] if last else []
            lines += [f'.Ss Group {group}', '.Bl -tag -width Ds']
            last = group
        lines += [f'.It Cm {name} No = Ar {quoted(kind)}', *(escaped(line) for line in textwrap.wrap(meaning, 70))]
        lines[-1] += ';'
        lines += ['by default', f'.Ql {quoted(default)} ,'] if default else ['by default empty,']
        lines += ['for example', f'.Ql {quoted(sample)} .']
    if not lines:
        sys.exit('conf-manual: no key was understood')
    return '\n'.join(lines + ['.El'])


def main():
    program, page, output = sys.argv[1:]
    example = subprocess.run([program], check=True, stdout=subprocess.PIPE, encoding='utf-8').stdout
    text = pathlib.Path(page).read_text(encoding='utf-8')
    pathlib.Path(output).write_text(text.replace('@KEYS@', section(example)), encoding='utf-8')


main()
