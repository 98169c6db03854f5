"""Small parts of the API: quantities, ages, scale, discovery of rights, trust, the schema file."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stormlab import pki
from stormlab.api.decoding import decode_tree
from stormlab.api.rbac import Asked
from stormlab.api.rules.template import qos_class
from stormlab.api.scale import selector_text
from stormlab.api.schema import DecodeError, decode
from stormlab.api.status import ApiError
from stormlab.api.store import Store
from stormlab.api.web.ages import duration, since
from stormlab.api.web.negotiation import negotiate
from stormlab.api.web.rights import reason
from stormlab.api.web.users import ADMIN, ANONYMOUS, NODE, authenticate
from stormlab.quantity import quantity

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("500m", 0.5), ("1Ki", 1024), ("1.5G", 1.5e9), ("2e3", 2000), ("0", 0)]
)
def test_quantities(text, value):
    assert quantity(text) == pytest.approx(value)


def test_no_quantity():
    with pytest.raises(ValueError, match="not a quantity"):
        quantity("a lot")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (840, "14m"), (3 * 3600, "3h"),
     (5 * 3600 + 120, "5h2m"), (47 * 3600, "47h"), (3 * 86400 + 4 * 3600, "3d4h"),
     (100 * 86400, "100d"), (-5, "<invalid>")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_age_of_nothing_is_unknown():
    assert since(None, dt.datetime.now(dt.UTC)) == "<unknown>"


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        (
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
            "Burstable",
        ),
    ],
)
def test_quality_of_service(resources, wanted):
    assert qos_class({"containers": [{"resources": resources}]}) == wanted


def test_selectors_as_text():
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "c", "operator": "NotIn", "values": ["y", "x"]},
            {"key": "d", "operator": "Exists"},
        ],
    }
    assert selector_text(selector) == "a=1,b=2,c notin (x,y),d"


def test_unknown_fields_are_named_where_they_are():
    tree, unknown = decode(
        "Pod", {"spec": {"containers": [{"name": "c", "imagePullpolicy": "x"}]}, "nosuch": {"a": 1}}
    )
    assert unknown == ["spec.containers[0].imagePullpolicy", "nosuch"]
    assert tree == {"spec": {"containers": [{"name": "c"}]}}


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"name": 1}},
        {"metadata": {"labels": {"a": 1}}},
        {"spec": {"containers": "x"}},
        {"spec": {"containers": [{"ports": [{"containerPort": "80"}]}]}},
        {"spec": {"hostNetwork": "yes"}},
        {"spec": {"terminationGracePeriodSeconds": True}},
        {"spec": {"containers": [{"resources": {"limits": {"cpu": "a lot"}}}]}},
        {"metadata": {"creationTimestamp": "yesterday"}},
    ],
)
def test_wrong_types_are_refused(body):
    with pytest.raises(DecodeError):
        decode("Pod", body)


def test_what_kubelets_report_is_complete():
    status = {"containerStatuses": [{"name": "c"}]}
    tree, _ = decode("Pod", {"status": status})
    wanted = {"name": "c", "state": {}, "lastState": {}, "ready": False, "restartCount": 0}
    assert tree["status"]["containerStatuses"][0] == {**wanted, "image": "", "imageID": ""}


def test_strict_and_warning():
    body = {"metadata": {"name": "a", "typo": 1}}
    assert decode_tree("ConfigMap", "v1", body, "").warnings == ['unknown field "metadata.typo"']
    assert decode_tree("ConfigMap", "v1", body, "Ignore").warnings == []
    with pytest.raises(ApiError) as caught:
        decode_tree("ConfigMap", "v1", body, "Strict")
    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "object"),
        ("*/*", "object"),
        ("application/json", "object"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "table"),
        ("application/vnd.kubernetes.protobuf, */*", "object"),
        ("application/json;as=Nope;v=v1;g=meta.k8s.io, application/json", "object"),
        ("application/json;stream=watch", "object"),
    ],
)
def test_negotiation(accept, form):
    assert negotiate(accept) == form


@pytest.mark.parametrize(
    "accept", ["image/png", "application/yaml", "application/json;as=Nope;v=v1;g=meta.k8s.io"]
)
def test_nothing_acceptable_is_406(accept):
    with pytest.raises(ApiError) as caught:
        negotiate(accept)
    assert caught.value.code == 406


def test_tokens_and_rights():
    tokens = {"secret-a": ADMIN, "secret-n": NODE}
    assert authenticate("Bearer secret-a", tokens) is ADMIN
    assert authenticate("bearer secret-n", tokens) is NODE
    assert authenticate("", tokens) is ANONYMOUS
    for header in ("Bearer nosuch", "Basic secret-a", "Bearer "):
        with pytest.raises(ApiError) as caught:
            authenticate(header, tokens)
        assert caught.value.code == 401
    store = Store()
    assert reason(store, NODE, Asked("patch", "", "pods/status")) is not None
    assert reason(store, NODE, Asked("create", "", "pods")) is None
    assert reason(store, NODE, Asked("list", "apps", "deployments")) is None
    assert reason(store, ANONYMOUS, Asked("list", "", "pods")) is None


def test_trust_is_made_once_and_verifies(tmp_path):
    pki.ensure(tmp_path, ["city1", "city2"])
    first = {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()}
    pki.ensure(tmp_path, ["city1", "city2"])
    assert {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()} == first
    verify = [
        "openssl",
        "verify",
        "-x509_strict",
        "-CAfile",
        tmp_path / "pki/ca.crt",
        tmp_path / "pki/api.crt",
    ]
    assert "OK" in subprocess.run(verify, capture_output=True, text=True, check=True).stdout
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "pki").iterdir())
    config = pki.write_kubeconfig(tmp_path, {"city1": 1, "city2": 2}).read_text()
    assert "current-context: city1" in config
    assert "https://127.0.0.1:2" in config


def test_a_half_made_trust_is_made_whole(tmp_path):
    pki.ensure(tmp_path, ["city1"])
    (tmp_path / "pki/ca.crt").unlink()
    pki.ensure(tmp_path, ["city1"])
    verify = ["openssl", "verify", "-CAfile", tmp_path / "pki/ca.crt", tmp_path / "pki/api.crt"]
    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0


def test_the_schema_is_what_the_installed_client_says():
    done = subprocess.run([sys.executable, ROOT / "scripts/kube_schema.py", "--check"], check=False)
    assert done.returncode == 0, "run scripts/kube_schema.py"
    assert "PodSpec" in json.loads((ROOT / "src/stormlab/api/schema.json").read_text())
