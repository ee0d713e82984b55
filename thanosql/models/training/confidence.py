"""A trained model and examples that it did not learn from in; how its confidence becomes the chance of being right out.

The examples are transcribed as they were recorded, and under noise: on clean speech of its own kind a model is hardly ever
wrong, and what it cannot be seen to confuse cannot be calibrated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from thanosql.models import metrics
from thanosql.models.ctc import calibration
from thanosql.models.ctc.alignment import spans
from thanosql.models.ctc.timestamps import timed
from thanosql.models.training import augmentation_config, batches
from thanosql.models.training.augmentation import augment
from thanosql.models.training.examples import Example, Waveforms
from thanosql.models.training.seeding import generator

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.calibration import Calibration
    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.training.trainable import TrainableModel

MOST_ROWS = 300
NOISY = 2  # times that each is transcribed under noise, beside once as it was recorded
SIGNAL_TO_NOISE = (0.0, 20.0)  # dB


def calibrate(
    model: TrainableModel,
    examples: Sequence[Example],
    waveforms: Waveforms,
    vocabulary: Vocabulary,
    device: torch.device,
    *,
    seed: int,
    max_seconds: float,
    normalized: bool,
    cancellation: Cancellation,
) -> Calibration | None:
    """The calibration of the words that the model makes of at most 300 examples; None where they are too few.

    Texts whose words the vocabulary does not divide are none's. Leaves the model in evaluation mode.
    """
    import numpy as np
    import torch

    model.eval()
    chosen = sorted(generator("calibration", seed).permutation(len(examples))[:MOST_ROWS].tolist())
    confidences: list[float] = []
    right: list[bool] = []
    with torch.inference_mode():
        for part in batches.split([examples[index].seconds for index in chosen], max_seconds):
            for time in range(1 + NOISY):
                cancellation.check()
                indices = [chosen[place] for place in part]
                sound = [_sound(waveforms, index, time, seed, normalized) for index in indices]
                logits, lengths = model.logits(model.encode([torch.from_numpy(one).to(device) for one in sound]))
                logs = logits.float().log_softmax(-1).cpu().numpy()
                for place, index in enumerate(indices):
                    found = list(_judged(logs[place, : int(lengths[place])], examples[index].text, vocabulary))
                    confidences += [sure for sure, _ in found]
                    right += [hit for _, hit in found]
    return calibration.fit(np.array(confidences), np.array(right, dtype=bool))


def _sound(waveforms: Waveforms, index: int, time: int, seed: int, normalized: bool) -> np.ndarray:
    import numpy as np

    waveform = waveforms.get(index, 0)
    if not time:
        return waveform
    noise = augmentation_config.chosen(["noise"])
    assert noise is not None
    noise = replace(noise, noise_share=1.0, signal_to_noise=SIGNAL_TO_NOISE)
    found = augment(waveform, generator("calibration noise", seed, time, index), noise, shortest=len(waveform))
    if normalized:
        found = (found - found.mean()) / np.sqrt(found.var() + 1e-7)
    return found.astype(np.float32, copy=False)


def _judged(logs: np.ndarray, text: str, vocabulary: Vocabulary) -> Iterator[tuple[float, bool]]:
    """Of each word that is recognized, its confidence, and whether it stands in the text there."""
    path = vocabulary.joined(logs.argmax(axis=-1))
    words = timed(spans(logs, path, vocabulary.blank), vocabulary, "word")
    (score,) = metrics.score_each([text], [" ".join(word.text for word in words)])
    kinds = [edit.kind for edit in score.edits if edit.hypothesis]
    if len(kinds) == len(words):
        yield from ((word.confidence, kind == "equal") for word, kind in zip(words, kinds, strict=True))
