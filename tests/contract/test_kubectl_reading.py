"""Debian's kubectl reads: every form of `get`, watching, waiting, logs, describing."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from .asking import Api, core
from .cited import EXEC, FIELDS, JSONPATH, KUBECTL, LABELS, LOGS, TABLES, WATCH, cites
from .conftest import Region, client_version, needs_kubectl
from .kubelet import LINES
from .workloads import pod, run_pod

pytestmark = [needs_kubectl, cites(KUBECTL)]


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@pytest.fixture
def running(region: Region, api: Api, namespace: str) -> str:
    """A namespace with a pod that is Ready."""
    run_pod(region, api, namespace, pod(region, "one"))
    return namespace


@contextmanager
def lines_of(region: Region, *arguments: str) -> Iterator[list[str]]:
    """What kubectl prints while it goes on; ended afterwards."""
    argv = ["kubectl", "--kubeconfig", str(region.kubeconfig), *arguments]
    if region.context:
        argv += ["--context", region.context]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(_each(process)), daemon=True)
    reader.start()
    try:
        yield seen
    finally:
        process.terminate()
        process.wait()
        reader.join(timeout=5)


def _each(process: subprocess.Popen[str]) -> Iterator[str]:
    for line in process.stdout or ():
        yield line.rstrip("\n")


@cites(TABLES)
def test_wide_shows_more_columns(region: Region, running: str) -> None:
    plain, wide = (
        region.kubectl("-n", running, "get", "pods", *more).splitlines()[0].split()
        for more in ((), ("-o", "wide"))
    )
    assert plain == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert wide[:7] == [*plain, "IP", "NODE"]


def test_yaml_and_json_are_the_object(region: Region, api: Api, running: str) -> None:
    truth = api.done("GET", core(running, "pods", "one"))
    as_json = json.loads(region.kubectl("-n", running, "get", "pod", "one", "-o", "json"))
    as_yaml = yaml.safe_load(region.kubectl("-n", running, "get", "pod/one", "-o", "yaml"))
    # This kubectl does not show who manages what.
    truth["metadata"].pop("managedFields", None)
    for shown in (as_json, as_yaml):
        shown["metadata"].pop("managedFields", None)
    assert as_json == truth
    assert as_yaml["metadata"]["uid"] == truth["metadata"]["uid"]
    assert as_yaml["spec"] == truth["spec"]


@cites(JSONPATH)
def test_jsonpath_names_and_columns(region: Region, running: str) -> None:
    def get(form: str) -> str:
        return region.kubectl("-n", running, "get", "pods", "-o", form)

    assert get("jsonpath={.items[?(@.metadata.name=='one')].spec.containers[*].name}") == "c"
    assert get("jsonpath={range .items[*]}{.metadata.name}={.status.phase};{end}") == "one=Running;"
    assert get("name") == "pod/one\n"
    assert get("custom-columns=N:.metadata.name,P:.status.phase").split() == ["N", "P", "one", "Running"]
    assert get("go-template={{range .items}}{{.kind}}{{end}}") == "Pod"


@cites(LABELS, FIELDS)
def test_selectors_and_order(region: Region, api: Api, running: str) -> None:
    for name, colour in (("z", "red"), ("y", "blue"), ("x", "red")):
        api.done(
            "POST", core(running, "configmaps"), {"metadata": {"name": name, "labels": {"colour": colour}}}
        )

    def names(*more: str) -> list[str]:
        return region.kubectl("-n", running, "get", "cm", "-o", "name", *more).split()

    assert names("-l", "colour=red") == ["configmap/x", "configmap/z"]
    assert names("-l", "colour in (blue),colour") == ["configmap/y"]
    assert names("--field-selector", "metadata.name=x") == ["configmap/x"]
    by_age = names("-l", "colour", "--sort-by=.metadata.resourceVersion")
    assert by_age == ["configmap/z", "configmap/y", "configmap/x"]
    shown = region.kubectl("-n", running, "get", "cm", "x", "--show-labels", "--no-headers").split()
    assert shown[-1] == "colour=red"
    assert (
        region.kubectl("-n", running, "get", "cm", "x", "-L", "colour", "--no-headers").split()[-1] == "red"
    )


@cites(WATCH)
def test_watching_shows_each_change(region: Region, api: Api, running: str) -> None:
    with lines_of(region, "-n", running, "get", "pods", "-w", "--no-headers") as seen:
        region.eventually(lambda: seen and seen[0].split()[:3] == ["one", "1/1", "Running"], "the list")
        run_pod(region, api, running, pod(region, "two"))
        api.done("DELETE", core(running, "pods", "two"))
        region.eventually(lambda: any("Terminating" in line for line in seen), "its end is shown")
        region.eventually(lambda: api.get(core(running, "pods", "two")).status == 404, "it is gone")
    # What was seen of it, from the first sight to the last.
    states = [line.split()[2] for line in seen if line.startswith("two ")]
    assert states[0] == "Pending"
    assert states.index("Running") < states.index("Terminating")


@cites(WATCH)
def test_waiting_for_a_condition_and_for_an_end(region: Region, api: Api, running: str) -> None:
    def wait(what: str, timeout: str = region.timeout, check: bool = True) -> str:
        return region.kubectl("-n", running, "wait", what, "pod/one", timeout, check=check)

    assert "condition met" in wait("--for=condition=Ready")
    assert "timed out" in wait("--for=condition=NoSuch", "--timeout=1s", check=False)
    api.done("DELETE", core(running, "pods", "one"))
    wait("--for=delete")
    api.get(core(running, "pods", "one")).refused(404, "NotFound")


@cites(LOGS)
def test_logs_whole_in_part_and_as_they_come(region: Region, running: str) -> None:
    def logs(*more: str) -> list[str]:
        return region.kubectl("-n", running, "logs", "one", *more).splitlines()

    region.eventually(lambda: len(logs()) == len(LINES), "all is written")
    assert logs() == list(LINES)
    assert logs("-c", "c", "--tail=1") == [LINES[-1]]
    assert logs("--tail=0") == []
    assert logs("--limit-bytes=3") == ["err"]
    with lines_of(region, "-n", running, "logs", "-f", "one", "--tail=2") as seen:
        region.eventually(lambda: seen[:2] == list(LINES[-2:]), "it follows")


@cites(LOGS)
def test_logs_with_times(region: Region, running: str) -> None:
    told = region.kubectl("-n", running, "logs", "one", "--timestamps", "--tail=1")
    assert told.rstrip().endswith(f"Z {LINES[-1]}")


@cites(LOGS)
def test_the_log_of_a_container_that_was_there_before(region: Region, api: Api, running: str) -> None:
    told = region.kubectl("-n", running, "logs", "one", "--previous", check=False)
    assert 'previous terminated container "c" in pod "one" not found' in told
    if region.port:
        pytest.skip("the kubelets of these tests run nothing, so nothing is restarted")
    body = pod(region, "crashing", ["sh", "-c", "echo once; exit 3"])
    api.done("POST", core(running, "pods"), body)

    def previous() -> bool:
        return "once" in region.kubectl("-n", running, "logs", "crashing", "--previous", check=False)

    region.eventually(previous, "the log of the first try")
    status = api.done("GET", core(running, "pods", "crashing"))["status"]["containerStatuses"][0]
    assert status["restartCount"] >= 1
    assert status["lastState"]["terminated"]["exitCode"] == 3


@pytest.mark.parametrize(
    ("what", "words"),
    [("pod/one", ["Containers:", "Ready", "Node:"]), ("ns", ["Status:", "Active"]), ("cm", ["ca.crt"])],
)
def test_describe(region: Region, running: str, what: str, words: list[str]) -> None:
    names = [running] if what == "ns" else []
    told = region.kubectl("-n", running, "describe", what, *names)
    assert [word for word in words if word not in told] == []


def test_all_of_a_namespace_and_of_all_namespaces(region: Region, running: str) -> None:
    assert "pod/one" in region.kubectl("-n", running, "get", "all", "-o", "name").split()
    rows = [line.split()[:2] for line in region.kubectl("get", "pods", "-A", "--no-headers").splitlines()]
    assert [running, "one"] in rows
    assert "No resources found" in region.kubectl("-n", running, "get", "deploy", check=False)


def test_what_the_server_serves(region: Region) -> None:
    served = region.kubectl("api-resources", "-o", "name").split()
    assert {"pods", "deployments.apps", "leases.coordination.k8s.io", "poddisruptionbudgets.policy"} <= set(
        served
    )
    assert "apps/v1" in region.kubectl("api-versions").split()
    assert "Server Version" in region.kubectl("version")


SPEAKS_WEBSOCKET = client_version() >= (1, 30)


@pytest.mark.own_server("a real server speaks SPDY too")
@pytest.mark.skipif(SPEAKS_WEBSOCKET, reason="this kubectl speaks WebSocket, as all have since 1.30")
@cites(EXEC)
def test_exec_of_an_old_kubectl_is_told_what_is_spoken(region: Region, running: str) -> None:
    told = region.kubectl("-n", running, "exec", "one", "--", "true", check=False)
    assert "exec is served over WebSocket only" in told


@pytest.mark.skipif(not SPEAKS_WEBSOCKET, reason="this kubectl is older than 1.30 and speaks SPDY only")
@cites(EXEC)
def test_exec_of_a_new_kubectl(region: Region, running: str) -> None:
    assert region.kubectl("-n", running, "exec", "one", "--", "echo", "hi") == "hi\n"
