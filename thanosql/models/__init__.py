"""Families of models; no SQL is known here."""

import os

# oneDNN compiles kernels for each length of audio and keeps the last 1,024. In training they are of about 1 MB, and where
# rows are of many lengths few are used again, so that a training took gigabytes for them. PREDICT of short clips loses time
# with 64 and none with 256. Read by oneDNN at its first product, whoever asks for that one.
KERNELS = 256
if not os.environ.keys() & {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY"}:
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = str(KERNELS)
