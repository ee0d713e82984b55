"""Parsing time against the length of the text, 1 kB to 1 MB: the best of three, for texts of many kinds, and their curve.

    python benchmarks/parse.py [--picture docs/parsing.svg]

Goals: 100 kB in under 300 ms, and linear to 1 MB: the last column is the time for 1 MB over that for 100 kB, ten when
it is linear. Processor time is taken, so that a busy machine counts little. The first five kinds are what people and
programs write; the others are the costliest that were found, and no text is like them from end to end.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

from thanosql.engine.parser import parse_script

SIZES = (1_000, 10_000, 100_000, 1_000_000)
GOAL = 300  # ms for 100 kB
ORDINARY = {
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
COSTLY = {
    "strings of a list": ("PREDICT USING m OPTIONS (hot_words=[", "'x',", "'y']) AS SELECT 1"),
    "numbers of a list": ("PREDICT USING m OPTIONS (a=[", "1,", "1]) AS SELECT 1"),
    "parameters alone": ("SELECT ", ":p,", "1"),
    "parentheses": ("SELECT ", "(a),", "1"),
    "WITH alone": ("SELECT ", "with ", "1"),
    "short nested": ("SELECT 1", ",(LIST MODEL)", ""),
    "short COPY": ("", "COPY t FROM 'x';", ""),
    "short statements": ("", "SELECT 1;", ""),
    "one-letter statements": ("", "a;", ""),
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
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--picture", type=Path, help="an SVG file for the curves")
    given = arguments.parse_args()
    parse_script("SELECT 1")
    print(f"{'':22}" + "".join(f"{f'{size // 1000:,} kB':>12}" for size in SIZES) + f"{'growth':>12}")
    curves: dict[str, list[float]] = {}
    for kind, pieces in {**ORDINARY, **COSTLY}.items():
        times = curves[kind] = [milliseconds(text_of(size, *pieces)) for size in SIZES]
        print(
            f"{kind:22}" + "".join(f"{each:9.1f} ms" for each in times) + f"{times[-1] / times[-2]:12.1f}", flush=True
        )
    if given.picture:
        given.picture.write_text(picture(curves), encoding="utf-8")


def picture(curves: dict[str, list[float]]) -> str:
    """The curves as SVG, both scales logarithmic; ordinary texts blue, costly ones grey, the goal a red ring."""
    low = math.floor(min(math.log10(each[0]) for each in curves.values()))
    high = math.ceil(max(math.log10(each[-1]) for each in curves.values()))

    def at(size: int, taken: float) -> tuple[float, float]:
        return 80 + (math.log10(size) - 3) / 3 * 360, 320 - (math.log10(taken) - low) / (high - low) * 280

    drawn = ['<text x="80" y="24" font-size="14">Parsing: processor time by the length of the text</text>']
    for power in range(low, high + 1):
        y = at(SIZES[0], 10.0**power)[1]
        drawn.append(f'<path d="M80 {y:.1f}h360" stroke="#ddd"/>')
        drawn.append(f'<text x="74" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
    for size in SIZES:
        drawn.append(f'<text x="{at(size, 1)[0]:.1f}" y="340" text-anchor="middle">{size // 1000:,} kB</text>')
    for kind, times in curves.items():
        drawn.append(_curve([at(*point) for point in zip(SIZES, times)], "#1f77b4" if kind in ORDINARY else "#aaa"))
    x, y = at(100_000, GOAL)
    drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="#d62728" stroke-width="2"/>')
    for row, (colour, said) in enumerate(
        (("#1f77b4", "ordinary texts"), ("#aaa", "the costliest found"), ("#d62728", "goal: 100 kB in 300 ms"))
    ):
        drawn.append(f'<path d="M460 {60 + 22 * row}h24" stroke="{colour}" stroke-width="2"/>')
        drawn.append(f'<text x="492" y="{64 + 22 * row}">{said}</text>')
    inside = "\n".join(drawn)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 360" font-family="sans-serif" font-size="12">\n'
        f'<rect width="680" height="360" fill="white"/>\n{inside}\n</svg>\n'
    )


def _curve(points: Sequence[tuple[float, float]], colour: str) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


if __name__ == "__main__":
    main()
