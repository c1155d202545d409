#!/usr/bin/env python3
"""What the store does and says when its process is killed, its disk full, its file locked, read-only or damaged, its
server gone: test-trouble.py STORE-CLIENT. Prints TAP."""
import os
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from postgresql import Cluster

PROGRAM = os.path.abspath(sys.argv[1])
NOBODY = 65534


class Client:
    """A store-client; `said` is its answer to being opened."""

    def __init__(self, url, **how):
        self.process = subprocess.Popen([PROGRAM, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        **how)
        self.said = self.process.stdout.readline().strip()

    def ask(self, command):
        self.process.stdin.write(command + '\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def well(self, *commands):
        for command in commands:
            said = self.ask(command)
            assert said.startswith('ok'), f'{command}: {said}'
        return int(said.split()[1])

    def fails(self, command, *words):
        says(self.ask(command), *words)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait(30)


def says(said, *words):
    print('# ' + said)
    for word in ('error', *words):
        assert word in said, f'"{said}" does not say "{word}"'


def opened(url, **how):
    client = Client(url, **how)
    assert client.said.startswith('ok'), client.said
    return client


def table(url):
    """A store with the table t, as a client."""
    client = opened(url)
    blob = 'BYTEA' if url.startswith('postgresql') else 'BLOB'
    client.well('migrate', f'do CREATE TABLE t (n BIGINT, b {blob})')
    return client


class Mount:
    """A small file system of its own; None where this user may not mount."""

    def __init__(self, folder, size):
        self.folder, self.size = folder, size

    def __enter__(self):
        os.makedirs(self.folder)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={self.size},mode=0777', 'tmpfs', self.folder],
                              stderr=subprocess.DEVNULL)
        self.mounted = done.returncode == 0
        return self if self.mounted else None

    def grow(self, size):
        subprocess.run(['mount', '-o', f'remount,size={size}', self.folder], check=True)

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(['umount', '-l', self.folder], check=True)


class Skip(Exception):
    pass


def fill_up(client, *words):
    """Inserts until it is refused for want of space; returns how many rows were accepted."""
    for rows in range(2000):
        said = client.ask('fill 50000')
        if said.startswith('error'):
            says(said, 'UNAVAILABLE', 'full', *words)
            return rows
    raise AssertionError('never full')


# ---- Both databases ---------------------------------------------------------------------------------------------

def killed_writer(url):
    """kill -9 in the middle of commits: each that was told is there, and no half of one."""
    table(url).__exit__()
    for round_number in range(3):
        client = opened(url)
        client.well('do DELETE FROM t')
        client.process.stdin.write('flood\n')
        client.process.stdin.flush()
        told = 0
        for line in client.process.stdout:
            told = int(line)
            if told >= 50 + 17 * round_number:
                break
        time.sleep(random.random() / 50)
        client.kill()
        last = [int(line) for line in client.process.stdout.read().split('\n')[:-1]]
        told = last[-1] if last else told
        client.process.stdout.close()
        with opened(url) as after:
            found = after.well('get SELECT max(n) FROM t')
            assert found >= told, f'{told} was told, {found} found'
            assert found <= told + 1, f'{told} was told, {found} found'
            assert after.well('get SELECT count(*) FROM t') == 2 * found
            assert after.well('get SELECT sum(n) FROM t') == 0


def killed_in_transaction(url):
    """What was not committed is not there, and the lock is free."""
    with table(url) as client:
        client.well('do INSERT INTO t (n) VALUES (1)', 'begin', 'do INSERT INTO t (n) VALUES (2)')
        client.kill()
    with opened(url) as after:
        assert after.well('get SELECT count(*) FROM t') == 1
        after.well('do INSERT INTO t (n) VALUES (3)')


def locked(url, setting):
    """A second writer is told that it is locked, and goes on once it is free."""
    with table(url) as one, opened(url) as two:
        one.well('do INSERT INTO t (n) VALUES (1)', 'begin', 'do UPDATE t SET n = 2')
        two.well('do ' + setting)
        start = time.monotonic()
        two.fails('do UPDATE t SET n = 3', 'BUSY', 'locked', 'try again')
        assert time.monotonic() - start < 5
        assert two.well('get SELECT n FROM t') == 1
        one.well('commit')
        two.well('do UPDATE t SET n = n + 1')
        assert one.well('get SELECT n FROM t') == 3


# ---- SQLite -----------------------------------------------------------------------------------------------------

def sqlite_killed_writer(folder):
    killed_writer(f'sqlite:{folder}/vigie.db')
    with sqlite3.connect(f'{folder}/vigie.db') as check:
        assert check.execute('PRAGMA integrity_check').fetchall() == [('ok',)]


def sqlite_killed_in_transaction(folder):
    killed_in_transaction(f'sqlite:{folder}/vigie.db')


def sqlite_locked(folder):
    locked(f'sqlite:{folder}/vigie.db', 'PRAGMA busy_timeout = 200')


def sqlite_private(folder):
    """Neither the file nor its log can be read by others, whatever the umask."""
    with opened(f'sqlite:{folder}/vigie.db', umask=0) as client:
        client.well('migrate')
        names = sorted(os.listdir(folder))
        assert names == ['vigie.db', 'vigie.db-shm', 'vigie.db-wal'], names
        for name in names:
            assert stat.S_IMODE(os.stat(f'{folder}/{name}').st_mode) == 0o600, name


def sqlite_opened_twice(folder):
    """The program that leaves last clears the log away: not under one that has the store open twice."""
    url = f'sqlite:{folder}/vigie.db'
    with table(url) as client:
        client.well('again')
        with opened(url) as other:
            other.well('do INSERT INTO t (n) VALUES (1)')
        assert os.path.exists(f'{folder}/vigie.db-wal')
        client.well('do INSERT INTO t (n) VALUES (2)')
        with opened(url) as other:
            assert other.well('get SELECT count(*) FROM t') == 2


def sqlite_file_too_large(folder):
    """A quota on the file's size: what was accepted stays, and writing goes on without it."""
    url = f'sqlite:{folder}/vigie.db'
    table(url).__exit__()
    # SIGXFSZ is ignored in Python and, without restore_signals, in its children.
    limits = (1000000, 1000000)
    with opened(url, restore_signals=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)) as client:
        rows = fill_up(client, folder)
    with opened(url) as after:
        assert after.well('get SELECT count(*) FROM t') == rows > 0
        after.well('fill 50000')


def sqlite_disk_full(folder):
    """A full file system, then a larger one, without opening anew."""
    with Mount(f'{folder}/small', '3M') as small:
        if not small:
            raise Skip('mounting needs root')
        with table(f'sqlite:{small.folder}/vigie.db') as client:
            client.well('begin', 'fill 10000', 'commit', 'begin')
            rows = fill_up(client, 'df -h')
            client.fails('commit', 'full')
            assert client.well('get SELECT count(*) FROM t') == 1 < rows
            small.grow('10M')
            client.well('fill 50000')
            assert client.well('get SELECT count(*) FROM t') == 2


def unprivileged(folder):
    """How root starts a process that is nobody, from a copy that nobody can reach, wherever this one is built."""
    if os.getuid() != 0:
        return {}
    if not os.path.exists(f'{folder}/program'):
        shutil.copy(PROGRAM, f'{folder}/program')
    return {'user': NOBODY, 'group': NOBODY, 'extra_groups': [], 'executable': f'{folder}/program'}


def sqlite_read_only_file(folder):
    table(f'sqlite:{folder}/vigie.db').__exit__()
    os.chmod(folder, 0o777)
    os.chmod(f'{folder}/vigie.db', 0o444)
    says(Client(f'sqlite:{folder}/vigie.db', **unprivileged(folder)).said, 'UNAVAILABLE', 'ls -la', folder)


def sqlite_read_only_folder(folder):
    """The file may be written, but its log cannot be made beside it."""
    table(f'sqlite:{folder}/vigie.db').__exit__()
    os.chmod(f'{folder}/vigie.db', 0o666)
    os.chmod(folder, 0o555)
    says(Client(f'sqlite:{folder}/vigie.db', **unprivileged(folder)).said, 'UNAVAILABLE', 'ls -la', folder)
    os.chmod(folder, 0o755)
    os.remove(f'{folder}/vigie.db')
    os.chmod(folder, 0o555)
    says(Client(f'sqlite:{folder}/vigie.db', **unprivileged(folder)).said, 'UNAVAILABLE', 'ls -la', folder)
    os.chmod(folder, 0o755)


def sqlite_no_folder(folder):
    says(Client(f'sqlite:{folder}/absent/vigie.db').said, 'NOT_FOUND', f'mkdir -p {folder}/absent')
    says(Client(f'sqlite:{folder}').said, 'UNAVAILABLE', 'store.url')


def sqlite_damaged(folder):
    """Pages overwritten in the middle: told, with what to do; and the beginning overwritten."""
    path = f'{folder}/vigie.db'
    with table(f'sqlite:{path}') as client:
        for _ in range(20):
            client.well('fill 20000')
        client.well('do PRAGMA wal_checkpoint(TRUNCATE)')
    with open(path, 'r+b') as file:
        quarter = os.path.getsize(path) // 4
        file.seek(3 * quarter)
        file.write(b'\xa5' * quarter)
    with opened(f'sqlite:{path}') as client:
        client.fails('get SELECT sum(length(b)) FROM t', 'UNAVAILABLE', 'damaged', 'backup', '.recover')
    with open(path, 'r+b') as file:
        file.write(b'%PDF-1.7' * 64)
    says(Client(f'sqlite:{path}').said, 'UNAVAILABLE', 'not a SQLite database')


# ---- PostgreSQL -------------------------------------------------------------------------------------------------

def fresh(cluster):
    """The address of a schema of its own."""
    fresh.count = getattr(fresh, 'count', 0) + 1
    name = f'trouble{fresh.count}'
    with opened(cluster.url) as client:
        client.well(f'do CREATE SCHEMA {name}')
    return f'{cluster.url}?options=-csearch_path%3D{name}'


def postgresql_killed_writer(cluster):
    killed_writer(fresh(cluster))


def postgresql_killed_in_transaction(cluster):
    killed_in_transaction(fresh(cluster))


def postgresql_locked(cluster):
    locked(fresh(cluster), 'SET lock_timeout = 200')


def postgresql_restarted(cluster):
    """A restart between two statements is not noticed; one inside a transaction undoes it, and says so."""
    with table(fresh(cluster)) as client:
        client.well('do INSERT INTO t (n) VALUES (1)')
        cluster.stop()
        cluster.start()
        client.well('do INSERT INTO t (n) VALUES (2)', 'begin', 'do INSERT INTO t (n) VALUES (3)')
        cluster.stop()
        cluster.start()
        client.fails('do INSERT INTO t (n) VALUES (4)', 'UNAVAILABLE', 'does not answer')
        client.fails('commit', 'INTERNAL', 'rolled back')
        assert client.well('get SELECT sum(n) FROM t') == 3
        client.well('begin', 'do INSERT INTO t (n) VALUES (5)')
        cluster.stop(signal.SIGQUIT)
        cluster.start()
        client.fails('commit', 'UNAVAILABLE')
        assert client.well('get SELECT sum(n) FROM t') == 3


def postgresql_down(cluster):
    """While it is down, each statement says so; afterwards all goes on, a wait for jobs included."""
    url = fresh(cluster)
    with table(url) as client:
        cluster.stop(signal.SIGQUIT)
        client.fails('do INSERT INTO t (n) VALUES (1)', 'UNAVAILABLE', 'does not answer', 'psql', str(cluster.port))
        client.fails('get SELECT count(*) FROM t', 'UNAVAILABLE')
        client.fails('begin', 'UNAVAILABLE')
        says(Client(url).said, 'UNAVAILABLE', 'check that it runs')
        cluster.start()
        client.well('begin', 'do INSERT INTO t (n) VALUES (1)', 'commit')
        assert client.well('get SELECT count(*) FROM t') == 1
        client.process.stdin.write('wait 60000\n')
        client.process.stdin.flush()
        cluster.stop()
        said = client.process.stdout.readline()
        assert said.startswith('error UNAVAILABLE') or said.startswith('ok'), said
        cluster.start()
        client.well('do INSERT INTO t (n) VALUES (1)')


def postgresql_refused(cluster):
    """A wrong database, user or password is told without the password."""
    with opened(cluster.url) as client:
        client.well("do CREATE ROLE guest LOGIN PASSWORD 'right'")
    hba = pathlib.Path(cluster.data, 'pg_hba.conf')
    hba.write_text('host all guest 127.0.0.1/32 scram-sha-256\n' + hba.read_text())
    cluster.run('pg_ctl', 'reload', '-D', cluster.data)
    at = f'127.0.0.1:{cluster.port}'
    for url, word in ((f'postgresql://vigie@{at}/absent', 'absent'),
                      (f'postgresql://guest:hunter2@{at}/postgres', 'guest'),
                      (f'postgresql://guest:hunter2@{at}/postgres?sslmode=perhaps', 'perhaps')):
        said = Client(url).said
        says(said, 'UNAVAILABLE', word, 'store.url')
        assert 'hunter2' not in said
    with opened(f'postgresql://guest:right@{at}/postgres') as guest:
        guest.fails('do CREATE TABLE public.mine (n BIGINT)', 'UNAVAILABLE', 'grant')
        guest.fails('migrate', 'UNAVAILABLE', 'grant')


def postgresql_read_only(cluster):
    with opened(f'{fresh(cluster)}%20-cdefault_transaction_read_only%3Don') as client:
        client.fails('migrate', 'UNAVAILABLE', 'primary')


def postgresql_disk_full(cluster):
    with Mount(f'{cluster.folder}/small', '2M') as small:
        if not small:
            raise Skip('mounting needs root')
        if cluster.user:
            os.chown(small.folder, cluster.user.pw_uid, cluster.user.pw_gid)
        with table(fresh(cluster)) as client:
            small_table = 'do CREATE TABLE t (n BIGINT, b BYTEA) TABLESPACE small'
            client.well(f"do CREATE TABLESPACE small LOCATION '{small.folder}'", 'do DROP TABLE t', small_table)
            rows = fill_up(client)
            assert client.well('get SELECT count(*) FROM t') == rows > 0
            # The server gives the space of a table back with the next checkpoint.
            client.well('do DROP TABLE t', 'do CHECKPOINT', small_table, 'fill 50000', 'do DROP TABLE t',
                        'do CHECKPOINT', 'do DROP TABLESPACE small')


# ---- TAP --------------------------------------------------------------------------------------------------------

def run(number, test, argument):
    name = test.__name__.replace('_', '-')
    try:
        test(argument)
        print(f'ok {number} {name}')
    except Skip as why:
        print(f'ok {number} {name} # SKIP {why}')
    except Exception as failure:  # pylint: disable=broad-except
        line = failure.__traceback__
        while line.tb_next:
            line = line.tb_next
        print(f'not ok {number} {name}\n# line {line.tb_lineno}: {type(failure).__name__}: {failure}')
    sys.stdout.flush()


def main():
    tests = [test for name, test in globals().items() if name.startswith(('sqlite_', 'postgresql_'))]
    print(f'1..{len(tests)}')
    with Cluster() as cluster:
        for number, test in enumerate(tests, 1):
            if test.__name__.startswith('postgresql_'):
                run(number, test, cluster)
                continue
            folder = tempfile.mkdtemp(prefix='vigie-trouble-')
            run(number, test, folder)
            shutil.rmtree(folder)


main()
