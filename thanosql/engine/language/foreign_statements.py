"""A whole statement of another database, which PostgreSQL refused, in; the statement to write out.

A table of patterns; `tests/fixtures/habits.txt` shows them at work.
"""

from __future__ import annotations

from collections.abc import Sequence

from thanosql.engine.language.cures import Cure, compiled, rewritten
from thanosql.engine.language.terminals import Lexeme
from thanosql.engine.language.vocabulary import vocabulary

LONGEST = 5000  # characters of a text that is looked at

# Whole statements: a pattern, what is wrong, and the statement to write.
_NAME = r"""((?:[\w.]++|"[^"]++")++)"""
_STATEMENTS = [
    (compiled(pattern), wrong, written)
    for pattern, wrong, written in (
        (rf"create\s+or\s+replace\s+(temp(?:orary)?\s+)?table\s+{_NAME}\s+(.*?)\s*(?:;\s*)?$",
         "PostgreSQL has no CREATE OR REPLACE TABLE", r"BEGIN; DROP TABLE IF EXISTS \2; CREATE \1TABLE \2 \3; COMMIT"),
        (rf"insert\s+overwrite\s+(?:into\s+|table\s+)*{_NAME}\s+(.*?)\s*(?:;\s*)?$", "PostgreSQL has no INSERT OVERWRITE",
         r"BEGIN; CREATE TEMP TABLE fresh AS \2; TRUNCATE \1; INSERT INTO \1 TABLE fresh; COMMIT"),
        (r"insert\s+ignore\s+(?:into\s+)?(.*?)\s*(?:;\s*)?$", "PostgreSQL has no INSERT IGNORE",
         r"INSERT INTO \1 ON CONFLICT DO NOTHING"),
        (r"(?:insert\s+or\s+replace|replace)\s+into\s+(.*?)\s*(?:;\s*)?$", "PostgreSQL replaces a row by its key",
         r"INSERT INTO \1 ON CONFLICT (…) DO UPDATE SET … = excluded.…"),
        (rf"(insert|merge)\s+(?!into\b)(?:table\s+)?{_NAME}", "INTO is missing", r"\1 INTO \2"),
        (rf"insert\s+into\s+table\s+{_NAME}", "TABLE is not written here", r"INSERT INTO \1"),
        (rf"update\s+table\s+{_NAME}", "TABLE is not written here", r"UPDATE \1"),
        (r"delete\s+(?!from\b)\w+\s+from\s+", "DELETE is followed by FROM", "DELETE FROM "),
        (rf"delete\s+(?!from\b){_NAME}(?=\s|;|$)", "FROM is missing", r"DELETE FROM \1"),
        (rf"delete\s+\*\s+from\s+{_NAME}", "DELETE takes whole rows", r"DELETE FROM \1"),
        (r"drop\s+if\s+exists\s+(table|view|schema|index|sequence)\s+", "IF EXISTS comes before the name",
         r"DROP \1 IF EXISTS "),
        (rf"drop\s+(table|view|schema|index|sequence)\s+(?!if\b){_NAME}\s+if\s+exists\b", "IF EXISTS comes before the name",
         r"DROP \1 IF EXISTS \2"),
        (rf"drop\s+{_NAME}\s*(?:;\s*)?$", "TABLE is missing", r"DROP TABLE \1"),
        (r"create\s+(database|role|user)\s+if\s+not\s+exists\s+", r"CREATE \1 takes no IF NOT EXISTS", r"CREATE \1 "),
        (rf"alter\s+table\s+{_NAME}\s+(?:modify|change)\s+(?:column\s+)?(\w+)\s+(?:\2\s+)?([\w ]+)$",
         "PostgreSQL has no MODIFY", r"ALTER TABLE \1 ALTER COLUMN \2 TYPE \3"),
        (rf"alter\s+table\s+{_NAME}\s+add\s+(?:column|columns)?\s*\(([^()]*)\)", "A column is added without parentheses",
         r"ALTER TABLE \1 ADD COLUMN \2"),
        (rf"rename\s+table\s+{_NAME}\s+to\s+", "RENAME belongs to ALTER TABLE", r"ALTER TABLE \1 RENAME TO "),
        (rf"truncate\s+(?:table\s+)?if\s+exists\s+{_NAME}", "TRUNCATE takes no IF EXISTS", r"TRUNCATE \1"),
        (r"(analyze|vacuum)\s+table\s+", "TABLE is not written here", r"\1 "),
        (r"optimize\s+table\s+", "PostgreSQL has no OPTIMIZE", "VACUUM "),
        (r"explain\s+extended\s+", "PostgreSQL has no EXPLAIN EXTENDED", "EXPLAIN VERBOSE "),
        (r"explain\s+format\s*=\s*(\w+)", "EXPLAIN takes its options in parentheses", r"EXPLAIN (FORMAT \1)"),
        (r"create\s+user\s+(\w+)\s+identified\s+by\s+", "PostgreSQL writes PASSWORD", r"CREATE USER \1 PASSWORD "),
        (r"(create\s+table\s+.*?)\s*\bengine\s*=\s*\w+.*$", "PostgreSQL has no ENGINE", r"\1"),
        (r"(select\s+.*?\s+from\s+.*?\s+limit\s+)(\d+)\s*,\s*(\d+)", "PostgreSQL writes the two numbers separately",
         r"\1\3 OFFSET \2"),
        (r"(select\s+.*?\s+from\s+(\S++).*?\s+limit\s+)(\d+)\s+percent\b", "PostgreSQL has no PERCENT",
         r"\1(SELECT count(*) * \3 / 100 FROM \2)"),
        (rf"(select\s+.*?\s+from\s+{_NAME})\s+(?:table)?sample\s*\(\s*([\d.]+)\s*(?:percent|%)?\s*\)",
         "PostgreSQL needs a sampling method and a percentage", r"\1 TABLESAMPLE BERNOULLI (\3)"),
        (r"(?>select\s+(.*?)\s+from\s+)(?>(.*?)\s+qualify\s+)(.*\bover\s*\(.*\))\s*(<=|<|=)\s*(\d+)",
         "PostgreSQL has no QUALIFY", r"SELECT * FROM (SELECT \1, \3 AS position FROM \2) q WHERE position \4 \5"),
    )
]  # fmt: skip


def statement(text: str, pieces: Sequence[Lexeme], _at: int | None) -> Cure | None:
    """A whole statement of another database."""
    if len(text) > LONGEST:
        return None
    behind_as = (
        next((one.end for one in pieces if one.upper == "AS"), None) if pieces[0].upper in vocabulary().own else None
    )
    begins = [pieces[0].start, *(one.start for one in pieces if behind_as is not None and one.start >= behind_as)][:2]
    for begin in begins:
        for pattern, wrong, written in _STATEMENTS:
            found = pattern.match(text, begin)
            if found is not None and (begin == begins[0] or found[0][:6].upper() == "SELECT"):
                shown = rewritten(text, (begin, found.end(), found.expand(written)))
                return Cure(f"{found.expand(wrong)}; write: {shown}")
    return None
