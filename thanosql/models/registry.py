"""A model's name in, what it is and where its files are out; neither torch nor transformers is imported for that.

A family is a package, found by the `model_type` in a checkpoint's config.json and imported on first use. A new one is
one folder and one line in FAMILIES.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from thanosql.errors import ThanoSQLModelError, did_you_mean
from thanosql.models import checkpoint_files, hub, other_types, store_errors
from thanosql.models.base import Capability
from thanosql.models.bases import BASES
from thanosql.models.json_file import each_once
from thanosql.models.model import Model

if TYPE_CHECKING:
    from thanosql.config import Settings
    from thanosql.models.base import AdapterFamily, CTCRecognizer, Facts, Family, Recognizer, TrainableFamily
    from thanosql.models.store import Store
    from thanosql.models.text import Normalizer

WAVEFORM_CTC = "thanosql.models.families.waveform_ctc"
LOG_MEL_CTC = "thanosql.models.families.log_mel_ctc"
FAMILIES = {  # by model_type
    "wav2vec2": WAVEFORM_CTC,
    "hubert": WAVEFORM_CTC,
    "wavlm": WAVEFORM_CTC,
    "data2vec-audio": WAVEFORM_CTC,
    "unispeech": WAVEFORM_CTC,
    "unispeech-sat": WAVEFORM_CTC,
    "sew": WAVEFORM_CTC,
    "sew-d": WAVEFORM_CTC,
    "wav2vec2-conformer": WAVEFORM_CTC,
    "parakeet_ctc": LOG_MEL_CTC,
    "lasr_ctc": LOG_MEL_CTC,
    "granite_speech5_ctc": LOG_MEL_CTC,
    "wav2vec2-bert": LOG_MEL_CTC,
}

LOOKS = 20  # at a model that is replaced again and again while it is looked at

# What a statement needs, and what is said of a model without it.
NEEDS = {
    Capability.CTC: ("a CTC model", "which gives no probabilities of frames"),
    Capability.TRAINING: ("a model that can be trained", "which ThanoSQL can only transcribe with"),
    Capability.ADAPTERS: ("a model with adapters", "which has none"),
}


def resolve(text: str, literal: bool, store: Store, settings: Settings) -> Model:
    """The model that follows USING: in the store, a base, or (`literal`, in quotes) a folder or hub id.

    A model of the store stands before a base of the same name. Raises ThanoSQLModelError when there is none, with the
    closest name there is, and for a model of no family that is known.
    """
    if literal:
        named = text in BASES or text in settings.base_models or store.exists(text)
        if named and not os.path.exists(text):
            raise ThanoSQLModelError(
                f"'{text}' in quotes means a folder or a hub id, and there is none of that name.",
                hint=f"Name a model without quotes: USING {text}.",
            )
        return _literal(text, settings)
    if (stored := _stored(text, store)) is not None:
        return stored
    if text in BASES or text in settings.base_models:
        checkpoint = checkpoint_of(text, settings)
        declared = next((base.family for base in BASES.values() if base.checkpoint == checkpoint), "")
        return Model(text, checkpoint, _model_type(checkpoint, declared), text, key=_key(checkpoint))
    known = {*BASES, *settings.base_models, *store.names()}
    kind = other_types.meant(text)
    other = f" {kind} models have no CTC head, and ThanoSQL cannot use them." if kind is not None else ""
    raise ThanoSQLModelError(
        f"There is no model or base {shortened(text)}.{other}", hint=did_you_mean(text[:100], known)
    )


def _stored(name: str, store: Store) -> Model | None:
    """A model of the store, as it is at one moment: where it is replaced meanwhile it is looked for again."""
    for _ in range(LOOKS):
        if not store.exists(name):
            return None
        state = store.home(name).state()
        try:
            stored = store.get(name)
            store.fetch(stored)
            kind = _checked(checkpoint_files.model_type(stored.folder), name)
        except ThanoSQLModelError as error:
            fault = error
        else:
            # A version of an older ThanoSQL has no content on its card.
            key = f"{stored.folder}@{stored.version}@{stored.card.get('content') or stored.card.get('created', '')}"
            base = str(stored.card.get("base", ""))
            return Model(name, str(stored.folder), kind, base, stored.version, stored.card, key)
        if store.home(name).state() == state:
            break
    raise fault


def checkpoint_of(name: str, settings: Settings) -> str:
    """The folder or hub id after a base's name: the configuration may name another, or another base."""
    named = settings.base_models.get(name) or name
    return BASES[named].checkpoint if named in BASES else named


def train_defaults(model: Model) -> Mapping[str, Any]:
    """Defaults of training that the model's base declares above the options' own."""
    base = BASES.get(model.base)
    return base.train_defaults if base else {}


def check_new_name(name: str, store: Store, settings: Settings, *, overwrite: bool) -> None:
    """Refuse, before anything is trained or copied, a name that a model cannot be saved under. Raises ThanoSQLModelError.

    A base's name is one: whatever names the base would mean the new model from then on. GET gives a base that name.
    """
    store.check_new_name(name, overwrite=overwrite)
    if (name in BASES or name in settings.base_models) and not store.exists(name):
        raise ThanoSQLModelError(
            f"{name} is the name of a base model, which the new model would hide.", hint="Choose another name."
        )


@contextmanager
def reading(model: Model) -> Iterator[None]:
    """What is read of a model within: where it has been replaced or dropped meanwhile, that is said, and nothing else.

    Raises ThanoSQLModelError.
    """
    with using(model):
        yield
    _refuse_gone(model)  # some of what is not there has a default


@contextmanager
def using(model: Model) -> Iterator[None]:
    """The same of work that reads the model first, and ends well if it is replaced afterwards."""
    before = _folder_now(model)
    try:
        yield
    except (ThanoSQLModelError, FileNotFoundError) as error:
        # A model made after this one was dropped may lie in its place by now.
        if _folder_now(model) != before:
            _refuse_gone(model, error, gone=True)
        _refuse_gone(model, error)
        raise


def _folder_now(model: Model) -> tuple[int, int] | None:
    """What tells a model's folder from another one in its place; None where there is none."""
    try:
        now = os.stat(model.checkpoint)
    except (OSError, ValueError):
        return None
    return now.st_ino, now.st_ctime_ns


def _refuse_gone(model: Model, cause: Exception | None = None, *, gone: bool = False) -> None:
    if model.version is not None and (gone or not Path(model.checkpoint).is_dir()):
        raise store_errors.gone(model.name, model.version) from cause


def normalizer(model: Model) -> Normalizer:
    """What is done to texts before the model is measured against them."""
    with reading(model):
        if model.language is not None:
            return adapter_family_of(model).normalizer(model.checkpoint, model.language)
        return family_of(model).normalizer(model.checkpoint)


def facts(model: Model) -> Facts | None:
    """What can be said of a model without loading it; None when its files are not on this machine."""
    if not model.family and checkpoint_files.local_or_cached(model.checkpoint) is None:
        return None
    with reading(model):
        if model.language is not None:
            return adapter_family_of(model).facts(model.checkpoint, model.language)
        return family_of(model).facts(model.checkpoint)


def import_checkpoint(checkpoint: str, folder: Path) -> tuple[str, str | None]:
    """Put a checkpoint's files into `folder`, checked by its family; its model_type, and the hub's commit or None."""
    source = checkpoint_files.open(checkpoint)
    with each_once():
        kind = _checked(checkpoint_files.model_type(source.folder), checkpoint)
        family(kind).import_checkpoint(str(source.folder), folder)
    return kind, source.revision


def require(model: Model, capability: Capability, what: str) -> None:
    """Refuse `what` (a statement, an option) for a model that cannot do what it needs. Raises ThanoSQLModelError.

    A hub id of which nothing is known yet passes: nothing is fetched for the question, and who opens it asks again.
    """
    if model.family:
        _require(model.family, model.name, capability, what)


def _require(kind: str, name: str, capability: Capability, what: str) -> None:
    if capability not in family(kind).capabilities:
        needed, lacking = NEEDS[capability]
        raise ThanoSQLModelError(f"{what} needs {needed}; {shortened(name)} is a {kind} model, {lacking}.")


def model_type(model: Model) -> str:
    """What the model is: its own word for it, or, of a hub id, that of its files, which are fetched for it."""
    return model.family or _checked(
        checkpoint_files.model_type(checkpoint_files.open(model.checkpoint).folder), model.checkpoint
    )


def family_of(model: Model) -> Family:
    """The family of a model. Raises ThanoSQLModelError for one that is not known."""
    return family(model_type(model))


def adapter_family_of(model: Model) -> AdapterFamily:
    """The family of a model that has a language. Raises ThanoSQLModelError for one without adapters."""
    kind = model_type(model)
    _require(kind, model.name, Capability.ADAPTERS, "language")
    return cast("AdapterFamily", family(kind))


def trainable_family_of(model: Model, what: str) -> TrainableFamily:
    """The family of a model that `what` (a statement) trains. Raises ThanoSQLModelError for one that cannot be trained."""
    kind = model_type(model)
    _require(kind, model.name, Capability.TRAINING, what)
    return cast("TrainableFamily", family(kind))


def ctc_recognizer(model: Model, recognizer: Recognizer, what: str) -> CTCRecognizer:
    """A model's recognizer as `what` (a statement, an option) needs it. Raises ThanoSQLModelError for one without CTC."""
    _require(model_type(model), model.name, Capability.CTC, what)
    return cast("CTCRecognizer", recognizer)


def family(model_type: str) -> Family:
    """The package of a model_type, imported now. Raises ThanoSQLModelError for one that is not known."""
    if model_type not in FAMILIES:
        raise ThanoSQLModelError(f"There is no family of models {model_type!r}.", hint=_known())
    return cast("Family", importlib.import_module(FAMILIES[model_type]))


def shortened(text: str, most: int = 200) -> str:
    """A name as a message shows it, whatever was given for one."""
    return text if len(text) <= most else f"{text[: most - 1]}… ({len(text):,} characters)"


def _literal(text: str, settings: Settings) -> Model:
    if not text.strip():
        raise ThanoSQLModelError("The model's name is empty.")
    if not hub.is_id(text):
        checkpoint_files.refuse_outside(Path(text[: checkpoint_files.LONGEST]).expanduser(), settings)
    folder = checkpoint_files.local(text)
    if folder is not None:
        checkpoint_files.refuse_outside(folder, settings)
        checkpoint_files.check_config(folder)
    return Model(text, text, _model_type(text), text, key=_key(text))


def _model_type(checkpoint: str, declared: str = "") -> str:
    """The model_type of a folder that is here; for anything else what is declared of it."""
    folder = checkpoint_files.local(checkpoint)
    if folder is None or not (folder / checkpoint_files.CONFIG_FILE).is_file():
        return declared
    return _checked(checkpoint_files.model_type(folder), checkpoint)


def _checked(kind: str, checkpoint: str) -> str:
    if kind not in FAMILIES:
        said, hint = other_types.told(shortened(checkpoint), shortened(kind, 40), ", ".join(sorted(FAMILIES)))
        raise ThanoSQLModelError(said, hint=hint)
    return kind


def _known() -> str:
    return f"Supported types: {', '.join(sorted(FAMILIES))}."


def _key(checkpoint: str) -> str:
    """The identity of a checkpoint's state: a folder's changes when its files do, a hub id's is the id."""
    folder = checkpoint_files.local(checkpoint)
    return checkpoint if folder is None else checkpoint_files.state(folder)
