"""`python -m thanosql`: a statement or a script in, its results on the terminal out.

    python -m thanosql "SELECT 1"
    python -m thanosql --file demo/demo.sql --format csv
    echo "LIST MODEL" | python -m thanosql

Exit status: 0 done, 1 a statement failed, 2 the command line is wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import thanosql
from thanosql.errors import ThanoSQLError

if TYPE_CHECKING:
    from thanosql.engine.dispatcher import Result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.statement and options.file:
        parser.error("give a statement or --file, not both")
    from thanosql.notebook.progress import ProgressBar

    try:
        source = options.statement or (options.file.read_text(encoding="utf-8") if options.file else sys.stdin.read())
        with thanosql.connect(options.database, home=options.home) as session, ProgressBar() as bar:
            session.run(
                source,
                dict(options.params),
                progress=None if options.quiet else bar.update,
                each=lambda result: show(result, options.format, options.quiet),
            )
    except ThanoSQLError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except (OSError, UnicodeDecodeError) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; tables and models are as they were.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="thanosql", description="Speech recognition in SQL.")
    parser.add_argument("statement", nargs="?", help="one or more statements; without one they are read from --file")
    parser.add_argument("-f", "--file", type=Path, help="a script")
    parser.add_argument("-d", "--database", help="postgresql://…; default: the configured or the embedded one")
    parser.add_argument("--home", help="where models, data sets and the embedded database are")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parser.add_argument("--with", dest="params", metavar="NAME=VALUE", type=_pair, action="append", default=[])
    parser.add_argument("-q", "--quiet", action="store_true", help="rows only: no notes, no progress")
    parser.add_argument("--version", action="version", version=f"thanosql {thanosql.__version__}")
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def show(result: Result, form: str = "table", quiet: bool = False) -> None:
    """Print what a statement gave."""
    frame = result.rows if result.rows is not None else getattr(result.report, "frame", lambda: None)()
    if frame is not None:
        print(_formatted(frame, form))
    elif not quiet:
        print(result.status)
    if result.note and not quiet:
        print(result.note, file=sys.stderr if form != "table" else sys.stdout)


def _formatted(frame: Any, form: str) -> str:
    if form == "csv":
        return str(frame.to_csv(index=False)).rstrip("\n")
    if form == "json":
        return str(frame.to_json(orient="records", force_ascii=False, date_format="iso"))
    if len(frame.columns) == 1 or not len(frame):
        return str(frame.to_string(index=False))
    return str(frame.to_string(index=False, max_colwidth=60))


if __name__ == "__main__":
    sys.exit(main())
