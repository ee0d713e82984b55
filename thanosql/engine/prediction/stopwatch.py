"""An environment in; the seconds that recognizing took, apart from those that loading a model took, out."""

from __future__ import annotations

import time
from dataclasses import dataclass

from thanosql.engine.planner import Environment


@dataclass(frozen=True)
class Spent:
    """Seconds of work; `loading` are those before it that a model was loaded in, its library imported."""

    seconds: float
    loading: float = 0.0


class Stopwatch:
    """Runs from when it is made. What an executor loads in other processes is part of the work."""

    def __init__(self, environment: Environment) -> None:
        self._loading = environment.loading_seconds
        self._loaded_before = self._loading()
        self._started = time.perf_counter()

    def read(self) -> Spent:
        """What was spent until now."""
        loading = self._loading() - self._loaded_before
        return Spent(max(0.0, time.perf_counter() - self._started - loading), loading)
