#!/usr/bin/env python3
"""Compiles knowledge/suites.csv, groups.csv and signatures.csv into the C tables of src/tls/names.c.

Columns: `versions` is a range of the protocol versions in which the value may be negotiated ("SSLv3-1.2", "1.3");
empty: it is never negotiated. `rank` orders the values that are usual, the likeliest to be accepted first; empty: rare,
offered after them in the order of the ids. A mistake in a file stops the build with its line.
"""
import csv
import sys

VERSIONS = ["SSLv2", "SSLv3", "1.0", "1.1", "1.2", "1.3"]
VERDICTS = ["insecure", "weak", "secure", "recommended"]
TLS12, TLS13 = 4, 5


def refuse(path, line, what):
    sys.exit(f"{path}:{line}: {what}")


def mask(text):
    if not text:
        return 0
    first, _, last = text.partition("-")
    low, high = VERSIONS.index(first), VERSIONS.index(last or first)
    if low > high:
        raise ValueError(text)
    return sum(1 << v for v in range(low, high + 1))


def load(path, columns):
    """The rows of a file as dictionaries, checked, in ascending order of id."""
    rows = []
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != columns:
            refuse(path, 1, f"columns must be {','.join(columns)}")
        for row in reader:
            line = reader.line_num
            try:
                row["id"] = int(row["id"], 16)
                row["rank"] = int(row["rank"]) if row["rank"] else None
                row["mask"] = mask(row.get("versions", ""))
                if "verdict" in columns:
                    row["verdict"] = VERDICTS.index(row["verdict"]) if row["verdict"] else 0
            except ValueError as error:
                refuse(path, line, f"not understood: {error}")
            if rows and row["id"] <= rows[-1]["id"]:
                refuse(path, line, "ids must ascend")
            if not row["name"].replace("_", "").isalnum():
                refuse(path, line, "a name is letters, digits and underscores")
            rows.append(row)
    return rows


def ordered(rows, version):
    """The 16-bit ids negotiable in a version, usual ones first."""
    usable = [r for r in rows if r["mask"] >> version & 1 and r["id"] <= 0xFFFF]
    usable.sort(key=lambda r: (r["rank"] is None, r["rank"] or 0, r["id"]))
    return [r["id"] for r in usable]


def array(out, name, ids):
    out.write(f"static const uint16_t {name}[] = {{{', '.join(f'0x{i:04X}' for i in ids)}}};\n")


def main(suites_path, groups_path, signatures_path, target):
    suites = load(suites_path, ["id", "name", "key_exchange", "authentication", "cipher", "mac", "versions",
                                "verdict", "rank"])
    groups = load(groups_path, ["id", "name", "versions", "rank"])
    signatures = load(signatures_path, ["id", "name", "rank"])
    with open(target, "w", encoding="ascii") as out:
        out.write("static const VigieSuite suites[] = {\n")
        for s in suites:
            out.write(f'{{0x{s["id"]:X}, "{s["name"]}", "{s["key_exchange"]}", "{s["authentication"]}", '
                      f'"{s["cipher"]}", "{s["mac"]}", {s["mask"]}, {s["verdict"]}}},\n')
        out.write("};\n")
        for name, rows in (("groups", groups), ("signatures", signatures)):
            out.write(f"static const struct pair {name}[] = {{\n")
            out.writelines(f'{{0x{r["id"]:04X}, "{r["name"]}"}},\n' for r in rows)
            out.write("};\n")
        for version in range(1, len(VERSIONS)):
            array(out, f"suites_of_{version}", ordered(suites, version))
        array(out, "groups_of_12", ordered(groups, TLS12))
        array(out, "groups_of_13", ordered(groups, TLS13))
        usual = sorted((r for r in suites if r["rank"] is not None), key=lambda r: r["rank"])
        array(out, "usual_suites", [r["id"] for r in usual])
        array(out, "usual_suites_before_13", [r["id"] for r in usual if r["mask"] != 1 << TLS13])
        usual = sorted((r for r in signatures if r["rank"] is not None), key=lambda r: r["rank"])
        array(out, "usual_signatures", [r["id"] for r in usual])
        usual = sorted((r for r in groups if r["rank"] is not None), key=lambda r: r["rank"])
        array(out, "usual_groups", [r["id"] for r in usual][:10])


if __name__ == "__main__":
    main(*sys.argv[1:])
