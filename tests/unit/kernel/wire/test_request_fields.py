"""The table of what a request's fields must be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from namespace_kernel.kernel.wire.request_fields import CONTENT, HEADER, check_fields, tags_of

PROPER: dict[str, dict[str, Any]] = {
    "execute_request": {"code": "1", "user_expressions": {"a": "1"}, "silent": "yes", "other": []},
    "complete_request": {"code": "1", "cursor_pos": None},
    "inspect_request": {"code": "1", "cursor_pos": 1, "detail_level": 1, "omit_sections": ["a"]},
    "is_complete_request": {"code": ""},
    "history_request": {"hist_access_type": "tail", "output": 0, "raw": "x", "n": 5, "pattern": "*"},
    "shutdown_request": {"restart": False},
    "debug_request": {"command": "debugInfo", "seq": 1},
    "delete_subshell_request": {"subshell_id": "a"},
    "comm_open": {"comm_id": "1", "target_name": "x", "data": float("nan")},
    "comm_msg": {"comm_id": "1"},
    "comm_close": {"comm_id": "1"},
    "kernel_info_request": {},
    "no_such_request": {"code": 5},
}


def message(kind: str, **changes: Any) -> dict[str, Any]:
    header = {"msg_id": "an id", "msg_type": kind}
    parts = {"header": header, "content": copy.deepcopy(PROPER[kind]), "metadata": {}, "parent_header": {}}
    return {**parts, "msg_type": kind, **changes}


def test_the_examples_are_complete() -> None:
    assert CONTENT.keys() <= PROPER.keys()


@pytest.mark.parametrize("kind", PROPER)
def test_a_proper_message_is_not_changed(kind: str) -> None:
    proper = message(kind)
    before = copy.deepcopy(proper)
    assert check_fields(proper) == ""
    assert str(proper) == str(before)


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        (kind, name, value)
        for kind, rules in CONTENT.items()
        for name, rule in rules.items()
        for value in (None, True, 5, -1.5, 2**64, "text", [1], ["a"], {"a": 1}, b"bytes")
        if not rule.allows(value)
    ],
)
def test_a_wrong_field_is_named(kind: str, name: str, wrong: object) -> None:
    one = message(kind)
    one["content"][name] = wrong
    assert f"`{name}` in its content must be" in check_fields(one)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, rules in CONTENT.items() for name, r in rules.items() if r.needed],
)
def test_a_field_that_is_missing_is_named(kind: str, name: str) -> None:
    one = message(kind)
    del one["content"][name]
    assert f"`{name}` is missing" in check_fields(one)


@pytest.mark.parametrize("name", HEADER)
def test_a_wrong_field_of_the_header_is_named(name: str) -> None:
    one = message("kernel_info_request")
    one["header"][name] = ["wrong"]
    assert f"`{name}` in its header must be" in check_fields(one)
    assert one["header"].get("subshell_id") is None


@pytest.mark.parametrize("wrong", ["text", [], 5, True, 0.5])
@pytest.mark.parametrize("part", ["metadata", "content"])
def test_a_part_that_is_no_object_is_named_where_it_is_needed(part: str, wrong: object) -> None:
    needed = message("execute_request", **{part: wrong})
    assert f"`{part}` must be an object" in check_fields(needed)
    assert needed[part] == {}
    not_needed = message("kernel_info_request", **{part: wrong, "parent_header": wrong})
    assert check_fields(not_needed) == ""
    assert not_needed[part] == not_needed["parent_header"] == {}


def test_metadata_that_is_null_is_none() -> None:
    assert check_fields(message("execute_request", metadata=None)) == ""


@pytest.mark.parametrize(
    ("tags", "read"),
    [(5, []), ("sync", []), (None, []), ({"sync": 1}, []), ([5, "sync", None, ["a"]], ["sync"])],
)
def test_tags_may_be_anything(tags: object, read: list[str]) -> None:
    assert tags_of({"tags": tags}) == read
