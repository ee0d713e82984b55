"""Audio that does harm when it is read in a worker: importable there, as a task's own is."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thanosql.models.audio import AudioError
from thanosql.models.audio.access import AudioAccess


@dataclass(frozen=True, kw_only=True)
class Harmful(AudioAccess):
    """A file named 'poison' kills whoever reads it, one named 'once' only the first; each takes `seconds`.

    With `only`, other processes do not see the files.
    """

    seconds: float = 0.0
    only: int | None = None

    def read(self, audio: str | bytes) -> np.ndarray:
        time.sleep(self.seconds)
        if isinstance(audio, str):
            path = Path(audio)
            if path.stem == "poison":
                os._exit(1)
            if path.stem == "once" and not (mark := path.with_suffix(".mark")).exists():
                mark.touch()
                os._exit(1)
        return super().read(audio)

    def locate(self, path: str) -> Path:
        if self.only is not None and os.getpid() != self.only:
            raise AudioError(f"no such file: {path}")
        return super().locate(path)
