"""Families of models; no SQL is known here."""

import os

# oneDNN compiles a kernel for each length of audio and keeps the last 1,024, of 1 to 2 MB each in training. Audio is of any
# length, so few are used again, and a training takes gigabytes for them; 64 hold what the lengths share. Read by oneDNN at its
# first product, whoever asks for that one.
if not os.environ.keys() & {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY"}:
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "64"
