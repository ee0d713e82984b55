"""A package's name in; the package out, if this process has imported it: what no value can be of is not imported for it."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def imported(name: str) -> Any:
    """The module, or None where nobody has imported it. One that another thread is importing is waited for: until then
    it is there without its names."""
    module = sys.modules.get(name)
    if module is not None and getattr(module.__spec__, "_initializing", False):
        return importlib.import_module(name)
    return module
