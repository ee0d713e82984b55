"""A model and examples it does not learn from in; its loss, WER and CER on them out. And which examples those are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.models import metrics
from thanosql.models.wav2vec2 import batches, objective
from thanosql.models.wav2vec2.draws import generator
from thanosql.models.wav2vec2.examples import Example, Waveforms, read_ahead

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.ctc import Vocabulary


@dataclass(frozen=True)
class Validation:
    """The mean CTC loss of the utterances; WER and CER as fractions."""

    loss: float
    wer: float
    cer: float


def hold_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """The examples to learn from and those to validate with, at least one of each, in the order they came."""
    count = min(max(1, round(share * len(examples))), len(examples) - 1) if share else 0
    held = set(generator("validation", seed).permutation(len(examples))[:count].tolist())
    return (
        [example for index, example in enumerate(examples) if index not in held],
        [example for index, example in enumerate(examples) if index in held],
    )


class Judge:
    """Listens to the held-out examples, as they were recorded."""

    def __init__(
        self, examples: Sequence[Example], waveforms: Waveforms, vocabulary: Vocabulary, max_seconds: float
    ) -> None:
        self._examples = examples
        self._waveforms = waveforms
        self._vocabulary = vocabulary
        self._passes = batches.split([example.seconds for example in examples], max_seconds)

    def listen(self, model: Any, device: torch.device) -> Validation:
        """The model as it is now, in float32 and evaluation mode; it is left in that mode."""
        import torch

        model.eval()
        heard: dict[int, str] = {}
        loss = 0.0
        with torch.inference_mode():
            for indices, waveforms in read_ahead(self._read, self._passes):
                sound = [torch.from_numpy(waveform).to(device) for waveform in waveforms]
                logits, lengths = objective.frame_logits(model, objective.encode(model, sound))
                labels = [self._examples[index].labels for index in indices]
                loss += float(objective.ctc_losses(logits, lengths, labels, self._vocabulary.blank).sum())
                best = logits.argmax(-1).cpu()
                for place, index in enumerate(indices):
                    heard[index] = self._vocabulary.decode(best[place, : int(lengths[place])].tolist())
        texts = [example.text for example in self._examples]
        scores = metrics.score(texts, [heard[index] for index in range(len(texts))])
        return Validation(loss / len(texts), scores.wer, scores.cer)

    def _read(self, indices: Sequence[int]) -> list[np.ndarray]:
        return [self._waveforms.get(index, 0) for index in indices]
