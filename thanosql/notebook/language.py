"""What the language has: statements, their options, the words of a query; read from grammar and declarations."""

from __future__ import annotations

import importlib
import re
from functools import cache
from typing import TYPE_CHECKING

from thanosql.engine.language.heads import SHAPES

if TYPE_CHECKING:
    from thanosql.engine.language.options import Declared

# Where a statement's options are declared, by its first words.
MODULES = {
    "BUILD": "build_model",
    "FIT": "fit_model",
    "PREDICT": "predict",
    "EVALUATE": "evaluate",
    "ALIGN": "align",
    "PRINT": "print_audio",
    "LIST": "listing",
    "DESCRIBE": "describe_model",
    "DROP": "drop_model",
    "DELETE": "drop_model",
    "ROLLBACK": "rollback_model",
    "COPY": "copy_table",
    "GET": "get_thanosql",
    "UPLOAD": "upload_model",
    "EXPLAIN": "explain",
    "CHECK": "check",
}
# The dataclasses that a statement's plan binds its options to; a test holds them equal to what the statement takes.
OPTIONS = {
    "BUILD": ("engine.statements.build_model.BuildOptions", "models.base.TrainOptions"),
    "FIT": ("engine.statements.fit_model.FitOptions", "models.base.TrainOptions"),
    "PREDICT": ("engine.statements.predict.PredictOptions", "models.base.TranscribeOptions"),
    "EVALUATE": ("engine.evaluation.EvaluateOptions", "models.base.TranscribeOptions"),
    "ALIGN": ("engine.statements.align.AlignOptions", "models.base.TranscribeOptions"),
    "PRINT": ("engine.statements.print_audio.PrintOptions",),
    "COPY": ("engine.statements.copy_table.CopyOptions",),
    "GET": ("engine.statements.get_thanosql.GetDatasetOptions", "engine.statements.get_thanosql.GetModelOptions"),
    "GET DATASET": ("engine.statements.get_thanosql.GetDatasetOptions",),
    "GET MODEL": ("engine.statements.get_thanosql.GetModelOptions",),
    "UPLOAD": ("engine.statements.upload_model.UploadOptions",),
}
_SQL_WORDS_TEXT = """
SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT RIGHT FULL INNER OUTER CROSS LATERAL ON USING
AS AND OR NOT IN IS NULL LIKE ILIKE BETWEEN EXISTS DISTINCT CASE WHEN THEN ELSE END UNION ALL EXCEPT INTERSECT
WITH RECURSIVE VALUES INSERT INTO UPDATE SET DELETE CREATE TABLE TEMP VIEW INDEX DROP ALTER TRUNCATE BEGIN
COMMIT ROLLBACK ASC DESC NULLS FIRST LAST OVER PARTITION FILTER RETURNING TRUE FALSE INTERVAL CAST ANALYZE
SHOW GRANT REVOKE
"""
SQL_WORDS = tuple(_SQL_WORDS_TEXT.split())
_SQL_FUNCTIONS_TEXT = """
count sum avg min max coalesce nullif lower upper length round trim replace substring string_agg array_agg now
date_trunc extract row_number rank regexp_replace to_char random generate_series
"""
SQL_FUNCTIONS = tuple(_SQL_FUNCTIONS_TEXT.split())
# What may open a statement of PostgreSQL's.
SQL_OPENERS = (
    "SELECT",
    "WITH",
    "INSERT INTO",
    "UPDATE",
    "DELETE FROM",
    "CREATE TABLE",
    "DROP TABLE",
    "ALTER TABLE",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
)


@cache
def options_of(statement: str, about: str = "") -> tuple[Declared, ...]:
    """The options of the statement that begins with this word. `about` is MODEL or DATASET, for GET THANOSQL."""
    from thanosql.engine.language.options import describe

    if statement not in MODULES:
        return ()
    found: dict[str, Declared] = {}
    for name in OPTIONS.get(f"{statement} {about}".strip(), OPTIONS.get(statement, ())):
        module, _, kind = name.rpartition(".")
        for declared in describe(getattr(importlib.import_module(f"thanosql.{module}"), kind)):
            found.setdefault(declared.name, declared)
    return tuple(found.values())


def example_of(statement: str) -> str:
    """The docstring of a statement's file: what goes in and comes out, the SQL, and the Python that means the same."""
    module = importlib.import_module(f"thanosql.engine.statements.{MODULES[statement]}")
    return (module.__doc__ or "").strip()


@cache
def keywords() -> tuple[str, ...]:
    """Every keyword of ours, in upper case."""
    shapes = " ".join(SHAPES.values())
    return tuple(sorted(set(re.findall(r"\b[A-Z]{2,}\b", shapes)) | {"MODELS", "TABLES", "DATASETS"}))


def default_of(declared: Declared) -> str:
    """An option's default as one writes it."""
    value = declared.default
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value) if not isinstance(value, float) else f"{value:g}"
