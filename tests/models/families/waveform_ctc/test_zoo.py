"""Folders laid out as well-known checkpoints are: heard as transformers hears them, taken in, trained, and read by it again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from tests.models.in_memory import task, train
from thanosql.errors import ThanoSQLModelError
from thanosql.models.families import waveform_ctc
from thanosql.models.options import TrainOptions, TranscribeOptions
from thanosql.models.results import TrainingUtterance

OPTIONS = TranscribeOptions(device="cpu")
LETTERS = checkpoints.LETTERS
PHONES = ["<pad>", "<s>", "</s>", "<unk>", *"nstəlaikdmɛɾb", "aɪ", "tʃ", "oʊ", "ɑː"]


def change(folder: Path, name: str, **content: Any) -> None:
    path = folder / name
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**known, **content}), encoding="utf-8")


def vocabulary(folder: Path, content: Any) -> None:
    (folder / "vocab.json").write_text(json.dumps(content), encoding="utf-8")


def numbered(tokens: list[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def plain(tmp: Path, **changes: Any) -> Path:
    return checkpoints.make(tmp / "m", **changes)


def phonemes(tmp: Path) -> Path:
    """facebook/wav2vec2-lv-60-espeak-cv-ft"""
    folder = checkpoints.make(tmp / "m", PHONES)
    change(
        folder,
        "tokenizer_config.json",
        tokenizer_class="Wav2Vec2PhonemeCTCTokenizer",
        phone_delimiter_token=" ",
        word_delimiter_token=None,
        do_phonemize=False,
    )
    return folder


def added_file(tmp: Path) -> Path:
    """The folder of the blog about fine-tuning: `<s>` and `</s>` stand behind vocab.json."""
    tokens = ["<unk>", "<pad>", "|", *LETTERS[5:], "<s>", "</s>"]
    folder = checkpoints.make(tmp / "m", tokens, pad_token_id=1)
    vocabulary(folder, numbered(tokens[:-2]))
    (folder / "added_tokens.json").write_text(json.dumps({"<s>": len(tokens) - 2, "</s>": len(tokens) - 1}))
    return folder


def added_decoder(tmp: Path) -> Path:
    folder = added_file(tmp)
    added = json.loads((folder / "added_tokens.json").read_text())
    (folder / "added_tokens.json").unlink()
    entries = {str(number): {"content": token, "special": True} for token, number in added.items()}
    change(folder, "tokenizer_config.json", added_tokens_decoder=entries)
    return folder


def holes(tmp: Path) -> Path:
    folder = plain(tmp)
    vocabulary(folder, {token: number for token, number in numbered(LETTERS).items() if token not in "AOSH"})
    return folder


def fewer(tmp: Path) -> Path:
    folder = plain(tmp)
    vocabulary(folder, numbered(LETTERS[:20]))
    return folder


def no_delimiter(tmp: Path) -> Path:
    """Chinese and Japanese checkpoints divide no words; `|` is then a sign like any other."""
    folder = plain(tmp)
    change(folder, "tokenizer_config.json", word_delimiter_token=None)
    return folder


def underscore(tmp: Path) -> Path:
    folder = plain(tmp)
    change(folder, "tokenizer_config.json", replace_word_delimiter_char="_")
    return folder


def nothing_between(tmp: Path) -> Path:
    folder = plain(tmp)
    change(folder, "tokenizer_config.json", replace_word_delimiter_char="")
    return folder


def cleaned(tmp: Path) -> Path:
    """transformers 4.30 to 4.44 wrote clean_up_tokenization_spaces."""
    folder = checkpoints.make(tmp / "m", ["<pad>", "<s>", "</s>", "<unk>", "|", *"'.,?!nmstve"])
    change(folder, "tokenizer_config.json", clean_up_tokenization_spaces=True)
    return folder


def of_a_step(tmp: Path) -> Path:
    """A Trainer's checkpoint-500: its vocabulary is one folder up."""
    above = plain(tmp)
    (above / "checkpoint-500").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.move(above / name, above / "checkpoint-500" / name)
    return above / "checkpoint-500"


def languages(tmp: Path) -> Path:
    """facebook/mms-1b-all: a vocabulary a language, one of which is set."""
    folder = plain(tmp)
    vocabulary(folder, {"tur": numbered(LETTERS[::-1]), "eng": numbered(LETTERS)})
    change(folder, "tokenizer_config.json", target_lang="eng")
    return folder


def lower(tmp: Path) -> Path:
    folder = plain(tmp)
    change(folder, "tokenizer_config.json", do_lower_case=True)
    return folder


def three_thousand(tmp: Path) -> Path:
    return checkpoints.make(tmp / "m", ["<pad>", "<s>", "</s>", "<unk>", *map(chr, range(0x4E00, 0x4E00 + 3_000))])


def korean(tmp: Path) -> Path:
    """kresnik/wav2vec2-large-xlsr-korean: [UNK] and [PAD] behind the syllables, weights in pytorch_model.bin with old names."""
    tokens = ["|", *"가나다라마바사아자차카타파하", "[UNK]", "[PAD]"]
    folder = checkpoints.make(tmp / "m", tokens, pad_token_id=len(tokens) - 1)
    change(folder, "tokenizer_config.json", unk_token="[UNK]", pad_token="[PAD]", bos_token=None, eos_token=None)
    checkpoints.only_pickled(folder)
    return folder


def of_today(tmp: Path) -> Path:
    """Cased and with punctuation, float16 in several files, its features in processor_config.json."""
    import transformers

    folder = checkpoints.make(tmp / "m", ["<pad>", "<s>", "</s>", "<unk>", "|", *"aAeEtTnNsS.,?'"])
    features = json.loads((folder / "preprocessor_config.json").read_text())
    model = transformers.Wav2Vec2ForCTC.from_pretrained(folder).half()
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    (folder / "preprocessor_config.json").unlink()
    change(folder, "processor_config.json", processor_class="Wav2Vec2Processor", feature_extractor=features)
    return folder


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        plain,
        phonemes,
        added_file,
        added_decoder,
        holes,
        fewer,
        no_delimiter,
        underscore,
        nothing_between,
        cleaned,
        of_a_step,
        languages,
        lower,
        three_thousand,
        korean,
        of_today,
    )
}


def waves() -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [(random.normal(size=count) * 0.1).astype(np.float32) for count in range(8_000, 18_000, 1_000)]


def theirs(folder: Path) -> list[str]:
    from transformers import AutoModelForCTC, AutoTokenizer

    model = AutoModelForCTC.from_pretrained(folder, dtype=torch.float32).eval()
    of_step = folder.name.startswith("checkpoint-")
    tokenizer = AutoTokenizer.from_pretrained(
        folder.parent if of_step else folder, **{"config": model.config} if of_step else {}
    )
    found = []
    for wave in waves():
        heard = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
        with torch.inference_mode():
            found += tokenizer.batch_decode(model(torch.from_numpy(heard)[None]).logits.argmax(-1))
    return found


def ours(folder: Path) -> list[str]:
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    return [one.text for one in recognizer.transcribe(waves(), OPTIONS)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_heard_as_transformers_hears_it_taken_in_trained_and_read_again(
    layout: str, tmp_path: Path
) -> None:
    folder = LAYOUTS[layout](tmp_path)
    expected = theirs(folder)
    assert len(set(expected)) > 8, "equal transcripts would hide what is wrong"
    assert ours(folder) == expected
    taken = tmp_path / "taken"
    waveform_ctc.import_checkpoint(str(folder), taken)
    assert ours(taken) == theirs(taken) == expected
    known = waveform_ctc.load(str(folder), OPTIONS).vocabulary
    words = sorted(known.characters - {" "})[:3]
    text = (" " if known.phones else "").join(words)
    if known.lower_case:
        text = text.lower()
    rows = [TrainingUtterance(row, f"{row}.wav", text, 0.6) for row in (1, 2)]
    options = TrainOptions(
        batch_size=2, max_epochs=1, learning_rate=1e-3, augment=False, device="cpu", precision="float32"
    )
    for number, name in enumerate((folder, tmp_path / "built-0")):
        built = tmp_path / f"built-{number}"
        report = train(task(name, rows, replace(options), built, lambda audio: waves()[2]))
        assert report.steps == 1
        assert ours(built) == theirs(built)
        assert waveform_ctc.load(str(built), OPTIONS).vocabulary.tokens == known.tokens


def test_a_tokenizer_json_alone_is_the_vocabulary(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders
    from tokenizers.models import WordLevel

    folder = checkpoints.make(tmp_path / "m")
    made = Tokenizer(WordLevel(numbered(LETTERS), unk_token="<unk>"))
    made.decoder = decoders.CTC(pad_token="<pad>", word_delimiter_token="|", cleanup=False)
    expected = ours(folder)
    (folder / "vocab.json").unlink()
    made.save(str(folder / "tokenizer.json"))
    assert ours(folder) == expected
    waveform_ctc.import_checkpoint(str(folder), tmp_path / "taken")
    assert ours(tmp_path / "taken") == expected


def test_languages_of_which_none_is_set_are_named_and_a_wrong_one_gets_the_closest(tmp_path: Path) -> None:
    folder = languages(tmp_path)
    change(folder, "tokenizer_config.json", target_lang=None)
    with pytest.raises(ThanoSQLModelError, match=r"vocabularies of 2 languages.*\n.*tur, eng"):
        ours(folder)
    change(folder, "tokenizer_config.json", target_lang="emg")
    with pytest.raises(ThanoSQLModelError, match=r"no vocabulary of the language 'emg'.*\n.*eng"):
        ours(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_when_they_are_taken_in(tmp_path: Path, value: float) -> None:
    from safetensors.torch import load_file, save_file

    folder = plain(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["wav2vec2.encoder.layers.1.attention.q_proj.weight"][3, 3] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ThanoSQLModelError, match=r"are NaN or infinite in wav2vec2.encoder.layers.1"):
        waveform_ctc.import_checkpoint(str(folder), tmp_path / "taken")
    assert not (tmp_path / "taken").exists()


def test_only_the_weights_that_are_loaded_are_counted(tmp_path: Path) -> None:
    folder = plain(tmp_path)
    before = waveform_ctc.facts(str(folder))
    for name in ("pytorch_model.bin", "tf_model.safetensors", "model.fp16.safetensors"):
        shutil.copyfile(folder / "model.safetensors", folder / name)
    after = waveform_ctc.facts(str(folder))
    assert before is not None
    assert after is not None
    assert (after.parameters, after.weight_bytes) == (before.parameters, before.weight_bytes)
    assert after.weight_bytes == (folder / "model.safetensors").stat().st_size


def pretrained(tmp: Path) -> Path:
    """facebook/wav2vec2-base: no head, and yet the files of a tokenizer."""
    from safetensors.torch import load_file, save_file

    folder = plain(tmp)
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("lm_head.")}
    save_file(kept | {"quantizer.codevectors": torch.zeros(2)}, folder / "model.safetensors", metadata={"format": "pt"})
    change(folder, "config.json", architectures=["Wav2Vec2ForPreTraining"])
    return folder


def test_a_pretrained_model_with_a_vocabulary_gets_a_head_for_it(tmp_path: Path) -> None:
    folder = pretrained(tmp_path)
    with pytest.raises(ThanoSQLModelError, match=r"Wav2Vec2ForPreTraining\) without a CTC head.*\n.*BUILD MODEL"):
        ours(folder)
    rows = [TrainingUtterance(row, f"{row}.wav", "ABC", 0.6) for row in (1, 2)]
    options = TrainOptions(batch_size=2, max_epochs=1, learning_rate=1e-3, device="cpu")
    train(task(folder, rows, options, tmp_path / "built", lambda audio: waves()[2]))
    assert ours(tmp_path / "built") == theirs(tmp_path / "built")
    assert waveform_ctc.load(str(tmp_path / "built"), OPTIONS).vocabulary.tokens == tuple(LETTERS)


def test_a_pretrained_model_without_a_vocabulary_says_what_it_is_and_how_it_gets_one(tmp_path: Path) -> None:
    """facebook/wav2vec2-large-xlsr-53 has neither head nor vocabulary; and a model that classifies has another head."""
    folder = pretrained(tmp_path)
    (folder / "vocab.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    said = (
        r"Wav2Vec2ForPreTraining\) without a CTC head and without a vocabulary: it cannot transcribe yet\."
        r"\nTrain it first: .*vocabulary='rebuild'"
    )
    rows = [TrainingUtterance(1, "1.wav", "ABC", 0.6)]
    for ask in (
        lambda: ours(folder),
        lambda: waveform_ctc.import_checkpoint(str(folder), tmp_path / "taken"),
        lambda: train(task(folder, rows, TrainOptions(device="cpu"), tmp_path / "built", lambda audio: waves()[2])),
    ):
        with pytest.raises(ThanoSQLModelError, match=said):
            ask()


@pytest.mark.parametrize("how", ["keep", "extend", "rebuild"])
def test_a_trained_head_without_its_vocabulary_is_not_thrown_away(tmp_path: Path, how: Any) -> None:
    folder = plain(tmp_path)
    (folder / "vocab.json").unlink()
    rows = [TrainingUtterance(1, "1.wav", "ABC", 0.6)]
    options = TrainOptions(max_epochs=1, vocabulary=how, device="cpu")
    with pytest.raises(ThanoSQLModelError, match=r"has a trained head.*\nCopy its own vocab\.json"):
        train(task(folder, rows, options, tmp_path / "built", lambda audio: waves()[2]))


HOSTILE: dict[str, dict[str, Any]] = {
    "a million layers": {"num_hidden_layers": 1_000_000},
    "more layers than weights": {"num_hidden_layers": 999},
    "no layers": {"num_hidden_layers": 0},
    "a vocabulary of 10^12": {"vocab_size": 10**12},
    "a vocabulary below 0": {"vocab_size": -3},
    "a size in quotes": {"hidden_size": "48"},
    "a size below 0": {"hidden_size": -48},
    "a size of 10^30": {"intermediate_size": 10**30},
    "wider than the weights": {"intermediate_size": 60_000},
    "no heads": {"num_attention_heads": 0},
    "strides of 0": {"conv_stride": [0] * 7},
    "no convolutions": {"conv_dim": [], "conv_kernel": [], "conv_stride": []},
    "lists that differ": {"conv_stride": [5, 2]},
    "a number for a list": {"conv_dim": 512},
    "a truth for a size": {"num_conv_pos_embeddings": True},
    "a million kernels": {"num_conv_pos_embeddings": 10**9},
    "labels of nothing, 10^9 of them": {"num_labels": 10**9},
    "labels below 0": {"num_labels": -3},
    "adapters of 10^12": {"adapter_attn_dim": 10**12},
    "a million adapters": {"add_adapter": True, "num_adapter_layers": 10**6},
}


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
def test_sizes_that_no_model_has_are_refused_before_anything_is_made(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = plain(tmp_path)
    change(folder, "config.json", **changes)
    for ask in (
        lambda: waveform_ctc.load(str(folder), OPTIONS),
        lambda: waveform_ctc.facts(str(folder)),
        lambda: waveform_ctc.import_checkpoint(str(folder), tmp_path / "taken"),
    ):
        with pytest.raises(ThanoSQLModelError, match=r"config\.json"):
            ask()


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "tokenizer_config.json", "model.safetensors"])
def test_a_header_that_is_nested_too_deep_is_damage(tmp_path: Path, name: str) -> None:
    folder = plain(tmp_path)
    deep = b'{"a":' * 200_000
    (folder / name).write_bytes(len(deep).to_bytes(8, "little") + deep if name == "model.safetensors" else deep)
    with pytest.raises(ThanoSQLModelError, match=name):
        waveform_ctc.load(str(folder), OPTIONS)


TURKISH = ["<pad>", "<s>", "</s>", "<unk>", "|", *"aeinrlıkdmyutsbozgşçhvcpfğjöü"]


def turkish(tmp: Path, *, adapter: bool = True) -> Path:
    """facebook/mms-1b-all set to Turkish: English weights, and beside them the adapters and the head of Turkish."""
    from safetensors.torch import save_file
    from transformers import Wav2Vec2ForCTC

    folder = checkpoints.make(tmp / "m", **checkpoints.LARGE, adapter_attn_dim=8)
    vocabulary(folder, {"eng": numbered(LETTERS), "tur": numbered(TURKISH)})
    change(folder, "tokenizer_config.json", target_lang="tur")
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    generator = torch.Generator().manual_seed(4)
    model.lm_head = torch.nn.Linear(48, len(TURKISH))
    weights = {
        name: torch.randn(value.shape, generator=generator).contiguous()
        for name, value in model._get_adapters().items()
    }
    if adapter:
        save_file(weights, folder / "adapter.tur.safetensors", metadata={"format": "pt"})
    return folder


def test_the_adapters_and_head_of_the_language_that_is_set_are_read(tmp_path: Path) -> None:
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

    folder = turkish(tmp_path)
    model = Wav2Vec2ForCTC.from_pretrained(folder, target_lang="tur", ignore_mismatched_sizes=True).eval()
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    expected = []
    for wave in waves():
        heard = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
        with torch.inference_mode():
            expected += tokenizer.batch_decode(model(torch.from_numpy(heard)[None]).logits.argmax(-1))
    assert len(set(expected)) > 8
    assert ours(folder) == expected
    waveform_ctc.import_checkpoint(str(folder), tmp_path / "taken")
    assert ours(tmp_path / "taken") == expected
    rows = [TrainingUtterance(row, f"{row}.wav", "on", 0.6) for row in (1, 2)]
    options = TrainOptions(batch_size=2, max_epochs=1, learning_rate=1e-3, device="cpu", train="all")
    train(task(folder, rows, options, tmp_path / "built", lambda audio: waves()[2]))
    assert ours(tmp_path / "built") == theirs(tmp_path / "built")


def test_a_language_whose_weights_are_not_there_is_refused_and_never_heard_as_another(tmp_path: Path) -> None:
    folder = turkish(tmp_path, adapter=False)
    assert len(TURKISH) > len(LETTERS)
    for tokens in (TURKISH, TURKISH[:20]):
        vocabulary(folder, {"eng": numbered(LETTERS), "tur": numbered(tokens)})
        with pytest.raises(ThanoSQLModelError, match=r"set to the language 'tur'.*\nPut adapter\.tur\.safetensors"):
            ours(folder)
