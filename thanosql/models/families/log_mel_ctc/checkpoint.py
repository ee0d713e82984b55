"""A folder in; a CTC model that hears log-mel frames, its feature extractor and its vocabulary out; and back into a folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thanosql import confinement
from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files, hub
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.config_sizes import check_sizes
from thanosql.models.ctc import head as heads
from thanosql.models.ctc.tokenizer_files import HEADS, vocabulary_folder
from thanosql.models.ctc.vocabulary import Vocabulary, has_vocabulary, read_vocabulary
from thanosql.models.families.imports import transformers
from thanosql.models.families.log_mel_ctc import granite_features
from thanosql.models.families.log_mel_ctc.geometry import encoder, geometry
from thanosql.models.json_file import read_json
from thanosql.models.text import NORMALIZER_FILE, Normalizer
from thanosql.models.weights import tensor_shapes

DRAWN = ("masked_spec_embed",)  # what training alone uses, and a checkpoint may lack
OF_TOKENIZER = frozenset(hub.SMALL) - {"config.json", "preprocessor_config.json", NORMALIZER_FILE}


# Nothing that a reader could do anything about: LASR's convolutions are of 32 frames.
warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths", UserWarning)


def load_model(folder: Path, *, vocabulary: Vocabulary | None = None, new_head: bool = False) -> Any:
    """The model, in evaluation mode, in float32.

    With a `vocabulary` its head is made for it (`ctc.head.fitted`). With `new_head`, one that was only pretrained and has a
    vocabulary gets a head for that. Raises ThanoSQLModelError for whatever is missing or does not fit.
    """
    import torch

    config = read_json(folder / "config.json")
    shapes = tensor_shapes(folder)
    for part in (config, encoder(config)):
        check_sizes(part, shapes, folder)
    if not shapes:
        raise ThanoSQLModelError(
            f"{folder} has no model.safetensors, the only weight format read for this type of model."
        )
    known = geometry(config, folder)
    trained = any(name.startswith((*HEADS, known.tied_head) if known.tied_head else HEADS) for name in shapes)
    old = read_vocabulary(folder) if has_vocabulary(folder) else None
    wanted = vocabulary or (old if new_head and not trained else None)
    if not trained and wanted is None:
        raise ThanoSQLModelError(
            f"{folder} is a pretrained model without a CTC head: it cannot transcribe yet.",
            hint="Train it first: BUILD MODEL name USING it.",
        )
    sizes = {} if trained or wanted is None else {"vocab_size": len(wanted.tokens), "pad_token_id": wanted.blank}
    model_class = getattr(transformers(), known.model_class, None)
    if model_class is None:
        raise ThanoSQLModelError(
            f"This transformers has no {known.model_class}, which {folder.name} is.",
            hint="Take a newer one: pip install -U transformers.",
        )
    try:
        with confinement.pinned_folder(folder) as place:
            model, loaded = model_class.from_pretrained(
                place,
                # Not the configuration's: one that names a repository there would have its code fetched and run.
                attn_implementation="sdpa" if model_class._supports_sdpa else "eager",
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                **sizes,
            )
    except ThanoSQLModelError:
        raise
    except Exception as error:  # transformers raises whatever its own reading of the files raises
        raise ThanoSQLModelError(f"{folder} is damaged: {str(error)[:300]}") from error
    missing = [
        name
        for name in map(str, (*loaded["missing_keys"], *loaded["mismatched_keys"]))
        if not name.endswith(DRAWN) and (trained or not name.startswith(HEADS))
    ]
    if missing:
        raise ThanoSQLModelError(
            f"The weights in {folder} are incomplete or do not fit its config.json: {', '.join(sorted(missing)[:3])}."
        )
    if wanted is not None:
        _put_head(model, old if trained else None, wanted, folder)
    return model.eval()


def read_extractor(folder: Path) -> Any:
    """What makes log-mel frames of a waveform. Raises ThanoSQLModelError when it wants another sampling rate."""
    extractor: Any = granite_features.read(folder)
    try:
        with confinement.pinned_folder(folder) as place:
            extractor = extractor or transformers().AutoFeatureExtractor.from_pretrained(
                place,
                local_files_only=True,
                trust_remote_code=False,  # else it asks whoever sits there whether to run code of the folder
            )
    except ThanoSQLModelError:
        raise
    except ImportError as error:  # transformers before 5.23 computes Parakeet's features by librosa
        wanted = " ".join(str(error).split()).partition(". ")[0][:200]
        raise ThanoSQLModelError(
            f"This transformers cannot compute the features that {folder.name} hears: {wanted}.",
            hint="Take a newer one (pip install -U transformers), or install what it asks for.",
        ) from error
    except Exception as error:  # as above
        if "trust_remote_code" in str(error):
            raise ThanoSQLModelError(
                f"{folder} computes its features by code of its own, and such code is never run.",
                hint="Take a checkpoint whose features transformers computes by itself.",
            ) from error
        raise ThanoSQLModelError(f"{folder} is damaged: {str(error)[:300]}") from error
    if extractor.sampling_rate != SAMPLING_RATE:
        raise ThanoSQLModelError(
            f"{folder} needs audio at {extractor.sampling_rate} Hz; models of this kind take {SAMPLING_RATE} Hz."
        )
    return extractor


def head_of(model: Any) -> Any:
    """The CTC head: Parakeet's and LASR's a convolution over one frame, the others' a linear layer."""
    return model.ctc_head if hasattr(model, "ctc_head") else model.lm_head


def save(
    folder: Path, model: Any, base: Path, vocabulary: Vocabulary, normalizer: Normalizer, extractor: Any, *, kept: bool
) -> None:
    """Leave a folder that transformers reads as it is; weights as safetensors.

    The tokenizer's files are those of `base` where its vocabulary was `kept`. Raises ThanoSQLModelError when it cannot be
    written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    model.config.architectures = [type(model).__name__]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tied = getattr(model, "_tied_weights_keys", None) or {}
        weights = {
            name: value.detach().cpu().contiguous() for name, value in model.state_dict().items() if name not in tied
        }
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(model.config.to_json_string(), encoding="utf-8")
        if kept:
            place = vocabulary_folder(base) or base
            for name in OF_TOKENIZER:
                if (place / name).is_file():
                    checkpoint_files.copy_file(place / name, folder / name)
        else:
            vocabulary.write(folder)
        extractor.save_pretrained(folder)
        normalizer.write(folder)
    except (OSError, SafetensorError) as error:
        raise ThanoSQLModelError(f"The model cannot be written to {folder}: {error}") from error


def _put_head(model: Any, old: Vocabulary | None, vocabulary: Vocabulary, folder: Path) -> None:
    """Put a head for a vocabulary in the place of the model's own, whose vocabulary is `old`; None where it has none."""
    import torch

    head = head_of(model)
    width, spread = head.weight.shape[1], float(encoder_value(model.config, "initializer_range", 0.02))
    own = (head.weight.detach().flatten(1), head.bias.detach()) if old is not None else None
    if own is not None and old is not None and len(own[0]) != len(old.tokens):
        raise ThanoSQLModelError(f"{folder}: the vocabulary and the model's head differ in size.")
    weight, bias = heads.fitted(own, width, spread, old, vocabulary)
    head.weight = torch.nn.Parameter(weight.reshape(len(weight), *head.weight.shape[1:]))
    head.bias = torch.nn.Parameter(bias)
    for size in ("out_features", "out_channels"):
        if hasattr(head, size):
            setattr(head, size, len(weight))
    model.config.vocab_size, model.config.pad_token_id = len(weight), vocabulary.blank
    if isinstance(getattr(model.config, "bos_token_id", None), int):
        model.config.bos_token_id, model.config.eos_token_id = (
            None if token is None else vocabulary.ids.get(token) for token in (vocabulary.bos, vocabulary.eos)
        )


def encoder_value(config: Any, name: str, default: Any) -> Any:
    """A value of the encoder's configuration, which may stand in one of its own."""
    inner = getattr(config, "encoder_config", None)
    for place in (inner, config):
        found = place.get(name) if isinstance(place, Mapping) else getattr(place, name, None)
        if found is not None:
            return found
    return default
