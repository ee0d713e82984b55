"""A shell and a cell's `--with` values in, the values that `:name` may have there out."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any


class Variables(Mapping[str, Any]):
    """Every variable can be a value; a list of them has only those that somebody made to be one.

    Left out of the list are IPython's own (`In`, `_3`, `exit`), modules, functions and classes.
    """

    def __init__(self, values: Mapping[str, Any], local: Mapping[str, Any], shell: Any) -> None:
        """`local`: the variables of a function around the line."""
        self._all = ChainMap(dict(values), dict(local), shell.user_ns)
        self._hidden = shell.user_ns_hidden

    def __getitem__(self, name: str) -> Any:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, value in self._all.items() if self._is_listed(name, value))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _is_listed(self, name: str, value: Any) -> bool:
        return not (name.startswith("_") or name in self._hidden or isinstance(value, (ModuleType, FunctionType, type)))
