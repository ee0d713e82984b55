"""A waveform in, what Granite Speech hears of it out: log-mel frames with their deltas, two of them side by side.

transformers computes the same by torchaudio, which is not needed here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.families.log_mel_ctc.geometry import HOP
from thanosql.models.json_file import read_json

KIND = "GraniteSpeech5FeatureExtractor"
STACKED = 2  # mel frames in one of the features
FILE = "preprocessor_config.json"
# What a checkpoint may set, and what stands for it.
DEFAULTS = {"num_mel_bins": 80, "n_fft": 512, "win_length": 400, "hop_length": HOP, "delta_win_length": 3}
MOST = 1 << 12  # of each
FLOOR = 8.0  # of the logarithm to the base 10, below an utterance's loudest


class GraniteFeatures:
    """Stands where transformers' feature extractor stands for the other types; `settings` are the checkpoint's."""

    def __init__(self, settings: dict[str, Any], path: Path) -> None:
        from transformers.audio_utils import mel_filter_bank

        self._settings = settings
        sizes = {name: settings.get(name, default) for name, default in DEFAULTS.items()}
        for name, size in sizes.items():
            if type(size) is not int or not 1 <= size <= MOST:
                raise ThanoSQLModelError(f"{path} is damaged: {name} is {str(size)[:40]}.")
        if sizes["hop_length"] != HOP or sizes["win_length"] > sizes["n_fft"]:
            raise ThanoSQLModelError(f"{path} is damaged: hop_length must be {HOP}, and win_length at most n_fft.")
        floor = settings.get("logmel_floor_db", FLOOR)
        if type(floor) not in (int, float):
            raise ThanoSQLModelError(f"{path} is damaged: logmel_floor_db is {str(floor)[:40]}.")
        self.sampling_rate = settings.get("sampling_rate", SAMPLING_RATE)
        self.feature_size = 2 * STACKED * sizes["num_mel_bins"]
        self._fft, self._window = sizes["n_fft"], torch.hann_window(sizes["win_length"])
        self._reach = sizes["delta_win_length"] // 2
        self._floor = float(floor)
        filters = mel_filter_bank(
            sizes["n_fft"] // 2 + 1, sizes["num_mel_bins"], 0.0, SAMPLING_RATE / 2, SAMPLING_RATE, mel_scale="htk"
        )
        self._filters = torch.from_numpy(filters).float()

    def __call__(self, waveform: np.ndarray, **_: Any) -> dict[str, torch.Tensor]:
        """`input_features` float32 `(1, frames, 4 * mel bands)`, and `attention_mask` `(1, frames)`, of a waveform."""
        samples = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
        count = STACKED * -(-(len(samples) // HOP) // STACKED)
        samples = torch.nn.functional.pad(samples, (0, max(0, (count - 1) * HOP + 1 - len(samples))))
        spectrum = torch.stft(
            samples, self._fft, HOP, len(self._window), self._window, center=True, return_complex=True
        )
        mel = (spectrum.abs().square().T @ self._filters)[:count]
        logs = mel.clamp_min(1e-10).log10()
        logs = torch.maximum(logs, logs.max() - self._floor) / 4 + 1
        frames = torch.cat([logs, self._deltas(logs)], dim=1).reshape(1, count // STACKED, -1)
        return {"input_features": frames, "attention_mask": torch.ones(frames.shape[:2], dtype=torch.long)}

    def _deltas(self, logs: torch.Tensor) -> torch.Tensor:
        """How fast each band changes: the slope of a line through the frames around each, the ends repeated."""
        reach = self._reach
        padded = torch.cat([logs[:1].expand(reach, -1), logs, logs[-1:].expand(reach, -1)])
        found = torch.zeros_like(logs)
        for step in range(1, reach + 1):
            found += step * (padded[reach + step :][: len(logs)] - padded[reach - step :][: len(logs)])
        return found / max(1, 2 * sum(step**2 for step in range(1, reach + 1)))

    def save_pretrained(self, folder: Path) -> None:
        """Leave what transformers reads the same extractor from. Raises OSError."""
        said = {**self._settings, "feature_extractor_type": KIND}
        (folder / FILE).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def read(folder: Path) -> GraniteFeatures | None:
    """The extractor that a folder names, in whichever of its files; None where it names another.

    Raises ThanoSQLModelError for settings that cannot be.
    """
    for name, part in ((FILE, None), ("processor_config.json", "feature_extractor")):
        path = folder / name
        if path.is_file():
            found = read_json(path)
            settings = found if part is None else found.get(part)
            if isinstance(settings, dict) and settings.get("feature_extractor_type") == KIND:
                return GraniteFeatures(settings, path)
    return None
