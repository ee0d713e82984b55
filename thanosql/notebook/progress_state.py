"""Progress as it comes in, what there is to say of it out: share, amounts, rate, time left, the measures' curves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from thanosql.notebook.values import duration

if TYPE_CHECKING:
    from thanosql.engine.planner import Progress

MEASURE = re.compile(
    r"^\s*([A-Za-z][\w ]*?) ([0-9.]+(?:e-?[0-9]+)?)(%?)\s*$"
)  # a part of Progress.detail: `loss 0.512`
SECONDS_BEFORE_A_GUESS = 2.0
NEXT = {"checking": "loading model and audio"}  # what goes on, unreported, when the work of that name is done


@dataclass
class ProgressState:
    """One statement's work. `begun` is when it began, `since` when the present stretch did (monotonic seconds);
    `first` is said before anything is reported."""

    begun: float
    first: str = "running"
    now: float = 0.0
    progress: Progress | None = None
    since: float = 0.0
    done_before: float = 0.0
    interrupted: bool = False
    measures: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def advance(self, progress: Progress, now: float) -> None:
        """Take in where the work is; another kind of work begins a new stretch."""
        if self.progress is None or not same_work(self.progress.what, progress.what):
            self.since, self.done_before, self.measures = now, progress.done, {}
        for name, value in measures(progress.detail).items():
            self.measures.setdefault(name, []).append((progress.done, value))
        self.progress = progress

    def at(self, now: float) -> ProgressState:
        """The same work, seen at a later moment."""
        self.now = now
        return self

    @property
    def elapsed(self) -> float:
        return self.now - self.begun

    @property
    def share(self) -> float | None:
        """From 0 to 1; None while there is nothing to measure."""
        if self.progress is None or not self.progress.total > 0:
            return None
        return min(1.0, self.progress.done / self.progress.total)

    @property
    def seconds_left(self) -> float | None:
        """At the rate of this stretch; None before there is one."""
        if self.progress is None or self.share is None or self.now - self.since < SECONDS_BEFORE_A_GUESS:
            return None
        rate = (self.progress.done - self.done_before) / (self.now - self.since)
        return (self.progress.total - self.progress.done) / rate if rate > 0 else None

    def parts(self) -> list[str]:
        """What is said of it, the most important first."""
        if self.interrupted:
            return ["interrupting: the statement ends after the running step", f"{duration(self.elapsed)}"]
        if self.progress is None:
            return [self.first, duration(self.elapsed)]
        progress, said = self.progress, [self.progress.what]
        if progress.done >= progress.total and progress.what in NEXT:
            return [NEXT[progress.what], duration(self.elapsed)]
        if self.share is not None:
            said.append(f"{self.share:.0%}")
            said.append(self._amount())
        if progress.unit == "s" and self.now - self.since > 0.5:
            speed = (progress.done - self.done_before) / (self.now - self.since)
            said.append(f"{speed:,.{0 if speed >= 10 else 1}f} × real time")
        if progress.detail:
            said.append(progress.detail)
        left = self.seconds_left
        said.append(f"{duration(left).replace('.0 s', ' s')} left" if left is not None else duration(self.elapsed))
        return said

    def _amount(self) -> str:
        assert self.progress is not None
        done, total, unit = self.progress.done, self.progress.total, self.progress.unit
        if unit == "s":
            return f"{duration(done)} of {duration(total)} of audio"
        return f"{done:,.0f} of {total:,.0f} {unit}"


def measures(detail: str) -> Mapping[str, float]:
    """The figures in a Progress's detail, which is `name value` parts divided by commas.

    >>> measures("loss 0.512, WER 7.5%, warming up")
    {'loss': 0.512, 'WER': 0.075}
    """
    found = (MEASURE.match(part) for part in detail.split(","))
    return {match[1]: float(match[2]) / (100 if match[3] else 1) for match in found if match}


def same_work(before: str, now: str) -> bool:
    """`training m, epoch 1 of 5` and `training m, epoch 2 of 5` are one stretch of work.

    >>> same_work("training m, epoch 1 of 5", "training m, epoch 2 of 5"), same_work("checking", "transcribing")
    (True, False)
    """
    return before.split(",")[0] == now.split(",")[0]
