"""Random statements; each parses or is refused with a place, within a second, and memory does not grow.

The statements are those of the property tests (`tests.engine.test_parser_properties`): printed ones, the same with
damage, tokens, and characters; and the fixtures' own, damaged, or with one piece repeated up to some thousand times. One
in 97 is planned against a database, too.
"""

from __future__ import annotations

import gc
import logging
import random
import re
import resource
import signal
import time
from pathlib import Path

from tests.engine.test_parser_properties import DAMAGE, PIECES, Grown, check, printed
from tests.torture.findings import Findings
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLError, ThanoSQLInternalError

FIXTURE = Path(__file__).parents[1] / "fixtures" / "statements.sql"
PLANNED = 97  # one in so many
LONGEST = 1.0  # seconds
GROWTH = 16 << 20  # bytes, in the second half: some caches of Python and the allocator's pieces
WARMING = "EXPLAIN PREDICT USING Wav2Vec2Tiny AS SELECT 'nowhere.wav' AS audio_path"  # imports 80 MB of libraries, once
KINDS = ("printed", "damaged", "tokens", "characters", "fixture", "pumped")
PUMPED = (
    " ",
    "a",
    ".a",
    ";",
    ": ",
    "a, ",
    "(",
    "()",
    "[",
    "{",
    "'a'",
    '"a"',
    "\n",
    "/**/",
    "--\n",
    "a=1,",
    "OPTIONS (",
    "from ",
)
STUCK = 10.0  # seconds of the processor after which a statement is given up


def fixtures() -> list[str]:
    text = FIXTURE.read_text(encoding="utf-8").split("\n\n", 1)[1]
    return [re.split(r"\n--[>!] ", pair)[0].partition("\n")[2] for pair in text.split("\n\n-- ")]


def made(kind: str, draw: random.Random, seeds: list[str]) -> str:
    growth = Grown(draw.randbytes(300))
    if kind == "tokens":
        return draw.choice((" ", "")).join(draw.choice(PIECES) for _ in range(draw.randrange(41)))
    if kind == "characters":
        return "".join(
            chr(draw.choice((draw.randrange(128), draw.randrange(0xD800)))) for _ in range(draw.randrange(60))
        )
    text = draw.choice(seeds) if kind in ("fixture", "pumped") else printed(growth.statement())
    if kind == "pumped":
        at, piece = draw.randrange(len(text) + 1), draw.choice(PUMPED)
        return text[:at] + piece * draw.choice((40, 4_000 // len(piece))) + draw.choice((text[at:], "!", ""))
    if kind != "printed":
        for _ in range(draw.randrange(1, 4)):
            at, width = draw.randrange(len(text) + 1), draw.randrange(9)
            text = text[:at] + draw.choice([*DAMAGE, text[at:][:9], draw.choice(PIECES)]) + text[at + width :]
    return text


def fuzz(session: Session, statements: int, seed: int = 0) -> Findings:
    """`statements` of them, the kinds by turns."""
    findings = Findings(f"{statements:,} random statements")
    seeds = fixtures()
    session.execute(WARMING)
    signal.signal(signal.SIGVTALRM, _give_up)
    logged = _Logged(findings)
    logging.getLogger("thanosql").addHandler(logged)
    resident: int | None = None
    for number in range(statements):
        if not findings.going_on():
            break
        kind = KINDS[number % len(KINDS)]
        draw = random.Random(f"{seed} {number}")
        text = made(kind, draw, seeds)
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, STUCK)
        try:
            check(text)
        except AssertionError as error:
            findings.fail(f"{kind} {number}: {text!r}: no place or no message {error}")
        except Exception as error:
            findings.fail(f"{kind} {number}: {text!r}: {type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        seconds = time.process_time() - begun
        findings.check(seconds <= LONGEST, f"{kind} {number}: {text!r} took {seconds:.1f} s")
        findings.counts[kind] += 1
        if number % PLANNED == 0:
            _plan(session, text, findings)
        if number == statements // 2:
            gc.collect()
            resident = _resident()
    logging.getLogger("thanosql").removeHandler(logged)
    gc.collect()
    if resident is not None:  # None: stopped in the first half
        grown = _resident() - resident
        findings.counts["memory grown in the second half, KiB"] = max(0, grown >> 10)
        findings.check(grown < GROWTH, f"memory grew by {grown:,} bytes")
    return findings.done()


class _Logged(logging.Handler):
    """What is logged as an error is a mistake of ours that a message was kept clear of."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(logging.ERROR)
        self.findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        self.findings.fail(f"logged: {self.format(record)[-500:]}")


def _give_up(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"it takes more than {STUCK:g} s")


def _plan(session: Session, text: str, findings: Findings) -> None:
    """EXPLAIN runs nothing, and plans all that is there."""
    begun = time.process_time()
    try:
        session.execute("EXPLAIN " + text.lstrip())
        findings.counts["planned: explained"] += 1
    except ThanoSQLInternalError as error:
        findings.fail(f"EXPLAIN {text!r}: {error}")
    except ThanoSQLError:
        findings.counts["planned: refused"] += 1
    except Exception as error:
        findings.fail(f"EXPLAIN {text!r}: {type(error).__name__}: {error}")
    findings.check(time.process_time() - begun <= 2 * LONGEST, f"EXPLAIN {text!r} took over two seconds")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
