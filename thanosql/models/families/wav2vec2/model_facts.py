"""A checkpoint's files in, what can be said of the model without loading it out: no torch, no download."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.families.wav2vec2.convolutions import frames
from thanosql.models.text import Normalizer

CONV_DIM, CONV_KERNEL, CONV_STRIDE = (512,) * 7, (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


@dataclass(frozen=True)
class Facts:
    """`parameters` and `weight_bytes` are those of the weights on the disk.

    `vocabulary` and `normalizer` are None for a model that was only pretrained. `base_vocabulary` is the checkpoint's
    own where `vocabulary` is one that training would make.
    """

    folder: Path
    parameters: int
    weight_bytes: int
    layers: int
    hidden: int
    intermediate: int
    conv_dim: tuple[int, ...]
    conv_kernel: tuple[int, ...]
    conv_stride: tuple[int, ...]
    vocabulary: Vocabulary | None
    normalizer: Normalizer | None
    base_vocabulary: Vocabulary | None = None

    def frames(self, samples: int) -> int:
        """How many frames the model makes of so many samples."""
        return frames(samples, self.conv_kernel, self.conv_stride)

    @property
    def flops_per_second(self) -> float:
        """Floating-point operations for one second of audio, a forward pass: matrix products alone.

        The attention's products over time are left out: they are small up to about 30 s.
        """
        rate = float(SAMPLING_RATE)
        total = 0.0
        channels = 1
        for width, kernel, stride in zip(self.conv_dim, self.conv_kernel, self.conv_stride):
            rate /= stride
            total += rate * 2 * kernel * channels * width
            channels = width
        block = 4 * self.hidden * self.hidden + 2 * self.hidden * self.intermediate
        return total + rate * 2 * (self.layers * block + channels * self.hidden)

    @property
    def encoder_share(self) -> float:
        """The part of `flops_per_second` that the convolutional feature encoder takes."""
        block = 4 * self.hidden * self.hidden + 2 * self.hidden * self.intermediate
        rate = float(SAMPLING_RATE)
        for stride in self.conv_stride:
            rate /= stride
        return 1 - rate * 2 * (self.layers * block + self.conv_dim[-1] * self.hidden) / self.flops_per_second


def local_folder(checkpoint: str) -> Path | None:
    """The folder of a checkpoint that is on this machine: itself, or in the hub's cache; None where it is not."""
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    from thanosql.models import hub

    if not hub.is_id(checkpoint):
        return None
    from huggingface_hub import try_to_load_from_cache

    name, _, revision = checkpoint.partition("@")
    found = try_to_load_from_cache(name, "config.json", revision=revision or None)
    return Path(found).parent if isinstance(found, str) else None


def facts(folder: Path) -> Facts:
    """What the files in a folder say. Raises ThanoSQLModelError when they are missing or damaged."""
    config = _json(folder / "config.json")
    sizes = [_safetensors(path) for path in sorted(folder.glob("*.safetensors"))]
    weights = sum(path.stat().st_size for path in [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    vocabulary = None
    if (folder / "vocab.json").is_file():
        vocabulary = Vocabulary.read(folder, config.get("vocab_size"))
    try:
        return Facts(
            folder=folder,
            parameters=sum(sizes) or weights // 4,
            weight_bytes=weights,
            layers=int(config.get("num_hidden_layers", 12)),
            hidden=int(config.get("hidden_size", 768)),
            intermediate=int(config.get("intermediate_size", 3072)),
            conv_dim=tuple(map(int, config.get("conv_dim", CONV_DIM))),
            conv_kernel=tuple(map(int, config.get("conv_kernel", CONV_KERNEL))),
            conv_stride=tuple(map(int, config.get("conv_stride", CONV_STRIDE))),
            vocabulary=vocabulary,
            normalizer=Normalizer.read(folder, vocabulary) if vocabulary else None,
        )
    except (TypeError, ValueError) as error:
        raise ThanoSQLModelError(f"{folder / 'config.json'} is damaged: {error}") from error


def _safetensors(path: Path) -> int:
    """Parameters in a file, from its header (the safetensors format: 8 bytes of length, then JSON)."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 100 << 20)))
        return sum(_product(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ThanoSQLModelError(f"{path} is damaged: {error}") from error


def _product(shape: list[int]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ThanoSQLModelError(f"{path.parent} has no {path.name}: it is no Hugging Face model.") from error
    except (OSError, ValueError) as error:
        raise ThanoSQLModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ThanoSQLModelError(f"{path} is damaged: it must hold one JSON object.")
    return content
