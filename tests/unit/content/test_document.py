"""Reading a file: what is wrong with it as YAML, and with its shape, is said with its line."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stormdrill import topology
from stormdrill.content import lines_of, open_document
from stormdrill.errors import InputError

SMALL = Path(__file__).parents[1] / "estate" / "small-in-full.yaml"
COMPACT = Path(__file__).parents[3] / "topology" / "full.yaml"


def problems_of(read, *arguments):
    with pytest.raises(InputError) as caught:
        read(*arguments)
    return caught.value.problems


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"", 0, "empty file"),
        (b"a: [1, 2\nb: 3\n", 2, "not YAML"),
        (b"a: 1\n\tb: 2\n", 2, "not YAML"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        (b"a: 1\n---\nb: 2\n", 2, "not YAML"),
        (b"a: *nowhere\n", 1, "not YAML"),
        (b"a: b\x00\n", 0, "not YAML"),
    ],
)
def test_what_is_not_yaml_is_one_problem_with_its_line(tmp_path, data, line, says):
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    (problem,) = problems_of(open_document, file)
    assert (problem.file, problem.line) == (str(file), line)
    assert says in problem.message


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    (problem,) = problems_of(open_document, tmp_path / "none.yaml")
    assert "none.yaml: No such file" in str(problem)
    (problem,) = problems_of(open_document, tmp_path)
    assert "directory" in problem.message


@pytest.mark.parametrize(
    "value", ['!!int ""', "2026-13-41", "!!float x", "!!python/object:os.system x", "!!set {a}"]
)
def test_a_value_the_library_cannot_build_is_a_problem_at_its_line(tree, value):
    line = tree.change("topology.yaml", "name: shop\n", f"name: {value}\n")
    assert [problem.line for problem in problems_of(topology.load, tree.topology)] == [line]


def test_an_alias_into_itself_is_refused_not_followed_for_ever(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("schema: stormdrill.topology/1\nname: &a [*a]\nservices: &s {x: *s}\n")
    assert any("name" in problem.message for problem in problems_of(topology.load, file))


def test_lines_end_where_an_alias_leads_into_itself(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("links: &a {x: *a, y: 1}\nname: b\n")
    lines = lines_of(open_document(file).root)
    assert (lines["links.y"], lines["links.x.y"], lines["name"]) == (1, 1, 2)


def test_another_schema_hides_the_rest(tree):
    line = tree.change("topology.yaml", "stormdrill.topology/1", "stormdrill.topology/2")
    (problem,) = problems_of(topology.load, tree.topology)
    assert problem.line == line
    assert "'stormdrill.topology/2', expected 'stormdrill.topology/1'" in problem.message


def test_every_problem_is_reported_at_once(tree):
    wanted = [
        (tree.change("topology.yaml", "deadline: 1s", "deadline: 1"), "a duration needs a unit"),
        (tree.change("topology.yaml", "type: account", "type: acount"), "did you mean 'account'"),
        (tree.change("topology.yaml", "kind: write", "kind: yes"), "must be text; quote it"),
        (tree.change("topology.yaml", "cells: {main: {}}", "cells: {main: {}, main: {}}"), "given twice"),
        (tree.change("topology.yaml", "selector: {app: search}", "selectr: {app: search}"), "'selector'?"),
        (tree.change("topology.yaml", "127.0.0.1:2", " somewhere"), "not an http(s) URL"),
        (tree.change("topology.yaml", "zones: [w1]", "zones: w1"), "must be a list"),
        (tree.change("topology.yaml", "expect: 0", "expect: 0.5"), "must be a whole number"),
    ]
    found = {(problem.line, problem.message) for problem in problems_of(topology.load, tree.topology)}
    for line, says in wanted:
        assert any(at == line and says in message for at, message in found), (line, says, found)


def _mappings(node, path=()):
    """Every mapping of the file, with the way to it."""
    if isinstance(node, yaml.MappingNode):
        yield path, node
        for key, value in node.value:
            yield from _mappings(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value, (*path, "[]"))


_FREE = (
    "regions",
    "edges",
    "services",
    "operations",
    "cells",
    "databases",
    "metrics",
    "links",
    "lab",
    "selector",
)
_TEXTS = [SMALL.read_text(), COMPACT.read_text()]
_PLACES = [
    (text, path, node)
    for text in _TEXTS
    for path, node in _mappings(yaml.compose(text))
    if path[-1:] not in [(name,) for name in (*_FREE, "members")]
    and not {"links", "lab"} & set(path)
    and node.value
]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.sampled_from(_PLACES), st.sampled_from(["nmae", "x-unknown", "zzz"]))
def test_an_unknown_key_anywhere_is_one_problem_at_its_line(tmp_path_factory, place, key):
    """Whatever the place in the file: one problem, there, and only there."""
    was, path, node = place
    first = node.value[0][0].start_mark
    glue = ", " if node.flow_style else "\n" + " " * first.column
    text = f"{was[: first.index]}{key}: 1{glue}{was[first.index :]}"
    file = tmp_path_factory.getbasetemp() / "unknown-key" / "small.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    (file.parent / "continuity.yaml").write_text("only its presence matters here")
    (problem,) = problems_of(topology.load, file)
    assert problem.line == first.line + 1, path
    assert f"unknown key '{key}'" in problem.message
