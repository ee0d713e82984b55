"""PostgreSQL's words that completion and colours know; importing them imports nothing else."""

from __future__ import annotations

_SQL_WORDS_TEXT = """
SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT RIGHT FULL INNER OUTER CROSS LATERAL ON USING
AS AND OR NOT IN IS NULL LIKE ILIKE BETWEEN EXISTS DISTINCT CASE WHEN THEN ELSE END UNION ALL EXCEPT INTERSECT
WITH RECURSIVE VALUES INSERT INTO UPDATE SET DELETE CREATE TABLE TEMP VIEW INDEX DROP ALTER TRUNCATE BEGIN
COMMIT ROLLBACK ASC DESC NULLS FIRST LAST OVER PARTITION FILTER RETURNING TRUE FALSE INTERVAL CAST ANALYZE
SHOW GRANT REVOKE ANY DEFAULT PRIMARY REFERENCES TEMPORARY UNIQUE VACUUM
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
BEHIND = {  # PostgreSQL's words after a first word that is ours as well
    "DELETE": ("FROM",),
    "DROP": ("TABLE", "VIEW", "INDEX", "SCHEMA"),
    "EXPLAIN": ("SELECT", "ANALYZE"),
}
_CLAUSES_TEXT = "SELECT FROM JOIN WHERE GROUP ORDER HAVING ON SET INTO UPDATE VALUES RETURNING LIMIT TABLE"
CLAUSES = frozenset(_CLAUSES_TEXT.split())
