"""Batches of audio in, outcomes out, over actors of a Ray cluster: who gets what, and what becomes of it when one dies.

A pool of our own, not Ray Data's `map_batches`: the rows come from a stream that only this process has, which Ray Data
would take into its store whole; and a batch whose machine has gone is told apart from one whose audio kills workers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from thanosql.engine.executors.ray_worker import FileNeed, Preparation, RayWorker, WorkerFacts
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLResourceError
from thanosql.models.tasks import AudioRow, Failure, Outcome
from thanosql.version import DISTRIBUTION, __version__

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation

AHEAD = 2  # batches that a worker has: its model runs on one while it reads the other
LOOK_SECONDS = 0.2  # between two looks at the cancellation
START_SECONDS = 300.0  # until some worker must have started
DEATHS_AT_START = 3  # in a row
NODES_LOST = 4  # with one batch on them, before it is held to be the reason

Rows = tuple[AudioRow, ...]


@dataclass(frozen=True)
class Share:
    """What one worker takes of the cluster, and how many workers there are at most."""

    cpus: float
    gpus: float
    most: int


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows on their way. After their worker has died they go alone, a row each, with `suspected` saying so."""

    rows: Rows
    suspected: bool = False
    nodes_lost: int = 0


@dataclass(eq=False)
class Member:
    """A worker: the answer that its start waits for, what it said of itself, and the batches that it has."""

    handle: Any
    starting: Any = None
    facts: WorkerFacts | None = None
    batches: dict[Any, Batch] = field(default_factory=dict)

    def takes(self, batch: Batch) -> bool:
        """Whether there is room for it; a suspected one is alone with its worker."""
        if self.facts is None or self.starting is not None or len(self.batches) >= AHEAD:
            return False
        return not self.batches or not (batch.suspected or any(other.suspected for other in self.batches.values()))


class Source(Protocol):
    """What the driver gives to its workers."""

    def sent(self, rows: Rows, facts: WorkerFacts) -> Rows:
        """The rows as a worker gets them: audio that it does not see is read here."""

    def stored(self, need: FileNeed) -> Mapping[str, Any]:
        """References to the content of files in Ray's store, by name: put there once."""


class Pool:
    """Workers of one kind. They stay from one task to the next, until `close`."""

    def __init__(self, ray: Any, share: Share) -> None:
        self.ray = ray
        self.share = share
        self.members: list[Member] = []
        self._actor = ray.remote(RayWorker).options(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_concurrency=AHEAD,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )

    def add(self) -> Member:
        member = Member(self._actor.remote())
        self.members.append(member)
        return member

    def drop(self, member: Member) -> None:
        self.members.remove(member)
        self.ray.kill(member.handle)

    def close(self) -> None:
        """End every worker, whatever it is at."""
        for member in list(self.members):
            self.drop(member)


class PoolRun:
    """One task on a pool: at any moment each batch is in `_waiting`, with one member, or done."""

    def __init__(self, pool: Pool, wanted: Preparation, source: Source) -> None:
        self._pool = pool
        self._ray = pool.ray
        self._wanted = pool.ray.put(wanted)  # once in the store, whatever it weighs
        self._source = source
        self._waiting: deque[Batch] = deque()
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
                if not self._waiting and not any(member.batches for member in self._pool.members):
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
            batch = self._waiting[0]
            able = [member for member in self._pool.members if member.takes(batch)]
            if not able:
                break
            member = min(able, key=lambda member: len(member.batches))
            assert member.facts is not None
            rows = self._source.sent(batch.rows, member.facts)
            member.batches[member.handle.work.remote(rows)] = self._waiting.popleft()
        starting = sum(member.starting is not None for member in self._pool.members)
        # As many as are started at once, so that a small statement does not take a whole cluster.
        if len(self._pool.members) < self._pool.share.most and starting < max(2, len(self._pool.members)):
            self._prepare(self._pool.add(), {})

    def _take_in(self) -> Iterator[tuple[Outcome, ...]]:
        """Wait a moment for what the workers say."""
        asked = {member.starting: member for member in self._pool.members if member.starting is not None}
        working = {ref: member for member in self._pool.members for ref in member.batches}
        known = [*asked, *working]
        done, _ = self._ray.wait(known, num_returns=1, timeout=LOOK_SECONDS)
        more, _ = self._ray.wait(known, num_returns=len(known), timeout=0)
        for ref in dict.fromkeys([*done, *more]):
            if ref in asked and asked[ref].starting == ref:  # through Ray Client it is another object
                self._started(asked[ref])
            elif ref in working and ref in working[ref].batches:
                yield self._result(working[ref], ref)
        if not any(member.facts for member in self._pool.members):
            if time.monotonic() - self._begun > START_SECONDS:
                raise ThanoSQLResourceError(f"No worker has started in {START_SECONDS:.0f} s: {self._room()}.")
        else:
            self._begun = time.monotonic()

    def _prepare(self, member: Member, files: Mapping[FileNeed, Mapping[str, Any]]) -> None:
        member.starting = member.handle.prepare.remote(self._wanted, files)

    def _started(self, member: Member) -> None:
        try:
            facts: WorkerFacts = self._ray.get(member.starting)
        except self._lost as error:
            # Before a worker has said anything the reason may be its own __init__, or the import of this package.
            self._pool.drop(member)
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
        member.starting, member.facts = None, facts
        self._deaths_at_start = 0
        if facts.missing:
            self._prepare(member, {need: self._source.stored(need) for need in facts.missing})

    def _result(self, member: Member, ref: Any) -> tuple[Outcome, ...]:
        try:
            outcomes: tuple[Outcome, ...] = self._ray.get(ref)
        except self._lost:
            return self._died(member)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        del member.batches[ref]
        return outcomes

    def _died(self, member: Member) -> tuple[Outcome, ...]:
        """What the dead worker had goes to others; a row that was alone with it the second time has failed."""
        self._pool.drop(member)
        failed: list[Outcome] = []
        node_lost = member.facts is not None and not self._alive(member.facts.node)
        lost, member.batches = member.batches, {}  # its other calls fail, too, and are dealt with here
        for batch in lost.values():
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
