"""A command at a terminal of its own, which is read and typed at."""
import os
import pty
import re
import select
import time


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], [str(part) for part in command])
        self.seen = self.all = ""

    def read(self, until=None, seconds=60):
        """What it says, up to and with `until`, a pattern; None: to its end."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(until, self.seen) if until else None
            if found:
                said, self.seen = self.seen[:found.end()], self.seen[found.end():]
                return said
            assert time.monotonic() < end, f"it does not say {until}: {self.seen}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    octets = os.read(self.fd, 65536)
                except OSError:
                    octets = b""
                if not octets:
                    assert not until, f"it ended without {until}: {self.seen}"
                    return self.seen
                self.seen += octets.decode()
                self.all += octets.decode()

    def say(self, text):
        os.write(self.fd, text.encode() + b"\n")

    def end(self):
        said = self.read()
        return said, os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
