"""A `model_type` in; what the models of that type have of their own among those that hear raw waveforms, out.

All are built alike: a convolutional feature encoder, a projection, a transformer, a linear CTC head. What differs is said
here, and everything else in this folder serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thanosql.errors import ThanoSQLModelError


@dataclass(frozen=True)
class Architecture:
    """A type of model, by the name that stands before ForCTC and Config in transformers.

    `padded`: whether an utterance padded after its end, with a mask, is answered as it is alone. Where it is not, since
    convolutions or pooling in the transformer reach into the padding, utterances go one by one.
    `cpu_model`: whether its forward pass is Wav2Vec2's, as the module cpu_model computes it.
    `training_copies`: numbers that training stores of a layer, as `TrainingSizes` counts them: for each number of a frame's
    hidden state, of its intermediate one, and for each weight of its attention (0: fused attention stores none).
    """

    name: str
    padded: bool = False
    cpu_model: bool = False
    training_copies: tuple[float, float, float] = (11.5, 3.0, 0.0)

    @property
    def model_class(self) -> str:
        return f"{self.name}ForCTC"

    @property
    def config_class(self) -> str:
        return f"{self.name}Config"


ARCHITECTURES: Mapping[str, Architecture] = {
    "wav2vec2": Architecture("Wav2Vec2", padded=True, cpu_model=True),
    "hubert": Architecture("Hubert", padded=True, cpu_model=True),
    "wavlm": Architecture("WavLM", padded=True, training_copies=(11.5, 3.0, 3.0)),
    "data2vec-audio": Architecture("Data2VecAudio", cpu_model=True),
    "unispeech": Architecture("UniSpeech", padded=True, cpu_model=True),
    "unispeech-sat": Architecture("UniSpeechSat", padded=True, cpu_model=True),
    "sew": Architecture("SEW"),
    "sew-d": Architecture("SEWD", training_copies=(19.5, 4.0, 3.0)),
    "wav2vec2-conformer": Architecture("Wav2Vec2Conformer", training_copies=(30.0, 6.0, 3.0)),
}


def architecture_of(config: Mapping[str, Any], where: str) -> Architecture:
    """What config.json says that the model is; `where` names it in the error. Raises ThanoSQLModelError for another type."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        raise ThanoSQLModelError(
            f"{where} is not a CTC model that takes raw waveforms: its config.json says model_type {kind!r}.",
            hint=f"Supported types: {', '.join(ARCHITECTURES)}.",
        )
    return ARCHITECTURES[kind]
