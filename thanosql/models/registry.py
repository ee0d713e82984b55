"""A model's name in, what it is and where its files are out; neither torch nor transformers is imported for that.

A family is a module, loaded on first use. A new one is one module and one line in FAMILIES.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from thanosql.errors import ThanoSQLModelError, did_you_mean

if TYPE_CHECKING:
    from thanosql.config import Settings
    from thanosql.models.base import Family
    from thanosql.models.store import Store
    from thanosql.models.text import Normalizer

FAMILIES = {"wav2vec2": "thanosql.models.families.wav2vec2"}
ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Base:
    """A base model: `checkpoint` is a hub id or a folder; `train_defaults` stand above the options' own defaults."""

    name: str
    checkpoint: str
    megabytes: float
    language: str
    train_defaults: Mapping[str, Any] = field(default_factory=dict)
    family: str = "wav2vec2"

    @property
    def size(self) -> str:
        """The size of its weights, to be read.

        >>> Base("a", "b/c", 1270, "Korean").size
        '1.27 GB'
        """
        return f"{self.megabytes / 1000:.2f} GB" if self.megabytes >= 1000 else f"{self.megabytes:.0f} MB"


BASES: Mapping[str, Base] = {
    base.name: base
    for base in (
        Base("Wav2Vec2En", "facebook/wav2vec2-base-960h", 378, "English"),
        Base("Wav2Vec2Ko", "kresnik/wav2vec2-large-xlsr-korean", 1270, "Korean"),
        Base(
            "Wav2Vec2Tiny",
            str(ASSETS / "Wav2Vec2Tiny"),
            5,
            "English",
            {"learning_rate": 2e-3, "freeze_feature_encoder": False},
        ),
        Base(
            "Wav2Vec2TinyKo",
            str(ASSETS / "Wav2Vec2TinyKo"),
            5,
            "Korean",
            {"learning_rate": 2e-3, "freeze_feature_encoder": False},
        ),
    )
}


@dataclass(frozen=True)
class Model:
    """What stands behind USING: `checkpoint` is a folder or hub id, `key` tells one state of it from any other."""

    name: str
    checkpoint: str
    family: str
    base: str
    version: int | None = None
    card: Mapping[str, Any] | None = None
    key: str = ""


def resolve(text: str, literal: bool, store: Store, settings: Settings) -> Model:
    """The model that stands behind USING: in the store, a base, or (`literal`, in quotes) a folder or hub id.

    A model of the store stands before a base of the same name. Raises ThanoSQLModelError when there is none, with the
    closest name there is.
    """
    if literal:
        return _literal(text)
    if store.exists(text):
        stored = store.get(text)
        family_name = str(stored.card.get("family", "wav2vec2"))
        key = f"{stored.folder}@{stored.version}@{stored.card.get('created', '')}"
        return Model(
            text, str(stored.folder), family_name, str(stored.card.get("base", "")), stored.version, stored.card, key
        )
    if text in BASES or text in settings.base_models:
        base = BASES.get(text)
        checkpoint = checkpoint_of(text, settings)
        return Model(text, checkpoint, base.family if base else "wav2vec2", text, key=_key(checkpoint))
    known = {*BASES, *settings.base_models, *store.names()}
    raise ThanoSQLModelError(f"There is no model or base {text}.", hint=did_you_mean(text, known))


def checkpoint_of(name: str, settings: Settings) -> str:
    """The folder or hub id behind a base's name: the configuration may name another, or another base."""
    named = settings.base_models.get(name) or name
    return BASES[named].checkpoint if named in BASES else named


def train_defaults(model: Model) -> Mapping[str, Any]:
    """Defaults of training that the model's base declares above the options' own."""
    base = BASES.get(model.base)
    return base.train_defaults if base else {}


def check_new_name(name: str, store: Store, *, overwrite: bool) -> None:
    """Refuse, before anything is trained, a name that a model cannot be saved under."""
    store.check_new_name(name, overwrite=overwrite)


def normalizer(model: Model) -> Normalizer:
    """What is done to texts before the model is measured against them."""
    return family(model.family).normalizer(model.checkpoint)


def family(name: str) -> Family:
    """The family's module, imported now. Raises ThanoSQLModelError for one that is not known."""
    if name not in FAMILIES:
        raise ThanoSQLModelError(f"There is no family of models {name!r}.", hint=did_you_mean(name, FAMILIES))
    return cast("Family", importlib.import_module(FAMILIES[name]))


def _literal(text: str) -> Model:
    if not text.strip():
        raise ThanoSQLModelError("The model's name is empty.")
    folder = Path(text).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ThanoSQLModelError(f"{text} has no config.json: it is not a folder of a Hugging Face model.")
    return Model(text, text, "wav2vec2", text, key=_key(text))


def _key(checkpoint: str) -> str:
    """The identity of a checkpoint's state: a folder's changes when its files do, a hub id's is the id."""
    folder = Path(checkpoint).expanduser()
    if not folder.is_dir():
        return checkpoint
    stamps = sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir())
    return f"{folder.resolve()}@{hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]}"
