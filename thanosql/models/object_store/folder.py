"""A name in, its versions in object storage, the one that it stands for, and their cards out (`model_home.ModelHome`).

    .format                             the number of this layout, and the store's id
    log/NAME/00000007.json              what the name stands for, the highest number being true (`log`)
    versions/NAME/TOKEN/…               the files of a version, and its card, thanosql.json: written once
    versions/NAME/TOKEN/.evaluations/   an object for each evaluation of it, so that none replaces another

A version is there when an entry of the log names it; what no entry names is swept, hours later.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from thanosql import private
from thanosql.errors import ThanoSQLConnectionError
from thanosql.models.checkpoint_files import CARD_FILE
from thanosql.models.model_folder import DRAFT, card_from, json_of
from thanosql.models.object_store.log import Entry, SavedVersion, from_json, key_of, number_of
from thanosql.models.object_store.mirror import Mirror, facts_of, objects_of

EVALUATIONS = ".evaluations/"
UPLOAD_HOURS = 6  # in which a writer must have put the next file of a version; what is older is a killed one's


class ObjectFolder:
    """The name as it was when it was first looked at; whoever wants to know of later takes another one."""

    def __init__(self, mirror: Mirror, name: str, keep_versions: int) -> None:
        self.path = mirror.folder / name
        self._mirror = mirror
        self._storage = mirror.storage
        self._name = name
        self._keep_versions = keep_versions
        self._left: list[SavedVersion] = []  # versions that this writer has taken out of the log

    @cached_property
    def _number(self) -> int:
        """The number of the newest entry; 0 where there is none."""
        if not self._mirror.opened():
            return 0
        known = [number_of(path.name) for path in self._mirror.place(key_of(self._name, 1)).parent.glob("*.json")]
        newest = max(known, default=0)
        if not newest or self._is_there(newest + 1):
            found = self._storage.list(key_of(self._name, 0).rpartition("/")[0] + "/")
            newest = max(map(number_of, found), default=newest)
        return newest

    def _is_there(self, number: int) -> bool:
        try:
            self._storage.read(key_of(self._name, number))
        except FileNotFoundError:
            return False
        return True

    def _entry(self) -> Entry:
        """What the newest entry says. Raises ValueError where it is damaged."""
        number = self._number
        if not number:
            return Entry(self._name)
        key = key_of(self._name, number)
        new = not self._mirror.place(key).exists()
        entry = from_json(self._mirror.object(key))
        if new:
            self._forget_before(number, entry)
        return entry

    def _forget_before(self, number: int, entry: Entry) -> None:
        """Remove from this machine what was true before an entry, and no more."""
        for older in self._mirror.place(key_of(self._name, number)).parent.glob("*.json"):
            if number_of(older.name) < number:
                older.unlink(missing_ok=True)
        self._mirror.keep_only(entry.name, entry.newest, entry.versions)

    def live_name(self) -> str | None:
        """How the name is written, in upper and lower case; None where it stands for nothing."""
        try:
            entry = self._entry()
        except ValueError:
            return self._name  # damaged, it is there to be dropped
        return entry.name if entry.versions else None

    def exists(self) -> bool:
        return self.live_name() == self._name

    def state(self) -> object:
        return self._number if self.exists() else None

    def current(self) -> int:
        return self._entry().current

    def kept(self, version: int) -> bool:
        return version in self._entry().versions

    def versions(self) -> list[int]:
        return sorted(self._entry().versions)

    def folder(self, version: int) -> Path:
        return self._mirror.path(self._name, version, self._saved(version))

    def fetch(self, version: int) -> None:
        self._mirror.fetch(self._name, version, self._saved(version))

    def card(self, version: int) -> dict[str, Any]:
        saved = self._saved(version)
        objects = objects_of(self._name, saved)
        card = card_from(self._mirror.object(objects + CARD_FILE, saved.files[CARD_FILE]).decode("utf-8"))
        said = sorted(self._storage.list(objects + EVALUATIONS))
        records = (json.loads(self._mirror.object(objects + EVALUATIONS + one)) for one in said)
        return {**card, "evaluations": [*card["evaluations"], *(one for one in records if isinstance(one, dict))]}

    def add_evaluation(self, version: int, record: Mapping[str, Any]) -> None:
        objects = objects_of(self._name, self._saved(version))
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        content = json.dumps(dict(record), ensure_ascii=False).encode()
        self._storage.put_new(f"{objects}{EVALUATIONS}{stamp}-{uuid4().hex[:8]}.json", content)

    def put_in_place(
        self, draft: Path, name: str, card: Mapping[str, Any], *, current: bool, replaces: bool
    ) -> tuple[int, Path, Any]:
        from thanosql.models.model_content import digest_files

        card = {"created": datetime.now(UTC).isoformat(timespec="seconds"), **card, "name": name}
        paths = sorted(path for path in draft.rglob("*") if path.is_file() and path.name != CARD_FILE)
        files = {path.relative_to(draft).as_posix(): facts_of(path) for path in paths}
        card["content"] = digest_files({file: about.digest for file, about in files.items()})
        token = uuid4().hex[:16]
        objects = objects_of(name, SavedVersion(token, {}))
        for file in files:
            self._storage.put_file(objects + file, draft / file)
        while True:
            before = self._newest_entry()
            if before.versions and (before.name != name or not replaces):
                raise FileExistsError(name)
            # Who is overtaken makes the next version.
            card["version"] = before.newest + 1
            (draft / CARD_FILE).write_text(json_of(card), encoding="utf-8")
            saved = SavedVersion(token, {**files, CARD_FILE: facts_of(draft / CARD_FILE)})
            self._storage.put_file(objects + CARD_FILE, draft / CARD_FILE)
            self._refuse_swept(objects, saved)
            entry = before.with_version(name, saved, current=current, keep=self._keep_versions)
            if self._put(entry, before):
                break
        self._mirror.remember(objects + CARD_FILE, json_of(card).encode())
        version, folder = entry.newest, self._mirror.path(name, entry.newest, saved)
        with suppress(OSError):  # what cannot be kept here is fetched when it is used
            private.tree(draft)
            draft.rename(folder)
        return version, folder, card

    def _refuse_swept(self, objects: str, saved: SavedVersion) -> None:
        """Another writer sweeps what a writer that slept for hours had uploaded: that is no version then."""
        found = self._storage.list(objects)
        if any(file not in found or found[file].size != about.size for file, about in saved.files.items()):
            raise ThanoSQLConnectionError(
                f"Files of the model {self._name} are not in {self._storage.url} though they were sent there.",
                hint=f"A version must be sent within {UPLOAD_HOURS} hours. Run the statement again.",
            )

    def roll_back(self, version: int) -> None:
        while True:
            before = self._newest_entry()
            if version not in before.versions or before.name != self._name:
                raise FileNotFoundError(2, f"version {version} was removed meanwhile")
            if self._put(before.rolled_back(version), before):
                return

    def remove(self) -> None:
        while True:
            try:
                before = self._newest_entry()
            except ValueError:
                before = Entry(self._name)
            if self._put(before.dropped(), before):
                break
        with suppress(OSError, ThanoSQLConnectionError):  # the name stands for nothing: the rest is swept later
            self.sweep(self._keep_versions)

    def _newest_entry(self) -> Entry:
        self.__dict__.pop("_number", None)
        return self._entry()

    def _put(self, entry: Entry, before: Entry) -> bool:
        """Make this the newest entry; False where another came before it."""
        number = self._number + 1
        key = key_of(self._name, number)
        try:
            put = self._storage.put_new(key, entry.to_json())
        except ThanoSQLConnectionError:
            put = False
            if not self._is_ours(key, entry):  # or the answer alone was lost
                raise
        if not put and not self._is_ours(key, entry):  # a put is sent again where its answer is lost
            return False
        tokens = {saved.token for saved in entry.versions.values()}
        self._left.extend(saved for saved in before.versions.values() if saved.token not in tokens)
        self.__dict__["_number"] = number
        self._mirror.remember(key, entry.to_json())
        self._forget_before(number, entry)
        return True

    def _is_ours(self, key: str, entry: Entry) -> bool:
        try:
            return from_json(self._storage.read(key)).token == entry.token
        except (FileNotFoundError, ValueError):
            return False

    def _saved(self, version: int) -> SavedVersion:
        entry = self._entry()
        if entry.name != self._name or version not in entry.versions:
            raise FileNotFoundError(2, f"there is no version {version}")
        return entry.versions[version]

    def sweep(self, keep: int) -> None:
        """Remove what no entry names: the objects of versions that this writer has taken out, and what killed writers
        uploaded, hours ago by the storage's own clock."""
        self.sweep_drafts()
        try:
            named = {saved.token for saved in self._newest_entry().versions.values()}
        except ValueError:
            return  # which versions it names is not known
        prefix = f"versions/{self._name.lower()}/"
        found = self._storage.list(prefix)
        now = max((about.modified for about in found.values()), default=None)
        touched: dict[str, datetime] = {}
        for file, about in found.items():
            token = file.partition("/")[0]
            touched[token] = max(about.modified, touched.get(token, about.modified))
        left = {saved.token for saved in self._left}
        for token, modified in touched.items():
            old = now is not None and now - modified > timedelta(hours=UPLOAD_HOURS)
            if token not in named and (token in left or old):
                self._storage.remove(prefix + file for file in found if file.startswith(f"{token}/"))

    def sweep_drafts(self) -> None:
        """Remove the drafts on this machine that killed statements left."""
        if self.path.is_dir():
            for draft in self.path.glob(f"{DRAFT}*"):
                shutil.rmtree(draft, ignore_errors=True)
