"""The interactive prompt of `thanosql`: statements typed, ended by `;`, shown; with history, completion and colours."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer

from thanosql import private
from thanosql.notebook.arguments import asked_for
from thanosql.notebook.completion import complete
from thanosql.notebook.explanations import explain
from thanosql.notebook.highlighting import ThanoSQLLexer
from thanosql.notebook.status import describe

if TYPE_CHECKING:
    from thanosql.engine.session import Session

ENDS = ("exit", "quit", "exit()", "quit()", "\\q")
COMMAND = re.compile(r"\\|\.[a-z]")  # psql's \d, SQLite's .tables
EXPAND = "\\x"  # psql's, for rows that are wider than the terminal
WELCOME = "End a statement with ;  Tab completes, help and PREDICT? explain, Ctrl-D ends."


def converse(session: Session, run: Callable[[str], None]) -> None:
    """Read statements and `run` them until the end of input. `run` says its errors itself and raises none."""
    print(describe(session))
    print(WELCOME)
    prompt: PromptSession[str] = PromptSession(
        message="thanosql> ",
        multiline=True,
        prompt_continuation="       -> ",
        lexer=PygmentsLexer(ThanoSQLLexer),
        completer=ThreadedCompleter(SessionCompleter(session)),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        history=_history(session.settings.home),
        key_bindings=_keys(),
    )
    while True:
        try:
            text = prompt.prompt().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.lower().rstrip(";").strip() in ENDS:
            return
        if (asked := asked_for(text)) is not None:
            print(explain(asked))
        elif text:
            run(text)


class SessionCompleter(Completer):
    """prompt_toolkit's question, answered as a notebook's is."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        found = complete(document.text, document.cursor_position, self._session)
        for one in found.candidates:
            yield Completion(one.text, -len(found.fragment), display_meta=f"{one.kind} {one.about}".strip())


def is_complete(text: str) -> bool:
    """Whether Enter runs a text: it ends with `;` that stands in no string, comment or bracket, or it asks or ends, or is a
    command of another program's prompt, which has an answer too.

    >>> [is_complete(text) for text in ("SELECT 1;", "SELECT ';", "SELECT 1", "PREDICT?", "\\\\d", "exit()")]
    [True, False, False, True, True, True]
    """
    from thanosql.engine.language.terminals import Refusal
    from thanosql.notebook.cursor_context import context_at

    stripped = text.strip()
    if not stripped or asked_for(stripped) is not None or stripped.lower() in ENDS or COMMAND.match(stripped):
        return True
    if not stripped.endswith(";"):
        return False
    try:
        context = context_at(stripped, len(stripped))
    except Refusal:
        return False
    return context is not None and context.kind == "start"


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        elif is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _history(home: Path) -> FileHistory | InMemoryHistory:
    """Under the home, for this user alone; kept in memory where that cannot be."""
    path = home / "history"
    try:
        private.home(home)
        private.file(path)
    except OSError as error:
        print(f"The history cannot be saved: {error}", file=sys.stderr)
        return InMemoryHistory()
    return FileHistory(path)
