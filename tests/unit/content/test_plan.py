"""The plan: files checked against each other, overrides, objectives, the stored form and its digest."""

import json
import math
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stormdrill import plan
from stormdrill.content.plain import from_plain, to_plain
from stormdrill.errors import InputError
from stormdrill.estate import Topology
from stormdrill.plan import Overrides, Plan
from stormdrill.scenario import Activity, Experiment


def messages(tree, overrides=None):
    with pytest.raises(InputError) as caught:
        plan.load(tree.experiment, overrides)
    return [f"{p.file.rpartition('/')[2]}:{p.line}: {p.message}" for p in caught.value.problems]


def test_a_right_tree_makes_a_plan(tree):
    made = plan.load(tree.experiment)
    assert made.experiment.name == "experiment"
    assert made.experiment.method[0].arguments == {"service": "orders", "zone": "e1", "count": 1}
    assert made.topology.environment == "production"
    assert made.topology.services["orders"].label_selector == "app=orders,tier=web"
    assert made.topology.operations["find"].match == ("GET /find", "POST /find")
    assert made.locustfile_sha256
    assert "window H 20 s" in made.notes[0]


def test_targets_come_from_experiment_then_tier_then_letter(tree):
    targets = plan.load(tree.experiment).targets
    order, find = targets["order"], targets["find"]
    assert (order.recovery_time_s, order.hurt, order.success) == (5.0, 0.005, 0.99)
    assert order.basis["hurt"] == "[S] a blog"
    assert order.ceiling_recovery_time_s == 4 * 3600
    assert (find.recovery_time_s, find.basis["recovery_time"]) == (8.0, "experiment experiment")
    assert (find.data_loss_s, find.ceiling_data_loss_s) == (None, None)
    tree.change("topology.yaml", "tier: A1", "tier: A2")
    exact = plan.load(tree.experiment).targets["order"]
    assert exact.recovery_time_s == 7.0
    assert exact.data_loss_s is None


CROSS = [
    ("service: orders", "service: order", "unknown service 'order' (did you mean 'orders'?)"),
    ("zone: e1,", "zone: e9,", "unknown zone 'e9'"),
    ("count: 1}", "count: 0}", "count: must be a whole number from 1"),
    ("count: 1}", "cuont: 1}", "did you mean 'count'?"),
    ("count: 1}", "count: 1, share: 50%}", "give only one of count, share"),
    ("count: 1}", "share: 200%}", "a ratio lies between 0 and 1"),
    ("service: orders, ", "", "argument 'service' of kill_pods is missing"),
    ("service: orders,", "service: search,", "does not run in region 'east' of zone 'e1'"),
    ("func: kill_pods", "func: kill_pod", "unknown action 'kill_pod' (did you mean 'kill_pods'?)"),
    (
        "fault_class: stateless-pod-loss",
        "fault_class: stateless-pod-los",
        "did you mean 'stateless-pod-loss'?",
    ),
    ("recovery_time: {B: 8s}", "recovery_time: {D: 8s}", "unknown tier 'D'"),
    ("module: stormdrill.chaos.actions", "module: chaosk8s.pod.actions", "unknown module"),
    (
        "module: stormdrill.chaos.controls",
        "module: other",
        "the control stormdrill.chaos.controls is missing",
    ),
    ("phases: [steady, recover]", "phases: [steady, recovery]", "did you mean 'recover'?"),
    ('limit: "<= 0"', 'limit: "<- 0"', "not a limit"),
    ("metric: good_ratio,", "metric: good_ratio, query: up,", "give either 'metric'"),
    ("window: 20s", "windw: 20s", "did you mean 'window'?"),
    ("profile: profile.yaml", "profile: profil.yaml", "no such file: profil.yaml"),
    ("tolerance: true", "tolerance: true\n      surprise: 1", "unknown key 'surprise'"),
]


@pytest.mark.parametrize(("old", "new", "says"), CROSS)
def test_what_does_not_fit_is_said_where_it_stands(tree, old, new, says):
    line = tree.change("experiment.yaml", old, new)
    said = messages(tree)
    assert any(says in message for message in said), said
    at = [int(message.split(":")[1]) for message in said if says in message]
    # An activity's problem stands at the activity, at most some lines above its argument.
    assert all(0 <= line - one <= 7 or one == line + 1 for one in at), (line, said)


def test_a_rollback_is_no_place_for_a_fault(tree):
    action = """rollbacks:
  - name: again
    type: action
    provider:
      type: python
      module: stormdrill.chaos.actions
      func: FUNCTION
      arguments: ARGUMENTS
"""
    wait = action.replace("FUNCTION", "wait").replace("ARGUMENTS", "{duration: 1s}")
    line = tree.change("experiment.yaml", "rollbacks: []\n", wait)
    assert plan.load(tree.experiment).experiment.rollbacks
    tree.change("experiment.yaml", "func: wait", "func: kill_pods")
    tree.change("experiment.yaml", "{duration: 1s}", "{service: orders}")
    says = "again: kill_pods is a fault; rollbacks hold probes, 'wait' and 'heal' only"
    assert messages(tree) == [f"experiment.yaml:{line + 1}: {says}"]


def test_problems_of_all_files_come_together(tree):
    tree.change("experiment.yaml", "seed: 7", "seed: seven")
    assert len(messages(tree)) == 1
    tree.change("experiment.yaml", "seed: seven", "seed: 7")
    tree.change("topology.yaml", "name: shop", "name: Shop")
    tree.change("profile.yaml", "peak_factor: 3", "peak_factor: much")
    said = messages(tree)
    assert {message.split(":")[0] for message in said} == {"topology.yaml", "profile.yaml"}


def test_flow_control_needs_its_metrics(tree):
    tree.change("experiment.yaml", "    guard:", "    flow_control: {order: [A, B]}\n    guard:")
    assert sum("which topology.yaml does not map" in message for message in messages(tree)) == 4


def test_queries_speak_the_metric_names_of_the_estate(tree):
    query = 'max($admission_highwater - $admission_limit) > bool 0 or foo{code=~"5..$"}'
    line = tree.change("experiment.yaml", "query: sum(errors)", f"query: {query}")
    missing = plan.load(tree.experiment)
    assert missing.experiment.assertions == ()
    note = "assertion errors not exercised: the topology maps no metric admission_highwater, admission_limit"
    assert note in missing.notes
    mapped = "metrics: {admission_highwater: max(hw), admission_limit: lim}\ncontinuity: c"
    tree.change("topology.yaml", "continuity: c", mapped)
    (assertion,) = plan.load(tree.experiment).experiment.assertions
    assert assertion.query == 'max((max(hw)) - (lim)) > bool 0 or foo{code=~"5..$"}'
    tree.change("experiment.yaml", "$admission_limit", "$admission_limt")
    (said,) = messages(tree)
    assert "unknown metric 'admission_limt' (did you mean 'admission_limit'?)" in said
    assert abs(int(said.split(":")[1]) - line) <= 1


def test_a_topology_given_by_name_brings_its_own_profile(tree):
    own = tree.root / "own.yaml"
    own.write_text(tree.path("profile.yaml").read_text().replace("name: steady", "name: own"))
    other = tree.root / "mine.yaml"
    other.write_text(tree.topology.read_text() + "profile: own.yaml\n")
    assert plan.load(tree.experiment, Overrides(topology=other)).profile.name == "own"
    assert plan.load(tree.experiment).profile.name == "steady"
    chosen = Overrides(topology=other, profile=tree.path("profile.yaml"))
    assert plan.load(tree.experiment, chosen).profile.name == "steady"


def test_an_operation_of_the_profile_must_exist(tree):
    tree.change("profile.yaml", "probes: {order: 5/s}", "probes: {oder: 5/s}")
    assert any("unknown operation 'oder' (did you mean 'order'?)" in message for message in messages(tree))


def test_a_password_in_the_dsn_is_refused(tree):
    tree.change("topology.yaml", "dbname=shop", "dbname=shop password=hunter2")
    (said,) = messages(tree)
    assert "no password here" in said
    assert "hunter2" not in said


def test_overrides_replace_what_they_name(tree):
    made = plan.load(tree.experiment, Overrides(contexts={"west": "other"}, seed=9, times={"steady_s": 3.0}))
    assert made.topology.regions["west"].context == "other"
    assert made.topology.regions["east"].context == "east-admin"
    assert (made.experiment.load.seed, made.experiment.times.steady_s) == (9, 3.0)
    assert made.experiment.times.window_s == 20.0


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"times": {"window_s": 0.0}}, ":0: --times window=0s: must be at least 1 s"),
        ({"times": {"steady_s": 0.5}}, ":0: --times steady=0.5s: must be at least 1 s"),
        ({"times": {"warmup_s": math.inf}}, ":0: --times warmup=infs: must be at least 0 s"),
        ({"scale": -1.0}, ":0: --scale -1: must be from 0.0001 to 10000"),
        ({"scale": math.nan}, ":0: --scale nan: must be from 0.0001 to 10000"),
        ({"seed": -1}, ":0: --seed -1: must be from 0 to 9.22337e+18"),
    ],
)
def test_a_flag_keeps_the_bounds_of_the_file(tree, overrides, says):
    assert messages(tree, Overrides(**overrides)) == [says]


def test_the_least_that_a_file_may_say_a_flag_may_say_too(tree):
    times = {"warmup_s": 0.0, "steady_s": 1.0, "window_s": 1.0, "recover_limit_s": 1.0, "settle_s": 0.0}
    assert (
        plan.load(tree.experiment, Overrides(times=times, scale=0.0001, seed=0)).experiment.times.window_s
        == 1
    )


def test_a_context_without_a_region_needs_a_single_region(tree):
    (said,) = messages(tree, Overrides(contexts={"": "mine"}))
    assert "say which region it is for" in said
    tree.change("topology.yaml", "  west: {context: west-admin, zones: [w1]}\n", "")
    tree.change("topology.yaml", ", regions: [west]", "")
    made = plan.load(tree.experiment, Overrides(contexts={"": "mine"}))
    assert made.topology.regions["east"].context == "mine"


def test_the_plan_survives_json_and_notices_changes(tree):
    made = plan.load(tree.experiment)
    stored = json.loads(json.dumps(made.to_json()))
    assert Plan.from_json(stored) == made
    for path in (("topology", "name"), ("experiment", "load", "seed"), ("continuity", "windows")):
        changed = json.loads(json.dumps(stored))
        place = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = {"name": "other", "seed": 8, "windows": {}}[path[-1]]
        with pytest.raises(InputError, match="digest"):
            Plan.from_json(changed)
    for broken in ({}, [], {**stored, "schema": "x"}, {**stored, "extra": 1}, {**stored, "notes": [1]}):
        with pytest.raises(InputError):
            Plan.from_json(broken)


def test_the_digest_is_of_the_content_not_of_the_place(tree, tmp_path_factory):
    there = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(tree.root, there)
    made, copied = plan.load(tree.experiment), plan.load(there / "experiment.yaml")
    assert made.digest == copied.digest
    (there / "locustfile.py").write_text("# other journeys\n")
    assert plan.load(there / "experiment.yaml").digest != made.digest


_WORDS = st.text("ab/-", min_size=1, max_size=5)
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(str, _WORDS)
st.register_type_strategy(Path, _WORDS.map(Path))
st.register_type_strategy(
    Activity,
    st.builds(
        Activity,
        arguments=st.dictionaries(
            _WORDS, st.none() | st.booleans() | st.integers() | _WORDS | st.floats(0, 1)
        ),
    ),
)
VALUES = {
    "topology": (Topology, st.builds(Topology)),
    "experiment": (Experiment, st.builds(Experiment, lines=st.just({}))),
}


@pytest.mark.parametrize("name", list(VALUES))
def test_any_value_survives_json(name):
    kind, values = VALUES[name]

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(values)
    def check(value):
        assert from_plain(kind, json.loads(json.dumps(to_plain(value)))) == value

    check()
