"""A table in; everything about it that a table in its place should have again, out.

Read twice, before the new table is made and under the lock: two definitions are equal if nobody changed the table
between.
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.naming import type_of


@dataclass(frozen=True, slots=True)
class Piece:
    """A column as it is stored: its type as format_type writes it, its collation (quoted) where it is not the
    type's."""

    name: str
    type: str
    collation: str | None


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column of the table to be replaced. `uses` are the names of the columns that its default reads."""

    piece: Piece
    required: bool
    identity: str  # '', 'a' (always) or 'd' (by default)
    generated: str  # '', 's' (stored) or 'v' (virtual)
    default: str | None
    uses: tuple[str, ...]
    comment: str | None
    options: tuple[str, ...]
    statistics: int | None
    storage: str | None
    sequence: str | None  # quoted, the one that the column owns


@dataclass(frozen=True, slots=True)
class Part:
    """A constraint, index or statistics object, with the columns it needs and its definition in SQL."""

    kind: str  # pg_constraint's contype; 'i' an index; 's' statistics
    name: str
    definition: str
    needs: tuple[str, ...]
    comment: str | None
    tablespace: str | None = None
    options: tuple[str, ...] = ()  # a key's index's; an index's own definition has them
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A right that somebody has; `column` is None for one on the whole table, `grantee` is quoted or PUBLIC."""

    privilege: str
    grantee: str
    grantable: bool
    column: str | None


@dataclass(frozen=True, slots=True)
class Definition:
    """All of it. `granted` is False where nobody ever granted or revoked anything."""

    owner: str
    persistence: str  # 'p', 'u' (unlogged) or 't' (temporary)
    method: str
    tablespace: str | None
    options: tuple[str, ...]
    replica_identity: str  # 'd', 'n', 'f' or 'i', as in pg_class
    comment: str | None
    granted: bool
    clustered: str | None  # the index that CLUSTER goes by
    identity_index: str | None  # the index that is the replica identity
    attributes: tuple[Attribute, ...]
    parts: tuple[Part, ...]
    grants: tuple[Grant, ...]


def pieces(connection: Connection, table: str) -> tuple[Piece, ...]:
    """The columns of a table (its name quoted), in order."""
    return tuple(
        Piece(*row)
        for row in connection.values(
            f"SELECT a.attname::text, {type_of('a.atttypid', 'a.atttypmod')},"
            " CASE WHEN a.attcollation <> y.typcollation THEN format('%%I.%%I', n.nspname, l.collname) END"
            " FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid"
            " LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace"
            " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            table,
        )
    )


def definition_of(connection: Connection, oid: int) -> Definition:
    """What stands at this oid now."""
    ((owner, persistence, method, tablespace, options, identity, comment, granted, clustered, chosen),) = (
        connection.values(TABLE, oid)
    )
    columns = pieces(connection, str(oid))
    attributes = tuple(
        Attribute(
            piece, required, kind, generated, default, tuple(uses), said, tuple(settings), target, storage, sequence
        )
        for piece, (required, kind, generated, default, uses, said, settings, target, storage, sequence) in zip(
            columns, connection.values(ATTRIBUTES, oid), strict=True
        )
    )
    parts = [
        Part(kind, name, text, tuple(needs), said, space, tuple(settings))
        for kind, name, text, needs, said, space, settings in connection.values(CONSTRAINTS, oid)
    ]
    parts += [
        Part("i", name, text.removeprefix(prefix), tuple(needs), said, space, unique=unique)
        for name, prefix, text, needs, said, unique, space in connection.values(INDEXES, oid)
    ]
    parts += [
        Part("s", name, text, tuple(needs), said) for name, text, needs, said in connection.values(STATISTICS, oid)
    ]
    grants = grants_on(connection, str(oid))
    return Definition(
        owner,
        persistence,
        method,
        tablespace,
        tuple(options),
        identity,
        comment,
        granted,
        clustered,
        chosen,
        attributes,
        tuple(parts),
        grants,
    )


def grants_on(connection: Connection, relation: str) -> tuple[Grant, ...]:
    """Who may what on a table or sequence (its name quoted)."""
    return tuple(Grant(*row) for row in connection.values(GRANTS, relation, relation))


TABLE = """
SELECT quote_ident(pg_get_userbyid(c.relowner)), c.relpersistence::text, quote_ident(m.amname), quote_ident(s.spcname),
    coalesce(c.reloptions, '{}'), c.relreplident::text, obj_description(c.oid, 'pg_class'), c.relacl IS NOT NULL,
    (SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid AND
        x.indisclustered),
    (SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid AND
        x.indisreplident)
FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE c.oid
= %s
"""

ATTRIBUTES = """
SELECT a.attnotnull, a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid),
    ARRAY(SELECT u.attname::text FROM pg_depend p JOIN pg_attribute u ON u.attrelid = p.refobjid AND u.attnum =
        p.refobjsubid
        WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
            AND p.refobjid = a.attrelid AND p.refobjsubid <> a.attnum ORDER BY u.attnum),
    col_description(a.attrelid, a.attnum), coalesce(a.attoptions, '{}'), nullif(a.attstattarget, -1)::int,
    CASE WHEN a.attstorage <> y.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
        WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
    (SELECT q.oid::regclass::text FROM pg_depend p JOIN pg_class q ON q.oid = p.objid AND q.relkind = 'S'
        WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid
            AND p.refobjsubid = a.attnum AND p.deptype IN ('a', 'i') ORDER BY q.oid LIMIT 1)
FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

CONSTRAINTS = """
SELECT c.contype::text, c.conname::text, pg_get_constraintdef(c.oid),
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum > 0 AND (
        a.attnum = ANY (c.conkey) OR a.attnum IN (SELECT p.refobjsubid FROM pg_depend p
            WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = c.conrelid AND (
                (p.classid = 'pg_constraint'::regclass AND p.objid = c.oid)
                OR (p.classid = 'pg_class'::regclass AND p.objid = c.conindid)))) ORDER BY a.attnum),
    obj_description(c.oid, 'pg_constraint'), quote_ident(t.spcname), coalesce(i.reloptions, '{}')
FROM pg_constraint c LEFT JOIN pg_class i ON i.oid = c.conindid AND c.contype IN ('p', 'u', 'x')
LEFT JOIN pg_tablespace t ON t.oid = i.reltablespace
WHERE c.conrelid = %s AND c.contype IN ('n', 'c', 'p', 'u', 'x', 'f')
ORDER BY position(c.contype::text IN 'ncpuxf'), c.conname
"""

INDEXES = """
SELECT i.relname::text,
    format(CASE WHEN x.indisunique THEN 'CREATE UNIQUE INDEX' ELSE 'CREATE INDEX' END || ' %%I ON %%I.%%I ',
        i.relname, n.nspname, t.relname),
    pg_get_indexdef(i.oid),
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND (
        a.attnum = ANY (x.indkey) OR a.attnum IN (SELECT p.refobjsubid FROM pg_depend p
            WHERE p.classid = 'pg_class'::regclass AND p.objid = i.oid
                AND p.refclassid = 'pg_class'::regclass AND p.refobjid = t.oid)) ORDER BY a.attnum),
    obj_description(i.oid, 'pg_class'), x.indisunique, quote_ident(s.spcname)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
WHERE x.indrelid = %s AND x.indisvalid
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x'))
ORDER BY i.relname
"""

STATISTICS = """
SELECT format('%%I.%%I', n.nspname, s.stxname), pg_get_statisticsobjdef(s.oid),
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = s.stxrelid AND a.attnum > 0 AND (
        a.attnum = ANY (s.stxkeys) OR a.attnum IN (SELECT p.refobjsubid FROM pg_depend p
            WHERE p.classid = 'pg_statistic_ext'::regclass AND p.objid = s.oid
                AND p.refclassid = 'pg_class'::regclass AND p.refobjid = s.stxrelid)) ORDER BY a.attnum),
    obj_description(s.oid, 'pg_statistic_ext')
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = %s ORDER BY 1
"""

SEQUENCE = """
SELECT n.nspname::text, c.relname::text, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE s.seqrelid = %s::regclass
"""

GRANTS = """
SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, is_grantable,
    NULL
FROM pg_class, aclexplode(relacl) WHERE oid = %s::regclass
UNION ALL
SELECT x.privilege_type, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
    x.is_grantable, a.attname::text
FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 4 NULLS FIRST, 2, 1
"""
