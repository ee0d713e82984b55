"""A text and a cursor in, what stands around the cursor out: the part of the statement, what is typed of a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from thanosql.engine.language.terminals import Lexeme, Refusal
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.notebook.query_tables import lexemes, tables_in
from thanosql.notebook.sql_words import BEHIND, CLAUSES

LONGEST = 100_000  # characters; past it nothing is offered


@dataclass(frozen=True, kw_only=True)
class CursorContext:
    """Where a cursor is. `kind` is start, head, option, value, query or parameter; `fragment` what is typed of a word.

    `names` says what kind of name may stand in a head, `keywords` which words; `statement` is a head's words in capitals;
    `tables` are the query's, alias → name.
    """

    kind: str
    fragment: str = ""
    in_string: bool = False
    names: str = ""
    keywords: tuple[str, ...] = ()
    statement: tuple[str, ...] = ()
    option: str = ""
    given: frozenset[str] = frozenset()
    tables: Mapping[str, str] = field(default_factory=dict)
    after: str = ""
    qualifier: str = ""


@dataclass
class _Frame:
    """One level of brackets: where its text begins, and its tokens, with `()` for each bracket in it."""

    start: int
    kind: str = "statement"
    tokens: list[Lexeme] = field(default_factory=list)
    parent: _Frame | None = None


def context_at(text: str, cursor: int) -> CursorContext | None:
    """What stands around `cursor`, a 0-based offset; None inside a comment or a dollar-quoted string."""
    if len(text) > LONGEST:
        return None
    try:
        tokens = lexemes(text[:cursor])
    except Refusal:
        return None
    end = tokens[-1].end if tokens else 0
    if "--" in (rest := text[end:cursor]) and "\n" not in rest[rest.rindex("--") :]:
        return None
    tokens, fragment, in_string = _fragment(tokens, text[:cursor])
    if fragment.startswith(":") and not in_string:
        return CursorContext(kind="parameter", fragment=fragment)
    frame = _frames(tokens)
    return _classified(frame, text, fragment, in_string)


def _fragment(tokens: list[Lexeme], text: str) -> tuple[list[Lexeme], str, bool]:
    """The tokens before the word being typed, that word, and whether it stands in an open string."""
    if not tokens:
        return tokens, "", False
    last = tokens[-1]
    if last.kind == "'":
        return tokens[:-1], text[last.end :], True
    if last.kind == '"':
        return tokens[:-1], text[last.start :], False
    if last.end != len(text):
        return tokens, "", False
    if last.kind == "PARAMETER" or (last.kind == "OPERATOR" and last.text == ":"):
        return tokens[:-1], last.text, False
    count = len(tokens)
    if last.kind in ("WORD", "QUOTED"):
        count -= 1
    elif last.kind != ".":
        return tokens, "", False
    while count >= 2 and tokens[count - 1].kind == "." and tokens[count - 2].kind in ("WORD", "QUOTED"):
        count -= 2
    if last.kind == "." and count == len(tokens):
        return tokens, "", False
    return tokens[:count], text[tokens[count].start :], False


def _frames(tokens: Sequence[Lexeme]) -> _Frame:
    """The innermost level of brackets at the end of the tokens."""
    frame = _Frame(0)
    for token in tokens:
        if token.kind == ";":
            frame = _Frame(token.end)
        elif token.kind in ("(", "["):
            kind = (
                "list"
                if token.kind == "["
                else "options"
                if frame.tokens and frame.tokens[-1].upper == "OPTIONS"
                else "parenthesis"
            )
            frame = _Frame(token.end, kind, parent=frame)
        elif token.kind in (")", "]") and frame.parent is not None:
            frame = frame.parent
            frame.tokens.append(Lexeme("()", "()", token.start, token.end))
        else:
            frame.tokens.append(token)
    return frame


def _classified(frame: _Frame, text: str, fragment: str, in_string: bool) -> CursorContext | None:
    outer = frame
    while outer.kind == "list" and outer.parent is not None:
        outer = outer.parent
    if outer.kind == "options" and outer.parent is not None:
        return _in_options(frame, outer, text, fragment, in_string)
    words = [token.upper for token in frame.tokens]
    if not words:
        if in_string:
            return None
        if frame.kind == "statement":
            return CursorContext(kind="start", fragment=fragment)
    elif words[0] in vocabulary().firsts:
        query = _query_begin(words)
        if query is None:
            return _in_head(frame, fragment, in_string)
        return None if in_string else _in_query(frame.tokens[query:], text, frame.start, fragment)
    return None if in_string else _in_query(frame.tokens, text, frame.start, fragment)


def _query_begin(words: Sequence[str]) -> int | None:
    """The index of a statement's first word of SQL; None while the cursor is in its head."""
    ours, first = vocabulary(), words[0]
    if first not in ours.own and ours.seconds[first] and words[1:] and words[1] not in ours.seconds[first]:
        return 0  # PostgreSQL's own
    opening = words[1] if first in ours.prefixes and len(words) > 1 else first
    introducer = ours.takes_query.get(opening)
    return words.index(introducer) + 1 if introducer in words else None


def _in_options(frame: _Frame, options: _Frame, text: str, fragment: str, in_string: bool) -> CursorContext | None:
    assert options.parent is not None
    head = _said(options.parent.tokens)
    if head and head[0] in vocabulary().prefixes:
        head = head[1:]
    if not head:
        return None
    tokens = options.tokens
    given = frozenset(one.text.lower() for one, equals in pairwise(tokens) if equals.kind == "=")
    commas = [index for index, token in enumerate(tokens) if token.kind == ","]
    present = tokens[commas[-1] + 1 :] if commas else tokens
    if frame is not options or (len(present) == 2 and present[1].kind == "="):
        return CursorContext(
            kind="value",
            fragment=fragment,
            in_string=in_string,
            statement=head,
            option=present[0].text.lower() if present else "",
            tables=tables_in(text, options.start),
        )
    if present or in_string:
        return None
    return CursorContext(kind="option", fragment=fragment, statement=head, given=given)


def _in_head(frame: _Frame, fragment: str, in_string: bool) -> CursorContext | None:
    said = _said(frame.tokens)
    following = vocabulary().following(*said)
    names = next((piece for piece in following if piece and not piece.isupper()), "")
    if in_string:
        return CursorContext(kind="head", names=names, fragment=fragment, in_string=True) if names == "file" else None
    keywords = sorted(piece for piece in following if piece.isupper())
    if len(said) == 1:
        keywords += BEHIND.get(said[0], ())
    return CursorContext(kind="head", names=names, keywords=tuple(keywords), fragment=fragment)


def _said(tokens: Sequence[Lexeme]) -> tuple[str, ...]:
    """A head's words in capitals, as `Vocabulary.following` takes them: a dotted name is one."""
    said: list[str] = []
    dotted = False
    for token in tokens:
        if token.kind == "." or dotted:
            dotted = token.kind == "."
            continue
        said.append("(…)" if token.kind == "()" else token.upper or token.text)
    return tuple(said)


def _in_query(tokens: Sequence[Lexeme], text: str, start: int, fragment: str) -> CursorContext:
    words = [token.upper for token in tokens]
    last = words[-1] if words else "("
    clause = next((word for word in reversed(words) if word in CLAUSES), "")
    after = "FROM" if clause == "FROM" and tokens and tokens[-1].kind == "," else last
    qualifier = fragment.rpartition(".")[0]
    return CursorContext(
        kind="query", fragment=fragment, after=after, qualifier=qualifier, tables=tables_in(text, start)
    )
