"""The version of this package, and its name on the package index, each in its one place."""

from __future__ import annotations

__version__ = "0.1.0"

# `thanosql` on the index is another project, whose import package has our name.
DISTRIBUTION = "thanosql-speech"
NAMESAKE = "thanosql"
