"""References to audio in; how the file of each is now (`origins`) out, asked of the system by processes beside this one.

To ask about a million files takes longer than all the rest that is done for a table with a million rows that are current,
and within one process only one thread at a time can make Python's objects of the answers.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from thanosql.models.audio.origins import AudioOrigins

START = "from thanosql.models.audio.file_states import main; main()"
WORTH = 100_000  # references; for fewer it is quicker to ask than to start a process
MOST_PROCESSES = 4
MISSING = "?"  # in place of the state of a file that is not there
_LENGTH = struct.Struct("<q")


class FileStates:
    """Says of references what `AudioOrigins.states` does. Threads may ask together: each is answered by a process that has no
    other work, or by this one, where there is none."""

    def __init__(self, origins: AudioOrigins, processes: int) -> None:
        self._origins = origins
        self._idle: SimpleQueue[_Process | None] = SimpleQueue()
        self._started: list[_Process] = []
        for _ in range(processes):
            with suppress(OSError):  # too many processes or open files: this one can ask as well
                self._started.append(_Process(origins))
        for process in self._started:
            self._idle.put(process)
        self.askers = max(1, len(self._started))  # threads that are of use
        if not self._started:
            self._idle.put(None)

    def of(self, references: Sequence[str | None]) -> list[str | None]:
        """The state of each, in order."""
        process = self._idle.get()
        try:
            if process is not None:
                with suppress(EOFError, OSError):
                    return process.ask(references)
                process = None  # it has been ended from outside: the rest is asked here
            return list(self._origins.states(references))
        finally:
            self._idle.put(process)

    def close(self) -> None:
        for process in self._started:
            process.end()


@contextmanager
def file_states(origins: AudioOrigins, count: int) -> Iterator[FileStates]:
    """For so many references: with processes where that is worth it, which end with the block."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # One processor is left to the server and to what is done with the answers.
    states = FileStates(origins, min(MOST_PROCESSES, processors - 1) if count >= WORTH else 0)
    try:
        yield states
    finally:
        states.close()


class _Process:
    def __init__(self, origins: AudioOrigins) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", START],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is not for it
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        with suppress(OSError):  # what has ended already is found as it is asked
            _send(self._requests, pickle.dumps(origins))

    def ask(self, references: Sequence[str | None]) -> list[str | None]:
        """Raises EOFError and OSError where it has ended."""
        there = [reference for reference in references if reference is not None]
        if not there:
            return [""] * len(references)
        # No reference has a NUL: PostgreSQL's texts hold none.
        _send(self._requests, "\0".join(there).encode(errors="surrogatepass"))
        states = iter(_receive(self._replies).decode().split("\0"))
        said = ("" if reference is None else next(states) for reference in references)
        return [None if state == MISSING else state for state in said]

    def end(self) -> None:
        """It ends as its requests do; at once, where an answer is under way that nobody waits for."""
        self._process.kill()
        with suppress(OSError):
            self._requests.close()
        self._replies.close()
        self._process.wait()


def main() -> None:
    """Answer requests until there are none: until the process that asks has closed the pipe, or has ended."""
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError):
        origins: AudioOrigins = pickle.loads(_receive(requests))  # from the process that started this one
        while True:
            references = _receive(requests).decode(errors="surrogatepass").split("\0")
            states = (MISSING if state is None else state for state in origins.states(references))
            _send(replies, "\0".join(states).encode())


def _send(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    """Raises EOFError where the other side has ended."""
    content = b""
    head = pipe.read(_LENGTH.size)
    if len(head) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        content = pipe.read(length)
        if len(content) == length:
            return content
    raise EOFError
