"""The contract that every document store keeps."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database.documents import documents, exactly
from topchef_schema.database.documents import (
    DocumentStore,
    DocumentStores,
    NoDocumentError,
    sql_document_store,
)

KEY = uuid.UUID("11111111-1111-4111-8111-111111111111")
OTHER = uuid.UUID("22222222-2222-1222-9222-222222222222")


@pytest.fixture
def store(stores: DocumentStores) -> Iterator[DocumentStore]:
    """Return a store that is empty before and after."""
    store = stores["kitchens"]
    assert list(store.keys()) == []
    yield store
    for key in list(store.keys()):
        store.delete(key)


@given(document=documents)
def test_what_is_put_comes_back(stores: DocumentStores, document: Any) -> None:
    store = stores["round"]
    store.put(KEY, document)
    assert exactly(store.get(KEY)) == exactly(document)
    assert exactly(dict(store.get_many([OTHER, KEY]))) == exactly({KEY: document})
    store.delete(KEY)


def test_what_is_not_there(store: DocumentStore) -> None:
    with pytest.raises(NoDocumentError, match=f"no document for {KEY} in ") as caught:
        store.get(KEY)
    assert isinstance(caught.value, KeyError)
    assert (caught.value.key, caught.value.store) == (KEY, store.label)
    store.delete(KEY)
    assert store.get_many([KEY]) == {}
    assert store.get_many([]) == {}
    assert list(store.keys()) == []


def test_null_is_a_document(store: DocumentStore) -> None:
    store.put(KEY, None)
    assert store.get(KEY) is None
    assert store.get_many([KEY]) == {KEY: None}
    assert list(store.keys()) == [KEY]


def test_the_last_put_counts(store: DocumentStore) -> None:
    puts: list[Any] = [{"a": 1, "b": 2}, {"a": 1}, {"a": 1}, []]
    for document in puts:
        store.put(KEY, document)
        assert store.get(KEY) == document
    assert list(store.keys()) == [KEY]
    store.delete(KEY)
    store.put(KEY, 5)
    assert store.get(KEY) == 5


def test_a_document_is_of_one_resource(stores: DocumentStores, store: DocumentStore) -> None:
    other = stores["pantries"]
    store.put(KEY, "kitchen")
    other.put(KEY, "pantry")
    other.put(OTHER, "another")
    assert (store.get(KEY), other.get(KEY)) == ("kitchen", "pantry")
    assert store.get_many([KEY, OTHER]) == {KEY: "kitchen"}
    store.delete(KEY)
    assert {*other.keys()} == {KEY, OTHER}
    for key in (KEY, OTHER):
        other.delete(key)


@pytest.mark.parametrize(
    "document", [{"n": float("nan")}, {"n": 2**64}, {"t": "\0"}, {1: 2}, object()]
)
def test_what_is_refused_changes_nothing(store: DocumentStore, document: Any) -> None:
    store.put(KEY, "before")
    for key in (KEY, OTHER):
        with pytest.raises(ValueError, match="not storable as JSON"):
            store.put(key, document)
    assert store.get(KEY) == "before"
    assert list(store.keys()) == [KEY]


def test_a_schema_with_references_can_be_held(store: DocumentStore) -> None:
    schema = {"$schema": "https://json-schema.org/", "$ref": "#/$defs/a.b", "$defs": {"a.b": {}}}
    store.put(KEY, schema)
    assert store.get(KEY) == schema


def test_a_large_document(store: DocumentStore) -> None:
    document = {"text": "ä" * 3_000_000, "numbers": list(range(100_000))}
    store.put(KEY, document)
    assert store.get(KEY) == document


@given(st.sets(st.uuids(version=4) | st.uuids(version=1), min_size=1, max_size=20))
def test_every_key_is_listed_once(stores: DocumentStores, keys: set[uuid.UUID]) -> None:
    store = stores["listed"]
    for key in keys:
        store.put(key, str(key))
    listed = list(store.keys())
    assert {*listed} == keys
    assert len(listed) == len(keys)
    assert all(type(each) is uuid.UUID for each in listed)
    assert store.get_many(keys) == {key: str(key) for key in keys}
    for key in keys:
        store.delete(key)


def test_many_keys_are_listed_while_others_write(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_document_store, "BATCH", 7)
    keys = {uuid.uuid1() for _ in range(70)} | {uuid.uuid4() for _ in range(70)}
    for key in keys:
        store.put(key, 1)
    seen: list[uuid.UUID] = []
    for key in store.keys():  # noqa: SIM118 - a store is no mapping
        if not seen:
            store.put(key, 2)
            store.delete(OTHER)
        seen.append(key)
    assert {*seen} == keys
    assert len(seen) == len(keys)


def test_puts_at_the_same_time(stores: DocumentStores, store: DocumentStore) -> None:
    """One of them is the last; none fails, none is half there, also where the key is new."""
    failed: list[BaseException] = []
    common = [uuid.uuid4() for _ in range(5)]
    start = threading.Barrier(4)

    def write(number: int) -> None:
        try:
            start.wait(timeout=30)
            for turn in range(10):
                for key in common:
                    stores["kitchens"].put(key, {"by": number, "again": number, "turn": turn})
                stores["kitchens"].put(uuid.uuid4(), number)
                stores["kitchens"].delete(OTHER)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert len(list(store.keys())) == 5 + 4 * 10
    for document in store.get_many(common).values():
        assert document["by"] == document["again"]
        assert document["turn"] == 9


def test_the_label_says_where_and_what(stores: DocumentStores, store: DocumentStore) -> None:
    assert store.label.startswith(stores.label)
    assert "kitchens" in store.label
