"""A URL of object storage and a folder for its copy in, a store of models (`models.store.Store`) out.

On one machine, writers of a name wait for each other by the locks in the copy's folder. Machines know nothing of each
other's locks: of two that write a name, the first to put its entry in the log comes first. The other one makes the next
version if it may replace the model, else it is told that the name exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLModelError, ThanoSQLResourceError
from thanosql.models.object_store.folder import ObjectFolder
from thanosql.models.object_store.log import number_of
from thanosql.models.object_store.mirror import Mirror
from thanosql.models.object_store.storage import ObjectStorage, refuse_bad_url
from thanosql.models.store import LOOKS, Store, StoredModel, is_name
from thanosql.models.store_errors import gone


class ObjectStore(Store):
    """Saved models under a URL; `folder` holds what of them was fetched, and drafts, locks and unfinished trainings."""

    def __init__(self, url: str, folder: Path, **how: Any) -> None:
        refuse_bad_url(url)
        super().__init__(folder, **how)
        self.url = url
        self._listed: list[str] = []
        self._mirror = Mirror(ObjectStorage(url, self.check), self.folder, self.check)

    def home(self, name: str) -> ObjectFolder:
        return ObjectFolder(self._mirror, name, self.keep_versions)

    def names(self) -> list[str]:
        if not self._mirror.opened():
            return []
        logs = {key.partition("/")[0] for key in self._mirror.storage.list("log/") if number_of(key.rpartition("/")[2])}
        found = (self.home(log).live_name() for log in sorted(logs) if is_name(log))
        self._listed = sorted(name for name in found if name is not None)
        return list(self._listed)

    def seen_names(self) -> list[str]:
        """Those of the last listing, and those of which there is something on this machine."""
        return sorted({*self._listed, *self._entries()})

    def exists(self, name: str) -> bool:
        return is_name(name) and self.home(name).exists()

    def fetch(self, model: StoredModel) -> None:
        """Have the files of a version on this machine.

        Raises ThanoSQLModelError where they are no longer there or are not what was saved, ThanoSQLResourceError where this
        machine cannot hold them.
        """
        for _ in range(LOOKS):
            if model.folder.is_dir():
                return
            home = self.home(model.name)
            state = home.state()
            try:
                if not home.exists() or home.folder(model.version) != model.folder:
                    raise FileNotFoundError(2, "another model has its name")
                home.fetch(model.version)
            except FileNotFoundError as error:
                fault: Exception = error
                if self.home(model.name).state() == state:
                    break
            except ValueError as error:
                raise self._damaged(model.name, str(error)) from error
            except OSError as error:
                raise ThanoSQLResourceError(
                    f"The model {model.name} cannot be fetched from {self.url}: {error}"
                ) from error
        if home.exists() and home.kept(model.version) and home.folder(model.version) == model.folder:
            raise self._damaged(model.name, "a file of it is missing") from fault
        raise gone(model.name, model.version) from fault

    def _damaged(self, name: str, what: str) -> ThanoSQLModelError:
        return ThanoSQLModelError(
            f"The model {name} is damaged: {what}.",
            hint=f"ROLLBACK MODEL {name} goes back to a version that is whole; DROP MODEL {name} removes it.",
        )

    @contextmanager
    def _writing(self, name: str, *, lock: str | None = None, lock_timeout: float | None = None) -> Iterator[None]:
        with super()._writing(name, lock=lock, lock_timeout=lock_timeout):
            if lock_timeout != 0:  # a sweep of this machine's drafts needs no network
                self._mirror.open_for_writing()
            yield
