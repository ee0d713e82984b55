"""The state of a run in, one file that survives a kill out; and back, if the run is still the same.

The file is written beside itself, brought to the disk and renamed, so that whenever the process dies, the one before or
the one after is there, whole. It is a safetensors file; the numbers stand in its header as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql import private
from thanosql.errors import ThanoSQLModelError
from thanosql.models.durability import sync
from thanosql.unexpected import raise_if_used_up

if TYPE_CHECKING:
    import torch

    from thanosql.models.training.weight_mean import Finished

    State = tuple[dict[str, Any], dict[str, torch.Tensor]]  # numbers and tensors, as they were last saved

FILE = "state.safetensors"


class UnfinishedRun(ThanoSQLModelError):
    """The same statement was interrupted before, and does not say whether it is to be resumed."""


@dataclass(frozen=True)
class Interrupted:
    """A run that was cut off: optimizer steps done, of how many, and what it was a run of (`identity`)."""

    step: int
    steps: int
    identity: Mapping[str, str]


class SavedState:
    """Where one run's state lies. `identity` says what makes the run what it is: rows, options, base, versions."""

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self.folder = folder
        self.identity = dict(identity)
        self.finished: Finished | None = None  # the trainings before this one, where there are several

    def save(self, numbers: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Replace the state by this one. Raises ThanoSQLModelError when it cannot be written."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        if self.finished is not None:
            numbers, tensors = {**numbers, **self.finished.numbers()}, {**tensors, **self.finished.tensors()}
        header = {"numbers": json.dumps(numbers), "identity": json.dumps(self.identity)}
        content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        draft = self.folder / (FILE + ".draft")
        try:
            private.folder(private.folder(self.folder.parent) / self.folder.name)
            for left in self.folder.glob(".tmp*"):  # safetensors' own draft, of a save that was killed
                left.unlink()
            save_file(content, draft, metadata=header)
            sync(draft)
            os.replace(draft, self.folder / FILE)
            sync(self.folder)
        except (OSError, SafetensorError) as error:
            raise ThanoSQLModelError(f"The training checkpoint cannot be written to {self.folder}: {error}") from error

    def load(self) -> State | None:
        """The numbers and tensors last saved, None where there are none.

        Raises ThanoSQLModelError, listing what changed, when they are those of another run, or damaged.
        """
        from safetensors.torch import load_file

        header = _header(self.folder)
        if header is None:
            return None
        was = header.identity
        changed = [
            f"{name} ({was.get(name, 'none')} then, {self.identity.get(name, 'none')} now)"
            for name in sorted(was.keys() | self.identity.keys())
            if was.get(name) != self.identity.get(name)
        ]
        if changed:
            raise ThanoSQLModelError(
                "The unfinished training cannot be resumed, because these changed: " + "; ".join(changed),
                hint="Run the statement as it was, or start over with resume=False.",
            )
        return header.numbers, load_file(self.folder / FILE)

    def same(self) -> Interrupted | None:
        """The unfinished run of this statement; None if it is another's or damaged, or if there is none."""
        found = self._interrupted()
        return found if found is not None and dict(found.identity) == self.identity else None

    def other(self) -> Interrupted | None:
        """The unfinished run of another statement; None if it is this one's or damaged, or if there is none."""
        found = self._interrupted()
        return found if found is not None and dict(found.identity) != self.identity else None

    def _interrupted(self) -> Interrupted | None:
        try:
            return interrupted(self.folder)
        except ThanoSQLModelError:  # damaged
            return None

    def clear(self) -> None:
        """Forget the run: it is complete, or another begins."""
        shutil.rmtree(self.folder, ignore_errors=True)


def interrupted(folder: Path) -> Interrupted | None:
    """The unfinished run of a checkpoint folder; None where there is none."""
    header = _header(folder)
    if header is None:
        return None
    numbers = header.numbers
    # Of several trainings, the numbers are the last one's; each has as many steps.
    over = numbers["finished"]["trainings"] if "finished" in numbers else 0
    trainings = int(header.identity.get("option trainings", 1))
    return Interrupted(numbers["step"] + over * numbers["steps"], trainings * numbers["steps"], header.identity)


@dataclass(frozen=True)
class _Header:
    numbers: dict[str, Any]
    identity: dict[str, str]


def _header(folder: Path) -> _Header | None:
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    try:
        if path.exists() and not path.is_file():
            raise OSError(f"{path.name} is not a regular file")
        # Read as numpy's: as torch's, the file would be opened a second time, and the run may have removed it by then.
        with safe_open(path, "np") as file:
            said = file.metadata() or {}
        header = _Header(json.loads(said["numbers"]), json.loads(said["identity"]))
        if not all(isinstance(header.numbers[name], int) for name in ("step", "steps")):
            raise ValueError("its step counts are not numbers")
        dict(header.identity)
    except FileNotFoundError as error:
        raise_if_used_up(error)
        return None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise_if_used_up(error)
        raise ThanoSQLModelError(
            f"The checkpoint of the unfinished training in {folder} is damaged: {error}",
            hint="Start over: OPTIONS (resume=False).",
        ) from error
    return header
