"""Points in, a small line chart out, as SVG in the front end's own colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from thanosql.notebook.markup import Html, element, join

WIDTH, HEIGHT = 320, 150  # pixels
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 8, 20
MOST_POINTS = 400

Point = tuple[float, float]


def chart(name: str, points: Sequence[Point], *, unit: str, end: float | None = None, percent: bool = False) -> Html:
    """One measure over `unit` ('epoch', 'step'), from 0 up; `end` is where the axis ends while points still come."""
    finite = [point for point in points if math.isfinite(point[1])]
    if not finite:
        return Html("")
    finite = _thinned(finite)
    first, last = min(x for x, _ in finite), max(end or 0.0, max(x for x, _ in finite))
    top = max(max(y for _, y in finite), 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (last - first) if last > first else 0.5
        return LEFT + across * (WIDTH - LEFT - RIGHT), TOP + (1 - max(y, 0.0) / top) * (HEIGHT - TOP - BOTTOM)

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in finite))
    grid = [
        element(
            "line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", stroke="var(--ts-line)", stroke_width=1
        )
        for y in (place(first, share * top)[1] for share in (0.0, 0.5, 1.0))
    ]
    ticks = [
        element(
            "text",
            number(share * top, percent),
            x=LEFT - 6,
            y=f"{place(first, share * top)[1] + 4:.1f}",
            text_anchor="end",
        )
        for share in (0.0, 0.5, 1.0)
    ]
    under = [
        element("text", f"{unit} {first:g}" if last > first else "", x=LEFT, y=HEIGHT - 5),
        element(
            "text",
            f"{last:g}" if last > first else f"{unit} {last:g}",
            x=WIDTH - RIGHT,
            y=HEIGHT - 5,
            text_anchor="end",
        ),
    ]
    mark_x, mark_y = place(*finite[-1])
    marks = [
        element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=2.5, fill="var(--ts-accent)")
        for x, y in ((place(*point) for point in finite) if len(finite) <= 30 else [(mark_x, mark_y)])
    ]
    said = f"{name} from {number(finite[0][1], percent)} to {number(finite[-1][1], percent)}"
    picture = element(
        "svg",
        join((grid, ticks, under)),
        element(
            "polyline", points=line, fill="none", stroke="var(--ts-accent)", stroke_width=2, stroke_linejoin="round"
        ),
        marks,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
        aria_label=f"{said}, over {len(points)} {unit}s",
    )
    return element("figure", element("figcaption", f"{name}  {number(finite[-1][1], percent)}"), picture)


def charts(*drawn: Html) -> Html:
    """Charts side by side, under each other where it is narrow."""
    return element("div", drawn, class_="thanosql-charts")


def number(value: float, percent: bool = False) -> str:
    """A figure as short as it may be.

    >>> number(0.0734, percent=True), number(0.0734), number(12.345)
    ('7.3%', '0.073', '12.3')
    """
    if percent:
        return f"{value:.1%}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _thinned(points: list[Point]) -> list[Point]:
    step = math.ceil(len(points) / MOST_POINTS)
    return points[::step] + ([points[-1]] if (len(points) - 1) % step else [])
