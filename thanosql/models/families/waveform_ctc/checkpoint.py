"""A folder in, a CTC model that hears raw waveforms and what belongs to it out; and back into a folder.

The folders are Hugging Face's own layout.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.config_sizes import check_sizes
from thanosql.models.ctc import head
from thanosql.models.ctc.languages import no_adapter
from thanosql.models.ctc.tokenizer_files import adapter_file, read_settings, vocabulary_folder
from thanosql.models.ctc.vocabulary import Vocabulary, has_vocabulary, read_vocabulary
from thanosql.models.families.imports import transformers
from thanosql.models.families.waveform_ctc.architectures import Architecture, architecture_of
from thanosql.models.json_file import read_json
from thanosql.models.text import Normalizer
from thanosql.models.weights import read_file, read_weights, tensor_shapes

if TYPE_CHECKING:
    import torch
# What a pretraining checkpoint holds beside the encoder.
LEFT_OUT = ("quantizer.", "project_q.", "project_hid.")
SPEC_EMBED = "masked_spec_embed"
ADAPTER = ".adapter_layer."
HEAD_WEIGHT, HEAD_BIAS = "lm_head.weight", "lm_head.bias"


@dataclass(frozen=True)
class Features:
    """How a waveform is prepared: `do_normalize` brings each to mean 0 and variance 1."""

    do_normalize: bool = True
    return_attention_mask: bool = False
    sampling_rate: int = SAMPLING_RATE
    padding_value: float = 0.0


def read_architecture(folder: Path) -> Architecture:
    """What type of model a folder holds. Raises ThanoSQLModelError for one that is none of this family."""
    return architecture_of(read_json(folder / "config.json"), str(folder))


def read_config(folder: Path) -> Any:
    """The configuration, as transformers has it. Raises ThanoSQLModelError when it is missing, damaged, or another family's."""
    content = read_json(folder / "config.json")
    architecture = architecture_of(content, str(folder))
    check_sizes(content, tensor_shapes(folder), folder)
    try:
        config = getattr(transformers(), architecture.config_class).from_dict(content)
    except Exception as error:  # transformers validates with whatever exception its field checks raise
        raise ThanoSQLModelError(f"{folder / 'config.json'} is damaged: {error}") from error
    model_class = getattr(transformers(), architecture.model_class)
    config._attn_implementation = "sdpa" if model_class._supports_sdpa else "eager"
    return config


def read_features(folder: Path) -> Features:
    """How the folder's model wants its audio. Raises ThanoSQLModelError when it wants another sampling rate."""
    path = next((path for path in _feature_files(folder) if path.is_file()), None)
    content = read_json(path) if path else {}
    if path is not None and path.name == "processor_config.json":
        content = content.get("feature_extractor") or {}
    padding = content.get("padding_value", 0.0) if isinstance(content, dict) else None
    if not isinstance(padding, (int, float)):
        raise ThanoSQLModelError(f"{path} is damaged: it must be the settings of a feature extractor.")
    rate = content.get("sampling_rate", SAMPLING_RATE)
    if rate != SAMPLING_RATE:
        raise ThanoSQLModelError(f"{folder} needs audio at {rate} Hz; models of this kind take {SAMPLING_RATE} Hz.")
    return Features(
        do_normalize=bool(content.get("do_normalize", True)),
        return_attention_mask=bool(content.get("return_attention_mask", False)),
        padding_value=float(padding),
    )


def _feature_files(folder: Path) -> tuple[Path, ...]:
    # Of a step of a Trainer, what is not beside its weights stands where its vocabulary is.
    places = dict.fromkeys((folder, vocabulary_folder(folder) or folder))
    return tuple(place / name for place in places for name in ("preprocessor_config.json", "processor_config.json"))


def load_model(
    folder: Path,
    *,
    language: str | None = None,
    vocabulary: Vocabulary | None = None,
    new_head: bool = False,
) -> Any:
    """The model, in evaluation mode, its weights in float32, with the adapters and the head of `language` or the one that
    the folder is set to, where it has those of several.

    With a `vocabulary` the head is made for it (`head.fitted`); so a checkpoint that was only pretrained gets its head.
    With `new_head`, one that was only pretrained and has a vocabulary gets a head for that. Without either, a folder that has
    no head is refused. A trained head is kept, or refused where nothing says what its rows stand for.
    Raises ThanoSQLModelError for whatever is missing or does not fit.
    """
    import torch

    config = read_config(folder)
    architecture = read_architecture(folder)
    model_class = getattr(transformers(), architecture.model_class)
    prefix = f"{model_class.base_model_prefix}."
    weights = {name: value.to(torch.float32) for name, value in _weights(folder, prefix, language).items()}
    if HEAD_WEIGHT in weights and adapter_file(folder, language) is not None:
        config.vocab_size = len(weights[HEAD_WEIGHT])
    old = read_vocabulary(folder, language) if has_vocabulary(folder) and (new_head or vocabulary is not None) else None
    if vocabulary is None and new_head and HEAD_WEIGHT not in weights:
        vocabulary = old
    if vocabulary is not None:
        _check_head(weights, old, folder)
        weights.update(_fitted_head(weights, config, old, vocabulary))
        config.vocab_size = len(vocabulary.tokens)
        config.pad_token_id = vocabulary.blank
        config.bos_token_id, config.eos_token_id = (
            None if token is None else vocabulary.ids.get(token) for token in (vocabulary.bos, vocabulary.eos)
        )
    elif HEAD_WEIGHT not in weights:
        made = [str(name) for name in config.architectures or [] if str(name).startswith(architecture.name)]
        what = f" ({made[0][:80]})" if made else ""
        raise ThanoSQLModelError(
            f"{folder} is a pretrained model{what} without a CTC head: it cannot transcribe yet.",
            hint="Train it first: BUILD MODEL name USING it.",
        )
    try:
        # Weights are assigned, not copied over random ones: nothing is drawn, and the file's pages serve as they are.
        with torch.device("meta"):
            model = model_class(config)
    except (ValueError, TypeError, KeyError, RuntimeError, ArithmeticError) as error:
        raise ThanoSQLModelError(f"{folder / 'config.json'} does not describe a valid model: {error}") from error
    spec_embed = prefix + SPEC_EMBED
    if spec_embed in model.state_dict() and spec_embed not in weights:
        weights[spec_embed] = torch.rand(config.hidden_size, generator=torch.Generator().manual_seed(0))
    try:
        missing, _ = model.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        raise ThanoSQLModelError(f"The weights in {folder} do not fit its config.json: {error}") from error
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise ThanoSQLModelError(f"The weights in {folder} are incomplete: {shown}.")
    _fill_what_is_computed(model)
    model.config.architectures = [model_class.__name__]
    return model.eval()


def save(
    folder: Path,
    model: Any,
    vocabulary: Vocabulary,
    normalizer: Normalizer,
    features: Features,
    *,
    language: str | None = None,
) -> None:
    """Leave a folder that transformers and its Wav2Vec2Processor read as it is; weights as safetensors.

    With a `language` the weights are its adapters and head alone, in the file that transformers' `load_adapter` reads.
    Raises ThanoSQLModelError when it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    model.config.architectures = [type(model).__name__]
    model.config.dtype = next(model.parameters()).dtype
    features_of_hub = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "padding_side": "right"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = "model.safetensors" if language is None else f"adapter.{language}.safetensors"
        weights = {
            name: value.detach().cpu().contiguous()
            for name, value in model.state_dict().items()
            if language is None or is_of_language(name)
        }
        save_file(weights, folder / file, metadata={"format": "pt"})
        (folder / "config.json").write_text(model.config.to_json_string(), encoding="utf-8")
        (folder / "preprocessor_config.json").write_text(
            json.dumps(features_of_hub | asdict(features), indent=2) + "\n", encoding="utf-8"
        )
        vocabulary.write(folder, language)
        normalizer.write(folder)
    except (OSError, SafetensorError) as error:
        raise ThanoSQLModelError(f"The model cannot be written to {folder}: {error}") from error


def is_of_language(name: str) -> bool:
    """Whether a weight is one of those that each language has of its own: of an adapter, or of the head."""
    return ADAPTER in name or name.startswith("lm_head.")


def _fitted_head(
    weights: dict[str, torch.Tensor], config: Any, old: Vocabulary | None, vocabulary: Vocabulary
) -> dict[str, torch.Tensor]:
    own = (weights[HEAD_WEIGHT], weights[HEAD_BIAS]) if HEAD_WEIGHT in weights else None
    width = config.output_hidden_size if getattr(config, "add_adapter", False) else config.hidden_size
    weight, bias = head.fitted(own, width, config.initializer_range, old, vocabulary)
    dtype = next(iter(weights.values())).dtype
    return {HEAD_WEIGHT: weight.to(dtype), HEAD_BIAS: bias.to(dtype)}


def _check_head(weights: dict[str, torch.Tensor], old: Vocabulary | None, folder: Path) -> None:
    """Refuse to put a new head in the place of a trained one of which nobody knows what it hears."""
    rows = len(weights[HEAD_WEIGHT]) if HEAD_WEIGHT in weights else 0
    if rows and (old is None or len(old.tokens) != rows):
        known = "its vocabulary is not there" if old is None else f"its vocabulary has {len(old.tokens):,}"
        raise ThanoSQLModelError(
            f"{folder} has a trained head of {rows:,} tokens, and {known}: a new head would lose what it has learned.",
            hint="Copy its own vocab.json and tokenizer_config.json into the folder, or start from the pretrained model.",
        )


def _fill_what_is_computed(model: Any) -> None:
    """Make the tables again that no file holds (Wav2Vec2-Conformer's positions): on the meta device they are empty."""
    for name, module in list(model.named_modules()):
        if any(buffer is not None and buffer.is_meta for buffer in module._buffers.values()):
            model.set_submodule(name, type(module)(model.config))


def _weights(folder: Path, prefix: str, language: str | None) -> dict[str, torch.Tensor]:
    """All tensors of a folder under the names of the CTC model, whose encoder's begin with `prefix`; those of a language in
    the place of the ones that the folder has in all."""
    found = read_weights(folder)
    adapter = adapter_file(folder, language)
    if adapter is not None:
        of_language = read_file(adapter)
        # What it lacks would stay the other language's.
        lacking = [name for name in found if is_of_language(name) and name not in of_language]
        if lacking:
            raise ThanoSQLModelError(f"{adapter} is incomplete: it lacks {', '.join(lacking[:3])}.")
        found.update(of_language)
    elif language is not None and language != read_settings(folder).get("target_lang"):
        raise no_adapter(folder, language)
    # The encoder alone (a Wav2Vec2Model saved as such) lacks the prefix that it has inside a CTC model.
    prefix = "" if any(name.startswith(prefix) for name in found) else prefix
    renamed = {}
    for name, value in found.items():
        if name.startswith(LEFT_OUT):
            continue
        name = name if name.startswith("lm_head.") else prefix + name
        for old, new in (("conv.weight_g", "original0"), ("conv.weight_v", "original1")):
            if name.endswith(old):
                name = name.removesuffix(old) + f"conv.parametrizations.weight.{new}"
        renamed[name] = value
    return renamed
