"""The statements' keywords and the bases' names in, the lists out that colour them in pygments and in JupyterLab.

    python scripts/make_highlighting.py            writes them
    python scripts/make_highlighting.py --check    says which are not as the code has them

Both must colour without the engine, so the lists stand in them, between two marks.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

from thanosql.engine.language.vocabulary import vocabulary
from thanosql.models.bases import BASES
from thanosql.notebook.sql_words import SQL_WORDS

PACKAGE = Path(__file__).parents[1] / "thanosql"
PYGMENTS = PACKAGE / "notebook" / "highlighting.py"
JUPYTERLAB = PACKAGE / "labextension" / "static" / "remoteEntry.js"
ATOMS = {"TRUE", "FALSE", "NULL"}
_MADE = re.compile(r"(?<=made: begin\n).*?(?=^[ ]*(?:#|//) made: end)", re.DOTALL | re.MULTILINE)


def made() -> dict[Path, str]:
    """The text of both files, as it is to be."""
    keywords, bases = vocabulary().keywords, sorted(BASES)
    python = (
        f'_KEYWORDS_TEXT = """\n{_wrapped(keywords, 110)}\n"""\nKEYWORDS = frozenset(_KEYWORDS_TEXT.split())\n'
        f"BASES = frozenset(({', '.join(f'{chr(34)}{base}{chr(34)}' for base in bases)}))\n"
    )
    # Pygments' lexer knows PostgreSQL's words; JupyterLab's here does not.
    words = _wrapped(keywords | set(SQL_WORDS) - ATOMS, 100).splitlines()
    script = (
        "  const KEYWORDS = new Set(\n    (\n"
        + " +\n".join(f'      "{line} "' for line in words)
        + '\n    ).trim().split(" ")\n  );\n'
        f"  const BASES = new Set([{', '.join(f'{chr(34)}{base}{chr(34)}' for base in bases)}]);\n"
    )
    return {PYGMENTS: _between(PYGMENTS, python), JUPYTERLAB: _between(JUPYTERLAB, script)}


def _wrapped(words: Iterable[str], width: int) -> str:
    return textwrap.fill(" ".join(sorted(words)), width)


def _between(path: Path, text: str) -> str:
    written, count = _MADE.subn(lambda _: text, path.read_text(encoding="utf-8"))
    assert count == 1, path
    return written


def stale() -> list[Path]:
    """The files that are not as the code has them."""
    return [path for path, text in made().items() if path.read_text(encoding="utf-8") != text]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a file is stale")
    check = parser.parse_args().check
    for path in (found := stale()):
        if not check:
            path.write_text(made()[path], encoding="utf-8")
        print(path.relative_to(PACKAGE.parent))
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
