"""What is wrong with a text: where the grammar stopped goes in, the message for the user comes out.

Known mistakes are labelled by malformed examples, as lark's documentation shows for `match_examples`; an example stands
for every text that stops at the same kind of token where the same tokens could have stood, in whatever statement and
however deep.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from lark import Token
from lark.exceptions import UnexpectedToken

from thanosql.engine.language.habits import columns_of
from thanosql.engine.language.lexer import Scanner
from thanosql.engine.language.malformed import EXAMPLES
from thanosql.engine.language.near_misses import near_miss
from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.errors import near

LONGEST_SHOWN = 60  # characters of what was written that a message repeats
LONGEST_OPENING = 3  # words that tell a statement from others
_WORDS = {
    "SQL": "a query",
    "WORD": "a name",
    "QUOTED": "a name",
    "STRING": "a string in single quotes",
    "LITERALS": "a string in single quotes",
    "NUMBER": "a number",
    "PARAMETER": "a parameter",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "a list",
    "RSQB": "]",
    "COMMA": "a comma",
    "EQUAL": "=",
    "DOT": "a dot",
    "SEMICOLON": ";",
    "$END": "the end",
}


def explain(error: UnexpectedToken, scanner: Scanner, stopped: Callable[[str], UnexpectedToken]) -> Refusal:
    """The message for a text that the grammar does not take; `stopped` says where an example stops."""
    accepts = frozenset(error.accepts or error.expected)
    stop = _Stop(error.token, accepts, scanner)
    try:
        return _recognized(stop, scanner, stopped)
    except Refusal:  # what follows the stop was not read before, and need not be readable
        return stop.refusal(f"{stop.expected} was expected here, not {stop.found}.")


def _recognized(stop: _Stop, scanner: Scanner, stopped: Callable[[str], UnexpectedToken]) -> Refusal:
    accepts, token = stop.accepts, stop.token
    if (miss := near_miss(scanner.text, stop.begin, stop.start)) is not None:
        return stop.refusal(miss.wrong, f"Write: {miss.written}", shaped=False)
    keywords = sorted(accepts & vocabulary().keywords) if not accepts >= vocabulary().names else []
    if token.type == "WORD" and (meant := near(token, keywords, 0.65)):
        return stop.refusal(f"'{token}' is no keyword here.", f"Did you mean {meant}?")
    if (copied := _copied(stop)) is not None:
        return copied
    label = _labels(stopped).get((accepts, token.type))
    return (
        _MESSAGES[label](stop)
        if label is not None
        else stop.refusal(f"{stop.expected} was expected here, not {stop.found}.")
    )


@cache
def _labels(stopped: Callable[[str], UnexpectedToken]) -> dict[tuple[frozenset[str], str], str]:
    """Which mistake it is, by what could have stood there and what did."""
    labels: dict[tuple[frozenset[str], str], str] = {}
    for label, examples in EXAMPLES.items():
        for example in examples:
            error = stopped(example)
            labels.setdefault((frozenset(error.accepts or error.expected), error.token.type), label)
    return labels


class _Stop:
    """Where the grammar stopped, in words."""

    def __init__(self, token: Token, accepts: frozenset[str], scanner: Scanner) -> None:
        self.token, self.accepts, self.text, self.head = token, accepts, scanner.text, scanner.head
        self.at_end = token.type == "$END"
        self.start = len(scanner.text.rstrip()) if self.at_end else token.start_pos or 0
        self.width = max(1, (token.end_pos or 0) - self.start) if not self.at_end else 1

    @property
    def begin(self) -> int:
        """Where its statement opens."""
        return self.head.start if self.head is not None else self.start

    def refusal(
        self, message: str, hint: str | None = None, start: int | None = None, *, shaped: bool = True
    ) -> Refusal:
        """`shaped` adds the shape of the statement to the hint."""
        shape = self._shape() if shaped else ""
        hint = f"{hint} {shape}" if hint and shape else hint or shape
        return Refusal(message, self.start if start is None else start, self.width if start is None else 1, hint)

    def _shape(self) -> str:
        """The shape of the statement that it stopped in."""
        said: list[str] = []
        at = self.begin
        while len(said) < LONGEST_OPENING and (piece := lexeme(self.text, at)).kind and piece.start < self.start:
            said.append(piece.upper)
            at = piece.end
        return vocabulary().shape(*said)

    @property
    def introducer(self) -> str:
        """The word that the statement's query stands behind."""
        return vocabulary().takes_query.get(self.head.upper if self.head is not None else "", "AS")

    @property
    def found(self) -> str:
        if self.at_end:
            return "the end of the text"
        if self.token.type == "SQL":
            return "SQL"
        shown = self.text[self.start : self.start + min(self.width, 40)]
        return f"'{shown}'" if "'" not in shown else shown

    @property
    def expected(self) -> str:
        words = self.accepts
        if words >= vocabulary().names:
            words -= vocabulary().names | {"LPAR", "QUOTED"}
        words = words - {f"{word}S" for word in words}  # the plurals
        parts = sorted(
            {_WORDS.get(word, word) for word in words} - {"the end"}, key=lambda word: (word.islower(), word)
        )
        listed = _either(parts) if parts else "the end"
        return listed[0].upper() + listed[1:]

    def opening(self, sign: str) -> int:
        """Where the last parenthesis or bracket opened before the stop."""
        at, found = (self.head.end if self.head else 0), self.start
        while (piece := lexeme(self.text, at)).kind and piece.start < self.start:
            found = piece.start if piece.kind == sign else found
            at = piece.end
        return found

    def before(self, place: int | None = None) -> Lexeme:
        """What stands just before the stop, or before another place."""
        at, found = (self.head.start if self.head else 0), Lexeme("", "", 0, 0)
        while (piece := lexeme(self.text, at)).kind and piece.start < (self.start if place is None else place):
            found, at = piece, piece.end
        return found

    def word_before(self, piece: Lexeme) -> str:
        return self.before(piece.start).upper


def _copied(stop: _Stop) -> Refusal | None:
    """The signs of a shape, of a template or of another database, written where none of them stands."""
    sign, text = str(stop.token), stop.text
    if sign == "{":
        inside = text[stop.start : text.find("}", stop.start) + 1 or stop.start + 1][:LONGEST_SHOWN]
        name = inside.strip("{} ")
        if "PARAMETER" in stop.accepts and name.isidentifier():
            return stop.refusal(
                f"'{inside}' is in braces, and nothing fills it in here.", f"Write a parameter as :{name}."
            )
        return stop.refusal(
            f"'{inside}' is in braces, which mark a choice of words in the documentation, or a value that a program fills in.",
            "Write the word without braces.",
        )
    if sign == "[" and stop.before().upper != "OPTIONS":
        return stop.refusal(
            "The brackets [ and ] mark an optional part in the documentation; they are not written.", "Remove them."
        )
    if sign == "`":
        name = text[stop.start + 1 :].partition("`")[0][:LONGEST_SHOWN]
        return stop.refusal("A name is written without backticks.", f"Write {name}.")
    if stop.head is not None and stop.head.upper == "DESCRIBE" and stop.before() == stop.head and not stop.at_end:
        table = stop.token.upper() == "TABLE" and lexeme(text, stop.start + stop.width).text
        if sign.upper() == "MODELS":
            return stop.refusal(
                "DESCRIBE MODEL is for one model: DESCRIBE MODEL name.", "LIST MODEL lists them.", shaped=False
            )
        return stop.refusal(
            "DESCRIBE is for models." if table else f"DESCRIBE is for models: DESCRIBE MODEL {sign}.",
            f"LIST TABLE lists the tables; find the columns of one with a query: {columns_of(table or sign)}",
            shaped=False,
        )
    return None


def _either(parts: Sequence[str]) -> str:
    """The parts, divided by commas, and the last one by or."""
    return ", ".join(parts[:-1]) + (" or " if len(parts) > 1 else "") + parts[-1]


def _missing_as(stop: _Stop) -> Refusal:
    if stop.token.type != "LPAR" and stop.token.upper() not in ("SELECT", "WITH", "VALUES", "TABLE", "FROM"):
        return stop.refusal(f"{stop.expected} was expected here, not {stop.found}.")
    return stop.refusal("AS is missing before the query.")


def _missing_comma(stop: _Stop) -> Refusal:
    before = stop.before()
    if before.kind == "STRING" and before.end == stop.start:
        return stop.refusal(
            "A string ends here, and something follows it at once.",
            "Is its opening or closing quote missing? A quote inside a string is doubled: ''.",
            before.start,
        )
    if before.kind == "NUMBER" and before.end == stop.start:
        return stop.refusal(f"{before.text}{stop.token} is neither a number nor a name.", start=before.start)
    return stop.refusal(f"A comma is missing before {stop.found}.")


def _missing_equals(stop: _Stop) -> Refusal:
    name = stop.before()
    if stop.token.type in ("OPERATOR", "PARAMETER"):
        sign = ":" if stop.token.type == "PARAMETER" else stop.token
        return stop.refusal(f"An option's value follows a single =, not {sign}.", f"Write {name.text}=value.")
    return stop.refusal(f"= is missing after the option '{name.text}'.", "Write name=value.")


def _doubled_equals(stop: _Stop) -> Refusal:
    if "=" not in stop.token:
        return stop.refusal(f"The option's value cannot begin with {stop.found}.", "Write name=value.")
    return stop.refusal("An option's value follows a single =.", "Write name=value.")


def _order(stop: _Stop) -> Refusal:
    if stop.token.type == "AS":
        return stop.refusal("USING and a model are missing before AS.")
    if "USING" in stop.accepts:
        return stop.refusal(f"The clauses are in the wrong order: USING comes before {stop.token.upper()}.")
    if stop.token.type == "USING":
        return stop.refusal("The clauses are in the wrong order: USING comes before OPTIONS.")
    return stop.refusal("The clauses are in the wrong order: OPTIONS comes before FROM.")


def _path_without_quotes(stop: _Stop) -> Refusal:
    path = stop.text[stop.start :].partition("\n")[0].rstrip("; ").strip('"')
    shown = path if path and " " not in path and len(path) <= LONGEST_SHOWN else "path"
    return stop.refusal("The path must be in single quotes, or be a parameter.", f"Write FROM '{shown}'.")


def _sign_in_name(stop: _Stop) -> Refusal:
    cure = "A name has letters from A to Z, digits and underscores."
    name = stop.before()
    if lexeme(stop.text, stop.start + 1).kind in ("WORD", "NUMBER") and stop.word_before(name) in ("MODEL", "DATASET"):
        rest = re.compile(r"[\w./-]*").match(stop.text, stop.start)
        cure += f" Write {name.text}{re.sub(r'[^A-Za-z0-9]', '_', rest[0] if rest else '')}."
    elif stop.head is not None and stop.head.upper != "DROP":
        cure += " Put a folder or hub id after USING in quotes: USING 'owner/model'."
    return stop.refusal(f"{stop.found} cannot be in a name.", cure)


def _written_name(stop: _Stop) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", stop.token.strip("'\"")).strip("_")
    return f"Write {name}." if name[:1].isalpha() else "A name has letters from A to Z, digits and underscores."


_MESSAGES: dict[str, Callable[[_Stop], Refusal]] = {
    "missing AS": _missing_as,
    "missing query": lambda stop: stop.refusal(f"The query after {stop.introducer} is missing."),
    "missing comma": _missing_comma,
    "missing =": _missing_equals,
    "doubled =": _doubled_equals,
    "option in quotes": lambda stop: stop.refusal("An option's name is written without quotes.", "Write name=value."),
    "no option": lambda stop: stop.refusal(f"An option was expected here, not {stop.found}.", "Write name=value."),
    "missing value": lambda stop: stop.refusal("The option's value is missing.", "Write name=value."),
    "open OPTIONS": lambda stop: stop.refusal("The parenthesis of OPTIONS is never closed.", start=stop.opening("(")),
    "open list": lambda stop: stop.refusal(
        "The list that opens here is never closed.", "Close it with ].", stop.opening("[")
    ),
    "OPTIONS without parentheses": lambda stop: stop.refusal(
        "The options must be in parentheses.", "Write OPTIONS (name=value, …)."
    ),
    "OPTIONS twice": lambda stop: stop.refusal("OPTIONS is written twice.", "Put all options into one list."),
    "order": _order,
    "name as string": lambda stop: stop.refusal("A name is expected here, without quotes.", _written_name(stop)),
    "missing name": lambda stop: stop.refusal(f"A name is missing before {stop.found}."),
    "sign in name": _sign_in_name,
    "digit in name": lambda stop: stop.refusal("A name begins with a letter or an underscore, not with a digit."),
    "path without quotes": _path_without_quotes,
    "closes none": lambda stop: stop.refusal("This parenthesis closes nothing."),
    "not planned": lambda stop: stop.refusal(
        f"{stop.before().upper} must come before {_either(vocabulary().planned)}, not before {stop.found}."
    ),
    "more behind": lambda stop: stop.refusal(
        f"The statement ends here, but {stop.found} follows.", "Separate statements with ;."
    ),
}
