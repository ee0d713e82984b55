"""The environment of this process in, what a child process gets of it out: where things are, and never a secret."""

from __future__ import annotations

import os
import re

# Passwords and keys go by any name; what a decoder or a server needs goes by these.
PASSED_ON = re.compile(
    r"PATH|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|(DY)?LD_LIBRARY_PATH|MALLOC_\w+"
    r"|PYTHON(HOME|PYCACHEPREFIX|DONTWRITEBYTECODE|UTF8|MALLOC|HASHSEED)|COVERAGE_PROCESS_START"
)


def child_environment(**more: str) -> dict[str, str]:
    """`more` is added, and stands above what this process has."""
    return {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)} | more
