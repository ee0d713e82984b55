"""A function or a type of another database, which PostgreSQL refused, in; the statement to write out.

Tables of names and templates; `tests/fixtures/habits.txt` shows them at work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from thanosql.engine.language.cures import Cure, rewritten
from thanosql.engine.language.terminals import Lexeme, words

# By name: what PostgreSQL has for it. {0}, {1} … stand for what was given, {all} for all of it.
_TEMPLATES = {
    "IFNULL NVL ISNULL": "COALESCE({all})",
    "ZEROIFNULL": "COALESCE({0}, 0)",
    "IF IIF": "CASE WHEN {0} THEN {1} ELSE {2} END",
    "NVL2": "CASE WHEN {0} IS NOT NULL THEN {1} ELSE {2} END",
    "COUNTIF COUNT_IF": "count(*) FILTER (WHERE {0})",
    "GROUP_CONCAT": "string_agg({0}, ',')",
    "LISTAGG": "string_agg({all})",
    "APPROX_COUNT_DISTINCT APPROX_DISTINCT": "count(DISTINCT {0})",
    "MEDIAN": "percentile_cont(0.5) WITHIN GROUP (ORDER BY {0})",
    "SAFE_DIVIDE DIV0": "{0} / NULLIF({1}, 0)",
    "TRY_CAST SAFE_CAST": "CAST({0})",
    "LEN": "length({0})",
    "UCASE": "upper({0})",
    "LCASE": "lower({0})",
    "INSTR": "strpos({0}, {1})",
    "CHARINDEX LOCATE": "strpos({1}, {0})",
    "STARTSWITH": "starts_with({0}, {1})",
    "ENDSWITH ENDS_WITH": "right({0}, length({1})) = {1}",
    "CONTAINS CONTAINS_SUBSTR": "strpos({0}, {1}) > 0",
    "SUBSTRING_INDEX": "split_part({0}, {1}, {2})",
    "REGEXP_CONTAINS": "{0} ~ {1}",
    "REGEXP_EXTRACT": "substring({0} FROM {1})",
    "ARRAY_SIZE SIZE": "cardinality({0})",
    "ARRAY_CONTAINS": "{1} = ANY ({0})",
    "EXPLODE FLATTEN": "unnest({0})",
    "JSON_EXTRACT_SCALAR GET_JSON_OBJECT": "{0} ->> 'key'",
    "TYPEOF": "pg_typeof({0})",
    "STRUCT": "ROW({all})",
    "RAND": "random()",
    "UUID NEWID GENERATE_UUID UUID_STRING": "gen_random_uuid()",
    "GETDATE SYSDATE SYSDATETIME CURRENT_DATETIME": "now()",
    "CURDATE": "current_date",
    "UNIX_TIMESTAMP": "extract(epoch FROM now())",
    "DATEADD TIMESTAMPADD": "{2} + {1} * interval '1 {0}'",
    "DATE_FORMAT STRFTIME TO_VARCHAR": "to_char({0}, 'YYYY-MM-DD')",
    "FORMAT_DATE FORMAT_TIMESTAMP": "to_char({1}, 'YYYY-MM-DD')",
    "STR_TO_DATE": "to_date({0}, 'YYYY-MM-DD')",
    "PARSE_DATE": "to_date({1}, 'YYYY-MM-DD')",
    "DATABASE": "current_database()",
}
_FUNCTIONS = {name: template for names, template in _TEMPLATES.items() for name in names.split()}
_BY_COUNT = {  # those whose arguments have another order in other databases
    ("DATEDIFF", 2): "{0}::date - {1}::date",
    ("DATEDIFF", 3): "{2}::date - {1}::date",
    ("DATE_DIFF", 3): "{0}::date - {1}::date",
    ("TIMESTAMP_DIFF", 3): "extract(epoch FROM {0} - {1})",
    ("DATE_TRUNC", 2): "date_trunc('{1}', {0})",
}
_UNITS = words("SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR")
_TYPES = {
    name: written
    for names, written in {
        "STRING STR TINYTEXT MEDIUMTEXT LONGTEXT NTEXT CLOB": "text",
        "NVARCHAR VARCHAR2 NVARCHAR2": "varchar",
        "INT32 MEDIUMINT": "integer",
        "INT64 LONG UINT32": "bigint",
        "TINYINT BYTEINT INT8_T INT16": "smallint",
        "FLOAT64 DOUBLE": "double precision",
        "FLOAT32": "real",
        "NUMBER BIGNUMERIC UINT64": "numeric",
        "BYTES BLOB LONGBLOB BINARY VARBINARY": "bytea",
        "DATETIME DATETIME2 SMALLDATETIME TIMESTAMP_NTZ": "timestamp",
        "TIMESTAMP_LTZ TIMESTAMP_TZ DATETIMEOFFSET": "timestamptz",
        "VARIANT OBJECT": "jsonb",
        "UNIQUEIDENTIFIER": "uuid",
    }.items()
    for name in names.split()
}
_CAST = re.compile(r"\bAS\s+(\w+)\s*$", re.IGNORECASE)


class Call(NamedTuple):
    """`name(argument, …)` in a text: the name, its arguments as written, and where it ends."""

    name: Lexeme
    arguments: tuple[str, ...]
    end: int


def function(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """A function that PostgreSQL misses at `at`, or that it cannot read at `at` within its parentheses."""
    if at is None:
        return None
    for index, (word, following) in enumerate(zip(pieces, pieces[1:], strict=False)):
        if word.start > at:
            return None
        known = word.kind == "WORD" and following.kind == "(" and (word.upper in _FUNCTIONS or _counted(word.upper))
        if known and (call := call_at(text, pieces, index)) is not None and at < call.end:
            if at != word.start and not _is_unread(pieces, at, word.upper):
                continue
            template = _BY_COUNT.get((word.upper, len(call.arguments)), _FUNCTIONS.get(word.upper, ""))
            if template and len(call.arguments) >= template.count("{1}") + template.count("{2}"):
                return _cure(text, call, template)
    return None


def call_at(text: str, pieces: Sequence[Lexeme], index: int) -> Call | None:
    """The call whose name is this piece; None where its parenthesis is never closed."""
    depth, begin, arguments = 0, pieces[index + 1].end, list[str]()
    for place in range(index + 1, len(pieces)):
        piece = pieces[place]
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(piece.kind, 0)
        if depth == 0 or (depth == 1 and piece.kind == ","):
            arguments.append(text[begin : piece.start].strip())
            begin = piece.end
        if depth == 0:
            return Call(pieces[index], tuple(argument for argument in arguments if argument), piece.end)
    return None


def type_name(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """A type that PostgreSQL misses at `at`; `r'…'` is read as one."""
    for piece, following in zip(pieces, (*pieces[1:], None), strict=False):
        if piece.start == at and following is not None and following.kind == "STRING" and following.start == piece.end:
            shown = rewritten(text, (piece.start, piece.end, ""))
            return Cure(f"A string takes no {piece.text} before it; write: {shown}", piece.start, len(piece.text))
        if piece.start == at and piece.upper in _TYPES:
            written = _TYPES[piece.upper]
            return Cure(
                f"PostgreSQL calls it {written}; write: {rewritten(text, (piece.start, piece.end, written))}",
                piece.start,
                len(piece.text),
            )
    return None


def _counted(name: str) -> bool:
    return any(name == one for one, _ in _BY_COUNT)


def _is_unread(pieces: Sequence[Lexeme], at: int, name: str) -> bool:
    """Whether what stands at `at` is read as other databases read it: a unit of time, `AS type` in a cast."""
    piece = next((one for one in pieces if one.start <= at < one.end), None)
    unit = piece is not None and piece.upper in _UNITS and name.startswith(("DATE", "TIMESTAMP"))
    return unit or (piece is not None and piece.upper == "AS" and name.endswith("_CAST"))


def _cure(text: str, call: Call, template: str) -> Cure:
    arguments = [*call.arguments, "", "", ""]
    wrong = f"PostgreSQL has no {call.name.upper}"
    if call.name.upper.endswith("_CAST"):
        arguments[0] = _CAST.sub(lambda found: f"AS {_TYPES.get(found[1].upper(), found[1])}", arguments[0])
    if call.name.upper in ("DATEADD", "TIMESTAMPADD"):
        arguments[0] = arguments[0].strip("'").lower()
    if call.name.upper == "DATE_TRUNC":
        arguments[1] = arguments[1].strip("'").lower()
        wrong = "The unit comes first, as a string"
    written = template.format(*arguments, all=", ".join(call.arguments))
    return Cure(
        f"{wrong}; write: {rewritten(text, (call.name.start, call.end, written))}",
        call.name.start,
        len(call.name.text),
    )
