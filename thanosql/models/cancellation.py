"""A request to stop, made in one thread and seen in another: looked at between batches and between training steps."""

from __future__ import annotations


class Cancelled(KeyboardInterrupt):
    """The work was asked to stop, and has: what handles Ctrl-C handles this too. The message is the reason."""


class Cancellation:
    """Set once, by Ctrl-C, SIGTERM or a closing session; never taken back.

    >>> cancellation = Cancellation()
    >>> cancellation.check()
    >>> cancellation.cancel("the session was closed")
    >>> cancellation.requested, cancellation.reason
    (True, 'the session was closed')
    """

    def __init__(self) -> None:
        self._requested = False
        self.reason = ""

    @property
    def requested(self) -> bool:
        return self._requested

    def cancel(self, reason: str) -> None:
        """Ask the work to stop. Only the first reason counts."""
        if not self._requested:
            self.reason = reason
            self._requested = True

    def check(self) -> None:
        """Raise Cancelled where a stop was asked for."""
        if self._requested:
            raise Cancelled(self.reason)
