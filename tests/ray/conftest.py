"""A Ray cluster on this machine, to which nodes can be added; the whole folder is skipped where Ray is not installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A `ray.cluster_utils.Cluster` with a head of two CPUs, this process connected to it, for the whole run."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: make ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    opened = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    ray.init(address=opened.address, logging_level="error", log_to_driver=False)
    yield opened
    ray.shutdown()
    opened.shutdown()


@pytest.fixture(scope="session")
def ray(cluster: Any) -> Any:
    """Ray, connected to the cluster."""
    import ray

    return ray
