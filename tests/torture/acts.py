"""A statement in, a process that runs it out: alone, in a fork, or beside other threads; its exit code says how it ended."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

import thanosql
from tests.torture import system_faults
from thanosql.engine.session import Session

REFUSED, DEFECT = 3, 4


def children() -> ForkServerContext:
    """Processes that start with everything imported, so that most of their time is work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "torch",
            "transformers.models.wav2vec2.modeling_wav2vec2",
            "thanosql.engine.postgres.database",
            "thanosql.engine.postgres.embedded",
            "jiwer",
            "soxr",
            "tests.torture.world",
        ]
    )
    with system_faults.loaded():
        forkserver.ensure_running()
    return context


Limit = Callable[[], None]


def act(url: str | None, home: Path, statement: str, limit: Limit | None = None) -> None:
    """What a child runs: it saves after each step of a training, so that a kill is felt everywhere. `limit` comes first.
    It exits with 0, with REFUSED after an error that a user is meant to see, with DEFECT after any other."""
    save_often()
    code = 0
    try:
        with thanosql.connect(url, home=home) as session:
            if limit is not None:
                limit()
            code = exit_code(session, statement)
    except BaseException:
        traceback.print_exc()
        code = DEFECT
    sys.exit(code)


def act_in_a_fork(url: str | None, home: Path, statement: str, limit: Limit | None = None) -> None:
    """The same in a fork of a process whose session is connected and goes on with it."""
    save_often()
    session = thanosql.connect(url, home=home)
    session.execute("CREATE TEMPORARY TABLE mine AS SELECT 1 AS a")
    if (child := os.fork()) == 0:
        os._exit(exit_code(session, statement))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    kept = exit_code(session, "SELECT a FROM mine")
    session.close()
    sys.exit(kept or code)


def act_in_threads(url: str | None, home: Path, statement: str, limit: Limit | None = None) -> None:
    """The same in a thread, while others use the session, and the session is closed at some moment."""
    save_often()
    session = thanosql.connect(url, home=home)
    codes: list[int] = []
    statements = [statement, *["SELECT count(*) FROM clips", "LIST MODEL"] * 2]
    threads = [threading.Thread(target=lambda one=one: codes.append(exit_code(session, one))) for one in statements]
    for thread in threads:
        thread.start()
    threads[0].join(random.Random(statement).uniform(0.0, 3.0))
    session.close()
    for thread in threads:
        thread.join()
    sys.exit(max(codes))


def save_often() -> None:
    from thanosql.models.training import loop

    loop.SAVE_EVERY, loop.SAVE_SHARE = 0.0, 1e9


def exit_code(session: Session, statement: str) -> int:
    try:
        session.execute(statement, fetch=False)
    except thanosql.ThanoSQLInternalError:
        traceback.print_exc()
        return DEFECT
    except thanosql.ThanoSQLError:
        return REFUSED
    except BaseException:
        traceback.print_exc()
        return DEFECT
    return 0


def run(session: Session, statement: str) -> str:
    """How a statement ended: 'done', or its error."""
    try:
        session.execute(statement, fetch=False)
    except thanosql.ThanoSQLError as error:
        return f"{type(error).__name__}: {error}"
    return "done"
