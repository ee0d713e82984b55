"""Model folders with hostile configurations, vocabularies and weights; each is refused with a reason, or works."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.torture.acts import children
from tests.torture.findings import STOP, Findings
from tests.torture.world import FOLDER, TINY

GROUP = 20  # models that one process looks at
LONGEST = 20.0  # seconds of the processor for one model
MEMORY = 4 << 30  # bytes that a process may take beside what it had: a refusal comes before an allocation
HUGE = (10**6, 10**9, 10**12, 2**31, 2**63, 2**64)
VALUES: tuple[Any, ...] = (
    *HUGE,
    *(-1, 0, 1, -(2**31), 0.5, 1e308, True, None, "", "7", "../x", [], [[]], {}, {"a": 1}, [0], [-1], [10**9] * 7),
    "x" * 10_000,
    [1] * 10_000,
)


def spoil(folder: Path, draw: random.Random) -> str:
    """Put a copy of the small model into `folder`, hostile in one way or two; in words, which."""
    shutil.copytree(TINY, folder)
    done = []
    for _ in range(draw.choice((1, 1, 2))):
        way = draw.choice((_config, _config, _config, _vocabulary, _header, _weights))
        try:
            done.append(way(folder, draw))
        except (ValueError, TypeError, AttributeError):  # the first way has spoiled what the second reads
            continue
    if not done or draw.random() < 0.15:
        done.append(_file(folder, draw))
    return "; ".join(done)


def _config(folder: Path, draw: random.Random) -> str:
    path = folder / draw.choice(("config.json", "config.json", "preprocessor_config.json", "tokenizer_config.json"))
    content = json.loads(path.read_text())
    name = draw.choice(
        [*content, "num_hidden_layers", "hidden_size", "vocab_size", "add_adapter", "num_adapter_layers"]
    )
    value = draw.choice(VALUES)
    path.write_text(json.dumps({**content, name: value}))
    return f"{path.name}: {name} = {str(value)[:40]}"


def _vocabulary(folder: Path, draw: random.Random) -> str:
    path = folder / "vocab.json"
    content = json.loads(path.read_text())
    way = draw.randrange(6)
    if way == 0:
        content = {f"t{number}": number for number in range(draw.choice((0, 1, 1_000_000)))}
    elif way == 1:
        content[draw.choice(list(content))] = draw.choice(VALUES)
    elif way == 2:
        content[draw.choice(("", " ", "\0", "\ud800", "x" * 10_000, "<pad>", "|"))] = draw.choice(
            (0, len(content), 10**9)
        )
    elif way == 3:
        content.pop(draw.choice(list(content)))
    elif way == 4:
        content = dict.fromkeys(content, 0)
    else:
        content = draw.choice(([], 7, {"en": content}, {}, "x"))
    path.write_text(json.dumps(content))
    return f"vocab.json, way {way}"


def _header(folder: Path, draw: random.Random) -> str:
    path = folder / "model.safetensors"
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = draw.choice([name for name in header if name != "__metadata__"])
    key = draw.choice(("shape", "data_offsets", "dtype"))
    header[name][key] = draw.choice(
        ([10**6, 10**6], [-1, 4], [0, 2**63], [], "F64", "I8", "X", 7, None, [0, 0], [4, 0])
    )
    if draw.random() < 0.2:
        header = draw.choice(([], {}, {"a": {}}, {"__metadata__": {"a": "b" * 10_000_000}}))
    said = json.dumps(header).encode()
    length = draw.choice((len(said),) * 5 + (0, 2**63, 2**64 - 1, len(said) + 10**9))
    path.write_bytes(length.to_bytes(8, "little") + said + data[8 + size :])
    return f"model.safetensors: header, {name} {key}"


def _weights(folder: Path, draw: random.Random) -> str:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    way = draw.randrange(3)
    if way == 0:
        at = draw.randrange(len(data))
        data[at : at + 64] = draw.randbytes(64)
    elif way == 1:
        del data[draw.randrange(len(data)) :]
    else:
        data += bytes(draw.choice((1, 1_000_000)))
    path.write_bytes(data)
    return f"model.safetensors, way {way}"


def _file(folder: Path, draw: random.Random) -> str:
    name = draw.choice(
        ("config.json", "vocab.json", "model.safetensors", "preprocessor_config.json", "tokenizer_config.json")
    )
    path = folder / name
    way = draw.choice(
        ("gone", "empty", "folder", "pipe", "deep", "no text", "link to itself", "link to /dev/zero", "number")
    )
    path.unlink()
    if way == "empty":
        path.touch()
    elif way == "folder":
        path.mkdir()
    elif way == "pipe":
        os.mkfifo(path)
    elif way == "deep":
        path.write_text("[" * 100_000)
    elif way == "no text":
        path.write_bytes(draw.randbytes(1000))
    elif way == "link to itself":
        path.symlink_to(path.name)
    elif way == "link to /dev/zero":
        path.symlink_to("/dev/zero")
    elif way == "number":
        path.write_text("1e999")
    return f"{name}: {way}"


def use_all(seed: int, count: int, folder: Path, log: Path) -> None:
    """What a process does: each model is uploaded into a store and transcribes one recording."""
    from thanosql.config import load
    from thanosql.errors import ThanoSQLError, ThanoSQLInternalError
    from thanosql.models import registry
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.options import TranscribeOptions
    from thanosql.models.store import Store
    from thanosql.unexpected import as_error

    settings = load(home=folder)
    waveform = AudioAccess(roots=()).read(str(FOLDER / "0001.flac"))

    def transcribe(place: Path) -> None:
        model = registry.resolve(str(place), True, Store(folder / "models"), settings)
        recognizer = registry.family_of(model).load(model.checkpoint, TranscribeOptions())
        recognizer.transcribe([waveform], TranscribeOptions())

    transcribe(TINY)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with log.open("w", encoding="utf-8", buffering=1) as lines:
        for number in range(seed, seed + count):
            place = folder / f"hostile{number}"
            said = spoil(place, random.Random(f"model {number}"))
            lines.write(json.dumps([number, "begun", 0.0, said]) + "\n")
            begun = time.process_time()
            outcome = "works"
            copy = partial(registry.import_checkpoint, str(place), folder / f"copy{number}")
            for step in (copy, partial(transcribe, place)):
                try:
                    step()
                except Exception as error:
                    # As a session does with what nobody has translated.
                    told = error if isinstance(error, ThanoSQLError) else as_error(error)
                    outcome = "refused" if str(told).strip() else "WRONG: no message"
                    if isinstance(told, ThanoSQLInternalError):
                        outcome = f"WRONG {type(error).__name__}: {error}"
            lines.write(json.dumps([number, outcome, time.process_time() - begun, said]) + "\n")
            shutil.rmtree(place)
            shutil.rmtree(folder / f"copy{number}", ignore_errors=True)


def deceive(folder: Path, models: int, seed: int = 0) -> Findings:
    """`models` hostile models, looked at by processes of their own."""
    findings = Findings(f"{models} hostile models")
    folder.mkdir(exist_ok=True)
    log = folder / "models.jsonl"
    first, end = seed, seed + models
    while first < end and findings.going_on():
        count = min(GROUP, end - first)
        child = children().Process(target=use_all, args=(first, count, folder, log), daemon=True)
        child.start()
        child.join(60 + count * LONGEST)
        if child.is_alive():
            child.kill()
            child.join()
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        for number, outcome, seconds, said in events:
            if outcome == "begun":
                continue
            findings.counts[outcome if outcome in ("works", "refused") else "WRONG"] += 1
            findings.check(not outcome.startswith("WRONG"), f"model {number} ({said}): {outcome}")
            findings.check(seconds <= LONGEST, f"model {number} ({said}): took {seconds:.1f} s")
        if STOP.is_set():  # the signal reached the process too
            break
        if events and events[-1][1] == "begun":
            findings.fail(f"model {events[-1][0]} ({events[-1][3]}): the process ended with {child.exitcode}")
            first = events[-1][0] + 1
        else:
            findings.check(child.exitcode == 0, f"models from {first}: the process ended with {child.exitcode}")
            first += count
    return findings.done()
