"""Text in, pygments tokens out: PostgreSQL's lexer with our statements. For terminals, nbconvert and the docs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pygments.lexers.sql import PostgresLexer  # type: ignore[import-untyped]
from pygments.token import Keyword, Name  # type: ignore[import-untyped]

# Written out, so that colouring a page needs nothing of the engine: scripts/make_highlighting.py does it.
# made: begin
_KEYWORDS_TEXT = """
ALIGN AS AUDIO BUILD CHECK COPY DATASET DATASETS DELETE DESCRIBE DROP EVALUATE EXISTS EXPLAIN EXPORT FIT FROM
GET IF LIST MODEL MODELS OPTIONS PREDICT PREDICTION PREDICTIONS PRINT ROLLBACK TABLE TABLES THANOSQL TO UPLOAD
USING VERSION VERSIONS
"""
KEYWORDS = frozenset(_KEYWORDS_TEXT.split())
BASES = frozenset(("HubertEn", "MMS", "ParakeetEn", "Wav2Vec2En", "Wav2Vec2Ko", "Wav2Vec2Tiny", "Wav2Vec2TinyKo"))
# made: end


class ThanoSQLLexer(PostgresLexer):  # type: ignore[misc]  # pygments is untyped here
    """SQL with BUILD MODEL, FIT MODEL, PREDICT, EVALUATE and the rest as keywords, `:name` as a variable."""

    name = "ThanoSQL"
    aliases = ["thanosql"]
    filenames = ["*.thanosql"]
    mimetypes = ["text/x-thanosql"]
    url = ""

    def get_tokens_unprocessed(self, text: str, *args: Any) -> Iterator[tuple[int, Any, str]]:
        for index, kind, value in super().get_tokens_unprocessed(text, *args):
            if kind in Name or kind in Keyword:
                if value.upper() in KEYWORDS:
                    kind = Keyword
                elif value in BASES:
                    kind = Name.Builtin
            yield index, kind, value
