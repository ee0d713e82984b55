"""What is in the log of an embedded PostgreSQL: how little is put in, and the lines that say why it does not start."""

from __future__ import annotations

import re

# Who is refused something is told so; in the log, the text of their statement would stay with the values in it. Nor does
# it hold the statement at which a process died.
QUIET = {"log_min_messages": "log", "log_min_error_statement": "panic", "log_error_verbosity": "terse"}


def telling_lines(said: str) -> str:
    """Of what a server said, the last lines that give a reason."""
    # What a client was told is no reason: it may belong to the server that was here before.
    told = re.compile("terminating connection|is starting up|is shutting down|recovery mode")
    lines = (line.strip() for line in said.splitlines() if not told.search(line))
    telling = [
        line for line in lines if re.search(r"FATAL|PANIC|ERROR|error:|could not|parameter|Traceback|Error:", line)
    ]
    # Of a settings file that holds errors, the line before the last says which.
    return " ".join(re.sub(r"^[\d-]+ [\d:.]+ \S+ \[\d+\] +", "", line) for line in telling[-2:])
