"""How often a statement reads its rows' audio: it is counted, and once is enough for what hears each row once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from thanosql.engine.postgres.snapshot import Snapshot
from thanosql.engine.session import Session
from thanosql.models.audio.access import AudioAccess
from thanosql.models.training.examples import DecodedOnce

ROWS = 12
QUERY = f"SELECT * FROM librispeech_test LIMIT {ROWS}"
BUILD = "BUILD MODEL counted USING Wav2Vec2Tiny OPTIONS (max_epochs=3, batch_size=6{}) AS " + QUERY


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often samples of each file were asked for."""
    counts: Counter[str] = Counter()

    def counting(asked: Any) -> Any:
        def counted(self: AudioAccess, audio: Any) -> Any:
            counts[str(audio)] += 1
            return asked(self, audio)

        return counted

    for name in ("read", "decode"):
        monkeypatch.setattr(AudioAccess, name, counting(getattr(AudioAccess, name)))
    return counts


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each column of a snapshot was read from its first row to its last."""
    counts: Counter[str] = Counter()

    def counted(self: Snapshot, *columns: Any, asked: Any = Snapshot.stream, **options: Any) -> Any:
        some = "" if options.get("numbers") is None else " of some rows"
        counts.update(f"{column.name}{some}" for column in columns)
        return asked(self, *columns, **options)

    monkeypatch.setattr(Snapshot, "stream", counted)
    return counts


@pytest.mark.parametrize("statement", ["PREDICT USING Wav2Vec2Tiny AS", "EVALUATE USING Wav2Vec2Tiny AS"])
def test_recognition_decodes_each_file_once(numbers: Session, statement: str, decoded: Counter[str]) -> None:
    numbers.execute(f"{statement} {QUERY}")
    assert sorted(decoded.values()) == [1] * ROWS


@pytest.mark.parametrize("options", ["", ", valid_split=0.3", ", augment=['noise']", ", freeze_feature_encoder=False"])
def test_training_decodes_each_file_once_in_all_epochs(numbers: Session, options: str, decoded: Counter[str]) -> None:
    # valid_split: the validation of each epoch and the calibration hear them too. The check before the training, which
    # another process does, counts with none.
    numbers.execute(BUILD.format(options))
    assert sorted(decoded.values()) == [1] * ROWS


@pytest.mark.parametrize("options", ["", ", exclude_trained=True", ", row_key='text'", ", against='Wav2Vec2Tiny'"])
def test_evaluation_reads_a_column_of_audio_twice(numbers: Session, options: str, streamed: Counter[str]) -> None:
    numbers.execute("DROP TABLE IF EXISTS sounds; CREATE TABLE sounds (audio bytea, text text)")
    for path, text in numbers.execute(f"SELECT audio_path, text FROM ({QUERY}) q").itertuples(index=False):
        content = (numbers.settings.workspace / path).read_bytes()
        numbers.execute("INSERT INTO sounds VALUES (:content, :text)", {"content": content, "text": text})
    numbers.execute(BUILD.format(", overwrite=True").replace(f"LIMIT {ROWS}", "LIMIT 3"))
    streamed.clear()
    # The headers, with what tells whether the model was trained on a row; recognition, by each model. Those with the most
    # errors, which are shown, are fetched by themselves.
    numbers.execute(f"EVALUATE USING counted OPTIONS (audio_col='audio'{options}) AS SELECT * FROM sounds")
    assert streamed["audio"] == (3 if "against" in options else 2)
    assert streamed["audio of some rows"] == ROWS - 3 * ("exclude" in options)
    streamed.clear()
    # References to audio stay in memory.
    numbers.execute(f"EVALUATE USING counted OPTIONS (audio_col='audio_path'{options}) AS {QUERY}")
    assert (streamed["audio_path"], streamed["audio_path of some rows"]) == (1, 0)


def test_what_passes_the_limit_is_decoded_again() -> None:
    import numpy as np

    asked: list[str] = []

    def read(audio: Any) -> np.ndarray:
        asked.append(audio)
        return np.zeros(100, np.float32)

    once = DecodedOnce(read, most=900)
    for audio in "abcabcabc":
        once(audio)
    assert Counter(asked) == {"a": 1, "b": 1, "c": 3}
