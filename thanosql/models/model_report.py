"""What a training did, in; the report and the sentences that BUILD and FIT give of it, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted, part_of
from thanosql.models.results import TrainingReport, TrainingUtterance

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.models.trained_rows import TrainedRows


@dataclass(frozen=True, kw_only=True)
class ModelReport:
    """What BUILD and FIT did, a field a column: `loss` is the last epoch's mean CTC loss, `folder` opens in transformers."""

    model: str
    version: int
    base: str
    utterances: int
    skipped: int
    hours: float
    steps: int
    epochs: int
    loss: float
    seconds: float
    folder: str

    def frame(self) -> pd.DataFrame:
        """The report as a table of one row."""
        import pandas as pd

        return pd.DataFrame([asdict(self)])

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False, escape=True))


def model_report(name: str, base: str, report: TrainingReport, version: int, folder: str) -> ModelReport:
    """The report of the version that `report`'s training has made."""
    return ModelReport(
        model=name,
        version=version,
        base=base,
        utterances=report.utterances,
        skipped=len(report.skipped),
        hours=report.audio_hours,
        steps=report.steps,
        epochs=report.epochs,
        loss=report.loss,
        seconds=report.seconds,
        folder=folder,
    )


def leaks(learned: TrainedRows, validation: Sequence[TrainingUtterance]) -> Iterator[str]:
    """A warning where audio of the validation set is learned from."""
    if both := sum(bool(learned.find(row.audio, row.text)) for row in validation):
        yield (
            f"In valid_query, {part_of(both, len(validation), 'row', ('is a training row', 'are training rows'))} as well: "
            "on new audio the WER will be higher."
        )


def skipped_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many rows were left out, and why the first three were."""
    shown = "; ".join(f"row {row['row']}: {row['reason']}" for row in rows[:3])
    return f"{counted(len(rows), 'row', ('was', 'were'))} left out: {shown}{' …' if len(rows) > 3 else ''}"
