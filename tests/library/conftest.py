"""An S3 server, and a bucket on it, for the tests of photos behind URLs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from photoindex.system import url_storage
from tests import s3
from tests.s3 import Bucket, Gate


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    reason = s3.missing()
    if reason is not None:
        pytest.skip(reason)
    with s3.server() as running:
        yield running


@pytest.fixture
def gate(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """What stands between photoindex and the server in this test."""
    gate = Gate(port)
    for name, value in {**s3.KEYS, "AWS_ENDPOINT_URL": gate.url, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(url_storage, "_GLANCE_SECONDS", 0.0)
    monkeypatch.setattr(url_storage, "_LISTING_TIMES", 0)
    url_storage._store.cache_clear()
    yield gate
    url_storage._store.cache_clear()
    gate.close()


@pytest.fixture
def bucket(gate: Gate, port: int, tmp_path: Path) -> Iterator[Bucket]:
    made = Bucket(s3.client(port), f"photos-{os.urandom(4).hex()}", tmp_path)
    yield made
    made.drop()
