"""A package that another thread is importing is waited for, and one that nobody asked for stays out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SLOW = "import time\ntime.sleep(1.0)\nNA = 'whole'\n"
PROGRAM = """
import sys, threading, time
from thanosql.imported import imported
assert imported("slow_package") is None
threading.Thread(target=lambda: __import__("slow_package")).start()
while "slow_package" not in sys.modules:
    time.sleep(0.01)
assert not hasattr(sys.modules["slow_package"], "NA")
print(imported("slow_package").NA)
"""


def test_a_package_on_its_way_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "slow_package.py").write_text(SLOW)
    paths = [str(tmp_path), str(Path(__file__).parents[1])]
    found = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path[:0] = {paths!r}\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.strip() == "whole", found.stderr
