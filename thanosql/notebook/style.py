"""A view's markup in, the same in its frame out: one scoped style sheet that follows the front end's theme.

Colours are the theme's own variables where a front end has them (JupyterLab, Notebook 7, VS Code, Colab), else the
system's; marks are tints laid over the theme's own background, so that the text keeps its contrast on both.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from thanosql.notebook.markup import Child, Html, element


def framed(*children: Child, label: str) -> str:
    """The whole HTML of one output; `label` is what a screen reader calls it."""
    return element(
        "div", Html(f"<style>{_sheet()}</style>"), *children, class_="thanosql", role="region", aria_label=label
    )


@cache
def _sheet() -> str:
    lines = resources.files("thanosql.notebook").joinpath("style.css").read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines)
