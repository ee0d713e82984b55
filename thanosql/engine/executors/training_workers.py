"""What an executor's name says and the machines of a cluster in; how many processes train a model, and of which size, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thanosql.engine.executors.ray_cluster import Cluster
from thanosql.models.options import TrainOptions
from thanosql.models.training.steps import step_size

Machines = Sequence[Mapping[str, float]]  # each with its 'CPU' and 'GPU', as Ray calls them


@dataclass(frozen=True)
class TrainingWorkers:
    """How many processes train, and the CPUs and GPUs of each."""

    count: int
    cpus: float
    gpus: float

    @property
    def backend(self) -> str:
        """What gradients travel by: NCCL connects whole GPUs only, and a training's numbers are on the CPU."""
        return "cpu:gloo,cuda:nccl" if self.gpus >= 1 else "gloo"


def training_workers(cluster: Cluster, machines: Machines, options: TrainOptions) -> TrainingWorkers:
    """One worker for each GPU where there are any, else one with all CPUs of the largest machine.

    `workers` is another number of them, which divide the CPUs; as many as fit, and none without an utterance of a step.

    >>> training_workers(Cluster.named("ray?workers=2"), [{"CPU": 4.0}], TrainOptions())
    TrainingWorkers(count=2, cpus=2.0, gpus=0.0)
    """
    there = any(machine.get("GPU", 0.0) for machine in machines) and options.device != "cpu"
    gpus = cluster.gpus if cluster.gpus is not None else float(there)
    most = cluster.most or (rooms(machines, 0.0, gpus) if gpus else 1)
    most = max(1, min(most, step_size(options)))
    cpus = cluster.cpus
    if cpus is None:
        largest = int(max((machine.get("CPU", 0.0) for machine in machines), default=1.0))
        sizes = range(largest, 1, -1) if not gpus else ()
        cpus = float(next((size for size in sizes if rooms(machines, size, gpus) >= most), 1))
    return TrainingWorkers(max(cluster.fewest, min(most, rooms(machines, cpus, gpus)), 1), cpus, gpus)


def rooms(machines: Machines, cpus: float, gpus: float) -> int:
    """How many workers of that size fit onto the machines; of no size, one for each machine."""
    wanted = [(kind, each) for kind, each in (("CPU", cpus), ("GPU", gpus)) if each]
    return sum(int(min((machine.get(kind, 0.0) // each for kind, each in wanted), default=1)) for machine in machines)
