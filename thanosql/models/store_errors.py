"""A model's name and what went wrong as it was written in, the error to raise out."""

from __future__ import annotations

from thanosql.errors import ThanoSQLError, ThanoSQLModelError, ThanoSQLResourceError


def exists_already(name: str) -> ThanoSQLModelError:
    return ThanoSQLModelError(
        f"The model {name} exists already.", hint="Choose another name, or write OPTIONS (overwrite=True)."
    )


def cannot_write(name: str, error: Exception) -> ThanoSQLError:
    said = f"The model {name} cannot be written: {error}"
    if isinstance(error, OSError):  # the disk's, or the system's
        return ThanoSQLResourceError(said, hint="The model that was there is unchanged.")
    return ThanoSQLModelError(said, hint=f"DROP MODEL {name} removes it.")


def gone(name: str, version: int) -> ThanoSQLModelError:
    return ThanoSQLModelError(
        f"There is no model {name} of version {version} any more: another statement has replaced or dropped it.",
        hint="Run the statement again.",
    )
