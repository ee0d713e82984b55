"""A checkpoint in, its files in a folder of the store out: whole, checked by loading them, weights as safetensors."""

from __future__ import annotations

import shutil
from pathlib import Path

from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files, hub
from thanosql.models.ctc.tokenizer_files import vocabulary_folder
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
    damaged = [name for name, value in model.state_dict().items() if not bool(value.isfinite().all())]
    if damaged:
        raise ThanoSQLModelError(
            f"{source.folder} is damaged: weights are no numbers (NaN or infinite) in {', '.join(damaged[:3])}.",
            hint="Fetch it again, or take the checkpoint of an earlier step.",
        )
    if not any((source.folder / name).is_file() for name in ("model.safetensors", INDEX)):
        checkpoints.save(folder, model, vocabulary, normalizer, features)
        return
    # Of a step of a Trainer, what is not beside its weights stands where its vocabulary is.
    places = (source.folder, vocabulary_folder(source.folder) or source.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*hub.SMALL, *_weights(source.folder)):
            found = next((place / name for place in places if (place / name).is_file()), None)
            if found is not None:
                shutil.copyfile(found, folder / name)
        normalizer.write(folder)
    except OSError as error:
        raise ThanoSQLModelError(f"The model cannot be copied from {source.folder}: {error}") from error


def _weights(folder: Path) -> list[str]:
    if (folder / "model.safetensors").is_file():
        return ["model.safetensors"]
    shards = read_json(folder / INDEX)["weight_map"]
    return [INDEX, *sorted({Path(shard).name for shard in shards.values()})]
