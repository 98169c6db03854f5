"""What a refusal looks like: a Status with code, reason and what it is about."""

from __future__ import annotations

import pytest

from .asking import Api, core, group
from .cited import ANONYMOUS, FIELD_VALIDATION, STATUS_CODES, STATUS_KIND, VERBS, cites
from .conftest import Region


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@cites(STATUS_KIND, STATUS_CODES)
def test_what_is_not_there_is_named(api: Api, namespace: str) -> None:
    body = api.get(group("apps/v1", namespace, "deployments", "nosuch")).refused(404, "NotFound")
    assert body["message"] == 'deployments.apps "nosuch" not found'
    assert body["details"] == {"name": "nosuch", "group": "apps", "kind": "deployments"}


@cites(VERBS, STATUS_KIND)
def test_a_resource_that_is_not_served(api: Api, namespace: str) -> None:
    body = api.get(core(namespace, "nosuchthings")).refused(404, "NotFound")
    assert body["message"] == "the server could not find the requested resource"
    plain = api.get("/apis/nosuch.stormdrill.io/v1/things")
    assert (plain.status, plain.text) == (404, "404 page not found\n")


@cites(STATUS_CODES)
def test_a_verb_that_is_not_served(api: Api, namespace: str) -> None:
    api.call("PUT", core(namespace, "configmaps"), {}).refused(405, "MethodNotAllowed")


@cites(STATUS_KIND, STATUS_CODES)
def test_what_may_not_be_is_refused_with_each_field(api: Api, namespace: str) -> None:
    spec = {"containers": [{"name": "No Name", "image": "x:1"}], "restartPolicy": "Sometimes"}
    wrong = {"metadata": {"name": "one"}, "spec": spec}
    body = api.call("POST", core(namespace, "pods"), wrong).refused(422, "Invalid")
    assert body["details"]["kind"] == "Pod"
    causes = {cause["field"]: cause["reason"] for cause in body["details"]["causes"]}
    assert causes == {
        "spec.containers[0].name": "FieldValueInvalid", "spec.restartPolicy": "FieldValueNotSupported",
    }  # fmt: skip


@cites(STATUS_CODES)
@pytest.mark.parametrize("body", [b"{", b'{"metadata": 7}', b'{"kind": "Secret", "apiVersion": "v1"}'])
def test_what_cannot_be_read_is_a_bad_request(api: Api, namespace: str, body: bytes) -> None:
    api.call("POST", core(namespace, "configmaps"), body).refused(400, "BadRequest")


@cites(STATUS_CODES)
def test_forms_that_are_not_spoken(api: Api, namespace: str) -> None:
    api.call("POST", core(namespace, "configmaps"), b"k: v", kind="text/csv").refused(
        415, "UnsupportedMediaType"
    )
    api.call("GET", core(namespace, "configmaps"), accept="text/csv").refused(406, "NotAcceptable")


@cites(FIELD_VALIDATION)
def test_a_misspelt_field_is_warned_of_or_refused(api: Api, namespace: str) -> None:
    body = {"metadata": {"name": "a"}, "dta": {"k": "v"}}
    path = core(namespace, "configmaps")
    said = api.call("POST", path, body, fieldValidation="Strict").refused(400, "BadRequest")
    assert 'unknown field "dta"' in said["message"]
    api.get(core(namespace, "configmaps", "a")).refused(404, "NotFound")
    warned = api.call("POST", path, body)
    assert (warned.status, "dta" in warned.body) == (201, False)
    assert 'unknown field \\"dta\\"' in warned.headers["Warning"]


@cites(ANONYMOUS)
def test_a_stranger_learns_nothing(api: Api, namespace: str) -> None:
    bare = {key: value for key, value in api.wire.headers.items() if key.lower() != "authorization"}
    stranger = api.with_headers(bare)
    if bare == api.wire.headers:
        pytest.skip("this kubeconfig shows who one is by a certificate, which every call carries")
    answer = stranger.get(core(namespace, "configmaps"))
    assert answer.status in {401, 403}  # 403 where anonymous requests are let in
    wrong = api.with_headers({**bare, "Authorization": "Bearer no-such-token"})
    wrong.get(core(namespace, "configmaps")).refused(401, "Unauthorized")


PROTOBUF = "application/vnd.kubernetes.protobuf"
CONFIGS = "/api/v1/namespaces/default/configmaps"


@cites(STATUS_KIND, STATUS_CODES)
@pytest.mark.own_server("a real server builds all of it")
@pytest.mark.parametrize(
    ("call", "forms", "status"),
    [
        (f"PATCH {CONFIGS}/a", {"kind": "application/apply-patch+yaml"}, 501),
        (f"POST {CONFIGS}", {"kind": PROTOBUF}, 415),
        (f"GET {CONFIGS}", {"accept": PROTOBUF}, 406),
        (f"GET {CONFIGS}", {"accept": "application/yaml"}, 406),
        ("POST /api/v1/namespaces/default/serviceaccounts/default/token", {}, 404),
        ("POST /api/v1/namespaces/default/pods/a/portforward", {}, 404),
        ("POST /api/v1/namespaces/default/pods/a/attach", {}, 404),
        ("GET /api/v1/namespaces/default/replicationcontrollers", {}, 404),
    ],
)
def test_what_is_not_built_says_so(api: Api, call: str, forms: dict[str, str], status: int) -> None:
    method, _, path = call.partition(" ")
    body = None if method == "GET" else {"metadata": {"name": "a"}}
    answer = api.call(method, path, body, **forms)
    assert (answer.status, answer.body["kind"], answer.body["code"]) == (status, "Status", status)
    assert api.get("/openapi/v2").status == api.get("/openapi/v3").status == 404
