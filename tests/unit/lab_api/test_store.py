"""The object store: versions, history, the past, and the file behind it."""

import sqlite3

import pytest

from stormlab.api.kinds import CONFIG_MAP, POD, SECRET
from stormlab.api.record import Event
from stormlab.api.store import Store, TooOldError


def tree(name, namespace="default", **data):
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, "data": data}


def names(records):
    return [f"{record.namespace}/{record.name}" for record in records]


def test_versions_rise_by_one_with_every_write_of_any_kind():
    store = Store()
    first = store.put(CONFIG_MAP, tree("a"))
    second = store.put(SECRET, tree("a"))
    third = store.remove(first)
    assert (second.version, third.version) == (first.version + 1, first.version + 2)
    assert third.tree["metadata"]["resourceVersion"] == str(third.version)


def test_lists_are_in_the_order_of_namespace_and_name():
    store = Store()
    for namespace, name in (("b", "a"), ("a-b", "z"), ("a", "c"), ("a", "b")):
        store.put(CONFIG_MAP, tree(name, namespace))
    # As etcd orders its keys: "-" comes before "/".
    assert names(store.records(CONFIG_MAP)) == ["a-b/z", "a/b", "a/c", "b/a"]
    assert names(store.records(CONFIG_MAP, "a")) == ["a/b", "a/c"]
    assert names(store.records(CONFIG_MAP, "a-")) == []


def test_the_past_is_seen_as_it_was():
    store = Store()
    store.put(CONFIG_MAP, tree("a", v="1"))
    store.put(CONFIG_MAP, tree("b", v="1"))
    then = store.version
    store.put(CONFIG_MAP, tree("a", v="2"))
    store.remove(store.get(CONFIG_MAP, "default", "b"))
    store.put(CONFIG_MAP, tree("c"))
    past = store.records(CONFIG_MAP, "default", version=then)
    assert [(record.name, record.tree["data"]) for record in past] == [("a", {"v": "1"}), ("b", {"v": "1"})]
    assert names(store.records(CONFIG_MAP)) == ["default/a", "default/c"]


def test_history_is_bounded_and_says_how_far_it_reaches():
    store = Store(window=10)
    store.put(CONFIG_MAP, tree("a"))
    start = store.version
    for number in range(50):
        store.put(CONFIG_MAP, tree("a", v=str(number)))
    assert len(store.since(CONFIG_MAP, store.version - 10)) == 10
    with pytest.raises(TooOldError) as caught:
        store.since(CONFIG_MAP, start)
    oldest = caught.value.oldest
    assert start < oldest <= store.version - 10
    assert store.since(CONFIG_MAP, oldest)[0].version == oldest + 1
    # Other kinds' history is their own.
    assert store.since(POD, start) == []


def test_compaction_forgets():
    store = Store()
    store.put(CONFIG_MAP, tree("a"))
    before = store.version - 1
    store.compact()
    with pytest.raises(TooOldError):
        store.since(CONFIG_MAP, before)
    assert store.since(CONFIG_MAP, store.version) == []


def test_listeners_hear_changes_of_their_kind_until_they_stop():
    store, heard = Store(), []
    stop = store.listen(CONFIG_MAP, heard.append)
    record = store.put(CONFIG_MAP, tree("a"))
    store.put(SECRET, tree("a"))
    store.put(CONFIG_MAP, tree("a", v="1"))
    store.remove(store.get(CONFIG_MAP, "default", "a"))
    stop()
    store.put(CONFIG_MAP, tree("b"))
    assert [event.change for event in heard] == ["ADDED", "MODIFIED", "DELETED"]
    assert heard[1].before is record


def test_the_file_brings_everything_back(tmp_path):
    path = tmp_path / "api.db"
    store = Store(path)
    kept = store.put(CONFIG_MAP, tree("a", v="ä"))
    store.put(CONFIG_MAP, tree("b"))
    last = store.remove(store.get(CONFIG_MAP, "default", "b"))
    # Not closed: a killed process does not close either.
    again = Store(path)
    assert again.version == last.version
    found = again.get(CONFIG_MAP, "default", "a")
    assert (found.version, found.tree, found.item) == (kept.version, kept.tree, kept.item)
    assert again.get(CONFIG_MAP, "default", "b") is None
    with pytest.raises(TooOldError):
        again.since(CONFIG_MAP, last.version - 1)
    assert again.put(CONFIG_MAP, tree("c")).version == last.version + 1


def test_a_write_the_file_refuses_did_not_happen(tmp_path, monkeypatch):
    store = Store(tmp_path / "api.db")
    before = store.version
    heard: list[Event] = []
    store.listen(CONFIG_MAP, heard.append)
    store.close()
    with pytest.raises(sqlite3.Error):
        store.put(CONFIG_MAP, tree("a"))
    assert store.get(CONFIG_MAP, "default", "a") is None
    assert (store.version, heard) == (before, [])


def test_a_removal_the_file_refuses_did_not_happen_and_holds_up_nothing(tmp_path):
    path = tmp_path / "api.db"
    store = Store(path)
    kept = store.put(CONFIG_MAP, tree("a"))
    with sqlite3.connect(path) as beside:
        beside.execute("CREATE TRIGGER refuse BEFORE DELETE ON object BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(sqlite3.Error, match="full"):
        store.remove(kept)
    assert store.get(CONFIG_MAP, "default", "a") is kept
    beside.execute("DROP TRIGGER refuse")
    beside.close()
    last = store.remove(kept)
    assert Store(path).version == last.version


def test_an_event_is_encoded_once_for_all_watchers():
    store, heard = Store(), []
    store.listen(CONFIG_MAP, heard.append)
    store.put(CONFIG_MAP, tree("a"))
    assert heard[0].line("ADDED") is heard[0].line("ADDED")
    assert heard[0].line("ADDED").endswith(b"}\n")
