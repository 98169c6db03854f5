"""Manifests that the lab's API would not take are refused before anything is made, with the place of what is wrong."""

import re
import shutil
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from stormlab import manifests
from stormlab.errors import BadInputError
from stormlab.estate import Estate, Region, Site

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c
        image: web:1
"""


@pytest.fixture
def problems(tmp_path):
    """Write a directory over a base, and say what is wrong with the region made of it."""

    def refused(base=WORKLOAD, over="", patch=""):
        for name, text in (
            ("base/web.yaml", base),
            ("over/more.yaml", NAMESPACE + over),
            ("over/p.yaml", patch),
        ):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        (tmp_path / "base/kustomization.yaml").write_text("resources: [web.yaml]\n")
        lines = [
            "bases: [../base]",
            "resources: [more.yaml]",
            "patchesStrategicMerge: [p.yaml]" if patch else "",
        ]
        (tmp_path / "over/kustomization.yaml").write_text("\n".join(lines) + "\n")
        network = IPv4Network("10.99.0.0/16")
        region = Region("hq", "hq", 1, (), IPv4Network("10.98.0.0/24"), 1, tmp_path / "over")
        outside = Site("outside", "x", network, "10.99.0.1")
        estate = Estate("x", Path("x.yaml"), network, (region,), outside, {}, {})
        try:
            manifests.render_all(estate)
        except BadInputError as error:
            return [line.replace(str(tmp_path), "") for line in error.problems]
        return []

    return refused


def test_what_is_right_is_taken(problems):
    assert problems() == []


def test_a_misspelt_field_is_refused_with_file_and_line(problems):
    (told,) = problems(WORKLOAD + "        readinesProbe: {tcpSocket: {port: 80}}\n")
    assert told.startswith("/over: Deployment web: ")
    assert 'unknown field "spec.template.spec.containers[0].readinesProbe"' in told
    assert told.endswith("(/base/web.yaml:12)")


def test_a_field_that_the_lab_cannot_honour_is_refused_with_file_and_line(problems):
    (told,) = problems(WORKLOAD + "        livenessProbe: {grpc: {port: 80}}\n")
    assert "spec.template.spec.containers[0].livenessProbe.grpc: Forbidden: this lab does not do that" in told
    assert told.endswith("(/base/web.yaml:12)")


def test_in_a_patch_too(problems):
    patch = WORKLOAD.partition("spec:")[0] + "spec: {replicass: 2}\n"
    (told,) = problems(patch=patch)
    assert re.search(r'unknown field "spec.replicass" \(/over/p.yaml:4\)$', told)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.partition("  template:")[0], "spec.template"),
        (
            lambda text: text.partition("      containers:")[0] + "      containers: null\n",
            "containers: Required",
        ),
        (lambda text: text.replace("image: web:1", "image: [1]"), "cannot unmarshal array"),
        (lambda text: text.replace("app: web}}\n  template", "app: other}}\n  template"), "does not match"),
        (lambda text: text.replace("namespace: shop", "namespace: shpo"), 'namespaces "shpo" not found'),
        (lambda text: text.replace("kind: Deployment", "kind: CronJob"), "does not serve CronJob of apps/v1"),
    ],
)
def test_an_object_that_is_not_whole_is_refused(problems, change, why):
    (told,) = problems(change(WORKLOAD))
    assert why in told
    assert told.startswith("/over: ")


def test_two_services_cannot_have_one_node_port(problems):
    spec = "spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}\n"
    head = "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: shop}\n"
    (told,) = problems(over=head % "a" + spec + head % "b" + spec)
    assert "30080" in told


def test_programs_of_what_is_not_whole_are_none():
    parts = [
        {"kind": "Deployment", "spec": spec}
        for spec in (None, {}, {"template": {"spec": {"containers": None}}})
    ]
    assert list(manifests.programs("hq", parts)) == []
