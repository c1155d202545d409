"""The signer under an account of its own: the others cannot read its files nor touch its process, and it comes and goes with them."""
import ast
import ctypes
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import registrar  # noqa: E402, F401: where the helpers are
from daemon import alive, stand_still, status_of, wait_for  # noqa: E402
from support import tap, vigie  # noqa: E402

if os.getuid() != 0:
    print("1..0 # SKIP only root can give processes two accounts")
    sys.exit(0)
from apart import OTHERS, SIGNER, Apart, as_account  # noqa: E402

CHU = Apart()
CHU.daemon.environment["LC_ALL"] = "en_US.UTF-8"  # in which the refusals below are read
LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH = 16


def test_accounts():
    """portal and worker run as the one account, keeper and signer as the other, none with a right left; it issues"""
    children = CHU.daemon.children()
    vigie.equal(set(children), {"portal", "worker", "signer"})
    for pids, account in (((CHU.daemon.process.pid, children["portal"], children["worker"]), OTHERS),
                          ((CHU.daemon.keeper(), children["signer"]), SIGNER)):
        for pid in pids:
            status = status_of(pid)
            vigie.equal(status["Uid"].split(), [str(account.pw_uid)] * 4, pid)
            for member in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"):
                vigie.equal(int(status[member], 16), 0, member)
            vigie.equal(status["NoNewPrivs"], "1", pid)
    vigie.equal(CHU.issue("first")["state"], "issued")


def test_shared_store():
    """the store and its log are the group's, whoever made them, and nothing else is; the key beside them its owner's alone"""
    folder = CHU.path("store")
    vigie.equal(oct(stat.S_IMODE(folder.stat().st_mode)), "0o2770")
    files = {path.name: path.stat() for path in folder.iterdir()}
    vigie.equal(oct(stat.S_IMODE(files.pop("enrolment-key").st_mode)), "0o600")
    assert {"vigie.db", "vigie.db-wal", "vigie.db-shm"} <= set(files), files
    for name, about in files.items():
        vigie.equal((oct(stat.S_IMODE(about.st_mode)), about.st_gid), ("0o660", OTHERS.pw_gid), name)
    new = [path for path in CHU.keys.iterdir() if "ocsp" in path.name]
    assert new, "the signer made a responder's key"
    for path in new:
        vigie.equal((path.stat().st_uid, oct(stat.S_IMODE(path.stat().st_mode))), (SIGNER.pw_uid, "0o600"), path)


def test_files():
    """passphrases and keys open for the signer's account, and not for that of portal and worker"""
    paths = [CHU.path("passphrase"), *sorted(CHU.keys.iterdir())]
    assert len(paths) >= 4, paths
    for path in paths:
        vigie.equal(as_account(SIGNER, lambda: len(path.read_bytes()) > 0), "True", path)
        vigie.equal(as_account(OTHERS, path.read_bytes), "PermissionError", path)
        vigie.equal(as_account(OTHERS, lambda: os.chmod(path, 0o644)), "PermissionError", path)
    vigie.equal(as_account(OTHERS, lambda: os.listdir(CHU.keys)), "PermissionError")
    for theirs in (CHU.path("evidence-key"), CHU.enrolment_key):
        assert theirs.stat().st_uid == OTHERS.pw_uid, theirs
        vigie.equal(as_account(SIGNER, theirs.read_bytes), "PermissionError", "and the others' are theirs")


def attach(pid):
    if LIBC.ptrace(PTRACE_ATTACH, pid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def read_memory(pid, address):
    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
    room = ctypes.create_string_buffer(16)
    here, there = Part(ctypes.addressof(room), 16), Part(address, 16)
    if LIBC.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) != 16:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
    return room.raw


def test_process():
    """no account reads the signer's memory or traces it, not even its own; the others cannot signal it; it leaves no core"""
    signer = CHU.daemon.children()["signer"]
    maps = pathlib.Path(f"/proc/{signer}/maps").read_text()
    address = int(maps.split("-")[0], 16)
    assert read_memory(signer, address), "root can: the address is right"
    for pid in (signer, CHU.daemon.keeper()):
        for account in (OTHERS, SIGNER):
            for file in ("mem", "maps", "environ", "auxv"):
                vigie.equal(as_account(account, lambda: open(f"/proc/{pid}/{file}", "rb").read(1)), "PermissionError", file)
            vigie.equal(as_account(account, lambda: os.listdir(f"/proc/{pid}/fd")), "PermissionError")
            vigie.equal(as_account(account, lambda: attach(pid)), "PermissionError")
            vigie.equal(as_account(account, lambda: read_memory(pid, address)), "PermissionError")
        for number in (0, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
            vigie.equal(as_account(OTHERS, lambda: os.kill(pid, number)), "PermissionError", number)
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]], limits
    assert alive(signer)


def another(before):
    def found():
        """another signer"""
        now = CHU.daemon.children().get("signer")
        return now if now and now != before else None
    return wait_for(found, 60)


def test_come_back():
    """a signer that is killed or crashes comes back under its account, is told of, and signs"""
    for how, words in ((signal.SIGKILL, "ended by signal 9"), (signal.SIGABRT, "ended by signal 6")):
        before = CHU.daemon.children()["signer"]
        os.kill(before, how)
        vigie.equal(status_of(another(before))["Uid"].split()[0], str(SIGNER.pw_uid))
        assert f"the signer was {words}" in CHU.daemon.log(), CHU.daemon.log()[-500:]
    vigie.equal(CHU.issue("after")["state"], "issued")


def test_reload():
    """SIGHUP starts all anew, the signer too; one that hangs is killed after half a minute"""
    before, ready = CHU.daemon.children(), CHU.daemon.log().count("are at work")
    CHU.daemon.process.send_signal(signal.SIGHUP)
    after = another(before["signer"])
    wait_for(lambda: CHU.daemon.log().count("are at work") > ready, 30)
    vigie.equal(status_of(after)["Uid"].split()[0], str(SIGNER.pw_uid))
    stand_still(after)
    CHU.daemon.process.send_signal(signal.SIGHUP)
    another(after)
    assert "the signer did not end: killed" in CHU.daemon.log(), CHU.daemon.log()[-500:]
    vigie.equal(CHU.issue("reloaded")["state"], "issued")


def all_pids():
    return [CHU.daemon.process.pid, CHU.daemon.keeper(), *CHU.daemon.children().values()]


def gone(pids):
    def look():
        """all processes to be gone"""
        return not any(alive(pid) for pid in pids)
    wait_for(look, 40)


def test_end():
    """told to end, all end in order; the supervisor killed, all end; the keeper killed, all end and say so"""
    pids = all_pids()
    vigie.equal(CHU.daemon.stop(), 0, CHU.daemon.log()[-500:])
    gone(pids)
    CHU.daemon.start()
    pids = all_pids()
    CHU.daemon.process.kill()
    CHU.daemon.process.wait()
    gone(pids)
    CHU.daemon.start()
    pids = all_pids()
    os.kill(CHU.daemon.keeper(), signal.SIGKILL)
    vigie.equal(CHU.daemon.process.wait(60), 2)
    gone(pids)
    assert "the keeper of the signer's account has ended" in CHU.daemon.log()
    CHU.daemon.start()


def test_without_root():
    """who is not root starts it with two capabilities, which nobody has afterwards"""
    CHU.daemon.stop()
    arguments = ["setpriv", "--reuid", OTHERS.pw_name, "--regid", str(OTHERS.pw_gid), "--clear-groups",
                 "--bounding-set", "-all,+setuid,+setgid", "--inh-caps", "+setuid,+setgid", "--ambient-caps", "+setuid,+setgid"]
    whole = CHU.daemon.program
    script = CHU.path("start")
    script.write_text("#!/bin/sh\nexec %s %s \"$@\"\n" % (" ".join(arguments), whole))
    script.chmod(0o755)
    CHU.daemon.program = str(script)
    try:
        CHU.daemon.start()
        test_accounts_only()
        vigie.equal(CHU.issue("ambient")["state"], "issued")
    finally:
        CHU.daemon.stop()
        CHU.daemon.program = whole
        CHU.daemon.start()


def test_accounts_only():
    children = CHU.daemon.children()
    for pid, account in ((children["portal"], OTHERS), (CHU.daemon.keeper(), SIGNER), (children["signer"], SIGNER)):
        status = status_of(pid)
        vigie.equal((status["Uid"].split()[0], int(status["CapPrm"], 16), int(status["CapAmb"], 16)), (str(account.pw_uid), 0, 0), pid)


def test_refused():
    """accounts that would keep nothing apart stop the start, and the line says which key and what to do"""
    CHU.daemon.stop()
    right = dict(CHU.daemon.groups["process"])
    for process, words in (({"user": "nobody", "signer_user": "nobody"}, "neither root nor another process has"),
                           ({"user": "nobody", "signer_user": "root"}, "neither root nor another process has"),
                           ({"signer_user": "_apt"}, "[process] user = vigie"),
                           ({"user": "nobody", "signer_user": "no-such-one"}, "there is no such account"),
                           ({"user": "nobody", "signer_user": "sync"}, "adduser sync nogroup")):
        if process.get("signer_user") == "sync":
            process["user"] = "daemon"
            words = "adduser sync daemon"
        CHU.daemon.groups["process"] = process
        CHU.daemon.write_config()
        done = subprocess.run([CHU.daemon.program, "serve", "--config", str(CHU.config)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **CHU.daemon.environment})
        vigie.equal((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
        assert "[process] signer_user = " in done.stderr and words in done.stderr, done.stderr
    CHU.daemon.groups["process"] = right
    CHU.daemon.write_config()

    def start():
        return subprocess.run([CHU.daemon.program, "serve", "--config", str(CHU.config)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **CHU.daemon.environment}).stderr
    said = as_account(OTHERS, start)
    assert "only root can become another" in said, said
    CHU.daemon.start()


def doctor(account=None):
    """{state: [ what is said of the signer ]}; by root, or by this account."""
    def run():
        return subprocess.run([CHU.daemon.program, "doctor", "--json", "--lang", "en", "--config", str(CHU.config)], capture_output=True,
                              text=True, timeout=60, env={**os.environ, **CHU.daemon.environment})
    told = as_account(account, lambda: run().stdout) if account else run().stdout
    checks = json.loads(ast.literal_eval(told) if account else told)["checks"]
    found = {}
    for check in checks:
        if check["id"] in ("signer", "signer-account"):
            found.setdefault(check["state"], []).append(f"{check['what']} -> {check['remedy']}")
    assert not [check for check in checks if check["id"] == "store-mode"], "the group's store is as it should be"
    return found


def test_doctor():
    """the doctor tries the keys as the signer, and says, with the remedy, what the others could read"""
    told = doctor()
    vigie.equal(set(told), {"well"}, told)
    assert "the key of equipements opens" in str(told) and "only the account _apt reads" in str(told), told
    os.chmod(CHU.path("passphrase"), 0o440)  # for the group that both are in
    os.chmod(CHU.keys, 0o755)
    os.chmod(CHU.keys / "equipements.key", 0o644)
    told = doctor()
    for path in (CHU.path("passphrase"), CHU.keys / "equipements.key"):
        assert f"the other processes can read {path} -> chown -R _apt: {path} && chmod -R go= {path}" in str(told["broken"]), told
        subprocess.run(f"chown -R _apt: {path} && chmod -R go= {path}", shell=True, check=True)
    os.chmod(CHU.keys, 0o700)
    vigie.equal(set(doctor()), {"well"})
    told = doctor(OTHERS)
    assert "cannot try the keys of _apt -> run vigie doctor as root" in str(told["unknown"]), told
    os.chmod(CHU.path("passphrase"), 0)
    told = doctor()
    assert "the key of equipements does not open" in str(told["broken"]), told
    os.chmod(CHU.path("passphrase"), 0o400)


def test_ordinary():
    """without an account for the signer all of it runs as one ordinary user, whose store is closed to others"""
    CHU.daemon.stop()
    whole, script = CHU.daemon.program, CHU.path("ordinary")
    for path in (CHU.path("passphrase"), CHU.keys, *CHU.keys.iterdir()):
        os.chown(path, OTHERS.pw_uid, OTHERS.pw_gid)
    os.chmod(CHU.path("store"), 0o700)
    os.chmod(CHU.path("store") / "vigie.db", 0o600)
    script.write_text(f"#!/bin/sh\nexec setpriv --reuid {OTHERS.pw_name} --regid {OTHERS.pw_gid} --clear-groups {whole} \"$@\"\n")
    script.chmod(0o755)
    CHU.daemon.program = str(script)
    CHU.daemon.groups["process"] = {}
    CHU.daemon.write_config()
    CHU.daemon.start()
    for pid in CHU.daemon.children().values():
        vigie.equal(status_of(pid)["Uid"].split(), [str(OTHERS.pw_uid)] * 4)
    vigie.equal(CHU.issue("ordinary")["state"], "issued")
    vigie.equal({oct(stat.S_IMODE(path.stat().st_mode)) for path in CHU.path("store").iterdir()}, {"0o600"})


try:
    with CHU:
        CHU.account("c.martin", role="biomed")
        CHU.account("a.dsi", "dsi")
        tap.run([test_accounts, test_shared_store, test_files, test_doctor, test_process, test_come_back, test_reload, test_end, test_without_root,
                 test_refused, test_ordinary])
finally:
    CHU.clean()
