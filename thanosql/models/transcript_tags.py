"""A transcript in; the tags of its annotators ([noise], (inaudible): what is written and not said), or the rest, out."""

from __future__ import annotations

import re

# In square, curly and angle brackets, and in parentheses, double ones too; %hesitation, as LDC's corpora write it.
_TAG = re.compile(
    r"\[[^\[\]]{1,40}\]|\{[^{}]{1,40}\}|<[^<>\s][^<>]{0,40}>|\(\([^()]{1,40}\)\)|\([^()\d]{1,40}\)|(?<![\w%])%[A-Za-z]{2,20}\b"
)


def tags(text: str) -> list[str]:
    """The tags of a transcript, in their order.

    >>> tags("one [noise] two ((cough)) %hesitation {laughter} <unk> (inaudible)")
    ['[noise]', '((cough))', '%hesitation', '{laughter}', '<unk>', '(inaudible)']
    >>> tags("5% of (2) is < 3 and > 1")
    []
    """
    return _TAG.findall(text)


def without_tags(text: str) -> str:
    """The transcript without its tags.

    >>> without_tags("one [noise] two")
    'one two'
    """
    return " ".join(_TAG.sub(" ", text).split()) if _TAG.search(text) else text
