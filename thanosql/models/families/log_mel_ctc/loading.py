"""A checkpoint and the options in, its recognizer out; or its files in a folder of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files
from thanosql.models.ctc.recognizer import FrameRecognizer
from thanosql.models.ctc.vocabulary import Vocabulary, read_vocabulary
from thanosql.models.devices import choose_device, choose_dtype
from thanosql.models.families.log_mel_ctc import checkpoint as checkpoints
from thanosql.models.families.log_mel_ctc.forward import Forward
from thanosql.models.families.log_mel_ctc.geometry import geometry
from thanosql.models.json_file import read_json
from thanosql.models.options import TranscribeOptions
from thanosql.models.text import Normalizer


def load(checkpoint: str, options: TranscribeOptions) -> FrameRecognizer:
    """The recognizer of a checkpoint (a folder, or a hub id), on the device and in the arithmetic of the options.

    Raises ThanoSQLModelError for a checkpoint that is missing, damaged or has no CTC head, ThanoSQLConnectionError when
    the hub is needed and cannot be reached, ThanoSQLOptionError for a device or precision that this machine lacks.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.precision, device)
    folder = checkpoint_files.open(checkpoint).folder
    model, extractor, vocabulary = _parts(folder)
    try:
        forward = Forward(model, extractor, geometry(read_json(folder / "config.json"), folder), device, dtype)
    except RuntimeError as error:  # torch.OutOfMemoryError, and what a broken driver raises
        raise ThanoSQLModelError(f"{checkpoint} cannot be put on {device}: {error}") from error
    return FrameRecognizer(forward, vocabulary)


def import_checkpoint(checkpoint: str, folder: Path) -> None:
    """Leave in `folder` what a checkpoint holds, checked by loading it. Raises ThanoSQLModelError as `load`."""
    source = checkpoint_files.open(checkpoint).folder
    model, _, vocabulary = _parts(source)
    damaged = [name for name, value in model.state_dict().items() if not bool(value.isfinite().all())]
    if damaged:
        raise ThanoSQLModelError(f"{source} is damaged: weights are NaN or infinite in {damaged[0]}.")
    checkpoint_files.copy(source, folder)
    try:
        Normalizer.read(source, vocabulary).write(folder)
    except OSError as error:
        raise ThanoSQLModelError(f"The model cannot be written to {folder}: {error}") from error


def _parts(folder: Path) -> tuple[Any, Any, Vocabulary]:
    """The model, its feature extractor and its vocabulary. Raises ThanoSQLModelError for what is missing or does not fit."""
    model, extractor = checkpoints.load_model(folder), checkpoints.read_extractor(folder)
    vocabulary = read_vocabulary(folder)
    if len(vocabulary.tokens) != model.config.vocab_size:
        raise ThanoSQLModelError(f"{folder}: the vocabulary and the model's head differ in size.")
    return model, extractor, vocabulary
