"""The syntaxes of all statements in, what they say together out: keywords, first words, shapes, what may come next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from thanosql.engine.language.declared import DECLARED
from thanosql.engine.language.statement_syntax import CLAUSES, StatementShape
from thanosql.engine.language.terminals import words

# PostgreSQL's commands; a first word that is none of them is ours alone.
POSTGRES = words(
    """ABORT ALTER ANALYSE ANALYZE BEGIN CALL CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY CREATE DEALLOCATE DECLARE
    DELETE DISCARD DO DROP END EXECUTE EXPLAIN FETCH GRANT IMPORT INSERT LISTEN LOAD LOCK MERGE MOVE NOTIFY PREPARE
    REASSIGN REFRESH REINDEX RELEASE REPACK RESET REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW START TABLE
    TRUNCATE UNLISTEN UPDATE VACUUM VALUES WAIT WITH"""
)


@dataclass(frozen=True)
class Vocabulary:
    """What the statements' `syntaxes` say together; first words and keywords are in capitals."""

    syntaxes: tuple[StatementShape, ...]

    @cached_property
    def keywords(self) -> frozenset[str]:
        """Every keyword."""
        return frozenset[str]().union(*(syntax.keywords for syntax in self.syntaxes))

    @cached_property
    def names(self) -> frozenset[str]:
        """The keywords that may be a name."""
        return self.keywords - CLAUSES

    @cached_property
    def seconds(self) -> Mapping[str, frozenset[str]]:
        """The keywords that may follow each first word; none where a name does."""
        found: dict[str, set[str]] = {}
        for syntax in self.syntaxes:
            for first, *rest in syntax.ways:
                found.setdefault(first, set()).update(_spellings(syntax, rest[:1]))
        for first in self.prefixes:
            found[first] = set(self.planned)
        return {first: frozenset(listed) for first, listed in found.items()}

    @cached_property
    def firsts(self) -> frozenset[str]:
        """The words that statements open with."""
        return frozenset(way[0] for syntax in self.syntaxes for way in syntax.ways)

    @cached_property
    def own(self) -> frozenset[str]:
        """Those of them that open no command of PostgreSQL's."""
        return self.firsts - POSTGRES

    @cached_property
    def takes_query(self) -> Mapping[str, str]:
        """The first words of statements that end with a query, and the word before it: AS or FROM."""
        return {way[0]: syntax.query_behind for syntax in self.syntaxes for way in syntax.ways if syntax.query_behind}

    @cached_property
    def planned(self) -> tuple[str, ...]:
        """The first words of what EXPLAIN and CHECK may stand before."""
        return tuple(syntax.ways[0][0] for syntax in self.syntaxes if syntax.planned)

    @cached_property
    def prefixes(self) -> frozenset[str]:
        """EXPLAIN and CHECK: the first words of what stands before a statement."""
        return _firsts(syntax for syntax in self.syntaxes if syntax.ways[0][1:] == ("statement",))

    @cached_property
    def nested_using(self) -> frozenset[str]:
        """The first words of those that may stand in a query, with USING after them."""
        return _firsts(syntax for syntax in self.syntaxes if syntax.nests and syntax.ways[0][1] == "USING")

    @cached_property
    def nested_kinds(self) -> Mapping[str, frozenset[str]]:
        """Of the others that may stand in a query: the words after the first."""
        others = [syntax for syntax in self.syntaxes if syntax.nests and syntax.ways[0][1] != "USING"]
        return Vocabulary(tuple(others)).seconds if others else {}

    @cached_property
    def makers(self) -> Mapping[str, str]:
        """What opens as BUILD MODEL name USING does, and may not stand in a query: its two first words."""
        return {
            way[0]: way[1]
            for syntax in self.syntaxes
            if not syntax.nests
            for way in syntax.ways
            if way[3:4] == ("USING",)
        }

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The titles of the statements about one model: BUILD MODEL, DROP MODEL …"""
        named = (way[:2] for syntax in self.syntaxes for way in syntax.ways if way[1] == "MODEL")
        return tuple(dict.fromkeys(" ".join(words) for words in named))

    def opened_by(self, *first: str) -> list[StatementShape]:
        """The statements that begin as these words do: those that share most of them."""
        shared = {at: max(_shared(way, first) for way in syntax.ways) for at, syntax in enumerate(self.syntaxes)}
        most = max(shared.values(), default=0)
        return [self.syntaxes[at] for at, count in shared.items() if count == most > 0]

    def lines(self, *first: str) -> list[str]:
        """Their shapes."""
        found = [(syntax, line) for syntax in self.opened_by(*first) for line in syntax.lines]
        return [self.shown(line) for syntax, line in found if line.startswith(first[0]) or len(syntax.lines) == 1]

    def shape(self, *first: str) -> str:
        """The same as one text.

        >>> vocabulary().shape("DROP", "MODEL")
        'DROP MODEL [IF EXISTS] name'
        """
        return " or ".join(self.lines(*first))

    def shown(self, line: str) -> str:
        """A shape as it is shown: `statement` is those that may stand there."""
        return line.replace(" statement", f" {{{' | '.join(self.planned)}}} …")

    def following(self, *said: str) -> tuple[str, ...]:
        """What may follow these words of a statement: keywords (IF EXISTS is one), and kinds of names.

        Words are in capitals, whatever they are; a parenthesis and what it holds is `(…)`.
        """
        if said and said[0] in self.prefixes:
            return Vocabulary(tuple(syntax for syntax in self.syntaxes if syntax.planned)).following(*said[1:])
        expected: dict[str, list[tuple[str, ...]]] = {}
        for syntax in self.syntaxes:
            for way in syntax.ways:
                if _shared(way, said) == len(said) < len(way):
                    piece = way[len(said)]
                    expected.setdefault(piece if piece.isupper() else syntax.kind_of(piece), []).append(way)
        return tuple(self._joined(piece, len(said), ways) for piece, ways in expected.items())

    def _joined(self, piece: str, at: int, ways: Sequence[tuple[str, ...]]) -> str:
        """A keyword with those that always follow it."""
        while piece.isupper() and len({way[at + 1 : at + 2] for way in ways}) == 1:
            at += 1
            if not ways[0][at : at + 1] or not ways[0][at].isupper():
                break
            piece = f"{piece} {ways[0][at]}"
        return piece


@cache
def vocabulary() -> Vocabulary:
    """That of all the statements there are."""
    shapes = [declared.shape for declared in DECLARED.values() if declared.shape is not None]
    return Vocabulary(tuple(sorted(shapes, key=lambda shape: shape.lines)))


def _firsts(syntaxes: Iterable[StatementShape]) -> frozenset[str]:
    return frozenset(way[0] for syntax in syntaxes for way in syntax.ways)


def _spellings(syntax: StatementShape, words: Iterable[str]) -> set[str]:
    """Keywords, and their plural or singular where the statement takes it too."""
    listed = {word for word in words if word.isupper()}
    return listed | ({word + "S" for word in listed} | {word.removesuffix("S") for word in listed}) & set(syntax.also)


def _shared(way: Sequence[str], said: Sequence[str]) -> int:
    """How many words of `said`, from the first, stand so in a way to write a statement."""
    return next(
        (at for at, (piece, word) in enumerate(zip(way, said, strict=False)) if not _fits(word, piece)),
        min(len(way), len(said)),
    )


def _fits(word: str, piece: str) -> bool:
    """Whether a word may stand for a piece of a shape: its keyword, in the singular or plural, or any name."""
    if piece == "(…)":
        return word == piece
    return not piece.isupper() or word == piece or (word in (f"{piece}S", piece.removesuffix("S")) and len(word) > 3)
