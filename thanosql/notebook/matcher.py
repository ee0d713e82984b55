"""IPython's completion context in, its matcher result out; asked in `%%thanosql` cells and `%thanosql` lines only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

if TYPE_CHECKING:
    from thanosql.notebook.completion import Candidate

CELL = re.compile(r"\s*%%thanosql\b")
LINE = re.compile(r"(?:^|=)\s*%thanosql\s")


@context_matcher(identifier="thanosql", priority=1000)  # type: ignore[untyped-decorator]
def thanosql_matcher(context: CompletionContext) -> SimpleMatcherResult:
    """The completions at the cursor; in our cells nobody else's, since Python has nothing to say there."""
    nothing = SimpleMatcherResult(completions=[], suppress=False)
    lines = context.full_text.split("\n")
    before = lines[context.cursor_line][: context.cursor_position]
    if CELL.match(context.full_text) and context.cursor_line > 0:
        header = next(index for index, line in enumerate(lines) if line.strip())
        text = "\n".join(lines[header + 1 :])
        cursor = len("\n".join([*lines[header + 1 : context.cursor_line], before]))
    elif match := LINE.search(before):
        text, cursor = lines[context.cursor_line][match.end() :], len(before) - match.end()
    else:
        return nothing
    from thanosql.default_session import default_session
    from thanosql.notebook.completion import complete

    found = complete(text, cursor, default_session(), _variables())
    return SimpleMatcherResult(
        completions=[SimpleCompletion(one.text, type=_type(one)) for one in found.candidates],
        matched_fragment=found.fragment,
        suppress=True,
        ordered=True,
    )


def _type(candidate: Candidate) -> str:
    """What a front end writes beside a candidate; JupyterLab breaks it at spaces, one word over the other."""
    return f"{candidate.kind} {candidate.about}".strip().replace(" ", "\N{NO-BREAK SPACE}")


def _variables() -> dict[str, Any]:
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return {}
    hidden = shell.user_ns_hidden
    return {name: value for name, value in shell.user_ns.items() if name not in hidden and not name.startswith("_")}
