"""Which process opens which secret, as strace sees it: each those that it works with, and no other's even to look."""
import os
import pathlib
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
from enrolling import Enrolling  # noqa: E402
from daemon import wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHU = Enrolling(registrar=True)
TRACE = CHU.path("trace")


def secret(name, octets=b"a secret\n"):
    CHU.path(name).write_bytes(octets)
    CHU.path(name).chmod(0o600)
    return str(CHU.path(name))


def mailbox(name):
    return {"url": "imap://127.0.0.1:9", "user": "x", "password_file": secret(f"{name}-password")}


def under_strace():
    """Starts it again with all secrets that a configuration can name, each system call that opens a file written down; strace
    steps aside (-D), so that the supervisor stays our child."""
    CHU.daemon.stop()
    groups = CHU.daemon.groups
    groups["csirt"] = {"team": secret("team.json", (ROOT / "knowledge/csirt/teams/cert-sante.json").read_bytes()),
                       "artefact_key": secret("artefact-key", os.urandom(32))}
    groups["mail"] = {"server": "smtp://127.0.0.1:9", "from": "vigie@chu.test", "user": "vigie", "tls": "required",
                      "password_file": secret("smtp-password")}
    groups["mailbox.incident"] = mailbox("incident")
    groups["pki"].update({"directory": "ldap://127.0.0.1:9", "directory_base": "dc=chu", "directory_user": "cn=v",
                          "directory_password_file": secret("directory-password")})
    CHU.daemon.write_config()
    program = CHU.daemon.program
    script = CHU.path("traced")
    script.write_text(f"#!/bin/sh\nexec strace -D -f -qq -s 300 -e trace=openat,open,execve,clone,clone3,fork,vfork -o {TRACE} {program} \"$@\"\n")
    script.chmod(0o755)
    CHU.daemon.program = str(script)
    CHU.daemon.environment["ASAN_OPTIONS"] = "detect_leaks=0"  # it wants to trace, too
    CHU.daemon.start()
    CHU.daemon.program = program


def opened():
    """{"portal": {names of files that it opened or tried to}, …}, threads counted as their process."""
    owner, found = {}, {}
    for line in TRACE.read_text(errors="replace").splitlines():
        pid, call = line.split(maxsplit=1)
        role = re.search(r'execve\(.*"--child", "(\w+)"', call)
        born = re.search(r"(?:clone3?|v?fork)(?:\(| resumed).* = (\d+)$", call)
        if role:
            owner[pid] = role[1]
        if born:
            owner.setdefault(born[1], owner.get(pid, "supervisor"))
        path = re.search(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]+)"', call)
        if path:
            found.setdefault(owner.get(pid, "supervisor"), set()).add(os.path.basename(path[1]))
    return found


def test_each_its_own():
    """the signer opens passphrase and keys; the portal the desk's files and the registrar; the worker the desk's and passwords"""
    one = CHU.device("traced")
    vigie.equal(CHU.request("validate", one["id"], "--account", "a.dsi", "--wait", 60)["state"], "issued")

    def tried():
        """the worker to want its passwords"""
        return {"directory-password", "incident-password"} & opened().get("worker", set())
    wait_for(tried, 40)
    found = opened()
    registrar = pathlib.Path(CHU.daemon.groups["pki"]["registrar"]).name
    keys = {name for name in found["signer"] if name.endswith(".key")}
    assert "equipements.key" in keys and "racine.key" not in keys, keys
    secrets = {"passphrase", "team.json", "artefact-key", "smtp-password", "incident-password", "directory-password", "evidence-key", "enrolment-key", registrar} | keys
    vigie.equal(found["signer"] & secrets, {"passphrase"} | keys)
    vigie.equal(found["portal"] & secrets, {"team.json", "artefact-key", "evidence-key", "enrolment-key", registrar})
    passwords = {"smtp-password", "incident-password", "directory-password"}
    vigie.equal(found["worker"] & (secrets - passwords), {"team.json", "artefact-key"})


with CHU:
    under_strace()
    tap.run([test_each_its_own])
