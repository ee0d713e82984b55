"""A query and a table that is kept current in; the query's rows that are new, or whose prediction is out of date, out."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted
from thanosql.engine.language.syntax import SQL
from thanosql.engine.planner import Environment, Progress
from thanosql.engine.postgres.keyed_rows import beside_table, keys_gone, refuse_changed, refuse_doubled
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.engine.postgres.one_moment import one_moment
from thanosql.engine.postgres.table_update import stored_columns
from thanosql.engine.prediction.language_models import language_model
from thanosql.engine.prediction.provenance import Provenance, provenance_of
from thanosql.engine.prediction.row_comparison import (
    CHANGED,
    INCOMPLETE,
    NEW,
    OUTDATED,
    UNHEARD,
    Judged,
    RowComparison,
)
from thanosql.engine.prediction.word_table import replaced_columns
from thanosql.engine.rows.audio_probe import access_of
from thanosql.engine.rows.query import open_snapshot
from thanosql.errors import ThanoSQLDataError
from thanosql.models.audio import file_states
from thanosql.models.audio.origins import AudioOrigins

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.engine.prediction.predict_options import PredictOptions
    from thanosql.engine.rows.bound_statement import BoundStatement
    from thanosql.models.audio.access import AudioAccess

CHOSEN = (Column("number", "bigint"), Column("by", "text"), Column("is_new", "boolean"))


@dataclass(frozen=True)
class StaleRows:
    """`rows` has those of the query's rows that are to be recognized, with an empty column for each that is written, and
    their provenance; `query` all of them, and `numbers` those that `rows` have in it.

    `counts` says how many there are of each kind. `gone` is a temporary table of the keys (`key`) that the query gives no
    longer, where they are to be deleted, `gone_count` their number; `new` is a query for the keys that the table does not
    have. `lacks` are the columns that the table is to get. `made_by` begins what will be said of where their results are
    from.
    """

    rows: Snapshot
    query: Snapshot
    numbers: array[int] = field(repr=False)
    counts: Counter[str]
    gone: str | None
    gone_count: int
    new: str
    lacks: tuple[str, ...]
    made_by: str

    @property
    def said(self) -> str:
        """How many are to be recognized, of how many, and why.

        '3 of 10 rows: 2 new, 1 with other audio'
        """
        kinds = [f"{self.counts[kind]:,} {kind}" for kind in (NEW, CHANGED, OUTDATED, INCOMPLETE) if self.counts[kind]]
        if self.counts[UNHEARD]:
            kinds.append(f"{self.counts[UNHEARD]:,} keep their result, as their audio is not to be found")
        return f"{self.rows.rows:,} of {counted(self.query.rows, 'row')}{': ' if kinds else ''}{', '.join(kinds)}"

    @contextmanager
    def numbered(self) -> Iterator[None]:
        """Errors name rows by their numbers in the whole query."""
        try:
            yield
        except ThanoSQLDataError as error:
            error.rows = [
                {**row, "row": self.numbers[row["row"] - 1]} if isinstance(row.get("row"), int) else row
                for row in error.rows
            ]
            raise


def find_stale_rows(
    about: BoundStatement, provenance: Provenance, access: AudioAccess, environment: Environment
) -> StaleRows:
    """Hold the query's rows against the table's, both as they were at one moment; open until the statement is over.
    That moment lasts until all files have been looked at.

    Raises ThanoSQLDataError, with the rows, where a key stands in two of them, in the query or in the table, or is NULL.
    """
    options, target = about.options, about.target
    assert target is not None
    database, resources = environment.database, environment.resources
    connection = database.connection
    stored = stored_columns(connection, target)
    gone, gone_count = None, 0
    comparison = RowComparison(about.audio, provenance, AudioOrigins(access), keeps=options.on_error == "null")
    numbers: array[int] = array("q")
    counts: Counter[str] = Counter()
    with one_moment(connection):
        query = resources.enter_context(open_snapshot(about.query, environment))
        column = query.column(options.row_key, option="row_key")
        key = column.name
        refuse_doubled(connection, query, key)
        if key in stored:
            refuse_changed(connection, query, target, column, stored[key].type)
        if stored and options.prune:
            gone, gone_count = keys_gone(connection, query, target, key)
            resources.callback(database.drop_temporary, gone)
        columns = comparison.columns(key, _said(options, stored) if stored else None)

        def chosen_rows() -> Iterator[tuple[int, str, bool]]:
            for judged in _judged(beside_table(connection, query, target, key, columns), comparison):
                counts.update(judged.counts)
                numbers.extend(row for row, *_ in judged.chosen)
                yield from judged.chosen
                environment.cancellation.check()
                environment.progress(Progress(what="comparing", done=counts.total(), total=query.rows, unit="rows"))

        chosen = database.temporary(CHOSEN, chosen_rows())
        resources.callback(database.drop_temporary, chosen)
        # So that few rows are looked for among a million, and not the other way round.
        connection.execute(f"ANALYZE {chosen} (number)")
        query.sample_numbers()
    numbers = array("q", sorted(numbers))
    rows = resources.enter_context(database.snapshot(SQL.of(_rows_of(query, chosen, options))))
    lacks = tuple(column.name for column in rows.columns if stored and column.name not in stored)
    table, number = rows.numbered_table
    places = f"SELECT row_number() OVER (ORDER BY number) AS place, is_new FROM {chosen}"
    new = f"SELECT r.{quoted(key)} FROM {table} r JOIN ({places}) c ON c.place = r.{number} WHERE c.is_new"
    return StaleRows(rows, query, numbers, counts, gone, gone_count, new, lacks, provenance.beginning)


def _judged(chunks: Iterator[list[tuple[Any, ...]]], comparison: RowComparison) -> Iterator[Judged]:
    """Chunks of rows judged, in their order: some are while the next one is fetched."""
    threads = file_states.threads()
    with ThreadPoolExecutor(threads, thread_name_prefix="comparing") as pool:
        begun: deque[Future[Judged]] = deque()
        for chunk in chunks:
            begun.append(pool.submit(comparison.judge, chunk))
            if len(begun) > threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def rows_to_do(about: BoundStatement, environment: Environment) -> tuple[Snapshot, StaleRows | None]:
    """The rows that a statement would work on, for EXPLAIN and CHECK: those of its query, or of them those that a table
    lacks; open until the statement is over. No model is fetched."""
    if getattr(about.options, "mode", "replace") != "update":
        return environment.resources.enter_context(open_snapshot(about.query, environment)), None
    language = language_model(about.options, about.model, environment)
    provenance = provenance_of(about, language, fetches=False)
    stale = find_stale_rows(about, provenance, access_of(about.options, environment), environment)
    return stale.rows, stale


def _said(options: PredictOptions, stored: Mapping[str, object]) -> str:
    """SQL for where a row `t` of the table has its result from; empty where something of it is missing."""
    result, *more = (column.name for column in options.columns)
    optional = f"{options.result_col}_error"  # its column is empty where there is no error
    if any(name not in stored for name in (result, options.origin_col, *more) if name != optional):
        return "''"
    said = f"coalesce(t.{quoted(options.origin_col)}::text, '')"
    missing = [f"t.{quoted(name)} IS NULL" for name in more if name != optional]
    if not missing:
        return said
    return f"CASE WHEN t.{quoted(result)} IS NOT NULL AND ({' OR '.join(missing)}) THEN '' ELSE {said} END"


def _rows_of(query: Snapshot, chosen: str, options: PredictOptions) -> str:
    """SQL for the chosen rows, with the columns that will be written, empty but for the origin."""
    table, number = query.numbered_table
    written = {column.name for column in options.columns}
    origin = Column(options.origin_col, "text")
    picked = []
    for column in replaced_columns(query.columns, [*options.columns, origin]):
        name = quoted(column.name)
        if column.name == origin.name:
            picked.append(f"c.by AS {name}")
        else:
            picked.append(f"NULL::{column.type} AS {name}" if column.name in written else f"q.{name}")
    return f"SELECT {', '.join(picked)} FROM {table} q JOIN {chosen} c ON c.number = q.{number} ORDER BY q.{number}"
