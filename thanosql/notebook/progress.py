"""How far a statement is, in a notebook, a terminal or a log: Progress in, one bar out that leaves one line behind."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thanosql.engine.planner import Progress

QUIET_SECONDS = 1.0  # what is over sooner shows nothing


class ProgressBar:
    """A context manager; `update` is what a session's `run` calls."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._what = ""
        self._begun = time.monotonic()

    def update(self, progress: Progress) -> None:
        """Show `progress`; a change of `what` begins a new bar."""
        if progress.what != self._what:
            if self._bar is None or not _same_work(self._what, progress.what):
                self._close()
                self._begun = time.monotonic()
            self._what = progress.what
        if self._bar is None:
            if time.monotonic() - self._begun < QUIET_SECONDS:
                return
            from tqdm.auto import tqdm

            self._bar = tqdm(total=progress.total, unit=progress.unit, dynamic_ncols=True, smoothing=0.1)
        self._bar.set_description_str(progress.what, refresh=False)
        if progress.detail:
            self._bar.set_postfix_str(progress.detail, refresh=False)
        self._bar.total = progress.total
        self._bar.n = round(progress.done, 1)
        self._bar.refresh() if progress.done >= progress.total else self._bar.update(0)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


def _same_work(before: str, now: str) -> bool:
    """`training m, epoch 1 of 5` and `training m, epoch 2 of 5` are one bar."""
    return bool(before) and before.split(",")[0] == now.split(",")[0]
