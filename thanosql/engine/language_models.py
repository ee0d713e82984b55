"""What the options say of decoding → a language model for it, read from a file or made of a query's texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import SQL, Text
from thanosql.engine.planner import Environment
from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.ctc.arpa import LanguageModel
    from thanosql.models.options import DecodeOptions
    from thanosql.models.registry import Model

NUMBERS = ("smallint", "integer", "bigint", "real", "double precision", "numeric")


def refuse_idle_guidance(options: DecodeOptions) -> None:
    """Raise ThanoSQLOptionError for options that would change nothing, or contradict each other."""
    guiding = [name for name in ("hotwords", "lm", "lm_query") if getattr(options, name)]
    if guiding and options.decoder != "beam":
        raise ThanoSQLOptionError(f"The option '{guiding[0]}' guides a beam.", hint="Add decoder='beam'.")
    if options.lm is not None and options.lm_query is not None:
        raise ThanoSQLOptionError("lm and lm_query are given both.", hint="Keep one of them.")


def language_model(options: DecodeOptions, model: Model, environment: Environment) -> LanguageModel | None:
    """The language model that `lm` or `lm_query` names; None where neither does.

    The texts of a query are normalized as the recognizing model's are.

    Raises ThanoSQLModelError for a file that is missing or damaged, and for a query without words; ThanoSQLDataError
    for one of other columns.
    """
    if options.lm is not None:
        from thanosql.models.ctc import arpa

        return arpa.open_model(_located(options.lm, environment))
    return _of_query(options.lm_query, model, environment) if options.lm_query is not None else None


def language_identity(
    options: DecodeOptions, language: LanguageModel | None, environment: Environment
) -> tuple[object, ...]:
    """What tells the language model's content from another's: of a file its size and time of change."""
    from thanosql.models.ctc.ngram import NGram

    if options.lm is not None:
        about = _located(options.lm, environment).stat()
        return about.st_size, about.st_mtime_ns
    if isinstance(language, NGram):
        made = hashlib.blake2b("\0".join(language.words).encode(errors="surrogatepass"), digest_size=16)
        for table in language.tables:
            for values in (table.keys, table.logs, table.backoffs):
                made.update(values.tobytes())
        return (made.hexdigest(),)
    return ()


def _located(path: str, environment: Environment) -> Path:
    """A relative path is looked for where audio is: in the working folder, then in the workspace."""
    written = Path(path).expanduser()
    for root in environment.settings.audio_roots:
        if (root / written).is_file():
            return root / written
    if written.is_file():
        return written
    looked = "" if written.is_absolute() else f" in {', '.join(map(str, environment.settings.audio_roots))}"
    raise ThanoSQLModelError(f"There is no language model at {path}{looked}.")


def _of_query(query: str, model: Model, environment: Environment) -> LanguageModel:
    from thanosql.models import registry
    from thanosql.models.ctc.ngram import NGram

    normalize = registry.normalizer(model, environment.settings).normalize
    with environment.database.snapshot(SQL((Text(query, 0),), query)) as snapshot:
        return NGram.of_texts((normalize(text), count) for text, count in _texts(snapshot))


def _texts(snapshot: Snapshot) -> Iterator[tuple[str, float]]:
    shape = [column.type for column in snapshot.columns]
    counted = len(shape) == 2 and shape[1].startswith(NUMBERS)
    if not shape or not shape[0].startswith(("text", "character")) or len(shape) > 1 + counted:
        listed = ", ".join(f"{column.name} {column.type}" for column in snapshot.columns) or "none"
        raise ThanoSQLDataError(
            "lm_query must give one column of texts, and may give a second of how often each was said.",
            hint=f"Its columns: {listed}.",
        )
    for _, text, *count in snapshot.stream(*snapshot.columns):
        if text is not None:
            yield text, float(count[0] or 0) if count else 1.0
