"""The terms of the field that the pages use stand in the glossary."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
TERMS = """
    adapter augmentation AUROC batch beam blank bootstrap calibration CER channel checkpoint confidence container
    corpora CTC encoder epoch expected~calibration~error feature~encoder fold frame frozen gradient greedy head
    hot~words hypothesis label language~model log-probabilities log-mel logits loss nat normalizer optimizer
    padding reference segment SpecAugment suspicion token utterance validation~set Viterbi vocabulary
    waveform weights WER window
""".split()


@pytest.mark.parametrize("term", [term.replace("~", " ") for term in TERMS])
def test_a_term_that_a_page_uses_is_explained(term: str) -> None:
    used = re.compile(rf"\b{re.escape(term)}(e?s)?\b", re.IGNORECASE)
    pages = [page for page in PAGES if page != GLOSSARY and used.search(page.read_text(encoding="utf-8"))]
    assert pages, f"no page uses {term}: take it off the list"
    assert used.search(GLOSSARY.read_text(encoding="utf-8")), f"{pages[0].name} uses it"
