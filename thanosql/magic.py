"""`%thanosql` and `%%thanosql`: the text of a line or a cell in; its result is shown and returned.

%%thanosql                                   SQL in the cell; the notebook's variables as :name
%thanosql SELECT 1                           SQL on the line
%thanosql postgresql://user@host/database    change the database; a name from [connections] in thanosql.toml works too
%thanosql                                    show the database, the store, the device and the version
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from traitlets import Bool, Float, Int

from thanosql.errors import ThanoSQLError

if TYPE_CHECKING:
    from thanosql.engine.dispatcher import Result
    from thanosql.engine.session import Session
    from thanosql.notebook.arguments import Arguments

TOKEN_ANSWER = "No token is needed: ThanoSQL runs here, on your own machine and database. Continue with %%thanosql."


def load(shell: Any) -> None:
    """Register the magics, the views and the completions with an IPython shell.

    If they are registered already, they are replaced; the settings and the views of earlier values are kept.
    """
    from thanosql.notebook.background_imports import import_after_cell
    from thanosql.notebook.ipython_integration import Views, complete_cells, highlight_cells, let_help_through

    # tqdm says so whenever a library imports it in a notebook without ipywidgets; our progress needs none.
    warnings.filterwarnings("ignore", message="IProgress not found")
    before = [one for one in shell.configurables if type(one).__name__ == "ThanoSQL"]
    shell.configurables[:] = [one for one in shell.configurables if one not in before]
    magics = ThanoSQL(shell=shell, views=Views.of(shell))
    for name in magics.trait_names(config=True):
        if before and before[-1].has_trait(name):
            setattr(magics, name, getattr(before[-1], name))
    shell.register_magics(magics)
    complete_cells(shell)
    highlight_cells(shell)
    let_help_through(shell)
    import_after_cell(shell)


def unload(shell: Any) -> None:
    """Take back all that `load` registered. The settings are remembered for the next `load`."""
    from thanosql.notebook.ipython_integration import let_go

    let_go(shell)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or the stop button, as a cell shows it: one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@magics_class
class ThanoSQL(Magics):
    """The magics and their settings: `%config ThanoSQL` lists them, `%config ThanoSQL.limit = 20` sets one."""

    limit = Int(10, min=0, help="Rows to show of a result; 0 shows all. The result always has all rows.").tag(
        config=True
    )
    fetch = Bool(True, help="Also bring the rows of a PREDICT with table_name into the notebook.").tag(config=True)
    at_once = Int(
        10_000,
        min=0,
        help="The largest number of rows to bring into the notebook at once. Of a larger result the first rows are shown, "
        "and the others come when its DataFrame is used.",
    ).tag(config=True)
    quiet = Bool(False, help="Show rows only: no notes, no statuses, no progress.").tag(config=True)
    players = Bool(True, help="Show audio players beside transcripts.").tag(config=True)
    audio_megabytes = Float(8.0, min=0.0, help="The largest amount of audio (megabytes) to put into one output.").tag(
        config=True
    )

    def __init__(self, shell: Any = None, views: Any = None, **more: Any) -> None:
        super().__init__(shell=shell, **more)
        self._views = views

    # Braces and dollars belong to SQL here, not to IPython.
    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def thanosql(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run ThanoSQL statements, or any other SQL, and return the result of the last one.

            %%thanosql [options] [connection] [variable <<]
            PREDICT USING Wav2Vec2Tiny AS
            SELECT * FROM calls WHERE day = :day

        connection           postgresql://user@host/database, or a name from [connections] in thanosql.toml; also for later
                             cells
        variable <<          store the result in a variable instead of showing it
        --executor NAME      where recognition and training run: local, ray, ray://host:10001; also for later cells
        --limit N            show N rows (0: all); the result has all rows
        --no-fetch           leave the rows of a PREDICT with a table_name in the database
        --quiet              print rows only: no notes, no progress
        --with NAME=VALUE    the value of :NAME, instead of the notebook's variable of that name; may be repeated

        %thanosql            show the database, the store, the device and the version
        %thanosql PREDICT?   explain a statement (LIST?, BUILD MODEL? …), an option or a base model
        %config ThanoSQL     show the settings of this extension
        """
        from thanosql.default_session import default_session
        from thanosql.notebook import arguments

        if arguments.gives_token(line):
            print(TOKEN_ANSWER)
            if not cell or not cell.strip():
                return None
            line = ""
        session = default_session()
        given = arguments.read(line, cell, session.settings)
        if given.connection is not None:
            session = _connect(given.connection)
        if given.executor is not None:
            session.settings = replace(session.settings, executor=given.executor)
        if not given.sql.strip():
            from thanosql.notebook.status import describe

            print(describe(session))
            return None
        if (asked := arguments.asked_for(given.sql)) is not None:
            from thanosql.notebook.explanations import explain

            print(explain(asked))
            return None
        return self._run(session, given, local_ns or {})

    def _run(self, session: Session, given: Arguments, local: Mapping[str, Any]) -> Any:
        from thanosql.notebook.arguments import unfilled
        from thanosql.notebook.ipython_integration import Status
        from thanosql.notebook.progress import ProgressBar
        from thanosql.notebook.status import beginning
        from thanosql.notebook.variables import Variables
        from thanosql.notebook.views import known

        shell: Any = self.shell
        quiet = given.quiet or self.quiet
        names = Variables(given.values, local, shell)
        if said_of_braces := unfilled(given.sql, names):
            print(said_of_braces)
        pending: list[tuple[Result, str]] = []  # what was given last, and is not shown yet
        latest: list[tuple[Result, str]] = []
        began = time.monotonic()

        def show_pending() -> None:
            while pending:
                self._show(*pending.pop(), given, session)

        def show_status() -> None:
            # Rows may need the session, which the statement that the bar is of has now.
            if pending and isinstance(pending[0][0].value, str):
                show_pending()

        def each(result: Result) -> None:
            show_pending()
            # A status is said with its note, in the order of the statements; rows have their note where the bar was.
            said = bar.leave("" if isinstance(result.value, str) else result.note)
            latest[:] = [(result, "" if said or quiet else result.note)]
            pending[:] = latest

        try:
            with ProgressBar(quiet=quiet, first=beginning(session), before=show_status) as bar:
                session.run(
                    given.sql,
                    names,
                    fetch=given.fetch and self.fetch,
                    at_once=self.at_once if given.variable is None else None,
                    interactive=True,
                    progress=bar.update,
                    each=each,
                )
        except ThanoSQLError:
            show_pending()  # what ran before stays done
            raise
        except KeyboardInterrupt as stop:
            show_pending()
            raise Interrupted(f"Interrupted after {time.monotonic() - began:.1f} s. {stop}".strip()) from None
        finally:
            sys.stdout.flush()
        if not latest:
            return None
        result, note = latest[0]
        value = Status(result.value) if isinstance(result.value, str) else result.value
        if given.variable is not None:
            shell.push({given.variable: value})
            if not quiet:
                print(f"{given.variable}: {_in_short(result)}{'; ' + note if note else ''}")
            return None
        if isinstance(value, Status):
            if note:
                print(note)
            return None if quiet else value
        self._views.remember(value, known(result, session), self._showing(given, session), note)
        return value

    def _show(self, result: Result, note: str, given: Arguments, session: Session) -> None:
        """What a statement before the last one gave."""
        from IPython.display import display

        from thanosql.notebook.ipython_integration import Status
        from thanosql.notebook.views import known

        value = Status(result.value) if isinstance(result.value, str) else result.value
        if given.variable is not None or (isinstance(value, Status) and (given.quiet or self.quiet)):
            return
        if isinstance(value, Status):
            print(f"{value}{'; ' + note if note else ''}")
            return
        self._views.remember(value, known(result, session), self._showing(given, session), note)
        display(value)  # type: ignore[no-untyped-call]

    def _showing(self, given: Arguments, session: Session) -> Any:
        from thanosql.models.audio.access import AudioAccess
        from thanosql.notebook.views import Showing

        return Showing(
            limit=self.limit if given.limit is None else given.limit,
            players=self.players,
            audio_bytes=int(self.audio_megabytes * 1e6),
            access=AudioAccess.of(session.settings),
        )


def _connect(url: str) -> Session:
    from thanosql.default_session import use
    from thanosql.engine.session import Session
    from thanosql.notebook.status import describe

    session = Session(url)
    _ = session.database.server_version  # a wrong address is an error of this line, not of a later cell
    use(session)
    print(describe(session))
    return session


def _in_short(result: Result) -> str:
    if result.rows is None:
        return result.status
    from thanosql.notebook.tables import counted

    columns = len(result.rows.columns)
    return f"{counted(len(result.rows), 0)}, {columns} column{'' if columns == 1 else 's'}"
