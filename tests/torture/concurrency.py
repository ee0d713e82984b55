"""Processes that use the same names of one store and one database at random; every outcome held against those allowed.

Each process writes down what it did, from when to when on the machine's one clock. A model may be missing only where at
some moment of the statement it could have been; a table is always one of those that a statement leaves, whole.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import thanosql
from tests.torture.acts import children, run
from tests.torture.findings import Findings
from tests.torture.world import TINY, World

NAMES = ("one", "two")
LEAST = 5  # statements of each process, however little time it is given
CREATING = ("build", "fit", "upload")
# What a statement may be told; anything else is a finding.
REPLACED = ("has replaced or dropped it",)
MISSING = ("There is no model",)
EXISTS = ("exists already",)
BUSY = ("is writing the model", "is in use: no lock", "no row is lost")


@dataclass(frozen=True)
class Event:
    kind: str
    name: str
    begun: float
    ended: float
    outcome: str


def statements(draw: random.Random, folder: Path) -> tuple[str, str, str]:
    """A kind, the model's name, and the statement."""
    name = draw.choice(NAMES)
    rows = f"SELECT * FROM clips WHERE id <= {draw.choice((2, 3))}"
    train = "max_epochs=1, batch_size=2, resume=False"
    kinds = {
        "build": f"BUILD MODEL {name} USING Wav2Vec2Tiny OPTIONS ({train}, overwrite=True) AS {rows}",
        "fit": f"FIT MODEL {name} USING {name} OPTIONS ({train}, overwrite=True) AS {rows}",
        "create": f"UPLOAD MODEL {name} FROM '{TINY}'",
        "upload": f"UPLOAD MODEL {name} OPTIONS (overwrite=True) FROM '{TINY}'",
        "predict": f"PREDICT USING {name} OPTIONS (table_name='heard') AS {rows}",
        "evaluate": f"EVALUATE USING {name} OPTIONS (table_name='scores', confusions_table='confused') AS {rows}",
        "drop": f"DROP MODEL {name}",
        "list": "LIST MODEL",
        "describe": f"DESCRIBE MODEL {name}",
        "versions": "LIST MODEL VERSIONS " + name,
        "copy": f"COPY copied OPTIONS (if_exists='replace') FROM '{folder}/rows{draw.choice((0, 1))}.csv'",
        "read": "SELECT count(*) AS n, count(DISTINCT a) AS a FROM copied",
        "heard": "SELECT count(*) AS n, count(predict_result) AS a FROM heard",
        "both": "SELECT (SELECT count(*) FROM scores) AS n, (SELECT count(*) FROM confused) AS a",
    }
    weights = {"build": 1, "fit": 1, "drop": 2, "predict": 4, "evaluate": 2}
    kind = draw.choices(list(kinds), [weights.get(kind, 2) for kind in kinds])[0]
    return kind, name, kinds[kind]


def work(url: str, home: Path, folder: Path, seconds: float, seed: int, log: Path) -> None:
    """What one process does; a line of JSON for each statement."""
    draw = random.Random(seed)
    end = time.monotonic() + seconds
    with thanosql.connect(url, home=home) as session, log.open("w", encoding="utf-8") as lines:
        done = 0
        while time.monotonic() < end or done < LEAST:
            done += 1
            kind, name, statement = statements(draw, folder)
            begun = time.monotonic()
            try:
                if kind in ("read", "heard", "both"):
                    frame = session.execute(statement)
                    outcome = f"rows {frame.n[0]} {frame.a[0]}"
                else:
                    outcome = run(session, statement)
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
            lines.write(json.dumps(asdict(Event(kind, name, begun, time.monotonic(), outcome))) + "\n")


def together(url: str, home: Path, folder: Path, processes: int, seconds: float, seed: int = 0) -> Findings:
    """`processes` of them for `seconds`, then the check of all that they wrote down."""
    findings = Findings(f"{processes} processes on one store and one database")
    world = World(home, folder, url)
    world.make()
    context = children()
    logs = [folder / f"events{number}.jsonl" for number in range(processes)]
    workers = [
        context.Process(target=work, args=(url, home, folder, seconds, seed * 1000 + number, log), daemon=True)
        for number, log in enumerate(logs)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(seconds + 300)
        findings.check(worker.exitcode == 0, f"a process ended with {worker.exitcode}")
        if worker.is_alive():
            worker.kill()
    events = [Event(**json.loads(line)) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    for event in events:
        findings.counts[f"{event.kind}: {_ending(event)}"] += 1
    for said in contradictions(events):
        findings.fail(said)
    world.renew()
    findings.check(not (left := world.leftovers()), f"left behind {left}")
    world.session.close()
    return findings.done()


def _ending(event: Event) -> str:
    for ending, said in (("replaced", REPLACED), ("missing", MISSING), ("exists", EXISTS), ("busy", BUSY)):
        if any(words in event.outcome for words in said):
            return ending
    return "rows" if event.outcome.startswith("rows ") else "done" if event.outcome == "done" else "OTHER"


def contradictions(events: list[Event]) -> Iterator[str]:
    """Outcomes that no order of the statements allows."""
    made: dict[str, list[Event]] = {name: [] for name in NAMES}
    dropped: dict[str, list[Event]] = {name: [] for name in NAMES}
    for event in events:
        if event.outcome == "done" and event.kind in (*CREATING, "create"):
            made[event.name].append(event)
        if event.outcome == "done" and event.kind == "drop":
            dropped[event.name].append(event)

    def certain(event: Event, doing: list[Event], undoing: list[Event]) -> bool:
        """Whether something was done before the event, and nothing that undoes it came near since."""
        return any(
            one.ended <= event.begun
            and not any(other.ended >= one.begun and other.begun <= event.ended for other in undoing)
            for one in doing
        )

    def near(event: Event, doing: list[Event]) -> bool:
        return any(one.ended >= event.begun and one.begun <= event.ended for one in doing if one is not event)

    for event in events:
        ending = _ending(event)
        there, gone = made[event.name], dropped[event.name]
        if ending == "OTHER":
            yield f"{event.kind} {event.name}: {event.outcome}"
        elif ending == "missing" and certain(event, there, gone):
            yield f"{event.kind} {event.name}: said to be missing while it was there: {event.outcome}"
        elif ending == "replaced" and not near(event, [*there, *gone]):
            yield f"{event.kind} {event.name}: said to be replaced while nobody wrote it: {event.outcome}"
        elif ending == "exists" and event.kind != "create":
            yield f"{event.kind} {event.name}: refused, though it overwrites"
        elif ending == "exists" and certain(event, gone, there):
            yield f"{event.kind} {event.name}: said to exist while it was gone"
        elif ending == "done" and event.kind in ("predict", "evaluate", "fit", "drop") and certain(event, gone, there):
            yield f"{event.kind} {event.name}: used while it was gone"
        elif ending == "busy" and event.kind in ("list", "describe", "versions", "predict_only"):
            yield f"{event.kind} {event.name}: a reader was made to wait"
        elif event.kind == "read" and event.outcome not in ("rows 20000 20000", "rows 20001 20001", "rows 40000 20000"):
            yield f"the table of COPY was seen with {event.outcome}"
        elif event.kind == "heard" and event.outcome not in [f"rows {n} {n}" for n in (2, 3, 4)]:
            yield f"the table of PREDICT was seen with {event.outcome}"
