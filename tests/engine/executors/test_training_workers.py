from __future__ import annotations

import pytest

from thanosql.engine.executors.ray_cluster import Cluster
from thanosql.engine.executors.training_workers import TrainingWorkers, training_workers
from thanosql.models.options import TrainOptions

EIGHT_GPUS = [{"CPU": 64.0, "GPU": 4.0}, {"CPU": 64.0, "GPU": 4.0}]


@pytest.mark.parametrize(
    ("name", "machines", "options", "expected"),
    [
        ("ray", [{"CPU": 4.0}, {"CPU": 16.0}], {}, (1, 16, 0)),
        ("ray?workers=2", [{"CPU": 2.0}], {}, (2, 1, 0)),
        ("ray?workers=3", [{"CPU": 4.0}, {"CPU": 16.0}], {}, (3, 5, 0)),
        ("ray?workers=2", [{"CPU": 4.0}, {"CPU": 16.0}], {}, (2, 8, 0)),
        ("ray?workers=8", [{"CPU": 2.0}], {}, (2, 1, 0)),  # no more than fit
        ("ray?workers=4-8", [{"CPU": 2.0}], {}, (4, 1, 0)),  # a cluster may grow
        ("ray?workers=4&cpus=0.5", [{"CPU": 2.0}], {}, (4, 0.5, 0)),
        ("ray?workers=8", [{"CPU": 8.0}], {"batch_size": 3}, (3, 2, 0)),
        ("ray?workers=8", [{"CPU": 8.0}], {"batch_size": 3, "gradient_accumulation": 2}, (6, 1, 0)),
        ("ray", EIGHT_GPUS, {}, (8, 1, 1)),
        ("ray", EIGHT_GPUS, {"device": "cpu"}, (1, 64, 0)),
        ("ray?workers=2", EIGHT_GPUS, {}, (2, 1, 1)),
        ("ray?gpus=0.5", EIGHT_GPUS, {"batch_size": 64}, (16, 1, 0.5)),
        ("ray?gpus=3", EIGHT_GPUS, {}, (2, 1, 3)),
        ("ray?workers=2-4&gpus=0&cpus=8", EIGHT_GPUS, {}, (4, 8, 0)),
        ("ray", [], {}, (1, 1, 0)),
    ],
)
def test_how_many_processes_train(
    name: str, machines: list[dict[str, float]], options: dict[str, object], expected: tuple[float, float, float]
) -> None:
    found = training_workers(Cluster.named(name), machines, TrainOptions(**options))  # type: ignore[arg-type]
    assert found == TrainingWorkers(*expected)  # type: ignore[arg-type]


def test_gradients_travel_by_nccl_between_whole_gpus_alone() -> None:
    backends = [TrainingWorkers(2, 1, gpus).backend for gpus in (0, 0.5, 1)]
    assert backends == ["gloo", "gloo", "cpu:gloo,cuda:nccl"]
