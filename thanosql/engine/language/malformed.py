"""Malformed texts: the name of a mistake in, texts that make it out. They label what the grammar stops at."""

from __future__ import annotations

# A text stops at its mistake; what follows does not matter.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "missing AS": (
        "PREDICT USING m SELECT 1",
        "PREDICT USING m (SELECT 1)",
        "PREDICT USING m TABLE t",
        "PREDICT USING m OPTIONS (a=1) SELECT 1",
        "PREDICT USING m OPTIONS (a=1) (SELECT 1)",
        "PREDICT USING m OPTIONS (a=1) TABLE t",
        "PRINT AUDIO SELECT 1",
    ),
    "missing query": ("PREDICT USING m AS", "PREDICT USING m AS ;", "SELECT (PREDICT USING m AS)"),
    "missing comma": (
        "PREDICT USING m OPTIONS (a=1 b=2)",
        "PREDICT USING m OPTIONS (a=b c=2)",
        "PREDICT USING m OPTIONS (a=['x' y])",
        "PREDICT USING m OPTIONS (a=['x' 'y'])",
        "PREDICT USING m OPTIONS (a=[x y])",
        "PREDICT USING m OPTIONS (a=[x 'y'])",
    ),
    "missing =": (
        "PREDICT USING m OPTIONS (a == 1)",
        "PREDICT USING m OPTIONS (a:b)",
        "PREDICT USING m OPTIONS (a 1)",
        "PREDICT USING m OPTIONS (a 'b')",
        "PREDICT USING m OPTIONS (a b)",
        "PREDICT USING m OPTIONS (a, b=1)",
        "PREDICT USING m OPTIONS (a)",
    ),
    "doubled =": ("PREDICT USING m OPTIONS (a= =1)", "PREDICT USING m OPTIONS (a= == 1)"),
    "option in quotes": (
        "PREDICT USING m OPTIONS ('a'=1)",
        'PREDICT USING m OPTIONS ("a"=1)',
        "PREDICT USING m OPTIONS (b=1, 'a'=1)",
        'PREDICT USING m OPTIONS (b=1, "a"=1)',
    ),
    "no option": tuple(
        f"PREDICT USING m OPTIONS ({begun})" for begun in ("a=1,,b=2", ",", "=1", "a=1, =1", "1", "a=1, 1")
    ),
    "missing value": ("PREDICT USING m OPTIONS (a=)", "PREDICT USING m OPTIONS (a=, b=1)"),
    "open OPTIONS": (
        "PREDICT USING m OPTIONS (a=1 AS SELECT 1",
        "PREDICT USING m OPTIONS (a=b AS SELECT 1",
        "PREDICT USING m OPTIONS (a=1, AS SELECT 1",
        "PREDICT USING m OPTIONS (a= AS SELECT 1",
        "PREDICT USING m OPTIONS (a AS SELECT 1",
        "PREDICT USING m OPTIONS ( AS SELECT 1",
        *(
            f"PREDICT USING m OPTIONS ({begun}{end}"
            for begun in ("", "a", "a=", "a=1", "a=b", "a=1,")
            for end in ("", ";")
        ),
    ),
    "open list": tuple(
        f"PREDICT USING m OPTIONS (a=[{begun}{end}"
        for begun in ("", "1", "b", "1,")
        for end in ("", ";", ")", " AS SELECT 1")
    ),
    "OPTIONS without parentheses": tuple(
        f"PREDICT USING m OPTIONS {rest}" for rest in ("a=1", "[a=1]", "{a=1}", "AS", "", ";")
    ),
    "OPTIONS twice": (
        "PREDICT USING m OPTIONS (a=1) OPTIONS (b=2) AS SELECT 1",
        "COPY t OPTIONS (a=1) OPTIONS (b=2) FROM 'x'",
    ),
    "order": (
        "BUILD MODEL m OPTIONS (a=1) USING b AS SELECT 1",
        "BUILD MODEL m AS SELECT 1 USING b",
        "PREDICT OPTIONS (a=1) USING m AS SELECT 1",
        "PREDICT AS SELECT 1 USING m",
        "PREDICT USING m OPTIONS (a=1) USING n AS SELECT 1",
        "COPY t FROM 'x' OPTIONS (a=1)",
    ),
    "name as string": ("BUILD MODEL 'm' USING b AS SELECT 1", "DROP MODEL 'm'", "DROP MODEL IF EXISTS 'm'"),
    "missing name": (
        "BUILD MODEL USING b AS SELECT 1",
        "BUILD MODEL m USING OPTIONS (a=1) AS SELECT 1",
        "BUILD MODEL m USING AS SELECT 1",
        "DROP MODEL",
        "DROP MODEL;",
        "DESCRIBE MODEL",
        "DESCRIBE MODEL;",
        "SELECT (DESCRIBE MODEL)",
        "PREDICT USING",
        "PREDICT USING;",
    ),
    "sign in name": (
        *(f"BUILD MODEL a{sign}b USING b AS SELECT 1" for sign in "-./"),
        *(f"PREDICT USING a{sign}b AS SELECT 1" for sign in "-."),
        *(f"DROP MODEL a{sign}b" for sign in "-."),
        *(f"GET THANOSQL MODEL a{sign}b" for sign in "-."),
        *(f"UPLOAD MODEL a{sign}b FROM 'p'" for sign in "-."),
        *(f"SELECT (DESCRIBE MODEL a{sign}b)" for sign in "-."),
    ),
    "digit in name": ("DROP MODEL 2nd", "BUILD MODEL 2nd", "BUILD MODEL m USING 2nd", "GET THANOSQL MODEL 2nd"),
    "path without quotes": (
        "COPY t OPTIONS (a=1) FROM x",
        'COPY t OPTIONS (a=1) FROM "x"',
        "COPY t OPTIONS (a=1) FROM /x",
    ),
    "closes none": (
        "PREDICT USING m OPTIONS (a=1)) AS SELECT 1",
        "PREDICT USING m) AS SELECT 1",
        "DROP MODEL m)",
        "LIST MODEL)",
        "COPY t OPTIONS (a=1)) FROM 'x'",
    ),
    "not planned": ("EXPLAIN LIST MODEL", "EXPLAIN PRINT AUDIO AS SELECT 1", "CHECK SELECT 1"),
    "more behind": (
        "DROP MODEL a b",
        "LIST MODEL AS SELECT 1",
        "LIST MODEL LIST MODEL",
        "LIST MODEL x",
        "LIST MODEL 'x'",
    ),
}
