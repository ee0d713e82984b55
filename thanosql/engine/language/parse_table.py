"""A grammar's text in, lark's parser for it out: read from the table beside grammar.lark, or made anew.

Lark needs 60 ms to make the table and 10 to read it, and a statement from a shell waits for that. The file is a line and
JSON, and lies with the code, so it is as safe as the code. It is used only if it was made of this text by this version of
lark.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import lark
from lark import Lark, Transformer
from lark.grammar import Rule
from lark.lexer import Lexer, TerminalDef

FILE = "parse_table.txt"


def parser_of(grammar: str, lexer: type[Lexer], transformer: Transformer[Any, Any]) -> Lark:
    """The LALR parser of `grammar`, from its rule `script`."""
    return _read(grammar, lexer, transformer) or _made(grammar, lexer, transformer)


def table_of(grammar: str, lexer: type[Lexer]) -> str:
    """The text of the table's file: a line that says what it was made of, and the table. States are numbered as they come."""
    data, memo = _made(grammar, lexer, None).memo_serialize([TerminalDef, Rule])
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = None  # a class, which `_read` puts back
    table = json.dumps({"data": data, "memo": memo}, ensure_ascii=False, separators=(",", ":"))
    return f"{_made_of(grammar)}\n{table}\n"


def is_made_of(grammar: str, table: str) -> bool:
    """Whether the table's text was made of this grammar, by the lark that is here."""
    return table.startswith(_made_of(grammar) + "\n")


def _made(grammar: str, lexer: type[Lexer], transformer: Transformer[Any, Any] | None) -> Lark:
    return Lark(grammar, start="script", parser="lalr", lexer=lexer, transformer=transformer, maybe_placeholders=False)


def _read(grammar: str, lexer: type[Lexer], transformer: Transformer[Any, Any]) -> Lark | None:
    try:
        text = resources.files("thanosql").joinpath(FILE).read_text(encoding="utf-8")
    except OSError:
        return None
    if not is_made_of(grammar, text):
        return None
    table = json.loads(text.partition("\n")[2], object_hook=_with_numbers)
    data = table["data"]
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    # What the parsers that lark writes as Python files call. `Lark.load` is public and reads pickles alone.
    parser: Lark = Lark._load_from_dict(data, table["memo"], transformer=transformer)  # type: ignore[no-untyped-call]
    return parser


def _made_of(grammar: str) -> str:
    return f"lark {lark.__version__}, grammar {hashlib.sha256(grammar.encode()).hexdigest()}"


def _with_numbers(read: Mapping[str, Any]) -> dict[str | int, Any]:
    """An object of JSON, its keys that are numbers as numbers again."""
    return {int(key) if key.isdecimal() else key: value for key, value in read.items()}
