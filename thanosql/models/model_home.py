"""What the store asks of the place where a name's versions are: a folder (`model_folder`), or object storage
(`object_store.folder`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class ModelHome(Protocol):
    """The home of one name. Without another word said, a method raises OSError where something cannot be read or written,
    and ValueError where it is damaged."""

    @property
    def path(self) -> Path:
        """The folder of the name on this machine, where drafts are written."""

    def exists(self) -> bool:
        """Whether the name stands for a model; a damaged one is there to be dropped."""

    def state(self) -> object:
        """What differs whenever the name has come to stand for something else; None where it stands for nothing."""

    def current(self) -> int:
        """The version that the name stands for."""

    def versions(self) -> list[int]:
        """The saved versions, oldest first; after a rollback, later ones than the current too."""

    def kept(self, version: int) -> bool:
        """Whether a version is still there."""

    def folder(self, version: int) -> Path:
        """Where the files of a version are on this machine, once they are fetched."""

    def fetch(self, version: int) -> None:
        """Have the files of a version on this machine, complete and as they were saved."""

    def card(self, version: int) -> dict[str, Any]:
        """What a version's card says, with its evaluations."""

    def add_evaluation(self, version: int, record: Mapping[str, Any]) -> None:
        """Put an evaluation on a version's card."""

    def put_in_place(
        self, draft: Path, name: str, card: Mapping[str, Any], *, current: bool, replaces: bool
    ) -> tuple[int, Path, Any]:
        """Make a draft the next version, its card in it, and what the name stands for unless `current` is False.

        The version, its folder and its card. Raises FileExistsError for a name that stands for something unless the draft
        `replaces` it. On any error the name stands for what it stood for.
        """

    def roll_back(self, version: int) -> None:
        """Make a saved version what the name stands for, in one step."""

    def remove(self) -> None:
        """Remove the model with all its versions: first its name, in one step."""

    def sweep(self, keep: int) -> None:
        """Remove what no name stands for, all but the `keep` newest versions."""

    def sweep_drafts(self) -> None:
        """Remove the drafts that killed statements left."""
