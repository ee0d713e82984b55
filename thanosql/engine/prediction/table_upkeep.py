"""The newly recognized rows of a query in; the table that is kept current, and those beside it, out.

What is checked before any work is here too: mode='update' needs a table and a key, and rights to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thanosql.counting import counted
from thanosql.engine.postgres.columns import find_column
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.engine.prediction.word_table import refuse_taken, replaced_columns
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.engine.postgres.database import Target
    from thanosql.engine.postgres.table_update import Written
    from thanosql.engine.prediction.predict_options import PredictOptions
    from thanosql.engine.prediction.side_table import SideTable
    from thanosql.engine.prediction.stale_rows import StaleRows
    from thanosql.engine.rows.audio_probe import ProbedRows


def refuse_unfit_options(options: PredictOptions) -> None:
    """Raise ThanoSQLOptionError for mode='update' without what it needs, and for what needs it."""
    if options.share_rows is not None and (options.mode == "replace" or options.prune):
        raise ThanoSQLOptionError(
            "share_rows needs mode='update', without prune.",
            hint="Run the statement once more with prune=True, when all shares are done.",
        )
    if options.mode == "replace":
        if options.prune:
            raise ThanoSQLOptionError(
                "prune deletes the rows of a table that the query no longer gives, and mode='replace' does that anyway.",
                hint="Write mode='update' as well.",
            )
        return
    for name, what in (
        ("table_name", "the table that is kept current"),
        ("row_key", "the column that tells rows apart"),
    ):
        if getattr(options, name) is None:
            raise ThanoSQLOptionError(f"mode='update' needs {name}, {what}.", hint=f"Say {name}='…' as well.")


def find_target(options: PredictOptions, columns: Sequence[Column], environment: Environment) -> Target:
    """The table that the result goes to, or is kept current in; checked as far as can be before any work."""
    assert options.table_name is not None
    database = environment.database
    if options.mode == "replace":
        return database.target(options.table_name)
    from thanosql.engine.postgres.table_update import refuse_unfit

    assert options.row_key is not None
    target = database.target_to_update(options.table_name)
    key = find_column(columns, options.row_key, "row_key").name
    if key in {options.result_col, options.origin_col}:
        raise ThanoSQLDataError(f"'{key}' is a result, and cannot be the row_key.", hint="Choose another column.")
    refuse_taken((), options.written_columns)
    written = replaced_columns(columns, options.written_columns)
    refuse_unfit(database.connection, target, written, key, options.prune)
    return target


def update_tables(
    stale: StaleRows,
    options: PredictOptions,
    target: Target,
    tables: Sequence[SideTable],
    probed: ProbedRows,
    environment: Environment,
) -> str:
    """Write the rows, all or nothing; what is to be said of it. Where there is nothing to do, nothing is touched.

    Raises ThanoSQLDatabaseError, and the tables are as they were.
    """
    from thanosql.engine.postgres.table_update import TableUpdate, update

    pruned = stale.gone_count > 0
    if not stale.rows.rows and not stale.lacks and not pruned and target.oid is not None:
        return f"; nothing was to be done: table {target} is current"
    assert options.row_key is not None
    key = stale.query.column(options.row_key, option="row_key").name
    table, _ = stale.rows.numbered_table
    gone = f"SELECT key FROM {stale.gone}" if pruned else None
    updates = []
    for beside in tables:
        rows = beside.rows(stale.rows, probed, environment)
        replaced = f"SELECT {quoted(key)} FROM {table}"
        source = rows.replacing(beside.target).source
        updates.append(TableUpdate(beside.target, source, beside.key.name, gone=gone, replaced=replaced))
    written = frozenset(column.name for column in options.written_columns)
    ours = None
    if stale.query.has_read(target):
        # It was read while the model computed: what others have written to its other columns meanwhile stays.
        ours = written
    source = stale.rows.replacing(target).source
    everything, _ = stale.query.numbered_table
    fills = tuple(column.name for column in stale.query.columns if column.name not in written)
    updates.append(TableUpdate(target, source, key, gone=gone, new=stale.new, ours=ours, query=everything, fills=fills))
    *besides, main = update(environment.database.connection, *updates)
    said = "".join(
        f"; {counted(one.inserted, beside.unit)} in table {beside.target}" for beside, one in zip(tables, besides)
    )
    if stale.lacks:
        said += f"; columns added: {', '.join(stale.lacks)}"
    return f"{said}; in table {target}: {_said(main, stale, probed)}"


def _said(written: Written, stale: StaleRows, probed: ProbedRows) -> str:
    """How many rows were written, as the server counted them, and how many were not."""
    kept = stale.query.rows - stale.rows.rows
    done = [f"{count:,} {kind}" for kind, count in (("new", written.inserted), ("changed", written.changed)) if count]
    if failed := probed.notes.without_result:
        done.append(f"{failed:,} of them without a result")
    if lost := stale.rows.rows - written.inserted - written.changed:
        done.append(
            f"{lost:,} not written: deleted by another session meanwhile, or kept out by a trigger of the table"
        )
    rest = [f"{count:,} {kind}" for kind, count in (("kept", kept), ("deleted", written.deleted)) if count]
    return ", ".join([*done, *rest]) or "no rows"
