"""Nothing in; the bytes of memory that this process may still take, as Linux says, out. No torch."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
# Limit, use, and the part of it that the kernel gives back by itself, of a control group: version 2, and 1.
_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def free_memory() -> int | None:
    """The least of what the machine has and what a container's limit leaves; None where the system does not say."""
    found = [one for one in (_machine(), *(_group(*names) for names in _FILES)) if one is not None]
    return min(found, default=None)


def _machine() -> int | None:
    try:
        for line in (PROC / "meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _group(limit: str, used: str, statistics: str, inactive: str) -> int | None:
    try:
        most = int((GROUPS / limit).read_text(encoding="ascii"))  # 'max' where there is none
        taken = int((GROUPS / used).read_text(encoding="ascii"))
        lines = (GROUPS / statistics).read_text(encoding="ascii").splitlines()
        spare = sum(int(line.split()[1]) for line in lines if line.startswith(f"{inactive} "))
    except (OSError, ValueError, IndexError):
        return None
    return max(0, most - taken + spare)
