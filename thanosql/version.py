"""The version of this package, in its one place."""

__version__ = "0.1.0"

# The name on the package index; `thanosql` there is another project, whose import package has our name.
DISTRIBUTION = "thanosql-speech"
