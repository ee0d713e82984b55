"""An IPython of one's own, for the time of a test."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from IPython.core.interactiveshell import InteractiveShell

from thanosql import default_session as sessions


@contextmanager
def interactive_shell() -> Iterator[InteractiveShell]:
    """A shell that has loaded the extension, with a session by the environment's settings.

    What IPython puts in place of Python's own is put back: it makes `__main__` a module of its own, and without the
    real one `multiprocessing` starts no child in the tests that follow.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        patch.delattr(builtins, "_", raising=False)  # a doctest leaves it, and IPython then sets none of its own
        sessions.use(sessions.Session())
        InteractiveShell.clear_instance()
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "thanosql")
        yield shell
        shell.history_manager.end_session()  # type: ignore[union-attr]
        InteractiveShell.clear_instance()
        sessions.default_session().close()
