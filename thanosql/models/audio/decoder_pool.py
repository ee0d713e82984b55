"""Requests and open files in, replies out, of processes that decode: one that dies is its file's error alone.

The processes (`decoder_process`) start when they are needed, serve all sessions of this process, end after a minute
without work, and with this process, however that ends: then their socket closes. Waveforms come back in files without a
name, which nobody needs to remove.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from thanosql.child_environment import child_environment
from thanosql.errors import ThanoSQLResourceError
from thanosql.models.audio.decoder_messages import Reply, Request, receive, send
from thanosql.models.audio.info import AudioError
from thanosql.models.audio.waveform import LongWaveform, Waveform

# What a file took is kept for the next one: given back to the system and taken again, its memory costs the decoding of
# a file half as much again. (Of glibc; others read none of it.)
KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_TOP_PAD_": str(8 << 20),
}
START = "from thanosql.models.audio.decoder_process import main; main()"
TRIES = 2  # of a file whose process dies: something else may have ended that


def search_path() -> list[str]:
    """Where a process finds what this one does, the standard library first: a file of the user's that is named as one of its
    modules, such as types.py, would else keep the process from starting."""
    libraries = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    standard = libraries | {os.path.join(path, "lib-dynload") for path in libraries}
    return sorted(map(os.path.abspath, sys.path), key=lambda path: path not in standard)


class Died(Exception):
    """A process ended at its work; the message is how."""


class _Process:
    """One that decodes. What is raised within a request leaves it in an unknown state: it is to be ended then."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            environment = child_environment(
                PYTHONPATH=os.pathsep.join(search_path()),
                **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
                **KEPT_MEMORY,
            )
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", START, str(theirs.fileno())],
                    env=environment,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C is not for it
                )
            except BaseException:
                self._channel.close()
                raise
        try:
            self._ready()
        except BaseException:
            self.end()
            raise

    def _ready(self) -> None:
        received = receive(self._channel)
        if received is not None and received[1]:
            self._buffer = LongWaveform(io.FileIO(received[1][0], "r+"))
        else:
            raise ThanoSQLResourceError(
                f"The process that decodes audio could not be started ({self.end()}).",
                hint="With the setting decoding_processes=0 (THANOSQL_DECODING_PROCESSES) the session decodes by itself.",
            )

    @property
    def gone(self) -> bool:
        """Whether it has ended since it was last used, as after a while without work."""
        return bool(select.select([self._channel], [], [], 0)[0])

    def ask(self, request: Request, descriptor: int) -> tuple[Reply, Waveform | None]:
        """The reply and its waveform. Raises Died."""
        (reply,), long = self._asked([request], [descriptor])
        if reply.samples is None:
            return reply, None
        if long is not None:
            return reply, LongWaveform(io.FileIO(long, "r+"), reply.samples)
        return reply, self._buffer.first(reply.samples)

    def ask_together(self, requests: Sequence[Request], descriptors: Sequence[int]) -> list[Reply]:
        """The replies to requests whose replies come without a waveform. Raises Died."""
        return self._asked(requests, descriptors)[0]

    def _asked(self, requests: Sequence[Request], descriptors: Sequence[int]) -> tuple[list[Reply], int | None]:
        try:
            send(self._channel, requests, descriptors)
            received = receive(self._channel)
        except ConnectionError:
            received = None
        if received is None:
            raise Died(self.end())
        content, given = received
        if len(content) != len(requests):
            raise Died(self.end())
        return [Reply.of(one) for one in content], given[0] if given else None

    def end(self) -> str:
        """End it, if it has not, and say how it ended."""
        self._channel.close()
        try:
            status = self._process.wait(0.2)  # what dies of itself closes its socket a little before
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        with suppress(ValueError):
            return signal.Signals(-status).name
        return f"exit status {status}"

    def forget(self) -> None:
        """Close what a fork has copied; it is the other process's."""
        self._channel.close()
        self._process.returncode = 0


class DecoderPool:
    """As many processes as are asked for at once. Threads may use it together."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._turn = threading.Condition()
        self._idle: list[_Process] = []
        self._busy = 0

    @property
    def processes(self) -> tuple[int, ...]:
        """The process ids of those that wait for work."""
        with self._turn:
            return tuple(one._process.pid for one in self._idle)

    @contextmanager
    def _one(self, most: int) -> Iterator[_Process]:
        """A process, for one request."""
        with self._turn:
            while self._busy >= most:
                self._turn.wait()
            self._busy += 1
        process: _Process | None = None
        try:
            while process is None:
                with self._turn:
                    process = self._idle.pop() if self._idle else None
                if process is None:
                    process = _Process()
                elif process.gone:
                    process.end()
                    process = None
            yield process
        except BaseException:
            if process is not None:
                process.end()
            process = None
            raise
        finally:
            with self._turn:
                self._busy -= 1
                if process is not None:
                    self._idle.append(process)
                self._turn.notify()

    def ask(self, request: Request, descriptor: int, most: int) -> tuple[Reply, Waveform | None]:
        """The reply to a request, and its waveform.

        Raises AudioError for a file whose processes die, and ThanoSQLResourceError where none can be started.
        """
        ended = ""
        for _ in range(TRIES):
            try:
                with self._one(most) as process:
                    return process.ask(request, descriptor)
            except Died as error:
                ended = str(error)
            if ended in ("SIGPROF", "SIGALRM"):
                raise AudioError("damaged: its decoder was ended, since it worked for a minute without a sample")
        raise AudioError(f"damaged: its decoder crashed ({ended}), in {TRIES} tries")

    def ask_together(self, requests: Sequence[Request], descriptors: Sequence[int], most: int) -> list[Reply] | None:
        """The replies to requests that are sent together; None where the process dies: then one of them is to blame."""
        try:
            with self._one(most) as process:
                return process.ask_together(requests, descriptors)
        except Died:
            return None

    def close(self) -> None:
        """End the processes that wait for work."""
        with self._turn:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def after_fork(self) -> None:
        """Leave the processes to the one that started them."""
        for process in self._idle:
            process.forget()
        self._forget()


POOL = DecoderPool()
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.after_fork)
