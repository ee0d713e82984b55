"""`python -m thanosql`: a statement or a script in, its results on the terminal out; a prompt when nothing is given.

    python -m thanosql "SELECT 1"
    python -m thanosql --file demo/demo.sql --format csv
    python -m thanosql --format srt "PREDICT USING m OPTIONS (timestamps='segment') AS SELECT 'talk.wav' AS audio_path"
    python -m thanosql doctor
    python -m thanosql help PREDICT
    echo "LIST MODEL" | python -m thanosql

Exit status: 0 done, 1 a statement failed or the doctor found an error, 2 the command line is wrong, 130 interrupted, 143 asked
to end by SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import thanosql
from thanosql.errors import ThanoSQLError
from thanosql.notebook.arguments import asked_for, value_of

if TYPE_CHECKING:
    from thanosql.engine.dispatcher import Result
    from thanosql.engine.session import Session

INTERRUPTED = "Interrupted."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    options.statement = " ".join(options.statement) or None
    if options.statement and options.file:
        parser.error("give a statement or --file, not both")
    if options.statement == "doctor":
        return _examine(options)
    try:
        if (asked := asked_for(options.statement or "")) is not None:
            from thanosql.notebook.explanations import explain

            print(explain(asked), flush=True)
            return 0
        with _terminable(), thanosql.connect(options.database, home=options.home) as session:
            if options.statement is None and options.file is None and sys.stdin.isatty():
                return _prompt(session, options)
            return _run(session, _source(options), options)
    except ThanoSQLError as error:
        _say(error)
        return 1
    except Terminated as stop:
        print(f"{INTERRUPTED} {stop}".strip(), file=sys.stderr)
        return 143
    except KeyboardInterrupt as stop:
        print(f"{INTERRUPTED} {stop}".strip(), file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing more is to be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, UnicodeDecodeError) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2


class Terminated(KeyboardInterrupt):
    """Ended as Ctrl-C ends it, by SIGTERM."""


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, which schedulers and containers send before they kill, ends a statement as Ctrl-C does: with the place that
    a training resumes at, and with tables and models as they were."""
    terminated = False

    def terminate(number: int, frame: Any) -> None:
        nonlocal terminated
        terminated = True
        signal.default_int_handler(number, frame)

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not in the main thread, which alone hears signals
        yield
        return
    try:
        yield
    except KeyboardInterrupt as stop:
        if terminated:
            raise Terminated(str(stop)) from stop
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="thanosql", description="Speech recognition in SQL. Without a statement and on a terminal, a prompt."
    )
    parser.add_argument(
        "statement",
        nargs="*",
        help="one or more statements, or doctor, or help; without it, statements are read from --file",
    )
    parser.add_argument("-f", "--file", type=Path, help="a script; - is standard input")
    parser.add_argument(
        "-d", "--database", help="postgresql://…; default: the configured database, or the embedded one"
    )
    parser.add_argument("--home", help="folder for models, data sets and the embedded database")
    parser.add_argument("--format", choices=("table", "csv", "json", "srt", "vtt", "ctm"), default="table")
    parser.add_argument(
        "--with",
        dest="params",
        metavar="NAME=VALUE",
        type=_pair,
        action="append",
        default=[],
        help="a value for :NAME; may be repeated",
    )
    parser.add_argument("--limit", type=_count, default=0, metavar="N", help="print N rows; default: all")
    parser.add_argument(
        "--width",
        type=_count,
        metavar="N",
        help="width of a table in characters, 0 for whole values; default: the terminal's",
    )
    parser.add_argument("-x", "--expanded", action="store_true", help="one value per line, rows one below the other")
    parser.add_argument("-q", "--quiet", action="store_true", help="print rows only: no notes, no progress")
    parser.add_argument("--version", action="version", version=f"thanosql {thanosql.__version__}")
    return parser


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value_of(value)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return int(text)


def _source(options: argparse.Namespace) -> str:
    if options.statement is not None:
        return str(options.statement)
    if options.file is None or str(options.file) == "-":
        return sys.stdin.read()
    return str(options.file.read_text(encoding="utf-8"))


def _run(session: Session, source: str, options: argparse.Namespace, *, interactive: bool = False) -> int:
    from thanosql.notebook.progress import ProgressBar
    from thanosql.notebook.status import beginning

    with ProgressBar(quiet=options.quiet, first=beginning(session)) as bar:

        def each(result: Result) -> None:
            bar.leave("")
            show(result, options.format, options.quiet, options.limit, _width(options), options.expanded)

        session.run(source, dict(options.params), interactive=interactive, progress=bar.update, each=each)
    return 0


def _width(options: argparse.Namespace) -> int:
    """The columns that a table may take: those asked for, or the terminal's; 0 where it is read by something else."""
    if options.width is not None:
        return int(options.width)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _examine(options: argparse.Namespace) -> int:
    import json

    from thanosql.diagnosis import as_rows

    found = thanosql.doctor(options.database, home=options.home)
    print(json.dumps(as_rows(found), ensure_ascii=False, indent=2) if options.format == "json" else found)
    return 0 if found.ok else 1


def _prompt(session: Session, options: argparse.Namespace) -> int:
    from thanosql.notebook.prompt import EXPAND, converse

    def run(source: str) -> None:
        if source.rstrip(" ;") == EXPAND:
            options.expanded = not options.expanded
            print("One value per line." if options.expanded else "Rows as a table.")
            return
        try:
            _run(session, source, options, interactive=True)
        except ThanoSQLError as error:
            _say(error)
        except KeyboardInterrupt as stop:
            print(f"{INTERRUPTED} {stop}".strip(), file=sys.stderr)

    converse(session, run)
    return 0


def _say(error: ThanoSQLError) -> None:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)


def show(
    result: Result, form: str = "table", quiet: bool = False, limit: int = 0, width: int = 0, expanded: bool = False
) -> None:
    """Print what a statement gave: `form` is table, csv, json, srt, vtt or ctm; `limit` rows at most, `width` columns
    of a terminal (0: all, as wide as it comes), a value a line if `expanded`."""
    from thanosql.notebook.result_text import as_text, frame_of

    frame = frame_of(result)
    if frame is None:
        if not quiet:
            print(result.status, file=sys.stderr if form != "table" else sys.stdout)
    elif form == "table":
        print(as_text(result, limit, width=width, expanded=expanded))
    else:
        from thanosql.notebook import formats

        if form in ("csv", "json"):
            print(formats.as_csv(frame, limit) if form == "csv" else formats.as_json(frame, limit))
        else:
            audio_col = result.audio.name if result.audio is not None else "audio_path"
            print(formats.as_captions(frame, form, limit, audio_col=audio_col))
    if result.note and not quiet:
        print(result.note, file=sys.stderr if form != "table" else sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
