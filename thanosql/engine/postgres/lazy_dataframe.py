"""Rows that the server holds in, a DataFrame that brings them when it is first used out.

It is a DataFrame in every way, and what is made from it is a plain one; only showing it in a notebook leaves the rows
where they are. pandas keeps all that a frame holds in `_mgr`, so that is where it finds out that it is used.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from thanosql.engine.postgres.server_cursor import ServerCursor


class LazyDataFrame(pd.DataFrame):
    """`pandas.DataFrame`, its rows still in the database."""

    def __init__(self, cursor: ServerCursor) -> None:
        super().__init__()
        self.__dict__["_cursor"] = cursor

    @property
    def _mgr(self) -> Any:
        cursor = self.__dict__.get("_cursor")
        if cursor is not None:
            with cursor.turn:  # another thread may have brought them while this one waited
                if self.__dict__["_cursor"] is not None:
                    self.__dict__["_here"] = cursor.frame()._mgr
                    self.__dict__["_cursor"] = None
        return self.__dict__["_here"]

    @_mgr.setter
    def _mgr(self, manager: Any) -> None:
        self.__dict__["_here"] = manager

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __getattr__(self, name: str) -> Any:  # type: ignore[misc]
        # IPython asks any value whether it shows itself in some way of its own: that is no use of it.
        if name.startswith(("_ipython_", "_repr_")):
            raise AttributeError(name)
        return super().__getattr__(name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return pd.DataFrame, (self.copy(),)
