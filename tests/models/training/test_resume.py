from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.models import checkpoints
from tests.models.in_memory import task, train
from tests.models.training.test_trainer import OPTIONS, same, utterances, weights, whistle
from thanosql.errors import ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models.options import TrainOptions
from thanosql.models.results import TrainingProgress, TrainingReport, TrainingUtterance
from thanosql.models.training import feature_cache, loop, resume

ROOT = Path(__file__).resolve().parents[3]
WATCHED = replace(OPTIONS, max_epochs=3, valid_split=0.2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("base"), **checkpoints.LARGE, mask_time_prob=0.05, layerdrop=0.1)


@pytest.fixture(autouse=True)
def _keep_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)


def run(
    base: Path,
    folder: Path,
    options: TrainOptions,
    *,
    stop: int | None = None,
    rows: list[TrainingUtterance] | None = None,
    seen: list[int] | None = None,
) -> TrainingReport:
    """Train with the state beside the folder; interrupted after step `stop`."""

    def progress(step: TrainingProgress) -> None:
        if seen is not None:
            seen.append(step.step)
        if step.step == stop:
            raise KeyboardInterrupt

    rows = rows or utterances(12)
    texts = {row.audio: row.text for row in rows}
    state = folder.with_suffix(".state")
    return train(task(base, rows, options, folder, lambda audio: whistle(texts[audio]), state=state), progress)


@pytest.mark.parametrize(("augment", "stops"), [(True, (4, 9)), (False, (5,))])
def test_a_run_interrupted_anywhere_goes_on_to_the_very_model_of_an_unbroken_one(
    base: Path, tmp_path: Path, augment: bool, stops: tuple[int, ...]
) -> None:
    options = replace(WATCHED, augment=augment)
    unbroken = run(base, tmp_path / "unbroken", options)
    assert unbroken.steps == 9
    for stop in stops:
        folder = tmp_path / f"broken-{stop}"
        with pytest.raises(KeyboardInterrupt):
            run(base, folder, options, stop=stop)
        assert not folder.exists()
        kept = resume.interrupted(folder.with_suffix(".state"))
        assert kept is not None
        assert (kept.step, kept.steps) == (stop, 9)
        seen: list[int] = []
        report = run(base, folder, replace(options, resume=True), seen=seen)
        assert seen == list(range(stop + 1, 10))
        assert same(weights(folder), weights(tmp_path / "unbroken"))
        assert [epoch.loss for epoch in report.history] == [epoch.loss for epoch in unbroken.history]
        assert report.curve == unbroken.curve
        assert report.best_epoch == unbroken.best_epoch


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_run_that_was_killed_goes_on_to_the_very_model_of_an_unbroken_one(base: Path, tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from tests.models.training import test_resume as here
here.loop.SAVE_EVERY, here.loop.SAVE_SHARE = 0.0, 1e9
def died(step):
    if step.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
texts = {{row.audio: row.text for row in here.utterances(12)}}
here.train(here.task(Path({str(base)!r}), here.utterances(12), here.WATCHED, Path({str(tmp_path / "model")!r}),
                     lambda audio: here.whistle(texts[audio]), state=Path({str(tmp_path / "model.state")!r})), died)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (tmp_path / "model").exists()
    seen: list[int] = []
    run(base, tmp_path / "model", replace(WATCHED, resume=True), seen=seen)
    assert seen == [6, 7, 8, 9]
    run(base, tmp_path / "unbroken", WATCHED)
    assert same(weights(tmp_path / "model"), weights(tmp_path / "unbroken"))


def test_other_rows_and_options_are_refused_with_what_changed(base: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", OPTIONS, stop=2)
    with pytest.raises(ThanoSQLModelError) as caught:
        run(base, tmp_path / "model", replace(OPTIONS, resume=True, learning_rate=2e-3), rows=utterances(11))
    assert "option learning_rate (0.001 then, 0.002 now)" in str(caught.value)
    assert "rows (12, " in str(caught.value)
    assert "option batch_size" not in str(caught.value)
    assert resume.interrupted(tmp_path / "model.state") is not None


def test_the_same_run_again_is_refused_with_the_offer_to_go_on_or_begin_anew(base: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", OPTIONS, stop=2)
    with pytest.raises(ThanoSQLModelError, match="2 of its 6 steps") as caught:
        run(base, tmp_path / "model", OPTIONS)
    assert "resume=True" in str(caught.value)
    assert "resume=False" in str(caught.value)
    seen: list[int] = []
    run(base, tmp_path / "model", replace(OPTIONS, resume=False), seen=seen)
    assert seen[0] == 1


def test_another_run_begins_anew_and_is_not_asked(base: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", OPTIONS, stop=2)
    seen: list[int] = []
    run(base, tmp_path / "model", replace(OPTIONS, seed=1), seen=seen)
    assert seen[0] == 1


def test_an_interrupt_keeps_the_last_step_even_where_none_was_to_be_kept_yet(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 1e9)
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", OPTIONS, stop=2)
    kept = resume.interrupted(tmp_path / "model.state")
    assert kept is not None
    assert kept.step == 2
    run(base, tmp_path / "model", replace(OPTIONS, resume=True))
    run(base, tmp_path / "unbroken", OPTIONS)
    assert same(weights(tmp_path / "model"), weights(tmp_path / "unbroken"))


def test_resume_with_nothing_to_go_on_from_says_so(base: Path, tmp_path: Path) -> None:
    report = run(base, tmp_path / "model", replace(OPTIONS, resume=True))
    assert "started from the beginning" in report.warnings[0]


def test_a_damaged_state_is_an_error_with_its_cure(base: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", OPTIONS, stop=2)
    path = tmp_path / "model.state" / resume.FILE
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ThanoSQLModelError, match="damaged") as caught:
        run(base, tmp_path / "model", replace(OPTIONS, resume=True))
    assert "resume=False" in str(caught.value)


def test_a_run_goes_on_with_weights_that_no_step_has_touched_yet(tmp_path: Path) -> None:
    # The vector of a mask that is never laid has no gradient; a layer that was dropped in the first step has none yet.
    base = checkpoints.make(tmp_path / "base", **checkpoints.LARGE, apply_spec_augment=False)
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", OPTIONS, stop=2)
    run(base, tmp_path / "model", replace(OPTIONS, resume=True))
    run(base, tmp_path / "unbroken", OPTIONS)
    assert same(weights(tmp_path / "model"), weights(tmp_path / "unbroken"))


def test_a_run_on_kept_frames_splits_its_steps_as_an_unbroken_one(base: Path, tmp_path: Path) -> None:
    # 0.2 * 3 is a little over 0.6 s: three such rows pass max_seconds by what the header says, not by their samples.
    rows = [TrainingUtterance(row, f"{row}.wav", "TEA" if row % 2 else "OAT", 0.2 * 3) for row in range(1, 13)]
    options = replace(OPTIONS, augment=False, max_seconds=1.8)
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", options, stop=4, rows=rows)
    run(base, tmp_path / "model", replace(options, resume=True), rows=rows)
    run(base, tmp_path / "unbroken", options, rows=rows)
    assert same(weights(tmp_path / "model"), weights(tmp_path / "unbroken"))


def test_a_disk_that_has_no_room_for_frames_changes_nothing_of_what_is_learned(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(OPTIONS, augment=False)
    run(base, tmp_path / "unbroken", options)
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", options, stop=4)
    monkeypatch.setattr(feature_cache, "DISK_SHARE", 0.0)
    run(base, tmp_path / "model", replace(options, resume=True))
    assert same(weights(tmp_path / "model"), weights(tmp_path / "unbroken"))


def test_an_evaluation_of_the_model_it_starts_from_does_not_keep_a_run_from_going_on(
    base: Path, tmp_path: Path
) -> None:
    stored = Path(shutil.copytree(base, tmp_path / "stored"))
    (stored / "thanosql.json").write_text('{"evaluations": []}')
    with pytest.raises(KeyboardInterrupt):
        run(stored, tmp_path / "model", OPTIONS, stop=2)
    (stored / "thanosql.json").write_text('{"evaluations": [{"wer": 0.1}]}')
    seen: list[int] = []
    run(stored, tmp_path / "model", replace(OPTIONS, resume=True), seen=seen)
    assert seen[0] == 3


def test_other_texts_are_other_rows_even_where_a_rebuilt_vocabulary_gives_them_the_same_numbers(
    base: Path, tmp_path: Path
) -> None:
    options = replace(OPTIONS, vocabulary="rebuild")
    rows = [TrainingUtterance(row, f"{row}.wav", "ETE", 0.6) for row in range(1, 9)]
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", options, stop=1, rows=rows)
    with pytest.raises(ThanoSQLModelError, match="rows"):
        run(
            base,
            tmp_path / "model",
            replace(options, resume=True),
            rows=[replace(row, text="EOE") for row in rows],
        )


def test_the_report_counts_the_seconds_before_an_interrupt_as_well(base: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", OPTIONS, stop=2)
    path = tmp_path / "model.state" / resume.FILE
    with safe_open(path, "pt") as file:
        header = file.metadata()
    numbers = json.loads(header["numbers"])
    assert numbers["seconds"] > 0
    save_file(load_file(path), path, metadata={**header, "numbers": json.dumps({**numbers, "seconds": 1e6})})
    assert run(base, tmp_path / "model", replace(OPTIONS, resume=True)).seconds > 1e6


def test_a_state_that_cannot_be_written_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "state" / (resume.FILE + ".draft") / "in the way").mkdir(parents=True)
    with pytest.raises(ThanoSQLModelError, match="cannot be written to"):
        resume.SavedState(tmp_path / "state", {}).save({}, {"a": torch.zeros(2)})


def test_what_a_killed_save_left_behind_goes_with_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".tmprGunqs").write_bytes(b"half a state")  # safetensors writes there first
    resume.SavedState(tmp_path, {}).save({"step": 1}, {"a": torch.zeros(2)})
    assert [path.name for path in tmp_path.iterdir()] == [resume.FILE]


def test_with_rows_held_out_the_epoch_with_the_best_wer_is_kept(base: Path, tmp_path: Path) -> None:
    report = run(base, tmp_path / "model", WATCHED)
    assert report.utterances == 10
    scores = [(epoch.valid_wer, epoch.valid_loss) for epoch in report.history]
    assert report.best_epoch == 1 + scores.index(min(scores))
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "cut", WATCHED, stop=3 * report.best_epoch)
    at_that_time = load_file(tmp_path / "cut.state" / resume.FILE)
    assert torch.equal(at_that_time["learned.lm_head.weight"], weights(tmp_path / "model")["lm_head.weight"])


def test_training_ends_when_the_held_out_rows_get_no_better(base: Path, tmp_path: Path) -> None:
    # A rate too low to change a transcript: the WER stays what it was, and only the loss could be better.
    options = replace(WATCHED, max_epochs=6, early_stopping=1, learning_rate=1e-12)
    report = run(base, tmp_path / "model", options)
    assert report.epochs < 6
    assert report.steps == 3 * report.epochs


def test_early_stopping_without_rows_to_validate_on_is_an_option_error(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ThanoSQLOptionError, match="valid_split"):
        run(base, tmp_path / "model", replace(OPTIONS, early_stopping=2))


def test_two_accumulated_batches_are_one_batch_of_twice_the_size(tmp_path: Path) -> None:
    base = checkpoints.make(
        tmp_path / "base",
        **checkpoints.LARGE,
        **dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout"), 0.0),
        **dict.fromkeys(("feat_proj_dropout", "final_dropout", "layerdrop", "mask_time_prob"), 0.0),
    )
    once = run(base, tmp_path / "once", replace(OPTIONS, batch_size=6))
    twice = run(base, tmp_path / "twice", replace(OPTIONS, batch_size=3, gradient_accumulation=2))
    assert once.steps == twice.steps == 4
    assert [epoch.loss for epoch in once.history] == pytest.approx([epoch.loss for epoch in twice.history], rel=1e-4)
