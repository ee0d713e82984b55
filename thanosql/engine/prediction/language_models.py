"""What the options say of decoding → the language model for it as data: a file's path, or n-grams of a query's texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import SQL, Text
from thanosql.engine.planner import Environment
from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models.audio.info import shown

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot
    from thanosql.models.ctc.ngram import NGram
    from thanosql.models.model import Model
    from thanosql.models.options import DecodeOptions

OF_BEAM = ("beam_width", "hotword_weight", "lm_weight", "word_bonus")  # which greedy decoding does not look at
NUMBERS = ("smallint", "integer", "bigint", "real", "double precision", "numeric")


def refuse_idle_guidance(options: DecodeOptions) -> None:
    """Raise ThanoSQLOptionError for options that would change nothing, or contradict each other."""
    guiding = [name for name in ("hotwords", "lm", "lm_query") if getattr(options, name)]
    idle = guiding + [name for name in OF_BEAM if getattr(options, name) != getattr(type(options)(), name)]
    if idle and options.decoder != "beam":
        raise ThanoSQLOptionError(f"The option '{idle[0]}' needs decoder='beam'.", hint="Add decoder='beam'.")
    if options.lm_closed and not guiding:
        raise ThanoSQLOptionError(
            "lm_closed needs a list of words.", hint="Name a language model (lm, lm_query), or hotwords."
        )
    if options.lm is not None and options.lm_query is not None:
        raise ThanoSQLOptionError("Both lm and lm_query are given.", hint="Keep one of them.")


def check_language_model(options: DecodeOptions, environment: Environment) -> None:
    """Raise, before any work, for a file that is not there (ThanoSQLModelError) and a query of other columns than texts and
    counts (ThanoSQLDataError)."""
    if options.lm is not None:
        _located(options.lm, environment)
    if options.lm_query is not None:
        environment.temporary.beside.append(_sql(options.lm_query))
        _refuse_other_columns(environment.database.describe(_sql(options.lm_query)))


def language_model(options: DecodeOptions, model: Model, environment: Environment) -> Path | NGram | None:
    """What `lm` or `lm_query` names, as data: the file, or the n-grams of the query's texts, normalized as the model's are;
    None where neither does.

    Raises ThanoSQLModelError for a query without words, ThanoSQLDataError for one of other columns.
    """
    if options.lm is not None:
        return _located(options.lm, environment)
    if options.lm_query is None:
        return None
    from thanosql.models import registry
    from thanosql.models.ctc.ngram import NGram

    normalize = registry.normalizer(model).normalize
    with environment.database.snapshot(_sql(options.lm_query)) as snapshot:
        _refuse_other_columns(snapshot.columns)
        return NGram.of_texts((normalize(text), count) for text, count in _texts(snapshot))


def language_identity(language: Path | NGram | None) -> tuple[object, ...]:
    """What tells the language model's content from another's: of a file its place, size and time of change."""
    if language is None:
        return ()
    if isinstance(language, Path):
        about = language.stat()
        return about.st_size, about.st_mtime_ns
    made = hashlib.blake2b("\0".join(language.words).encode(errors="surrogatepass"), digest_size=16)
    for table in language.tables:
        for values in (table.keys, table.logs, table.backoffs):
            made.update(values.tobytes())
    return (made.hexdigest(),)


def _located(path: str, environment: Environment) -> Path:
    """A relative path is looked for where audio is: in the working folder, then in the workspace."""
    if "://" in path:
        raise ThanoSQLModelError(
            f"{shown(path)} is an address; a language model is a file of this machine.",
            hint="Download it first, then name the file.",
        )
    settings = environment.settings
    written = Path(path).expanduser()
    candidates = [*(root / written for root in settings.audio_roots), written]
    within = [place for place in candidates if settings.may_read(place)]
    for place in within:
        if place.is_file():
            return place
    roots = ", ".join(map(str, settings.audio_roots))
    if not within:
        raise ThanoSQLModelError(
            f"{path} lies outside of the folders that may be read: {roots}.", hint="The setting audio_roots names them."
        )
    raise ThanoSQLModelError(f"There is no language model at {path}{'' if written.is_absolute() else f' in {roots}'}.")


def _sql(query: str) -> SQL:
    return SQL((Text(query, 0),), query)


def _refuse_other_columns(columns: Sequence[Column]) -> None:
    shape = [column.type for column in columns]
    counted = len(shape) == 2 and shape[1].startswith(NUMBERS)
    if not shape or not shape[0].startswith(("text", "character")) or len(shape) > 1 + counted:
        listed = ", ".join(f"{column.name} {column.type}" for column in columns) or "none"
        raise ThanoSQLDataError(
            "lm_query must give one column of texts, and may give a second with how often each was said.",
            hint=f"Its columns: {listed}.",
        )


def _texts(snapshot: Snapshot) -> Iterator[tuple[str, float]]:
    for _, text, *count in snapshot.stream(*snapshot.columns):
        if text is not None:
            yield text, float(count[0] or 0) if count else 1.0
