"""A statement of ours that the grammar stopped in, nearly right, in; what is wrong and the statement to write out.

A table of patterns; `tests/fixtures/messages.txt` shows them at work.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from thanosql.engine.language.cures import compiled, rewritten

LONGEST = 10_000  # characters of a text that are looked at
_MODEL = r"(\w+|'[^']*')"
_END = r"\s*(?:;\s*)?$"
_TABLE = (
    rf"""((?:[\w.]++|"[^"]++")++)(?:{_END}|(?=\s*\)))"""  # `++`: a long word would take 2 to the power of its length
)
_READS = "(PREDICT|EVALUATE|ALIGN)"
_MAKES = "(BUILD|FIT)"
_OPENED = rf"((?:PREDICT|EVALUATE|ALIGN|(?:BUILD|FIT)\s+MODEL\s+\w+)\s+USING\s+{_MODEL})"
_QUERY_AS = r"(?=\s+(?:AS|OPTIONS)\b)"

# A pattern from the statement's first word, what is wrong, and what to write for what it matches.
_MISSES = [
    (compiled(pattern), wrong, written)
    for pattern, wrong, written in (
        (rf"{_READS}\s+(?:USING\s+)?(?:MODEL|BASE)\s+{_MODEL}{_QUERY_AS}", "No MODEL is written before the model's name.",
         r"\1 USING \2"),
        (rf"{_READS}\s+(?:WITH|BY|FROM)\s+{_MODEL}{_QUERY_AS}", "The model must follow USING.", r"\1 USING \2"),
        (rf"{_READS}\s+(?!USING\b){_MODEL}{_QUERY_AS}", "USING is missing before the model.", r"\1 USING \2"),
        (rf"{_READS}\s+(?:FROM|ON)\s+([\w.]+)\s+USING\s+{_MODEL}", "The query must follow AS, at the end.",
         r"\1 USING \3 AS SELECT * FROM \2"),
        (rf"{_READS}\s+(?!USING\b)(\w+)\s+USING\s+{_MODEL}{_QUERY_AS}", "The audio column is named by an option.",
         r"\1 USING \3 OPTIONS (audio_col=\2)"),
        (rf"{_READS}\s+(?:USING\s+)?(?!USING\b){_MODEL}\s+(?:FROM|ON|FOR|IN)\s+{_TABLE}", "The query must follow AS.",
         r"\1 USING \2 AS SELECT * FROM \3"),
        (rf"{_OPENED}(\s+OPTIONS\s*\([^()]*\))?\s+(?:FROM|ON|FOR|IN)\s+{_TABLE}", "The query must follow AS.",
         r"\1\3 AS SELECT * FROM \4"),
        (rf"{_OPENED}\s+(?:WITH|SETTINGS|PARAMETERS)\s*\(([^()]*)\)(?=\s+AS\b)", "Options must follow OPTIONS.",
         r"\1 OPTIONS (\3)"),
        (rf"{_OPENED}\s+INTO\s+([\w.]+){_QUERY_AS}", "The result's table is named by an option.",
         r"\1 OPTIONS (table_name='\3')"),
        (rf"{_MAKES}\s+OR\s+REPLACE\s+MODEL\s+(\w+)\s+USING\s+{_MODEL}(?=\s+AS\b)", "Replacing a model is an option.",
         r"\1 MODEL \2 USING \3 OPTIONS (overwrite=True)"),
        (rf"{_MAKES}\s+MODEL\s+IF\s+NOT\s+EXISTS\s+", r"\1 takes no IF NOT EXISTS: it refuses a name that is taken.",
         r"\1 MODEL "),
        (rf"{_MAKES}\s+MODEL\s+(\w+)\s+(?:FROM|WITH|ON)\s+{_MODEL}{_QUERY_AS}", "The model must follow USING.",
         r"\1 MODEL \2 USING \3"),
        (rf"{_MAKES}\s+(?!MODEL\b)(\w+)(?=\s+USING\b)", "MODEL is missing before the new model's name.", r"\1 MODEL \2"),
        (r"TRAIN\s+MODEL\s+", "BUILD trains a new model; FIT trains a saved model further.", "BUILD MODEL "),
        (r"LIST\s+(?:ALL\s+)?DATA\s?SETS?\b", "THANOSQL is missing before DATASET.", "LIST THANOSQL DATASET"),
        (r"LIST\s+(?:ALL\s+)?(?:BASES?|BASE\s+MODELS?|CHECKPOINTS)\b", "Base models are listed as THANOSQL MODEL.",
         "LIST THANOSQL MODEL"),
        (rf"LIST\s+MODELS?\s+(?!VERSIONS\b)(\w+){_END}", "LIST MODEL lists all models.", r"DESCRIBE MODEL \1"),
        (r"LIST\s+VERSIONS\s+(?:OF\s+)?(?:MODEL\s+)?(\w+)", "MODEL is missing.", r"LIST MODEL VERSIONS \1"),
        (rf"LIST\s+(?:COLUMNS?|FIELDS?)\s+(?:FROM\s+|OF\s+|IN\s+)?{_TABLE}", "A query lists a table's columns.",
         r"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '\1'"),
        (r"DROP\s+(?:PREDICTOR|ML_ENGINE)\s+(\w+)", "What other systems call a predictor is a model here.", r"DROP MODEL \1"),
        (r"(?:DROP|DELETE)\s+MODEL\s+(?P<names>\w+(?:\s*,\s*\w+)+)", "One statement drops one model.", ""),
        (rf"LIST\s+MODELS?\s+LIKE\s+('[^']*'){_END}", "A list is filtered by a query around it.",
         r"SELECT * FROM (LIST MODEL) l WHERE name LIKE \1"),
        (rf"LIST\s+TABLES?\s+LIKE\s+('[^']*'){_END}", "A list is filtered by a query around it.",
         r'SELECT * FROM (LIST TABLE) l WHERE "table" LIKE \1'),
        (r"LIST\s+(MODEL|TABLE)S?\s+((?:WHERE|ORDER|LIMIT)\b[^;()]*)(?:;\s*)?$", "A list is filtered by a query around it.",
         r"SELECT * FROM (LIST \1) l \2"),
        (rf"PRINT\s+AUDIO\s+(\w+)\s+FROM\s+{_TABLE}", "The query must follow AS.",
         r"PRINT AUDIO OPTIONS (audio_col=\1) AS SELECT \1 FROM \2"),
        (r"PRINT\s+(?:AUDIO\s+)?('[^']*\.\w{2,4}')", "The query must follow AS.", r"PRINT AUDIO AS SELECT \1 AS audio_path"),
        (rf"CHECK\s+USING\s+{_MODEL}", "CHECK comes before a whole statement.", r"CHECK PREDICT USING \1"),
        (r"DROP\s+MODEL\s+(\w+)\s+IF\s+EXISTS\b", "IF EXISTS comes before the name.", r"DROP MODEL IF EXISTS \1"),
        (r"DELETE\s+MODEL\s+IF\s+EXISTS\s+(\w+)", "DELETE takes no IF EXISTS; DROP does.", r"DROP MODEL IF EXISTS \1"),
        (r"(DROP\s+MODEL\s+(?:IF\s+EXISTS\s+)?\w+)\s+(CASCADE|RESTRICT|FORCE|PURGE)\b", r"DROP MODEL takes no \2.", r"\1"),
        (r"ROLLBACK\s+MODEL\s+(\w+)\s+(?:VERSION\s+)?(\d+)", "TO is missing before the version.", r"ROLLBACK MODEL \1 TO \2"),
        (r"GET\s+(DATASET|MODEL)\s+(\w+)", "THANOSQL is missing.", r"GET THANOSQL \1 \2"),
        (r"PRINT\s+(?=(?:SELECT|WITH)\b)", "AUDIO AS is missing before the query.", "PRINT AUDIO AS "),
        (rf"PRINT\s+(?:AUDIO\s+)?(?:FROM\s+)?{_TABLE}", "The query must follow AS.", r"PRINT AUDIO AS SELECT * FROM \1"),
        (r"EXPORT\s+DATASET\s+(\w+)\s+AS\s+(?=SELECT|WITH|TABLE|\()", "The query of EXPORT must follow FROM.",
         r"EXPORT DATASET \1 FROM "),
        (r"UPLOAD\s+MODEL\s+(\w+)\s+('[^']*')", "FROM is missing before the path.", r"UPLOAD MODEL \1 FROM \2"),
        (r"UPLOAD\s+(?:MODEL\s+)?('[^']*')\s+AS\s+(\w+)", "The name comes first.", r"UPLOAD MODEL \2 FROM \1"),
    )
]  # fmt: skip
_DIVIDED = re.compile(r"(?P<before>.*?\bOPTIONS\s*\([^()]*?);(?P<behind>[^()]*\))", re.IGNORECASE | re.DOTALL)
_BRACED = re.compile(r"(?P<before>.*?\bOPTIONS\s*)\{(?P<inside>[^{}]*:[^{}]*)\}", re.IGNORECASE | re.DOTALL)
_KEY = re.compile(r"""["']?(\w+)["']?\s*:\s*""")


class NearMiss(NamedTuple):
    """What is wrong, in a sentence, and the statement to write."""

    wrong: str
    written: str


def near_miss(text: str, begin: int, stop: int) -> NearMiss | None:
    """The statement that opens at `begin` of `text`, which the grammar stopped in at `stop`; None for none that is known.

    >>> near_miss("PREDICT Wav2Vec2Tiny AS TABLE calls", 0, 8)
    NearMiss(wrong='USING is missing before the model.', written='PREDICT USING Wav2Vec2Tiny AS TABLE calls')
    """
    if len(text) - begin > LONGEST:
        return None
    for pattern, wrong, written in _MISSES:
        if (found := pattern.match(text, begin)) is not None and stop <= found.end():
            names = found.groupdict().get("names")
            meant = (
                "; ".join(f"DROP MODEL {name}" for name in re.findall(r"\w+", names))
                if names
                else found.expand(written)
            )
            return NearMiss(found.expand(wrong), _whole(text, begin, found.end(), meant))
    found = _DIVIDED.match(text, begin)
    if found is not None and (stop <= found.end("before") or text[begin:stop].rstrip().upper().endswith("OPTIONS")):
        return NearMiss(
            "Options are divided by commas, not by ;.",
            _whole(text, begin, found.end(), f"{found['before']},{found['behind']}"),
        )
    if (found := _BRACED.match(text, begin)) is not None and stop <= found.end():
        inside = _KEY.sub(r"\1=", found["inside"]).replace('"', "'").strip()
        return NearMiss(
            "Options are written in parentheses, each as name=value.",
            _whole(text, begin, found.end(), f"{found['before']}({inside})"),
        )
    return None


def _whole(text: str, begin: int, end: int, written: str) -> str:
    """The statement with its beginning replaced; of one in others only that."""
    if text[:begin].strip() or ";" in text[end:].rstrip("; \n"):
        return f"{' '.join(written.split())} …"
    return rewritten(text[begin:], (0, end - begin, written))
