"""When PREDICT says that words are said, against known places: greedy, by a beam, and with a language model.

    python benchmarks/word_times.py [--model FOLDER | --epochs 5 --keep FOLDER] [--clips 40] [--seed 1] [--fsdd FOLDER]

The recording is that of `align.py`, clips of about twelve digits whose places are known to the sample; each clip is
transcribed by itself. A word that is recognized as it is said, by the least edits, is held against its place; the others
have none. The language model is the list of the ten digits, as in `beam.py`.

Goals: the middle difference of starts and of ends at most 20 ms, 95% of them at most 80 ms; no word ends before it starts,
begins before the one before it ends, or ends after its recording.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from align import Hour, glue, quantiles
from connected_digits import DIGITS, FSDD, arguments, train_on
from rapidfuzz.distance import Levenshtein

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.bases import BASES
from thanosql.models.ctc.decoder import decoder
from thanosql.models.ctc.ngram import NGram
from thanosql.models.ctc.timestamps import Timed
from thanosql.models.ctc.word_bounds import WordBounds
from thanosql.models.families import waveform_ctc
from thanosql.models.options import DecodeOptions, TranscribeOptions

GOAL_MEDIAN, GOAL_95 = 0.02, 0.08  # seconds


def matched(said: Sequence[str], heard: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The numbers of the words that are recognized as they are said."""
    for one in Levenshtein.opcodes(said, heard):
        if one.tag == "equal":
            yield from zip(range(one.src_start, one.src_end), range(one.dest_start, one.dest_end))


def orderly(words: Sequence[Timed], seconds: float) -> bool:
    """Whether words are in order, each begins before it ends, and none is past the end."""
    edges = [edge for word in words for edge in (word.start, word.end)]
    return all(one <= other for one, other in zip([0.0, *edges], [*edges, seconds]))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--clips", type=int, default=40)
    given = parser.parse_args()
    if not given.fsdd.is_dir():
        raise SystemExit(f"There is no {FSDD}: this benchmark needs the Free Spoken Digit Dataset.")
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or train_on(given.fsdd, given.epochs, given.keep or Path(folder))
        model = BASES[model].checkpoint if model in BASES else model
        recognizer = waveform_ctc.load(model, TranscribeOptions(device="cpu"))
        normalize = waveform_ctc.normalizer(model).normalize
    clips: list[Hour] = [glue(given.fsdd, 1, given.seed * 1000 + number, number) for number in range(given.clips)]
    logs = [one.numpy() for one in recognizer.log_probabilities([clip.waveform for clip in clips])]
    bounds = [WordBounds(clip.waveform) for clip in clips]
    count = sum(len(clip.words) for clip in clips)
    print(
        f"{count:,} words in {sum(len(clip.waveform) for clip in clips) / SAMPLING_RATE / 60:.1f} minutes", flush=True
    )
    beam = DecodeOptions(decoder="beam", beam_width=50)
    ways = {
        "greedy": (DecodeOptions(), None),
        "beam": (beam, None),
        "beam and language model": (beam, NGram.of_texts([(digit, 1.0) for digit in DIGITS])),
    }
    for name, (options, language) in ways.items():
        decode = decoder(recognizer.vocabulary, options, normalize, language)
        differences, disorder = [], 0
        for clip, frames, edges in zip(clips, logs, bounds):
            words = decode(frames, edges).words
            disorder += not orderly(words, len(clip.waveform) / SAMPLING_RATE)
            said = [normalize(word) for word in clip.words]
            for place, number in matched(said, [normalize(word.text) for word in words]):
                differences.append(np.array((words[number].start, words[number].end)) - clip.places[place])
        found = np.array(differences)
        print(f"{name}: {len(found):,} words as they are said; clips with words out of order: {disorder}")
        for edge, side in enumerate(("starts", "ends")):
            size = np.percentile(np.abs(found[:, edge]), 95)
            reached = abs(np.median(found[:, edge])) <= GOAL_MEDIAN and size <= GOAL_95
            print(f"  {quantiles(side, found[:, edge])}; goal {'reached' if reached else 'missed'}", flush=True)


if __name__ == "__main__":
    main()
