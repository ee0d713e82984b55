"""Who the server runs as: a data folder in, an account of the operating system out, and what that account may reach.

PostgreSQL refuses to run as root, so there it is a user of its own, made when it is first needed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from thanosql.errors import ThanoSQLConnectionError

SERVER_USER = "thanosql-postgres"
ANOTHER = "or name a PostgreSQL of yours in THANOSQL_DATABASE_URL."


@dataclass(frozen=True, slots=True)
class Account:
    """`caller` is the name of the user that may connect; `user` and `group` are the server's, None as the caller's own."""

    caller: str
    user: int | None = None
    group: int | None = None

    def may_read(self, path: Path) -> bool:
        """Whether the server may enter all folders above a path and read it."""
        return self.user is None or (self.barred_by(path) is None and self._has(path, 0o4))

    def barred_by(self, path: Path) -> Path | None:
        """The first folder above a path that the server may not enter."""
        if self.user is None:
            return None
        for parent in reversed(path.resolve().parents):
            if not self._has(parent, 0o1):
                return parent
        return None

    def own(self, path: Path) -> None:
        """Give a file or folder to the server."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group, follow_symlinks=False)

    def _has(self, path: Path, right: int) -> bool:
        about = path.stat()
        shift = 6 if about.st_uid == self.user else 3 if about.st_gid == self.group else 0
        return bool(about.st_mode >> shift & right)


def of(folder: Path) -> Account:
    """The account for a data folder, which may not be there yet. Raises ThanoSQLConnectionError where there is none."""
    number = os.geteuid()
    try:
        caller = pwd.getpwuid(number).pw_name
    except KeyError as error:
        raise ThanoSQLConnectionError(
            f"The embedded PostgreSQL needs a user with a name; this process runs as number {number}, which has none.",
            hint=f"Give it one in /etc/passwd, {ANOTHER}",
        ) from error
    if number != 0:
        return Account(caller)
    try:
        about = folder.stat()
        if about.st_uid != 0:
            return Account(caller, about.st_uid, about.st_gid)
    except (FileNotFoundError, NotADirectoryError):
        pass
    entry = _server_user()
    return Account(caller, entry.pw_uid, entry.pw_gid)


def check(account: Account, folder: Path) -> None:
    """Refuse a folder whose parents the server may not enter; they are not ours to open."""
    barrier = account.barred_by(folder)
    if barrier is not None:
        raise ThanoSQLConnectionError(
            f"As root the embedded PostgreSQL runs as a user of its own, who may not enter {barrier}.",
            hint="Set THANOSQL_HOME to a folder that other users may enter, such as /var/lib/thanosql; "
            f"open this one yourself (chmod o+x {barrier}); {ANOTHER}",
        )


def _server_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
    said = "there is no useradd here"
    if shutil.which("useradd"):
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        said = done.stderr.strip()
    try:
        return pwd.getpwnam(SERVER_USER)  # another process may have made it meanwhile
    except KeyError:
        raise ThanoSQLConnectionError(
            f"PostgreSQL does not run as root, and the user {SERVER_USER} cannot be made for it: {said}.",
            hint=f"Make it yourself, run as a user who is not root, {ANOTHER}",
        ) from None
