"""A statement's options and its text in, the OPTIONS (…) that resume its unfinished run out."""

from __future__ import annotations

from thanosql.engine.language.syntax import Option


def resuming_options(given: tuple[Option, ...], source: str) -> str:
    """`given` are the options that stand in `source`."""
    others = [option for option in given if option.name != "resume"]
    if not others:
        return "OPTIONS (resume=True)"
    # As they were written: each from its name to where the next begins, or the brackets end.
    ends = [*(option.start for option in given[1:]), _end(given[-1], source)]
    written = [source[option.start : end].strip().rstrip(",").rstrip() for option, end in zip(given, ends, strict=True)]
    texts = [text for option, text in zip(given, written, strict=True) if option.name != "resume"]
    return f"OPTIONS ({', '.join([*texts, 'resume=True'])})"


def _end(last: Option, source: str) -> int:
    """Where the bracket stands that ends OPTIONS (…); brackets in texts and lists are none."""
    depth, quoted = 0, False
    for place in range(last.value_start, len(source)):
        letter = source[place]
        quoted ^= letter == "'"
        depth += 0 if quoted else (letter in "([") - (letter in ")]")
        if depth < 0:
            return place
    return len(source)
