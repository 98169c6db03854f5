"""Label and field selectors, as the documentation and topic 03 have them."""

import pytest

from stormlab.api.kinds import DEPLOYMENT, NODE, POD
from stormlab.api.selectors import from_object, matches, parse_fields, parse_labels
from stormlab.api.status import ApiError

LABELS = {"tier": "a", "idx": "3", "x": ""}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", True),
        ("tier=a", True),
        ("tier==a", True),
        ("tier=b", False),
        ("tier!=b", True),
        ("nosuch!=b", True),
        ("tier in (a, b)", True),
        ("tier in (b)", False),
        ("tier notin (b,c)", True),
        ("nosuch notin (b)", True),
        ("x", True),
        ("!x", False),
        ("! nosuch", True),
        ("idx>2", True),
        ("idx<3", False),
        ("tier>2", False),
        ("x=", True),
        ("tier=", False),
        ("tier=a,idx=3", True),
        ("tier=a,idx=4", False),
        ("app.kubernetes.io/name", False),
    ],
)
def test_label_selectors(text, wanted):
    assert matches(parse_labels(text), LABELS) is wanted


@pytest.mark.parametrize("text", ["tier in (", "a b", "=a", ",", "a,", "a in b", "tier in (a", "!"])
def test_bad_label_selectors_are_400(text):
    with pytest.raises(ApiError) as caught:
        parse_labels(text)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")


def test_selector_objects():
    selector = {
        "matchLabels": {"tier": "a"},
        "matchExpressions": [
            {"key": "idx", "operator": "In", "values": ["3", "4"]},
            {"key": "y", "operator": "DoesNotExist"},
        ],
    }
    assert matches(from_object(selector), LABELS)
    assert not matches(from_object(selector), {**LABELS, "y": "1"})
    assert matches(from_object({}), LABELS)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (POD, "spec.nodeName=a", True),
        (POD, "spec.nodeName!=a", False),
        (POD, "spec.nodeName=", False),
        (POD, "status.podIP=", True),
        (POD, "metadata.name=one,spec.nodeName==a", True),
        (NODE, "spec.unschedulable=false", True),
        (NODE, "spec.unschedulable=true", False),
    ],
)
def test_field_selectors(kind, text, wanted):
    tree = {"metadata": {"name": "one"}, "spec": {"nodeName": "a"}, "status": {}}
    assert all(term.matches(tree) for term in parse_fields(kind, text)) is wanted


@pytest.mark.parametrize(
    ("kind", "text"), [(POD, "spec.image=x"), (DEPLOYMENT, "spec.replicas=1"), (POD, "metadata.name")]
)
def test_fields_that_cannot_be_selected_are_400(kind, text):
    with pytest.raises(ApiError) as caught:
        parse_fields(kind, text)
    assert caught.value.code == 400
