"""A session in, the names it knows out: models, bases, data sets, tables, columns, files; none if none can be had."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLError

if TYPE_CHECKING:
    from thanosql.engine.session import Session

FRESH_SECONDS = 5.0
MOST_FILES = 200
_RELATIONS = """
SELECT n.nspname AS schema, c.relname AS name, pg_table_is_visible(c.oid) AS visible, a.attname AS column
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_toast%' AND c.relname NOT LIKE '\\_thanosql%'
ORDER BY visible DESC, c.relname, a.attnum LIMIT 20000
"""
_read: weakref.WeakKeyDictionary[Session, tuple[float, dict[str, list[str]]]] = weakref.WeakKeyDictionary()


class Catalog:
    """What a session's store and database hold now."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def models(self) -> list[str]:
        return self._session.store.seen_names()

    def bases(self) -> list[str]:
        from thanosql.models.bases import BASES

        return sorted({*BASES, *self._session.settings.base_models})

    def datasets(self) -> list[str]:
        from thanosql.models.datasets import DATASETS

        return list(DATASETS)

    def tables(self) -> list[str]:
        return list(self._relations())

    def columns(self, tables: Mapping[str, str]) -> list[str]:
        """The columns of these tables (alias → name as written); of all tables when none is known."""
        relations = self._relations()
        named = [relations[name] for name in (_folded(table) for table in tables.values()) if name in relations]
        return list(dict.fromkeys(column for columns in named for column in columns))

    def files(self) -> list[str]:
        """Files in the data sets of the workspace that COPY reads."""
        root = self._session.settings.workspace
        folder = root / "thanosql-dataset"
        found = [*folder.glob("*/*.csv"), *folder.glob("*/*.parquet"), *folder.glob("*/*.xlsx")]
        return sorted(str(path.relative_to(root)) for path in found[:MOST_FILES])

    def _relations(self) -> dict[str, list[str]]:
        # Only what is connected already: a Tab must not start a server or wait for one.
        if "database" not in self._session.__dict__:
            return {}
        read, relations = _read.get(self._session, (-FRESH_SECONDS, {}))
        if time.monotonic() - read > FRESH_SECONDS:
            relations = {}
            with contextlib.suppress(ThanoSQLError):
                relations = self._query()
            _read[self._session] = (time.monotonic(), relations)
        return relations

    def _query(self) -> dict[str, list[str]]:
        from thanosql.engine.language.syntax import SQL

        frame = self._session.database.run(SQL.of(_RELATIONS))
        relations: dict[str, list[str]] = {}
        if isinstance(frame, str):
            return relations
        for schema, name, visible, column in frame.itertuples(index=False, name=None):
            known = relations.setdefault(_quoted(name) if visible else f"{_quoted(schema)}.{_quoted(name)}", [])
            if isinstance(column, str):
                known.append(_quoted(column))
        return relations


def _quoted(name: str) -> str:
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'


def _folded(name: str) -> str:
    return ".".join(part if part.startswith('"') else part.lower() for part in name.split("."))
