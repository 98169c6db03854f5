"""A site's fence on a real API server, and a promotion that is refused in front of it."""

import json
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from stormdrill.direct.patroni import PatroniDirector
from stormdrill.direct.patroni_config import PatroniConfig
from stormdrill.direct.promotion import Decision, promote, sufficient
from stormdrill.direct.rebuild import Wanted, rebuild
from stormdrill.direct.side import Side
from stormdrill.errors import ActionError
from stormdrill.estate_sites import DatabaseSite
from stormdrill.fence import FencedSite, Fencing, How, State
from stormdrill.kube import Cluster

BY = Decision("ada", "the city is lost")


def stateful_set(name):
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "serviceName": "pg",
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "postgres", "image": "patroni"}]},
            },
        },
    }


def pod(name):
    spec = {"nodeName": "node-a", "containers": [{"name": "postgres", "image": "patroni"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def place(api):
    """A namespace with the two StatefulSets of a site and one of their pods still there."""
    name, cluster = f"f-{uuid.uuid4().hex[:8]}", api.cluster()
    cluster.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    for each in ("pg-a", "pg-b"):
        cluster.create(f"/apis/apps/v1/namespaces/{name}/statefulsets", stateful_set(each))
    cluster.create(f"/api/v1/namespaces/{name}/pods", pod("pg-a-0"))
    return cluster, name


@pytest.fixture
def told():
    return []


@pytest.fixture
def fencing(place, told):
    cluster, namespace = place
    site = FencedSite("city1", namespace, {"pg-a": ("pg-a-0",), "pg-b": ("pg-b-0",)})

    def make(**more):
        return Fencing(cluster, site, lambda kind, actor="", **data: told.append((kind, data)), **more)

    return make


def unreachable():
    """A region whose API does not answer."""
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)
        file.flush()
        return Cluster.connect(Path(file.name), "x", 1.0)


def replicas(place):
    cluster, namespace = place
    found = cluster.list(f"/apis/apps/v1/namespaces/{namespace}/statefulsets")
    return [one["spec"]["replicas"] for one in found]


def test_armed_changes_nothing_and_is_kept_in_the_site(fencing, place):
    fencing().arm("ada")
    kept = fencing().record()
    assert (kept.state, kept.by, kept.replicas) == (State.ARMED, "ada", {"pg-a": 1, "pg-b": 1})
    assert replicas(place) == [1, 1]


def test_closed_is_not_proven_while_a_pod_may_run(fencing, place, told):
    closed = fencing().close("ada", deadline_s=0)
    assert (closed.state, closed.how, replicas(place)) == (State.CLOSED, None, [0, 0])
    assert "pg-a-0 may still run" in closed.why
    with pytest.raises(ActionError, match="closed already"):
        fencing().arm("bob")
    assert fencing(dead=lambda one: one.name == "pg-a-0").look("ada").how is How.PROVEN
    cluster, namespace = place
    cluster.delete(f"/api/v1/namespaces/{namespace}/pods/pg-a-0", grace_s=0)
    assert fencing().look("ada").how is How.PROVEN
    assert [kind for kind, _ in told][:2] == ["fence.closing", "fence.closed"]


def test_opened_gives_back_what_was_there_and_only_once(fencing, place):
    fencing().close("ada", deadline_s=0)
    fencing().close("ada", deadline_s=0)  # what it had is not forgotten by closing twice
    fencing().open("ada")
    assert (replicas(place), fencing().record().state) == ([1, 1], State.OPEN)
    with pytest.raises(ActionError, match="not fenced"):
        fencing().open("ada")


def test_a_declaration_is_refused_while_a_member_says_that_it_writes(fencing):
    fencing().close("ada", deadline_s=0)
    with pytest.raises(ActionError, match="pg-a-0"):
        fencing(writers=lambda: ("pg-a-0",)).declare("ada", "the power is off")
    declared = fencing().declare("ada", "the power is off")
    assert (declared.how, fencing().look("ada").how) == (How.DECLARED, How.DECLARED)


@pytest.fixture
def side(fencing, place, peers):
    """A side whose Patroni answers as told; its database takes no writes."""

    def make(region, settings, **more):
        peer = peers()
        mine = {"state": "running", "role": "replica"}
        peer.answers = {
            "/config": (200, settings),
            "/patroni": (200, mine),
            "/cluster": (200, {"members": []}),
        }
        members = {"pg-a-0": peer.url}
        site = DatabaseSite(region, members, "pg-a-0.pg", 5432, region, "host=127.0.0.1 port=1 dbname=bank")
        clients = PatroniDirector(members), PatroniConfig(members)
        return Side("cell0", site, place[1], None, place[0], *clients, None, fencing(**more)), peer

    return make


FOLLOWS = {"ttl": 20, "standby_cluster": {"host": "pg-a-0.pg"}}


def refusal(call):
    with pytest.raises(ActionError) as caught:
        call()
    return str(caught.value)


def test_a_promotion_is_refused_without_a_fence_that_holds(side, told):
    (new, peer), (old, _) = side("city2", FOLLOWS), side("city1", {"ttl": 20})
    attempt = lambda: promote(new, old, BY, lambda *_, **__: None)  # noqa: E731
    assert "never armed" in refusal(attempt)
    old.fencing.arm("ada")
    assert "armed" in refusal(attempt)
    old.fencing.close("ada", deadline_s=0)
    assert "not proven: pg-a-0 may still run" in refusal(attempt)
    assert [change for change in peer.patched if change != {"stormdrill": None}] == []
    assert "decision" not in [kind for kind, _ in told]


def test_a_persons_word_stands_in_for_a_fence_that_is_not_proven_and_is_kept(side, told):
    (old, _) = side("city1", {"ttl": 20})
    word = Decision("ada", "the city is lost", declared="its power is off")
    with pytest.raises(ActionError, match="not fenced"):
        sufficient(old, word)
    old.fencing.close("bob", deadline_s=0)
    assert sufficient(old, word).how is How.DECLARED
    kept = old.fencing.record()
    assert (kept.how, kept.by) == (How.DECLARED, "ada")
    assert "its power is off (observed: pg-a-0 may still run" in kept.why
    assert [data["what"] for kind, data in told if kind == "decision"] == ["fence declared"]


def test_a_fence_that_nobody_can_look_at_needs_a_persons_word_as_well(side):
    (old, _) = side("city1", {"ttl": 20})
    away = replace(old, fencing=replace(old.fencing, cluster=unreachable()))
    assert "cannot be looked at" in refusal(lambda: sufficient(away, BY))
    word = replace(BY, declared="its power is off")
    fence = sufficient(away, word)
    assert (fence.how, fence.state, fence.by) == (How.DECLARED, State.CLOSED, "ada")
    writing = replace(away, fencing=replace(away.fencing, writers=lambda: ("pg-a-0",)))
    assert "pg-a-0 says that it takes writes" in refusal(lambda: sufficient(writing, word))


def test_a_fence_that_was_proven_a_moment_ago_is_not_asked_about_again_unless_somebody_touched_it(
    side, place, told
):
    cluster, namespace = place
    (old, _) = side("city1", {"ttl": 20})
    cluster.delete(f"/api/v1/namespaces/{namespace}/pods/pg-a-0", grace_s=0)
    seen = old.fencing.close("ada", deadline_s=5)
    assert seen.how is How.PROVEN
    count = len(told)
    assert sufficient(old, BY, seen).how is How.PROVEN
    assert len(told) == count
    old.fencing.open("bob", edges=False)
    assert "not fenced (open)" in refusal(lambda: sufficient(old, BY, seen))


def test_a_site_that_somebody_emptied_by_hand_before_gets_all_its_members_back(fencing, place):
    cluster, namespace = place
    for name in ("pg-a", "pg-b"):
        path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}"
        cluster.patch(path, {"spec": {"replicas": 0}})
    fencing().close("ada", deadline_s=0)
    fencing().open("ada")
    assert replicas(place) == [1, 1]


def test_a_second_promotion_is_refused(side):
    (new, _), (old, _) = side("city2", {"ttl": 20}), side("city1", {"ttl": 20})
    assert "promoted already" in refusal(lambda: promote(new, old, BY, lambda *_, **__: None))


def test_a_return_before_there_is_anybody_to_follow_is_refused(side, tmp_path):
    (new, _), (old, _) = side("city2", FOLLOWS), side("city1", {"ttl": 20})
    wanted = Wanted("ada", tmp_path / "fork.json")
    assert "takes no writes" in refusal(lambda: rebuild(old, new, wanted, lambda *_, **__: None))
    assert json.dumps(list(tmp_path.iterdir())) == "[]"
