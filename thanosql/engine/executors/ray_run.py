"""Batches of audio in, outcomes out, over a pool of Ray workers: who gets what, and what becomes of it when one dies.

Where Ray does not reach a worker, its process has died or its machine has, and Ray does not know which for a while: the
batch is sent to that worker again until Ray says. Only then is a row suspected, or is the machine's death counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from thanosql.engine.executors.ray_pool import Batch, Member, Openings, Pool, Rows
from thanosql.engine.executors.ray_worker import FileNeed, Preparation, WorkerFacts
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLResourceError
from thanosql.models.tasks import Failure, Outcome
from thanosql.version import DISTRIBUTION, __version__

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation

LOOK_SECONDS = 0.2  # between two looks at the cancellation
START_SECONDS = 300.0  # until some worker must have started
SILENT_SECONDS = 120.0  # of a worker out of reach, until its machine is given up; Ray calls one dead after 15 to 30
DEATHS_AT_START = 3  # in a row
NODES_LOST = 4  # with one batch on them, before it is held to be the reason
NODE_DIED = "its node has died"  # in Ray's error: no fault of the worker


class Source(Protocol):
    """What the driver gives to its workers."""

    def sent(self, rows: Rows, facts: WorkerFacts) -> Rows:
        """The rows as a worker gets them: audio that it does not see is read here."""

    def stored(self, need: FileNeed) -> Mapping[str, Any]:
        """References to the content of files in Ray's store, by name: put there once."""


class PoolRun:
    """One task on a pool: at any moment each batch is in `_waiting`, with one member, or done."""

    def __init__(self, pool: Pool, wanted: Preparation, source: Source) -> None:
        self._pool = pool
        self._ray = pool.ray
        self._wanted = pool.ray.put(wanted)  # once in the store, whatever it weighs
        self._source = source
        self._waiting: deque[Batch] = deque()
        self._openings = Openings()
        self._starting: dict[Any, Member] = {}  # by the answers that are waited for
        self._working: dict[Any, Member] = {}
        self._deaths_at_start = 0
        self._begun = time.monotonic()
        self._lost = tuple(
            getattr(pool.ray.exceptions, name)
            for name in ("RayActorError", "WorkerCrashedError", "OutOfMemoryError", "NodeDiedError", "ObjectLostError")
        )

    def outcomes(self, batches: Iterable[Rows], cancellation: Cancellation) -> Iterator[tuple[Outcome, ...]]:
        """The outcomes of the batches, as they are done. Left in the middle, by an error or by closing the iterator, it
        ends the workers."""
        stream = iter(batches)
        for member in self._pool.members:
            self._prepare(member, {})
        try:
            while True:
                cancellation.check()
                yield from self._hand_out(stream)
                if not self._waiting and not self._working:
                    return
                yield from self._take_in()
        except BaseException:
            self._pool.close()
            raise

    def _hand_out(self, stream: Iterator[Rows]) -> Iterator[tuple[Outcome, ...]]:
        """Give batches to the workers that have room; draw one more than that, and start a worker for it."""
        while True:
            if not self._waiting:
                rows = next(stream, None)
                if rows is None:
                    return
                if not rows:
                    yield ()
                    continue
                self._waiting.append(Batch(rows))
            member = self._openings.best(self._waiting[0])
            if member is None:
                break
            self._send(member, self._waiting.popleft())
        # As many as are started at once, so that a small statement does not take a whole cluster.
        members = len(self._pool.members)
        if members < self._pool.share.most and len(self._starting) < max(2, members):
            self._prepare(self._pool.add(), {})

    def _send(self, member: Member, batch: Batch) -> None:
        assert member.facts is not None
        ref = member.handle.work.remote(self._source.sent(batch.rows, member.facts))
        member.batches[ref] = batch
        self._working[ref] = member
        self._openings.note(member)

    def _take_in(self) -> Iterator[tuple[Outcome, ...]]:
        """Wait a moment for what the workers say."""
        known = [*self._starting, *self._working]
        done, _ = self._ray.wait(known, num_returns=1, timeout=LOOK_SECONDS)
        more, _ = self._ray.wait(known, num_returns=len(known), timeout=0)
        for ref in dict.fromkeys([*done, *more]):
            # One that is in neither was a dead worker's, and has been dealt with.
            if starting := self._starting.pop(ref, None):
                self._started(starting)
            elif working := self._working.pop(ref, None):
                yield self._result(working, ref)
        if not any(member.facts for member in self._pool.members):
            if time.monotonic() - self._begun > START_SECONDS:
                raise ThanoSQLResourceError(f"No worker has started in {START_SECONDS:.0f} s: {self._room()}.")
        else:
            self._begun = time.monotonic()

    def _prepare(self, member: Member, files: Mapping[FileNeed, Mapping[str, Any]]) -> None:
        member.starting = member.handle.prepare.remote(self._wanted, files)
        self._starting[member.starting] = member
        self._openings.note(member)

    def _drop(self, member: Member) -> None:
        self._pool.drop(member)
        self._openings.forget(member)
        self._starting.pop(member.starting, None)
        for ref in member.batches:
            self._working.pop(ref, None)

    def _started(self, member: Member) -> None:
        try:
            facts: WorkerFacts = self._ray.get(member.starting)
        except self._ray.exceptions.ActorUnavailableError:
            if self._is_silent_too_long(member):
                self._drop(member)
            else:
                self._prepare(member, {})
            return
        except self._lost as error:
            self._drop(member)
            if NODE_DIED in str(error):
                return
            # Before a worker has said anything the reason may be its own __init__, or the import of this package.
            self._deaths_at_start += 1
            if "No module named 'thanosql" in str(error):
                raise ThanoSQLConnectionError(
                    "The machines of the Ray cluster have no ThanoSQL.",
                    hint=f"On each of them: pip install {DISTRIBUTION}=={__version__}",
                ) from error
            if self._deaths_at_start >= DEATHS_AT_START:
                raise ThanoSQLResourceError(
                    f"{self._deaths_at_start} workers in the Ray cluster died one after the other as they started.",
                    hint="The logs are in /tmp/ray/session_latest/logs of their machine; the usual reason is too "
                    "little memory.",
                ) from error
            return
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        if facts.version != __version__:
            raise ThanoSQLConnectionError(
                f"The machines of the Ray cluster have ThanoSQL {facts.version}, and this one has {__version__}.",
                hint=f"On each of them: pip install {DISTRIBUTION}=={__version__}",
            )
        member.starting, member.facts, member.silent_since = None, facts, None
        self._deaths_at_start = 0
        if facts.missing:
            self._prepare(member, {need: self._source.stored(need) for need in facts.missing})
        self._openings.note(member)

    def _result(self, member: Member, ref: Any) -> tuple[Outcome, ...]:
        try:
            outcomes: tuple[Outcome, ...] = self._ray.get(ref)
        except self._ray.exceptions.ActorUnavailableError:
            if self._is_silent_too_long(member):
                return self._died(member)
            self._send(member, member.batches.pop(ref))
            return ()
        except self._lost:
            return self._died(member)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        del member.batches[ref]
        member.silent_since = None
        self._openings.note(member)
        return outcomes

    def _is_silent_too_long(self, member: Member) -> bool:
        if member.silent_since is None:
            member.silent_since = time.monotonic()
        return time.monotonic() - member.silent_since > SILENT_SECONDS

    def _died(self, member: Member) -> tuple[Outcome, ...]:
        """What the dead worker had goes to others; a row that was alone with it the second time has failed."""
        self._drop(member)
        failed: list[Outcome] = []
        unknown = member.silent_since is not None and self._is_silent_too_long(member)
        node_lost = unknown or (member.facts is not None and not self._alive(member.facts.node))
        for batch in member.batches.values():  # its other calls fail, too, and are dealt with here
            if node_lost and batch.nodes_lost < NODES_LOST:
                self._waiting.append(Batch(batch.rows, batch.suspected, batch.nodes_lost + 1))
            elif batch.suspected:
                failed.extend(
                    Outcome(row.row, Failure("the process that transcribed it died, twice"), 0.0) for row in batch.rows
                )
            else:
                self._waiting.extend(Batch((row,), suspected=True) for row in batch.rows)
        return tuple(failed)

    def _alive(self, node: str) -> bool:
        return any(about["NodeID"] == node and about["Alive"] for about in self._ray.nodes())

    def _room(self) -> str:
        share, all_, free = self._pool.share, self._ray.cluster_resources(), self._ray.available_resources()
        return (
            f"one takes {share.cpus:g} CPUs and {share.gpus:g} GPUs, and of the cluster's {all_.get('CPU', 0):g} CPUs and "
            f"{all_.get('GPU', 0):g} GPUs {free.get('CPU', 0):g} and {free.get('GPU', 0):g} are free"
        )
