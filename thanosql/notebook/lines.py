"""Where progress is drawn: a notebook's output, a terminal's last line, or a log."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from thanosql.notebook import curves, style
from thanosql.notebook.markup import Html, element
from thanosql.notebook.progress_state import ProgressState

LOG_SECONDS = 15.0  # between two lines of a log
FEW_POINTS = 3  # before a curve says anything
FAR_ENOUGH = 0.2  # of the work, before a curve's axis goes to its end


class NotebookLine:
    """One output of the cell, updated in place."""

    def __init__(self, shell: Any) -> None:
        from IPython.display import DisplayHandle

        self._handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        self._shown: tuple[str, str] | None = None
        self._curves = Html("")
        self._curves_drawn = 0.0

    def draw(self, work: ProgressState) -> None:
        parts = work.parts()
        share = work.share
        track = element(
            "div",
            element("div", style=f"width:{(share or 0) * 100:.1f}%"),
            class_="thanosql-track",
            role="progressbar",
            aria_valuemin=0,
            aria_valuemax=100,
            aria_valuenow=f"{share * 100:.0f}" if share is not None else None,
            aria_label=parts[0],
        )
        line = element(
            "div", track if share is not None else None, element("span", " · ".join(parts)), class_="thanosql-progress"
        )
        self._show(style.framed(line, self._drawn_curves(work), label="ThanoSQL progress"), " · ".join(parts))

    def leave(self, text: str) -> None:
        page = style.framed(element("p", text, class_="thanosql-note"), label="ThanoSQL") if text else "<span></span>"
        self._show(page, text)

    def _drawn_curves(self, work: ProgressState) -> Html | None:
        if work.progress is None or not any(len(points) >= FEW_POINTS for points in work.measures.values()):
            return None
        if work.now - self._curves_drawn >= 1.0:
            self._curves_drawn = work.now
            self._curves = curves.charts(
                *(
                    curves.chart(
                        name,
                        points,
                        unit=work.progress.unit.rstrip("s"),
                        end=work.progress.total if (work.share or 0) > FAR_ENOUGH else None,
                        percent=name.isupper(),
                    )
                    for name, points in ((name, list(points)) for name, points in work.measures.items())
                )
            )
        return self._curves

    def _show(self, page: str, text: str) -> None:
        if self._shown == (page, text):
            return
        data = {"text/html": page, "text/plain": text}
        if self._shown is None:
            self._handle.display(data, raw=True)
        else:
            self._handle.update(data, raw=True)
        self._shown = (page, text)


class TerminalLine:
    """The last line of a terminal, by tqdm; gone when the work is."""

    def __init__(self) -> None:
        self._bar: Any = None

    def draw(self, work: ProgressState) -> None:
        from tqdm import tqdm

        parts, share = work.parts(), work.share
        if self._bar is None:
            self._bar = tqdm(total=1.0, leave=False, file=sys.stderr, bar_format="{desc}")
        width = shutil.get_terminal_size().columns
        bar = tqdm.format_meter(share, 1.0, 0, ncols=24, bar_format="{bar} ") if share is not None else ""
        self._bar.set_description_str((bar + " · ".join(parts))[: width - 1])

    def leave(self, text: str) -> None:
        if self._bar is not None:
            self._bar.close()
        if text:
            print(text, file=sys.stderr)


class LogLine:
    """A line every quarter of a minute: what a log is read for is that it goes on."""

    def __init__(self) -> None:
        self._said, self._interrupted = time.monotonic(), False

    def draw(self, work: ProgressState) -> None:
        if work.now - self._said >= LOG_SECONDS or (work.interrupted and not self._interrupted):
            self._said, self._interrupted = work.now, work.interrupted
            print(" · ".join(work.parts()), file=sys.stderr, flush=True)

    def leave(self, text: str) -> None:
        if text:
            print(text, file=sys.stderr, flush=True)
