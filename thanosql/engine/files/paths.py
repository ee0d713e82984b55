"""The path of a FROM in, the file or folder that it means out."""

from __future__ import annotations

import os
from pathlib import Path

from thanosql.engine.language.syntax import Literal, Parameter
from thanosql.engine.planner import Environment
from thanosql.errors import Position, ThanoSQLDataError, ThanoSQLOptionError, did_you_mean


def find(path: Literal | Parameter, environment: Environment) -> Path:
    """The file or folder of that path: in the working folder first, then in the workspace.

    Raises ThanoSQLDataError saying where it was looked for, with the closest name beside it, and ThanoSQLOptionError for
    a parameter that is no path.
    """
    if isinstance(path, Literal):
        place = environment.position(path.start, len(path.text) + 2)  # with its quotes
        return _find(path.text, environment.settings.workspace, place)
    place = environment.position(path.start, len(path.name) + 1)
    value = environment.parameter(path)
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ThanoSQLOptionError(f"FROM takes a path, not {value!r}.", position=place)
    return _find(str(os.fspath(value)), environment.settings.workspace, place)


def _find(said: str, workspace: Path, place: Position | None) -> Path:
    if "\0" in said:
        raise ThanoSQLDataError(f"{said!r} is no path.", position=place)
    path = Path(said).expanduser()
    candidates = [path.absolute()] if path.is_absolute() else [Path().absolute() / path, workspace / path]
    hint = None
    for candidate in candidates:
        try:
            if candidate.exists():
                return candidate
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
