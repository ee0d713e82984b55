"""Language models: ARPA files read and backed off as the format says, counted texts that add up to one."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanosql.errors import ThanoSQLModelError
from thanosql.models.ctc import arpa
from thanosql.models.ctc.ngram import UNKNOWN, NGram

ARPA = """\
\\data\\
ngram 1=6
ngram 2=4
ngram 3=2

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.3
-0.9\t</s>
-0.7\tone\t-0.2
-0.8\ttwo\t-0.4
-1.0\tthree

\\2-grams:
-0.4\t<s> one\t-0.1
-0.5\tone two\t-0.25
-0.6\ttwo three
-0.1\tthree </s>

\\3-grams:
-0.05\t<s> one two
-0.15\tone two three

\\end\\
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "lm.arpa"
    file.write_text(ARPA)
    return file


def total(model: arpa.LanguageModel, text: str) -> float:
    """The logarithm to the base 10 of a text's probability."""
    context, log = model.start(), 0.0
    for word in text.split():
        gained, context = model.score(context, word)
        log += gained
    return (log + model.end(context)) / math.log(10)


@pytest.mark.parametrize(
    ("text", "log"),
    [
        ("one two three", -0.4 - 0.05 - 0.15 - 0.1),
        ("two", (-0.3 - 0.8) + (-0.4 - 0.9)),
        ("one three", -0.4 + (-0.1 - 0.2 - 1.0) + -0.1),
        ("one two two", -0.4 - 0.05 + (-0.25 - 0.4 - 0.8) + (-0.4 - 0.9)),
        ("four one", (-0.3 - 1.5) - 0.7 + (-0.2 - 0.9)),
    ],
)
def test_a_text_is_scored_by_its_longest_n_grams_and_backs_off(path: Path, text: str, log: float) -> None:
    assert total(arpa.read(path), text) == pytest.approx(log, abs=1e-6)


def test_kenlm_scores_the_same_where_it_is_installed(path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="KenLM is not installed")
    theirs = arpa.KenLM(kenlm, path)
    for text in ("one two three", "two", "four one", "one two two"):
        assert total(theirs, text) == pytest.approx(total(arpa.read(path), text), abs=1e-5)


def test_a_gzipped_file_is_read_too(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / "lm.arpa.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert total(arpa.read(packed), "one two") == total(arpa.read(path), "one two")
    assert list(arpa.words(packed)) == ["one", "two", "three"]


def test_its_words_are_told_without_marks(path: Path) -> None:
    assert list(arpa.read(path).words) == list(arpa.words(path)) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("\\data\\", "data", "no .data"),
        ("\\end\\", "", "before its .end"),
        ("ngram 1=6", "ngram 1=7", "7 1-grams are declared, and there are 6"),
        ("one two three", "one two four", "'four' is none of the 1-grams"),
        ("one two three", "two one three", "'two one' is none of the 2-grams"),
        ("-0.05", "often", "line 21: no number"),
        ("two three\n-0.1", "two\n-0.1", "2 or|3 or 4 fields"),
        ("two three\n", "one two\n", "is listed twice"),
        ("\\3-grams:", "\\4-grams:", "not expected"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(path: Path, wrong: str, right: str, said: str) -> None:
    assert wrong in ARPA
    path.write_text(ARPA.replace(wrong, right, 1))
    with pytest.raises(ThanoSQLModelError, match=said):
        arpa.read(path)


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ThanoSQLModelError, match="There is no language model at"):
        arpa.open_model(tmp_path / "absent.arpa")
    (tmp_path / "lm.arpa").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ThanoSQLModelError, match="cannot be read"):
        arpa.read(tmp_path / "lm.arpa")
    (tmp_path / "lm.arpa.gz").write_bytes(b"no gzip")
    with pytest.raises(ThanoSQLModelError, match="cannot be read"):
        arpa.read(tmp_path / "lm.arpa.gz")


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(" ".join), st.integers(1, 9)),
        min_size=1,
        max_size=8,
    )
)
def test_what_may_follow_a_context_adds_up_to_one(texts: list[tuple[str, float]]) -> None:
    model = NGram.of_texts(texts)
    for before in (None, *model.words, UNKNOWN):
        context = model.start() if before is None else model.score(model.start(), before)[1]
        after = [model.score(context, word)[0] for word in (*model.words, "never heard")]
        if model.sentences:
            after.append(model.end(context))
        assert math.fsum(map(math.exp, after)) == pytest.approx(1.0, abs=1e-5)


def test_counted_texts_prefer_what_was_said() -> None:
    model = NGram.of_texts([("call me back", 9), ("call you back", 1)])
    _, called = model.score(model.start(), "call")
    assert model.score(called, "me")[0] > model.score(called, "you")[0] > model.score(called, "back")[0]


def test_counted_words_alone_say_nothing_of_their_order() -> None:
    model = NGram.of_texts([("one", 3), ("two", 1)])
    assert model.order == 1
    log, context = model.score(model.start(), "one")
    assert model.score(context, "one") == (log, context)
    assert log > model.score(context, "two")[0]
    assert model.end(context) == 0.0


def test_no_words_make_no_model() -> None:
    with pytest.raises(ThanoSQLModelError, match="no words"):
        NGram.of_texts([("  ", 1), ("word", 0)])
