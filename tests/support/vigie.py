"""The program under test: $VIGIE, run as its users do."""
import json
import os
import subprocess

PROGRAM = os.environ.get("VIGIE", "vigie")


def run(*arguments, input=None, timeout=180, env=None, cwd=None):
    """The finished process: returncode, stdout, stderr."""
    return subprocess.run([PROGRAM, *arguments], input=input, capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})}, cwd=cwd)


def survey(*targets, depth="full", options=(), timeout=180):
    """The records of the targets, in their order. A record names its protocol, "tls" where the target did not."""
    done = run("survey", "--format", "jsonl", "--depth", depth, *options, *targets, timeout=timeout)
    assert done.returncode in (0, 1), f"vigie survey left with {done.returncode}: {done.stderr}"
    records = {record["target"]: record for record in map(json.loads, done.stdout.splitlines())}
    full = [target if "/" in target else f"{target}/tls" for target in targets]
    assert set(records) == set(full), f"asked for {full}, told of {sorted(records)}: {done.stderr}"
    return [records[target] for target in full]


def survey_one(target, **how):
    return survey(target, **how)[0]


def finding_ids(record):
    return [finding["id"] for finding in record["findings"]]


def equal(found, expected, what=""):
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"
