"""A Ray cluster on this machine, to which nodes can be added; the whole folder is skipped where Ray is not installed."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def client_port() -> int:
    """Where the cluster's head serves drivers outside of it."""
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def cluster(client_port: int) -> Iterator[Any]:
    """A `ray.cluster_utils.Cluster` with a head of two CPUs, this process connected to it, for the whole run."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: make ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    head = {"num_cpus": 2, "include_dashboard": False, "ray_client_server_port": client_port}
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # Ray leaves a log of that server open
        opened = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=opened.address, logging_level="error", log_to_driver=False)
    yield opened
    ray.shutdown()
    opened.shutdown()


@pytest.fixture(scope="session")
def ray(cluster: Any) -> Any:
    """Ray, connected to the cluster."""
    import ray

    return ray
