"""Which statements are ours: a text and where a statement begins in, whether the grammar reads its head out.

Everything else is PostgreSQL's. A misspelt head of ours is an error here, where PostgreSQL could only say
'syntax error at or near "BULID"'; no word that opens a PostgreSQL command is ever taken for one.
"""

from __future__ import annotations

import re
from functools import lru_cache

from thanosql.engine.language.foreign_characters import foreign_character
from thanosql.engine.language.terminals import Lexeme, Refusal, closing_parenthesis, lexeme, string_value, words
from thanosql.engine.language.vocabulary import POSTGRES, Vocabulary, vocabulary
from thanosql.errors import near

_NO_WORD_BEHIND = re.compile(r"[ \t\n\r\f\v]*+[0-9'\"()*:$]")
_QUERY_INTRODUCERS = words(
    """ALL AND ANY ARRAY AS BETWEEN BY CASE CROSS DISTINCT ELSE EXCEPT EXISTS FROM HAVING ILIKE IN INTERSECT INTO IS
    JOIN LATERAL LIKE NOT ON OR RETURNING SELECT SOME THEN UNION USING VALUES WHEN WHERE"""
)


def opens_statement(text: str, at: int, ours: Vocabulary) -> bool:
    """Whether the statement at `at` is ours. Raises Refusal for one that nearly is."""
    first = lexeme(text, at)
    word = first.upper
    if not word or (word in POSTGRES and word != "CREATE" and word not in ours.firsts):
        return False
    second = lexeme(text, first.end)
    if word in ours.own:
        # Others write a table to a file with EXPORT: PostgreSQL refuses it, and the cure is found there.
        return word != "EXPORT" or not second.upper or near(second.upper, ["DATASET"], 0.75) is not None
    if word in ours.firsts:  # and PostgreSQL's
        if word in ours.prefixes:
            return _stands_before(text, first, second)
        if not ours.seconds[word]:
            return _writes_file(text, second.start) if second.kind == "(" else _copies_file(text, second)
        return bool(second.upper) and near(second.upper, ours.seconds[word], 0.75) is not None
    if word == "CREATE" and second.upper == "MODEL":
        raise Refusal(
            "There is no CREATE MODEL.",
            first.start,
            second.end - first.start,
            f"Did you mean {ours.shape('BUILD', 'MODEL')}?",
        )
    _refuse_misspelt(text, first, second)
    return False


def opens_nested(text: str, parenthesis: int, before: str, ours: Vocabulary) -> bool:
    """Whether a statement of ours opens behind the parenthesis at `parenthesis`; `before` is the word before it.

    Raises Refusal for a misspelt one, and for those that cannot stand in a query.
    """
    if _NO_WORD_BEHIND.match(text, parenthesis + 1):
        return False
    first = lexeme(text, parenthesis + 1)
    word = first.upper
    if not word:
        return False
    second = lexeme(text, first.end)
    if second.kind != "WORD":
        return False
    if word in ours.nested_using:
        if second.upper == "USING":
            return True
        # USING was forgotten: no SQL says `(name name AS SELECT`.
        third = lexeme(text, second.end)
        return third.upper == "AS" and lexeme(text, third.end).upper in ("SELECT", "WITH")
    if word in ours.nested_kinds:
        # `CREATE TABLE t (list tables)` is a column of a type: behind a name, the parenthesis holds no sub-select.
        may_open = not before or before.upper() in _QUERY_INTRODUCERS
        return may_open and second.upper in ours.nested_kinds[word]
    if ours.makers.get(word) == second.upper:
        name = lexeme(text, second.end)
        if lexeme(text, name.end).upper == "USING":
            raise Refusal(
                f"{word} {second.upper} cannot be used inside a query: it makes a model, not rows.",
                first.start,
                len(word),
                "Run it as a statement of its own first.",
            )
        return False
    if second.upper == "USING" and (meant := near(word, ours.nested_using, 0.75)) is not None:
        raise _misspelt(first, meant)
    return False


def _stands_before(text: str, first: Lexeme, second: Lexeme) -> bool:
    """Whether EXPLAIN is ours: before a statement of ours."""
    ours = vocabulary()
    if second.upper in ours.own:
        return True
    meant = near(second.upper, ours.planned, 0.75) if second.upper not in POSTGRES | {""} else None
    if meant is not None and lexeme(text, second.end).upper in ours.seconds[meant]:
        raise _misspelt(second, meant)
    if second.upper in ("ANALYZE", "VERBOSE", "ANALYSE"):
        inner = lexeme(text, second.end)
        if inner.upper in ours.planned and lexeme(text, inner.end).upper in ours.seconds[inner.upper]:
            raise Refusal(
                f"{first.upper} {inner.upper} takes no {second.upper}.",
                second.start,
                len(second.text),
                f"Write {ours.shape(first.upper)}",
            )
    return False


_SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".srt", ".vtt", ".ctm")


def _writes_file(text: str, parenthesis: int) -> bool:
    """Whether COPY (query) TO is ours: a path behind it whose suffix says so, or a parameter, and nothing more."""
    end = closing_parenthesis(text, parenthesis)
    to = lexeme(text, end)
    if end < 0 or to.upper != "TO":
        return False
    path = lexeme(text, to.end)
    if lexeme(text, path.end).kind not in ("", ";"):
        return False
    return path.kind == "PARAMETER" or (path.kind == "STRING" and string_value(path).lower().endswith(_SUFFIXES))


def _copies_file(text: str, first: Lexeme) -> bool:
    """Whether COPY is ours: with OPTIONS, or FROM a path with nothing behind it."""
    name = first
    while name.kind in ("WORD", "QUOTED"):
        behind = lexeme(text, name.end)
        if behind.kind != ".":
            break
        name = lexeme(text, behind.end)
    else:
        return False
    word = behind.upper
    if word == "OPTIONS":
        return True
    if word not in ("FROM", "TO", "", "WITH"):
        following = lexeme(text, behind.end).kind
        return (following == "(" and near(word, ("OPTIONS",), 0.75) is not None) or (
            following == "STRING" and near(word, ("FROM",), 0.75) is not None
        )
    if word != "FROM":
        return False
    path = lexeme(text, behind.end)
    # A path without quotes is no SQL at all; PostgreSQL reads from STDIN, or STDOUT, the same to it, or PROGRAM 'command'.
    if (
        path.kind == "QUOTED"
        or path.text in ("\\", "/", "~", ".")
        or (path.kind == "WORD" and path.upper not in ("STDIN", "STDOUT", "PROGRAM"))
    ):
        return True
    return path.kind in ("STRING", "PARAMETER") and (
        (after := lexeme(text, path.end)).kind in ("", ";") or after.upper == "OPTIONS"
    )


def _refuse_misspelt(text: str, first: Lexeme, second: Lexeme) -> None:
    if first.upper in POSTGRES:
        return
    ours = vocabulary()
    foreign = foreign_character(first)
    if foreign is not None and first.upper[: foreign.start - first.start] in ours.firsts:
        raise foreign
    if second.upper != "MODEL" and not _resembles_one(first.upper):
        return
    # What resembles a command of PostgreSQL's, but for what stands behind it, is PostgreSQL's to refuse.
    sure = [word for word in ours.firsts if second.upper in ours.seconds[word]]
    if (meant := near(first.upper, sure) or near(first.upper, ours.own, 0.75)) is not None:
        raise _misspelt(first, meant, second)
    from thanosql.engine.language.near_misses import near_miss

    if (miss := near_miss(text, first.start, first.start)) is not None:
        raise Refusal(miss.wrong, first.start, second.end - first.start, f"Write: {miss.written}")
    if second.upper == "MODEL":
        *listed, last = ours.models
        raise Refusal(
            f"There is no statement {first.upper} MODEL.",
            first.start,
            second.end - first.start,
            f"There are {', '.join(listed)} and {last}.",
        )


def refuse_no_query(text: str, at: int, head: Lexeme | None) -> None:
    """Raise Refusal for what is often written behind AS, and is no query; `head` opens the statement."""
    first = lexeme(text, at)
    following = lexeme(text, first.end)
    if first.upper == "AS":
        raise Refusal("AS is written twice.", first.start, 2, "Remove one.")
    if first.upper in vocabulary().nested_using and following.upper == "USING":
        raise Refusal(
            f"{first.upper} must be in parentheses where a query is expected.",
            first.start,
            len(first.text),
            f"Write AS ({first.upper} USING …).",
        )
    if first.upper == "OPTIONS" and following.kind == "(":
        raise behind_query(first, head)


def behind_query(word: Lexeme, head: Lexeme | None) -> Refusal:
    """The error for OPTIONS behind AS, or what else a query stands behind."""
    shape = f" {vocabulary().shape(head.upper)}" if head else ""
    after = vocabulary().takes_query.get(head.upper, "AS") if head else "AS"
    return Refusal(f"OPTIONS (…) comes after {after}.", word.start, len(word.text), f"Put it before {after}:{shape}")


@lru_cache(10_000)
def _resembles_one(word: str) -> bool:
    """Whether a statement of ours may be meant at all: what most scripts repeat is asked for once."""
    return near(word, vocabulary().firsts, 0.6) is not None


def _misspelt(word: Lexeme, meant: str, second: Lexeme | None = None) -> Refusal:
    shape = vocabulary().shape(meant, *([second.upper] if second else []))
    return Refusal(f"There is no statement {word.text}.", word.start, len(word.text), f"Did you mean {meant}? {shape}")
