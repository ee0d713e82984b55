"""An error of the operating system → whether the source file is at fault (an AudioError), or this machine.

A row may have the first; the second stops the statement, for it would turn one good file after another into nothing.
"""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
from pathlib import Path

from thanosql import confinement
from thanosql.errors import shown_reference
from thanosql.models.audio.info import AudioError

# What a path, its file or its file system may be to blame for.
SOURCE_FAULTS = frozenset(
    number
    for name in "ENOENT EACCES EPERM EIO ELOOP ENAMETOOLONG ENOTDIR EISDIR EINVAL EILSEQ ENXIO ENODEV ESTALE".split()
    if (number := getattr(errno, name, None)) is not None
)
# What is used up on this machine: descriptors, memory, disk.
MACHINE_FAULTS = frozenset(
    number
    for name in "EMFILE ENFILE ENOMEM ENOBUFS ENOSPC EDQUOT EFBIG".split()
    if (number := getattr(errno, name, None)) is not None
)
SPARE_MEMORY = 64 << 20  # bytes; with less to be had, a decoder's complaint about memory is believed


def of_source(error: OSError, path: Path) -> AudioError:
    """The AudioError for what the operating system said of a source file. Raises the error itself where the machine is
    at fault."""
    if error.errno not in SOURCE_FAULTS:
        raise error
    if isinstance(error, PermissionError):
        return AudioError(f"no permission to read: {shown_reference(str(path))}")
    return AudioError(f"cannot be read ({error.strerror or error}): {shown_reference(str(path))}")


def raise_if_machine(error: BaseException | None) -> None:
    """Raise the OSError or MemoryError that caused what a library said, where the machine is at fault and not the audio.

    Libraries hide it: in a cause, in a field of their own, or altogether; so whether a file can still be opened is tried.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            raise_if_out_of_memory(error)
        elif isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno in MACHINE_FAULTS:
            raise OSError(error.errno, error.strerror or "", error.filename) from error
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
    os.close(os.open(os.devnull, os.O_RDONLY))


def raise_if_out_of_memory(error: BaseException) -> None:
    """Raise MemoryError where there is none left. A damaged header may ask a decoder for more than any machine has."""
    try:
        bytearray(SPARE_MEMORY)
    except MemoryError:
        raise MemoryError("not enough memory to decode the audio") from error


class SourceFile:
    """An open file whose reading raises AudioError for its own faults."""

    def __init__(self, path: Path, note: str | None = None) -> None:
        """`note` is what one should know of how it was found.

        Raises AudioError when it cannot be opened or is no file, OSError when the machine cannot open any.
        """
        self._path, self.note = path, note
        try:
            # A pipe put in the file's place meanwhile would be waited for without end.
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise of_source(error, path) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise AudioError(f"a pipe, socket or device, not a file: {path}")
        self._use(descriptor)

    @classmethod
    def of_descriptor(cls, descriptor: int, path: Path) -> SourceFile:
        """The same of a file that was opened elsewhere; it is closed with this."""
        self = cls.__new__(cls)
        self._path, self.note = path, None
        self._use(descriptor)
        return self

    def _use(self, descriptor: int) -> None:
        # Unbuffered: libsndfile takes the descriptor from where it stands.
        self._file = io.FileIO(descriptor)

    @property
    def path(self) -> Path:
        return self._path

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size) or b""
        except OSError as error:
            raise of_source(error, self._path) from error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            raise of_source(error, self._path) from error

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()

    def place(self) -> Path:
        """Where the open file lies, whatever its path leads to by now; the path where the system does not tell."""
        return confinement.place_of(self.fileno(), self._path)

    def close(self) -> None:
        self._file.close()
