"""Parsing time against the length of the text, 1 kB to 1 MB: the best of three, for texts of five kinds.

    python benchmarks/parse.py

Goals: 100 kB in under 300 ms, and linear to 1 MB: the last column is the time for 1 MB over that for 100 kB, ten when
it is linear. Processor time is taken, so that a busy machine does not count.
"""

from __future__ import annotations

import time

from thanosql.engine.parser import parse_script

SIZES = (1_000, 10_000, 100_000, 1_000_000)
KINDS = {
    "columns": (
        "PREDICT USING m AS SELECT ",
        "t.column_{0} + f(x, 'it''s {0}')::int AS c{0}, -- a comment\n  ",
        "1 FROM t",
    ),
    "values": ("PREDICT USING m AS SELECT * FROM (VALUES ", "({0}, 'calls/{0}.wav', 1.5),\n", "(0, '', 0)) v"),
    "parameters": ("SELECT ", "a{0} = :p AND b <> 'text {0}', -- a comment\n  ", "1"),
    "nested": ("SELECT 1", " UNION ALL SELECT * FROM (PREDICT USING m AS SELECT * FROM calls_{0}) p", ""),
    "statements": ("", "INSERT INTO t VALUES ({0}, 'text', 1.5); ", "LIST MODEL"),
}


def text_of(size: int, begin: str, piece: str, end: str) -> str:
    """About `size` characters: `piece` repeated, with its number put in for {0}."""
    return begin + "".join(piece.format(number) for number in range(size // len(piece.format(size)))) + end


def milliseconds(text: str) -> float:
    """The best of three runs, in milliseconds of processor time."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        parse_script(text)
        best = min(best, time.process_time() - started)
    return best * 1e3


def main() -> None:
    parse_script("SELECT 1")
    print(f"{'':12}" + "".join(f"{f'{size // 1000:,} kB':>12}" for size in SIZES) + f"{'growth':>12}")
    for kind, pieces in KINDS.items():
        times = [milliseconds(text_of(size, *pieces)) for size in SIZES]
        print(f"{kind:12}" + "".join(f"{each:9.1f} ms" for each in times) + f"{times[-1] / times[-2]:12.1f}")


if __name__ == "__main__":
    main()
