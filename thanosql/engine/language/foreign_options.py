"""What an option, or a switch's value, is called elsewhere in; what it is called here out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# By their names in transformers, Whisper, NeMo, other databases, and as people guess them; the first that a statement has.
_NAMES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("lr", "max_lr", "peak_lr"), ("learning_rate",)),
    **dict.fromkeys(("num_train_epochs", "n_epochs", "num_epochs", "passes"), ("max_epochs",)),
    **dict.fromkeys(("bs", "train_batch_size", "per_device_train_batch_size"), ("batch_size",)),
    **dict.fromkeys(("accumulate_grad_batches", "gradient_accumulation_steps"), ("gradient_accumulation",)),
    **dict.fromkeys(("val_split", "test_size", "validation_split", "dev_split"), ("valid_split",)),
    **dict.fromkeys(("random_state", "random_seed"), ("seed",)),
    **dict.fromkeys(("patience",), ("early_stopping",)),
    **dict.fromkeys(("dtype", "torch_dtype", "fp16", "bf16", "compute_type"), ("precision",)),
    **dict.fromkeys(("gpu", "cuda", "use_gpu"), ("device",)),
    **dict.fromkeys(("num_beams", "beam_size", "beams", "beam"), ("beam_width",)),
    **dict.fromkeys(("keywords", "phrases", "boost", "initial_prompt", "word_list"), ("hotwords",)),
    **dict.fromkeys(("return_timestamps", "word_timestamps", "word_times"), ("timestamps",)),
    **dict.fromkeys(("lang", "locale"), ("language",)),
    **dict.fromkeys(("output", "output_table", "into", "destination", "save_as", "to"), ("table_name",)),
    **dict.fromkeys(("audio", "path", "file", "audio_column", "audio_path", "input_col"), ("audio_col",)),
    **dict.fromkeys(("label", "labels", "target", "reference", "transcript", "text", "label_col"), ("text_col",)),
    **dict.fromkeys(("output_col", "prediction_col", "alias"), ("result_col",)),
    **dict.fromkeys(("id", "key", "primary_key", "unique_key"), ("row_key",)),
    **dict.fromkeys(("force", "replace", "if_exists"), ("overwrite", "if_exists")),
    **dict.fromkeys(("skip_errors", "ignore_errors", "errors"), ("on_error",)),
    **dict.fromkeys(("compare", "compare_to", "baseline"), ("against",)),
    **dict.fromkeys(("by", "groupby", "partition_by"), ("group_by",)),
}
_SWITCHES = {
    **dict.fromkeys(("yes", "on", "y", "t", "1", "enabled"), "True"),
    **dict.fromkeys(("no", "off", "n", "f", "0", "disabled"), "False"),
}


def option_here(name: str, declared: Collection[str]) -> str | None:
    """The option of a statement, one of `declared`, that is called `name` elsewhere.

    >>> option_here("lr", ["learning_rate", "seed"]), option_here("lr", ["beam_width"])
    ('learning_rate', None)
    """
    return next((here for here in _NAMES.get(name, ()) if here in declared), None)


def switch_here(value: str) -> str | None:
    """True or False, where the value is another word for it.

    >>> switch_here("Yes"), switch_here("perhaps")
    ('True', None)
    """
    return _SWITCHES.get(value.lower())
