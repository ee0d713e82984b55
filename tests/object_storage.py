"""A local S3 server (moto's) that this process and those it starts know by their environment, as one is known anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "k",
    "AWS_SECRET_ACCESS_KEY": "s",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def serving(bucket: str) -> Iterator[Any]:
    """The server, and s3fs as it reaches it, with an empty bucket."""
    s3fs = pytest.importorskip("s3fs", reason='s3:// needs the extra: pip install "thanosql-speech[remote]"')
    pytest.importorskip("flask", reason="moto's server needs flask: pip install 'moto[server]'")
    moto = pytest.importorskip("moto.server", reason="the local S3 is moto's: pip install 'moto[server]'")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(key, value)
        s3fs.S3FileSystem.clear_instance_cache()
        files = s3fs.S3FileSystem(use_listings_cache=False)
        if files.exists(bucket):  # moto keeps the buckets of one process together, whichever server they came by
            files.rm(bucket, recursive=True)
        files.mkdir(bucket)
        try:
            yield files
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            running.stop()
