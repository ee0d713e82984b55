"""One file a statement: a statement's name in, its class out, imported when a text first has one of its kind.

`scripts/make_statements.py` writes the list, and `language/declared.py`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.declared import DECLARED
from thanosql.engine.language.syntax import STATEMENTS, Statement

# made: begin
if TYPE_CHECKING:
    from thanosql.engine.statements.align import Align
    from thanosql.engine.statements.build_model import BuildModel
    from thanosql.engine.statements.check import Check
    from thanosql.engine.statements.copy_out import CopyOut
    from thanosql.engine.statements.copy_table import Copy
    from thanosql.engine.statements.describe_model import DescribeModel
    from thanosql.engine.statements.drop_model import DropModel
    from thanosql.engine.statements.drop_predictions import DropPredictions
    from thanosql.engine.statements.evaluate import Evaluate
    from thanosql.engine.statements.explain import Explain
    from thanosql.engine.statements.export_dataset import ExportDataset
    from thanosql.engine.statements.fit_model import FitModel
    from thanosql.engine.statements.get_thanosql import GetDataset, GetModel
    from thanosql.engine.statements.listing import List
    from thanosql.engine.statements.plain_sql import PlainSQL
    from thanosql.engine.statements.predict import Predict
    from thanosql.engine.statements.print_audio import PrintAudio
    from thanosql.engine.statements.rollback_model import ListVersions, RollbackModel
    from thanosql.engine.statements.upload_model import UploadModel

__all__ = [
    "Align",
    "BuildModel",
    "Check",
    "Copy",
    "CopyOut",
    "DescribeModel",
    "DropModel",
    "DropPredictions",
    "Evaluate",
    "Explain",
    "ExportDataset",
    "FitModel",
    "GetDataset",
    "GetModel",
    "List",
    "ListVersions",
    "PlainSQL",
    "Predict",
    "PrintAudio",
    "RollbackModel",
    "UploadModel",
]
# made: end

_PLACES = {declared.name: declared.file for declared in DECLARED.values()}


def statement_class(rule: str) -> type[Statement]:
    """The class that a grammar rule makes."""
    if rule not in STATEMENTS:
        importlib.import_module(f"{__name__}.{DECLARED[rule].file}")
    return STATEMENTS[rule]


def statement_classes() -> dict[str, type[Statement]]:
    """Every statement's class by its grammar rule."""
    return {rule: statement_class(rule) for rule in DECLARED}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
