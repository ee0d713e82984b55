"""`%thanosql` and `%%thanosql`: the text of a cell in, its result shown.

    %%thanosql                                   SQL in the cell; notebook variables as :name
    %thanosql SELECT 1                           SQL on the line
    %thanosql postgresql://user@host/database    another database
    %thanosql                                    what is connected
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

if TYPE_CHECKING:
    from thanosql.engine.session import Session

SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg2://")


def load(shell: Any) -> None:
    """Register the magics with an IPython shell."""
    shell.register_magics(ThanoSQLMagics)


@magics_class
class ThanoSQLMagics(Magics):  # type: ignore[misc]  # IPython's Magics is untyped
    """The magics; thin on purpose: text in, display out."""

    # Braces and dollars belong to SQL here, not to IPython.
    @no_var_expand  # type: ignore[untyped-decorator]
    @line_cell_magic  # type: ignore[untyped-decorator]
    def thanosql(self, line: str, cell: str | None = None) -> Any:
        """Run ThanoSQL statements; the last one's result is the cell's value."""
        from thanosql.engine.session import default_session

        line = line.strip()
        if line.startswith(SCHEMES):
            self._connect(line)
            if not cell or not cell.strip():
                return None
            line = ""
        if cell is None and not line:
            print(describe(default_session()))
            return None
        sql = line if cell is None else cell if not line else f"{line}\n{cell}"
        return self._run(default_session(), sql)

    def _connect(self, url: str) -> None:
        from thanosql.engine.session import Session, use

        session = Session(url)
        session.database.ping()  # a wrong address is an error of this line, not of a later cell
        use(session)
        print(describe(session))

    def _run(self, session: Session, sql: str) -> Any:
        from thanosql.notebook.progress import ProgressBar

        with ProgressBar() as bar:
            result = session.run(sql, self.shell.user_ns, progress=bar.update)
        if result.note:
            print(result.note)
        if isinstance(result.value, str):
            print(result.value)
            return None
        return result.value


def describe(session: Session) -> str:
    """What a session is connected to, never with a password."""
    import thanosql
    from thanosql.engine.address import without_password

    url = session.settings.database_url
    return "\n".join(
        (
            f"ThanoSQL {thanosql.__version__}",
            f"database  {without_password(url) if url else f'embedded, in {session.settings.postgres_folder}'}",
            f"store     {session.settings.store_folder}",
            f"workspace {session.settings.workspace}",
        )
    )
