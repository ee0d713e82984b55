"""How a run ended in; what the user should know about the outcome, in sentences, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thanosql.models.options import TrainOptions
    from thanosql.models.training.loop import Run


def doubts(run: Run, options: TrainOptions, wer: float) -> list[str]:
    """What the user should know about the outcome; `wer` is that of the validation set, or of some training rows."""
    # Of a run that fell silent, the best epoch may speak.
    if not run.spoken and wer >= 1:
        return [
            "Every frame of the last epoch was decoded as blank: the model does not transcribe anything yet. The "
            "likely cause is "
            f"too few steps ({run.steps:,}), or a learning_rate ({options.learning_rate:g}) too low or too high here."
        ]
    if wer >= 1:
        rows = "validation set" if run.best.epoch else "training rows"
        return [
            f"The WER on the {rows} is {wer:.2f}, no better than empty transcripts. The likely cause is texts that do "
            f"not belong to their "
            f"audio, too few steps ({run.steps:,}), or a learning_rate ({options.learning_rate:g}) too "
            "low or too high here."
        ]
    return []
