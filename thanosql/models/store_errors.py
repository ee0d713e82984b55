"""A model's name and what went wrong as it was written in, the error to raise out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLError, ThanoSQLModelError, ThanoSQLResourceError

if TYPE_CHECKING:
    from thanosql.models.model_home import ModelHome


def exists_already(name: str) -> ThanoSQLModelError:
    return ThanoSQLModelError(
        f"The model {name} exists already.", hint="Choose another name, or write OPTIONS (overwrite=True)."
    )


def cannot_write(name: str, error: Exception) -> ThanoSQLError:
    said = f"The model {name} cannot be written: {error}"
    if isinstance(error, OSError):  # the disk's, or the system's
        return ThanoSQLResourceError(said, hint="The model that was there is unchanged.")
    return ThanoSQLModelError(said, hint=f"DROP MODEL {name} removes it.")


def damaged(name: str, home: ModelHome, fault: Exception) -> ThanoSQLModelError:
    """A model that cannot be read. Where only what names its current version is lost, its versions are kept, and the cure
    makes the newest of them current."""
    drop = f"DROP MODEL {name} removes it."
    with suppress(OSError, ValueError, ThanoSQLError):
        try:
            home.current()
        except (OSError, ValueError) as lost:
            if newest := home.versions()[-1:]:
                said = "what names its current version is missing" if isinstance(lost, FileNotFoundError) else lost
                cure = f"ROLLBACK MODEL {name} TO VERSION {newest[0]} makes its newest version current again; {drop}"
                return ThanoSQLModelError(f"The model {name} is damaged: {said}", hint=cure)
    return ThanoSQLModelError(f"The model {name} is damaged: {fault}", hint=drop)


def gone(name: str, version: int) -> ThanoSQLModelError:
    return ThanoSQLModelError(
        f"There is no model {name} of version {version} any more: another statement has replaced or dropped it.",
        hint="Run the statement again.",
    )
