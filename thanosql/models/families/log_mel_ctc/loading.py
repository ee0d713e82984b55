"""A checkpoint and the options in, its recognizer out; or its files in a folder of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.config_sizes import check_sizes
from thanosql.models.ctc.recognizer import FrameRecognizer
from thanosql.models.ctc.vocabulary import Vocabulary, read_vocabulary
from thanosql.models.devices import choose_device, choose_dtype
from thanosql.models.families.log_mel_ctc.forward import Forward
from thanosql.models.families.log_mel_ctc.geometry import encoder, geometry
from thanosql.models.families.waveform_ctc.imports import transformers
from thanosql.models.json_file import read_json
from thanosql.models.options import TranscribeOptions
from thanosql.models.text import Normalizer
from thanosql.models.weights import tensor_shapes


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
    config = read_json(folder / "config.json")
    shapes = tensor_shapes(folder)
    check_sizes({**config, **encoder(config)}, shapes, folder)
    if not shapes:
        raise ThanoSQLModelError(
            f"{folder} has no model.safetensors, the only weight format read for this type of model."
        )
    vocabulary = read_vocabulary(folder)
    model_class = getattr(transformers(), geometry(config, folder).model_class)
    try:
        extractor = transformers().AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
        model, loaded = model_class.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # transformers raises whatever its own reading of the files raises
        raise ThanoSQLModelError(f"{folder} is damaged: {str(error)[:300]}") from error
    if loaded["missing_keys"] or loaded["mismatched_keys"]:
        names = ", ".join(sorted(map(str, (*loaded["missing_keys"], *loaded["mismatched_keys"])))[:3])
        raise ThanoSQLModelError(f"The weights in {folder} are incomplete or do not fit its config.json: {names}.")
    if extractor.sampling_rate != SAMPLING_RATE:
        raise ThanoSQLModelError(
            f"{folder} needs audio at {extractor.sampling_rate} Hz; models of this kind take {SAMPLING_RATE} Hz."
        )
    if len(vocabulary.tokens) != model.config.vocab_size:
        raise ThanoSQLModelError(f"{folder}: the vocabulary and the model's head differ in size.")
    return model.eval(), extractor, vocabulary
