"""An evaluation in, its figures, bars by group and worst rows out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from thanosql.notebook import diff, tables
from thanosql.notebook.markup import Html, element, join, visible
from thanosql.notebook.players import Players
from thanosql.notebook.values import duration, plain

if TYPE_CHECKING:
    import pandas as pd

MEASURES = frozenset(
    (
        "utterances", "hours", "words", "characters", "wer", "wer_low", "wer_high", "cer", "substitutions", "deletions",
        "insertions", "hits", "empty_hypotheses", "seconds", "rtfx", "small",
    )
)  # fmt: skip
COMPARED = frozenset(("wer_against", "difference", "p_value"))
BAR = 140  # pixels of the longest bar

Row = Mapping[str, Any]


def as_html(frame: pd.DataFrame, limit: int, players: Players, utterances: Sequence[Row] = ()) -> Html:
    """`frame` is what EVALUATE gives; `utterances` its rows: row, audio, reference, hypothesis, errors."""
    names = [str(name) for name in frame.columns]
    rows: list[Row] = [dict(zip(names, values)) for values in tables.rows(frame, 0)]
    if set(names) >= COMPARED:
        return join((lead(compared(rows[0])), comparison(rows[0]), worst(utterances, limit, players)))
    groups = [name for name in names if name not in MEASURES]
    return join(
        (
            lead(hears(rows[-1])) if rows else None,
            figures(_figures(rows[-1])) if rows else None,
            by_group(rows[:-1], groups) if groups and len(rows) > 1 else None,
            worst(utterances, limit, players),
        )
    )


def lead(said: str) -> Html | None:
    """What a person wants to know first, in a sentence."""
    return element("p", said, class_="thanosql-lead") if said else None


def hears(row: Row) -> str:
    """An error rate as a sentence; nothing where there is none.

    >>> hears({"wer": 0.0207, "wer_low": 0.0031, "wer_high": 0.0406})
    'Hears 98 of 100 words; 95% sure of 96 to 100.'
    >>> hears({"wer": 0.0, "wer_low": float("nan")}), hears({"wer": 1.2}), hears({})
    ('Hears 100 of 100 words.', 'Hears 0 of 100 words.', '')
    """
    if math.isnan(_rate(row.get("wer"))):
        return ""
    right = _right(row["wer"])
    said = f"Hears {'more than 99' if right == 100 and row['wer'] else right} of 100 words"
    if math.isnan(_rate(row.get("wer_low"))) or math.isnan(_rate(row.get("wer_high"))):
        return f"{said}."
    worst, best = _right(row["wer_high"]), _right(row["wer_low"])
    return f"{said}; 95% sure of {worst} to {best}." if worst != best else f"{said}; 95% sure."


def compared(row: Row) -> str:
    """Two models in a sentence.

    >>> compared({"model": "new", "against": "old", "wer": 0.02, "wer_against": 0.15, "p_value": 0.0004})
    'new hears 98 of 100 words, old 85; that is hardly chance (p is below 0.001).'
    """
    if math.isnan(_rate(row.get("wer"))) or math.isnan(_rate(row.get("wer_against"))):
        return ""
    names = row.get("model", "this model"), row.get("against", "the other")
    said = f"{names[0]} hears {_right(row['wer'])} of 100 words, {names[1]} {_right(row['wer_against'])}"
    chance = _rate(row.get("p_value"))
    if math.isnan(chance):
        return f"{said}."
    p = f"p is {chance:.3f}" if chance >= 0.001 else "p is below 0.001"
    return f"{said}; that {'is hardly' if chance < 0.05 else 'may be'} chance ({p})."


def _right(wer: Any) -> int:
    """How many of a hundred words are right."""
    return max(0, round(100 * (1 - float(wer))))


def figures(values: Mapping[str, str]) -> Html:
    """A few figures that matter, large, each with its name."""
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in values.items()]
    return element("dl", pairs, class_="thanosql-figures")


def by_group(rows: Sequence[Row], groups: Sequence[str]) -> Html:
    """A row a group with its WER as a bar, the highest first; its interval as a line across the bar's end."""
    ordered = sorted(rows, key=lambda row: -_rate(row.get("wer")))
    top = max((max(_rate(row.get("wer")), _rate(row.get("wer_high"))) for row in ordered), default=0.0) or 1.0
    body = [
        element(
            "tr",
            [element("td", plain(row[name]), data_column=name, dir="auto") for name in groups],
            element("td", percent(row.get("wer")), class_="thanosql-number", data_column="WER"),
            element("td", _bar(row, top), aria_hidden="true"),
            element("td", percent(row.get("cer")), class_="thanosql-number", data_column="CER"),
            element("td", _count(row.get("words")), class_="thanosql-number", data_column="words"),
            element("td", "few words" if row.get("small") else "", class_="thanosql-null"),
        )
        for row in ordered
    ]
    head = element(
        "tr",
        [element("th", name, scope="col") for name in groups],
        element("th", "WER", scope="col", class_="thanosql-number"),
        element("td", ""),
        [element("th", name, scope="col", class_="thanosql-number") for name in ("CER", "words")],
        element("td", ""),
    )
    caption = element("caption", f"by {', '.join(groups)}, the highest WER first")
    return element("table", caption, element("thead", head), element("tbody", body), class_="thanosql-table")


def comparison(row: Row) -> Html:
    """Two models on the same rows."""
    name, difference = "difference", f"{_rate(row['difference']) * 100:+.2f} points"
    low, high = (_rate(row[bound]) * 100 for bound in ("difference_low", "difference_high"))
    if not math.isnan(low):
        name, difference = "difference, 95% interval", f"{difference} ({low:+.2f} to {high:+.2f})"
    return figures(
        {
            f"WER of {row.get('model', 'this model')}": percent(row["wer"]),
            f"WER of {row.get('against', 'the other')}": percent(row["wer_against"]),
            name: difference,
            "rows won · lost · tied": " · ".join(_count(row.get(name)) for name in ("won", "lost", "tied")),
        }
    )


def worst(utterances: Sequence[Row], limit: int, players: Players) -> Html | None:
    """The utterances with the most errors first: player, what was said against what was recognized, errors."""
    if not utterances:
        return None
    wrong = _with_errors(utterances)
    if not wrong:
        return element("p", "Every transcript is equal to its reference.", class_="thanosql-note")
    shown = wrong[: limit or None]
    body = [
        element(
            "tr",
            element(
                "td", named(one), element("small", one.get("file")) if one.get("file") else None, data_column="row"
            ),
            element("td", players.player(one.get("audio"), f"row {named(one)}"), data_column="audio"),
            element(
                "td",
                diff.as_html(str(one["reference"]), str(one["hypothesis"])),
                _update(one),
                dir="auto",
                data_column="said (struck through) and heard",
            ),
            element("td", str(one["errors"]), class_="thanosql-number", data_column="wrong words"),
        )
        for one in shown
    ]
    head = element(
        "tr",
        element("th", "row", scope="col"),
        element("th", "audio", scope="col"),
        element("th", element("del", "said"), " and ", element("ins", "heard"), scope="col"),
        element("th", "wrong words", scope="col", class_="thanosql-number"),
    )
    many = tables.counted(len(wrong), 0)
    caption = element(
        "caption", f"{many} with errors, worst first{f', {len(shown)} shown' if wrong[len(shown) :] else ''}"
    )
    return element("table", caption, element("thead", head), element("tbody", body), class_="thanosql-table")


def named(one: Row) -> str:
    """What a row is called: by its key, which stays when rows change, or by its number."""
    return plain(one["key"]) if one.get("key") is not None else str(one["row"])


def _update(one: Row) -> Html | None:
    """The statement that holds the row's label as it is, to be copied and edited."""
    if not one.get("update"):
        return None
    return element(
        "details",
        element("summary", "edit the label"),
        element("p", edit_of(one), class_="thanosql-note"),
        element("pre", f"%%thanosql\n{one['update']}"),
    )


def edit_of(one: Row) -> str:
    """What to do with the statement that holds a row's label."""
    return f"The label of row {named(one)} as it is now. If it is not what is said, edit it here and run the statement:"


def worst_as_text(utterances: Sequence[Row], limit: int) -> str:
    """The same in lines: the row, and `[-what was said-]{+what was recognized+}`; nothing where there are no errors."""
    wrong = _with_errors(utterances)
    shown = wrong[: limit or None]
    lines = []
    for one in shown:
        file = f" ({one['file']})" if one.get("file") else ""
        lines.append(f"row {named(one)}{file}: {diff.as_text(str(one['reference']), str(one['hypothesis']))}")
    many = f"{tables.counted(len(wrong), 0)} with errors, [-said-]{{+heard+}}, worst first:"
    updates = [f"{edit_of(one)}\n{one['update']}" for one in shown[:1] if one.get("update")]
    return "\n".join(visible(line) for line in (many, *lines, *updates)) if wrong else ""


def _with_errors(utterances: Sequence[Row]) -> list[Row]:
    return sorted((one for one in utterances if one["errors"]), key=lambda one: (-one["errors"], one["row"]))


def percent(value: Any) -> str:
    """A rate as one reads it.

    >>> percent(0.0734), percent(None)
    ('7.34%', '–')
    """
    return "–" if math.isnan(_rate(value)) else f"{float(value):.2%}"


def _figures(row: Row) -> dict[str, str]:
    found = {name.upper(): percent(row[name]) for name in ("wer", "cer") if name in row}
    if not math.isnan(_rate(row.get("wer_low"))):
        bounds = f"{float(row['wer_low']) * 100:.1f} to {float(row['wer_high']) * 100:.1f}%"
        found = {"WER, 95% interval": f"{found['WER']} ({bounds})"} | {
            name: found[name] for name in found if name != "WER"
        }
    found |= {name: _count(row[name]) for name in ("utterances", "words") if name in row}
    if not math.isnan(_rate(row.get("hours"))):
        found["audio"] = duration(float(row["hours"]) * 3600)
    errors = [_count(row[name]) for name in ("substitutions", "deletions", "insertions") if name in row]
    return found | ({"words replaced · left out · put in": " · ".join(errors)} if errors else {})


def _bar(row: Row, top: float) -> Html:
    rate, low, high = (_rate(row.get(name)) for name in ("wer", "wer_low", "wer_high"))
    width = 0.0 if math.isnan(rate) else rate / top * BAR
    parts = [element("rect", x=0, y=3, width=f"{width:.1f}", height=8, rx=2, fill="var(--ts-accent)")]
    if not math.isnan(low) and not math.isnan(high):
        parts.append(
            element(
                "path", d=f"M{low / top * BAR:.1f} 7H{high / top * BAR:.1f}", stroke="var(--ts-ink)", stroke_width=1.2
            )
        )
    return element("svg", parts, viewBox=f"0 0 {BAR} 14", width=BAR, height=14)


def _rate(value: Any) -> float:
    return float(value) if isinstance(value, int | float) or hasattr(value, "__float__") else math.nan


def _count(value: Any) -> str:
    return "–" if math.isnan(_rate(value)) else f"{int(value):,}"
