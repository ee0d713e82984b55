"""The lengths of the examples in; which of them each rank works on, in every step, out."""

from __future__ import annotations

from collections.abc import Sequence

from thanosql.models.training.ranks import Ranks


class Shares:
    """How the utterances of a step are divided among the ranks: to each about the same seconds.

    Every example has a home, one rank, which decodes it and keeps its frames. It goes to another rank only in the steps
    in which its home would have more than its part. What all ranks compute here, each by itself, is the same.
    """

    def __init__(self, seconds: Sequence[float], ranks: Ranks) -> None:
        self._seconds = seconds
        self._rank = ranks.rank
        self._count = ranks.count
        # In a step stand utterances of like length: dealt out by length, they have different homes.
        by_length = sorted(range(len(seconds)), key=lambda index: seconds[index]) if ranks.count > 1 else []
        self._homes = {index: place % ranks.count for place, index in enumerate(by_length)}

    def of(self, chosen: list[int]) -> list[int]:
        """This rank's examples of a step, in its order."""
        if self._count == 1:
            return chosen
        ranks = self._ranks(chosen)
        return [index for index in chosen if ranks[index] == self._rank]

    def __contains__(self, index: object) -> bool:
        """Whether an example's home is here."""
        return self._count == 1 or self._homes.get(index) == self._rank  # type: ignore[call-overload]

    def _ranks(self, chosen: Sequence[int]) -> dict[int, int]:
        """Example → rank. None has more than its part and one utterance."""
        part = sum(self._seconds[index] for index in chosen) / self._count
        filled = [0.0] * self._count
        ranks: dict[int, int] = {}
        for index in sorted(chosen, key=lambda one: (-self._seconds[one], one)):
            rank = self._homes[index]
            if filled[rank] + self._seconds[index] / 2 > part:
                rank = min(range(self._count), key=lambda one: filled[one])
            ranks[index] = rank
            filled[rank] += self._seconds[index]
        return ranks
