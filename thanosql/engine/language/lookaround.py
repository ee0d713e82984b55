"""What stands around a place in SQL: a text and offsets in, what a colon or a statement means there out."""

from __future__ import annotations

from collections.abc import Sequence

from thanosql.engine.language.terminals import Refusal, lexeme, words

# Behind these words an operand is still to come.
_NO_OPERAND = words(
    """ALL AND ANY AS BETWEEN BY CASE DISTINCT ELSE FROM HAVING ILIKE IN IS JOIN KEY LIKE LIMIT NOT OFFSET ON OR
    RETURNING SELECT SET SIMILAR SOME THEN TO USING VALUE VALUES WHEN WHERE"""
)
_CREATE_MODIFIERS = words("OR REPLACE TEMP TEMPORARY LOCAL GLOBAL UNLOGGED RECURSIVE MATERIALIZED")
_NO_HOME = {  # what would outlive the statement's temporary result
    "VIEW": "Make a table of it: CREATE TABLE … AS SELECT …",
    "FUNCTION": "Run it when it is needed, and let the function read a table.",
    "PROCEDURE": "Run it when it is needed, and let the procedure read a table.",
    "RULE": "Run it when it is needed.",
    "POLICY": "Make a table of it first: CREATE TABLE … AS SELECT …",
    "PREPARE": "Use parameters: thanosql.execute(sql, params={…}).",
    "DECLARE": "Make a table of it first: CREATE TEMP TABLE … AS SELECT …",
}


def word_before(text: str, last: int) -> str:
    """The word or number that ends at `last`; a quoted name gives its quote, anything else ""."""
    if last >= 0 and text[last] == '"':
        return '"'
    first = last + 1
    while first > 0 and (text[first - 1].isalnum() or text[first - 1] in "_$" or text[first - 1] >= "\x80"):
        first -= 1
    return text[first : last + 1]


def is_operand(text: str, last: int) -> bool:
    word = word_before(text, last)
    return word.upper() not in _NO_OPERAND if word else last >= 0 and text[last] in ")]'"


def separates(text: str, last: int, openers: Sequence[int], end: int) -> bool:
    """Whether a colon here stands between two things: a slice's bounds, a JSON key and its value; `end` is after its name."""
    if last < 0:
        return False
    # Behind a string, a quoted name or a number no value can stand.
    if text[last] in "'\"" or word_before(text, last)[:1].isdigit():
        return True
    if not openers:
        return False
    opener = openers[-1]
    if last == opener and text[opener] == "[":
        # `a[:y]` is a slice from the first; ARRAY[:y] and a[:x:y] begin with a value.
        if text.startswith(":", end) and not text.startswith("::", end):
            return False
        return is_operand(text, opener - 1) and word_before(text, opener - 1).upper() != "ARRAY"
    if not is_operand(text, last):
        return False
    return text[opener] == "[" or text[max(0, opener - 40) : opener].rstrip().upper().endswith(
        ("JSON_OBJECT", "JSON_OBJECTAGG")
    )


def made_by(text: str, at: int) -> str:
    """What a statement makes: VIEW, FUNCTION, TABLE … of CREATE, or PREPARE or DECLARE itself."""
    word = lexeme(text, at)
    if word.upper != "CREATE":
        return word.upper
    while (word := lexeme(text, word.end)).upper in _CREATE_MODIFIERS:
        pass
    return word.upper


def refuse_home(made: str, parenthesis: int, before: str) -> None:
    """Raise Refusal where a statement of ours cannot stand: in what makes a `made`, after the word `before`."""
    if before.upper() == "LATERAL":
        raise Refusal(
            "A statement in a query cannot be LATERAL: it runs once, before the query around it.",
            parenthesis,
            1,
            "Remove LATERAL, and join its result by a key.",
        )
    if made in _NO_HOME:
        what = made if made in ("PREPARE", "DECLARE") else f"A {made}"
        raise Refusal(
            f"{what} cannot contain this statement: its result is gone when the statement ends.",
            parenthesis,
            1,
            _NO_HOME[made],
        )
