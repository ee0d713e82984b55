"""A Ray cluster on this machine, to which nodes can be added; the whole folder is skipped where Ray is not installed."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def started(start: Callable[[], Any]) -> Any:
    """What a call that starts a node of Ray gives: a crowded machine starts none in the 15 s that Ray's raylet waits for its
    own agents, which no setting of Ray changes; the next try finds their files in memory."""
    for _ in range(4):
        try:
            return start()
        except Exception as error:  # Ray's is of no other class
            if "timed out during startup" not in str(error):
                raise
    return start()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A `ray.cluster_utils.Cluster` with a head of two CPUs, this process connected to it, for the whole run."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: make ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    # The workers of a driver outside of the cluster import the tests' audio by what the cluster's own processes have.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

    def head() -> dict[str, Any]:  # of a try that failed, processes stay until the end: each has a port of its own
        return {"num_cpus": 2, "include_dashboard": False, "ray_client_server_port": _free_port()}

    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # Ray leaves a log of that server open
        opened = started(lambda: Cluster(initialize_head=True, head_node_args=head()))
    ray.init(address=opened.address, logging_level="error", log_to_driver=False)
    yield opened
    ray.shutdown()
    opened.shutdown()


@pytest.fixture(scope="session")
def client_port(cluster: Any) -> int:
    """Where the cluster's head serves drivers outside of it."""
    return int(cluster.head_node._ray_params.ray_client_server_port)


@pytest.fixture(scope="session")
def ray(cluster: Any) -> Any:
    """Ray, connected to the cluster."""
    import ray

    return ray


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])
