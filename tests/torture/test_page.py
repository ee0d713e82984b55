"""The page of counts: a run writes between its part's two marks, and nowhere else."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.torture.__main__ import PAGE
from tests.torture.findings import Findings
from tests.torture.page import marks, with_counts


def counted(what: str) -> Findings:
    return Findings(what, Counter({"done": 1_000}), seconds=2.0)


def test_a_run_keeps_what_a_person_wrote_before_between_and_after_the_counts() -> None:
    page = "# Reliability\n\nBefore.\n"
    page = with_counts(page, "kills", counted("3 kills"), "`run one`")
    page += "\nBetween, with a \\1 and a \\g<0>.\n"
    page = with_counts(page, "soak", counted("1 minute"), "`run two`")
    page += "\nAfter.\n"
    again = with_counts(page, "kills", counted("4 kills \\1"), "`run three`")
    for kept in ("Before.", "Between, with a \\1 and a \\g<0>.", "After.", "1 minute", "`run two`"):
        assert kept in again
    assert "3 kills" not in again
    assert "`run one`" not in again
    assert again.index("Before.") < again.index("4 kills \\1") < again.index("Between") < again.index("1 minute")
    assert with_counts(again, "kills", counted("4 kills \\1"), "`run three`") == again


@pytest.mark.parametrize("lost", [0, 1])
def test_a_mark_without_its_other_is_told_instead_of_guessed(lost: int) -> None:
    page = with_counts("# Reliability\n\nBefore.\n", "kills", counted("3 kills"), "`run`") + "\nAfter.\n"
    with pytest.raises(ValueError, match="one mark of kills"):
        with_counts(page.replace(marks("kills")[lost], ""), "kills", counted("4 kills"), "`run`")


def test_the_page_in_docs_has_both_marks_of_each_part_that_was_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    begun = re.findall(r"^<!-- (\w+): made by make torture -->$", page, re.MULTILINE)
    assert begun == re.findall(r"^<!-- end of (\w+) -->$", page, re.MULTILINE)
    assert {"kills", "faults", "concurrency", "statements", "names", "audio", "models", "secrets"} <= set(begun)
    # What stands before the first mark is prose: no table of counts may be outside of the marks.
    assert "\n| | |\n" not in re.sub(r"(?ms)^<!-- \w+: made.*?^<!-- end of \w+ -->$", "", page)
