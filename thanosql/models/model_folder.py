"""A model's folder in, its versions, the one that its name stands for, and their cards out.

Nothing here takes a lock: readers need none, and who writes holds the lock of the name.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thanosql import private
from thanosql.models.checkpoint_files import CARD_FILE
from thanosql.models.durability import sync
from thanosql.models.json_file import read_text

CURRENT = "CURRENT"
DRAFT = ".draft-"
DROPPED = f"{DRAFT}gone"  # the pointer of a model that is being dropped
FIRST = f"{DRAFT}first"  # beside a first version, until it is pointed to
_TEXT, _NUMBER = (str,), (int, float)
_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "family", "base", "statement", "created", "content", "fingerprint", "hardware"), _TEXT),
    "rows": (int,),
    "audio_hours": _NUMBER,
    **dict.fromkeys(("from", "options", "versions", "vocabulary", "report"), (dict,)),
    "evaluations": (list,),
}


@dataclass(frozen=True)
class ModelFolder:
    """The folder of one name."""

    path: Path

    def exists(self) -> bool:
        # Damaged, it is there to be dropped.
        return os.path.lexists(self.path / CURRENT) or self._has_lost_its_pointer()

    def _has_lost_its_pointer(self) -> bool:
        """Whether versions are there that a name stood for, and which neither a DROP nor a first BUILD that was killed left.

        Looked at in this order, and again: another process may drop the model, and build it anew, meanwhile.
        """
        marks = [self.path / name for name in (CURRENT, DROPPED, FIRST)]
        for _ in range(2):
            try:
                if any(map(os.path.lexists, marks)) or not self.numbers():
                    return False
            except (FileNotFoundError, NotADirectoryError):
                return False
        return not any(map(os.path.lexists, marks))

    def state(self) -> object:
        """What differs whenever the name has come to stand for something else; None where it stands for nothing."""
        try:
            about = (self.path / CURRENT).stat()
        except OSError:
            return None
        return about.st_ino, about.st_mtime_ns

    def pointer(self) -> tuple[int, int]:
        """The version that the name stands for, and the newest that was ever made so; they differ after a rollback.

        Raises OSError and ValueError.
        """
        text = read_text(self.path / CURRENT)
        current, *newest = [int(word) for word in text.split()] or [int(text)]
        return current, newest[0] if newest else current

    def current(self) -> int:
        return self.pointer()[0]

    def folder(self, version: int) -> Path:
        return self.path / str(version)

    def kept(self, version: int) -> bool:
        return self.folder(version).is_dir()

    def fetch(self, version: int) -> None:
        """Nothing: the files are here."""

    def numbers(self) -> list[int]:
        """Every version that has a folder. Raises OSError."""
        return sorted(int(path.name) for path in self.path.iterdir() if path.name.isascii() and path.name.isdigit())

    def versions(self) -> list[int]:
        """The saved versions, oldest first; after a rollback, later ones than the current too."""
        try:
            newest = self.pointer()[1]
        except (OSError, ValueError):
            return self.numbers()
        return [version for version in self.numbers() if version <= newest]

    def card(self, version: int) -> dict[str, Any]:
        """What a version's card says. What is of another type than it should be is left out: an older or a newer
        ThanoSQL, or a person, may have written it.

        Raises OSError when there is none, ValueError when it holds no JSON object.
        """
        return card_from(read_text(self.path / str(version) / CARD_FILE))

    def add_evaluation(self, version: int, record: Mapping[str, Any]) -> None:
        """Put an evaluation on a version's card. Raises OSError and ValueError as `card`."""
        card = self.card(version)
        self.write_card(version, {**card, "evaluations": [*card["evaluations"], dict(record)]})

    def write_card(self, version: int, card: Mapping[str, Any]) -> None:
        """Replace a version's card in one step. Raises OSError."""
        path = self.path / str(version) / CARD_FILE
        new = private.file(path.with_suffix(".new"))
        new.write_text(json_of(card), encoding="utf-8")
        sync(new)
        os.replace(new, path)

    def put_in_place(
        self, draft: Path, name: str, card: Mapping[str, Any], *, current: bool, replaces: bool
    ) -> tuple[int, Path, Any]:
        """Make a draft the next version, its card in it, and what the name stands for unless `current` is False.

        The version, its folder and its card. Raises FileExistsError for a name that stands for something unless the draft
        `replaces` it, and OSError; the name stands for what it stood for, then.
        """
        if self.exists() and not replaces:
            raise FileExistsError(17, "File exists", name)
        from thanosql.models.model_content import digest_folder  # with it comes audio, which no reader of cards needs

        version = max(self.numbers(), default=0) + 1
        card = {"created": datetime.now(UTC).isoformat(timespec="seconds"), **card, "name": name, "version": version}
        # Versions of a model that is dropped and built again start at 1 again: this tells them apart.
        card["content"] = digest_folder(draft)
        (draft / CARD_FILE).write_text(json_of(card), encoding="utf-8")
        private.tree(draft)
        for path in (*draft.rglob("*"), draft):
            sync(path)
        if first := not self.exists():
            private.file(self.path / FIRST)
            sync(self.path)
        folder = draft.rename(self.path / str(version))
        self.point_to(version if current else self.current(), newest=version)
        if first:
            (self.path / FIRST).unlink()
        return version, folder, card

    def roll_back(self, version: int) -> None:
        """Make a saved version what the name stands for, in one step, also where the pointer is damaged. Raises OSError."""
        self.point_to(version, newest=(self.versions() or [version])[-1])

    def point_to(self, version: int, *, newest: int) -> None:
        """Make a version what the name stands for, in one step. Raises OSError."""
        pointer = private.file(self.path / (CURRENT + ".new"))
        pointer.write_text(str(version) if version == newest else f"{version} {newest}", encoding="ascii")
        sync(pointer)
        sync(self.path)
        os.replace(pointer, self.path / CURRENT)
        for path in (self.path, self.path.parent):
            sync(path)

    def sweep(self, keep: int) -> None:
        """Remove what no name stands for: drafts that a kill left, versions never pointed to, all but the `keep` newest."""
        newest = self.versions()[-keep:] if self.exists() else []
        with suppress(OSError, ValueError):
            newest.append(self.current())
        for version in self.numbers():
            if version not in newest:
                self._remove(version)
        self._remove_drafts()

    def sweep_drafts(self) -> None:
        """Remove the drafts that killed statements left, and what a killed DROP left of the model. Raises OSError."""
        if not self.exists() and any(path.name in (DROPPED, FIRST) for path in self.drafts()):
            for version in self.numbers():
                self._remove(version)
        self._remove_drafts()
        if not self.exists() and not self.numbers():
            self.path.rmdir()

    def remove(self) -> None:
        """Remove the model: first its name, in one step, so that what a kill leaves behind is swept. Raises OSError."""
        try:
            os.replace(self.path / CURRENT, self.path / DROPPED)
        except FileNotFoundError:  # it had lost its pointer
            private.file(self.path / DROPPED)
        sync(self.path)
        for version in self.numbers():
            self._remove(version)
        shutil.rmtree(self.path)

    def _remove(self, version: int) -> None:
        """Take a version away in one step: who is reading it finds it whole or not at all, never half of its files."""
        gone = self.path / f"{DROPPED}-{version}"
        shutil.rmtree(gone, ignore_errors=True)
        (self.path / str(version)).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _remove_drafts(self) -> None:
        # The mark of a DROP goes last: as long as it is there, what is left of the model is known to be nobody's.
        for path in sorted(self.drafts(), key=lambda path: path.name in (DROPPED, FIRST)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def drafts(self) -> list[Path]:
        return [path for path in self.path.iterdir() if path.name.startswith(DRAFT)]


def card_from(text: str) -> dict[str, Any]:
    """What a card's text says, but for what is of another type than it should be. Raises ValueError."""
    try:
        card = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{CARD_FILE} is nested too deep") from error
    if not isinstance(card, dict):
        raise ValueError(f"{CARD_FILE} holds no object")
    card = {name: value for name, value in card.items() if isinstance(value, _TYPES.get(name, (object,)))}
    card["evaluations"] = [one for one in card.get("evaluations", ()) if isinstance(one, dict)]
    return card


def json_of(card: Mapping[str, Any]) -> str:
    return json.dumps(card, ensure_ascii=False, indent=2) + "\n"
