"""Trainings that wait, in the middle, for what a test does to them: importable in a worker, as a task's own audio is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.optim import optimizer

from tests.models.in_memory import Made


@dataclass(frozen=True, kw_only=True)
class _Held(Made):
    """In each process that a task brings it to, the training stands still in its step `at` until `may_go_on`."""

    at: int

    def may_go_on(self) -> bool:
        raise NotImplementedError

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        optimizer.register_optimizer_step_post_hook(self._hold())

    def _hold(self) -> Callable[..., None]:
        steps: list[None] = []

        def hold(*_: Any) -> None:
            steps.append(None)
            while len(steps) == self.at and not self.may_go_on():
                time.sleep(0.01)

        return hold


@dataclass(frozen=True, kw_only=True)
class HeldUntilThere(_Held):
    """Until a file is there."""

    path: Path

    def may_go_on(self) -> bool:
        return self.path.exists()


@dataclass(frozen=True, kw_only=True)
class HeldUntilStopped(_Held):
    """Until this rank has been told to stop: then nothing listens for that any more."""

    def may_go_on(self) -> bool:
        return not any(thread.name == "thanosql-listen" for thread in threading.enumerate())
