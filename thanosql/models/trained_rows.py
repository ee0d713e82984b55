"""Rows of audio and text in, fingerprints of them out: what a model's card keeps of the rows it was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.json_file import read_text

if TYPE_CHECKING:
    from thanosql.models.model import Model

TRAINED_ROWS = "trained_rows.txt"  # in a model's folder: a row's fingerprint a line


def row_fingerprints(rows: Iterable[tuple[Audio | None, str]]) -> list[str]:
    """16 hexadecimal digits of a row's audio (its reference, and which part of it) and text: enough to find it again, too
    little to read it."""
    found = []
    for audio, text in rows:
        recording, part = (audio.audio, audio.identity) if isinstance(audio, AudioPart) else (audio, b"")
        reference = recording if isinstance(recording, bytes) else str(recording).encode()
        if part:
            reference += b"\0" + part
        found.append(hashlib.blake2b(reference + b"\0" + text.encode(), digest_size=8).hexdigest())
    return found


def write_trained_rows(folder: Path, rows: Iterable[str]) -> None:
    """Leave the fingerprints of the rows that a model was trained on in its folder."""
    (folder / TRAINED_ROWS).write_text("".join(f"{row}\n" for row in sorted(rows)), encoding="ascii")


def trained_rows(model: Model) -> frozenset[str]:
    """Fingerprints of the rows that a model was trained on; empty for a base, whose rows are not known.

    Raises ThanoSQLModelError when the file that names them cannot be read.
    """
    if model.card is None:
        return frozenset()
    path = Path(model.checkpoint) / TRAINED_ROWS
    try:
        return frozenset(read_text(path).split())
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise ThanoSQLModelError(f"The model {model.name} is damaged: {path}: {error}") from error


def fingerprint(rows: Iterable[str]) -> str:
    """One fingerprint for a set of rows, whatever their order."""
    return hashlib.blake2b("".join(sorted(rows)).encode(), digest_size=16).hexdigest()
