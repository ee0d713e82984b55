"""A checkpoint's files in, what can be said of the model without loading it out: no torch, no download."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.config_sizes import check_sizes
from thanosql.models.ctc.tokenizer_files import adapter_file
from thanosql.models.ctc.vocabulary import Vocabulary, has_vocabulary, read_vocabulary
from thanosql.models.families.waveform_ctc.architectures import ARCHITECTURES
from thanosql.models.families.waveform_ctc.checkpoint import is_of_language
from thanosql.models.families.waveform_ctc.convolutions import frames, geometry
from thanosql.models.json_file import read_json
from thanosql.models.text import Normalizer
from thanosql.models.training.memory import TrainingSizes, weights_kept
from thanosql.models.training.vocabulary_builder import training_vocabulary
from thanosql.models.weights import tensor_shapes, weight_files

if TYPE_CHECKING:
    from thanosql.models.options import TrainOptions

CONV_DIM, CONV_KERNEL, CONV_STRIDE = (512,) * 7, (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


@dataclass(frozen=True)
class WaveformFacts:
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
    squeeze: int = 1  # frames that the transformer merges into one: SEW's
    heads: int = 12
    encoder_parameters: int = 0
    adapter_parameters: int = 0  # of adapters of languages and the head, where there are such adapters
    training_copies: tuple[float, float, float] = (11.5, 3.0, 0.0)  # see `Architecture`

    def frames(self, samples: int) -> int:
        """How many frames the model makes of so many samples."""
        return frames(samples, self.conv_kernel, self.conv_stride, self.squeeze)

    @property
    def features_per_second(self) -> float:
        """Numbers that the first layer, the widest, makes of a second of audio."""
        return self.conv_dim[0] * SAMPLING_RATE / self.conv_stride[0]

    def training_sizes(self, options: TrainOptions) -> TrainingSizes:
        """What the memory that training takes depends on."""
        whole = not options.freeze_feature_encoder
        trained = self.parameters - (0 if whole else self.encoder_parameters)
        if self.adapter_parameters and options.train != "all":
            trained = self.adapter_parameters
        step = geometry(self.conv_kernel, self.conv_stride)[1] * self.squeeze
        strides = accumulate(self.conv_stride, mul)
        return TrainingSizes(
            parameters=self.parameters,
            trained=trained,
            layers=self.layers,
            heads=self.heads,
            hidden=self.hidden,
            intermediate=self.intermediate,
            tokens=len(self.vocabulary.tokens) if self.vocabulary else 32,
            frame_samples=step,
            encoder_numbers=sum(width * SAMPLING_RATE / stride for width, stride in zip(self.conv_dim, strides)),
            encoder_trained=whole,
            hidden_copies=self.training_copies[0],
            intermediate_copies=self.training_copies[1],
            attention_copies=self.training_copies[2],
            weights_kept=weights_kept(options),
        )

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
        return total + rate * 2 * (self.layers * block / self.squeeze + channels * self.hidden)

    @property
    def encoder_share(self) -> float:
        """The part of `flops_per_second` that the convolutional feature encoder takes."""
        block = 4 * self.hidden * self.hidden + 2 * self.hidden * self.intermediate
        rate = float(SAMPLING_RATE)
        for stride in self.conv_stride:
            rate /= stride
        behind = rate * 2 * (self.layers * block / self.squeeze + self.conv_dim[-1] * self.hidden)
        return 1 - behind / self.flops_per_second


def facts(folder: Path, language: str | None = None) -> WaveformFacts:
    """What the files in a folder say. Raises ThanoSQLModelError when they are missing or damaged."""
    config = read_json(folder / "config.json")
    shapes = tensor_shapes(folder)
    check_sizes(config, shapes, folder)
    files = [*weight_files(folder), adapter_file(folder, language)]
    weights = sum(path.stat().st_size for path in files if path is not None and path.is_file())
    vocabulary = read_vocabulary(folder, language) if has_vocabulary(folder) else None
    try:
        return WaveformFacts(
            folder=folder,
            parameters=sum(map(prod, shapes.values())) or weights // 4,
            weight_bytes=weights,
            layers=int(config.get("num_hidden_layers", 12)),
            hidden=int(config.get("hidden_size", 768)),
            intermediate=int(config.get("intermediate_size", 3072)),
            conv_dim=tuple(map(int, config.get("conv_dim", CONV_DIM))),
            conv_kernel=tuple(map(int, config.get("conv_kernel", CONV_KERNEL))),
            conv_stride=tuple(map(int, config.get("conv_stride", CONV_STRIDE))),
            vocabulary=vocabulary,
            normalizer=Normalizer.read(folder, vocabulary) if vocabulary else None,
            squeeze=max(1, int(config.get("squeeze_factor", 1))),
            heads=int(config.get("num_attention_heads", 12)),
            encoder_parameters=sum(prod(shape) for name, shape in shapes.items() if "feature_extractor." in name),
            adapter_parameters=_adapter_parameters(config, shapes),
            training_copies=_training_copies(config),
        )
    except (TypeError, ValueError) as error:
        raise ThanoSQLModelError(f"{folder / 'config.json'} is damaged: {error}") from error


def _adapter_parameters(config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> int:
    if config.get("adapter_attn_dim") is None:
        return 0
    return sum(prod(shape) for name, shape in shapes.items() if is_of_language(name))


def _training_copies(config: Mapping[str, Any]) -> tuple[float, float, float]:
    architecture = ARCHITECTURES.get(str(config.get("model_type")))
    hidden, intermediate, attention = architecture.training_copies if architecture else WaveformFacts.training_copies
    # Wav2Vec2-Conformer's attention is fused unless a bias of frames² positions is added to its weights.
    positions = config.get("position_embeddings_type", "relative")
    return hidden, intermediate, attention if positions == "relative" else 0.0


def facts_for_training(folder: Path, texts: Iterable[str], options: TrainOptions) -> WaveformFacts:
    """What is known of the checkpoint, with the vocabulary and the normalizer that training makes of it and the texts."""
    known = facts(folder, options.language)
    built = training_vocabulary(folder, texts, options)
    made = options.vocabulary != "keep"
    return replace(
        known,
        vocabulary=built.vocabulary,
        normalizer=built.normalizer,
        base_vocabulary=known.vocabulary if made else None,
    )
