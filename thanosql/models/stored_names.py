"""A name in; an error with its cure, where the store has no model of that name, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLModelError, did_you_mean

if TYPE_CHECKING:
    from thanosql.models.store import Store


def require_stored(name: str, store: Store) -> None:
    """Raise ThanoSQLModelError where the store has no model of that name: the cure is the closest, all, or how to make one."""
    names = store.names()  # one look, so that no name is missing and listed at once
    if name in names:
        return
    if names:
        raise ThanoSQLModelError(f"There is no model {name}.", hint=did_you_mean(name, names))
    raise ThanoSQLModelError(
        f"There is no model {name}, and no other yet.", hint=f"BUILD MODEL {name} USING Wav2Vec2Tiny AS … makes one."
    )
