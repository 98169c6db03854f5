"""The Kubernetes client against the lab's API server, and against servers that are wrong, odd or silent."""

import socket
import threading
import time

import pytest
import yaml

from stormdrill.errors import DeadlineError, InputError, TargetError
from stormdrill.kube import ApiError, Cluster, contexts
from stormlab import pki

PODS = "/api/v1/namespaces/shop/pods"


@pytest.fixture(scope="module")
def cluster(api):
    """A cluster with three nodes in two zones (and one without) and pods in every state."""
    made = api.cluster()
    made.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for name, labels in (
        ("node-a", {"topology.kubernetes.io/zone": "a"}),
        ("node-b", {"topology.kubernetes.io/zone": "b"}),
        ("node-x", {}),
    ):
        made.create("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    for name, node, app in (
        ("p1", "node-a", "x"),
        ("p2", "node-b", "x"),
        ("p3", "node-x", "x"),
        ("q", "node-a", "y"),
    ):
        _pod(made, name, node, app)
    made.create(PODS, _body("pending", None, "x"))
    return made


def _body(name, node, app):
    spec = {"containers": [{"name": "c", "image": "i"}], **({"nodeName": node} if node else {})}
    return {"metadata": {"name": name, "labels": {"app": app}}, "spec": spec}


def _pod(cluster, name, node, app):
    made = cluster.create(PODS, _body(name, node, app))
    status = {
        "phase": "Running",
        "podIP": "10.0.0.9",
        "startTime": "2026-11-23T10:00:00Z",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": "c",
                "image": "i",
                "imageID": "",
                "ready": True,
                "restartCount": 2,
                "containerID": f"lab://{name}",
                "state": {"running": {"startedAt": "2026-11-23T10:00:01Z"}},
            }
        ],
    }
    cluster.patch(f"{PODS}/{name}/status", {"status": status})
    return made


def test_pods_have_the_zone_of_their_node(cluster):
    pods = {pod.name: pod for pod in cluster.pods("shop", "app=x")}
    assert {name: pod.zone for name, pod in pods.items()} == {
        "p1": "a",
        "p2": "b",
        "p3": None,
        "pending": None,
    }
    p1 = pods["p1"]
    assert (p1.ready, p1.node, p1.address, p1.phase) == (True, "node-a", "10.0.0.9", "Running")
    assert (p1.containers[0].id, p1.containers[0].restarts) == ("lab://p1", 2)
    assert (pods["pending"].node, pods["pending"].ready) == (None, False)
    assert [pod.name for pod in cluster.pods("shop", "app=x", zone="b")] == ["p2"]
    assert cluster.pods("shop", "app=none") == ()


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_finished_is_no_pod_of_the_service(cluster, phase):
    _pod(cluster, f"over-{phase.lower()}", "node-a", "over")
    assert len(cluster.pods("shop", "app=over")) == 1
    cluster.patch(f"{PODS}/over-{phase.lower()}/status", {"status": {"phase": phase}})
    assert cluster.pods("shop", "app=over") == ()


def test_a_list_comes_whole_over_many_pages(cluster):
    cluster.create("/api/v1/namespaces", {"metadata": {"name": "many"}})
    for i in range(520):
        cluster.create("/api/v1/namespaces/many/configmaps", {"metadata": {"name": f"c{i:04}"}})
    names = [item["metadata"]["name"] for item in cluster.list("/api/v1/namespaces/many/configmaps")]
    # 520 of ours and the root certificate that every namespace has.
    assert len(names) == len(set(names)) == 521


def test_identity_is_kube_systems_uid(cluster):
    assert cluster.identity() == cluster.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]


def test_delete_hits_only_the_uid_it_was_meant_for(cluster):
    made = _pod(cluster, "victim", "node-a", "z")
    with pytest.raises(ApiError) as caught:
        cluster.delete(f"{PODS}/victim", grace_s=0, uid="another")
    assert caught.value.conflict
    cluster.delete(f"{PODS}/victim", grace_s=0, uid=made["metadata"]["uid"])
    with pytest.raises(ApiError) as caught:
        cluster.get(f"{PODS}/victim")
    assert caught.value.missing
    assert "city1: GET /api/v1/namespaces/shop/pods/victim: 404 NotFound" in str(caught.value)


def test_every_kind_of_patch_reaches_the_server_as_what_it_is(cluster):
    path = "/api/v1/namespaces/shop/configmaps"
    cluster.create(path, {"metadata": {"name": "m"}, "data": {"a": "1", "b": "2"}})
    cluster.patch(f"{path}/m", {"data": {"a": None}})
    cluster.patch(f"{path}/m", [{"op": "add", "path": "/data/c", "value": "3"}], kind="json")
    cluster.patch(f"{path}/m", {"data": {"d": "4"}}, kind="strategic")
    assert cluster.get(f"{path}/m")["data"] == {"b": "2", "c": "3", "d": "4"}


def test_exec_returns_code_and_streams(cluster):
    done = cluster.exec("shop", "p1", "c", ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.code, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert cluster.exec("shop", "p1", None, ["echo", "a b", "ä"]).stdout == "a b ä\n"


def test_exec_says_what_went_wrong(cluster):
    with pytest.raises(ApiError, match="could not be run"):
        cluster.exec("shop", "p1", None, ["/no/such/program"])
    with pytest.raises(ApiError) as caught:
        cluster.exec("shop", "gone", None, ["true"])
    assert caught.value.missing
    with pytest.raises(TargetError, match="closed before"):
        cluster.exec("shop", "p1", None, ["vanish"])


def test_exec_ends_at_its_deadline(cluster):
    began = time.monotonic()
    with pytest.raises(DeadlineError, match="did not end in time"):
        cluster.exec("shop", "p1", None, ["sleep", "30"], timeout_s=0.4)
    assert time.monotonic() - began < 2


# Wrong input, wrong cluster, no cluster


def test_contexts_are_listed_when_one_is_wrong(api):
    with pytest.raises(
        InputError, match=r"unknown context 'city2' \(did you mean 'city1'\?\); contexts: city1$"
    ):
        Cluster.connect(api.kubeconfig, "city2")
    assert contexts(api.kubeconfig) == ["city1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no kubeconfig at"),
        ("", "not a kubeconfig"),
        ("just words", "not a kubeconfig"),
        ("a: [", "not a kubeconfig"),
        ("apiVersion: v1\nkind: Config\ncontexts: []\n", "not a kubeconfig"),
    ],
)
def test_a_bad_kubeconfig_is_one_message(tmp_path, text, says):
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        Cluster.connect(file, "city1")
    assert "\n" not in str(caught.value)


def test_a_context_without_its_user_is_one_message(api, tmp_path):
    broken = yaml.safe_load(api.kubeconfig.read_text())
    broken["users"] = []
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(broken))
    with pytest.raises((InputError, TargetError)) as caught:
        Cluster.connect(file, "city1").identity()
    assert "\n" not in str(caught.value)


def _elsewhere(api, tmp_path, **cluster):
    config = yaml.safe_load(api.kubeconfig.read_text())
    config["clusters"][0]["cluster"] |= cluster
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    return Cluster.connect(file, "city1", timeout_s=0.5)


def test_nobody_there(api, tmp_path):
    cluster = _elsewhere(api, tmp_path, server="https://127.0.0.1:1")
    with pytest.raises(
        TargetError, match=r"^city1: API server https://127.0.0.1:1 cannot be reached: Connection ref"
    ):
        cluster.identity()
    with pytest.raises(TargetError, match=r"127.0.0.1:1"):
        cluster.exec("shop", "p1", None, ["true"])


def test_silence_costs_the_timeout_once(api, tmp_path, silent):
    cluster = _elsewhere(api, tmp_path, server=f"https://{silent}")
    began = time.monotonic()
    with pytest.raises(TargetError, match="no answer in time"):
        cluster.identity()
    assert time.monotonic() - began < 1.5


def test_a_certificate_of_another_authority_is_refused(api, tmp_path):
    other = tmp_path / "other"
    pki.ensure(other, ["city1"])
    config = yaml.safe_load(pki.write_kubeconfig(other, {"city1": api.port}).read_text())
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    cluster = Cluster.connect(file, "city1")
    with pytest.raises(TargetError, match=r"certificate is not signed by"):
        cluster.identity()
    with pytest.raises(TargetError, match=r"certificate|CERTIFICATE"):
        cluster.exec("shop", "p1", None, ["true"])


def test_wrong_credentials_are_named(api, tmp_path):
    config = yaml.safe_load(api.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = "wrong"
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    with pytest.raises(ApiError, match=r"401 Unauthorized.*credentials") as caught:
        Cluster.connect(file, "city1").identity()
    assert caught.value.status == 401


def test_something_that_is_no_api_server(api, tmp_path, peer):
    cluster = _elsewhere(api, tmp_path, server=peer.url)
    with pytest.raises(ApiError, match=r"404  *404 page not found"):
        cluster.identity()
    peer.answers["/api/v1/namespaces/kube-system"] = (200, "<html>")
    with pytest.raises(TargetError, match="not a Kubernetes object"):
        cluster.identity()


def test_an_expired_page_starts_the_list_again(api, tmp_path, peer):
    pages = [
        (200, {"items": [{"n": 1}], "metadata": {"continue": "t"}}),
        (410, {"kind": "Status", "reason": "Expired", "message": "too old"}),
        (200, {"items": [{"n": 1}, {"n": 2}], "metadata": {}}),
    ]
    peer.answers["/api/v1/pods"] = lambda _: pages.pop(0)
    cluster = _elsewhere(api, tmp_path, server=peer.url)
    assert cluster.list("/api/v1/pods", label_selector="a=b") == [{"n": 1}, {"n": 2}]
    assert "labelSelector=a%3Db" in peer.asked[0][0]
    assert "continue=t" in peer.asked[1][0]


class Hangup:
    """A server that hangs up on the first `times` requests, and then answers."""

    def __init__(self, times):
        self.seen = []
        self._times = times
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.seen.append(connection.recv(65536).split(b" ")[0].decode())
                if len(self.seen) > self._times:
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"a": "b"} ')

    def close(self):
        self._socket.close()


@pytest.mark.parametrize(("times", "works"), [(1, True), (2, False)])
def test_a_read_over_a_connection_that_was_gone_is_tried_once_more(api, tmp_path, times, works):
    server = Hangup(times)
    cluster = _elsewhere(api, tmp_path, server=server.url)
    if works:
        assert cluster.get("/x") == {"a": "b"}
    else:
        with pytest.raises(TargetError, match="cannot be reached"):
            cluster.get("/x")
    server.close()
    assert server.seen == ["GET", "GET"]


def test_a_write_is_never_sent_twice(api, tmp_path):
    server = Hangup(1)
    with pytest.raises(TargetError, match="cannot be reached"):
        _elsewhere(api, tmp_path, server=server.url).delete("/x", grace_s=0)
    server.close()
    assert server.seen == ["DELETE"]


def test_no_global_state_is_touched(api):
    from kubernetes.client.configuration import Configuration

    before = Configuration.get_default_copy().host
    api.cluster().identity()
    assert Configuration.get_default_copy().host == before
