"""COPY: a file, a folder of audio or a DataFrame in, a table out.

COPY calls OPTIONS (if_exists='replace') FROM 'calls.csv'
COPY recordings FROM 'recordings/'
COPY calls FROM :frame

pandas.read_csv("calls.csv").to_sql("calls", engine, if_exists="replace")     # what it means in Python, but streamed
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.counting import counted
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.files.paths import find
from thanosql.engine.files.tabular import table_records
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Literal, Option, Parameter, Statement, Word
from thanosql.engine.parameters.tables import Table
from thanosql.engine.planner import Environment, Plan, Progress, plan, refuse_open_transaction
from thanosql.engine.postgres import target
from thanosql.engine.postgres.naming import needs_quotes, quoted
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLOptionError
from thanosql.models.options import option

if TYPE_CHECKING:
    from thanosql.engine.files.dialects import Said
    from thanosql.engine.files.loading import Source

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
JSON = (".json", ".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
CAPTIONS = (".srt", ".vtt", ".textgrid", ".ctm", ".stm", ".rttm")
# A type's name is put into the SQL of a table as it is written.
_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*(\(\d+(, ?\d+)?\))?( with(out)? time zone)?(\[\])*")
KNOWN = (
    "csv, tsv, parquet, xlsx, json, jsonl, srt, vtt, TextGrid, ctm, stm, rttm, or a folder of audio files or a corpus"
)


@dataclass(frozen=True, slots=True)
class Copy(Statement):
    syntax = StatementSyntax(
        "COPY table [OPTIONS (…)] FROM 'path'",
        options=lambda: (CopyOptions,),
        gives="A status, and the types that were inferred. csv, tsv, parquet, xlsx, json, jsonl and captions are read; a "
        "folder of audio files gives a row a file with `audio_path`, `file_name`, `seconds`, `sampling_rate` and `channels`; "
        "`FROM :name` takes a DataFrame of that name. "
        "PostgreSQL's own forms of `COPY` (`TO`, `STDIN`, `WITH (…)`, a query in parentheses) go to PostgreSQL.",
    )

    table: Word
    options: tuple[Option, ...]
    path: Literal | Parameter


@dataclass(frozen=True, kw_only=True)
class CopyOptions:
    if_exists: str = option(
        "fail",
        "if the table exists: 'fail' stops, 'replace' replaces its content, 'append' adds the rows",
        choices=("fail", "replace", "append"),
    )
    delimiter: str | None = option(
        None, "the character between the values of a csv or tsv file; found by reading the file if NULL"
    )
    quote: str | None = option(
        None, "the quotation mark around values of a csv or tsv file, '' for none; found by reading the file if NULL"
    )
    header: bool | None = option(
        None, "whether the first row names the columns (csv, tsv, xlsx); found by reading the file if NULL"
    )
    header_row: int | None = option(
        None, "the line on which the table begins, below a title (csv, tsv, xlsx)", low=1, high=1_000_000
    )
    columns: list[str] | None = option(
        None, "names of the columns, instead of those in the header, or if there is no header"
    )
    null: list[str] | None = option(
        None, "texts that are NULL, as 'NA'; an empty field of a csv or tsv file is always NULL"
    )
    encoding: str | None = option(
        None,
        "the encoding of a csv or tsv file or of captions, as 'cp949'; NULL: as the byte order mark says, or UTF-8",
    )
    types: list[str] | None = option(
        None,
        "types of columns of a csv or tsv file, as ['id text']; NULL: the narrowest type that keeps every value. Of a parquet "
        "file, which has types, a column may be made text",
    )
    date_order: str | None = option(
        None,
        "the order of days in figures in a csv or tsv file: 'dmy' reads 31.12.2024, 'mdy' 12/31/2024, 'ymd' 2024. 12. 31.; "
        "NULL: they stay text, and the note says so",
        choices=("dmy", "mdy", "ymd"),
    )
    sheet: str | None = option(None, "the sheet of an xlsx file; NULL: the first")


@dataclass(frozen=True)
class CopyPlan(Plan):
    table: str
    there: bool
    options: CopyOptions
    path: Path  # or the parameter's name
    given: Table | None = None  # the parameter's value, where it is a table


@plan.register
def plan_copy(statement: Copy, environment: Environment) -> CopyPlan:
    (options,) = environment.bind("COPY", statement.options, CopyOptions)
    refuse_open_transaction(environment, "COPY")
    given = environment.table(statement.path) if isinstance(statement.path, Parameter) else None
    if isinstance(statement.path, Parameter) and given is not None:
        path = Path(f":{statement.path.name}")
        _refuse_file_options(options)
    else:
        path = find(statement.path, environment)
        check_format(path, options)
    there = table_exists(statement.table, environment)
    if there and options.if_exists == "fail":
        raise ThanoSQLDatabaseError(
            f"There is a table {statement.table} already.",
            sqlstate="42P07",
            hint="OPTIONS (if_exists='replace') or OPTIONS (if_exists='append') say what to do with it.",
            position=environment.position(statement.table.start, len(statement.table.text)),
        )
    if there and options.if_exists == "replace":
        target.find(environment.database.connection, statement.table.text)
    return CopyPlan(statement.table.text, there, options, path, given)


@run.register
def run_copy(plan: CopyPlan, environment: Environment) -> Result:
    from thanosql.engine.files import loading

    load = loading.create
    if plan.there:
        load = loading.append if plan.options.if_exists == "append" else loading.replace
    if plan.given is not None:
        source: Source = table_records(plan.path, plan.given)
    else:
        source = open_source(plan.path, plan.options, environment)
    loaded = load(environment.database, source, plan.table, _progress(plan.path, environment))
    types = ", ".join(f"{name} {type_}" for name, type_ in loaded.columns[:50])
    more = len(loaded.columns) - 50
    note = f"{counted(loaded.rows, 'row')} from {plan.path} in {plan.table}: {types}" + (
        f" and {more} more" if more > 0 else ""
    )
    said = [
        remark for remark in (source.said(), *loaded.remarks, _quotes([name for name, _ in loaded.columns])) if remark
    ]
    return Result(status=f"COPY {loaded.rows}", note="; ".join([note, *said]))


def _quotes(names: Sequence[str]) -> str:
    """How SQL writes names as people give them to columns of a sheet; nothing where it is as they stand there.

    >>> _quotes(["file", "Called on"])
    'in SQL, names with capitals, spaces or signs need double quotes: "Called on"'
    """
    first = next(filter(needs_quotes, names), None)
    return f"in SQL, names with capitals, spaces or signs need double quotes: {quoted(first)}" if first else ""


def _refuse_file_options(options: CopyOptions) -> None:
    for entry in fields(options):
        if entry.name != "if_exists" and getattr(options, entry.name) is not None:
            raise ThanoSQLOptionError(f"The option {entry.name} is for files, and not for a table that is given.")


def check_format(path: Path, options: CopyOptions) -> None:
    """Raise what can be said before anything is read: of the format, and of options that it does not have."""
    suffix = path.suffix.lower()
    if path.is_dir():
        suffix = "folder"
    elif suffix in (".pkl", ".pickle"):
        raise ThanoSQLDataError(
            f"{path} is a pickle, which runs code when it is read; it is never read here.",
            hint="Save the data as parquet or csv.",
        )
    elif suffix not in (*DELIMITERS, *JSON, *PARQUET, *CAPTIONS, ".xlsx"):
        raise ThanoSQLDataError(f"COPY does not read '{suffix or path.name}' files.", hint=f"It reads {KNOWN}.")
    for name in ("delimiter", "quote", "encoding", "types", "null", "date_order"):
        more = {"encoding": CAPTIONS, "types": PARQUET}.get(name, ())
        if getattr(options, name) is not None and suffix not in (*DELIMITERS, *more):
            raise ThanoSQLOptionError(f"The option {name} is for csv and tsv files.")
    for name in ("header", "header_row", "columns"):
        if getattr(options, name) is not None and suffix not in (*DELIMITERS, ".xlsx"):
            raise ThanoSQLOptionError(f"The option {name} is for csv, tsv and xlsx files.")
    # What PostgreSQL takes as one.
    if options.delimiter is not None and (len(options.delimiter.encode()) != 1 or options.delimiter in '\r\n"\\'):
        raise ThanoSQLOptionError(f"A delimiter is one character, as ';' is, and not {options.delimiter!r}.")
    if options.quote and (
        len(options.quote.encode()) != 1 or options.quote in "\r\n\\" or options.quote == options.delimiter
    ):
        raise ThanoSQLOptionError(f"A quote is one character, as '\"' is, or '' for none, and not {options.quote!r}.")
    if options.sheet is not None and suffix != ".xlsx":
        raise ThanoSQLOptionError("The option sheet is for xlsx files.")


def open_source(path: Path, options: CopyOptions, environment: Environment) -> Source:
    """The file's columns, found; its rows are read later."""
    from thanosql.engine.files import captions, corpora, delimited, parquet, recordings, records, workbooks

    suffix = path.suffix.lower()
    settings = environment.settings
    try:
        if path.is_dir():
            return corpora.open_corpus(path, settings) or recordings.open_folder(path, settings)
        if suffix in CAPTIONS:
            return captions.open_captions(path, options.encoding, settings)
        if suffix in DELIMITERS:
            found = delimited.open_delimited(
                path, DELIMITERS[suffix], _said(options), _types(options, environment), settings
            )
            return corpora.ljspeech(path, found.records, settings) if found.ljspeech else found
        if suffix in PARQUET:
            types = _types(options, environment)
            if others := [type_ for type_ in types.values() if type_.lower() != "text"]:
                raise ThanoSQLOptionError(
                    f"A parquet file has types; a column can be read as text instead, and not as {others[0]}.",
                    hint="Leave types out, and cast in a query.",
                )
            return parquet.open_parquet(path, settings, frozenset(types))
        if suffix in JSON:
            return records.open_json(path, settings)
        return workbooks.open_xlsx(path, options.sheet, _said(options), settings)
    except OSError as error:
        raise ThanoSQLDataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _said(options: CopyOptions) -> Said:
    from thanosql.engine.files.dialects import Said

    return Said(
        delimiter=options.delimiter,
        quote=options.quote,
        header=options.header,
        columns=tuple(options.columns or ()),
        null=tuple(options.null or ()),
        encoding=options.encoding,
        header_row=options.header_row,
        date_order=options.date_order,
    )


def _types(options: CopyOptions, environment: Environment) -> dict[str, str]:
    """Column → type, as `types=['id text']` names them. Raises ThanoSQLOptionError for what PostgreSQL has no type of."""
    types: dict[str, str] = {}
    for said in options.types or ():
        name, _, type_ = (part.strip() for part in said.strip().partition(" "))
        if not type_ or not _TYPE.fullmatch(type_):
            raise ThanoSQLOptionError(f"types takes a column and its type, as 'id text', and not {said!r}.")
        ((known,),) = environment.database.connection.values("SELECT to_regtype(%s)::text", type_)
        if known is None:
            raise ThanoSQLOptionError(f"PostgreSQL has no type '{type_}', which the option types names.")
        types[name] = type_
    return types


def table_exists(table: Word, environment: Environment) -> bool:
    """Whether the database has a table (or anything else in a table's place) of that name."""
    from thanosql.engine.language.syntax import SQL, Bound, Text

    sql = SQL((Text("SELECT to_regclass("), Bound(table.text, table.start), Text(") IS NOT NULL")), environment.source)
    return bool(environment.database.connection.execute(sql).value)


def _progress(path: Path, environment: Environment) -> Callable[[int], None]:
    size = path.stat().st_size if path.is_file() else 0

    def report(done: int) -> None:
        environment.progress(Progress(what=f"reading {path.name}", done=done, total=size, unit="bytes"))

    return report
