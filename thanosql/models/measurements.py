"""Ways to compute the same in, the one that is the fastest on this processor out; the answers are kept in the home.

What is fastest differs between processors, shapes and versions of torch. So each way is timed once, in milliseconds, when a
model is first used on a machine. What was kept on another processor, by another version of torch, or cannot be read, is
not used. Once answered, a question keeps its answer, for every process that keeps its answers in the same home: the same
machine gives the same last bits from run to run, in a training and in a worker too.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from thanosql import private
from thanosql.models.json_file import read_text
from thanosql.models.locks import LockTimeout, locked

FILE, LOCK = "processor.json", "processor.lock"
WAIT_SECONDS = 5.0  # for another process that measures: it takes milliseconds
MACHINES = 16  # of which a home keeps answers: several may share it, and each version of torch counts as another
ROUNDS = 4  # of which each way's best counts: what else the machine does only makes it slower
CLEARLY = 0.93  # of the time of the first way: another one is chosen where it takes no more,
APART = 0.85  # one with which utterances must go apart where it takes no more than so much of any other's time
TOLD = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "asimd", "bf16", "sve")
LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")  # variables that hide instructions


@dataclass(frozen=True)
class Measured:
    """`choice` is the way to take, `milliseconds` what each took; `alike` says that with this choice rows have the same last
    bits whatever rows stand beside them."""

    choice: str
    alike: bool
    milliseconds: Mapping[str, float] = field(default_factory=dict)


_known: dict[str, Measured] = {}
_kept: set[tuple[Path, str]] = set()  # the questions whose answers a home is known to hold
_home: ContextVar[Path | None] = ContextVar("home", default=None)
forced: dict[str, str] = {}  # a way for each kind of question, by its name: for tests


@contextlib.contextmanager
def kept_in(home: Path | None) -> Iterator[None]:
    """What is measured within is kept in a home, and what is kept there is not measured again. Without one, this process
    alone knows it."""
    token = _home.set(home)
    try:
        yield
    finally:
        _home.reset(token)


def measure(
    kind: str,
    of: str,
    ways: Mapping[str, Callable[[], object]],
    alike: Callable[[str], bool] = lambda way: True,
    apart: float = APART,
) -> Measured:
    """What is known of a question (`of` tells its shape and dtype), found out now if nothing is.

    The first of `ways` is taken unless another one is clearly faster; one without `alike` rows where it takes at most the
    share `apart` of the time that another takes.
    """
    if (name := forced.get(kind)) in ways:
        assert name is not None
        return Measured(name, alike(name))
    key, home = f"{kind} {of}", _home.get()
    if key not in _known or (home is not None and (home, key) not in _kept):
        with _settling(key, home):
            if key not in _known:
                _known[key] = _answer(ways, alike, apart)
    return _known[key]


def _answer(ways: Mapping[str, Callable[[], object]], alike: Callable[[str], bool], apart: float) -> Measured:
    took = _times(ways) if len(ways) > 1 else dict.fromkeys(ways, 0.0)
    keeps = {way: alike(way) for way in ways}
    choice = _choice(took, keeps, apart)
    return Measured(choice, keeps[choice], {way: round(ms, 4) for way, ms in took.items()})


@contextlib.contextmanager
def _settling(key: str, home: Path | None) -> Iterator[None]:
    """Know what a home holds, and keep there what is found out within. One process at a time does: the others then find its
    answer, and do not disturb its timing."""
    if home is None:
        yield
        return
    recall(home)
    if (home, key) in _kept:
        yield
        return
    with contextlib.ExitStack() as alone:
        with contextlib.suppress(OSError, LockTimeout):  # a home that cannot be written to: it is measured all the same
            alone.enter_context(locked(private.home(home) / LOCK, WAIT_SECONDS))
            recall(home)
        yield
        keep(home)


def _choice(took: Mapping[str, float], keeps: Mapping[str, bool], apart: float = APART) -> str:
    """The way to take.

    >>> _choice({"a": 2.0, "b": 1.9, "c": 1.8}, {"a": True, "b": True, "c": False})
    'a'
    >>> _choice({"a": 2.0, "b": 1.8}, {"a": True, "b": True}), _choice({"a": 2.0, "b": 1.6}, {"a": True, "b": False})
    ('b', 'b')
    """
    first = next(iter(took))
    together = {way: ms for way, ms in took.items() if keeps[way]}
    clear = {way: ms for way, ms in together.items() if way == first or ms <= CLEARLY * took[first]}
    found = min(clear, key=clear.__getitem__, default=first)
    fastest = min(took, key=took.__getitem__)
    return fastest if not keeps[fastest] and (took[fastest] <= apart * took[found] or not together) else found


def _times(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The best of some rounds in turn, in milliseconds of this thread's processor time: what else the machine and the
    process do then counts little. A first round makes what later ones find made."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS + 1):
        for way, compute in ways.items():
            started = time.thread_time()
            compute()
            found[way].append(1000 * (time.thread_time() - started))
    return {way: min(taken[1:]) for way, taken in found.items()}


def recall(home: Path) -> None:
    """Know what is kept in a home, beside what this process has found out itself."""
    for key, value in kept(home).items():
        _known.setdefault(key, value)
        _kept.add((home, key))


def keep(home: Path) -> None:
    """Keep in the home what is known; what another process has kept meanwhile stays. Nothing is raised where it cannot be
    kept: it is measured again."""
    there = kept(home)
    if not there.keys() >= _known.keys():
        measured = {key: asdict(value) for key, value in {**_known, **there}.items()}
        machines = [{**processor(), "measured": measured}, *(one for one in _machines(home) if not _is_this(one))]
        with contextlib.suppress(OSError):
            private.replace(home / FILE, json.dumps({"machines": machines[:MACHINES]}, indent=1))
    _kept.update((home, key) for key in _known)


def kept(home: Path) -> dict[str, Measured]:
    """What is kept in a home for this processor and this torch; nothing where it is damaged or another's."""
    try:
        found: Mapping[str, Any] = next((one["measured"] for one in _machines(home) if _is_this(one)), {})
        return {str(key): _read(value) for key, value in found.items()}
    except (TypeError, ValueError, KeyError, AttributeError):
        return {}


def _machines(home: Path) -> list[dict[str, Any]]:
    """What a home holds, the newest machine first; nothing where it is damaged."""
    try:
        found: Any = json.loads(read_text(home / FILE, own=True))["machines"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _is_this(machine: Mapping[str, Any]) -> bool:
    return {name: machine.get(name) for name in processor()} == processor()


def _read(value: Any) -> Measured:
    choice, alike = value["choice"], value["alike"]
    if not isinstance(choice, str) or not isinstance(alike, bool):
        raise TypeError("not what we wrote")
    return Measured(choice, alike, {str(way): float(ms) for way, ms in value["milliseconds"].items()})


def processor() -> dict[str, str]:
    """What the answers depend on: the processor's name and instructions, and torch's version. Torch is not imported."""
    from importlib import metadata

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    said: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in lines):
        said.setdefault(name.strip(), value.strip())
    name = said.get("model name") or platform.processor() or platform.machine()
    numbers = ", ".join(
        f"{what} {said[key]}" for key, what in (("cpu family", "family"), ("model", "model")) if key in said
    )
    flags = set((said.get("flags") or said.get("Features") or "").split())
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if name in os.environ]
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        version = ""
    return {
        "processor": name + (f" ({numbers})" if numbers else ""),
        "instructions": " ".join([*(flag for flag in TOLD if flag in flags), *limits]),
        "torch": version,
    }


def bfloat16_speed(found: Mapping[str, Measured]) -> float | None:
    """How many times float32's speed products of bfloat16 have here; None where nobody measured it."""
    took = next((one.milliseconds for key, one in found.items() if key.startswith("precision ")), {})
    exact, rounded = took.get("float32", 0.0), took.get("bfloat16", 0.0)
    return exact / rounded if exact > 0 and rounded > 0 else None


def summary(found: Mapping[str, Measured]) -> list[str]:
    """What was measured, a line for each kind of question: how often each way was the fastest, and by how much at most.

    >>> summary({"product float32 8→8": Measured("torch", False, {"oneDNN": 2.0, "torch": 1.0})})
    ['product float32: torch is fastest in 1 of 1 (up to 2.00 times as fast as oneDNN)']
    """
    kinds: dict[str, list[Measured]] = {}
    for key, one in found.items():
        if key.startswith("precision "):
            continue  # not a choice: the precision is the user's
        kinds.setdefault(" ".join(key.split(" ")[:2]), []).append(one)
    said = []
    for kind, those in sorted(kinds.items()):
        parts = []
        for way in sorted({one.choice for one in those}):
            chosen = [one for one in those if one.choice == way]
            first = [next(iter(one.milliseconds), way) for one in chosen]
            gains = [
                one.milliseconds[other] / one.milliseconds[way]
                for one, other in zip(chosen, first, strict=True)
                if other != way and one.milliseconds.get(way, 0) > 0
            ]
            gain = f" (up to {max(gains):.2f} times as fast as {first[0]})" if gains else ""
            parts.append(f"{way} is fastest in {len(chosen)} of {len(those)}{gain}")
        said.append(f"{kind}: {', '.join(parts)}")
    return said
