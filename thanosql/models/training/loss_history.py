"""Loss and learning rate of each step in, at most a thousand points of their curve out."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 1_000  # points of a curve, which a card holds as text


@dataclass
class LossHistory:
    """Steps in their order. Past MOST points, each becomes the mean of `stride` steps: 2, 4, 8 …

    >>> curve = LossHistory()
    >>> for step in range(1, 4):
    ...     curve.add(step, loss=1 / step, rate=0.1)
    >>> curve.whole()[1]
    (2, 0.5, 0.1)
    """

    stride: int = 1
    points: list[list[float]] = field(default_factory=list)  # last step, sum of losses, last rate
    rest: list[float] = field(default_factory=list)  # the same of a stretch that is not full, and its steps

    def add(self, step: int, loss: float, rate: float) -> None:
        before, count = (self.rest[1], self.rest[3]) if self.rest else (0.0, 0.0)
        self.rest = [step, before + loss, rate, count + 1]
        if self.rest[3] < self.stride:
            return
        self.points.append(self.rest[:3])
        self.rest = []
        if len(self.points) == MOST:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [[second[0], first[1] + second[1], second[2]] for first, second in pairs]
            self.stride *= 2

    def whole(self) -> tuple[tuple[int, float, float], ...]:
        """Each point as its last step, the mean loss, and the last step's learning rate."""
        found = [(int(step), loss / self.stride, rate) for step, loss, rate in self.points]
        if self.rest:
            step, loss, rate, count = self.rest
            found.append((int(step), loss / count, rate))
        return tuple(found)
