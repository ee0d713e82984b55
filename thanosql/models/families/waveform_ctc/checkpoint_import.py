"""A checkpoint in, its files in a folder of the store out: whole, checked by loading them, weights as safetensors."""

from __future__ import annotations

from pathlib import Path

from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files
from thanosql.models.ctc.languages import adapter_files, read_languages
from thanosql.models.ctc.tokenizer_files import adapter_file, vocabulary_folder
from thanosql.models.ctc.vocabulary import read_vocabulary
from thanosql.models.families.waveform_ctc import checkpoint as checkpoints
from thanosql.models.text import Normalizer


def import_checkpoint(checkpoint: str, folder: Path) -> None:
    """Leave in `folder` what a checkpoint (a folder, or a hub id) holds.

    Only the files that a CTC model is made of are taken, the adapters of all languages that are there among them. Weights in
    `pytorch_model.bin` become safetensors.
    Raises ThanoSQLModelError for what is missing, damaged, or of another family, before the folder is touched.
    """
    source = checkpoint_files.open(checkpoint)
    language = _language(source.folder)
    vocabulary = read_vocabulary(source.folder, language)
    normalizer = Normalizer.read(source.folder, vocabulary)
    features = checkpoints.read_features(source.folder)
    model = checkpoints.load_model(source.folder, language=language)
    damaged = [name for name, value in model.state_dict().items() if not bool(value.isfinite().all())]
    if damaged:
        raise ThanoSQLModelError(
            f"{source.folder} is damaged: weights are NaN or infinite in {', '.join(damaged[:3])}.",
            hint="Fetch it again, or use the checkpoint of an earlier step.",
        )
    if not any((source.folder / name).is_file() for name in checkpoint_files.SAFETENSORS):
        checkpoints.save(folder, model, vocabulary, normalizer, features)
        return
    # Of a step of a Trainer, what is not beside its weights stands where its vocabulary is.
    checkpoint_files.copy(source.folder, folder, vocabulary_folder(source.folder) or source.folder)
    try:
        for adapter in adapter_files(source.folder):
            checkpoint_files.copy_file(adapter, folder / adapter.name)
        if read_languages(source.folder) is None:  # each of several has its own
            normalizer.write(folder)
    except OSError as error:
        raise ThanoSQLModelError(f"The model cannot be written to {folder}: {error}") from error


def _language(folder: Path) -> str | None:
    """What is loaded to check a checkpoint that is set to none of its languages: the first whose adapter is there."""
    known = read_languages(folder)
    if known is None or known.own is not None:
        return None
    return next((code for code in known.codes if adapter_file(folder, code) is not None), None)
