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
# A node whose process is gone refuses to be asked, and is dead after five times: Ray asks every three seconds. One that is
# slow to answer still has 10 s for it, five times.
HEALTH = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500}
# Ray's workers give way to every other process (niceness 15); beside the notebooks' tests they would get next to nothing.
NICENESS = {"worker_niceness": 0}
# Of what Ray starts with a node: what these tests do not use, and which takes processor time as the node starts.
LEAN = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}


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

    head = {"num_cpus": 2, "_system_config": {**HEALTH, **NICENESS}, **LEAN}
    opened = started(lambda: Cluster(initialize_head=True, head_node_args=dict(head)))
    ray.init(address=opened.address, logging_level="error", log_to_driver=False)
    yield opened
    ray.shutdown()
    opened.shutdown()


@pytest.fixture(scope="session")
def client_port(cluster: Any) -> int:
    """Where the cluster's head serves drivers outside of it, from now on."""
    port = _free_port()
    cluster.head_node._ray_params.ray_client_server_port = port
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # Ray leaves a log of that server open
        cluster.head_node.start_ray_client_server()
    return port


@pytest.fixture(scope="session")
def ray(cluster: Any) -> Any:
    """Ray, connected to the cluster."""
    import ray

    return ray


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])
