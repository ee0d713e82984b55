"""No pattern takes a long text's square, or 2 to its power: repeats inside of repeats give nothing back."""

from __future__ import annotations

import importlib
import pkgutil
import re
import re._constants as codes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import thanosql
from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.query_errors import first_word

# Each turn of the outer repeat begins with a sign that no inner one takes, so that there is one way to match.
DIVIDED = {
    r"(?:DROP|DELETE)\s++MODEL\s++(?P<names>\w+(?:\s*+,\s*+\w+)+)",
    r"""(?:[\w$]+|"[^"]+")(?:\.(?:[\w$]+|"[^"]+"))*""",
    r"\b(?:[A-Za-z][A-Za-z-]*\.)+(?:com|org|net|edu|gov|io|co\.uk|co\.kr|kr|info|tv)\b",
}


def nested_repeats(parsed: Any, inside: bool = False) -> bool:
    """Whether a repeat without a bound, which gives back, stands in another."""
    for code, argument in parsed:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            endless = argument[1] == codes.MAXREPEAT
            if (endless and inside) or nested_repeats(argument[2], inside or endless):
                return True
        elif code is codes.BRANCH:
            if any(nested_repeats(branch, inside) for branch in argument[1]):
                return True
        elif code is codes.SUBPATTERN and nested_repeats(argument[3], inside):
            return True
    return False


def patterns(value: Any, depth: int = 0) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif depth < 3 and isinstance(value, list | tuple | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from patterns(one, depth + 1)


def test_no_pattern_repeats_a_repeat_that_gives_back() -> None:
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(thanosql.__path__, "thanosql."):
        if "__main__" not in module.name and "decoder_process" not in module.name:
            for value in vars(importlib.import_module(module.name)).values():
                found |= {one.pattern: module.name for one in patterns(value)}
    assert len(found) > 150
    assert {one for one in found if nested_repeats(parser.parse(one, 0))} - DIVIDED == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [(r"(a+)+", True), (r"(a+|b)*c", True), (r"(?:a++)+", False), (r"(a+)", False), (r"(?:a+b?){2,9}", False)],
)
def test_the_check_of_patterns_tells_them_apart(text: str, expected: bool) -> None:
    assert nested_repeats(parser.parse(text)) is expected


STUCK = [
    "PRINT AUDIO " + "a" * 60 + "!",
    "PREDICT USING m FROM " + "a.b" * 30 + " x y",
    "PRINT AUDIO calls" + " " * 9_000 + "SELECT 1",
    'LIST COLUMNS FROM "' + '"a"' * 40 + "!",
    "/*" * 100_000,
    "PREDICT USING m /*" + "/*" * 100_000,
    "PREDICT " + "/*" * 100_000 + "*/" * 100_000 + " m",
    "PREDICT USING m AS SELECT " + "/*" * 100_000 + "*/" * 99_999,
]


def test_a_long_word_or_blank_is_refused_at_once() -> None:
    """In a process of its own: a pattern that takes the age of the universe would hang this one."""
    code = (
        "import sys\nfrom thanosql.engine.parser import parse_script\nfrom thanosql.errors import ThanoSQLSyntaxError\n"
        "for text in eval(sys.stdin.read()):\n    try: parse_script(text)\n    except ThanoSQLSyntaxError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=repr(STUCK), capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["refused"] * len(STUCK)


def test_comments_before_what_is_no_word_end_too() -> None:
    assert first_word(SQL.of("/**/" * 2_000 + "!")) == ""
    assert first_word(SQL.of("/* a */ -- b\n /**/ SELECT 1")) == "select"
