"""One file a statement; to import this package is to register them all."""

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
