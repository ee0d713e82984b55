"""The session that `thanosql.execute` and the magics use: made when first asked for, replaced by `use`."""

from __future__ import annotations

import os
import threading

from thanosql.engine.session import Session

_default: Session | None = None
_lock = threading.Lock()


def default_session() -> Session:
    """The default session, made when first asked for."""
    global _default
    with _lock:
        if _default is None:
            _default = Session()
        return _default


def use(session: Session) -> None:
    """Make `session` the default one and close the one before it."""
    global _default
    with _lock:
        before, _default = _default, session
    if before is not None and before is not session:
        before.close()


def _unlock() -> None:
    """After a fork the thread that held the lock is not there to release it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)
