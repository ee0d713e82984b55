"""A session in, what it is connected to out: database, store, device, version; never a password."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLError

if TYPE_CHECKING:
    from thanosql.engine.session import Session


def describe(session: Session) -> str:
    """A few lines; nothing is connected and no model library imported for them unless a GPU may be there."""
    from thanosql.engine.postgres.address import without_password
    from thanosql.version import __version__

    settings = session.settings
    where = (
        without_password(settings.database_url) if settings.database_url else f"embedded, {settings.postgres_folder}"
    )
    if "database" in session.__dict__:
        version = session.database.server_version
        where += f" (PostgreSQL {version // 10_000 if version > 9999 else version})"
    else:
        where += " (connects with the first statement)"
    return "\n".join(
        (
            f"ThanoSQL   {__version__}",
            f"database   {where}",
            f"store      {settings.store_place} ({_models(session)})",
            f"workspace  {settings.workspace}",
            f"device     {device()}",
            *([f"executor   {settings.executor}"] if settings.executor != "local" else []),
        )
    )


def beginning(session: Session) -> str:
    """What a session's first statement begins with, for those who wait for it."""
    if "database" in session.__dict__:
        return "running"
    settings = session.settings
    running = settings.database_url or (settings.postgres_folder / "postmaster.pid").exists()  # or it has just died
    return "connecting" if running else "starting the embedded PostgreSQL"


def device() -> str:
    """What 'auto' means on this machine."""
    from importlib import metadata

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cpu = f"cpu, {cores} core{'s' if cores > 1 else ''}"
    try:
        build = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return f"{cpu} (torch is not installed)"
    if "+cpu" in build:
        return cpu
    import torch

    return f"cuda, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else cpu


def _models(session: Session) -> str:
    try:
        count = len(session.store.names())
    except ThanoSQLError as error:  # of storage that is not reached, say
        return error.message
    return "no models yet" if not count else "1 model" if count == 1 else f"{count} models"
