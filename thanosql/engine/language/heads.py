"""Which statements are ours: a text and where a statement begins in, whether the grammar reads its head out.

Everything else is PostgreSQL's. A misspelt head of ours is an error here, where PostgreSQL could only say
'syntax error at or near "BULID"'; no word that opens a PostgreSQL command is ever taken for one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme, words

# What each statement of ours looks like; its first word opens no PostgreSQL command but for the last five.
SHAPES = {
    "BUILD": "BUILD MODEL name USING base [OPTIONS (…)] AS query",
    "FIT": "FIT MODEL name USING model [OPTIONS (…)] AS query",
    "PREDICT": "PREDICT USING model [OPTIONS (…)] AS query",
    "EVALUATE": "EVALUATE USING model [OPTIONS (…)] AS query",
    "ALIGN": "ALIGN USING model [OPTIONS (…)] AS query",
    "PRINT": "PRINT AUDIO [OPTIONS (…)] AS query",
    "LIST": "LIST {MODEL | TABLE | THANOSQL MODEL | THANOSQL DATASET | MODEL VERSIONS name | PREDICTIONS}",
    "DESCRIBE": "DESCRIBE MODEL name",
    "GET": "GET THANOSQL {DATASET | MODEL} name [OPTIONS (…)]",
    "UPLOAD": "UPLOAD MODEL name [OPTIONS (…)] FROM 'path'",
    "CHECK": "CHECK {BUILD | FIT | PREDICT | EVALUATE | ALIGN} …",
    "EXPLAIN": "EXPLAIN {BUILD | FIT | PREDICT | EVALUATE | ALIGN} …",
    "DROP": "DROP {MODEL [IF EXISTS] name | PREDICTIONS [model]}",
    "ROLLBACK": "ROLLBACK MODEL name [TO version]",
    "DELETE": "DELETE MODEL name",
    "COPY": "COPY table [OPTIONS (…)] FROM 'path'",
}
KEYWORDS = words(
    """ALIGN AS AUDIO BUILD CHECK COPY DATASET DATASETS DELETE DESCRIBE DROP EVALUATE EXISTS EXPLAIN FIT FROM GET IF LIST
    MODEL MODELS OPTIONS PREDICT PREDICTION PREDICTIONS PRINT ROLLBACK TABLE TABLES THANOSQL TO UPLOAD USING VERSION VERSIONS"""
)
WITH_QUERY = frozenset({"BUILD", "FIT", "PREDICT", "EVALUATE", "ALIGN", "PRINT"})
USING_MODEL = ("PREDICT", "EVALUATE", "ALIGN")  # what gives rows, and may stand in a query
_SHARED = frozenset({"EXPLAIN", "DROP", "ROLLBACK", "DELETE", "COPY"})
_OWN = frozenset(SHAPES) - _SHARED
_SECOND = {word: shape.split()[1] for word, shape in SHAPES.items() if word in _OWN and "{" not in shape.split()[1]} | {
    "LIST": "MODEL TABLE MODELS TABLES THANOSQL PREDICTION PREDICTIONS"
}
_POSTGRES = words(
    """ABORT ALTER ANALYSE ANALYZE BEGIN CALL CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY CREATE DEALLOCATE DECLARE
    DELETE DISCARD DO DROP END EXECUTE EXPLAIN FETCH GRANT IMPORT INSERT LISTEN LOAD LOCK MERGE MOVE NOTIFY PREPARE
    REASSIGN REFRESH REINDEX RELEASE REPACK RESET REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW START TABLE
    TRUNCATE UNLISTEN UPDATE VACUUM VALUES WAIT WITH"""
)
_LONGEST = 30  # letters; no misspelt keyword has more
_NO_WORD_BEHIND = re.compile(r"[ \t\n\r\f\v]*+[0-9'\"()*:$]")
_PLANNED = ("BUILD", "FIT", *USING_MODEL)
_QUERY_INTRODUCERS = words(
    """ALL AND ANY ARRAY AS BETWEEN BY CASE CROSS DISTINCT ELSE EXCEPT EXISTS FROM HAVING ILIKE IN INTERSECT INTO IS
    JOIN LATERAL LIKE NOT ON OR RETURNING SELECT SOME THEN UNION USING VALUES WHEN WHERE"""
)


def near(word: str, valid: Iterable[str], cutoff: float = 0.75) -> str | None:
    """The valid word that `word` was probably meant to be.

    >>> near("BULID", SHAPES), near("SELECT", SHAPES)
    ('BUILD', None)
    """
    if len(word) > _LONGEST:
        return None
    word = word.upper()
    letters = set(word)

    def may_match(other: str) -> bool:
        """Whether enough letters are the same: asked first, since the ratio itself takes ten times as long."""
        same = min(len(word), len(other) - len(set(other) - letters))
        return 2 * same >= cutoff * (len(word) + len(other))

    likely = [other for other in valid if may_match(other)]
    close = difflib.get_close_matches(word, likely, n=1, cutoff=cutoff) if likely else []
    return close[0] if close else None


def opens_statement(text: str, at: int) -> bool:
    """Whether the statement at `at` is ours. Raises Refusal for one that nearly is."""
    first = lexeme(text, at)
    word = first.upper
    if word in _OWN:
        return True
    if not word:
        return False
    second = lexeme(text, first.end)
    if word == "EXPLAIN":
        return _explains(text, second)
    if word in ("DROP", "DELETE", "ROLLBACK", "CREATE") and second.upper:
        if word == "CREATE" and second.upper == "MODEL":
            raise Refusal(
                "There is no CREATE MODEL.", first.start, second.end - first.start, f"Did you mean {SHAPES['BUILD']}?"
            )
        kinds = ("MODEL", "PREDICTION", "PREDICTIONS") if word == "DROP" else ("MODEL",)
        return word != "CREATE" and near(second.upper, kinds) is not None
    if word == "COPY":
        return _copies_file(text, second)
    _refuse_misspelt(first, second)
    return False


def opens_nested(text: str, parenthesis: int, before: str) -> bool:
    """Whether a statement of ours opens behind the parenthesis at `parenthesis`; `before` is the word before it.

    Raises Refusal for a misspelt one, and for BUILD and FIT, which cannot stand in a query.
    """
    if _NO_WORD_BEHIND.match(text, parenthesis + 1):
        return False
    first = lexeme(text, parenthesis + 1)
    word = first.upper
    if not word:
        return False
    if word in USING_MODEL:
        second = lexeme(text, first.end)
        if second.upper == "USING":
            return True
        # USING was forgotten: no SQL says `(name name AS SELECT`.
        third = lexeme(text, second.end)
        return bool(second.upper) and third.upper == "AS" and lexeme(text, third.end).upper in ("SELECT", "WITH")
    if word in ("LIST", "DESCRIBE"):
        kind = lexeme(text, first.end).upper
        if kind in ("TABLE", "TABLES", "THANOSQL"):
            return word == "LIST"
        # `CREATE TABLE t (list model)` is a column of a type: after a name, the parenthesis holds no sub-select.
        rows = ("MODEL", "MODELS", *(("PREDICTION", "PREDICTIONS") if word == "LIST" else ()))
        return kind in rows and (not before or before.upper() in _QUERY_INTRODUCERS)
    if word in ("BUILD", "FIT") and lexeme(text, first.end).upper == "MODEL":
        name = lexeme(text, lexeme(text, first.end).end)
        if lexeme(text, name.end).upper == "USING":
            raise Refusal(
                f"{word} MODEL cannot stand inside a query: it makes a model, not rows.",
                first.start,
                len(word),
                "Run it as a statement of its own first.",
            )
        return False
    if lexeme(text, first.end).upper == "USING" and (meant := near(word, USING_MODEL)) is not None:
        raise _misspelt(first, meant)
    return False


def _explains(text: str, second: Lexeme) -> bool:
    if second.upper in _OWN:
        return True
    meant = near(second.upper, _PLANNED) if second.upper not in _POSTGRES | {""} else None
    if meant is not None and lexeme(text, second.end).upper in ("MODEL", "USING"):
        raise _misspelt(second, meant)
    if second.upper in ("ANALYZE", "VERBOSE", "ANALYSE"):
        inner = lexeme(text, second.end)
        if inner.upper in _PLANNED and lexeme(text, inner.end).upper in ("MODEL", "USING"):
            raise Refusal(
                f"EXPLAIN {inner.upper} takes no {second.upper}.",
                second.start,
                len(second.text),
                f"Write {SHAPES['EXPLAIN']}",
            )
    return False


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
    if behind.upper == "OPTIONS" or (
        near(behind.upper, ("OPTIONS",)) is not None and lexeme(text, behind.end).kind == "("
    ):
        return True
    if behind.upper not in ("FROM", "TO", "", "WITH") and near(behind.upper, ("FROM",)) is not None:
        return lexeme(text, behind.end).kind == "STRING"
    if behind.upper != "FROM":
        return False
    path = lexeme(text, behind.end)
    # A path without quotes is no SQL at all; what PostgreSQL reads from is STDIN or PROGRAM 'command'.
    if path.kind == "QUOTED" or (path.kind == "WORD" and path.upper not in ("STDIN", "PROGRAM")):
        return True
    return path.kind in ("STRING", "PARAMETER") and (
        (after := lexeme(text, path.end)).kind in ("", ";") or after.upper == "OPTIONS"
    )


def _refuse_misspelt(first: Lexeme, second: Lexeme) -> None:
    if first.upper in _POSTGRES:
        return
    if SHAPES.keys() & first.upper.split()[:1] and (space := foreign_space(first)) is not None:
        raise space
    if second.upper != "MODEL" and not _resembles_one(first.upper):
        return
    for word, seconds in _SECOND.items():
        sure = second.upper in seconds.split()
        if near(first.upper, (word,), 0.6 if sure else 0.75):
            raise _misspelt(first, near(first.upper, _OWN, 0.6) or word)
    if near(first.upper, ("CHECK", "GET")) is not None and (second.upper in _PLANNED or second.upper == "THANOSQL"):
        raise _misspelt(first, near(first.upper, ("CHECK", "GET")) or "CHECK")
    if near(first.upper, ("EXPLAIN",)) is not None and second.upper in _PLANNED:
        raise _misspelt(first, "EXPLAIN")
    if second.upper == "MODEL":
        raise Refusal(
            f"There is no statement {first.upper} MODEL.",
            first.start,
            second.end - first.start,
            "There are BUILD MODEL, FIT MODEL, DESCRIBE MODEL, DROP MODEL, LIST MODEL and UPLOAD MODEL.",
        )


def refuse_no_query(text: str, at: int, head: Lexeme | None) -> None:
    """Raise Refusal for what is often written behind AS, and is no query; `head` opens the statement."""
    first = lexeme(text, at)
    following = lexeme(text, first.end)
    if first.upper == "AS":
        raise Refusal("AS stands here twice.", first.start, 2, "Take one away.")
    if first.upper in USING_MODEL and following.upper == "USING":
        raise Refusal(
            f"{first.upper} stands in parentheses where a query is expected.",
            first.start,
            len(first.text),
            f"Write AS ({first.upper} USING …).",
        )
    if first.upper == "OPTIONS" and following.kind == "(":
        raise behind_query(first, head)


def behind_query(word: Lexeme, head: Lexeme | None) -> Refusal:
    """The error for OPTIONS behind AS."""
    shape = f" {SHAPES[head.upper]}" if head else ""
    return Refusal("OPTIONS (…) stands behind AS.", word.start, len(word.text), f"It comes before AS:{shape}")


@lru_cache(10_000)
def _resembles_one(word: str) -> bool:
    """Whether a statement of ours may be meant at all: what most scripts repeat is asked for once."""
    return near(word, SHAPES, 0.6) is not None


def foreign_space(word: Lexeme) -> Refusal | None:
    """The error for a word that holds a space which is none to SQL, as web pages leave them; None for others."""
    for offset, character in enumerate(word.text):
        if character.isspace():
            return Refusal(
                f"The character U+{ord(character):04X} here looks like a space, and is none in SQL.",
                word.start + offset,
                1,
                "Put an ordinary space in its place.",
            )
    return None


def _misspelt(word: Lexeme, meant: str) -> Refusal:
    return Refusal(
        f"There is no statement {word.text}.", word.start, len(word.text), f"Did you mean {meant}? {SHAPES[meant]}"
    )
