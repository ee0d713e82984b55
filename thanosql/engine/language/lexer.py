"""The lexer: a text in, the grammar's tokens out: heads of our statements finely, SQL in runs as long as can be.

SQL is cut only where a statement of ours in parentheses stands, and a list's strings and numbers are one token, so that
a megabyte of either is a handful of tokens. What the grammar has no words for (which WITH names are in sight, what is
left open) is found on the way.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from lark import Token

from thanosql.engine.language import terminals
from thanosql.engine.language.foreign_characters import INVISIBLE
from thanosql.engine.language.head_tokens import head_token, list_of_literals
from thanosql.engine.language.limits import MAX_HEAD, MAX_LISTS, MAX_NESTED, MAX_PARENTHESES, MAX_WITH
from thanosql.engine.language.lookaround import is_operand, made_by, refuse_home, separates, word_before
from thanosql.engine.language.openings import (
    behind_query,
    opens_nested,
    opens_statement,
    refuse_no_query,
)
from thanosql.engine.language.scopes import Findings
from thanosql.engine.language.sql_chunk import Region, SQLChunk
from thanosql.engine.language.syntax import Parameter, Text
from thanosql.engine.language.terminals import SPACE, Lexeme, Refusal, lexeme, unclosed
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.engine.language.with_names import WithNames

_OPENED = {"(": 1, "[": 1, ")": -1, "]": -1}
_LISTS_OPENED = {"[": 1, "]": -1}


class Scanner:
    """One text on its way to the parser. `head` is where the innermost statement of ours begins, for messages."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.words = vocabulary()
        self.findings = Findings(text)
        self.head: Lexeme | None = None
        self._level = 0  # statements around
        self._depth = 0  # parentheses around, of all levels
        self._names = WithNames(text)
        self._statement = 0  # where the outermost statement begins
        self._makes: str | None = None  # VIEW, TABLE … of its CREATE, once asked for
        self.spans: list[tuple[int, int]] = []  # begin and end of each statement, `;` and white space around left out

    def tokens(self) -> Iterator[Token]:
        while (begin := self._begin()) < len(self.text):
            if self.text[begin] == ";":
                self.at = begin + 1
                while self.text.startswith(";", following := terminals.skip_blank(self.text, self.at)):
                    self.at = following + 1  # many are one
                yield self._token("SEMICOLON", begin, begin + 1)
                continue
            self._level, self._depth, self._statement, self._makes = 0, 0, begin, None
            self._names.clear()
            if opens_statement(self.text, begin, self.words):
                yield from self._headed(None)
            else:
                self.head = None
                yield from self._sql(None, ours=False)
            self.spans.append((begin, self.at))

    def _begin(self) -> int:
        """Where the next statement begins: a byte order mark before it, or a space of another kind, changes nothing."""
        text, at = self.text, terminals.skip_blank(self.text, self.at)
        while at < len(text) and text[at] > "\x7f" and (text[at] in INVISIBLE or text[at].isspace()):
            self.at = at + 1
            at = terminals.skip_blank(text, self.at)
        return at

    def _token(self, kind: str, start: int, end: int, value: str | None = None) -> Token:
        return Token(kind, self.text[start:end] if value is None else value, start, end_pos=end)

    def _headed(self, parenthesis: int | None) -> Iterator[Token]:
        """A statement of ours, and its query; `parenthesis` is the one that it is nested in."""
        text = self.text
        self.head = word = lexeme(text, self.at)
        opening = word.upper
        introducer = self.words.takes_query.get(opening)
        depth = lists = 0
        for number in range(MAX_HEAD):
            piece = lexeme(text, self.at) if number else word
            if lists and piece.kind in ("STRING", "NUMBER"):
                literals = list_of_literals(self.text, piece)
                self.at = literals.end_pos or 0
                yield literals
                continue
            if piece.kind in ("", ";") or (piece.kind == ")" and depth == 0 and parenthesis is not None):
                self.at = piece.start
                return
            self.at = piece.end
            depth += _OPENED.get(piece.kind, 0)
            lists += _LISTS_OPENED.get(piece.kind, 0)
            if depth > MAX_LISTS:
                raise Refusal(f"More than {MAX_LISTS} parentheses and lists are open here.", piece.start)
            token = head_token(self.text, piece, depth, self.words)
            if opening in self.words.prefixes and token.type in self.words.takes_query:
                self.head, introducer = piece, self.words.takes_query[token.type]
                word, opening = piece, piece.upper
            if token.type == "LPAR" and opening == "COPY" and lexeme(text, word.end).start == piece.start:
                depth -= yield from self._copied(piece.start, token)
                continue
            yield token
            if token.type == introducer and depth == 0:
                yield from self._sql(parenthesis, ours=True)
                return
        raise Refusal(
            f"More than {MAX_HEAD:,} words, values and signs are in this statement before its query.",
            self.at,
            1,
            "Give a long list as a parameter: name=:values.",
        )

    def _copied(self, parenthesis: int, opening: Token) -> Generator[Token, None, int]:
        """The query, or the statement of ours, that COPY writes to a file; how many parentheses were closed here."""
        if opens_nested(self.text, parenthesis, "COPY", self.words):
            yield from self._nested(parenthesis)
            return 1
        yield opening
        yield from self._sql(parenthesis, ours=True)
        return 0

    def _sql(self, parenthesis: int | None, *, ours: bool) -> Iterator[Token]:
        """SQL up to the `;` or the parenthesis that ends it: a query of ours, or a statement of PostgreSQL's."""
        text, region = self.text, Region(parenthesis, ours)
        while self.at < len(text) and text[self.at] in SPACE:
            self.at += 1
        begin = pending = self.at
        parts: list[Text | Parameter] = []  # of the run since `begin`
        if ours:
            refuse_no_query(text, self.at, self.head)
        while self._skip_dull(region):
            start, sign = self.at, text[self.at]
            if sign == "(" and opens_nested(text, start, before := word_before(text, region.last), self.words):
                self._check_nested(before)
                if pending < start:
                    parts.append(Text(text[pending:start], pending))
                if parts:
                    yield SQLChunk.of("SQL", text, begin, start, parts)
                    parts = []
                yield from self._nested(start)
                begin = pending = self.at
            elif sign == ":" and (name := self._parameter(region)) is not None:
                if pending < start:
                    parts.append(Text(text[pending:start], pending))
                parts.append(Parameter(name[1], start))
                self.at = pending = name.end()
            elif region.ends_with(sign):
                break
            else:
                self._mark(sign, region)
            region.last = self.at - 1
        if region.openers:
            raise unclosed(text, region.openers[-1])
        if parenthesis is not None and not text.startswith(")", self.at):
            raise unclosed(text, parenthesis)
        end = self.at
        while end > pending and text[end - 1] in SPACE:
            end -= 1
        if pending < end and region.last >= 0:
            parts.append(Text(text[pending:end], pending))
        if parts:
            yield SQLChunk.of("SQL", text, begin, max(end, pending), parts)

    def _skip_dull(self, region: Region) -> bool:
        """Go on to the next character that needs a look; False at the end of the text."""
        while True:
            dull = terminals.DULL.match(self.text, self.at)
            if dull is not None:
                run = dull[0].rstrip(SPACE)
                region.last = self.at + len(run) - 1 if run else region.last
                self.at = dull.end()
            if self.at >= len(self.text):
                return False
            if self.text[self.at] not in "-/":
                return True
            self.at = terminals.skip_blank(self.text, self.at)  # a comment: others are dull

    def _nested(self, parenthesis: int) -> Iterator[Token]:
        """A statement of ours in parentheses, both of them included."""
        head = self.head
        self._depth += 1
        self._level += 1
        visible = self._names.visible
        if len(visible) > MAX_WITH:
            raise Refusal(f"More than {MAX_WITH} WITH queries come before this statement.", parenthesis)
        self.findings.scopes[parenthesis] = visible
        self.findings.recursions[parenthesis] = tuple(self._names.recursive())
        yield self._token("LPAR", parenthesis, parenthesis + 1)
        self.at = parenthesis + 1
        yield from self._headed(parenthesis)
        if not self.text.startswith(")", self.at):
            raise unclosed(self.text, parenthesis)
        self.findings.ends[parenthesis] = self.at
        self._names.refuse_recursion(parenthesis, self.at, visible)
        yield self._token("RPAR", self.at, self.at + 1)
        self.at += 1
        self.head = head
        self._level -= 1
        self._close(parenthesis)

    def _check_nested(self, before: str) -> None:
        start = self.at
        self._check_depth()
        if self._level >= MAX_NESTED:
            raise Refusal(f"Statements are nested more than {MAX_NESTED} deep.", start)
        refuse_home(self._made, start, before)

    @property
    def _made(self) -> str:
        """What the outermost statement makes."""
        if self._makes is None:
            self._makes = made_by(self.text, self._statement)
        return self._makes

    def _check_depth(self) -> None:
        if self._depth >= MAX_PARENTHESES:
            raise Refusal(f"More than {MAX_PARENTHESES:,} parentheses are open here.", self.at)

    def _parameter(self, region: Region) -> re.Match[str] | None:
        """The parameter that stands here; None for `::`, `:=`, a slice, and the colon of JSON_OBJECT."""
        if self.text.startswith("::", self.at):
            return None
        name = terminals.PARAMETER.match(self.text, self.at)
        return None if name is None or separates(self.text, region.last, region.openers, name.end()) else name

    def _mark(self, sign: str, region: Region) -> None:
        """Go over one thing that is no token of its own, and remember what it opens or closes."""
        text, start = self.text, self.at
        if sign in "'\"$" or text.startswith(("e'", "E'"), start):
            self.at = terminals.quoted_end(text, start)
        elif sign in "([":
            self._check_depth()
            if sign == "(" and region.last < 0:
                region.outer = start
            region.openers.append(start)
            self._depth += 1
            self.at += 1
        elif sign == ")":
            self.at += 1
            if not region.openers:
                raise Refusal("This parenthesis closes nothing.", start, 1, "Remove it, or open one before it.")
            opener = region.openers.pop()
            if text[opener] == "[":
                raise unclosed(text, opener)
            self._close(opener)
            if opener == region.outer and region.ours and self._ends(region):
                self.findings.outer[opener] = start
        elif sign == "]":
            self.at += 1
            if region.openers and text[region.openers[-1]] == "[":
                region.openers.pop()
                self._depth -= 1
        elif sign.isalpha():
            self._word(region)
        else:
            self.at += 2 if text.startswith("::", start) else 1

    def _ends(self, region: Region) -> bool:
        behind = terminals.skip_blank(self.text, self.at)
        return self.text[behind : behind + 1] in ("", ";", ")" if region.parenthesis is not None else ";")

    def _word(self, region: Region) -> None:
        """WITH, BEGIN, CASE, END or OPTIONS: the words that mean something to us in SQL."""
        word = lexeme(self.text, self.at)
        self.at = word.end
        following = lexeme(self.text, word.end)
        if word.upper == "WITH":
            before = self.text[region.last] if region.last >= 0 else ""
            self._names.begin(word, before, level=self._level, depth=self._depth)
        elif word.upper == "BEGIN":
            atomic = following.upper == "ATOMIC" and self._made in ("FUNCTION", "PROCEDURE")
            region.blocks += atomic or region.blocks > 0
        elif word.upper == "CASE":
            region.blocks += region.blocks > 0
        elif word.upper == "END":
            region.blocks -= region.blocks > 0
        elif region.ours and not region.openers and following.kind == "(" and is_operand(self.text, region.last):
            name = lexeme(self.text, following.end)
            if name.kind == "WORD" and lexeme(self.text, name.end).kind == "=":
                raise behind_query(word, self.head)

    def _close(self, parenthesis: int) -> None:
        self._depth -= 1
        self._names.close(parenthesis, self.at, self._depth)
