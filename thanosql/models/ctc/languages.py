"""A checkpoint's folder in, the languages that it has vocabularies and adapters of out (MMS; Pratap et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files, hub
from thanosql.models.ctc.tokenizer_files import (
    VOCABULARY_FILE,
    adapter_file,
    adapter_name,
    holds_languages,
    read_settings,
    unknown_language,
    vocabulary_folder,
)
from thanosql.models.json_file import read_json


@dataclass(frozen=True)
class Languages:
    """`codes` are those of the vocabularies, `own` the one that the tokenizer is set to."""

    folder: Path
    codes: tuple[str, ...]
    own: str | None

    def check(self, language: str, *, fetched: bool) -> None:
        """Raise ThanoSQLModelError for a language that there is no vocabulary of, or, unless its weights can still be
        `fetched`, no weights."""
        if language not in self.codes:
            raise unknown_language(language, self.codes, self.folder.name)
        if language != self.own and not fetched and adapter_file(self.folder, language) is None:
            raise no_adapter(self.folder, language)


def open(checkpoint: str, language: str | None) -> checkpoint_files.Checkpoint:
    """The files of a checkpoint with the adapter of a language, which is fetched where the others come from the hub.

    Raises as `checkpoint_files.open`, and ThanoSQLModelError for a language that the checkpoint does not have.
    """
    found = checkpoint_files.open(checkpoint)
    if language is None or found.revision is None or adapter_file(found.folder, language) is not None:
        return found
    known = read_languages(found.folder)
    name = adapter_name(language)
    if known is not None and name is not None and language != known.own:
        known.check(language, fetched=True)
        hub.fetch_more(checkpoint, found.folder, name)
    return found


def read_languages(folder: Path) -> Languages | None:
    """The languages of a checkpoint; None for a checkpoint of one. Raises ThanoSQLModelError for damaged files."""
    place = vocabulary_folder(folder)
    if place is None or not (place / VOCABULARY_FILE).is_file():
        return None
    content = read_json(place / VOCABULARY_FILE)
    if not holds_languages(content):
        return None
    own = read_settings(folder).get("target_lang")
    return Languages(folder, tuple(sorted(content)), own if isinstance(own, str) else None)


def adapter_files(folder: Path) -> list[Path]:
    """The weights of languages in a folder, of whichever there are."""
    return sorted(folder.glob("adapter.*.safetensors"))


def no_adapter(folder: Path, language: str) -> ThanoSQLModelError:
    """That the weights of a language are not in the folder."""
    there = [path.name.split(".")[1] for path in adapter_files(folder)]
    hint = f"Put {adapter_name(language)} into the folder; you find it where the model was published."
    if there:
        hint += f" Languages whose adapters are there: {', '.join(there[:20])}."
    return ThanoSQLModelError(f"{folder.name} has no adapter of the language {language!r}.", hint=hint)
