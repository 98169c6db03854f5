"""What preset small's topology says, asked of the lab by the harness's own clients (nothing is hurt)."""

import pytest

from stormdrill import credential, topology, wait
from stormdrill.audit import reader_of
from stormdrill.direct.patroni import PatroniDirector
from stormdrill.kube import Cluster
from stormdrill.prometheus import Prometheus

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def estate(small_lab):
    return topology.load(small_lab.topology)


@pytest.fixture(scope="module")
def clusters(small_lab, estate):
    return {
        name: Cluster.connect(small_lab.kubeconfig, region.context) for name, region in estate.regions.items()
    }


def test_every_service_has_pods_where_it_should(estate, clusters):
    found = {}
    for name, service in estate.services.items():
        for region in service.regions or estate.regions:
            pods = clusters[region].pods(service.namespace, service.label_selector)
            found[name] = found.get(name, set()) | {pod.zone for pod in pods}
            assert all(pod.containers[0].id and pod.address for pod in pods)
    serving = {"city1-a", "city1-b"}
    assert found.pop("database") == serving | {"city2-a"}
    assert {"gateway", "ledger", "identity", "risk"} <= set(found)
    assert all(zones == serving for zones in found.values()), found
    assert len({cluster.identity() for cluster in clusters.values()}) == 2


def test_the_database_has_a_leader_whose_pod_the_crash_command_can_reach(estate, clusters):
    (database,) = estate.databases.values()
    director = PatroniDirector(database.members)
    state = director.cluster()
    assert state.leader in database.members
    assert state.primaries == (state.leader,)
    assert len(state.sync_standbys) == 1
    # The crash command with its signal made harmless: the process it would kill is there.
    command = [part.replace("kill -KILL", "kill -0") for part in database.crash]
    assert command != list(database.crash)
    done = clusters["city1"].exec(estate.namespace, state.leader, database.container, command)
    assert (done.code, done.stderr) == (0, "")
    assert director.postmaster_started(state.leader)


def test_the_books_are_whole_and_balanced(estate, clusters):
    secret = credential.resolve(estate.audit.password, clusters.__getitem__)
    reader = reader_of(estate.audit, secret)
    since = reader.high_water()
    books = reader.read(0, [])
    assert books.complete, books.why
    assert {result.id: result.value - result.expect for result in books.invariants} == {
        invariant.id: 0 for invariant in (*estate.audit.invariants, *estate.audit.across)
    }
    assert all(movement.id <= since for movement in books.movements) or reader.high_water() > since


def test_prometheus_is_fresh_and_knows_every_metric_of_the_flow_control(estate):
    prometheus = Prometheus(estate.prometheus.url)
    assert prometheus.sample_age_s() < estate.prometheus.max_age_s
    gateways = 6  # those of the remote site too: they wait there
    for name in ("admission_highwater", "admission_limit", "shed_by_tier", "admitted_by_tier"):
        query = estate.metrics[name]
        pods = wait.until(
            lambda query=query: {
                # What is given up is told by gateway and by whom it would have asked.
                sample.labels["pod"].partition("/")[0]
                for sample in prometheus.instant(query).samples
            },
            deadline_s=10,
            what=name,
        )
        assert len(pods) == gateways, name
