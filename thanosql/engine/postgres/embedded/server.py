"""One data folder's server: what is there (running, dead, half made) in, a server that answers out."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from thanosql import private
from thanosql.child_environment import child_environment
from thanosql.engine.postgres.embedded import accounts, locks, programs, sockets
from thanosql.engine.postgres.embedded.accounts import Account
from thanosql.engine.postgres.embedded.server_log import QUIET, telling_lines
from thanosql.errors import ThanoSQLConnectionError

log = logging.getLogger(__name__)
ELSEWHERE = "name a PostgreSQL of yours in THANOSQL_DATABASE_URL (postgresql://user:password@host/database)."
LARGEST_LOG = 16 << 20  # bytes; a start that finds more begins a new one
NOBODY = 999_999_999  # no process has this number on Linux or macOS

# Nobody is served copies from here: a table that is made and filled in one transaction is then synced, not logged,
# which takes half the time and outlasts a crash as well.
SETTINGS = "\n# ThanoSQL\nwal_level = minimal\nmax_wal_senders = 0\n"
DRAFT = ".thanosql-"  # of a file of settings
ACCESS = "# Written by ThanoSQL at each start.\nlocal all all peer map=thanosql\n"


class Running(NamedTuple):
    """What postmaster.pid says. It outlives a server that was killed."""

    process: int
    sockets: Path
    port: int
    ready: bool


class Server:
    """The server of one data folder. All but `url` is asked for by one process at a time, which `__init__` sees to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.private = folder.with_name(f".{folder.name}")
        self.log = self.private / "log"

    def url(self) -> str | None:
        """Where the server answers; None where none does."""
        noted = self._noted()
        if noted is None or not noted.ready or not sockets.answers(noted.sockets, noted.port):
            return None
        return f"postgresql://postgres@/postgres?host={quote(str(noted.sockets))}&port={noted.port}"

    def make_private_folder(self) -> None:
        """The folder of the locks and the log, for this user alone; the home above it where there is none."""
        try:
            private.home(self.folder.parent)
            self.private.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            if isinstance(error, PermissionError) and self.folder.parent.is_dir():
                raise
            raise ThanoSQLConnectionError(
                f"The folder of the embedded PostgreSQL, {self.folder}, cannot be made: {error.strerror}.",
                hint=f"Name another home in THANOSQL_HOME, or {ELSEWHERE}",
            ) from error
        about = self.private.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
            raise PermissionError(1, "not ours", str(self.private))
        if about.st_mode & 0o077:
            self.private.chmod(0o700)

    def started(self, account: Account, seconds: float) -> str:
        """The URL, the server started if none answers. Raises ThanoSQLConnectionError, locks.Timeout or OSError."""
        accounts.check(account, self.folder)
        deadline = time.monotonic() + seconds
        watched = self.private / "server"
        while True:
            if (url := self.url()) is not None:
                noted = self._noted()
                if noted is not None and locks.is_free(watched):
                    self._launch(account, [], noted.process, seconds)  # its watcher was killed
                return url
            if time.monotonic() > deadline:
                raise locks.Timeout(str(watched))
            if not locks.is_free(watched):  # it is being stopped, or it has just died
                time.sleep(locks.PAUSE)
                continue
            self._put_away_remains(deadline)
            command = [str(self._bin(account) / "postgres"), "-D", str(self.folder)]
            if not (self.folder / "PG_VERSION").exists():
                self._make(account)
            for setting, value in self._settings(account).items():
                command += ["-c", f"{setting}={value}"]
            said_before = self.log.stat().st_size if self.log.exists() else 0
            begun = time.monotonic()
            if self._launch(account, command, 0, seconds):
                took = round(time.monotonic() - begun, 3)
                log.info("started PostgreSQL in %s", self.folder, extra={"folder": str(self.folder), "seconds": took})
            else:
                words = self._last_words(said_before)
                # Queries of a server that was killed end by themselves, within a second or so; and one that is killed
                # while it starts has no reason of its own to fail.
                if ("shared memory" in words or not words) and time.monotonic() < deadline:
                    time.sleep(0.5)
                    continue
                raise self._does_not_start(words or "it was killed.")

    def stop(self) -> None:
        """Stop the server and wait until it has; nothing happens if it does not run."""
        noted = self._noted()
        if noted is None or not self._runs(noted.process):
            return
        os.kill(noted.process, signal.SIGINT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (self._noted() or not locks.is_free(self.private / "server")):
            time.sleep(locks.PAUSE)
        with contextlib.suppress(OSError):
            if noted.sockets != self.folder:
                noted.sockets.rmdir()

    def _noted(self) -> Running | None:
        try:
            lines = (self.folder / "postmaster.pid").read_text(errors="replace").splitlines()
            return Running(abs(int(lines[0])), Path(lines[4]), int(lines[3]), lines[7].strip() == "ready")
        except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):  # as it is while being written
            return None

    def _runs(self, process: int) -> bool:
        """Whether this process is the server of this folder: neither a zombie nor another that has its number now."""
        import psutil  # type: ignore[import-untyped]

        try:
            found = psutil.Process(process)
            if found.status() == psutil.STATUS_ZOMBIE:
                return False
            return bool(Path(found.cwd()) == self.folder.resolve())
        except psutil.AccessDenied:
            return bool(found.name().startswith("postgres"))
        except psutil.NoSuchProcess:
            return False

    def _put_away_remains(self, deadline: float) -> None:
        """Have the next server believe nothing that a dead one left. One that lives, and that nobody reaches, is stopped."""
        noted = self._noted()
        while noted is not None and self._runs(noted.process) and time.monotonic() < deadline:
            os.kill(noted.process, signal.SIGINT)
            time.sleep(0.1)
        path = self.folder / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            # Its number may be another process's by now, or a zombie's. The rest stays: by it PostgreSQL finds out
            # whether queries of the dead server still write to this folder.
            _, *lines = path.read_text(errors="replace").splitlines() or [""]
            # As root the folder is another user's: a link in it is not followed.
            number = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
            with open(number, "w", encoding="utf-8") as file:
                file.write("\n".join([str(NOBODY), *lines[:6]]) + "\n")
        for folder in {self.folder, *([noted.sockets] if noted else [])}:
            for end in ("", ".lock"):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    (folder / f".s.PGSQL.{sockets.PORT}{end}").unlink()
        for draft in (*self.folder.parent.glob(f".{self.folder.name}-new-*"), *self.folder.glob(f"{DRAFT}*")):
            _remove(draft)

    def _bin(self, account: Account) -> Path:
        try:
            version = int((self.folder / "PG_VERSION").read_text())
        except FileNotFoundError:
            version = None
        except ValueError:
            raise self._does_not_start("its file PG_VERSION is damaged.") from None
        found = programs.reachable(version, account, self.private)
        if found is None:
            there = " and ".join(str(number) for number in sorted(programs.installed() or {}))
            raise self._does_not_start(f"it holds data of PostgreSQL {version}; installed is {there}.")
        return found

    def _make(self, account: Account) -> None:
        """A new data folder, whole or not at all."""
        draft = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}-new-", dir=self.folder.parent))
        try:
            account.own(draft)
            command = [
                str(self._bin(account) / "initdb"),
                "--username=postgres",
                "--encoding=utf8",
                "--no-instructions",
            ]
            command += ["--auth-local=peer", "--auth-host=reject", "-D", str(draft)]
            for more in ({}, {"LC_ALL": "C"}):  # the second where LANG names a language that is not installed
                done = subprocess.run(
                    command,
                    env=child_environment(**more),
                    cwd=draft,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    check=False,
                    **_as(account),
                )
                if "invalid locale" not in done.stderr:
                    break
            if done.returncode != 0:
                raise self._does_not_start(telling_lines(done.stderr) or done.stderr.strip())
            with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
                file.write(SETTINGS)
            draft.rename(self.folder)
        except BaseException:
            _remove(draft)
            raise

    def _settings(self, account: Account) -> dict[str, str]:
        where = sockets.folder_for(self.folder, self.private, account)
        if where is None:
            raise self._does_not_start("no temporary folder can hold its socket; name one in TMPDIR.")
        quoted = account.caller.replace('"', '""')
        written = {"hba": ACCESS, "ident": f'# Written by ThanoSQL at each start.\nthanosql "{quoted}" all\n'}
        for name, text in written.items():
            number, path = tempfile.mkstemp(prefix=f"{DRAFT}{name}-", dir=self.folder)
            with open(number, "w", encoding="utf-8") as file:
                file.write(text)
            account.own(Path(path))
            os.replace(path, self.folder / f"thanosql_{name}.conf")
        return {
            "listen_addresses": "",
            "port": str(sockets.PORT),
            "unix_socket_directories": str(where),
            "unix_socket_permissions": "0700",
            "hba_file": str(self.folder / "thanosql_hba.conf"),
            "ident_file": str(self.folder / "thanosql_ident.conf"),
            **QUIET,
        }

    def _launch(self, account: Account, command: list[str], process: int, seconds: float) -> bool:
        """Start the watcher and, with a command, the server; whether it became ready."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".1"))
        order = {
            "folder": str(self.folder),
            "private": str(self.private),
            "command": command,
            "server": process,
            "environment": child_environment(),
            "seconds": seconds,
            **{name: _as(account).get(name) for name in ("user", "group")},
        }
        watcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("watcher.py")), json.dumps(order)]
        number = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with open(number, "ab") as log:
            done = subprocess.run(
                watcher, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=child_environment(), check=False
            )
        return done.returncode == 0

    def _last_words(self, offset: int) -> str:
        with self.log.open("rb") as file:
            file.seek(offset if offset <= self.log.stat().st_size else 0)
            return telling_lines(file.read().decode(errors="replace"))

    def _does_not_start(self, words: str) -> ThanoSQLConnectionError:
        few = "insufficient file descriptors" in words
        cure = "Let this process open more files (ulimit -n 1024)" if few else "Correct what it reports"
        return ThanoSQLConnectionError(
            f"The embedded PostgreSQL in {self.folder} does not start: {words}",
            hint=f"Its log is {self.log}. {cure}, or {ELSEWHERE}",
        )


def _as(account: Account) -> dict[str, Any]:
    if account.user is None:
        return {}
    return {"user": account.user, "group": account.group, "extra_groups": []}


def _remove(path: Path) -> None:
    import shutil

    with contextlib.suppress(OSError):
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)
