"""Rows to recognize in; shares of them that no other process works on at the moment, one after the other, out.

Several processes, on one machine or many, run the same statement on one PostgreSQL: each takes the shares that are free. A
share is held by advisory locks of PostgreSQL's, which end with the session that took them: what a killed process held is
free at once, and what it had written stays.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.naming import literal, quoted
from thanosql.engine.postgres.table_update import stored_columns

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.engine.postgres.database import Target
    from thanosql.engine.prediction.predict_options import PredictOptions
    from thanosql.engine.prediction.stale_rows import StaleRows

BUCKETS = 1024  # that keys are divided into: as many locks are held at most
WAIT_SECONDS = 0.5  # until those that others hold are asked for again


def shares(stale: StaleRows, options: PredictOptions, target: Target, environment: Environment) -> Iterator[StaleRows]:
    """The rows in shares, none of them twice; a share is held while it is worked on. It is of `options.share_rows` at most,
    or of one bucket.

    Rows that another process has written meanwhile are left out: a share may be empty. Those that another process holds are
    waited for, since it may be killed.
    """
    assert options.share_rows is not None
    assert options.row_key is not None
    connection = environment.database.connection
    table, _ = stale.rows.numbered_table
    key = quoted(stale.query.column(options.row_key, option="row_key").name)
    bucket = f"hashtext(r.{key}::text) & {BUCKETS - 1}"
    rows = dict(connection.execute(f"SELECT {bucket}, count(*) FROM {table} r GROUP BY 1").rows)
    left = sorted(rows)
    random.shuffle(left)  # processes that begin together do not ask for the same ones
    while left:
        taken: list[int] = []
        count = 0
        for number in left:
            if taken and count + rows[number] > options.share_rows:
                continue  # a bucket is whole: another share takes it
            ((locked,),) = connection.values(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, %s))", f"thanosql {target}", number
            )
            if locked:
                taken.append(number)
                count += rows[number]
        if not taken:
            environment.cancellation.check()
            time.sleep(WAIT_SECONDS)
            continue
        try:
            part = _part(stale, options, target, f"{bucket} IN ({', '.join(map(str, taken))})", key, environment)
            try:
                yield part
            finally:
                part.rows.close()
        finally:
            for number in taken:
                connection.attempt(
                    f"SELECT pg_advisory_unlock(hashtextextended('thanosql ' || {literal(str(target))}, {number}))"
                )
        left = [number for number in left if number not in taken]


def _part(
    stale: StaleRows, options: PredictOptions, target: Target, chosen: str, key: str, environment: Environment
) -> StaleRows:
    """The rows of these buckets that the table does not have yet."""
    database = environment.database
    table, number = stale.rows.numbered_table
    now = database.target_to_update(target.quoted)
    origin = quoted(options.origin_col)
    if options.origin_col in stored_columns(database.connection, now):
        chosen += f" AND NOT EXISTS (SELECT FROM {target.quoted} t WHERE t.{key} = r.{key} AND t.{origin} = r.{origin})"
    columns = ", ".join(f"r.{quoted(column.name)}" for column in stale.rows.columns)
    found = database.connection.execute(f"SELECT r.{number} FROM {table} r WHERE {chosen} ORDER BY 1").rows
    rows = database.snapshot(SQL.of(f"SELECT {columns} FROM {table} r WHERE {chosen} ORDER BY r.{number}"))
    numbers = array("q", (stale.numbers[place - 1] for (place,) in found))
    return replace(stale, rows=rows, numbers=numbers)
