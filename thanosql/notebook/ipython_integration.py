"""An IPython shell in; its displays, completions and colours know ThanoSQL's cells.

The value of a cell stays what `execute` returns, a DataFrame, so that `_`, `Out[3]` and `x = %thanosql …` are what one
expects; what is shown for it is richer. A formatter for DataFrames looks a value up among those that a magic returned
(that very object, held weakly) and gives way to what else would show it when it is none of them, or was changed since.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from thanosql.engine.dispatcher import Result
    from thanosql.notebook.views import Showing

# By name: the formatters must not import pandas, nor a statement's file, before a result is there to be shown.
SHOWN_TYPES = (
    ("pandas", "DataFrame"),
    ("pandas.core.frame", "DataFrame"),
    ("thanosql.models.model_report", "ModelReport"),
)
VIEWS = "_thanosql_views"  # the attribute of a shell
HELP_LINE = re.compile(r"^(\s*%thanosql\s+)([A-Za-z_][\w ]*?)\s*\?{1,2}\s*$")


class Status(str):
    """What a statement without rows gives: a `str` that a cell shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _Known(NamedTuple):
    value: weakref.ref[Any]
    result: Result
    showing: Showing
    note: str
    shape: tuple[list[Any], int] | None


class Views:
    """The rich views of values that magics returned, for as long as the values live.

    A shell has one, so that values keep their views when the extension is loaded again.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._known: dict[int, _Known] = {}

    @classmethod
    def of(cls, shell: Any) -> Views:
        """The views of a shell, made when first asked for; they are shown from now on."""
        views = getattr(shell, VIEWS, None)
        if not isinstance(views, cls):  # none, or one of before the code was reloaded: its views stay
            known = views._known if views is not None else {}
            views = cls(shell)
            views._known = known
            setattr(shell, VIEWS, views)
        views.show()
        return views

    def show(self) -> None:
        """Have the shell ask here for what it displays."""
        self.hide()
        for module, name in SHOWN_TYPES:
            self._shell.display_formatter.mimebundle_formatter.for_type_by_name(module, name, self.bundle)

    def hide(self) -> None:
        """Have the shell show values as it would without us."""
        formatter = self._shell.display_formatter.mimebundle_formatter
        for module, name in SHOWN_TYPES:
            # Once a value of a type was displayed, its printer stands under the type, and by its name none is looked for.
            shown = [kind for kind in formatter.type_printers if (kind.__module__, kind.__name__) == (module, name)]
            for printers, key in [(formatter.deferred_printers, (module, name))] + [
                (formatter.type_printers, kind) for kind in shown
            ]:
                if getattr(printers.get(key), "__name__", "") == Views.bundle.__name__:
                    del printers[key]

    def remember(self, value: Any, result: Result, showing: Showing, note: str) -> None:
        """Show `value` as `result` from now on."""
        key = id(value)
        gone: Callable[[Any], object] = lambda _: self._known.pop(key, None)  # noqa: E731
        bare = replace(result, table=None, report=None)  # or the value would live as long as its view
        shape = _shape(value) if result.table is not None else None
        self._known[key] = _Known(weakref.ref(value, gone), bare, showing, note, shape)

    def bundle(self, value: Any) -> dict[str, str] | None:
        """The MIME bundle of a value; None where it is not ours to show."""
        from thanosql.notebook import result_text, views

        known = self._known.get(id(value))
        alive: Any = known.value() if known is not None else None
        if known is None or alive is not value:
            return None
        showing, note = known.showing, known.note
        if known.shape is None:
            result = replace(known.result, report=value)
        elif known.shape == _shape(alive):
            result = replace(known.result, table=views.first_rows(value, showing.limit))
        else:
            return None
        bundle = {"text/plain": result_text.as_text(result, showing.limit) + (f"\n{note}" if note else "")}
        if "text/html" in self._shell.display_formatter.active_types:
            page = views.as_html(result, showing, note=note)
            if page is not None:
                bundle["text/html"] = page
        return bundle


def _shape(frame: Any) -> tuple[list[Any], int]:
    from thanosql.engine.postgres.server_cursor import server_cursor_of

    cursor = server_cursor_of(frame)
    return (list(frame.columns), len(frame)) if cursor is None else (cursor.names, cursor.count)


def complete_cells(shell: Any) -> None:
    """Have IPython's completer ask us in `%%thanosql` cells and `%thanosql` lines, and only there."""
    completer = getattr(shell, "Completer", None)
    if completer is None or not hasattr(completer, "custom_matchers"):
        return
    from thanosql.notebook.matcher import thanosql_matcher

    _take_away(completer.custom_matchers, thanosql_matcher)
    completer.custom_matchers.append(thanosql_matcher)


def highlight_cells(shell: Any) -> None:
    """Colour `%%thanosql` cells in a terminal's IPython, which makes its lexer again for every prompt."""
    options = getattr(shell, "_extra_prompt_options", None)
    if options is None or getattr(options, "__name__", "") == "with_our_lexer":
        return

    def with_our_lexer() -> Any:
        from prompt_toolkit.lexers import PygmentsLexer

        from thanosql.notebook.highlighting import ThanoSQLLexer

        found = options()
        lexers = getattr(found.get("lexer"), "magic_lexers", None)
        if lexers is not None:
            lexers["thanosql"] = PygmentsLexer(ThanoSQLLexer)
        return found

    with_our_lexer.before = options  # type: ignore[attr-defined]
    shell._extra_prompt_options = with_our_lexer


def let_help_through(shell: Any) -> None:
    """`%thanosql PREDICT?` asks us: IPython would look for a Python object of that name."""
    _take_away(shell.input_transformers_cleanup, help_line)
    shell.input_transformers_cleanup.append(help_line)


def let_go(shell: Any) -> None:
    """Take away what the functions above gave a shell, and its magics; what values look like is remembered."""
    from thanosql.notebook.background_imports import dont_import_after_cell
    from thanosql.notebook.matcher import thanosql_matcher

    dont_import_after_cell(shell)
    Views.of(shell).hide()
    _take_away(getattr(getattr(shell, "Completer", None), "custom_matchers", []), thanosql_matcher)
    _take_away(shell.input_transformers_cleanup, help_line)
    if getattr(options := shell.__dict__.get("_extra_prompt_options"), "__name__", "") == "with_our_lexer":
        shell._extra_prompt_options = options.before
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("thanosql", None)
    shell.magics_manager.registry.pop("ThanoSQL", None)


def _take_away(functions: list[Any], one: Any) -> None:
    """By its name: it may be of before the code was reloaded."""
    functions[:] = [other for other in functions if getattr(other, "__name__", "") != one.__name__]


def help_line(lines: list[str]) -> list[str]:
    """`%thanosql PREDICT?` as `%thanosql ? PREDICT`, which IPython lets through.

    >>> help_line(["%thanosql BUILD MODEL?\\n"])
    ['%thanosql ? BUILD MODEL\\n']
    """
    if len(lines) != 1 or not (match := HELP_LINE.match(lines[0])):
        return lines
    return [f"{match[1]}? {match[2]}\n"]
