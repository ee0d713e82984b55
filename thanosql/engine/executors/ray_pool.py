"""The workers of a Ray cluster that one session has: each with what it said of itself and the batches it is at.

A pool of our own, not Ray Data's `map_batches`: the rows come from a stream that only this process has, which Ray Data
would take into its store whole; and a batch whose machine has gone is told apart from one whose audio kills workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thanosql.engine.executors.ray_cluster import Cluster
from thanosql.engine.executors.ray_worker import RayWorker

if TYPE_CHECKING:
    from thanosql.engine.executors.ray_worker import WorkerFacts
    from thanosql.models.tasks import AudioRow

AHEAD = 2  # batches that a worker has: its model runs on one while it reads the other

Rows = tuple["AudioRow", ...]


@dataclass(frozen=True)
class Share:
    """What one worker takes of the cluster, and how many workers there are at most."""

    cpus: float
    gpus: float
    most: int

    @classmethod
    def of(cls, cluster: Cluster, machines: Iterable[Mapping[str, float]], *, on_gpu: bool) -> Share:
        """A GPU where the cluster has some and one is wanted, else a CPU; as many as all machines have room for.

        >>> Share.of(Cluster.named("ray?cpus=0.5"), [{"CPU": 2.0}, {"CPU": 4.0}], on_gpu=True)
        Share(cpus=0.5, gpus=0.0, most=12)
        """
        there: dict[str, float] = {}
        for machine in machines:
            for kind in ("CPU", "GPU"):
                there[kind] = there.get(kind, 0.0) + machine.get(kind, 0.0)
        gpus = cluster.gpus if cluster.gpus is not None else float(on_gpu and there.get("GPU", 0.0) > 0)
        cpus = cluster.cpus if cluster.cpus is not None else 1.0
        places = [there.get(kind, 0.0) // each for kind, each in (("CPU", cpus), ("GPU", gpus)) if each]
        return cls(cpus, gpus, cluster.most or max(1, int(min(places, default=1))))


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
    silent_since: float | None = None

    @property
    def has_room(self) -> bool:
        """Whether it may get another batch; a suspected one is alone with its worker."""
        return (
            self.facts is not None
            and self.starting is None
            and self.silent_since is None
            and len(self.batches) < AHEAD
            and not any(batch.suspected for batch in self.batches.values())
        )


class Openings:
    """The workers that have room, by how many batches they have: found without a look at the others."""

    def __init__(self) -> None:
        self._members: tuple[dict[Member, None], ...] = tuple({} for _ in range(AHEAD))

    def note(self, member: Member) -> None:
        """Something about it has changed."""
        self.forget(member)
        if member.has_room:
            self._members[len(member.batches)][member] = None

    def forget(self, member: Member) -> None:
        for members in self._members:
            members.pop(member, None)

    def best(self, batch: Batch) -> Member | None:
        """The one with the fewest batches, which has waited longest; None where nobody has room."""
        fitting = self._members[:1] if batch.suspected else self._members
        return next((next(iter(members)) for members in fitting if members), None)


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
