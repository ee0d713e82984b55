"""Where a server listens: a data folder in, a folder out that is the server's alone and whose path a socket can bear."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import tempfile
from pathlib import Path

from thanosql.engine.postgres.embedded.accounts import Account

PORT = 5432  # of the socket's name; nothing listens on a network
PREFIX = "thanosql-"
LONGEST = 103  # bytes of a socket's path: 107 on Linux, 103 on macOS


def folder_for(data: Path, private: Path, account: Account) -> Path | None:
    """The data folder where its path is short and plain; else a new one, or that of last time, in a temporary folder."""
    if _fits(data):
        return data
    note = private / "sockets"
    with contextlib.suppress(OSError, ValueError):  # zeros, where the machine lost its power
        before = Path(note.read_text())
        about = before.lstat()
        owner = os.geteuid() if account.user is None else account.user
        # Written by a process that was killed, the note may be cut short: "" would be the folder one happens to be in.
        if (
            before.is_absolute()
            and before.name.startswith(PREFIX)
            and stat.S_ISDIR(about.st_mode)
            and about.st_uid == owner
            and not about.st_mode & 0o077
            and _fits(before)
        ):
            return before
    parents = ["/tmp", "/var/tmp"]
    with contextlib.suppress(OSError):  # where none can be written to
        parents.insert(0, tempfile.gettempdir())
    for parent in parents:
        with contextlib.suppress(OSError):
            made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            account.own(made)
            if _fits(made) and account.barred_by(made) is None:
                note.touch(mode=0o600)
                note.write_text(str(made))
                return made
            made.rmdir()
    return None


def answers(folder: Path, port: int) -> bool:
    """Whether a server takes calls there."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(5)
        try:
            caller.connect(str(folder / f".s.PGSQL.{port}"))
        except BlockingIOError:  # so many call that one more is not let in: somebody is there
            return True
        except OSError:
            return False
    return True


def _fits(folder: Path) -> bool:
    # A comma divides hosts, for the server and for those who call it; a blank or a quote would have to be quoted twice.
    name = str(folder)
    is_plain = re.fullmatch(r"[\w./+-]+", name, re.ASCII) is not None
    return is_plain and len(name) + len(f"/.s.PGSQL.{PORT}") <= LONGEST
