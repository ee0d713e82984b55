"""What the training loop asks of the processes that train one model together; and how one process alone answers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import torch

    from thanosql.models.cancellation import Cancellation

Item = TypeVar("Item")


class Ranks(Protocol):
    """The processes that train one model together, as one of them sees them. Each holds the whole model, and computes the
    gradients of its share of every step.

    `rank` is this one's number from 0, `count` how many there are, `local` how many of them are on this machine. All ranks
    call the methods in the same order; each waits for the others.
    """

    @property
    def rank(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def local(self) -> int: ...

    def check(self, cancellation: Cancellation) -> None:
        """Raise Cancelled in all ranks where a stop was asked for in any."""

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Each number, added up over the ranks."""

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give each parameter the sum of its gradients in all ranks, in all of them; none where no rank has one."""

    def gather(self, value: Any) -> list[Any]:
        """The ranks' values, in their order."""


class Alone:
    """One process: it has everything already."""

    rank = 0
    count = 1
    local = 1

    def check(self, cancellation: Cancellation) -> None:
        cancellation.check()

    def sum(self, *numbers: float) -> tuple[float, ...]:
        return numbers

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """They are the sums."""

    def gather(self, value: Item) -> list[Item]:
        return [value]


ALONE: Ranks = Alone()
