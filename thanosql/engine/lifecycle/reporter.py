"""How far a statement is in, the caller's callback called with it; what that raises is remembered as the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation

T = TypeVar("T")  # the Progress of `executors`, which this room knows nothing of


class Reporter(Generic[T]):
    """Called by a statement at its work, between batches and between steps: there it can stop. `error` is what the callback
    has raised."""

    def __init__(self, callback: Callable[[T], None] | None, cancellation: Cancellation) -> None:
        self._callback = callback
        self._cancellation = cancellation
        self.error: Exception | None = None

    def __call__(self, how_far: T) -> None:
        self._cancellation.check()
        if self._callback is not None:
            try:
                self._callback(how_far)
            except Exception as error:
                self.error = error
                raise
