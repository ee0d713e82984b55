"""A statement's model and options in; what a table says of each prediction's origin out.

`my_model@3 6f1d0c2ab94e7a35-1c9a…` is the model and its version, a fingerprint of the model's content and of the options
that change a result, and what `models.audio.origins` says of the row's audio. The same is said on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.engine.prediction import cache_key
from thanosql.engine.prediction.language_models import language_identity
from thanosql.models import checkpoint_files
from thanosql.models.model_content import content_of

if TYPE_CHECKING:
    from thanosql.engine.rows.bound_statement import BoundStatement
    from thanosql.models.ctc.ngram import NGram
    from thanosql.models.model import Model

NOWHERE = "none"  # in place of the audio's fingerprint: there is no audio


@dataclass(frozen=True)
class Provenance:
    """Who says a row's text: `label` is the model and its version, `recipe` the fingerprint of model and options."""

    label: str
    recipe: str

    @property
    def beginning(self) -> str:
        """What every prediction of this model and these options begins with, made by a model of this name."""
        return f"{self.label} {self.recipe}"

    def of(self, audio: str) -> str:
        """What stands beside a prediction of an audio of that fingerprint.

        >>> Provenance("mine@3", "6f1d").of("1c9a")
        'mine@3 6f1d-1c9a'
        """
        return f"{self.beginning}-{audio or NOWHERE}"

    @property
    def ending(self) -> str:
        """What every prediction of this model and these options ends with, up to the audio's fingerprint."""
        return f" {self.recipe}-"

    def is_of(self, written: str) -> bool:
        """Whether a prediction is of this model and these options, whatever the model was called then.

        >>> Provenance("new@1", "6f1d").is_of("old@3 6f1d-1c9a"), Provenance("new@1", "6f1d").is_of("new@1 aaaa-1c9a")
        (True, False)
        """
        return self.ending in written


def provenance_of(about: BoundStatement, language: Path | NGram | None, *, fetches: bool = True) -> Provenance:
    """What the statement's predictions are made with. A model of the hub that is not here yet is fetched; where it is not
    to be, nothing that is there was made with it.

    Raises what opening the model raises.
    """
    model, options = about.model, about.options
    content = content_of(model)
    if content is None and fetches:
        checkpoint_files.open(model.checkpoint)
        content = content_of(model)
    recipe = cache_key.result_fingerprint(
        model.family, content or model.key, options, about.how, more=[options.level, *language_identity(language)]
    )
    return Provenance(label_of(model), recipe)


def label_of(model: Model) -> str:
    """A model's name with its version, if it has one; a folder's last name.

    >>> from thanosql.models.model import Model
    >>> label_of(Model("mine", "/m/mine/3", "wav2vec2", "Wav2Vec2Tiny", 3)), label_of(Model("/m/old", "/m/old", "", ""))
    ('mine@3', 'old')
    """
    if model.version is not None:
        return f"{model.name}@{model.version}"
    return Path(model.name).name if Path(model.name).is_absolute() else model.name
