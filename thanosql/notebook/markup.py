"""Tags and values in, HTML out in which every value is text: what is not markup of ours cannot become markup.

>>> element("td", "<img src=x onerror=alert(1)>", class_="text")
'<td class="text">&lt;img src=x onerror=alert(1)&gt;</td>'
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

VOID = frozenset({"br", "hr", "img", "input", "source"})
# Control characters would act on the page or the terminal that shows them; their pictures do not.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
PICTURES |= dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
# Overrides of the writing direction make a text read as another one.
PICTURES |= dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD)


class Html(str):
    """Text that is markup already. Made here only, from parts that were escaped."""

    __slots__ = ()


Child: TypeAlias = "Html | str | int | float | Iterable[Child] | None"


def visible(value: object) -> str:
    """A value as text without control characters.

    >>> visible("\\x1b[31mred")
    '␛[31mred'
    """
    return str(value).translate(PICTURES)


def text(value: object) -> Html:
    """A value as HTML text, safe in an element and in a quoted attribute."""
    return value if isinstance(value, Html) else Html(html.escape(visible(value), quote=True))


def breakable(value: str, behind: str = "/") -> Html:
    """Text that may go over lines after a slash too, so that a long path leaves room for its neighbours.

    >>> breakable("calls/2026/a&b.wav")
    'calls/<wbr>2026/<wbr>a&amp;b.wav'
    """
    return Html(text(value).replace(behind, f"{behind}<wbr>"))


def element(tag: str, *children: Child, **attributes: object) -> Html:
    """One element. Of an attribute's name a trailing `_` is dropped, other `_` are `-`; None and False leave it out."""
    opening = tag
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        opening += f" {name}" if value is True else f' {name}="{text(value)}"'
    if tag in VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """The children one after the other; nested iterables are flattened, None is nothing."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, (str, int, float)):
            parts.append(text(child))
        else:
            parts.append(join(child))
    return Html("".join(parts))


def unseen(value: str) -> Html:
    """Text for screen readers alone."""
    return element("span", value, class_="thanosql-unseen")
