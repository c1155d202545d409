"""A PostgreSQL cluster of a test's own: a temporary folder, a Unix socket and a free port on loopback.

    with Cluster() as cluster:
        run(env={'VIGIE_TEST_POSTGRESQL': cluster.url})

PostgreSQL refuses to run as root: the folder and the processes then belong to the user `postgres`, or `nobody`."""
import glob
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile


def programs():
    """The folder of initdb and postgres; Debian keeps them out of the PATH."""
    found = sorted(glob.glob('/usr/lib/postgresql/*/bin'), key=lambda path: int(path.split('/')[4]))
    if found:
        return found[-1]
    initdb = shutil.which('initdb')
    if not initdb:
        raise SystemExit('Bail out! PostgreSQL is missing: apt-get install postgresql')
    return os.path.dirname(initdb)


def unprivileged():
    if os.getuid() != 0:
        return None
    for name in ('postgres', 'nobody'):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SystemExit('Bail out! PostgreSQL does not run as root, and there is no user postgres or nobody')


# Below those that Linux gives to connections, which come and go as they please.
PORTS = range(16384, 32768)
HELD = []


def hold(name):
    """Whether this process has that name now, alone, until it ends."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f'\0vigie-test-{name}')
    except OSError:
        holder.close()
        return False
    HELD.append(holder)
    return True


def free_port():
    """A port that nobody listens on, and that no other test is given."""
    while True:
        port = random.choice(PORTS)
        try:
            with socket.socket() as probe:
                probe.bind(('', port))
        except OSError:
            continue
        if hold(f'port-{port}'):
            return port


def free_network():
    """The first octets of addresses of loopback that no other test is given, as a lab takes them."""
    return next(network for number in range(20, 220) if hold(network := f'127.{number}'))


class Cluster:
    """settings: lines of postgresql.conf; durable: with fsync, which tests rarely need; folder: where to make it."""

    def __init__(self, settings=None, durable=False, folder=None):
        self.settings = settings or {}
        self.durable = durable
        self.parent = folder
        self.process = None
        self.port = free_port()

    def __enter__(self):
        # A test that is told to end leaves by its `with`, and takes the server along.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.bin = programs()
        self.user = unprivileged()
        self.folder = tempfile.mkdtemp(prefix='vigie-pg-', dir=self.parent)
        try:
            # Other accounts reach the socket; the data are the server's alone.
            os.chmod(self.folder, 0o711)
            if self.user:
                os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
            self.data = os.path.join(self.folder, 'data')
            self.run('initdb', '-D', self.data, '-U', 'vigie', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8',
                     '--no-sync')
            self.configure()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def identity(self):
        if not self.user:
            return {}
        return {'user': self.user.pw_uid, 'group': self.user.pw_gid, 'extra_groups': []}

    def run(self, program, *arguments):
        done = subprocess.run([os.path.join(self.bin, program), *arguments], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment(),
                              **self.identity())
        if done.returncode != 0:
            raise SystemExit(f'Bail out! {program}: {done.stdout.strip().splitlines()[-1:]}')

    def environment(self):
        return {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'LC_ALL': 'C.UTF-8', 'HOME': self.folder}

    def configure(self):
        lines = {'listen_addresses': '127.0.0.1', 'port': self.port, 'unix_socket_directories': self.folder,
                 'max_connections': 60, 'shared_buffers': '32MB', 'logging_collector': 'off',
                 'fsync': 'on' if self.durable else 'off', **self.settings}
        with open(os.path.join(self.data, 'postgresql.conf'), 'a', encoding='utf-8') as conf:
            for key, value in lines.items():
                conf.write(f"{key} = '{value}'\n")

    def start(self):
        """Returns when it answers."""
        log = open(os.path.join(self.folder, 'log'), 'a', encoding='utf-8')
        self.process = subprocess.Popen([os.path.join(self.bin, 'postgres'), '-D', self.data], cwd=self.folder,
                                        stdout=log, stderr=log, env=self.environment(), **self.identity())
        log.close()
        if not self.answers():
            self.fail()

    def answers(self):
        ready = [os.path.join(self.bin, 'pg_isready'), '-q', '-h', self.folder, '-p', str(self.port), '-t', '1']
        for _ in range(600):
            if self.process.poll() is not None:
                return False
            if subprocess.run(ready, check=False).returncode == 0:
                return True
            try:
                self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
        return False

    def fail(self):
        tail = pathlib.Path(self.folder, 'log').read_text(encoding='utf-8', errors='replace').splitlines()[-3:]
        raise SystemExit('Bail out! postgres did not start: ' + ' | '.join(tail))

    def stop(self, how=signal.SIGINT):
        """SIGINT: sessions are ended, data written. SIGQUIT: at once, as in a crash."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        self.process = None

    @property
    def url(self):
        return f'postgresql://vigie@127.0.0.1:{self.port}/postgres'

    @property
    def socket_url(self):
        return f'postgresql://vigie@/postgres?host={self.folder}&port={self.port}'
