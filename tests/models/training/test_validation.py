"""Which rows are held out."""

from __future__ import annotations

import pytest

from thanosql.errors import ThanoSQLDataError
from thanosql.models.training.examples import Example
from thanosql.models.training.validation import hold_out


def examples(groups: str) -> list[Example]:
    return [Example(row, f"{row}.wav", "A", (5,), 1.0, group) for row, group in enumerate(groups, start=1)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "groups", ["aabbccddeeff" * 3, "aaaaaaaaab", "ab", "abcdefghij", "a" * 50 + "b" * 50 + "c" * 5]
)
def test_no_group_stands_on_both_sides_and_neither_side_is_empty(groups: str, seed: int) -> None:
    learned, held = hold_out(examples(groups), 0.2, seed, grouped=True)
    assert learned
    assert held
    assert not {row.group for row in learned} & {row.group for row in held}
    assert sorted(row.row for row in (*learned, *held)) == list(range(1, len(groups) + 1))


def test_as_many_groups_are_held_out_as_come_closest_to_the_share() -> None:
    held = hold_out(examples("abcdefghij" * 4), 0.3, 0, grouped=True)[1]
    assert len(held) == 12
    assert len({row.group for row in held}) == 3


def test_another_seed_holds_other_groups_out() -> None:
    chosen = {
        frozenset(row.group for row in hold_out(examples("abcdef"), 0.3, seed, grouped=True)[1]) for seed in range(9)
    }
    assert len(chosen) > 2


def test_one_group_alone_cannot_be_divided() -> None:
    with pytest.raises(ThanoSQLDataError, match="one group, a"):
        hold_out(examples("aaaa"), 0.2, 0, grouped=True)


def test_one_row_alone_cannot_be_divided() -> None:
    with pytest.raises(ThanoSQLDataError, match="Only one row can be trained on"):
        hold_out(examples("a"), 0.5, 0)
    assert len(hold_out(examples("ab"), 0.5, 0)[0]) == 1
