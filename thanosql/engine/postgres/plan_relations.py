"""SQL in; the tables that it would change and read, and what hides others from its plan, out. Nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thanosql.engine.postgres.connection import Connection

_CALLED = re.compile(r'("(?:[^"]|"")+"|[^\W\d][\w$]*)\(')

# What a plan does not show reads or changes tables in a function: of the user, as only an immutable one reads none, or one
# of PostgreSQL's that runs the SQL which it is given. So do triggers, but for those that only look whether a key is there,
# checks and policies of a table that is written, and operators and casts, which a plan writes without a function's name.
_HIDDEN = """
WITH called AS (
    SELECT p.oid, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND (p.provolatile <> 'i' OR p.prokind = 'a')
), ours AS (
    SELECT c.oid FROM called c JOIN pg_proc p USING (oid) JOIN pg_language l ON l.oid = p.prolang
    WHERE l.lanname NOT IN ('c', 'internal')
)
SELECT 'the function ' || proname FROM called WHERE proname = ANY(%s)
UNION ALL SELECT 'the function ' || name FROM unnest(%s::text[]) name
    WHERE name ~ '^(query|table|cursor|schema|database)_to_xml' OR name IN ('ts_stat', 'ts_rewrite')
UNION ALL SELECT 'the trigger ' || t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = ANY(%s::bigint[]::oid[]) AND t.tgenabled <> 'D'
        AND NOT (t.tgisinternal AND p.proname ~ '^RI_FKey_(check|noaction|restrict)_')
UNION ALL SELECT 'the constraint ' || c.conname FROM pg_constraint c JOIN pg_depend d
    ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass
    WHERE (c.conrelid = ANY(%s::bigint[]::oid[]) OR c.contypid <> 0) AND d.refobjid IN (SELECT oid FROM called)
UNION ALL SELECT 'the row security of ' || relname FROM pg_class WHERE oid = ANY(%s::bigint[]::oid[]) AND relrowsecurity
UNION ALL SELECT 'the foreign table ' || relname FROM pg_class WHERE oid = ANY(%s::bigint[]::oid[]) AND relkind = 'f'
UNION ALL SELECT 'the operator ' || oprname FROM pg_operator WHERE oprcode IN (SELECT oid FROM ours)
    AND strpos(%s, ' ' || oprname || ' ') > 0
UNION ALL SELECT 'the cast to ' || format_type(casttarget, NULL) FROM pg_cast WHERE castfunc IN (SELECT oid FROM ours)
"""
# Of a partition the whole tree: rows may come into any of it.
_TREE = """
SELECT DISTINCT coalesce(t.relid::oid, c.oid)::bigint
FROM unnest(%s::text[], %s::text[]) AS named(schema, name)
    JOIN pg_namespace n ON CASE named.schema WHEN 'pg_temp' THEN n.oid = pg_my_temp_schema() ELSE n.nspname = named.schema END
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = named.name
    LEFT JOIN LATERAL pg_partition_tree(pg_partition_root(c.oid)) t ON true
"""


@dataclass(frozen=True)
class Touched:
    """What SQL does to tables, by their oids: `changes`, and `reads` or changes. `hidden` is what may do more to others;
    `runs` is false of what PostgreSQL would leave undone."""

    changes: frozenset[int]
    reads: frozenset[int]
    hidden: str
    runs: bool


def touched(connection: Connection, plans: list[Any]) -> Touched:
    """What SQL would do, of its plan as EXPLAIN (VERBOSE, FORMAT JSON) gives it."""
    nodes = [node for plan in plans for node in _nodes(plan)]
    changed = [_name(node) for node in nodes if node.get("Node Type") == "ModifyTable" and "Relation Name" in node]
    changed += [_name(target) for node in nodes for target in node.get("Target Tables", ())]
    read = [_name(node) for node in nodes if "Relation Name" in node] + changed
    changes, reads = _oids(connection, changed), _oids(connection, read)
    texts = [text for node in nodes for text in _texts(node)]
    called = sorted({_unquoted(name) for text in texts for name in _CALLED.findall(text)})
    called += [node["Function Name"] for node in nodes if "Function Name" in node]
    written = sorted(changes)
    hidden = connection.values(_HIDDEN, called, called, written, written, written, written, " ".join(texts))
    runs = all(isinstance(plan, dict) and "Plan" in plan for plan in plans)
    return Touched(changes, reads, hidden[0][0] if hidden else "", runs)


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _nodes(one)


def _texts(node: dict[str, Any]) -> Iterator[str]:
    for value in node.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield one


def _name(node: dict[str, Any]) -> tuple[str, str]:
    return node["Schema"], node["Relation Name"]


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _oids(connection: Connection, names: list[tuple[str, str]]) -> frozenset[int]:
    schemas, tables = [schema for schema, _ in names], [table for _, table in names]
    return frozenset(oid for (oid,) in connection.values(_TREE, schemas, tables))
