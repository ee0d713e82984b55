"""What may not be said between BEGIN and COMMIT."""

from __future__ import annotations

from thanosql.engine.planner import Environment
from thanosql.errors import ThanoSQLDatabaseError


def refuse_open_transaction(environment: Environment, what: str) -> None:
    """Raise a ThanoSQLDatabaseError when the session has a transaction open: `what` would commit others' work."""
    if environment.database.in_transaction:
        raise ThanoSQLDatabaseError(
            f"{what} cannot run inside an open transaction.", hint="Say COMMIT or ROLLBACK first.", sqlstate="25001"
        )
