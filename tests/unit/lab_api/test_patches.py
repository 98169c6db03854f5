"""JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormlab.api import strategic
from stormlab.api.patch import PatchError, json_patch, merge, same

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "change", "wanted"),
    [  # the examples of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target, change, wanted):
    assert merge(target, change) == wanted


COPY = {"op": "copy", "from": "/a", "path": "/b"}
TEST = {"op": "test", "path": "/a~1b", "value": 1}


@pytest.mark.parametrize(
    ("target", "operations", "wanted"),
    [
        ({"foo": [1, 2]}, [{"op": "add", "path": "/foo/1", "value": 9}], {"foo": [1, 9, 2]}),
        ({"foo": [1]}, [{"op": "add", "path": "/foo/-", "value": 2}], {"foo": [1, 2]}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
        ({"a": [1, 2]}, [{"op": "replace", "path": "/a/1", "value": 3}], {"a": [1, 3]}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": [1]}, [COPY, {"op": "add", "path": "/b/-", "value": 2}], {"a": [1], "b": [1, 2]}),
        ({"a/b": 1, "m~n": 2}, [TEST, {"op": "remove", "path": "/m~0n"}], {"a/b": 1}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ],
)  # fmt: skip
def test_json_patch(target, operations, wanted):
    assert json_patch(target, operations) == wanted


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": True},
        {"op": "remove", "path": "/nosuch"},
        {"op": "replace", "path": "/nosuch", "value": 1},
        {"op": "add", "path": "/nosuch/x", "value": 1},
        {"op": "add", "path": "/l/5", "value": 1},
        {"op": "remove", "path": "/l/-"},
        {"op": "frobnicate", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        "not an operation",
    ],
)
def test_json_patch_that_does_not_apply(operation):
    target = {"a": 1, "l": [1]}
    with pytest.raises(PatchError):
        json_patch(target, [operation])
    assert target == {"a": 1, "l": [1]}


@given(VALUES, VALUES)
def test_patches_leave_what_they_patch_alone(target, change):
    before = repr(target)
    merge(target, change)
    strategic.apply(
        "PodSpec", target if isinstance(target, dict) else {}, change if isinstance(change, dict) else {}
    )
    assert repr(target) == before


def test_true_is_not_one():
    assert not same({"a": True}, {"a": 1})
    assert same({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]})


def containers(*items):
    return {"containers": list(items)}


@pytest.mark.parametrize(
    ("target", "change", "wanted"),
    [
        # Items merge by name; a new one alone comes first (topic 06 #1, #5).
        (["a", "b"], [{"name": "b", "image": "2"}], [{"name": "a"}, {"name": "b", "image": "2"}]),
        (["a", "b"], [{"name": "c"}], [{"name": "c"}, {"name": "a"}, {"name": "b"}]),
        (["a"], [{"name": "a"}, {"name": "c"}], [{"name": "a"}, {"name": "c"}]),
        (["a", "b"], [{"name": "a", "$patch": "delete"}], [{"name": "b"}]),
        (["a", "b"], [{"$patch": "replace"}, {"name": "c"}], [{"name": "c"}]),
    ],
)
def test_strategic_lists(target, change, wanted):
    result = strategic.apply(
        "PodSpec", containers(*({"name": name} for name in target)), {"containers": change}
    )
    assert result == {"containers": wanted}


def test_strategic_follows_the_order_kubectl_sends():
    target = containers({"name": "a"}, {"name": "b"}, {"name": "mine"})
    change = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [{"name": "a", "image": "1"}],
    }
    result = strategic.apply("PodSpec", target, change)
    assert [item["name"] for item in result["containers"]] == ["b", "a", "mine"]


def test_strategic_replaces_lists_without_a_key_and_deletes_with_null():
    target = {"taints": [{"key": "a"}], "unschedulable": True}
    assert strategic.apply("NodeSpec", target, {"taints": [{"key": "b"}], "unschedulable": None}) == {
        "taints": [{"key": "b"}]
    }


def test_strategic_sets_of_scalars_and_their_deletion():
    target = {"finalizers": ["a", "b"]}
    added = strategic.apply("ObjectMeta", target, {"finalizers": ["c"]})
    assert sorted(added["finalizers"]) == ["a", "b", "c"]
    assert strategic.apply("ObjectMeta", target, {"$deleteFromPrimitiveList/finalizers": ["a"]}) == {
        "finalizers": ["b"]
    }


def test_strategic_without_a_merge_key_is_an_error():
    with pytest.raises(strategic.StrategicError, match="does not contain declared merge key: name"):
        strategic.apply("PodSpec", containers({"name": "a"}), {"containers": [{"image": "1"}]})
