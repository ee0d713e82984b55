"""Progress: what is said of work, what is left behind, and that an interrupt is answered while a step runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from thanosql.engine.planner import Progress
from thanosql.engine.session import Session
from thanosql.notebook.lines import NotebookLine
from thanosql.notebook.progress import ProgressBar
from thanosql.notebook.progress_state import ProgressState
from thanosql.notebook.status import beginning


def test_only_a_server_that_does_not_run_is_said_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THANOSQL_DATABASE_URL", raising=False)
    session = Session(home=tmp_path)
    assert session.settings.database_url is None
    assert beginning(session) == "starting the embedded PostgreSQL"
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "postmaster.pid").touch()
    assert beginning(session) == "connecting"


def training(step: int, loss: float) -> Progress:
    return Progress(
        what=f"training m, epoch {step // 10 + 1} of 10", done=step, total=100, unit="steps", detail=f"loss {loss:.3f}"
    )


def test_time_left_is_told_at_the_rate_of_the_present_stretch() -> None:
    work = ProgressState(0.0)
    work.advance(Progress(what="checking", done=10, total=10, unit="rows"), 1.0)
    for second in range(10):
        work.advance(training(second * 2, 1.0), 100.0 + second)
    assert work.at(109.0).seconds_left == pytest.approx((100 - 18) / 2)


def test_what_is_said_names_share_amounts_loss_and_time_left() -> None:
    work = ProgressState(0.0)
    work.advance(training(0, 2.0), 0.0)
    work.advance(training(50, 0.25), 10.0)
    assert work.at(10.0).parts() == ["training m, epoch 6 of 10", "50%", "50 of 100 steps", "loss 0.250", "10 s left"]


def test_audio_is_told_in_its_own_time_and_how_fast_it_is_heard() -> None:
    work = ProgressState(0.0)
    work.advance(Progress(what="transcribing", done=0, total=7200, unit="s"), 0.0)
    work.advance(Progress(what="transcribing", done=600, total=7200, unit="s"), 10.0)
    said = work.at(10.0).parts()
    assert "10.0 min of 2.00 h of audio" in said
    assert "60 × real time" in said


def test_a_loss_becomes_a_curve_that_is_drawn_once_it_says_anything() -> None:
    pages: list[str] = []

    class Kept(NotebookLine):
        def _show(self, page: str, text: str) -> None:
            pages.append(page)

    line, work = Kept(None), ProgressState(0.0)
    for step in range(3):
        work.advance(training(step, 3.0 - step), float(step))
        line.draw(work.at(float(step + 1) * 2))
    assert "<polyline" not in pages[0]
    assert "<polyline" in pages[2]
    assert 'aria-valuenow="2"' in pages[2]


def test_what_is_over_in_a_moment_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as bar:
        bar.update(training(1, 1.0))
    assert capfd.readouterr() == ("", "")


def test_a_quiet_bar_stays_quiet_however_long_it_takes(capfd: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(quiet=True) as bar:
        bar.update(training(1, 1.0))
        time.sleep(1.2)
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import ctypes, sys, threading
from thanosql.notebook.progress import ProgressBar
c = ctypes.CDLL(None)
mutex, condition = (ctypes.create_string_buffer(256) for _ in range(2))
c.pthread_mutex_init(mutex, None), c.pthread_cond_init(condition, None)
ends = False

def end():
    global ends
    c.pthread_mutex_lock(mutex)  # to be had once the main thread waits for the condition
    print("begun", flush=True)
    sys.stdin.readline()
    ends = True
    c.pthread_cond_signal(condition)
    c.pthread_mutex_unlock(mutex)

try:
    with ProgressBar() as bar:
        c.pthread_mutex_lock(mutex)
        threading.Thread(target=end).start()
        c.pthread_cond_wait(condition, mutex)  # a step that holds the main thread: no Python runs in it, no signal ends it
        assert ends, "it had not been told to end"
except KeyboardInterrupt:
    print("ended", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interrupt_is_acknowledged_while_a_long_step_runs() -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("interrupting: the statement ends after the running step")
        process.stdin.write("the step may end\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ended\n"
