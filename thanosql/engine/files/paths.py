"""The path of a FROM in, the file or folder that it means out."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import Literal, Parameter
from thanosql.engine.planner import Environment
from thanosql.errors import Position, ThanoSQLDataError, ThanoSQLOptionError, did_you_mean
from thanosql.models.audio.info import shown

if TYPE_CHECKING:
    from thanosql.config import Settings


def find(path: Literal | Parameter, environment: Environment) -> Path:
    """The file or folder of that path: in the working folder first, then in the workspace.

    Where audio roots are set, it lies under one of them, symbolic links followed. Raises ThanoSQLDataError saying where it
    was looked for, with the closest name beside it, for what is no file or folder (a pipe would be waited for without end)
    and for what lies outside; ThanoSQLOptionError for a parameter that is no path.
    """
    said, place = _said(path, environment, "FROM")
    return _find(said, environment.settings, place)


def find_place(path: Literal | Parameter, environment: Environment) -> Path:
    """Where a file of that path is written: in the working folder, and under an audio root where these are set.

    Raises ThanoSQLDataError for what lies outside, and for a place where something stands that is no file.
    """
    said, place = _said(path, environment, "TO")
    refuse_address(said, "written", "Name a file, and bring it there then.", place)
    found = Path(said).expanduser().absolute()
    if "\0" in said or not found.name:
        raise ThanoSQLDataError(f"{said!r} is no path.", position=place)
    if found.exists():
        return _readable(found, environment.settings, place).resolve()
    refuse_outside(found, environment.settings, place)
    return found


def refuse_address(said: str, done: str, hint: str, place: Position | None) -> None:
    """Raise ThanoSQLDataError for a URL where a path should stand, without what may be secret in it."""
    if "://" in said:
        raise ThanoSQLDataError(
            f"{shown(said)} is an address; a file or folder of this machine is {done} here.", hint=hint, position=place
        )


def _said(path: Literal | Parameter, environment: Environment, word: str) -> tuple[str, Position | None]:
    if isinstance(path, Literal):
        return path.text, environment.position(path.start, len(path.text) + 2)  # with its quotes
    place = environment.position(path.start, len(path.name) + 1)
    value = environment.parameter(path)
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ThanoSQLOptionError(f"{word} takes a path, not {value!r}.", position=place)
    return str(os.fspath(value)), place


def _find(said: str, settings: Settings, place: Position | None) -> Path:
    if "\0" in said:
        raise ThanoSQLDataError(f"{said!r} is no path.", position=place)
    refuse_address(said, "read", "Download it first, then name the file.", place)
    path = Path(said).expanduser()
    folders = [Path().absolute(), settings.workspace, *(settings.audio_roots if settings.confined else ())]
    candidates = [path.absolute()] if path.is_absolute() else [folder / path for folder in folders]
    hint = None
    for candidate in candidates:
        try:
            if candidate.exists():
                return _readable(candidate, settings, place)
            names = [entry.name for entry in candidate.parent.iterdir()] if candidate.parent.is_dir() else []
        except OSError as error:
            raise ThanoSQLDataError(f"{candidate} cannot be read: {error.strerror}.", position=place) from error
        suggestion = did_you_mean(candidate.name, names)
        if hint is None and suggestion and suggestion.startswith("Did you mean"):
            hint = suggestion
    looked = " and ".join(str(candidate.parent) for candidate in candidates)
    if hint is None and path.parts[:1] == ("thanosql-dataset",) and len(path.parts) > 1:
        hint = f"GET THANOSQL DATASET {path.parts[1]} puts the data set there."
    raise ThanoSQLDataError(f"There is no file or folder {said}; looked for in {looked}.", hint=hint, position=place)


def _readable(path: Path, settings: Settings, place: Position | None) -> Path:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ThanoSQLDataError(f"{path} is a pipe, socket or device, not a file.", position=place)
    refuse_outside(path, settings, place)
    return path


def refuse_outside(path: Path, settings: Settings, place: Position | None = None) -> None:
    """Raise ThanoSQLDataError for what lies outside of the folders that may be read, symbolic links followed."""
    if not settings.may_read(path):
        raise ThanoSQLDataError(
            f"{path} lies outside of the folders that may be read: {', '.join(map(str, settings.audio_roots))}.",
            hint="The setting audio_roots names them.",
            position=place,
        )
