"""What the card of a model says that was not trained here, but taken as it is: GET THANOSQL MODEL and UPLOAD MODEL."""

from __future__ import annotations

import datetime
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from thanosql.engine.lineage import PACKAGES
from thanosql.engine.planner import Environment


def adopted_card(
    name: str, family: str, base: str, checkpoint: str, revision: str | None, environment: Environment
) -> dict[str, Any]:
    """Where a model came from: statement, checkpoint (a folder, or a hub id and its commit), versions."""
    return {
        "name": name,
        "family": family,
        "base": base,
        "from": {"name": checkpoint, "revision": revision},
        "statement": environment.statement,
        "evaluations": [],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):  # run from a checkout that was never installed
            found[package] = version(package)
    return found
