"""The page's text and the counts of a part in; the text with that part's counts between its two marks out.

What a person wrote stands outside of the marks and stays as it is, and so do the counts of parts that were not run.
"""

from __future__ import annotations

import re

from tests.torture.findings import Findings


def said(findings: Findings) -> str:
    """A part as it stands on the page."""
    counts = "".join(f"| {what} | {count:,} |\n" for what, count in sorted(findings.counts.items()))
    found = "\n".join(f"- {failure}" for failure in findings.failures)
    ending = f"Found:\n\n{found}\n" if found else "Nothing was found.\n"
    stopped = " Stopped before its end." if findings.stopped else ""
    return f"### {findings.what}\n\nIn {findings.seconds:,.0f} s.{stopped} {ending}\n| | |\n| --- | ---: |\n{counts}"


def marks(part: str) -> tuple[str, str]:
    """The two lines between which a part's counts stand."""
    return f"<!-- {part}: made by make torture -->", f"<!-- end of {part} -->"


def with_counts(text: str, part: str, findings: Findings, about: str) -> str:
    """`about` says which command gave the counts. A page without the marks gets them at its end."""
    begin, end = marks(part)
    made = f"{begin}\n\n{said(findings)}\n{about}\n\n{end}"
    pattern = re.compile(rf"^{re.escape(begin)}$.*?^{re.escape(end)}$", re.DOTALL | re.MULTILINE)
    if pattern.search(text):
        return pattern.sub(lambda _: made, text, count=1)
    if begin in text or end in text:
        raise ValueError(f"The page has one mark of {part} and not the other: {begin} … {end}")
    return f"{text.rstrip()}\n\n{made}\n"
