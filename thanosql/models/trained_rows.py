"""Rows of audio and text in, fingerprints of them out: what a model's folder keeps of the rows it was trained on; and back,
whether a row is among them.

A row is known by its audio's content and, apart from it, by its text: a copy of a file is the same audio, and so is audio whose
label was corrected since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.content import ContentFingerprints
from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.json_file import read_text

if TYPE_CHECKING:
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.model import Model

TRAINED_ROWS = "trained_rows.txt"  # in a model's folder: AUDIO:TEXT a line, and of older versions ROW
TRAINED_ON, OTHER_TEXT = "trained on", "trained on with another text"


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


def learned_rows(rows: Iterable[tuple[Audio, str]], access: AudioAccess) -> list[str]:
    """What is kept of each row that was learned from."""
    contents = ContentFingerprints(access)
    return [f"{contents.of(audio)}:{_text(text)}" for audio, text in rows]


def audio_of(row: str) -> str:
    """The audio's part of what is kept of a row; empty for a row of an older version."""
    return row.partition(":")[0] if ":" in row else ""


@dataclass(frozen=True)
class TrainedRows:
    """What is known of the rows that a model was trained on: `known` is what is kept of them, `access` what may be read."""

    known: frozenset[str]
    access: AudioAccess

    def __bool__(self) -> bool:
        return bool(self.known)

    @cached_property
    def _audio(self) -> frozenset[str]:
        return frozenset(map(audio_of, self.known)) - {""}

    @cached_property
    def _contents(self) -> ContentFingerprints:
        return ContentFingerprints(self.access)

    def find(self, audio: Audio | None, text: str) -> str:
        """TRAINED_ON or OTHER_TEXT for a row with audio that the model was trained on; empty for any other."""
        if not self.known or audio is None:
            return ""
        if row_fingerprints([(audio, text)])[0] in self.known:  # as older versions kept it
            return TRAINED_ON
        content = self._contents.of(audio) if self._audio else ""
        if not content or content not in self._audio:
            return ""
        return TRAINED_ON if f"{content}:{_text(text)}" in self.known else OTHER_TEXT


def write_trained_rows(folder: Path, rows: Iterable[str]) -> None:
    """Leave what is kept of the rows that a model was trained on in its folder."""
    (folder / TRAINED_ROWS).write_text("".join(f"{row}\n" for row in sorted(rows)), encoding="ascii")


def trained_rows(model: Model) -> frozenset[str]:
    """What is kept of the rows that a model was trained on; empty for a base, whose rows are not known.

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


def _text(text: str) -> str:
    """A fingerprint of a text, its case and white space aside."""
    return hashlib.blake2b(" ".join(text.casefold().split()).encode(), digest_size=8).hexdigest()
