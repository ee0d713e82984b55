"""A text and a cursor in, what stands around the cursor out: the part of the statement, what is typed of a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from thanosql.engine.language.heads import SHAPES, WITH_QUERY
from thanosql.engine.language.mistakes import NAMES
from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme
from thanosql.notebook.language import SQL_WORDS, keywords

_CLAUSES = "SELECT FROM JOIN WHERE GROUP ORDER HAVING ON SET INTO UPDATE VALUES RETURNING LIMIT TABLE"
CLAUSES = frozenset(_CLAUSES.split())
PLANNED = ("BUILD MODEL", "FIT MODEL", "PREDICT USING", "EVALUATE USING", "ALIGN USING")
LONGEST = 100_000  # characters; past it nothing is offered


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a cursor is. `kind` is start, head, option, value, query or parameter; `fragment` what is typed of a word.

    `names` says what kind of name may stand in a head, `keywords` which words; `tables` are the query's, alias → name.
    """

    kind: str
    fragment: str = ""
    in_string: bool = False
    names: str = ""
    keywords: tuple[str, ...] = ()
    statement: str = ""
    about: str = ""
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


def place_at(text: str, cursor: int) -> Place | None:
    """The place of `cursor`, a 0-based offset; None inside a comment or a dollar-quoted string."""
    if len(text) > LONGEST:
        return None
    try:
        tokens = _lexemes(text[:cursor])
    except Refusal:
        return None
    end = tokens[-1].end if tokens else 0
    if "--" in (rest := text[end:cursor]) and "\n" not in rest[rest.rindex("--") :]:
        return None
    tokens, fragment, in_string = _fragment(tokens, text[:cursor])
    if fragment.startswith(":") and not in_string:
        return Place(kind="parameter", fragment=fragment)
    frame = _frames(tokens)
    begin = cursor - len(fragment) - in_string
    return _classified(frame, text, begin, fragment, in_string)


def _lexemes(text: str) -> list[Lexeme]:
    """The lexemes of a text, up to an open quote."""
    found: list[Lexeme] = []
    at = 0
    while (piece := lexeme(text, at)).kind:
        found.append(piece)
        if piece.kind in ("'", '"'):
            break
        at = piece.end
    return found


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


def _classified(frame: _Frame, text: str, begin: int, fragment: str, in_string: bool) -> Place | None:
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
            return Place(kind="start", fragment=fragment)
    elif words[0] in SHAPES:
        query = _query_begin(words)
        if query is None:
            return _in_head(frame, words, text, begin, fragment, in_string)
        return None if in_string else _in_query(frame.tokens[query:], text, frame.start, fragment)
    return None if in_string else _in_query(frame.tokens, text, frame.start, fragment)


def _query_begin(words: Sequence[str]) -> int | None:
    """The index of a statement's first word of SQL; None while the cursor is in its head."""
    if words[0] in ("DROP", "DELETE", "ROLLBACK", "COPY", "EXPLAIN"):
        own = {"DROP": "MODEL", "DELETE": "MODEL", "ROLLBACK": "MODEL"}.get(words[0])
        if own and len(words) > 1 and words[1] != own:
            return 0
        if words[0] == "EXPLAIN" and len(words) > 1 and words[1] not in WITH_QUERY:
            return 0
    first = words[1] if words[0] in ("EXPLAIN", "CHECK") and len(words) > 1 else words[0]
    return words.index("AS") + 1 if first in WITH_QUERY and "AS" in words else None


def _in_options(frame: _Frame, options: _Frame, text: str, fragment: str, in_string: bool) -> Place | None:
    assert options.parent is not None
    head = [token.upper for token in options.parent.tokens]
    if head and head[0] in ("EXPLAIN", "CHECK"):
        head = head[1:]
    if not head:
        return None
    about = head[2] if head[0] == "GET" and len(head) > 2 else ""
    tokens = options.tokens
    given = frozenset(one.text.lower() for one, equals in pairwise(tokens) if equals.kind == "=")
    commas = [index for index, token in enumerate(tokens) if token.kind == ","]
    present = tokens[commas[-1] + 1 :] if commas else tokens
    if frame is not options or (len(present) == 2 and present[1].kind == "="):
        return Place(
            kind="value",
            fragment=fragment,
            in_string=in_string,
            statement=head[0],
            about=about,
            option=present[0].text.lower() if present else "",
            tables=_tables(text, options.start),
        )
    if present or in_string:
        return None
    return Place(kind="option", fragment=fragment, statement=head[0], about=about, given=given)


def _in_head(frame: _Frame, words: list[str], text: str, begin: int, fragment: str, in_string: bool) -> Place | None:
    names = _names(words)
    if in_string:
        return Place(kind="head", names=names, fragment=fragment, in_string=True) if names == "file" else None
    if words in (["EXPLAIN"], ["CHECK"]):
        return Place(
            kind="head", fragment=fragment, keywords=PLANNED + (("SELECT", "ANALYZE") if words[0] == "EXPLAIN" else ())
        )
    keywords = _keywords(text[frame.start : begin])
    if words == ["DROP", "MODEL"]:
        keywords = ("IF EXISTS",)
    if words == ["LIST", "MODEL"]:
        keywords = ("VERSIONS",)  # the statement is whole without it, so the grammar stops nowhere
    if words in (["DROP"], ["DELETE"]):
        keywords = ("MODEL", *(("TABLE", "VIEW", "INDEX", "SCHEMA") if words[0] == "DROP" else ("FROM",)))
    return Place(kind="head", names=names, keywords=keywords, fragment=fragment)


def _names(words: Sequence[str]) -> str:
    """What kind of name may stand behind these words of a head."""
    if words[0] in ("EXPLAIN", "CHECK"):
        words = words[1:]
    if not words:
        return ""
    last = words[-1]
    if last == "USING":
        return "model"
    if words[0] == "GET":
        return {"DATASET": "dataset", "MODEL": "base"}.get(last, "") if len(words) == 3 else ""
    if words[0] in ("DESCRIBE", "DROP", "DELETE", "ROLLBACK", "FIT") and (
        last == "MODEL" or words[-2:] == ["IF", "EXISTS"]
    ):
        return "stored"
    if words[0] == "LIST" and last == "VERSIONS":
        return "stored"
    if words[0] == "COPY":
        return "table" if len(words) == 1 else "file" if last == "FROM" else ""
    return ""


def _keywords(head: str) -> tuple[str, ...]:
    """The keywords that the grammar takes behind a statement's beginning; names that happen to be keywords left out."""
    from thanosql.engine.language.parser import stopped

    try:
        accepts = set(stopped(head).accepts or ())
    except (ValueError, Refusal):
        return ()
    words = accepts & set(keywords())
    if "WORD" in accepts:
        words -= NAMES
    return tuple(sorted(words - {f"{word}S" for word in words}))


def _in_query(tokens: Sequence[Lexeme], text: str, start: int, fragment: str) -> Place:
    words = [token.upper for token in tokens]
    last = words[-1] if words else "("
    clause = next((word for word in reversed(words) if word in CLAUSES), "")
    after = "FROM" if clause == "FROM" and tokens and tokens[-1].kind == "," else last
    qualifier = fragment.rpartition(".")[0]
    return Place(kind="query", fragment=fragment, after=after, qualifier=qualifier, tables=_tables(text, start))


def _tables(text: str, at: int) -> dict[str, str]:
    """The tables that the statement around the offset `at` reads: alias, or name, → name as written."""
    tokens = _whole(text)
    begin = max((index + 1 for index, token in enumerate(tokens) if token.kind == ";" and token.end <= at), default=0)
    end = next((index for index, token in enumerate(tokens) if token.kind == ";" and token.start >= at), len(tokens))
    found: dict[str, str] = {}
    index, listing = begin, False
    while index < end:
        token = tokens[index]
        index += 1
        if token.upper in ("FROM", "JOIN", "UPDATE", "INTO"):
            listing = True
        elif not (listing and token.kind == ","):
            listing = listing and token.upper not in CLAUSES
            continue
        name, index = _qualified(tokens, index, end)
        if not name:
            continue
        if index < end and tokens[index].upper == "AS":
            index += 1
        alias = name.rpartition(".")[2]
        if index < end and tokens[index].kind in ("WORD", "QUOTED") and tokens[index].upper not in SQL_WORDS:
            alias, index = tokens[index].text, index + 1
        found[alias] = name
    return found


def _whole(text: str) -> list[Lexeme]:
    """The lexemes of a text; past a quote that is being typed they go on behind the word that it opens."""
    try:
        tokens = _lexemes(text)
        if tokens and tokens[-1].kind in ("'", '"'):
            opened = tokens.pop()
            behind = text[opened.end :].partition(" ")[2]
            skipped = len(text) - len(behind)
            tokens += [Lexeme(one.kind, one.text, one.start + skipped, one.end + skipped) for one in _lexemes(behind)]
    except Refusal:
        return []
    return tokens


def _qualified(tokens: Sequence[Lexeme], index: int, end: int) -> tuple[str, int]:
    """The dotted name at `index`, and the index behind it; an empty name where none stands."""
    parts: list[str] = []
    while index < end and tokens[index].kind in ("WORD", "QUOTED") and tokens[index].upper not in SQL_WORDS:
        parts.append(tokens[index].text)
        index += 1
        if index >= end or tokens[index].kind != ".":
            break
        index += 1
    return ".".join(parts), index
