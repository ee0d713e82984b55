"""An exception that no door translated in, the error for the user out: what the machine lacks, or a defect of ours."""

from __future__ import annotations

import errno
import os
import re
from types import TracebackType

from thanosql.errors import ThanoSQLError, ThanoSQLInternalError, ThanoSQLResourceError

DISK = "Free the disk, or name another home (THANOSQL_HOME) or temporary folder (TMPDIR); then run the statement again."
FILES = "Close what holds files open, or raise the limit (`ulimit -n`); then run the statement again."
MEMORY = "Close what else needs memory, or give a smaller batch_size or shorter audio; then run the statement again."
RIGHTS = "Give this user the right, or name another home (THANOSQL_HOME) or temporary folder (TMPDIR)."
CURES = {
    errno.ENOSPC: DISK,
    errno.EDQUOT: DISK,
    errno.EFBIG: DISK,
    errno.EMFILE: FILES,
    errno.ENFILE: FILES,
    errno.ENOMEM: MEMORY,
    errno.EAGAIN: "End other processes, or raise their limit (`ulimit -u`); then run the statement again.",
    errno.EROFS: "The disk is mounted read only: name another home (THANOSQL_HOME).",
    errno.EIO: "The disk or its connection fails: look into the system's log, and copy what is on it.",
    errno.ENAMETOOLONG: "Give a shorter name or path.",
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
}
# What is used up: no file, folder or model is to blame for it.
_USED_UP = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
# Libraries that are not written in Python hand on the number alone: 'No space left on device (os error 28)'.
_NUMBER = re.compile(r"\bos error (\d+)\b")
_MEMORY = re.compile(r"not enough memory|can't allocate memory|out of memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)
# What Python's parser, the loader of shared libraries and torch say where an allocation failed differs with their version:
# with less than this to be had, what would be called a defect is called a lack of memory.
SPARE_MEMORY = 64 << 20  # bytes
_NO_FOLDER = re.compile(r"No usable temporary directory found in \[(.*)\]")  # tempfile's words, as an ENOENT of no file
_SQLITE = {"database or disk is full": DISK, "attempt to write a readonly database": RIGHTS, "disk I/O error": DISK}


class Translated:
    """A context in which what is raised is a ThanoSQLError: as it is, or made of what nobody translated."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, ThanoSQLError):
            raise as_error(error) from error


def raise_if_used_up(error: Exception) -> None:
    """Raise the ThanoSQLResourceError of an error where handles, memory or disk of this machine are used up.

    Who calls what cannot be read damaged asks this first: the cure of damage is to remove it.
    """
    if _errno(error) in _USED_UP:
        raise as_error(error) from error
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))  # libraries call a file missing that they cannot open
    except OSError as lack:
        raise as_error(lack) from error


def as_error(error: Exception) -> ThanoSQLError:
    """The error to raise from it."""
    said = " ".join(str(error).split())
    name = type(error).__name__
    if (number := _errno(error)) in CURES:
        file = getattr(error, "filename", None)
        where = f": '{os.fsdecode(file)}'" if isinstance(file, str | bytes) else ""
        return ThanoSQLResourceError(
            f"The operating system refuses what is needed here: {os.strerror(number)}{where}.", hint=CURES[number]
        )
    if isinstance(error, FileNotFoundError) and (folders := _NO_FOLDER.search(said)):
        return ThanoSQLResourceError(f"No temporary folder can be written to: {folders[1]}.", hint=DISK)
    if isinstance(error, MemoryError):
        return ThanoSQLResourceError(f"There is not enough memory. {said}".strip(), hint=MEMORY)
    # By name, since torch may not be here: OutOfMemoryError is CUDA's, a RuntimeError with these words the processor's.
    if name == "OutOfMemoryError" or (isinstance(error, RuntimeError) and _MEMORY.search(said)):
        device = "GPU's" if "CUDA" in said or "CUBLAS" in said else "machine's"
        return ThanoSQLResourceError(f"The {device} memory is not enough: {said}", hint=MEMORY)
    if isinstance(error, RuntimeError) and "start new thread" in said:
        return ThanoSQLResourceError(f"The operating system gives no more threads: {said}.", hint=CURES[errno.EAGAIN])
    if type(error).__module__ == "sqlite3" and said in _SQLITE:
        return ThanoSQLResourceError(f"The prediction cache cannot be written: {said}.", hint=_SQLITE[said])
    if not _memory_is_left():
        return ThanoSQLResourceError(
            f"There is not enough memory: less than {SPARE_MEMORY >> 20} MB can be had ({name}: {said}).", hint=MEMORY
        )
    return ThanoSQLInternalError(
        f"This is a defect of ThanoSQL: {name}: {error}",
        hint="Please report it with the statement; the cause is in the error's __cause__.",
    )


def _memory_is_left() -> bool:
    try:
        bytes(SPARE_MEMORY)  # address space alone: no page of it is touched
    except MemoryError:
        return False
    return True


def _errno(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else 0
