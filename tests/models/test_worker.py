"""A worker stops between two forward passes of a batch, whatever its task asks of the model."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.models import checkpoints
from thanosql.models.audio.access import AudioAccess
from thanosql.models.cancellation import Cancellation, Cancelled
from thanosql.models.model import Model
from thanosql.models.options import DecodeOptions
from thanosql.models.tasks import AudioRow, Output, TranscribeTask
from thanosql.models.worker import Worker


@pytest.mark.parametrize("output", [output for output in Output if output is not Output.AUDIO])
@pytest.mark.parametrize("decoder", ["greedy", "beam"])
def test_a_worker_stops_between_forward_passes(output: Output, decoder: str, tmp_path: Path) -> None:
    folder = checkpoints.make(tmp_path / "model")
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000, format="WAV")
    task = TranscribeTask(
        output=output,
        audio=AudioAccess(roots=()),
        model=Model("m", str(folder), "wav2vec2", "m", key="1"),
        decode=DecodeOptions(decoder=decoder),
        level="word",
    )
    row = AudioRow(1, file.getvalue(), 1.0, "TEA")
    cancellation = Cancellation()
    assert len(Worker(task, cancellation=cancellation).work([row])) == 1
    cancellation.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        Worker(task, cancellation=cancellation).work([row])
