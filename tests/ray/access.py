"""Audio that does harm when it is read in a worker: importable there, as a task's own is."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thanosql.models.audio import Audio, AudioError
from thanosql.models.audio.access import AudioAccess
from thanosql.models.audio.facts import AudioFacts


@dataclass(frozen=True, kw_only=True)
class Harmful(AudioAccess):
    """A file named 'poison' kills whoever reads it, one named 'once' only the first; each takes `seconds`.

    With `only`, other processes do not see the files.
    """

    seconds: float = 0.0
    only: int | None = None

    def facts(self, audios: Sequence[Audio]) -> list[AudioFacts | AudioError]:
        for audio in audios:
            time.sleep(self.seconds)
            if isinstance(audio, str):
                path = Path(audio)
                if path.stem == "poison":
                    os._exit(1)
                if path.stem == "once" and not (mark := path.with_suffix(".mark")).exists():
                    mark.touch()
                    os._exit(1)
        return super().facts(audios)

    def locate(self, path: str) -> Path:
        if self.only is not None and os.getpid() != self.only:
            raise AudioError(f"no such file: {path}")
        return super().locate(path)
