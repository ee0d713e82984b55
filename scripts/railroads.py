"""The grammar's text in, a railroad diagram for a rule of it out, as SVG that stands on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

import lark
import railroad
from lark import Token, Tree

from thanosql.engine.language import grammar

# What the lexer cuts, in the reader's words.
TERMINALS = {
    "LPAR": "(",
    "LSQB": "[",
    "WORD": "word",
    "QUOTED": '"quoted name"',
    "STRING": "'string'",
    "NUMBER": "number",
    "PARAMETER": ":parameter",
    "SQL": "SQL as written, :parameters in it",
    "LITERALS": "'strings' and numbers",
}
LITERAL = {"LPAR", "LSQB"}
STYLE = """
svg { background: #fff; }
path { stroke: #4a4f57; stroke-width: 2; fill: none; }
text { font: 14px ui-monospace, Menlo, Consolas, monospace; text-anchor: middle; fill: #16191d; }
rect { stroke: #4a4f57; stroke-width: 1.5; fill: #eef1f6; }
.terminal rect { fill: #dfeeff; }
"""


class Diagrams:
    """The diagrams of a grammar in lark's language."""

    def __init__(self, grammar: str) -> None:
        self._tree = lark.Lark.open("grammars/lark.lark", rel_to=lark.__file__, parser="lalr").parse(grammar + "\n")

    @cached_property
    def rules(self) -> dict[str, Tree[Token]]:
        """Every rule's name, without its `?` and `!`, and what it expands to."""
        found = {}
        for rule in self._tree.find_data("rule"):
            name, *_, expansions = rule.children
            found[re.sub(r"^[?!]+", "", str(name))] = expansions
        return found  # type: ignore[return-value]

    def svg(self, rule: str) -> str:
        """The diagram of a rule; rules that begin with `_` are drawn where they are used."""
        parts: list[str] = []
        diagram = railroad.Diagram(self._node(self.rules[rule]), type="simple")
        diagram.writeStandalone(parts.append, css=STYLE)
        return re.sub(r"[ \t]+$", "", "".join(parts), flags=re.MULTILINE).strip() + "\n"

    def _node(self, tree: Tree[Token] | Token) -> railroad.DiagramItem:
        if isinstance(tree, Token):
            return self._named(str(tree))
        below = tree.children
        if tree.data == "expansions":
            return _choice([self._node(child) for child in below])
        if tree.data in ("expansion", "alias"):
            return _sequence([self._node(child) for child in below if child is not None])
        if tree.data == "maybe":
            return railroad.Optional(_sequence([self._node(child) for child in below]))
        if tree.data == "literal":
            return railroad.Terminal(re.sub(r'^"|"i?$', "", str(below[0])))
        if tree.data in ("name", "value"):
            return self._node(below[0])  # type: ignore[arg-type]
        if tree.data == "expr":
            repeated = {
                None: lambda item: item,
                "?": railroad.Optional,
                "+": railroad.OneOrMore,
                "*": railroad.ZeroOrMore,
            }
            return repeated[below[1]](self._node(below[0]))  # type: ignore[index, arg-type]
        raise ValueError(f"no drawing for {tree.data}")

    def _named(self, name: str) -> railroad.DiagramItem:
        if name in TERMINALS:
            return railroad.Terminal(TERMINALS[name]) if name in LITERAL else railroad.NonTerminal(TERMINALS[name])
        if name == "_keyword":
            return railroad.NonTerminal("keyword of ours")
        if name in ("what", "if_exists") or (name.startswith("_") and name in self.rules):
            return self._node(self.rules[name])
        return railroad.NonTerminal(name.strip("_").replace("_", " "))


def _sequence(items: list[railroad.DiagramItem]) -> railroad.DiagramItem:
    return items[0] if len(items) == 1 else railroad.Sequence(*items)


def _choice(items: list[railroad.DiagramItem]) -> railroad.DiagramItem:
    return items[0] if len(items) == 1 else railroad.Choice(0, *items)


def drawn(rules: Iterator[str] | list[str]) -> dict[str, str]:
    """The SVG of each rule of the language."""
    diagrams = Diagrams(grammar.text())
    return {rule: diagrams.svg(rule) for rule in rules}
