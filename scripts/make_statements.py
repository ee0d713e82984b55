"""The statements' classes in; the list of them that is known without importing any out.

    python scripts/make_statements.py            writes it
    python scripts/make_statements.py --check    says which of its files are not as the classes have them

A process imports a statement's file when a text has such a statement, so that `LIST MODEL` does not wait for what BUILD needs.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from thanosql.engine import statements
from thanosql.engine.language.statement_syntax import StatementShape
from thanosql.engine.language.syntax import STATEMENTS, Statement

ENGINE = Path(__file__).parents[1] / "thanosql" / "engine"
PACKAGE, DECLARED = ENGINE / "statements" / "__init__.py", ENGINE / "language" / "declared.py"
_MADE = re.compile(r"(?<=# made: begin\n).*?(?=^# made: end)", re.DOTALL | re.MULTILINE)


def made() -> dict[Path, str]:
    """The text of both files, as it is to be."""
    for module in pkgutil.iter_modules(statements.__path__, f"{statements.__name__}."):
        importlib.import_module(module.name)
    kinds = dict(sorted(STATEMENTS.items()))
    files: dict[str, list[str]] = {}
    for kind in kinds.values():
        files.setdefault(kind.__module__, []).append(kind.__name__)
    imports = [f"    from {file} import {', '.join(sorted(names))}\n" for file, names in sorted(files.items())]
    names = "".join(f"    {name!r},\n" for name in sorted(kind.__name__ for kind in kinds.values()))
    listed = "".join(f"    {rule!r}: {_declared(kind)},\n" for rule, kind in kinds.items())
    return {
        PACKAGE: _between(PACKAGE, f"if TYPE_CHECKING:\n{''.join(imports)}\n__all__ = [\n{names}]\n"),
        DECLARED: _between(DECLARED, f"DECLARED: dict[str, Declared] = {{\n{listed}}}\n"),
    }


def _declared(kind: type[Statement]) -> str:
    file = kind.__module__.rpartition(".")[2]
    return f"Declared({file!r}, {kind.__name__!r}, {_shape(kind.syntax) if kind.syntax is not None else None})"


def _shape(shape: StatementShape) -> str:
    def parts() -> Iterator[str]:
        yield repr(shape.shapes)
        for name in ("nests", "planned", "names", "also"):
            if value := getattr(shape, name):
                yield f"{name}={value!r}"

    return f"StatementShape({', '.join(parts())})"


def _between(path: Path, text: str) -> str:
    written, count = _MADE.subn(lambda _: text, path.read_text(encoding="utf-8"))
    assert count == 1, path
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path), "-"]
    return subprocess.run(command, input=written, capture_output=True, text=True, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a file is stale")
    check = parser.parse_args().check
    found = [(path, text) for path, text in made().items() if path.read_text(encoding="utf-8") != text]
    for path, text in found:
        if not check:
            path.write_text(text, encoding="utf-8")
        print(path.relative_to(ENGINE.parents[1]))
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
