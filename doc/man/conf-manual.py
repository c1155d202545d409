#!/usr/bin/env python3
"""Writes vigie.conf(5) in a language, its keys taken from the program that reads them, what is said of them from
knowledge/words/config.json: conf-manual.py EXAMPLE-PROGRAM LANG WORDS PAGE.in OUTPUT"""
import json
import pathlib
import re
import subprocess
import sys
import textwrap


SAID = {'en': ('Group', 'by default', 'by default empty,', 'for example', {}),
        'fr': ('Groupe', 'par défaut', 'vide par défaut,', 'par exemple',
               {'text': 'texte', 'a whole number': 'un nombre entier', 'true or false': 'true ou false', 'a duration': 'une durée',
                "a list, ';' between": "une liste, « ; » entre deux"})}


def meaning_in(lang, words, key, meaning):
    """The program says it in English; the words have to have the same, so that the French is of what is meant today."""
    said = words.get(f'config.{key}')
    if not said or re.sub('[’“”]', "'", said['en']) != re.sub('["’]', "'", meaning):
        sys.exit(f'conf-manual: knowledge/words/config.json wants "config.{key}": {{ "fr": "…", "en": "{meaning}" }}')
    return said[lang]


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


def section(lang, words, example):
    word, by_default, empty, for_example, kinds = SAID[lang]
    lines, last = [], None
    for group, name, meaning, kind, sample, default in keys(example):
        if group != last:
            lines += ['.El'] if last else []
            lines += [f'.Ss {word} {group}', '.Bl -tag -width Ds']
            last = group
        meaning = meaning_in(lang, words, f'{group}.{name}', meaning)
        lines += [f'.It Cm {name} No = Ar {quoted(kinds.get(kind, kind))}',
                  *(escaped(line) for line in textwrap.wrap(meaning, 70, break_on_hyphens=False))]
        lines[-1] += '\\~;' if lang == 'fr' else ';'
        lines += [by_default, f'.Ql {quoted(default)} ,'] if default else [empty]
        lines += [for_example, f'.Ql {quoted(sample)} .']
    if not lines:
        sys.exit('conf-manual: no key was understood')
    return '\n'.join(lines + ['.El'])


def main():
    program, lang, catalogue, page, output = sys.argv[1:]
    example = subprocess.run([program], check=True, stdout=subprocess.PIPE, encoding='utf-8').stdout
    words = json.loads(pathlib.Path(catalogue).read_text(encoding='utf-8'))
    text = pathlib.Path(page).read_text(encoding='utf-8')
    pathlib.Path(output).write_text(text.replace('@KEYS@', section(lang, words, example)), encoding='utf-8')


main()
