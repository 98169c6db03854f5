"""Watches: every change once and in order, from where one left off; and what to do when that is too long ago."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from .asking import MERGE, Api, Json, core
from .cited import BOOKMARKS, CONCURRENCY, GONE, LABELS, WATCH, WATCH_SEMANTICS, cites
from .conftest import Region


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


def make(api: Api, namespace: str, name: str, **labels: str) -> Json:
    return api.done(
        "POST",
        core(namespace, "secrets"),
        {"metadata": {"name": name, "labels": labels}, "stringData": {"k": "0"}},
    )


def change(api: Api, namespace: str, name: str, **metadata: Any) -> Json:
    body = {"metadata": metadata} if metadata else {"stringData": {"k": "1"}}
    return api.done("PATCH", core(namespace, "secrets", name), body, MERGE)


def version(body: Json) -> str:
    return str(body["metadata"]["resourceVersion"])


def take(api: Api, namespace: str, count: int, **query: str) -> list[tuple[str, str, str]]:
    """So many events: type, name, resourceVersion."""
    found = []
    for event in api.watch(core(namespace, "secrets"), **query):
        meta = event["object"]["metadata"]
        found.append((event["type"], meta.get("name", ""), meta["resourceVersion"]))
        if len(found) == count:
            break
    return found


def everything(api: Api, namespace: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Make, change and delete; the version before all of it, and what a watcher must see."""
    before = api.get(core(namespace, "secrets")).version
    a, b = make(api, namespace, "a"), make(api, namespace, "b")
    changed = change(api, namespace, "a")
    api.done("DELETE", core(namespace, "secrets", "b"))
    seen = [("ADDED", "a", version(a)), ("ADDED", "b", version(b)), ("MODIFIED", "a", version(changed))]
    return before, seen


@cites(WATCH, WATCH_SEMANTICS)
def test_all_changes_after_a_list_come_once_and_in_order(api: Api, namespace: str) -> None:
    before, seen = everything(api, namespace)
    found = take(api, namespace, 4, resourceVersion=before)
    assert found[:3] == seen
    # What is deleted is told at the version of its deletion, which is none the object ever had.
    assert found[3][:2] == ("DELETED", "b")
    assert found[3][2] not in {item[2] for item in found[:3]}


@cites(WATCH)
@pytest.mark.parametrize("left_off", range(4))
def test_a_watch_goes_on_where_another_left_off(api: Api, namespace: str, left_off: int) -> None:
    before, _ = everything(api, namespace)
    whole = take(api, namespace, 4, resourceVersion=before)
    resumed = take(api, namespace, 3 - left_off, resourceVersion=whole[left_off][2]) if left_off < 3 else []
    assert resumed == whole[left_off + 1 :]
    assert take(api, namespace, 1, resourceVersion=whole[3][2], timeoutSeconds="1") == []


@cites(WATCH_SEMANTICS)
@pytest.mark.parametrize("start", [{}, {"resourceVersion": "0"}], ids=["unset", "zero"])
def test_without_a_version_what_is_there_comes_first(api: Api, namespace: str, start: dict[str, str]) -> None:
    here = [make(api, namespace, name) for name in ("a", "b")]
    changed = change(api, namespace, "a")
    found = take(api, namespace, 2, **start)
    assert sorted(found) == [("ADDED", "a", version(changed)), ("ADDED", "b", version(here[1]))]


@cites(WATCH)
def test_changes_come_while_one_watches(api: Api, region: Region, namespace: str) -> None:
    seen: list[str] = []
    began = api.get(core(namespace, "secrets")).version

    def follow() -> None:
        for event in api.watch(core(namespace, "secrets"), resourceVersion=began):
            seen.append(event["type"])
            if event["type"] == "DELETED":
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    for number, act in enumerate((make, change), 1):
        act(api, namespace, "a")
        region.eventually(lambda count=number: len(seen) == count, "it is seen before the next is done")
    api.done("DELETE", core(namespace, "secrets", "a"))
    thread.join(timeout=region.patience_s)
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


@cites(WATCH, LABELS)
def test_what_leaves_the_selection_is_deleted_and_what_comes_back_added(api: Api, namespace: str) -> None:
    before = api.get(core(namespace, "secrets")).version
    make(api, namespace, "a", app="bank")
    make(api, namespace, "other", app="edge")
    left = change(api, namespace, "a", labels={"app": "edge"})
    change(api, namespace, "a", annotations={"unseen": "1"})
    back = change(api, namespace, "a", labels={"app": "bank"})
    events = []
    for event in api.watch(core(namespace, "secrets"), labelSelector="app=bank", resourceVersion=before):
        events.append(event)
        if len(events) == 3:
            break
    assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED"]
    assert version(events[1]["object"]) == version(left)
    assert events[1]["object"]["metadata"]["labels"] == {"app": "bank"}
    assert version(events[2]["object"]) == version(back)


@cites(WATCH)
def test_one_object_is_watched_by_its_name(api: Api, namespace: str) -> None:
    before, seen = everything(api, namespace)
    found = take(api, namespace, 2, resourceVersion=before, fieldSelector="metadata.name=a")
    assert found == [seen[0], seen[2]]


@cites(CONCURRENCY)
def test_a_write_that_changes_nothing_is_no_event(api: Api, namespace: str) -> None:
    made = make(api, namespace, "a")
    before = version(made)
    api.done("PUT", core(namespace, "secrets", "a"), {k: v for k, v in made.items() if k != "stringData"})
    changed = change(api, namespace, "a")
    assert take(api, namespace, 1, resourceVersion=before) == [("MODIFIED", "a", version(changed))]


@cites(WATCH_SEMANTICS)
def test_a_watch_ends_when_its_time_is_up(api: Api, namespace: str) -> None:
    began = api.get(core(namespace, "secrets")).version
    assert list(api.watch(core(namespace, "secrets"), resourceVersion=began, timeoutSeconds="1")) == []


@cites(GONE, WATCH)
def test_a_version_too_long_ago_is_one_410_and_a_new_list_goes_on_from_there(
    api: Api, region: Region, namespace: str
) -> None:
    make(api, namespace, "a")
    stream = api.watch(core(namespace, "secrets"), resourceVersion="1", timeoutSeconds="5")
    first = next(stream)
    if first["type"] != "ERROR" and not region.port:
        pytest.skip("this server still remembers its first version")
    said = first["object"]
    assert (first["type"], said["kind"], said["status"]) == ("ERROR", "Status", "Failure")
    assert (said["code"], said["reason"]) == (410, "Expired")
    assert list(stream) == []
    listed = api.get(core(namespace, "secrets"))
    made = make(api, namespace, "b")
    assert take(api, namespace, 1, resourceVersion=listed.version) == [("ADDED", "b", version(made))]


@cites(BOOKMARKS)
def test_a_bookmark_is_a_version_to_go_on_from(api: Api, namespace: str) -> None:
    began = api.get(core(namespace, "secrets")).version
    # Others' changes move the version on; they are not in what is watched here.
    api.done("POST", core(namespace, "configmaps"), {"metadata": {"name": "elsewhere"}})
    query = {"resourceVersion": began, "allowWatchBookmarks": "true", "timeoutSeconds": "5"}
    marks = [event for event in api.watch(core(namespace, "secrets"), **query) if event["type"] == "BOOKMARK"]
    if not marks:
        pytest.skip("this server sent no bookmark within 5 s, and need not")
    shown = marks[-1]["object"]
    assert (shown["kind"], shown["apiVersion"]) == ("Secret", "v1")
    assert {key: value for key, value in shown["metadata"].items() if value} == {
        "resourceVersion": version(shown)
    }
    made = make(api, namespace, "a")
    assert take(api, namespace, 1, resourceVersion=version(shown)) == [("ADDED", "a", version(made))]


@cites(BOOKMARKS)
def test_bookmarks_come_only_to_those_who_ask(api: Api, namespace: str) -> None:
    began = api.get(core(namespace, "secrets")).version
    assert list(api.watch(core(namespace, "secrets"), resourceVersion=began, timeoutSeconds="3")) == []
