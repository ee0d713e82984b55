"""A config.json in; how samples become frames of log-mel features, and those the frames of the model, out.

Both types hop 160 samples (10 ms) from one mel frame to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.waveform import SAMPLING_RATE

HOP = 160  # samples


@dataclass(frozen=True)
class Geometry:
    """`subsampling` mel frames are one frame of the encoder; `first` samples, fewer than which are none, make the first.

    `adapted` frames of the encoder are one of the model, where an adapter shortens time behind it.
    """

    model_class: str
    subsampling: int
    reach: int  # samples that one frame of the encoder needs
    first: int
    mel_window: int  # samples of the first mel frame beyond its hop
    adapted: int = 1

    @property
    def step(self) -> int:
        """Samples from one frame of the encoder to the next."""
        return HOP * self.subsampling

    @property
    def frame_seconds(self) -> float:
        return self.step * self.adapted / SAMPLING_RATE

    def frames(self, samples: int) -> int:
        """How many frames the encoder makes of so many samples; 0 when they are too few for one."""
        if samples < self.first:
            return 0
        mel = (samples - self.mel_window) // HOP
        return -(-mel // self.subsampling)


def geometry(config: Mapping[str, Any], folder: Path) -> Geometry:
    """Of a checkpoint's folder. Raises ThanoSQLModelError for another type, and for sizes that no model has."""
    kind = config.get("model_type")
    path = folder / "config.json"
    if kind == "parakeet_ctc":
        factor = _size(encoder(config), "subsampling_factor", 8, path)
        # Of its mel frames each is normalized over time, which takes two.
        return Geometry("ParakeetForCTC", factor, factor * HOP, 2 * HOP, 0)
    if kind == "wav2vec2-bert":
        adapted = 1
        if config.get("add_adapter"):
            adapted = _size(config, "adapter_stride", 2, path) ** _size(config, "num_adapter_layers", 1, path)
        return Geometry("Wav2Vec2BertForCTC", 2, 400 + HOP, 400 + HOP, 400 - HOP, adapted)
    raise ThanoSQLModelError(
        f"{folder} is not a model that takes log-mel frames: its config.json says model_type {kind!r}."
    )


def encoder(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of config.json that describes the encoder."""
    found = config.get("encoder_config")
    return found if isinstance(found, Mapping) else config


def _size(config: Mapping[str, Any], name: str, default: int, path: Path) -> int:
    value = config.get(name, default)
    if type(value) is not int or not 1 <= value <= 64:
        raise ThanoSQLModelError(f"{path} is damaged: {name} is {str(value)[:40]}.")
    return value
