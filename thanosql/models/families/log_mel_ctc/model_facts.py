"""A checkpoint's files in, what can be said of the model without loading it out: no torch, no download."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.config_sizes import check_sizes
from thanosql.models.ctc.vocabulary import Vocabulary, has_vocabulary, read_vocabulary
from thanosql.models.families.log_mel_ctc.geometry import HOP, Geometry, encoder, geometry
from thanosql.models.json_file import read_json
from thanosql.models.text import Normalizer
from thanosql.models.training.memory import TrainingSizes, weights_kept
from thanosql.models.training.vocabulary_builder import training_vocabulary
from thanosql.models.weights import tensor_shapes, weight_files

if TYPE_CHECKING:
    from thanosql.models.options import TrainOptions

CHANNELS = 256  # of Parakeet's first convolutions, which are the widest of either


@dataclass(frozen=True)
class LogMelFacts:
    """`parameters` and `weight_bytes` are those of the weights on the disk."""

    folder: Path
    parameters: int
    weight_bytes: int
    layers: int
    hidden: int
    vocabulary: Vocabulary | None
    normalizer: Normalizer | None
    geometry: Geometry
    base_vocabulary: Vocabulary | None = None
    heads: int = 8
    intermediate: int = 4096
    channels: int = CHANNELS
    context: int = 0  # frames of a block, where attention is within blocks
    halved: tuple[int, ...] = ()  # layers that halve the frames
    encoder_share: float = 0.0  # there is no feature encoder that could be frozen

    @property
    def features_per_second(self) -> float:
        """Numbers that the first convolution, the widest layer, makes of a second of audio: 80 mel bands and more."""
        return CHANNELS * 40 * SAMPLING_RATE / HOP / 2

    @property
    def flops_per_second(self) -> float:
        """Floating-point operations of a forward pass over one second: two a weight and frame."""
        return 2 * self.parameters * SAMPLING_RATE / self.geometry.step

    def frames(self, samples: int) -> int:
        """How many frames the model makes of so many samples."""
        return self.geometry.model_frames(samples)

    def training_sizes(self, options: TrainOptions) -> TrainingSizes:
        """What the memory that training takes depends on: counted as `training.memory` says."""
        return TrainingSizes(
            parameters=self.parameters,
            trained=self.parameters,
            layers=self.layers,
            heads=self.heads,
            hidden=self.hidden,
            intermediate=self.intermediate,
            tokens=len(self.vocabulary.tokens) if self.vocabulary else 32,
            frame_samples=self.geometry.step,
            encoder_trained=True,
            weights_kept=weights_kept(options),
            **self._copies(),
        )

    def _copies(self) -> dict[str, float]:
        """What each type keeps of a layer, counted in what its forward pass saves for its gradients."""
        both = {"intermediate_copies": 6.0, "attention_copies": 3.0}  # Parakeet's Conformer and LASR's
        if self.geometry.model_class == "ParakeetForCTC":
            return {"encoder_numbers": 1230.0 * self.channels, "hidden_copies": 23.0, **both}
        if self.geometry.model_class == "LasrForCTC":
            return {"encoder_numbers": 25.0 * self.hidden + 3_900, "hidden_copies": 19.0, **both}
        if self.geometry.model_class == "GraniteSpeech5ForCTC":
            # Its attention is within blocks, and its first layers have more frames than those behind them.
            slower = (
                sum(2 ** sum(layer >= number for layer in self.halved) for number in range(self.layers)) / self.layers
            )
            blocks = 2.0 * self.heads * self.context / self.hidden
            copies = {"hidden_copies": slower * (34.0 + blocks), "intermediate_copies": slower * 4.0}
            return {"encoder_numbers": 6_700.0, **copies}
        copies = {"hidden_copies": 21.5, "intermediate_copies": 4.0, "attention_copies": 1.5}
        # Wav2Vec2-BERT looks a vector up for each pair of frames.
        return {"encoder_numbers": 6_700.0, **copies, "position_copies": self.hidden / self.heads}


def facts(folder: Path) -> LogMelFacts:
    """What the files in a folder say. Raises ThanoSQLModelError when they are missing or damaged."""
    config = read_json(folder / "config.json")
    shapes = tensor_shapes(folder)
    for part in (config, encoder(config)):
        check_sizes(part, shapes, folder)
    known = geometry(config, folder)
    vocabulary = read_vocabulary(folder) if has_vocabulary(folder) else None
    weights = sum(path.stat().st_size for path in weight_files(folder) if path.is_file())
    return LogMelFacts(
        folder=folder,
        parameters=sum(map(prod, shapes.values())) or weights // 4,
        weight_bytes=weights,
        layers=int(encoder(config).get("num_hidden_layers", 24)),
        hidden=int(encoder(config).get("hidden_size", 1024)),
        heads=int(encoder(config).get("num_attention_heads", 8)),
        intermediate=int(encoder(config).get("intermediate_size", 4096)),
        channels=int(encoder(config).get("subsampling_conv_channels", CHANNELS)),
        context=int(encoder(config).get("context_size", 128)),
        halved=tuple(encoder(config).get("subsample_layers", (0, 1))) if known.tied_head else (),
        vocabulary=vocabulary,
        normalizer=Normalizer.read(folder, vocabulary) if vocabulary else None,
        geometry=known,
    )


def facts_for_training(folder: Path, texts: Iterable[str], options: TrainOptions) -> LogMelFacts:
    """What is known of the checkpoint, with the vocabulary and the normalizer that training makes of it and the texts."""
    known = facts(folder)
    built = training_vocabulary(folder, texts, options)
    made = options.vocabulary != "keep"
    return replace(
        known,
        vocabulary=built.vocabulary,
        normalizer=built.normalizer,
        base_vocabulary=known.vocabulary if made else None,
    )
