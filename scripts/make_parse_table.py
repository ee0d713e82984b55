"""The grammar in, the table that it is parsed by out: thanosql/parse_table.txt, which saves making it in each process.

    python scripts/make_parse_table.py            writes it
    python scripts/make_parse_table.py --check    says whether it is not as the grammar has it

Run it after a change of the grammar or of a statement's shape, and with another version of lark.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from thanosql.engine.language import grammar
from thanosql.engine.language.parse_table import FILE, is_made_of, table_of
from thanosql.engine.parser import StatementLexer

TABLE = Path(__file__).parents[1] / "thanosql" / FILE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when the file is stale")
    check = parser.parse_args().check
    text = grammar.text()
    if TABLE.exists() and is_made_of(text, TABLE.read_text(encoding="utf-8")):
        return 0
    if not check:
        TABLE.write_text(table_of(text, StatementLexer), encoding="utf-8")
    print(TABLE.relative_to(TABLE.parents[1]))
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main())
