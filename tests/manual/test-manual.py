#!/usr/bin/env python3
"""Holds the manual pages to the program, and the documentation to the tree: test-manual.py VIGIE CONF-PAGE. Prints TAP."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
from tap import run

VIGIE, CONF, CONF_FR = sys.argv[1:]
PAGES = sorted((ROOT / 'doc' / 'man').glob('*.[1-9]'))
FRENCH = ROOT / 'doc' / 'man' / 'fr'
SECTIONS = {'NOM': 'NAME', 'STATUT DE SORTIE': 'EXIT STATUS', 'EXEMPLES': 'EXAMPLES', 'VOIR AUSSI': 'SEE ALSO', 'FICHIERS': 'FILES',
            'ENVIRONNEMENT': 'ENVIRONMENT', 'HIÉRARCHIE': 'HIERARCHY', 'GÉNÉRATIONS': 'GENERATIONS', 'JETONS': 'TOKENS',
            'SIGNAUX': 'SIGNALS', 'CONSIDÉRATIONS DE SÉCURITÉ': 'SECURITY CONSIDERATIONS', 'RÉVOCATION': 'REVOCATION', 'SORTIE JSON': 'JSON OUTPUT', 'NORMES': 'STANDARDS', 'CLÉS': 'KEYS',
            'SYNOPSIS': 'SYNOPSIS', 'DESCRIPTION': 'DESCRIPTION', 'OPTIONS': 'OPTIONS'}
# What stands after these macros is typed as it is, in every language.
LITERAL = {'Fl', 'Cm', 'Ql', 'Pa', 'Va', 'Ev', 'Dv', 'Xr', 'Ic'}
CALLED = {'Ar', 'No', 'Ns', 'Op', 'Oo', 'Oc', 'Nm', 'Pq', 'Sx'}
# Told once, in vigie(1).
COMMON = {'--help', '--lang'}


def said(*arguments):
    done = subprocess.run([VIGIE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8',
                          env={**os.environ, 'LC_ALL': 'en_US.UTF-8', 'VIGIE_KNOWLEDGE': str(ROOT / 'knowledge')})
    assert done.returncode == 0, f'vigie {" ".join(arguments)}: {done.returncode}: {done.stdout}'
    return done.stdout


def command_of(page):
    return page.stem.removeprefix('vigie-')


def forms_of(command, lang='en'):
    """What `vigie COMMAND --help` lists as its commands."""
    listed = re.search(r'^Comm\w+\W+\n(.*?)\n\n', said(*command, '--help', '--lang', lang), re.MULTILINE | re.DOTALL)
    return re.findall(r'^  ([a-z-]+)  ', listed[1], re.MULTILINE) if listed else []


def options_of_help(command):
    """Those of the command and of each of its forms."""
    helps = [said(*command, '--help'), *(said(*command, form, '--help') for form in forms_of(command))]
    own = [text for text in helps if text.startswith(f'Usage: vigie {" ".join(command)} ')]  # fleet renew is ca renew
    return set(re.findall(r'^ +(?:-\w, )?(--[a-z][a-z-]*)', '\n'.join(own), re.MULTILINE)) - COMMON


def options_of_page(page):
    """{('fleet', 'import'): {'--organisation', …}}: by sub-section "vigie fleet import", else the page's command."""
    own = (command_of(page),)
    command, found = own, {own: set()}
    for line in page.read_text(encoding='utf-8').splitlines():
        if line.startswith('.Sh '):
            command = own
        elif heading := re.fullmatch(r'\.Ss vigie ([a-z -]+)', line):
            command = tuple(heading[1].split())
            found[command] = set()
        elif line.startswith('.It Fl '):
            found[command] |= {'-' + name for name in re.findall(r'Fl (-[a-z][a-z-]*)', line)}
    return {command: options - COMMON for command, options in found.items()}


def test_lint():
    """mandoc finds nothing to say of any page"""
    pages = [*PAGES, CONF]
    done = subprocess.run(['mandoc', '-Tlint', *pages], stdout=subprocess.PIPE, encoding='utf-8')
    wrong = [line for line in done.stdout.splitlines() if 'referenced manual not found: Xr vigie' not in line]
    assert not wrong, '\n'.join(wrong)


def english_sections(page):
    """A French page as mandoc, which knows the names of sections in English alone, has to see it."""
    return re.sub(r'^\.Sh (.*)$', lambda found: f'.Sh {SECTIONS[found[1]]}', page.read_text(encoding='utf-8'), flags=re.MULTILINE)


def pairs():
    """Each page with its French one."""
    return [*((page, FRENCH / page.name) for page in PAGES), (pathlib.Path(CONF), pathlib.Path(CONF_FR))]


def literals(text):
    """{('Fl', '-json'), …}: what is typed as it stands."""
    found = set()
    for line in re.findall(r'^\.(.*)$', text, re.MULTILINE):
        macro = None
        for word in line.split():
            if word in LITERAL or word in CALLED:
                macro = word
            elif macro in LITERAL and not re.fullmatch(r'[][,.:;()|?!]', word):
                found.add((macro, word))
    return found


def examples(text):
    return re.findall(r'^\.Dl (.*)$', text, re.MULTILINE) + re.findall(r'^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$', text, re.MULTILINE)


def test_french_lint():
    """mandoc and groff warn of nothing in any French page, and what is said has the spaces of French"""
    for _, page in pairs():
        done = subprocess.run(['mandoc', '-Tlint', '-Wwarning'], input=english_sections(page), stdout=subprocess.PIPE, encoding='utf-8')
        assert not done.stdout, f'{page.name}: {done.stdout}'
        done = subprocess.run(['groff', '-ww', '-mandoc', '-k', '-Tutf8', page], capture_output=True, encoding='utf-8')
        assert not done.stderr, done.stderr
        for line in re.sub(r'^\.Bd -literal(?:.*\n)*?\.Ed$', '', page.read_text(encoding='utf-8'), flags=re.MULTILINE).splitlines():
            assert line.startswith('.') or not re.search(r"\w [:;?!»](?:\s|$)|« |\w'\w", line), f'{page.name}: {line}'


def test_french_same():
    """each page has a French one with the same sections, options, keys, paths, references and examples, and of the same day"""
    assert {page.name for page in FRENCH.glob('*.1')} == {page.name for page in PAGES}
    for page, french in pairs():
        english, translated = page.read_text(encoding='utf-8'), french.read_text(encoding='utf-8')
        sections = re.findall(r'^\.Sh (.*)$', english, re.MULTILINE)
        assert re.findall(r'^\.Sh (.*)$', english_sections(french), re.MULTILINE) == sections, page.name
        wrong = literals(english) ^ literals(translated)
        assert not wrong, f'{page.name}: in one language only: {sorted(wrong)}'
        told, retold = ([re.findall(r'(?:Fl|Cm) ([^ ]+)', line) for line in re.findall(r'^\.It (.*)$', text, re.MULTILINE)]
                        for text in (english, translated))
        assert told == retold, f'{page.name}: {[pair for pair in zip(told, retold) if pair[0] != pair[1]]}'
        assert examples(english) == examples(translated), f'{page.name}: the examples differ'
        month, day, year = re.search(r'^\.Dd (\w+) (\d+), (\d+)$', english, re.MULTILINE).groups()
        date = f"{year}-{'JanFebMarAprMayJunJulAugSepOctNovDec'.index(month[:3]) // 3 + 1:02}-{int(day):02}"
        assert f'.Dd {date}\n' in translated, f'{page.name} is of {date}: mend its French page, and date it so'


def test_references():
    """each page of ours that a page refers to exists"""
    names = {page.name for page in PAGES} | {pathlib.Path(CONF).name}
    for page in (*PAGES, pathlib.Path(CONF)):
        for name, number in re.findall(r'^\.Xr (vigie[a-z.-]*) ([1-9])', page.read_text(encoding='utf-8'), re.MULTILINE):
            assert f'{name}.{number}' in names, f'{page.name} refers to {name}({number}), which is not there'


def test_options():
    """each page tells the options of --help, all of them and no other"""
    for page in PAGES:
        if '-' not in page.stem:
            continue
        for command, told in options_of_page(page).items():
            offered = options_of_help(command)
            name = ' '.join(command)
            assert told == offered, (f'{page.name}, vigie {name}: not in the page {sorted(offered - told)}, '
                                     f'not in --help {sorted(told - offered)}')


def test_commands():
    """vigie(1) lists the commands of --help, and each has a page"""
    offered = set(re.findall(r'^  ([a-z-]+) ', said('--help'), re.MULTILINE))
    listed = set(re.findall(r'^\.It Cm ([a-z-]+)', (ROOT / 'doc/man/vigie.1').read_text(encoding='utf-8'), re.MULTILINE))
    paged = {command_of(page) for page in PAGES if '-' in page.stem}
    assert offered == listed == paged, f'--help {sorted(offered)}, vigie(1) {sorted(listed)}, pages {sorted(paged)}'


def test_links():
    """each file that the documentation names or links to exists"""
    for text in (*ROOT.glob('*.md'), *(ROOT / 'doc').rglob('*.md'), *(ROOT / 'bench').rglob('*.md')):
        content = text.read_text(encoding='utf-8')
        named = [(text.parent, path) for path in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', content)]
        named += [(ROOT, path) for path in
                  re.findall(r'`((?:src|knowledge|tests|fuzz|lab|bench|doc|tools)/[A-Za-z0-9._/-]+)`', content)]
        for base, path in named:
            if not re.search('NAME|NNNN|ROOM', path):
                assert (base / path).exists(), f'{text.relative_to(ROOT)} names {path}, which is not there'


def test_promises():
    """each test that doc/pki-robustness.md names is there, is run, and each of its rows names one"""
    for line in (ROOT / 'doc/pki-robustness.md').read_text(encoding='utf-8').splitlines():
        if not line.startswith('| ') or line.startswith('| promise'):
            continue
        named = re.findall(r'`(test_[a-z]+\.py):(test_[a-z_]+)`', line)
        assert named or '`fuzz/' in line, line
        for file, test in named:
            text = (ROOT / 'tests/pki' / file).read_text(encoding='utf-8')
            assert f'def {test}(' in text and re.search(rf'\b{test}\b', text[text.index('tap.run('):]), f'{file}: {test}'


def test_metrics():
    """doc/metrics.md names the metrics that the sources write"""
    written = set()
    for source in (ROOT / 'src').rglob('*.c'):
        written |= set(re.findall(r'"(?:# HELP )?(vigie_[a-z_]+)', source.read_text(encoding='utf-8')))
    named = set(re.findall(r'^\| `(vigie_[a-z_]+)`', (ROOT / 'doc/metrics.md').read_text(encoding='utf-8'), re.MULTILINE))
    assert written == named, f'not in doc/metrics.md {sorted(written - named)}, not written {sorted(named - written)}'


def test_rooms():
    """the architecture's table and its drawing have each room of src/, and no other; the drawing each process that may be started"""
    rooms = {folder.name for folder in (ROOT / 'src').iterdir() if folder.is_dir()}
    table = re.findall(r'^\| `([a-z0-9]+)/` \|', (ROOT / 'doc/architecture.md').read_text(encoding='utf-8'), re.MULTILINE)
    drawing = (ROOT / 'doc/architecture.svg').read_text(encoding='utf-8')
    drawn = re.findall(r'</?rect[^>]*/><text[^>]*>([a-z0-9]+)</text>', drawing)
    assert sorted(table) == sorted(rooms), f'table: {sorted(rooms ^ set(table))}'
    assert sorted(drawn) == sorted(rooms), f'drawing: {sorted(rooms ^ set(drawn))}'
    for process in ('supervisor', 'portal', 'worker', 'signer'):
        assert f'class="name">{process}<' in drawing, process


run([test_rooms, test_lint, test_french_lint, test_french_same, test_references, test_options, test_commands, test_links, test_promises, test_metrics])
