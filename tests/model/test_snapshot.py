"""The laws of the diff, and which changes follow from others."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topchef_schema.model import Change, Snapshot, diff
from topchef_schema.model.snapshot import WHOLES

KEYS = st.builds(
    lambda kind, name: f"{kind} {name}",
    st.sampled_from(("table", "view", "column", "index", "column-order")),
    st.text(alphabet="ab.é\"' ", min_size=1, max_size=4),
)
SNAPSHOTS = st.builds(Snapshot, st.dictionaries(KEYS, st.text(max_size=3), max_size=6))


@given(SNAPSHOTS)
def test_nothing_differs_from_itself(schema: Snapshot) -> None:
    assert not diff(schema, Snapshot(dict(reversed(list(schema.objects.items())))))


@given(SNAPSHOTS, SNAPSHOTS)
def test_diff_mirrors(one: Snapshot, other: Snapshot) -> None:
    there, back = diff(one, other).changes, diff(other, one).changes
    assert [Change(each.key, each.after, each.before) for each in back] == list(there)


@given(SNAPSHOTS, SNAPSHOTS)
def test_diff_leads_from_one_to_the_other(one: Snapshot, other: Snapshot) -> None:
    found = dict(one.objects)
    for change in diff(one, other).changes:
        assert found.pop(change.key, None) == change.before
        if change.after is not None:
            found[change.key] = change.after
    assert found == other.objects


CHANGES = st.dictionaries(KEYS, st.one_of(st.none(), st.text(max_size=3)), max_size=4)


@given(SNAPSHOTS, st.lists(CHANGES, max_size=6), st.booleans())
def test_one_made_from_another_is_like_any(
    first: Snapshot, changes: list[dict[str, str | None]], keep: bool
) -> None:
    """Only what has changed is looked at, as long as all between the two are there still."""
    made = [first]
    for each in changes:
        made.append(made[-1].having(each))
    last, kept = made[-1], made if keep else [made[0], made[-1]]
    del made
    for earlier in kept:
        for one, other in ((earlier, last), (last, earlier)):
            plain = diff(Snapshot(dict(one.objects)), Snapshot(dict(other.objects)))
            assert diff(one, other) == plain
    assert (first == last) is not bool(diff(first, last))
    assert pickle.loads(pickle.dumps(last)) == last


@given(SNAPSHOTS, SNAPSHOTS)
def test_fingerprint_is_equal_for_equal_schemas_alone(one: Snapshot, other: Snapshot) -> None:
    assert (one.fingerprint == other.fingerprint) is not bool(diff(one, other))


@given(SNAPSHOTS, SNAPSHOTS)
def test_every_difference_has_a_cause(one: Snapshot, other: Snapshot) -> None:
    changes = diff(one, other)
    assert bool(changes.causes) is bool(changes)
    assert set(changes.causes) <= set(changes.changes)


@given(SNAPSHOTS, SNAPSHOTS)
def test_what_a_whole_takes_along_is_no_cause(one: Snapshot, other: Snapshot) -> None:
    changes = diff(one, other).changes
    wholes = [each for each in changes if each.kind in WHOLES and each.came is not None]
    causes = {each.key for each in diff(one, other).causes}
    for each in changes:
        taken = any(
            each.came is whole.came
            and (
                each.name.startswith(f"{whole.name}.")
                or (each.name == whole.name and each.kind not in WHOLES)
            )
            for whole in wholes
        )
        if taken:
            assert each.key not in causes
        elif each.kind != "column-order":
            assert each.key in causes


def test_fingerprint_is_the_same_in_every_process() -> None:
    objects = {"table b": "table", "table a": "é"}
    code = (
        "import json, sys; from topchef_schema.model import Snapshot;"
        "print(Snapshot(json.loads(sys.argv[1])).fingerprint)"
    )
    command = [sys.executable, "-c", code, json.dumps(objects)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == Snapshot(objects).fingerprint


TABLE = {
    "table s.t": "table",
    "column s.t.id": "integer",
    "column-order s.t": "id",
    "primary-key s.t": "(id)",
    "index s.t.ix": "(id)",
    "sequence s.q": "sequence, owned by s.t.id",
}


@pytest.mark.parametrize(
    ("before", "after", "causes"),
    [
        ({}, TABLE, ["table s.t"]),
        (TABLE, {}, ["table s.t"]),
        (TABLE, {**TABLE, "column s.t.b": "b", "column-order s.t": "id, b"}, ["column s.t.b"]),
        (TABLE, {**TABLE, "column-order s.t": "b, id"}, ["column-order s.t"]),
        (TABLE, {**TABLE, "index s.t.other": "(b)"}, ["index s.t.other"]),
        ({}, {**TABLE, "table s.tt": "table"}, ["table s.t", "table s.tt"]),
        ({}, {**TABLE, "view s.v": "select"}, ["table s.t", "view s.v"]),
        ({}, {"domain s.d": "integer", "constraint s.d.ck": "check"}, ["domain s.d"]),
        ({}, {"schema s": "schema", **TABLE}, ["schema s"]),
        ({}, {**TABLE, "comment column s.t.id": "x", "grants table s.t": "y"}, ["table s.t"]),
        ({}, {"extension e": "1", "comment extension e": "x"}, ["extension e"]),
        (TABLE, {**TABLE, "comment table s.t": "owned by s.t"}, ["comment table s.t"]),
        # What goes while its table comes has nothing to do with it.
        ({"index s.t.old": "(a)"}, TABLE, ["index s.t.old", "table s.t"]),
        (TABLE, {**TABLE, "table s.t": "another"}, ["table s.t"]),
        (
            TABLE,
            {**TABLE, "table s.t": "another", "index s.t.ix": "(b)"},
            ["index s.t.ix", "table s.t"],
        ),
    ],
)
def test_causes(before: dict[str, str], after: dict[str, str], causes: list[str]) -> None:
    found = diff(Snapshot(before), Snapshot(after)).causes
    assert [each.key for each in found] == causes
