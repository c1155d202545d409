"""A hospital whose signer has an account of its own: root starts it, two accounts run it, and each file is one's."""
import os
import pathlib
import pwd
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from registrar import Registrar  # noqa: E402
from support import vigie  # noqa: E402

# Both are on every Debian, and their groups are one: the store's.
OTHERS, SIGNER = pwd.getpwnam("nobody"), pwd.getpwnam("_apt")
REFUSED = (PermissionError, ProcessLookupError)


def give(path, account, mode):
    os.chown(path, account.pw_uid, account.pw_gid)
    os.chmod(path, mode)


def as_account(account, what):
    """What what() answers, or the name of the error that it raises, in a process of that account."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            said = repr(what())
        except BaseException as error:
            said = type(error).__name__
        os.write(theirs, said.encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


class Apart(Registrar):
    """with Apart() as chu: root's commands, and a `vigie serve` of two accounts"""

    def __init__(self, **keys):
        super().__init__(init=False, **keys)
        os.chmod(self.folder, 0o755)
        self.keys = self.path("keys")
        self.keys.mkdir()
        text = self.path("hierarchy.conf").read_text()
        for name in ("racine", "equipements"):
            text = text.replace(f"[authority {name}]\n", f"[authority {name}]\nkey_file = {self.keys}/{name}.key\n")
        self.path("hierarchy.conf").write_text(text)
        self.ca("init", self.path("hierarchy.conf"))
        for name in ("racine", "equipements"):
            self.path(f"{name}.pem").write_text(self.ca("show", name, "--pem").stdout)
        give(self.keys, SIGNER, 0o700)
        for key in self.keys.iterdir():
            give(key, SIGNER, 0o600)
        give(self.path("passphrase"), SIGNER, 0o400)
        give(self.path("evidence-key"), OTHERS, 0o400)
        self.own_store()
        # A copy that the accounts can reach, wherever this one was built.
        self.daemon.program = shutil.copy(vigie.PROGRAM, self.folder)
        knowledge = self.path("knowledge")
        shutil.copytree(pathlib.Path(__file__).resolve().parents[2] / "knowledge", knowledge)
        self.daemon.environment["VIGIE_KNOWLEDGE"] = str(knowledge)
        # Beside the SQLite store, which both accounts write to; where there is none, made before.
        self.enrolment_key = self.path("enrolment-key")
        if self.path("store").exists():
            del self.daemon.groups["pki"]["enrolment_key"]
            self.enrolment_key = self.path("store") / "enrolment-key"
        else:
            self.enrolment_key.write_bytes(os.urandom(32))
            give(self.enrolment_key, OTHERS, 0o600)
        self.daemon.groups["process"] = {"user": OTHERS.pw_name, "signer_user": SIGNER.pw_name}
        self.daemon.write_config()
        os.chmod(self.config, 0o644)

    def store(self):
        if os.environ.get("VIGIE_TEST_POSTGRESQL"):
            return super().store()
        return f"sqlite:{self.path('store')}/vigie.db"

    def own_store(self):
        folder = self.path("store")
        if folder.exists():
            for path in [folder, *folder.iterdir()]:
                give(path, OTHERS, 0o700 if path == folder else 0o600)

    def ca(self, *arguments, **keys):
        self.path("store").mkdir(exist_ok=True)
        return super().ca(*arguments, **keys)

    def issue(self, name):
        """A device's certificate, asked for, validated, signed."""
        one = self.device(name)
        return self.request("validate", one["id"], "--account", "a.dsi", "--wait", 60, "--out", self.path(f"{name}.pem"))

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)
