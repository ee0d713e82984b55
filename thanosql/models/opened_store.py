"""Settings in, the store of models that they name out: a folder of files, or object storage."""

from __future__ import annotations

from collections.abc import Callable

from thanosql.config import Settings
from thanosql.models.store import Store


def open_store(settings: Settings, check: Callable[[], None]) -> Store:
    """The store, in which nothing was looked at; `check` is called while it is waited for, and may raise."""
    if settings.store_url is None:
        return Store(settings.store_folder, lock_timeout=settings.lock_timeout, check=check)
    from thanosql.models.object_store.store import ObjectStore

    return ObjectStore(settings.store_url, settings.store_folder, lock_timeout=settings.lock_timeout, check=check)
