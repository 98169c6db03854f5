"""Limits, figures and credentials: small values that content files are made of."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormdrill import continuity
from stormdrill.credential import resolve
from stormdrill.errors import InputError
from stormdrill.estate_secrets import Credential, SecretKey
from stormdrill.limit import Limit


@settings(deadline=None, derandomize=True)
@given(
    st.sampled_from(["<=", ">=", "<", ">", "==", "!="]), st.integers(-1000, 1000), st.integers(-1000, 1000)
)
def test_a_limit_compares_as_it_is_written(compare, limit, number):
    parsed = Limit.parse(f"{compare}{limit}")
    assert Limit.parse(str(parsed)) == parsed
    assert parsed.holds(number) is eval(f"{number} {compare} {limit}")  # noqa: S307


@pytest.mark.parametrize("text", ["", "5", "=< 5", "<= five", "<= 1 2", "<= 1e", "nan", "<= nan", "<= inf"])
def test_what_is_no_limit(text):
    with pytest.raises(ValueError, match="not a limit"):
        Limit.parse(text)


def test_nan_keeps_no_limit_and_breaks_none():
    with pytest.raises(ValueError, match="NaN"):
        Limit.parse("<= 1").holds(float("nan"))


@pytest.mark.parametrize(
    ("figure", "says"),
    [
        ("5s", "needs its basis"),
        ("5s [X] a source", "needs its basis"),
        ("[U] no value", "needs its basis"),
        ("fast [U] our choice", "not a duration"),
        ("5 [U] our choice", "not a duration"),
    ],
)
def test_a_figure_needs_value_and_basis(tree, figure, says):
    line = tree.change("continuity.yaml", "7s [V] a paper", figure)
    with pytest.raises(InputError) as caught:
        continuity.load(tree.path("continuity.yaml"))
    (problem,) = caught.value.problems
    assert (problem.line, says in problem.message) == (line, True)


class Secrets:
    """A cluster that holds one Secret."""

    def get(self, path):
        assert path == "/api/v1/namespaces/n/secrets/s"
        return {"data": {"password": base64.b64encode(b"hunter2").decode()}}


def test_secrets_are_found_where_they_are_kept(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text("from a file\n")
    monkeypatch.setenv("DRILL_SECRET", "from the environment")
    cases = {
        "from a file": Credential(file=file),
        "from the environment": Credential(env="DRILL_SECRET"),
        "hunter2": Credential(secret=SecretKey("east", "n", "s", "password")),
        None: None,
    }
    for wanted, credential in cases.items():
        assert resolve(credential, lambda region: {"east": Secrets()}[region]) == wanted


@pytest.mark.parametrize(
    ("credential", "says"),
    [
        (Credential(env="NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE is not set"),
        (Credential(secret=SecretKey("east", "n", "s", "passwort")), "secret n/s has no key passwort"),
    ],
)
def test_a_missing_secret_is_named(credential, says):
    with pytest.raises(InputError, match=says):
        resolve(credential, lambda _: Secrets())


def test_a_missing_secret_file_is_named(tmp_path):
    with pytest.raises(InputError, match="gone: No such file"):
        resolve(Credential(file=tmp_path / "gone"), lambda _: Secrets())
