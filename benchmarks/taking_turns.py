"""Training runs in; what each measured out, each in a process of its own, one at work at a time, epoch by epoch in turn.

What else the machine does falls on all alike then, and each has the processor to itself in its turn. They have a process
each since accelerate knows one precision a process.
"""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Semaphore
from typing import Any

from two_trainers import Measured, Turns

Training = Callable[[Measured], None]


def in_turns(trainings: Sequence[Training], epochs: int) -> list[Measured]:
    """What each measured, in their order; each can be pickled, and takes so many epochs."""
    context = multiprocessing.get_context("spawn")
    places = [context.Semaphore(0) for _ in trainings]
    answers = context.Queue()
    children = [
        context.Process(
            target=_one,
            args=(place, training, epochs, places[place], places[(place + 1) % len(places)], answers),
            daemon=True,
        )
        for place, training in enumerate(trainings)
    ]
    for child in children:
        child.start()
    for _ in children:  # all have loaded what they need
        _answer(answers, children)
    places[0].release()
    found = dict(_answer(answers, children) for _ in children)
    return [found[place] for place in range(len(trainings))]


def _answer(answers: Any, children: Sequence[Any]) -> Any:
    while True:
        try:
            return answers.get(timeout=1)
        except queue.Empty:
            if any(child.exitcode for child in children):
                raise SystemExit("One of the runs failed.") from None


def _one(place: int, training: Training, epochs: int, mine: Semaphore, following: Semaphore, answers: Any) -> None:
    measured = Measured(epochs, Turns(mine, following))
    answers.put((place, None))
    training(measured)
    following.release()
    mine.acquire()  # all have run: a process that came to its end beside another's turn would take time from it
    following.release()
    measured.turns = None
    answers.put((place, measured))
