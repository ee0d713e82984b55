"""A model's card, or the report of a training, in; a card to read out, with the curves of its history."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from thanosql.notebook import curves
from thanosql.notebook.evaluation import figures, hears, lead
from thanosql.notebook.markup import Html, breakable, element, join
from thanosql.notebook.values import duration, moment, plain

CURVES = {"loss": False, "valid_loss": False, "valid_wer": True, "valid_cer": True}  # and whether it is a rate
LABELS = {"valid_loss": "validation loss", "valid_wer": "validation WER", "valid_cer": "validation CER"}


def history(epochs: Sequence[Mapping[str, Any]]) -> Html | None:
    """The curves of a training's epochs, a chart a measure; None where there is nothing to draw."""
    drawn = []
    for name, percent in CURVES.items():
        points = [
            (float(epoch.get("epoch", number)), float(epoch[name]))
            for number, epoch in enumerate(epochs, start=1)
            if isinstance(epoch.get(name), int | float)
        ]
        if points:
            drawn.append(
                curves.chart(
                    LABELS.get(name, name),
                    points,
                    unit="epoch",
                    percent=percent,
                )
            )
    return curves.charts(*drawn) if drawn else None


def report(fields: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]] = ()) -> Html:
    """What BUILD and FIT did: `fields` are the report's."""
    wers = _validation_wers(epochs)
    audio = duration(fields["hours"] * 3600) if "hours" in fields else ""
    if wers:
        said = _hears_in_validation(wers)
    else:
        said = f"Trained on {audio} of audio. How accurate is it? EVALUATE USING {fields.get('model', '')} AS SELECT …"
    shown = {
        "validation WER": f"{min(wers):.2%}" if wers else None,
        "audio": audio or None,
        "utterances": f"{fields['utterances']:,}" if "utterances" in fields else None,
        "epochs": str(fields["epochs"]) if "epochs" in fields else None,
        "steps": f"{fields['steps']:,}" if "steps" in fields else None,
        "time": duration(fields["seconds"]) if "seconds" in fields else None,
        "last loss": f"{fields['loss']:.3f}" if isinstance(fields.get("loss"), float) else None,
    }
    return element(
        "div",
        element(
            "h3",
            f"{fields.get('model', '')} ",
            element(
                "span", f"version {fields.get('version', '')}, from {fields.get('base', '')}", class_="thanosql-note"
            ),
        ),
        lead(said),
        figures({name: value for name, value in shown.items() if value is not None}),
        history(epochs),
        element("p", breakable(str(fields["folder"])), class_="thanosql-note") if fields.get("folder") else None,
        class_="thanosql-card",
    )


def model(card: Mapping[str, Any], version: int | None = None, folder: str = "") -> Html:
    """What is known of a model: `card` as the store keeps it."""
    from thanosql.models.card import last_on_new_audio
    from thanosql.models.ctc.calibration import described

    trained = card.get("report") or {}
    measured = [evaluation for evaluation in card.get("evaluations") or () if isinstance(evaluation, Mapping)]
    last = last_on_new_audio(card)
    wer = last.get("wer")
    shown = {
        "WER": f"{wer:.2%}" if isinstance(wer, float) else None,
        "rows": f"{card['rows']:,}" if isinstance(card.get("rows"), int) else None,
        "audio": duration(card["audio_hours"] * 3600) if isinstance(card.get("audio_hours"), float) else None,
        "epochs": str(trained["epochs"]) if "epochs" in trained else None,
        "time": duration(trained["seconds"]) if isinstance(trained.get("seconds"), float) else None,
        "last loss": f"{trained['loss']:.3f}" if isinstance(trained.get("loss"), float) else None,
    }
    origin = card.get("from") if isinstance(card.get("from"), Mapping) else {}
    said = ", ".join(
        part
        for part in (
            f"version {version}" if version else "",
            f"from {origin['name']}"
            if origin and origin.get("name")
            else f"from {card['base']}"
            if card.get("base")
            else "",
            f"base {card['base']}" if card.get("base") and origin and origin.get("name") != card.get("base") else "",
            _when(card.get("created")),
        )
        if part
    )
    return element(
        "div",
        element("h3", str(card.get("name", "model"))),
        element("p", said, class_="thanosql-note"),
        lead(_measured(last, _validation_wers(trained.get("history") or ()), str(card.get("name", "")))),
        figures({name: value for name, value in shown.items() if value is not None}),
        element("p", f"Its confidence is {described(card)}.", class_="thanosql-note"),
        history(trained.get("history") or ()),
        _statement(card.get("statement")),
        _details("Options", card.get("options")),
        _details("Vocabulary", card.get("vocabulary")),
        _details("Made with", {**(card.get("versions") or {}), "hardware": card.get("hardware")}),
        _details("Evaluations", measured or None),
        element("p", breakable(folder), class_="thanosql-note") if folder else None,
        class_="thanosql-card",
    )


def _measured(last: Mapping[str, Any], wers: Sequence[float], name: str) -> str:
    """The last evaluation on new audio in a sentence, else what the training measured, else how to make the first one."""
    if said := hears(last):
        return f"{said.rstrip('.')} (measured {_when(last.get('created'))})." if last.get("created") else said
    if wers:
        return _hears_in_validation(wers)
    return f"How accurate is it? EVALUATE USING {name} AS SELECT …" if name else ""


def _validation_wers(epochs: Sequence[Mapping[str, Any]]) -> list[float]:
    return [epoch["valid_wer"] for epoch in epochs if isinstance(epoch.get("valid_wer"), int | float)]


def _hears_in_validation(rates: Sequence[float]) -> str:
    return hears({"wer": min(rates)}).replace("words.", "words in the validation set.")


def _when(created: object) -> str:
    """A moment that a card names in ISO's form, as people write it."""
    try:
        return moment(datetime.datetime.fromisoformat(str(created)))
    except ValueError:
        return str(created or "")


def _statement(sql: object) -> Html | None:
    return join((element("h4", "Trained by"), element("pre", str(sql).strip()))) if sql else None


def _details(name: str, content: object) -> Html | None:
    if not content:
        return None
    if isinstance(content, Mapping):
        lines = "\n".join(f"{key} = {_written(value)}" for key, value in content.items() if value is not None)
    elif isinstance(content, str):
        lines = content
    else:
        lines = json.dumps(content, ensure_ascii=False, indent=1, default=str)
    return element("details", element("summary", name), element("pre", lines))


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple | dict) else plain(value)
