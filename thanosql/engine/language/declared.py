"""What each statement's class declares, without the class: a grammar rule in, its file, name and shape out.

`scripts/make_statements.py` writes the list from the classes, and a test holds it to them.
"""

from __future__ import annotations

from typing import NamedTuple

from thanosql.engine.language.statement_syntax import StatementShape


class Declared(NamedTuple):
    """A statement: its file in `engine/statements/`, its class, its shape; plain SQL has none."""

    file: str
    name: str
    shape: StatementShape | None


# made: begin
DECLARED: dict[str, Declared] = {
    "align": Declared(
        "align", "Align", StatementShape("ALIGN USING model [OPTIONS (…)] AS query", nests=True, planned=True)
    ),
    "build_model": Declared(
        "build_model", "BuildModel", StatementShape("BUILD MODEL name USING base [OPTIONS (…)] AS query", planned=True)
    ),
    "check": Declared("check", "Check", StatementShape("CHECK statement")),
    "copy": Declared("copy_table", "Copy", StatementShape("COPY table [OPTIONS (…)] FROM 'path'")),
    "copy_out": Declared("copy_out", "CopyOut", StatementShape("COPY (query) TO 'path'")),
    "describe_model": Declared(
        "describe_model",
        "DescribeModel",
        StatementShape("DESCRIBE MODEL name", nests=True, names={"name": "model or base"}),
    ),
    "drop_model": Declared(
        "drop_model",
        "DropModel",
        StatementShape(("DROP MODEL [IF EXISTS] name", "DELETE MODEL name"), names={"name": "model"}),
    ),
    "drop_predictions": Declared(
        "drop_predictions",
        "DropPredictions",
        StatementShape("DROP PREDICTIONS [model]", names={"model": "model"}, also=("PREDICTION",)),
    ),
    "evaluate": Declared(
        "evaluate", "Evaluate", StatementShape("EVALUATE USING model [OPTIONS (…)] AS query", nests=True, planned=True)
    ),
    "explain": Declared("explain", "Explain", StatementShape("EXPLAIN statement")),
    "export_dataset": Declared(
        "export_dataset", "ExportDataset", StatementShape("EXPORT DATASET name [OPTIONS (…)] FROM query")
    ),
    "fit_model": Declared(
        "fit_model",
        "FitModel",
        StatementShape("FIT MODEL name USING model [OPTIONS (…)] AS query", planned=True, names={"name": "model"}),
    ),
    "get_dataset": Declared(
        "get_thanosql",
        "GetDataset",
        StatementShape("GET THANOSQL DATASET name [OPTIONS (…)]", names={"name": "data set"}),
    ),
    "get_model": Declared(
        "get_thanosql", "GetModel", StatementShape("GET THANOSQL MODEL name [OPTIONS (…)]", names={"name": "base"})
    ),
    "list": Declared(
        "listing",
        "List",
        StatementShape(
            "LIST {MODEL | TABLE | THANOSQL MODEL | THANOSQL DATASET | PREDICTIONS}",
            nests=True,
            also=("MODELS", "TABLES", "DATASETS", "PREDICTION"),
        ),
    ),
    "list_versions": Declared(
        "rollback_model",
        "ListVersions",
        StatementShape("LIST MODEL VERSIONS name", nests=True, names={"name": "model"}, also=("MODELS",)),
    ),
    "plain_sql": Declared("plain_sql", "PlainSQL", None),
    "predict": Declared(
        "predict", "Predict", StatementShape("PREDICT USING model [OPTIONS (…)] AS query", nests=True, planned=True)
    ),
    "print_audio": Declared("print_audio", "PrintAudio", StatementShape("PRINT AUDIO [OPTIONS (…)] AS query")),
    "rollback_model": Declared(
        "rollback_model",
        "RollbackModel",
        StatementShape("ROLLBACK MODEL name [TO version]", names={"name": "model"}, also=("VERSION",)),
    ),
    "upload_model": Declared(
        "upload_model",
        "UploadModel",
        StatementShape("UPLOAD MODEL name [OPTIONS (…)] FROM 'path'", names={"'path'": ""}),
    ),
}
# made: end
