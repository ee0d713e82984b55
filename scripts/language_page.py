"""The grammar, the statements' classes and the lexer's limits in, docs/reference/language.md out: what an implementer needs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from thanosql.engine import parser
from thanosql.engine.language import grammar, limits, terminals
from thanosql.engine.language.statement_syntax import CLAUSES
from thanosql.engine.language.vocabulary import vocabulary

LIMITS = (
    ("statements in statements", limits.MAX_NESTED),
    ("parentheses and brackets open at once in SQL", limits.MAX_PARENTHESES),
    ("parentheses and lists open at once in a head", limits.MAX_LISTS),
    ("words, values and signs of a head; a stretch of strings and numbers in a list is one", limits.MAX_HEAD),
    ("WITH queries that a nested statement sees", limits.MAX_WITH),
    ("characters of a model's name", parser.MAX_NAME),
    ("characters of a number", terminals.MAX_DIGITS),
)


def language() -> Iterator[str]:
    """The page, paragraph by paragraph."""
    ours = vocabulary()
    shared = sorted(ours.firsts - ours.own)
    yield "# The language"
    yield (
        "This page is for implementers: how a text is divided into tokens, the grammar, what names refer to, and what "
        "runs when. "
        "The results of each statement are described in [Statements](statements.md)."
    )
    yield "## A text"
    yield (
        "A text holds statements, divided by `;`. Empty statements are left out. All are parsed before the first one runs. "
        "They run in their order; the first error stops the rest, and the statements before it stay done. The result is that "
        "of the last statement. Before a statement, a byte order mark and spaces that SQL does not know are ignored."
    )
    yield (
        f"A statement is ours when it opens with one of {_listed(ours.own)}. With one of {_listed(shared)} it is ours "
        "if a keyword of ours follows: `DROP MODEL`, `EXPLAIN PREDICT`, `COPY t FROM 'path'` with nothing after the "
        "path but `OPTIONS`. Every other statement goes to PostgreSQL as written. A first word that is nearly one "
        "of ours is an error, unless it opens a command of PostgreSQL."
    )
    yield "## Lexemes"
    yield (
        "White space, comments (`--` to the end of the line, `/* */` nested), strings (`'…'` with `''`, `E'…'`, "
        "`U&'…'`, `$tag$…$tag$`), quoted names and numbers are PostgreSQL's. Two strings with a line break between "
        "them are one string. "
        f"Keywords are read in any case, and but for {_listed(CLAUSES)} each may be a name. Between the parentheses of "
        "`OPTIONS` every word is a name. If the session has turned off `standard_conforming_strings`, `'…'` is read like "
        "`E'…'`."
    )
    yield f"The keywords: {_listed(ours.keywords)}."
    yield (
        "SQL is not parsed: it is taken whole, from its beginning to the `;` or the parenthesis that ends it. A `;` "
        "between parentheses, or in a `BEGIN ATOMIC … END`, does not end it. The SQL is cut only at parameters and at nested "
        "statements."
    )
    yield "## Grammar"
    yield (
        "In the notation of [lark](https://lark-parser.readthedocs.io/en/stable/grammar.html), LALR(1). `SQL` is a "
        "stretch of SQL, its parameters in it; `LITERALS` is a stretch of strings and numbers in a list."
    )
    yield "```text\n" + _grammar() + "\n```"
    yield (
        "The grammar allows these, and a later check refuses them: a value that is one name in double quotes (a "
        "string stands in single "
        "ones, a name in a string or bare); an option given twice, or in two spellings of its letters; a model's name with "
        "other characters than `A` to `Z`, `a` to `z`, `0` to `9` and `_`. `True`, `False` and `NULL` are values in any case. "
        "Parentheses around a whole query, a model's name or an option mean nothing."
    )
    yield "## Limits"
    yield "| at most | of |\n| --- | --- |\n" + "\n".join(f"| {count:,} | {what} |" for what, count in LIMITS)
    yield "## Parameters"
    yield (
        "`:name` is a parameter: letters, digits and underscores, no digit first. It stands in SQL, as an option's "
        "value, in a list, or as the path of `COPY` and `UPLOAD`. Its value goes to the driver as a value, and is never "
        "pasted into SQL. `::` is a cast and `:=` an assignment. In brackets, a colon after an operand divides the "
        "bounds of a slice, and so does a colon at the beginning of a subscript: `a[:n]` is PostgreSQL's, `a[(:n)]` "
        "and `ARRAY[:n]` "
        "have a parameter. In `JSON_OBJECT(…)` a colon after a key divides the key from its value."
    )
    yield (
        "A value that is a table (a DataFrame, an Arrow table) is written where a table can be, after `FROM`, `JOIN`, "
        "`USING` or "
        "a comma. Its rows fill a temporary table, which has the parameter's name unless an alias follows. A list after "
        "`IN` or `NOT IN`, in parentheses or not, is `= ANY` or `<> ALL` of an array of its items; a list of lists is a "
        "list of rows."
    )
    yield "```sql\nSELECT (ARRAY[10, 20, 30])[(:n) - 6] AS chosen, (ARRAY[10, 20, 30])[:2] AS first_two\n```"
    yield "## Names"
    yield (
        "A model's name is case-sensitive. After `USING`, a name is a model of the store or, if there is none, a "
        "base; a string is a "
        "folder or a hub id. A table in an option or after `COPY` is read as `to_regclass` reads it: with its schema, "
        "its quotes, and folded to lower case. A column in an option is looked up in the query's result as written, "
        "then folded."
    )
    yield "## Statements in a query"
    nesting = [syntax.title for syntax in ours.syntaxes if syntax.nests]
    yield (
        f"{_listed(nesting)} can be used in parentheses wherever a sub-select can. After `(`, a statement with `USING` opens "
        "by its two words; the others only where a sub-select may open, so that `CREATE TABLE t (list tables)` is a "
        "column. `BUILD` and `FIT` make no rows and are refused there. A nested statement is also refused after "
        "`LATERAL`, and in "
        "an object that lasts longer than the statement (a view, a function, a prepared statement). A correlated one is "
        "refused because a nested statement runs once, before the query around it."
    )
    yield (
        "```sql\nSELECT predict_result, count(*)\nFROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls) p\n"
        "GROUP BY predict_result\n```"
    )
    yield "## WITH"
    yield (
        "The query of a nested statement sees the WITH names that are in sight where it stands: those of the lists "
        "around it, inner ones first, and of its own list those before it. A name is compared as PostgreSQL folds it. "
        "A WITH query that a nested statement reads runs once, into a temporary table, which every use of its name "
        "reads: a query "
        "with `random()` gives the same rows inside and outside of the statement. A WITH query that no statement reads is not "
        "changed. A statement in "
        "the recursive part of a `WITH RECURSIVE` cannot read that name. `WITH` before a statement of ours is refused: the "
        "list belongs into the statement's query. If two WITH queries have the same name, the inner one hides the outer, as in "
        "PostgreSQL. Both may be needed: the inner one can read the outer one, unless it is `RECURSIVE`."
    )
    yield (
        "```sql\nWITH short AS (SELECT * FROM calls ORDER BY audio_path LIMIT 2)\n"
        "SELECT * FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM short) p\n```"
    )
    yield (
        "A WITH query that a statement reads may change data (`INSERT`, `UPDATE`, `DELETE`, `MERGE`, with `RETURNING`), lock "
        "rows (`FOR UPDATE SKIP LOCKED`) or call `nextval` where PostgreSQL allows it, in the WITH list of the whole SQL. All "
        "of the SQL is then one transaction, or a part of the open transaction. If it fails, is interrupted or killed, "
        "even while the model works, nothing has changed; and nobody sees the change, or gets the locked rows, before "
        "it is over. In "
        "PostgreSQL all parts of a query see the data as they were before the query, but such a WITH query runs "
        "before the parts "
        "that follow. So it is refused, with the statements to write instead, if one of these parts (the query around it, "
        "another WITH query that it does not read itself, the query of any statement in it, an `lm_query`) reads or writes a "
        "table that it changes, also through a view or a partition. PostgreSQL's plans tell which tables these are. Cases "
        "that the plans do not show are refused too: a function of the user that is not `IMMUTABLE`, in any part; and "
        "for a table "
        "that is written, a trigger (other than a foreign key that only checks), row security, a foreign table. `EXPLAIN` "
        "runs none of the SQL."
    )
    yield (
        "```sql\nCREATE TABLE queue AS SELECT * FROM calls;\nCREATE TABLE heard (audio_path text, predict_result text);\n"
        "WITH taken AS (DELETE FROM queue RETURNING *)\nINSERT INTO heard SELECT audio_path, predict_result\n"
        "FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM taken) p\n```"
    )
    yield "## What runs when"
    steps = (
        "The whole text is parsed.",
        "Then these steps follow for each statement in turn. Its names, options, columns and rights are checked; "
        "nothing is run. "
        "PostgreSQL plans the SQL around nested statements (`EXPLAIN`), with empty tables in place of their results.",
        "The statements inside its query run once each, the innermost first, and write into temporary tables.",
        "The query runs READ ONLY, and its rows are stored as a snapshot.",
        "The headers of the audio are read; then the model is loaded and does its work.",
        "The result's tables or model replace the old ones in one step.",
    )
    yield "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    yield (
        "A query and the statements in it read the database at **one moment**: steps 3 and 4 are one REPEATABLE READ "
        "transaction, so a row that another session changes or deletes while a model computes is the same in every part. "
        "Two cases differ. SQL that changes or locks rows (`INSERT`, `UPDATE`, `DELETE`, `MERGE`, `FOR UPDATE`) runs after the "
        "statements in it, as it must see rows that others have changed meanwhile; where a statement reads a WITH query that "
        "does so, all is one transaction of the session's default isolation level. Inside `BEGIN`, the isolation level of "
        "the transaction holds: with READ COMMITTED each part has a moment of its own, and a note says so. Until such a "
        "query is over, the tables that it reads cannot be altered or dropped, and `VACUUM` keeps the rows that it may "
        "still see: so write the result of long work into a table first, and query this table."
    )
    yield (
        "`BUILD`, `FIT`, `COPY` into a table, and a statement with a `table_name` are refused inside an open transaction. "
        "What is done in the store or in files there (`GET`, `UPLOAD`, `DROP MODEL`, `COPY … TO`) is done at once, and "
        "`ROLLBACK` does not undo it. If a statement fails, is interrupted or killed, every table and model stays as "
        "it was. If the query has no rows, `PREDICT`, `ALIGN` and `CHECK` give no rows, and an empty table if one is named; "
        "`EVALUATE`, `BUILD` and `FIT` refuse such a query."
    )
    yield f"{_listed(ours.prefixes)} load no model and change nothing; they are written before {_listed(ours.planned)}."


def _grammar() -> str:
    """The rules without comments; keywords stand in any case, so the marks for it are left out."""
    rules = re.sub(r"^(?://.*|%declare.*)\n", "", grammar.text(), flags=re.MULTILINE)
    rules = re.sub(r'("[A-Z]+")i\b', r"\1", rules)
    lines: list[str] = []
    for line in re.sub(r"\n{3,}", "\n\n", rules).strip().splitlines():
        lines += textwrap.wrap(line, 118, subsequent_indent="    ", break_on_hyphens=False) or [""]
    return "\n".join(lines)


def _listed(words: Iterable[str]) -> str:
    parts = [f"`{word}`" for word in sorted(words)]
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
