"""A checkpoint in, its files in a folder of the store out: whole, checked by loading them, weights as safetensors."""

from __future__ import annotations

import shutil
from pathlib import Path

from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files, hub
from thanosql.models.ctc.vocabulary import read_vocabulary
from thanosql.models.families.waveform_ctc import checkpoint as checkpoints
from thanosql.models.json_file import read_json
from thanosql.models.text import Normalizer

INDEX = "model.safetensors.index.json"


def import_checkpoint(checkpoint: str, folder: Path) -> None:
    """Leave in `folder` what a checkpoint (a folder, or a hub id) holds.

    Only the files that a CTC model is made of are taken. Weights in `pytorch_model.bin` become safetensors.
    Raises ThanoSQLModelError for what is missing, damaged, or of another family, before the folder is touched.
    """
    source = checkpoint_files.open(checkpoint)
    vocabulary = read_vocabulary(source.folder)
    normalizer = Normalizer.read(source.folder, vocabulary)
    features = checkpoints.read_features(source.folder)
    model = checkpoints.load_model(source.folder)
    if not any((source.folder / name).is_file() for name in ("model.safetensors", INDEX)):
        checkpoints.save(folder, model, vocabulary, normalizer, features)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*hub.SMALL, *_weights(source.folder)):
            if (source.folder / name).is_file():
                shutil.copyfile(source.folder / name, folder / name)
        normalizer.write(folder)
    except OSError as error:
        raise ThanoSQLModelError(f"The model cannot be copied from {source.folder}: {error}") from error


def _weights(folder: Path) -> list[str]:
    if (folder / "model.safetensors").is_file():
        return ["model.safetensors"]
    shards = read_json(folder / INDEX)["weight_map"]
    return [INDEX, *sorted({Path(shard).name for shard in shards.values()})]
