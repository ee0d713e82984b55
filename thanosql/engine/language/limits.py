"""How deep and how long a statement may be: past these it is refused with its place, before time or memory is spent."""

MAX_NESTED = 50  # statements in statements
MAX_PARENTHESES = 1_000  # open at once in SQL, brackets included
MAX_LISTS = 20  # open at once in a statement's head, parentheses included
MAX_HEAD = 5_000  # words, values and signs of a statement's head
MAX_WITH = 100  # WITH queries that a nested statement sees
