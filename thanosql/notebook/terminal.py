"""A DataFrame in, lines for a terminal out: a table fitted to its width, or a value a line.

Wide letters (Hangul, kana) count as the two columns they take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from thanosql.notebook.markup import visible
from thanosql.notebook.tables import column_names, counted, is_numeric, length, rows
from thanosql.notebook.values import are_paths, plain

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.small_table import SmallTable

LONGEST = 60  # columns of one value where the width is not known
NARROWEST = 10  # columns that a text is cut to, before whole columns of the table are left out
GAP = "  "


def as_text(
    frame: pd.DataFrame | SmallTable, limit: int = 0, *, width: int | None = None, expanded: bool = False
) -> str:
    """The first `limit` rows (0: all) in aligned lines of at most `width` columns.

    Without a width each value has at most LONGEST; 0 is as wide as it comes. `expanded` gives each value a line of its
    own, and so does one row that is wider than `width`.
    """
    names = [_line(name) for name in column_names(frame)]
    if not names:
        return "(no columns)"
    shown = list(rows(frame, limit))
    lines = [[_line(plain(value)) for value in values] for values in shown]
    more = f"({counted(length(frame), limit)})" if not len(frame) or (limit and length(frame) > limit) else ""
    natural = [max(_width(line[column]) for line in (names, *lines)) for column in range(len(names))]
    numeric = [is_numeric(frame, position) for position in range(len(names))]
    paths = [are_paths(values[position] for values in shown[: limit or 50]) for position in range(len(names))]
    fitted = _fitted(natural, numeric, paths, width)
    if lines and (expanded or (len(lines) == 1 and len(fitted) < len(names))):
        return "\n".join((*_expanded(names, lines, width or 0), *([more] if more else [])))

    def drawn(line: Sequence[str]) -> str:
        cells = []
        for value, size, right, path in zip(line, fitted, numeric, paths, strict=False):
            value = _cut(value, size, path)
            space = " " * (size - _width(value))
            cells.append(space + value if right else value + space)
        return GAP.join(cells).rstrip()

    found = [drawn(names), GAP.join("─" * size for size in fitted), *map(drawn, lines)]
    if more:
        found.append(more)
    if left := names[len(fitted) :]:
        found.append(
            f"({len(left)} more column{'s' if left[1:] else ''}: {', '.join(left)}; --expanded or \\x shows all)"
        )
    return "\n".join(found)


def _fitted(natural: Sequence[int], numeric: Sequence[bool], paths: Sequence[bool], width: int | None) -> list[int]:
    """The columns' widths: texts are cut, paths twice as much, numbers never; what then has no room is left out."""
    if width is None:
        return [min(size, LONGEST) for size in natural]
    room = width - len(GAP) * (len(natural) - 1)
    if not width or sum(natural) <= room:
        return list(natural)

    def cut(most: int) -> list[int]:
        return [
            size if number else min(size, max(NARROWEST, most // 2) if path else most)
            for size, number, path in zip(natural, numeric, paths, strict=True)
        ]

    low, high = NARROWEST, max(NARROWEST, *natural)
    while low < high:  # the most that a text may have
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sum(cut(middle)) <= room else (low, middle - 1)
    sizes = cut(low)
    while len(sizes) > 1 and sum(sizes) + len(GAP) * (len(sizes) - 1) > width:
        sizes.pop()
    return sizes


def _expanded(names: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """A value a line under its row's number; what is longer goes on below itself."""
    name_width = max(_width(name) for name in names)
    room = max(NARROWEST, width - name_width - len(GAP)) if width else 0
    for number, line in enumerate(lines, start=1):
        title = f"─ row {number} "
        yield title + "─" * max(0, (min(width, LONGEST) if width else LONGEST) - len(title))
        for name, value in zip(names, line, strict=True):
            for place, part in enumerate(_wrapped(value, room)):
                label = name if not place else ""
                yield f"{label}{' ' * (name_width - _width(label))}{GAP}{part}".rstrip()


def _wrapped(value: str, room: int) -> list[str]:
    """A value in lines of `room` columns, broken at spaces where there are any."""
    if not room or _width(value) <= room:
        return [value]
    found, line = [], ""
    for word in value.split(" "):
        joined = f"{line} {word}" if line else word
        if _width(joined) <= room:
            line = joined
            continue
        if line:
            found.append(line)
        while _width(word) > room:
            head = _fitting(word, room)
            found.append(head)
            word = word[len(head) :]
        line = word
    return [*found, line]


def _cut(value: str, size: int, path: bool) -> str:
    """A value of at most `size` columns: of a path, its end."""
    if _width(value) <= size:
        return value
    if not path:
        return _fitting(value, size - 1) + "…"
    return "…" + _fitting(value[::-1], size - 1)[::-1]


def _fitting(value: str, size: int) -> str:
    """The beginning of a value that takes at most `size` columns, one letter at least."""
    end = min(len(value), size)
    while end > 1 and _width(value[:end]) > size:
        end -= 1
    return value[:end]


def _line(value: str) -> str:
    return visible(" ".join(value.split("\n")).replace("\t", " "))


def _width(value: str) -> int:
    if value.isascii():
        return len(value)
    from wcwidth import wcswidth

    size = wcswidth(value)
    return size if size >= 0 else len(value)
