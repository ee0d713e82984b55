"""What a run of torture gives: how much was done, and what should not have happened."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

STOP = threading.Event()


@dataclass
class Findings:
    """`counts` is what was done and how it ended; each of `failures` is one thing that broke a promise."""

    what: str
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    stopped: bool = False  # before its amount was reached

    def going_on(self) -> bool:
        """Whether the next one of a part is to begin; False once whoever runs it has asked for the end (`STOP`)."""
        self.stopped = self.stopped or STOP.is_set()
        return not self.stopped

    def fail(self, said: str) -> None:
        self.counts["FAILED"] += 1
        if len(self.failures) < 200:
            self.failures.append(said[:600])

    def check(self, holds: bool, said: str) -> None:
        if not holds:
            self.fail(said)

    def done(self) -> Findings:
        self.seconds = time.monotonic() - self.begun
        return self
