"""An executor's name in, a connection to Ray out: one for this process, closed with the last executor that uses it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from thanosql.errors import ThanoSQLConnectionError, ThanoSQLOptionError, did_you_mean
from thanosql.version import DISTRIBUTION

OLDEST = (2, 60)  # of Ray; no older one was tried
CLIENT_TRIES = 3  # a head's server for a driver may crash as it is forked (gRPC), and does not the next time
CRASHED = ("Starting Ray client server failed", "ZombieProcess")  # in what Ray says of it
START_TRIES = (
    3  # a crowded machine starts no node in the 15 s that Ray waits for its own processes, and may do so the next time
)
CURE = f"Install it: pip install '{DISTRIBUTION}[ray]'"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Which Ray, and how much of it: 'ray', 'ray://host:10001', 'ray://host:10001?workers=2-8&cpus=4&gpus=1'.

    `address` is None for the cluster this machine belongs to, or one started for this process. `fewest` and `most`
    workers; `cpus` and `gpus` of each, fractions too. None is what the cluster has.
    """

    address: str | None = None
    fewest: int = 1
    most: int | None = None
    cpus: float | None = None
    gpus: float | None = None

    @classmethod
    def named(cls, name: str) -> Cluster:
        """What an executor's name says. Raises ThanoSQLOptionError.

        >>> Cluster.named("ray://host:10001?workers=2-8&cpus=0.5")
        Cluster(address='ray://host:10001', fewest=2, most=8, cpus=0.5, gpus=None)
        """
        place, _, query = name.partition("?")
        said: dict[str, Any] = {}
        for key, value in parse_qsl(query, keep_blank_values=True):
            if key not in ("workers", "cpus", "gpus"):
                raise ThanoSQLOptionError(
                    f"executor='{name}': there is no '{key}'.", hint=did_you_mean(key, ("workers", "cpus", "gpus"))
                )
            try:
                if key == "workers":
                    fewest, _, most = value.partition("-")
                    said["most"] = int(most or fewest)
                    said["fewest"] = int(fewest) if most else 1
                    fits = 1 <= said["fewest"] <= said["most"]
                else:
                    said[key] = float(value)
                    fits = 0 <= said[key] < float("inf")
            except ValueError:
                fits = False
            if not fits:
                raise ThanoSQLOptionError(
                    f"executor='{name}': {key}={value} is not valid.",
                    hint="For one: ray?workers=2-8&cpus=0.5&gpus=1",
                )
        return cls(address=None if place in ("ray", "ray:", "ray://") else place, **said)


def module() -> Any:
    """Ray itself. Raises ThanoSQLOptionError where it is not installed, or too old."""
    # In a notebook Ray asks for ipywidgets, which nothing here needs.
    logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)
    try:
        import ray
    except ImportError as error:
        raise ThanoSQLOptionError(f"executor='ray' needs Ray, which is not installed ({error}).", hint=CURE) from error
    if tuple(int(part) for part in ray.__version__.split(".")[:2]) < OLDEST:
        raise ThanoSQLOptionError(
            f"executor='ray' needs Ray {OLDEST[0]}.{OLDEST[1]} or newer, and {ray.__version__} is installed.", hint=CURE
        )
    return ray


class _Connection:
    """The process's one connection: `users` executors hold it; `ours` says that it was opened here."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.users = 0
        self.ours = False
        self.address: str | None = None


_connection = _Connection()


def connect(cluster: Cluster) -> Any:
    """Ray, connected; one `disconnect` belongs to it. A connection that the user's own program has is used as it is.

    Raises ThanoSQLConnectionError where there is no cluster at the address, or this process is connected to another.
    """
    ray = module()
    with _connection.turn:
        if not ray.is_initialized():
            _open(ray, cluster.address)
            _connection.ours, _connection.address, _connection.users = True, cluster.address, 0
        elif _connection.ours and cluster.address not in (None, _connection.address):
            raise ThanoSQLConnectionError(
                f"This process is connected to Ray at {_connection.address or 'this machine'}, and cannot use "
                f"{cluster.address} as well.",
                hint="Close the session that uses it first, or use another process.",
            )
        _connection.users += 1
    return ray


def disconnect() -> None:
    """Let go of what one `connect` gave; the last one closes a connection that was opened here."""
    with _connection.turn:
        _connection.users -= 1
        if _connection.users == 0 and _connection.ours:
            _connection.ours = False
            module().shutdown()


def _open(ray: Any, address: str | None) -> None:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of a change to come
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    main = threading.current_thread() is threading.main_thread()
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        if address is not None and address.startswith("ray://"):
            _open_client(ray, address)
        else:
            _open_here(ray)
    except Exception as error:  # of any kind: one of Ray's own says no more than Exception
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        if address is None:
            raise ThanoSQLConnectionError(
                f"Ray cannot be started on this machine, or reached where RAY_ADDRESS says: {said}",
                hint="If the machine is busy, run the statement again later, or here: OPTIONS (executor='local').",
            ) from error
        raise ThanoSQLConnectionError(
            f"Ray at {address} cannot be reached: {said}",
            hint="The address is that of the head node's client port, ray://host:10001. A cluster that asks for a token needs "
            "RAY_AUTH_MODE=token, and the token in ~/.ray/auth_token or RAY_AUTH_TOKEN.",
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGTERM, terminate)  # Ray puts its own, which ends the process


def _open_client(ray: Any, address: str) -> None:
    for left in reversed(range(CLIENT_TRIES)):
        try:
            ray.init(address, logging_level="error", log_to_driver=False)
            return
        except ConnectionError as error:
            if not left or not any(words in str(error) for words in CRASHED):
                raise


def _open_here(ray: Any) -> None:
    for left in reversed(range(START_TRIES)):
        try:
            ray.init(include_dashboard=False, logging_level="error", log_to_driver=False)
            return
        except Exception as error:  # Ray's is of no other class
            if not left or "timed out during startup" not in str(error):
                raise


def running(ray: Any, cluster: Cluster) -> bool:
    """Whether there is a cluster to connect to; else one would be started on this machine."""
    if cluster.address is not None or ray.is_initialized():
        return True
    return ray._private.services.canonicalize_bootstrap_address(None) is not None  # as ray.init finds one
