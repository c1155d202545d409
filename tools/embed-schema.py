#!/usr/bin/env python3
"""Writes the schema files as a C table: embed-schema.py OUTPUT.c FILE.sql …

Refuses a file of the folder that the build does not list, and two files of one number: either would be a table that
is missing on the user's machine only."""
import pathlib
import re
import sys


def literal(text):
    lines = text.splitlines(keepends=True)
    escaped = (line.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') for line in lines)
    return '\n        '.join(f'"{line}"' for line in escaped)


def main():
    output, *names = sys.argv[1:]
    files = sorted((pathlib.Path(name) for name in names), key=lambda file: file.name)
    missing = sorted(set(path.name for path in files[0].parent.glob('*.sql')) - set(file.name for file in files))
    if missing:
        sys.exit(f'embed-schema: list {", ".join(missing)} in src/store/meson.build')
    entries, seen = [], {}
    for file in files:
        match = re.fullmatch(r'(\d{4})-([a-z0-9-]+)\.sql', file.name)
        if not match:
            sys.exit(f'embed-schema: {file.name}: a name such as 0012-devices.sql is wanted')
        number = int(match[1])
        if number in seen:
            sys.exit(f'embed-schema: {file.name} and {seen[number]} have the same number')
        seen[number] = file.name
        sql = file.read_text(encoding='utf-8')
        entries.append(f'    {{\n        {number},\n        "{match[2]}",\n        {literal(sql)},\n    }},\n')
    table = ''.join(entries)
    pathlib.Path(output).write_text('#include "store/backend.h"\n\n'
                                    '/* ISO C promises 4095 characters; our compilers have no such limit. */\n'
                                    '#pragma GCC diagnostic ignored "-Woverlength-strings"\n\n'
                                    f'const StoreMigration store_migrations[] = {{\n{table}    {{0}},\n}};\n',
                                    encoding='utf-8')


main()
