"""Statements killed at random moments (the process, its PostgreSQL, both); afterwards nothing is half done."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from tests.torture.acts import DEFECT, act, children
from tests.torture.findings import Findings
from tests.torture.world import World

VICTIMS = ("process", "process", "postgres", "both")


def kill(home: Path, folder: Path, kills: int, seed: int = 0) -> Findings:
    """Kill `kills` statements, every kind of them and of victims; `home` gets an embedded server of its own."""
    findings = Findings(f"{kills} statements killed (SIGKILL)")
    draw = random.Random(seed)
    context = children()
    world = World(home, folder)
    world.make()
    turn = {deed.kind: 0 for deed in world.deeds}
    done = 0
    while done < kills and findings.going_on():
        deed = world.deeds[done % len(world.deeds)]
        victim = draw.choice(VICTIMS)
        variant = turn[deed.kind] = 1 - turn[deed.kind]
        before = world.prepare(deed, variant)
        child = context.Process(target=act, args=(None, home, deed.variants[variant]), daemon=True)
        child.start()
        # A process of its own begins with no model loaded, and connects first.
        child.join(draw.uniform(0.0, 1.5) * (min(deed.seconds) + 0.5))
        if child.is_alive():
            _strike(victim, child.pid, home)
            done += 1
            findings.counts[f"{deed.kind}: {victim} killed"] += 1
        child.join(120)
        if child.is_alive():
            findings.fail(f"{deed.kind}: still running two minutes after its {victim} was killed")
            child.kill()
            child.join()
        findings.check(child.exitcode != DEFECT, f"{deed.kind}: a defect, when its {victim} was killed")
        world.judge(deed, variant, before, f"{deed.kind}, {victim} killed", findings)
    world.session.close()
    return findings.done()


def _strike(victim: str, child: int | None, home: Path) -> None:
    assert child is not None
    if victim != "postgres":
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    if victim != "process":
        with suppress(OSError, psutil.Error, ValueError):
            server = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
            for process in (server, *server.children(recursive=True)):
                with suppress(psutil.Error):
                    process.kill()
