"""What the beam, a list of words and hot words do to the errors on noisy connected digits, and what they cost.

    python benchmarks/beam.py [--model FOLDER | --epochs 10 --keep FOLDER] [--words 2000] [--width 50] [--fsdd FOLDER]

The word list is the ten digits, as `lm_query` makes a language model of it; no weight was tuned on these recordings.
WER with its 95% interval, and the difference from greedy with its own, by bootstrap over utterances; RTFx is audio
seconds per second of decoding alone, log-probabilities given.
"""

from __future__ import annotations

import time

from connected_digits import DIGITS, arguments, prepared

from thanosql.models.ctc.decoder import decoder
from thanosql.models.ctc.ngram import NGram
from thanosql.models.intervals import error_rate, paired_difference
from thanosql.models.metrics import score_each
from thanosql.models.options import DecodeOptions


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--width", type=int, default=50)
    given = parser.parse_args()
    heard, vocabulary, normalizer = prepared(given)
    references = [one.text for one in heard]
    words = [len(text.split()) for text in references]
    seconds = sum(one.seconds for one in heard)
    print(f"{sum(words):,} words in {len(heard):,} utterances, {seconds:,.0f} s")
    beam = DecodeOptions(decoder="beam", beam_width=given.width)
    ways = {
        "greedy": (DecodeOptions(), None),
        "beam": (beam, None),
        "beam, hot words": (DecodeOptions(decoder="beam", beam_width=given.width, hotwords=list(DIGITS)), None),
        "beam, word list": (beam, NGram.of_texts([(digit, 1.0) for digit in DIGITS])),
    }
    greedy = None
    for name, (options, model) in ways.items():
        decode = decoder(vocabulary, options, normalizer.normalize, model, level="none")
        started = time.perf_counter()
        texts = [decode(one.log_probabilities).text for one in heard]
        taken = time.perf_counter() - started
        scores = score_each(references, [normalizer.normalize(text) for text in texts])
        errors = [score.errors for score in scores]
        rate = error_rate(errors, words)
        line = f"{name:<16} WER {sum(errors) / sum(words):6.1%} ({rate.low:.1%}-{rate.high:.1%})  {seconds / taken:8.0f} RTFx"
        if greedy is not None:
            change = paired_difference(errors, greedy, words)
            line += f"  against greedy {change.low:+.1%} to {change.high:+.1%}"
        greedy = greedy or errors
        print(line, flush=True)


if __name__ == "__main__":
    main()
