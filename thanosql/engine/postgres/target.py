"""A table's name in; what stands there, whether it may be replaced, and its state at a moment, out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.naming import fault_of, quoted
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLOptionError, shown_reference

KINDS = {
    "p": "a partitioned table",
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
    "S": "a sequence",
    "i": "an index",
    "I": "an index",
    "c": "a composite type",
    "t": "a TOAST table",
}
ATTEMPTS = 5  # to look at a table that others replace
SYSTEM = {"pg_catalog", "information_schema", "pg_toast"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a result goes. `oid` is None where nothing stands yet; `state` is set when the query itself read it."""

    schema: str
    name: str
    oid: int | None = None
    state: str | None = None

    @property
    def quoted(self) -> str:
        return quoted(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def remembering(self, state: str) -> Target:
        return dataclasses.replace(self, state=state)


def find(connection: Connection, table: str, refuse: Callable[[Connection, Target], None] | None = None) -> Target:
    """The table of this name, or the place for it; what stands there is held against `refuse`, which is
    `refuse_if_hindered` if nothing is said. Raises ThanoSQLOptionError or ThanoSQLDatabaseError as said there."""
    parts = _parts(connection, table)
    for _ in range(ATTEMPTS):
        # In one statement: another session may replace the table between two.
        ((there, schema, name, oid),) = connection.values(
            "SELECT t.oid IS NOT NULL, n.nspname::text, c.relname::text, c.oid::bigint"
            " FROM (SELECT to_regclass(%s)::oid) t(oid)"
            " LEFT JOIN pg_class c ON c.oid = t.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace",
            ".".join(quoted(part) for part in parts),
        )
        if not there:
            return _place(connection, table, parts)
        if oid is not None:
            target = Target(schema, name, oid)
            with contextlib.suppress(AlteredMeanwhile):  # replaced between the two statements
                (refuse or refuse_if_hindered)(connection, target)
                return target
    raise AlteredMeanwhile(".".join(parts))


def refuse_if_hindered(connection: Connection, target: Target) -> None:
    """Raise ThanoSQLDatabaseError with the list of what a new table could not take over."""
    found = _obstacles(connection, target)
    if found:
        raise ThanoSQLDatabaseError(
            f"The table {target} cannot be replaced: {'; '.join(found)}.",
            sqlstate="2BP01",
            hint="Give another table_name and write from there into this table with SQL of your own, "
            "or remove what prevents it.",
        )


def refuse_if_not_updatable(connection: Connection, target: Target) -> None:
    """Raise ThanoSQLDatabaseError for what rows cannot be updated in, or not all of them seen."""
    found = connection.values("SELECT relkind::text, row_security_active(oid) FROM pg_class WHERE oid = %s", target.oid)
    if not found:
        raise AlteredMeanwhile(target)
    ((kind, secured),) = found
    hindrance = "it is PostgreSQL's own" if target.schema in SYSTEM else ""
    if kind not in ("r", "p"):
        hindrance = f"it is {KINDS.get(kind, 'no table')}"
    elif secured:
        hindrance = "row-level security hides rows of it from this role"
    if hindrance:
        raise ThanoSQLDatabaseError(f"The table {target} cannot be kept current: {hindrance}.", sqlstate="42809")


class AlteredMeanwhile(ThanoSQLDatabaseError):
    """The refusal to replace a table that is no longer the one that was looked at, or newer than the transaction."""

    def __init__(self, target: Target | str) -> None:
        super().__init__(
            f"The table {target} was altered by another session meanwhile, and is left as it is now.",
            sqlstate="40001",
            hint="Run the statement again.",
        )


def written_meanwhile(target: Target) -> ThanoSQLDatabaseError:
    """The refusal to replace a table whose rows the query has not all read."""
    return ThanoSQLDatabaseError(
        f"Another session wrote to the table {target} after the query had read it: it is not replaced, no row is lost.",
        sqlstate="40001",
        hint="Run the statement again.",
    )


def state_of(connection: Connection, target: Target) -> str:
    """What tells one state of a table's rows and columns from another: any row written, changed or deleted changes it.

    It is made of the place and the writing transaction of every row, not of their values. VACUUM FULL and CLUSTER
    change it too.
    """
    assert target.oid is not None
    state = connection.execute(
        "SELECT concat_ws(' ', count(*), coalesce(sum(hashtextextended(concat(ctid, xmin), 0)::numeric), 0),"
        " (SELECT md5(string_agg(concat_ws(' ', attnum, attname, atttypid, atttypmod), ',' ORDER BY attnum))"
        f"  FROM pg_attribute WHERE attrelid = {target.oid:d} AND attnum > 0))"
        f" FROM ONLY {target.quoted}"
    ).value
    return str(state)


def _parts(connection: Connection, table: str) -> list[str]:
    if "\0" in table:
        raise ThanoSQLOptionError(f"{table!r} cannot be a table's name: SQL cannot hold the character NUL.")
    try:
        ((parts,),) = connection.values("SELECT parse_ident(%s)", table)
    except ThanoSQLDatabaseError as error:
        if error.sqlstate and error.sqlstate.startswith("22"):
            raise ThanoSQLOptionError(
                f"'{shown_reference(table)}' cannot be a table's name: {error.message}",
                hint="A name with other characters than letters, digits and _ needs double quotes: 'my_schema.\"my table\"'.",
            ) from error
        raise
    if len(parts) == 3:
        ((database,),) = connection.values("SELECT current_database()::text")
        if parts[0] != database:
            raise ThanoSQLOptionError(f"'{table}' is in another database than this session ({database}).")
        parts = parts[1:]
    if len(parts) > 2:
        raise ThanoSQLOptionError(f"'{table}' cannot be a table's name: it has more than a schema and a name.")
    for part in parts:
        if (fault := fault_of(part)) is not None:
            raise ThanoSQLOptionError(f"'{table}' cannot be a table's name: '{part}' {fault}.")
    return [str(part) for part in parts]


def _place(connection: Connection, table: str, parts: list[str]) -> Target:
    if len(parts) == 2:
        schema = parts[0]
        ((known,),) = connection.values("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)", schema)
        if not known and schema != "pg_temp":
            raise ThanoSQLDatabaseError(
                f"schema \"{schema}\" does not exist (for the table '{table}')", sqlstate="3F000"
            )
    else:
        ((schema,),) = connection.values("SELECT current_schema()::text")
        if schema is None:
            raise ThanoSQLDatabaseError(
                f"No schema of the search_path exists, so there is no place for the table '{table}'.", sqlstate="3F000"
            )
    if schema in SYSTEM:
        raise ThanoSQLDatabaseError(f"The schema {schema} is PostgreSQL's own.", sqlstate="42501")
    if schema != "pg_temp":
        ((allowed,),) = connection.values("SELECT has_schema_privilege(%s, 'CREATE')", schema)
        if not allowed:
            raise ThanoSQLDatabaseError(f"permission denied to create a table in schema {schema}", sqlstate="42501")
    return Target(schema, parts[-1])


def _obstacles(connection: Connection, target: Target) -> list[str]:
    found_now = connection.values(
        "SELECT relkind::text, pg_get_userbyid(relowner)::text, pg_has_role(relowner, 'USAGE'), relispartition,"
        " reloftype <> 0, relrowsecurity, has_schema_privilege(relnamespace, 'CREATE'), relpersistence = 't'"
        " FROM pg_class WHERE oid = %s",
        target.oid,
    )
    if not found_now:
        raise AlteredMeanwhile(target)
    ((kind, owner, ours, partition, typed, secured, may_create, temporary),) = found_now
    if target.schema in SYSTEM:
        return ["it is PostgreSQL's own"]
    if kind != "r":
        return [f"it is {KINDS.get(kind, 'no table')}"]
    found = []
    if not ours:
        found.append(f"it belongs to {owner}, and this role is not a member of {owner}")
    if not may_create and not temporary:
        found.append(f"this role may not create tables in the schema {target.schema}")
    if partition:
        found.append("it is a partition")
    if typed:
        found.append("it is a table OF a type")
    if secured:
        found.append("row-level security is on")
    found += [text for (text,) in connection.values(OBSTACLES, target.oid)]
    return found


# Temporary views of sessions that a crash of the server ended: they are nobody's, and stay until a new session has that number
# and makes something temporary. Before version 16 the numbers do not tell whose they were.
LEFT_VIEWS = """
SELECT DISTINCT v.oid, v.oid::regclass::text AS name FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass
    AND r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v' JOIN pg_namespace s ON s.oid = v.relnamespace
WHERE s.nspname ~ '^pg_temp_[0-9]+$' AND current_setting('server_version_num')::int >= 160000
    AND pg_has_role(v.relowner, 'USAGE')
    AND s.oid <> pg_my_temp_schema() AND substr(s.nspname, 9)::int NOT IN (SELECT id FROM pg_stat_get_backend_idset() AS b (id)
        WHERE pg_stat_get_backend_pid(id) <> pg_backend_pid())
    AND (d.refclassid, d.refobjid) IN (SELECT 'pg_class'::regclass, t.oid FROM t
        UNION ALL SELECT 'pg_type'::regclass, y.oid FROM t JOIN pg_type y ON y.typrelid = t.oid)
"""
OBSTACLES = f"""
WITH t AS (SELECT %s::oid AS oid), left_views AS ({LEFT_VIEWS})
SELECT what FROM (
    SELECT 1 AS place, 'policy ' || polname AS what FROM t, pg_policy WHERE polrelid = t.oid
    UNION ALL
    SELECT 2, 'trigger ' || tgname FROM t, pg_trigger WHERE tgrelid = t.oid AND NOT tgisinternal
    UNION ALL
    SELECT 3, 'rule ' || rulename FROM t, pg_rewrite WHERE ev_class = t.oid
    UNION ALL
    SELECT 4, 'publication ' || p.pubname FROM t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid =
        c.relnamespace
        JOIN pg_publication_tables p ON p.schemaname = n.nspname AND p.tablename = c.relname
    UNION ALL
    SELECT 5, 'it is the target of a subscription' FROM t, pg_subscription_rel WHERE srrelid = t.oid
    UNION ALL
    SELECT 6, 'it inherits from ' || inhparent::regclass FROM t, pg_inherits WHERE inhrelid = t.oid
    UNION ALL
    SELECT 7, inhrelid::regclass || ' inherits from it' FROM t, pg_inherits WHERE inhparent = t.oid
    UNION ALL
    SELECT 8, 'security label of ' || provider FROM t, pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid =
        t.oid
    UNION ALL
    SELECT 9, 'it is part of the extension ' || e.extname FROM t
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid
    UNION ALL
    SELECT DISTINCT 10, CASE WHEN d.classid = 'pg_rewrite'::regclass
            THEN pg_describe_object('pg_class'::regclass, (SELECT ev_class FROM pg_rewrite r WHERE r.oid = d.objid), 0)
            ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END || ' depends on it'
    FROM t JOIN pg_class c ON c.oid = t.oid JOIN pg_depend d ON d.deptype = 'n' AND (
        (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
        OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN
            (c.reltype, (SELECT typarray FROM pg_type y WHERE y.oid = c.reltype)) AND d.refobjid <> 0))
    WHERE NOT EXISTS (SELECT FROM pg_attrdef o WHERE d.classid = 'pg_attrdef'::regclass AND o.oid = d.objid AND
        o.adrelid = t.oid)
        AND NOT EXISTS (SELECT FROM pg_constraint o WHERE d.classid = 'pg_constraint'::regclass AND o.oid = d.objid
            AND o.conrelid = t.oid AND o.confrelid <> t.oid)
        AND NOT EXISTS (SELECT FROM pg_index o WHERE d.classid = 'pg_class'::regclass AND o.indexrelid = d.objid
            AND o.indrelid = t.oid)
        AND NOT EXISTS (SELECT FROM pg_rewrite o WHERE d.classid = 'pg_rewrite'::regclass AND o.oid = d.objid
            AND (o.ev_class = t.oid OR o.ev_class IN (SELECT oid FROM left_views)))
        AND d.classid NOT IN ('pg_policy'::regclass, 'pg_trigger'::regclass)
        AND NOT (d.classid = 'pg_class'::regclass AND d.objid = t.oid)
) found ORDER BY place, what
"""


def drop_left_views(connection: Connection, target: Target) -> None:
    """Drop the temporary views of a table that crashed sessions left; nobody can see them, and they would keep the table.

    To be called in the transaction that drops it.
    """
    for (name,) in connection.values(
        f"WITH t AS (SELECT %s::oid AS oid) SELECT name FROM ({LEFT_VIEWS}) v", target.oid
    ):
        connection.execute(f"DROP VIEW IF EXISTS {name} CASCADE")  # on which others of the same session may stand


def refuse_if_gone(connection: Connection, target: Target, read: Iterable[int]) -> None:
    """Raise ThanoSQLDatabaseError if a table that the query read (`read`: oids) is no more: the target may stand in its
    place."""
    ((gone,),) = connection.values(
        "SELECT count(*) FROM unnest(%s::bigint[]) o WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = o)",
        sorted(read),
    )
    if gone:
        raise written_meanwhile(target)
