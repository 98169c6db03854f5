"""A method that would leave two sites writing is refused before anything is hurt, unless it says that it wants to."""

from pathlib import Path

import pytest

from stormdrill import plan
from stormdrill.errors import ActionError, InputError

ROOT = Path(__file__).parents[3]
FAILOVER, SKIPPED = "experiments/remote-failover.yaml", "tests/lab/failover/skipped.yaml"


def messages(tmp_path, source, *changes):
    """What is wrong with a shipped experiment once it is changed."""
    text = (ROOT / source).read_text().replace("../../../", f"{ROOT}/").replace("../", f"{ROOT}/")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "changed.yaml"
    path.write_text(text)
    try:
        plan.load(path)
    except InputError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize("source", [FAILOVER, SKIPPED])
def test_as_shipped_both_are_right(tmp_path, source):
    assert messages(tmp_path, source) == []


@pytest.mark.parametrize(
    ("source", "old", "new", "says"),
    [
        (SKIPPED, "        i_accept_dual_writes: true\n", "", "it needs 'i_accept_dual_writes: true'"),
        (SKIPPED, "i_accept_dual_writes: true", "i_accept_dual_writes: false", "lets both sites take writes"),
        (SKIPPED, "        fence: skipped\n", "", "is for 'fence: skipped' only"),
        (SKIPPED, "fence: skipped", "fence: none", "must be 'skipped'"),
        (FAILOVER, ", return: fenced", "", "must come after a lose_region of city1 or city2"),
        (FAILOVER, "func: wait\n      arguments: {duration: 20s}",
         "func: fail_over\n      arguments: {why: again}", "is failed over twice"),
        (FAILOVER, "func: fail_over\n      arguments: {after: 10s, ",
         "func: fail_back\n      arguments: {", "must come after a fail_over of the same cell"),
    ],
)  # fmt: skip
def test_what_must_not_be(tmp_path, source, old, new, says):
    assert any(says in message for message in messages(tmp_path, source, (old, new)))


def test_a_fence_is_skipped_in_labs_only(tmp_path):
    text = (ROOT / "topology/small.yaml").read_text().replace("environment: lab", "environment: production")
    (tmp_path / "live.yaml").write_text(text)
    for name in ("continuity.yaml", "kubernetes", "prometheus"):
        (tmp_path / name).symlink_to(ROOT / "topology" / name)
    found = messages(tmp_path, SKIPPED, (f"{ROOT}/topology/small.yaml", str(tmp_path / "live.yaml")))
    assert any("for labs only, and live.yaml is production" in message for message in found)


@pytest.mark.parametrize(("fence", "accepted"), [("skipped", False), ("skipped", "yes"), ("open", True)])
def test_the_supervisor_asks_for_the_word_as_well(fence, accepted):
    from stormdrill.drill.method import Method

    method = Method(None, None, None, {}, lambda *_, **__: None)
    method.opened.set()
    with pytest.raises(ActionError, match="i_accept_dual_writes"):
        method.answer("fail_over", {"cell": "", "why": "x", "after": "", "fence": fence,
                                    "i_accept_dual_writes": accepted})  # fmt: skip
