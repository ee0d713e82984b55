"""One BUILD killed (kill -9) again and again at random moments: it ends with the weights of an unbroken one.

A child forked from a server that has imported everything is a process of its own and starts in no time, so that most
moments fall into the work and not into imports. Each draws no random number of ours: only when it dies is random.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import thanosql
from thanosql.models.store import Store

KILLS = 10
ROWS = "SELECT * FROM train ORDER BY audio_path LIMIT 9"
OPTIONS = "max_epochs=3, batch_size=2, valid_split=0.2, learning_rate=1e-3, overwrite=True"
BUILD = "BUILD MODEL {} USING Wav2Vec2Tiny OPTIONS ({}{}) AS {}"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this system has no kill -9 and no fork")


def build(database_url: str, home: Path, statement: str) -> None:
    """What the child runs; it keeps its state after each step, so that a kill costs little and is felt everywhere."""
    from thanosql.models.training import loop

    loop.SAVE_EVERY, loop.SAVE_SHARE = 0.0, 1e9
    with thanosql.connect(database_url, home=home) as session:
        session.execute(statement)


@pytest.fixture(scope="module")
def children() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    heavy = [
        "torch",
        "transformers.models.wav2vec2.modeling_wav2vec2",
        "thanosql.engine.postgres.database",
        "jiwer",
        "soxr",
    ]
    context.set_forkserver_preload([*heavy, "tests.engine.test_killed_training"])
    return context


def weights(store: Store, name: str) -> dict[str, torch.Tensor]:
    return load_file(store.get(name).folder / "model.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_build_killed_at_ten_random_moments_ends_with_the_weights_of_an_unbroken_one(
    database_url: str, tmp_path: Path, children: ForkServerContext
) -> None:
    home = tmp_path / "home"
    with thanosql.connect(database_url, home=home) as session:
        session.execute("GET THANOSQL DATASET spoken_numbers")
        session.execute("COPY train FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_train.csv'")
        session.execute(BUILD.format("m", "max_epochs=1, batch_size=8", "", ROWS))
        first = session.execute(f"PREDICT USING m AS {ROWS}").predict_result.tolist()

        def started(name: str, more: str) -> multiprocessing.context.ForkServerProcess:
            child = children.Process(
                target=build, args=(database_url, home, BUILD.format(name, OPTIONS, more, ROWS)), daemon=True
            )
            child.start()
            return child

        started("warm", "").join()  # the server's first child waits for its imports
        begun = time.monotonic()
        unbroken = started("unbroken", "")
        unbroken.join()
        whole = time.monotonic() - begun
        assert unbroken.exitcode == 0
        expected = weights(session.store, "unbroken")

        draw = random.Random(os.environ.get("THANOSQL_TEST_KILLS", "0"))
        steps: list[int] = []
        kills = 0
        while kills < KILLS:
            # Some steps further on, or at any moment at all: by steps, since a busy machine stretches the seconds.
            steps_on = draw.randrange(4)
            goal = kept_step(session.store) + steps_on
            child = started("m", ", resume=True")
            while steps_on and child.is_alive() and kept_step(session.store) < goal:
                child.join(0.01)
            child.join(draw.uniform(0.0, 0.05 if steps_on else 0.5) * whole)
            if child.is_alive():
                assert child.pid is not None
                os.kill(child.pid, signal.SIGKILL)
                child.join()
            if child.exitcode == -signal.SIGKILL:
                kills += 1
                steps.append(kept_step(session.store))
                # The good one as it was, or, when the kill came after the last moment that matters, the new one.
                if session.store.get("m").version == 1:
                    assert session.execute(f"PREDICT USING m AS {ROWS}").predict_result.tolist() == first
                else:
                    assert same(weights(session.store, "m"), expected)
            else:
                assert child.exitcode == 0
                assert same(weights(session.store, "m"), expected)
        last = started("m", ", resume=True")
        last.join()
        assert last.exitcode == 0
        assert same(weights(session.store, "m"), expected)
        assert len(set(steps)) > 2  # the kills did not all fall on one place


def kept_step(store: Store) -> int:
    from thanosql.models.training.resume import interrupted

    found = interrupted(store.training_state("m"))
    return found.step if found is not None else 0
