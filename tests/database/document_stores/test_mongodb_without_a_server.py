"""What can be tried of MongoDB's store where no server can be had; the contract needs one."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from bson import decode, encode
from bson.codec_options import CodecOptions

from topchef_schema.database.documents import (
    DocumentStore,
    MongoDBDocumentStores,
    mongodb_document_store,
    open_stores,
)
from topchef_schema.database.json_type import JSONValueError
from topchef_schema.errors import UnreachableError, UsageError

NOBODY = "mongodb://cook:s3cr3t@127.0.0.1:1/kitchen?serverSelectionTimeoutMS=200&authSource=admin"
KEY = uuid.uuid4()


@pytest.fixture
def store() -> Iterator[DocumentStore]:
    with closing(open_stores(NOBODY)) as stores:
        yield stores["services"]


def test_the_label_has_no_secret(store: DocumentStore) -> None:
    assert store.label == "mongodb://127.0.0.1:1/kitchen, collection kitchen.services"


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("mongodb://a,b:27018/x?replicaSet=r", "mongodb://a,b:27018/x"),
        ("mongodb://cook:p%40ss@a/", "mongodb://a/"),
        ("mongodb://a", "mongodb://a"),
    ],
)
def test_labels(url: str, label: str) -> None:
    with closing(MongoDBDocumentStores.open(url)) as stores:
        assert stores.label == label
        assert stores["jobs"].label.startswith(f"{label}, collection ")


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://cook:s3cr3t@@host/x",
        "mongodb://cook:s3cr3t?@host/x",
        "mongodb://cook:s3cr3t@host:port/x",
        "mongodb://",
    ],
)
def test_a_url_that_cannot_be_read(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        open_stores(url)
    assert "s3cr3t" not in str(caught.value)
    assert "cook" not in str(caught.value)


def test_without_a_database_in_the_url_it_is_topchefs() -> None:
    with closing(open_stores("mongodb://127.0.0.1:1")) as stores:
        assert stores["jobs"].label == "mongodb://127.0.0.1:1, collection topchef.jobs"


def test_a_server_that_is_not_there(store: DocumentStore) -> None:
    started = time.monotonic()
    for ask in (
        lambda: store.get(KEY),
        lambda: store.get_many([KEY]),
        lambda: store.put(KEY, {}),
        lambda: store.delete(KEY),
        lambda: list(store.keys()),
    ):
        with pytest.raises(UnreachableError, match="the document store cannot be used") as caught:
            ask()
        assert "s3cr3t" not in str(caught.value)
        assert caught.value.where == store.label
    assert time.monotonic() - started < 20


def test_it_is_waited_for_as_long_as_the_url_says() -> None:
    unless = mongodb_document_store._unless_said
    assert unless("mongodb://a/?serverSelectionTimeoutMS=5") == {}
    assert unless("mongodb://a/") == {"serverSelectionTimeoutMS": 10_000}


@pytest.mark.parametrize("document", [{"n": float("nan")}, {1: 2}, "ä" * 9_000_000])
def test_what_it_cannot_hold_is_refused_before_a_server_is_asked(
    store: DocumentStore, document: Any
) -> None:
    with pytest.raises(JSONValueError) as caught:
        store.put(KEY, document)
    assert caught.value.path.startswith("$")


def test_what_it_just_holds_fits_into_a_document_of_mongodb() -> None:
    whole = encode({"_id": KEY.bytes, "document": "x" * mongodb_document_store.MAX_BYTES})
    assert len(whole) <= 16 * 1024 * 1024


def test_keys_are_uuids_in_the_standard_representation() -> None:
    stores = open_stores("mongodb://127.0.0.1:1")
    assert isinstance(stores, MongoDBDocumentStores)
    with closing(stores):
        options: CodecOptions[dict[str, Any]] = stores._client.codec_options
        sent = encode({"_id": KEY}, codec_options=options)
        assert b"\x04" + KEY.bytes in sent
        assert decode(sent, codec_options=options) == {"_id": KEY}


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymongo", None)
    with pytest.raises(UsageError) as caught:
        open_stores(NOBODY)
    assert "topchef-schema[mongodb]" in caught.value.hint
    assert "s3cr3t" not in str(caught.value)
