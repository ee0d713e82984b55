"""A model and examples it does not learn from in; its loss, WER and CER on them out. And which examples those are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLDataError
from thanosql.models import metrics
from thanosql.models.ctc.loss import ctc_losses
from thanosql.models.training import batches
from thanosql.models.training.examples import Example, Waveforms, read_ahead
from thanosql.models.training.ranks import ALONE
from thanosql.models.training.seeding import generator

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.training.ranks import Ranks
    from thanosql.models.training.trainable import TrainableModel


@dataclass(frozen=True)
class Validation:
    """The mean CTC loss of the utterances; WER and CER as fractions."""

    loss: float
    wer: float
    cer: float


def hold_out(
    examples: Sequence[Example], share: float, seed: int, *, grouped: bool = False
) -> tuple[list[Example], list[Example]]:
    """The examples to learn from and those to validate with, at least one of each, in the order they came.

    When `grouped`, whole groups are held out, as many as come closest to the share. Raises ThanoSQLDataError when all
    are of one group, and for a single example.
    """
    if not share:
        return list(examples), []
    if len(examples) < 2:
        raise ThanoSQLDataError(
            "Only one row can be trained on, so none can be set aside for validation.",
            hint="Leave valid_split out, or name rows to validate on with valid_query.",
        )
    if grouped:
        chosen = _groups(examples, share * len(examples), seed)
        chosen_rows = {index for index, example in enumerate(examples) if example.group in chosen}
    else:
        count = min(max(1, round(share * len(examples))), len(examples) - 1)
        chosen_rows = set(generator("validation", seed).permutation(len(examples))[:count].tolist())
    return (
        [example for index, example in enumerate(examples) if index not in chosen_rows],
        [example for index, example in enumerate(examples) if index in chosen_rows],
    )


def _groups(examples: Sequence[Example], wanted: float, seed: int) -> set[str]:
    """Groups in random order, each taken where that brings the number of examples closer to `wanted`."""
    sizes = Counter(example.group for example in examples)
    if len(sizes) < 2:
        raise ThanoSQLDataError(
            f"All {len(examples):,} rows that can be trained on are in one group, {next(iter(sizes))}: none can be set "
            f"aside for validation.",
            hint="valid_group needs rows of at least two groups; valid_split without it sets single rows aside.",
        )
    names = sorted(sizes)
    order = [names[index] for index in generator("validation", seed).permutation(len(names))]
    chosen: set[str] = set()
    count = 0
    for name in order:
        closer = abs(count + sizes[name] - wanted) < abs(count - wanted)
        if closer and len(chosen) < len(names) - 1:
            chosen.add(name)
            count += sizes[name]
    # Where every group is far larger than the share, the smallest stands for it.
    return chosen or {min(names, key=lambda name: sizes[name])}


class Validator:
    """Transcribes the validation set, as it was recorded: each rank a part of it, and all get the whole answer."""

    def __init__(
        self,
        examples: Sequence[Example],
        waveforms: Waveforms,
        vocabulary: Vocabulary,
        max_seconds: float,
        fits: Callable[[Sequence[float]], bool],
        ranks: Ranks = ALONE,
    ) -> None:
        self._examples = examples
        self._waveforms = waveforms
        self._vocabulary = vocabulary
        self._ranks = ranks
        self._passes = batches.split([example.seconds for example in examples], max_seconds, fits=fits)

    def validate(self, model: TrainableModel, device: torch.device, cancellation: Cancellation) -> Validation:
        """The model as it is now, in float32 and evaluation mode; it is left in that mode."""
        import torch

        model.eval()
        hypotheses: dict[int, str] = {}
        losses: dict[int, float] = {}
        mine = range(self._ranks.rank, len(self._passes), self._ranks.count)
        with torch.inference_mode():
            for number, waveforms in read_ahead(self._read, mine):
                if cancellation.requested:
                    break
                indices = self._passes[number]
                sound = [torch.from_numpy(waveform).to(device) for waveform in waveforms]
                logits, lengths = model.logits(model.encode(sound))
                labels = [self._examples[index].labels for index in indices]
                losses[number] = float(ctc_losses(logits, lengths, labels, self._vocabulary.blank).sum())
                best = logits.argmax(-1).cpu()
                for place, index in enumerate(indices):
                    hypotheses[index] = self._vocabulary.decode(best[place, : int(lengths[place])].tolist())
        self._ranks.check(cancellation)
        for more_losses, more_hypotheses in self._ranks.gather((losses, hypotheses)):
            losses |= more_losses
            hypotheses |= more_hypotheses
        loss = sum(losses[number] for number in range(len(self._passes)))
        texts = [example.text for example in self._examples]
        scores = metrics.score(texts, [hypotheses[index] for index in range(len(texts))])
        return Validation(loss / len(texts), scores.wer, scores.cer)

    def _read(self, number: int) -> list[np.ndarray]:
        return [self._waveforms.get(index, 0) for index in self._passes[number]]
