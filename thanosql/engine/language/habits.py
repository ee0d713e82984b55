"""A statement that PostgreSQL refused in, what to write here out: the habits of psql, of other databases, and of notebooks.

A table of patterns and sentences; `tests/fixtures/habits.txt` shows each at work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from thanosql.engine.language.cures import Cure
from thanosql.engine.language.lookaround import is_operand
from thanosql.engine.language.terminals import Lexeme
from thanosql.engine.language.vocabulary import POSTGRES
from thanosql.errors import near

_SHOWN = 200  # characters of a statement that a cure repeats
_FILES = (".csv", ".tsv", ".parquet", ".jsonl")
_NAME = r"""(?P<name>[\w.]+|"[^"]+")"""
_LISTS_TABLES = "List tables with a statement: LIST TABLE"
_PYTHON = "This is Python: put it in a cell without %%thanosql"
_HELP = "For help, write PREDICT? in a notebook or at the prompt, or run: thanosql help"
_DATABASE = (
    "Choose another database with %thanosql postgresql://user@host/database, or with --database on the command line"
)
_LOADS = "Read a file into a table with a statement: COPY {name} FROM {path}"
_WRITES = "Write a table to a file with a statement: COPY (SELECT * FROM {name}) TO 'file.csv'"
_FIRST_ROWS = "Show a table with a query: SELECT * FROM {name} LIMIT 10"
_COLUMNS = "Find the columns of a table with a query: {columns}"

# By how a statement opens. `{name}` and `{path}` stand for the pattern's groups, `{columns}` for a query of a table's columns.
_OPENINGS = {
    # psql's
    rf"\\d[a-zS+]*\s+{_NAME}": _COLUMNS,
    r"\\dn\+?": "List schemas with a query: SELECT nspname FROM pg_namespace",
    r"\\du\+?": "List users with a query: SELECT rolname FROM pg_roles",
    r"\\df\+?": "List functions with a query: SELECT proname FROM pg_proc",
    r"\\d[a-zS+]*": _LISTS_TABLES,
    r"\\l\+?": "List databases with a query: SELECT datname FROM pg_database",
    r"\\(?:c|connect)\b": _DATABASE,
    r"\\(?:\?|h|help)": _HELP,
    r"\\x\b": "To show one value per line, use the prompt (thanosql, then \\x) or the command line (--expanded)",
    r"\\timing\b": "Time a cell with IPython: %%time above %%thanosql",
    rf"\\copy\s+{_NAME}\s+from\s+(?P<path>'[^']*')": _LOADS,
    rf"\\copy\s+{_NAME}\s+to\b": _WRITES,
    r"\\copy\b": "Write a query's result to a file with a statement: COPY (SELECT …) TO 'file.csv'",
    r"\\(?:i|ir|include)\b(?:\s+(?P<file>\S+))?": "Run a script on the command line: thanosql --file {file}",
    r"\\q(?:uit)?\b": "exit ends the thanosql prompt only; close a notebook from its menu",
    r"\\\w*": "psql's commands are not known here; PREDICT? explains a statement, LIST TABLE lists tables",
    rf"copy\s+into\s+{_NAME}\s+from\s+(?P<path>'[^']*')": "COPY takes no INTO; write: COPY {name} FROM {path}",
    rf"copy\s+from\s+(?P<path>'[^']*')\s+(?:in)?to\s+{_NAME}": "The table comes first; write: COPY {name} FROM {path}",
    rf"copy\s+(?P<path>'[^']*')\s+(?:in)?to\s+{_NAME}": "The table comes first; write: COPY {name} FROM {path}",
    # SQLite's
    r"\.tables\b": _LISTS_TABLES,
    rf"\.schema\s+{_NAME}": _COLUMNS,
    r"\.(?:help|h)\b": _HELP,
    r"(?:\.read|source)\s+(?P<file>[\w./~-]+)": "Run a script on the command line: thanosql --file {file}",
    r"\.[a-z]+\b": "SQLite's commands are not known here; PREDICT? explains a statement, LIST TABLE lists tables",
    rf"pragma\s+table_info\s*\(\s*'?{_NAME}": _COLUMNS,
    # other databases'
    r"(?:help|man)\b|\?": _HELP,
    r"(?:quit|exit)\b": "exit ends the thanosql prompt only; close a notebook from its menu",
    rf"(?:desc|summarize|summary)\s+(?:table\s+)?{_NAME}": _COLUMNS,
    r"show\s+(?:ml_?)?(?:models|predictors)\b": "List models with a statement: LIST MODEL",
    r"show\s+(?:full\s+)?tables\b": _LISTS_TABLES,
    r"show\s+(?:databases|schemas)\b": "List schemas with a query: SELECT nspname FROM pg_namespace",
    rf"show\s+(?:full\s+)?(?:columns|fields)\s+(?:from|in)\s+{_NAME}": _COLUMNS,
    rf"show\s+create\s+table\s+{_NAME}": _COLUMNS,
    rf"show\s+(?:index|indexes|indices|keys)\s+(?:from|in)\s+{_NAME}": "List indexes with a query: SELECT indexdef FROM "
    "pg_indexes WHERE tablename = '{name}'",
    r"show\s+(?:global\s+|session\s+)?variables\b": "List the settings with a statement: SHOW ALL",
    r"show\s+functions\b": "List functions with a query: SELECT proname FROM pg_proc",
    rf"explain\s+{_NAME}\s*;?\s*$": _COLUMNS,
    rf"rollback\s+{_NAME}\s*;?\s*$": "MODEL is missing; write: ROLLBACK MODEL {name}",
    r"limit\s+(?P<name>\d+)\s*;?\s*$": "LIMIT ends a query: SELECT * FROM calls LIMIT {name}",
    r"(?:attach|detach)\b": "A session has one database, which %thanosql postgresql://user@host/database chooses. Files "
    "become tables: COPY name FROM 'file.csv'",
    r"(?:force\s+)?install\s+\w+": "SQL installs nothing here; thanosql doctor says what is installed, and what to "
    "install with pip",
    r"use\s+\w+": "Choose a schema with a statement: SET search_path TO name",
    r"create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+)?(?:model|predictor)\b": "Make a model with a statement of its own: "
    "BUILD MODEL name USING base AS SELECT audio_path, text FROM …",
    r"create\s+(?:training\s+)?job\b": "Train a model with a statement: BUILD MODEL name USING base AS SELECT audio_path, "
    "text FROM …",
    rf"(?:show|explain)\s+(?:ml_)?model\s+{_NAME}": "Describe a model with a statement: DESCRIBE MODEL {name}",
    r"show\s+ml_engines\b": "List base models with a statement: LIST THANOSQL MODEL",
    rf"delete\s+from\s+model\s+{_NAME}": "Drop a model with a statement: DROP MODEL {name}",
    r"(?:alter\s+model|retrain|finetune)\b": "Train a model further with a statement of its own: FIT MODEL name USING name "
    "AS SELECT audio_path, text FROM …",
    r"(?:transcribe|recognize|infer|score)\s+(?P<name>using\b[^\n;]{0,200})": "Transcribe audio with a statement: PREDICT "
    "{name}",
    rf"(?:transcribe|recognize)\s+(?:audio\s+|from\s+)?{_NAME}": "Transcribe audio with a statement: PREDICT USING model "
    "AS SELECT audio_path FROM {name}",
    r"(?:play|listen\s+to)\b": "Play audio with a statement: PRINT AUDIO AS SELECT audio_path FROM …",
    rf"load\s+data\b.*?\binfile\s+(?P<path>'[^']*').*?\binto\s+table\s+{_NAME}": _LOADS,
    rf"(?:import|load)\s+model\s+{_NAME}\s+from\s+(?P<path>'[^']*')": "Bring a model into the store with a statement: UPLOAD "
    "MODEL {name} FROM {path}",
    r"(?:import|load)\b\s+(?:table\s+)?(?P<path>'[^']*')": _LOADS,
    rf"(?:export|save|unload|dump)\s+(?!model\b|dataset\s+\w+\s+(?:options|from)\b)(?:table\s+)?{_NAME}": _WRITES,
    r"go\b\s*$": "Separate statements with ;",
    rf"from\s+{_NAME}\s*$": "A query begins with SELECT: SELECT * FROM {name}",
    rf"(?:head|preview)\s+{_NAME}": _FIRST_ROWS,
    # a notebook's and a shell's
    r"%{1,2}\w+": "A line with % is for IPython: put it in a notebook cell, not in the SQL",
    r"!\s*\w+": "A line with ! is for IPython: put it in a cell without %%thanosql",
    r"(?:import|from)\s+\w+(?:\s+(?:import|as)\b|\s*$)": _PYTHON,
    r"\w+\s*<<": "Name the variable for a result on the magic's line: %%thanosql name <<",
    r"\w+\s*=(?!=)": _PYTHON,
    r"(?:print|len|type)\s*\(": _PYTHON,
    rf"(?P<alone>{_NAME})\s*$": _FIRST_ROWS,
}
_COMPILED = [(re.compile(pattern, re.IGNORECASE | re.DOTALL), hint) for pattern, hint in _OPENINGS.items()]
_SERVERS_COPY = re.compile(
    r"copy\s+(?P<what>\(.*\)|[\w.\"]+)\s*(?P<columns>\([^()]*\))?\s*(?P<way>to|from)\s+'(?P<path>[^']*)'", re.I | re.S
)
_TOP = re.compile(r"top\s*\(?\s*(\d+)\s*\)?", re.I)
_PLACEHOLDER = re.compile(
    r"\{\{\s*(?P<twice>[^{}]*?)\s*\}\}|\$?\{\s*(?P<once>[^{}]*?)\s*\}|%\((?P<percent>\w+)\)s|[$@&:]'?(?P<sign>[A-Za-z_]\w*)'?"
)
_FRAME = re.compile(r"(?:\w+_)?df\d*(?:_\w+)?|(?:data)?frame", re.I)
_NAMES_TABLE = frozenset("FROM JOIN INTO UPDATE TABLE".split())
_READERS = frozenset("READ_CSV READ_CSV_AUTO READ_PARQUET READ_JSON READ_JSON_AUTO READ_XLSX READ_EXCEL".split())
_VALUE_BEFORE = frozenset("= < > <= >= <> != LIKE ILIKE".split())


def columns_of(table: str) -> str:
    """The query that says what columns a table has."""
    name = table.strip('"') if table.startswith('"') else table.lower()
    name = name.rpartition(".")[2].replace("'", "''")
    return f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{name}'"


def opening(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """A command or statement that is known by how it opens."""
    begin = pieces[0].start
    for pattern, hint in _COMPILED:
        if (found := pattern.match(text, begin)) is None:
            continue
        said = found.groupdict()
        if near(said.get("alone") or "", POSTGRES, 0.75) is not None:
            return None  # a keyword with a slip in it
        name, path = said.get("name") or "calls", said.get("path") or "'file.csv'"
        file = said.get("file") or "script.sql"
        if "columns" not in hint or said.get("name"):
            hint = hint.format(name=name, path=path, file=file, columns=columns_of(name))
            first = text[begin : found.end()].split("\n")[0].rstrip()
            return Cure(hint, begin, max(1, len(first)))
    return None


def servers_copy(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """COPY as PostgreSQL has it, of a file on its own server."""
    found = _SERVERS_COPY.match(text, pieces[0].start)
    if found is None:
        return None
    what, path = found["what"], found["path"]
    at = found.start("path") - 1, len(path) + 2
    if found["way"].lower() == "from":
        written = f"COPY {what} FROM '{path}'"
        return Cure(
            f"PostgreSQL looks for the file on its server; to read a file of this machine, write: {written}", *at
        )
    query = what if what.startswith("(") else f"(SELECT {(found['columns'] or '(*)')[1:-1]} FROM {what})"
    if not path.lower().endswith(_FILES):
        path = f"{path.rpartition('.')[0] or path}.csv"
    if query == what and path == found["path"] and text[found.end() :].strip() in ("", ";"):
        return None  # it says so already: what is wrong is something else
    written = f"COPY {query if len(query) <= _SHOWN else '(SELECT …)'} TO '{path}'"
    return Cure(f"PostgreSQL writes the file on its server; to write a file on this machine, write: {written}", *at)


def placeholder(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """`?`, `%s`, `$1`, `%(name)s`, `$name`, `{name}`, `{{name}}` and `@name` of drivers, templates and other databases."""
    for before, piece, following in _around(pieces):
        if text.startswith("@@", piece.start):
            return Cure(
                "Ask for a setting with a statement: SHOW name; for the version with SELECT version()", piece.start, 2
            )
        sign, close = piece.text[:1], following.start == piece.end
        written = (
            sign in ("?", "{")
            or (sign == "%" and close and (following.text == "s" or following.kind == "("))
            or (sign == ":" and close and following.kind == "STRING")
            or (sign in ("$", "@", "&") and close and (following.kind in ("WORD", "NUMBER") or following.text == "{"))
        )
        # Behind an operand all but the braces are operators.
        if written and (sign == "{" or not is_operand(text, len(text[: piece.start].rstrip()) - 1)):
            return _parameter(text, piece.start, before.upper)
    return None


def parameter_at(text: str, at: int) -> Cure | None:
    """The same of `@name`, which PostgreSQL reads as an operator and a column; `at` is where it missed the column."""
    return _parameter(text, at - 1, "") if at and text[at - 1] in "@&" and text[at - 2 : at] != "@@" else None


def _parameter(text: str, start: int, before: str) -> Cure:
    found = _PLACEHOLDER.match(text, start)
    name = next((one for one in found.groupdict().values() if one is not None), "") if found else ""
    width = len(found[0]) if found else 1
    if found and not name.isidentifier():
        return Cure(
            f"{found[0][:_SHOWN]} is a template's placeholder: fill it in first, then pass the text to thanosql.execute",
            start,
            width,
        )
    if before in _NAMES_TABLE:
        frame = f"; a DataFrame can be the table, as a parameter: {before} :{name or 'name'}"
        return Cure(
            "Write the table's name out, or build the text that you pass to thanosql.execute"
            + (frame if before in ("FROM", "JOIN") else ""),
            start,
            width,
        )
    if not name:
        return Cure(
            "Write a parameter as :name; its value is the notebook's variable of that name, or params={'name': value}",
            start,
        )
    return Cure(
        f"Write a parameter as :{name}; its value is the notebook's variable {name}, or params={{'{name}': value}}",
        start,
        width,
    )


def _around(pieces: Sequence[Lexeme]) -> Iterator[tuple[Lexeme, Lexeme, Lexeme]]:
    none = Lexeme("", "", 0, 0)
    return zip((none, *pieces), pieces, (*pieces[1:], none), strict=False)


def clause(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """A clause or an operator that other databases have."""
    for before, word, following in _around(pieces):
        if word.upper == "OUTFILE" and before.upper == "INTO":
            path = following.text if following.kind == "STRING" else "'file.csv'"
            query = " ".join(f"{text[pieces[0].start : before.start]}{text[following.end :]}".split()).rstrip(" ;")
            shown = query if len(query) <= _SHOWN else "SELECT …"
            return Cure(
                f"Write a query's result to a file with a statement: COPY ({shown}) TO {path}", before.start, 12
            )
        if word.upper == "TOP" and before.upper in ("SELECT", "DISTINCT") and (found := _TOP.match(text, word.start)):
            return Cure(f"Ask for the first rows at the query's end: LIMIT {found[1]}", word.start, len(found[0]))
        if word.kind == "STRING" and before.upper in ("FROM", "JOIN"):
            return Cure(f"{_LOADS.format(name='name', path=word.text)}; SELECT * FROM name", word.start, len(word.text))
        if word.upper in _READERS and following.kind == "(":
            return Cure(
                f"{_LOADS.format(name='name', path=chr(39) + 'file.csv' + chr(39))}; SELECT * FROM name",
                word.start,
                len(word.text),
            )
    return None


def frame(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """A DataFrame of Python's where a table stands, as DuckDB takes it."""
    for before, word in pairwise(pieces):
        if before.upper in ("FROM", "JOIN") and word.kind == "WORD" and _FRAME.fullmatch(word.text):
            written = f"{before.text} :{word.text}"
            return Cure(f"A DataFrame can be the table, as a parameter: {written}", word.start, len(word.text))
    return None


def quoted_text(pieces: Sequence[Lexeme], at: int) -> Cure | None:
    """A text in double quotes, where PostgreSQL misses a column; `at` is where."""
    for before, word in pairwise(pieces):
        if (
            word.start == at
            and word.kind == "QUOTED"
            and (before.text in _VALUE_BEFORE or before.upper in _VALUE_BEFORE)
        ):
            text = word.text[1:-1].replace("'", "''")
            return Cure(f"Put a string in single quotes, a name in double quotes: '{text}'", at, len(word.text))
    return None
