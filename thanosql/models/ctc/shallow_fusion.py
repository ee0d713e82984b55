"""A language model, hot words and a text as it grows, letter by letter, in; what speaks for the text besides its sound out.

A word is scored by the language model when it ends (shallow fusion, Hannun et al. 2014: α·ln P(words) + β·words). Until
then a beginning that no known word has costs what an unknown word will cost, and a beginning of a hot word earns its
part of what the whole will earn; both are taken back when they turn out wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from thanosql.models.ctc.arpa import LanguageModel

UNKNOWN_COST = 10.0  # natural logarithm; of a word that a language model with a word list does not have


class State(NamedTuple):
    """How far a text is: what it has `earned` for good and has `ahead` on trial, its unfinished word, and its contexts."""

    earned: float = 0.0
    ahead: float = 0.0
    word: str = ""
    context: Any = None
    hot: tuple[_Node, ...] = ()

    @property
    def bonus(self) -> float:
        return self.earned + self.ahead


class _Node:
    """A place in the tree of hot words, spelled with spaces between their words."""

    __slots__ = ("after", "depth", "full", "reach")

    def __init__(self, depth: int) -> None:
        self.after: dict[str, _Node] = {}
        self.depth = depth
        self.full = False  # a hot word ends here
        self.reach = 0  # letters of the shortest hot word through here


class ShallowFusion:
    """What a beam is guided by; all texts in the letters of the model's vocabulary.

    words: the vocabulary's spelling of each word that the language model knows, and the model's own. `hot_words` are
    words or phrases; each earns `hot_weight` (natural logarithm) when it is there as a whole. `closed` says that a text has
    no other words than these.
    """

    def __init__(
        self,
        model: LanguageModel | None = None,
        words: Mapping[str, str] | None = None,
        hot_words: Iterable[str] = (),
        *,
        weight: float = 0.5,
        word_bonus: float = 1.5,
        hot_weight: float = 10.0,
        closed: bool = False,
    ) -> None:
        self.model = model
        self.words = dict(words or {})
        self.weight = weight
        self.word_bonus = word_bonus
        self.hot_weight = hot_weight
        self.closed = closed
        self.root = _Node(0)
        phrases = [" ".join(phrase.split()) for phrase in hot_words]
        for phrase in phrases:
            self._plant(phrase)
        self._hot_parts = {part for phrase in phrases for part in phrase.split()}
        self._known = {*self.words, *self._hot_parts} if self.words or closed else set()
        self._beginnings = {word[:length] for word in self._known for length in range(1, len(word) + 1)}

    def start(self) -> State:
        return State(context=self.model.start() if self.model else None)

    def may_grow(self, state: State) -> bool:
        """Whether the unfinished word can become one that a text may have."""
        return not self.closed or not state.word or state.word in self._beginnings

    def may_end(self, state: State) -> bool:
        """Whether the unfinished word is one that a text may have."""
        return not self.closed or not state.word or state.word in self._known

    def letter(self, state: State, letter: str) -> State:
        """The state with one more letter of the word."""
        nodes = (*state.hot, self.root) if not state.word else state.hot
        for one in letter:  # a token may be of several
            nodes = tuple(node.after[one] for node in nodes if one in node.after)
        word = state.word + letter
        return state._replace(ahead=self._ahead(word, nodes), word=word, hot=nodes)

    def divide(self, state: State) -> State:
        """The state with its word at its end; another word break after one changes nothing."""
        if not state.word:
            return state
        earned = state.earned
        context = state.context
        if self.model is not None:
            log, context = self.model.score(context, self.words.get(state.word, state.word))
            earned += self.weight * log + self.word_bonus
            if self.words and state.word not in self._known:
                earned -= UNKNOWN_COST
        earned += self.hot_weight * sum(node.full for node in state.hot)
        hot = tuple(node.after[" "] for node in state.hot if " " in node.after)
        return State(earned, self._ahead("", hot), "", context, hot)

    def finish(self, state: State) -> float:
        """What the text has earned as a whole."""
        state = self.divide(state)
        return state.earned + (self.weight * self.model.end(state.context) if self.model is not None else 0.0)

    def _ahead(self, word: str, hot: tuple[_Node, ...]) -> float:
        ahead = self.hot_weight * max((node.depth / node.reach for node in hot), default=0.0)
        return ahead - (UNKNOWN_COST if word and self.words and word not in self._beginnings else 0.0)

    def _plant(self, phrase: str) -> None:
        node = self.root
        for letter in phrase:
            node = node.after.setdefault(letter, _Node(node.depth + 1))
            node.reach = min(node.reach or len(phrase), len(phrase))
        node.full = bool(phrase)
