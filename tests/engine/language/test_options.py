"""OPTIONS bound to the dataclasses that declare them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest

from thanosql.engine.language.options import bind, describe
from thanosql.engine.parser import parse
from thanosql.errors import ThanoSQLOptionError
from thanosql.models.options import TrainOptions, TranscribeOptions, option


@dataclass(frozen=True, kw_only=True)
class Everything:
    audio_col: str = option("audio_path", "the column with the audio", kind="column")
    table_name: str | None = option(None, "the table that is written", kind="table")
    batch_size: int = option(16, "utterances in one batch", low=1, high=4096)
    learning_rate: float = option(1e-4, "peak", low=0.0, high=1.0, exclusive_low=True)
    beam: int | None = option(None, "width", low=1)
    overwrite: bool = option(False, "replace")
    precision: str = option("float32", "arithmetic", choices=("float32", "bfloat16"))
    note: str = option("", "free text")
    words: list[str] = option([], "hot words")


def bound(options: str, *kinds: type, params: dict[str, Any] | None = None, **more: Any) -> Any:
    source = f"PREDICT USING m OPTIONS ({options}) AS SELECT 1"
    result = bind(
        parse(source).options, *(kinds or (Everything,)), source=source, statement="PREDICT", params=params, **more
    )
    return result if kinds else result[0]


def refused(options: str, **more: Any) -> ThanoSQLOptionError:
    with pytest.raises(ThanoSQLOptionError) as caught:
        bound(options, **more)
    return caught.value


def marked(error: ThanoSQLOptionError) -> str:
    assert error.position is not None
    first = error.position.column - 1
    return error.position.text[first : first + error.position.width]


def test_nothing_given_is_as_declared() -> None:
    assert bound("") == Everything()


def test_values_take_the_place_of_defaults() -> None:
    assert bound(
        "audio_col=path, table_name='s.t', batch_size=4, learning_rate=1, beam=3, overwrite=TRUE, "
        "precision='bfloat16', note='a', words=['x', y]"
    ) == Everything(
        audio_col="path",
        table_name="s.t",
        batch_size=4,
        learning_rate=1.0,
        beam=3,
        overwrite=True,
        precision="bfloat16",
        note="a",
        words=["x", "y"],
    )


def test_one_name_is_a_list_of_one() -> None:
    assert bound("words='x'").words == bound("words=x").words == ["x"]


def test_null_is_taken_where_nothing_is_a_value() -> None:
    assert bound("table_name=NULL, beam=null") == Everything()
    assert refused("batch_size=NULL").message == "The option 'batch_size' takes a whole number, not NULL."


def test_a_word_may_stand_in_a_number_s_place() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Channels:
        channel: int | str = option("mix", "which", low=1, words=("mix",))

    assert bound("", Channels) == bound("channel='mix'", Channels) == bound("channel=MIX", Channels) == (Channels(),)
    assert bound("channel=2", Channels) == (Channels(channel=2),)
    assert describe(Channels)[0].type == "a whole number, or 'mix'"
    for given, said in (
        ("'left'", "not the string 'left'"),
        ("1.5", "not 1.5"),
        ("True", "not True"),
        ("NULL", "not NULL"),
    ):
        with pytest.raises(ThanoSQLOptionError, match=f"takes a whole number, or 'mix', {said}"):
            bound(f"channel={given}", Channels)
    with pytest.raises(ThanoSQLOptionError, match="must be at least 1, not 0"):
        bound("channel=0", Channels)


def test_names_are_read_in_any_case() -> None:
    assert bound("BATCH_SIZE=4").batch_size == 4


def test_an_option_goes_to_every_kind_that_declares_it() -> None:
    everything, transcribe = bound("batch_size=4, device='cpu'", Everything, TranscribeOptions)
    assert (everything.batch_size, transcribe.batch_size, transcribe.device) == (4, 4, "cpu")


def test_a_base_s_own_default_stands_below_what_is_given() -> None:
    assert bound("", TrainOptions, defaults={"learning_rate": 0.002})[0].learning_rate == 0.002
    assert bound("learning_rate=0.5", TrainOptions, defaults={"learning_rate": 0.002})[0].learning_rate == 0.5


def test_an_unknown_option_names_the_closest_and_all() -> None:
    error = refused("bach_size=4")
    assert error.message == "PREDICT has no option 'bach_size'."
    assert error.hint.startswith("Did you mean batch_size? PREDICT takes audio_col, table_name, batch_size,")
    assert marked(error) == "bach_size"


def test_an_option_unlike_any_lists_all() -> None:
    assert refused("zzz=4").hint.startswith("PREDICT takes audio_col, table_name,")


def test_an_option_given_twice_is_refused_at_the_second() -> None:
    error = refused("batch_size=4, Batch_Size=4")
    assert error.message == "The option 'batch_size' is given twice."
    assert marked(error) == "Batch_Size"


@pytest.mark.parametrize(
    ("given", "message", "marks"),
    [
        ("batch_size='4'", "The option 'batch_size' takes a whole number, not the string '4'.", "'4'"),
        ("batch_size=4.0", "The option 'batch_size' takes a whole number, not 4.0.", "4.0"),
        ("batch_size=True", "The option 'batch_size' takes a whole number, not True.", "True"),
        ("batch_size=four", "The option 'batch_size' takes a whole number, not the name four.", "four"),
        ("learning_rate='x, y'", "The option 'learning_rate' takes a number, not the string 'x, y'.", "'x, y'"),
        ("overwrite=1", "The option 'overwrite' takes True or False, not 1.", "1"),
        ("overwrite='True'", "The option 'overwrite' takes True or False, not the string 'True'.", "'True'"),
        ("audio_col=4", "The option 'audio_col' takes a column's name, not 4.", "4"),
        ("audio_col=''", "The option 'audio_col' takes a column's name, not the string ''.", "''"),
        ("table_name=['a']", "The option 'table_name' takes a table's name or NULL, not a list.", "['a']"),
        ("words=1", "The option 'words' takes a list of strings, not 1.", "1"),
        ("words=['x', 1]", "The option 'words' takes a list of strings, not a list.", "['x'"),
        ("note=1", "The option 'note' takes a string, not 1.", "1"),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_stands(given: str, message: str, marks: str) -> None:
    error = refused(given)
    assert error.message == message
    assert marked(error) == marks


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("batch_size=0", "The option 'batch_size' must be from 1 to 4096, not 0."),
        ("batch_size=4097", "The option 'batch_size' must be from 1 to 4096, not 4097."),
        ("batch_size=-1", "The option 'batch_size' must be from 1 to 4096, not -1."),
        ("learning_rate=0", "The option 'learning_rate' must be over 0 and at most 1, not 0.0."),
        ("learning_rate=1.5", "The option 'learning_rate' must be over 0 and at most 1, not 1.5."),
        ("learning_rate=1e999", "The option 'learning_rate' must be over 0 and at most 1, not inf."),
        (f"learning_rate={'9' * 300}", "The option 'learning_rate' must be over 0 and at most 1, not 1e+300."),
        ("beam=0", "The option 'beam' must be at least 1, not 0."),
        ("precision='bfloat'", "The option 'precision' cannot be 'bfloat'."),
    ],
)
def test_a_value_out_of_its_limits_is_refused(given: str, message: str) -> None:
    assert refused(given).message == message


@pytest.mark.parametrize("given", ["batch_size=1", "batch_size=4096", "learning_rate=1", "learning_rate=1e-300"])
def test_limits_belong_to_what_is_allowed(given: str) -> None:
    assert bound(given)


def test_a_choice_that_is_not_there_names_the_closest() -> None:
    assert refused("precision='bfloat'").hint == "Did you mean bfloat16?"


def test_a_parameter_is_looked_up() -> None:
    assert bound("batch_size=:n, words=:w", params={"n": 4, "w": ["a"]}) == Everything(batch_size=4, words=["a"])
    assert bound("words=['x', :w]", params={"w": "y"}).words == ["x", "y"]


def test_numpy_s_scalars_are_taken_as_parameters() -> None:
    given = bound(
        "batch_size=:n, learning_rate=:r, overwrite=:o",
        params={"n": np.int64(4), "r": np.float32(0.5), "o": np.bool_(True)},
    )
    assert given == Everything(batch_size=4, learning_rate=0.5, overwrite=True)
    assert (type(given.batch_size), type(given.overwrite)) == (int, bool)


@pytest.mark.parametrize(
    "words", [np.array(["a", "b"]), pd.Series(["a", "b"]), pd.Index(["a", "b"]), pd.Series(["a", "b", "a"]).unique()]
)
def test_arrays_of_numpy_and_pandas_are_lists(words: Any) -> None:
    assert bound("words=:w", params={"w": words}).words == ["a", "b"]


def test_what_pandas_counts_as_missing_is_null_and_paths_and_decimals_are_taken() -> None:
    assert bound("table_name=:t, beam=:b", params={"t": pd.NA, "b": pd.NaT}) == Everything()
    given = bound("note=:p, learning_rate=:r", params={"p": PurePosixPath("a/b"), "r": Decimal("0.5")})
    assert given == Everything(note="a/b", learning_rate=0.5)


def test_a_missing_parameter_is_named_with_those_given() -> None:
    error = refused("batch_size=:n", params={"m": 1, "k": 2})
    assert error.message == "The parameter :n of the option 'batch_size' has no value."
    assert error.hint == "Parameters given: :k, :m."
    assert marked(error) == ":n"
    assert refused("batch_size=:n").hint == "Parameters given: none."


def test_a_parameter_of_another_type_or_out_of_limits_is_refused_where_it_stands() -> None:
    error = refused("batch_size=:n", params={"n": "4"})
    assert error.message == "The option 'batch_size' takes a whole number, not :n, which is the string '4'."
    assert refused("batch_size=:n", params={"n": 0}).message.endswith("from 1 to 4096, not 0.")
    assert refused("learning_rate=:n", params={"n": float("nan")}).message.endswith("at most 1, not nan.")
    assert refused("note=:n", params={"n": b"x"}).message.endswith("not :n, which is a bytes.")


def test_describe_says_what_is_declared() -> None:
    by_name = {declared.name: declared for declared in describe(Everything)}
    assert list(by_name)[:3] == ["audio_col", "table_name", "batch_size"]
    batch_size = by_name["batch_size"]
    assert (batch_size.type, batch_size.default, batch_size.limits, batch_size.help) == (
        "a whole number",
        16,
        "from 1 to 4096",
        "utterances in one batch",
    )
    assert by_name["table_name"].optional
    assert by_name["precision"].limits == "one of 'float32', 'bfloat16'"
    assert by_name["words"].default == []


@pytest.mark.parametrize("kind", [TranscribeOptions, TrainOptions])
def test_every_declared_default_is_itself_allowed(kind: type) -> None:
    for declared in describe(kind):
        value = f"'{declared.default}'" if isinstance(declared.default, str) else declared.default
        value = "NULL" if value is None else value
        (options,) = bound(f"{declared.name}={value}", kind)
        assert getattr(options, declared.name) == declared.default
