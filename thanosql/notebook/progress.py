"""Progress in, one bar out, in a notebook, a terminal or a log, that leaves at most one line behind.

`update` only notes where the work is; a thread of its own draws, so that the work never waits for a front end, a query
that reports nothing shows its seconds too, and Ctrl-C is answered at once even while a long step holds the interpreter.

In a notebook it is a display of our own and not tqdm's: that one is an ipywidget, which needs ipywidgets on both sides,
says a warning where it is missing and is gone when the notebook is opened again.
"""

from __future__ import annotations

import contextvars
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from thanosql.notebook.progress_state import ProgressState

if TYPE_CHECKING:
    from thanosql.engine.planner import Progress

QUIET_SECONDS = 1.0  # what is over sooner shows nothing
TICK_SECONDS = 0.25  # between two drawings


class Line(Protocol):
    """Where progress is drawn."""

    def draw(self, work: ProgressState) -> None:
        """Show where the work is, in place of what was shown before."""

    def leave(self, text: str) -> None:
        """Replace the bar by this one line; by nothing when it is empty."""


class ProgressBar:
    """A context manager; `update` is what a session's `run` calls. `quiet` shows nothing;
    `first` is said while nothing is reported yet; `before` is called before a bar is shown, to show what comes above it."""

    def __init__(
        self, *, quiet: bool = False, first: str = "running", before: Callable[[], None] = lambda: None
    ) -> None:
        self._quiet = quiet
        self._before_bar = before
        self._work = ProgressState(time.monotonic(), first)
        self._line: Line | None = None
        self._drawing = threading.Lock()

    def update(self, progress: Progress) -> None:
        """Note where the work is."""
        self._work.advance(progress, time.monotonic())

    def leave(self, text: str) -> bool:
        """End this statement's bar with a line of text; False when no bar was shown, and it is still to be said."""
        with self._drawing:
            line, self._line = self._line, None
            self._work = ProgressState(time.monotonic())
            if line is not None:
                line.leave(text)
            return line is not None and bool(text)

    def __enter__(self) -> ProgressBar:
        if not self._quiet:
            self._wake, self._waken = socket.socketpair()
            self._waken.setblocking(False)
            self._listen()
            context = contextvars.copy_context()  # a kernel tells by it which cell an output belongs to
            self._thread = threading.Thread(target=context.run, args=(self._watch,), name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._quiet:
            return
        if self._listening:
            signal.set_wakeup_fd(self._before)
        self._waken.send(b"\0")
        self._thread.join(timeout=5)
        self._wake.close()
        self._waken.close()
        self.leave("")

    def _listen(self) -> None:
        """Have a signal's number written to our socket as it comes: Python's own handler waits for the step's end."""
        self._before, self._listening = -1, False
        if os.name == "posix" and threading.current_thread() is threading.main_thread():
            self._before = signal.set_wakeup_fd(self._waken.fileno(), warn_on_full_buffer=False)
            self._listening = True

    def _watch(self) -> None:
        while True:
            ready, _, _ = select.select([self._wake], [], [], TICK_SECONDS)
            signals = self._wake.recv(64) if ready else b""
            if b"\0" in signals:
                return
            if signals and self._before != -1:
                os.write(self._before, signals)
            with self._drawing:
                if signal.SIGINT in signals:
                    self._work.interrupted = True
                self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        work = self._work
        if self._line is None:
            if now - work.begun < QUIET_SECONDS and not work.interrupted:
                return
            self._before_bar()
            self._line = _line()
        self._line.draw(work.at(now))


def _line() -> Line:
    from thanosql.notebook import lines

    if (display := in_notebook()) is not None:
        return lines.NotebookLine(display)
    return lines.TerminalLine() if sys.stderr.isatty() else lines.LogLine()


def in_notebook() -> object | None:
    """The shell of a front end that shows HTML; None in a terminal, a script, a log. IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or "text/html" not in shell.display_formatter.active_types:
        return None
    return shell  # type: ignore[no-any-return]
