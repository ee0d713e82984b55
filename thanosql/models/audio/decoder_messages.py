"""What a session and the processes that decode for it say to each other: lines of JSON, and open files beside them.

A line is a list: requests, each with its open file, or their replies; several go together where each is a matter of
milliseconds.

JSON, since nothing that a process with a stranger's file in its hands sends may be more than data to the session.
"""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

MOST_BYTES = 1 << 20  # of a message
MOST_FILES = 16  # open files beside a message


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is wanted of the open file beside it: 'header', 'cut' or 'whole', as `open_recording` has them, or 'facts'.
    `path` is what messages call the file; `folder` is where a long waveform lies."""

    want: str
    path: str
    folder: str
    max_hours: float
    start: float = 0.0
    end: float | None = None
    channel: int | None = None
    track: int | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """How a request ended: 'ready' (to be asked), 'done', 'audio' (an AudioError), 'system' (an OSError), 'memory', 'defect'.

    `facts` are what is said of the audio; `samples` how many there are in the file beside it or, without one, in the buffer
    that came with 'ready': never of several. With 'done', None of them says that the part cannot be cut.
    """

    ending: str
    said: str = ""
    number: int = 0
    filename: str | None = None
    facts: dict[str, Any] | None = None
    samples: int | None = None

    @classmethod
    def of(cls, content: dict[str, Any]) -> Self:
        return cls(**content)


def unnamed_file(content: bytes | memoryview = b"") -> io.FileIO:
    """A file that goes with the last process that has it open; in memory where the system can."""
    if hasattr(os, "memfd_create"):
        file = io.FileIO(os.memfd_create("thanosql", os.MFD_CLOEXEC), "r+")
    else:
        with tempfile.TemporaryFile() as made:
            file = io.FileIO(os.dup(made.fileno()), "r+")
    try:
        write_all(file, content)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def write_all(file: io.FileIO, content: bytes | memoryview) -> None:
    left = memoryview(content).cast("B")
    while left:
        left = left[file.write(left) :]


def send(channel: socket.socket, messages: Sequence[Request | Reply], descriptors: Sequence[int] = ()) -> None:
    """Raises OSError where the other side is gone."""
    # Not `asdict`, which copies what is in them: half of what the session's side of a message took.
    line = json.dumps([vars(message) for message in messages]).encode() + b"\n"
    sent = socket.send_fds(channel, [line], list(descriptors))
    channel.sendall(line[sent:])


def receive(channel: socket.socket) -> tuple[list[dict[str, Any]], list[int]] | None:
    """The messages of a line and the descriptors beside it, which are the caller's to close; None where the other side is
    gone.

    Raises OSError where this process has no descriptor left.
    """
    line, descriptors = b"", list[int]()
    try:
        while not line.endswith(b"\n") and len(line) < MOST_BYTES:
            try:
                part, found, flags, _ = socket.recv_fds(
                    channel, 1 << 16, MOST_FILES, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
                )
            except ConnectionError:
                part, found, flags = b"", [], 0
            descriptors += found
            if flags & socket.MSG_CTRUNC:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            if not part:
                break
            line += part
        if line.endswith(b"\n"):
            content = json.loads(line)
            taken, descriptors = descriptors, []
            return content, taken
        return None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
