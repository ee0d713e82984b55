"""A checkpoint and the options in, its recognizer out."""

from __future__ import annotations

from functools import partial

from thanosql.errors import ThanoSQLModelError
from thanosql.models.ctc import languages
from thanosql.models.ctc.recognizer import FrameRecognizer
from thanosql.models.ctc.vocabulary import read_vocabulary
from thanosql.models.devices import choose_device, choose_dtype
from thanosql.models.families.waveform_ctc import checkpoint as checkpoints
from thanosql.models.families.waveform_ctc.forward import forward
from thanosql.models.families.waveform_ctc.preparation import prepare_any_length
from thanosql.models.options import TranscribeOptions


def load(checkpoint: str, options: TranscribeOptions) -> FrameRecognizer:
    """The recognizer of a checkpoint (a folder, or a hub id), on the device and in the arithmetic of the options.

    Raises ThanoSQLModelError for a checkpoint that is missing, damaged or has no CTC head, ThanoSQLConnectionError when
    the hub is needed and cannot be reached, ThanoSQLOptionError for a device or precision that this machine lacks.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.precision, device)
    found = languages.open(checkpoint, options.language)
    vocabulary = read_vocabulary(found.folder, options.language)
    features = checkpoints.read_features(found.folder)
    model = checkpoints.load_model(found.folder, language=options.language)
    if len(vocabulary.tokens) != model.lm_head.out_features:
        raise ThanoSQLModelError(f"{found.folder}: the vocabulary and the model's head differ in size.")
    try:
        calls = forward(model, checkpoints.read_architecture(found.folder), device, dtype)
    except RuntimeError as error:  # torch.OutOfMemoryError, and what a broken driver raises
        raise ThanoSQLModelError(f"{checkpoint} cannot be put on {device}: {error}") from error
    return FrameRecognizer(calls, vocabulary, partial(prepare_any_length, features=features))
