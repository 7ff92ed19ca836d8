"""Whether two ways lead to the same rows, as far as the revisions say what these hold.

A time, a random number or an id that the server makes is another one each time. What is so is
told by going one of the ways once more, with nothing known of columns, triggers or statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from topchef_schema.stages.contents import Rows

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of one way and the nearest to it of the other, as a reader sees them.

    One is None where the other way has nothing in its place. *columns* are those that differ.
    """

    columns: tuple[str, ...]
    before: str | None
    after: str | None


def difference(ours: Rows, theirs: Rows, again: Rows) -> Difference | None:
    """Return a difference between *ours* and *theirs*; None where there is none.

    *again* is what our way has led to once more. A row that is the same each time has to be there;
    of the others, what is the same. Columns that only one of them has are told by the schema.
    """
    columns = tuple(
        each for each in ours.columns if each in theirs.columns and each in again.columns
    )
    one, other, more = (Counter(each.only(columns)) for each in (ours, theirs, again))
    settled = one & more
    same = _same_each_time(one - more, more - one, len(columns))
    expected, found = one - settled, other - settled
    wanting = _cut(expected, same) - _cut(found, same)
    beyond = _cut(found, same) - _cut(expected, same)
    missing = [*(settled - other), *_of(expected, wanting, same)]
    extra = _of(found, beyond, same)
    if not missing and not extra:
        return None
    return _shown(columns, [columns[each] for each in same], missing, extra)


def _same_each_time(once: Counter[Row], again: Counter[Row], width: int) -> list[int]:
    """Return the places of the columns whose values are the same."""
    places = range(width)
    return [each for each in places if _cut(once, [each]) == _cut(again, [each])]


def _cut(rows: Counter[Row], places: Sequence[int]) -> Counter[Row]:
    return Counter(tuple(row[each] for each in places) for row in rows.elements())


def _of(rows: Counter[Row], wanted: Counter[Row], places: Sequence[int]) -> list[Row]:
    """Return those of *rows* whose values at *places* are *wanted*."""
    return [row for row in rows if tuple(row[each] for each in places) in wanted]


def _shown(
    columns: Row, same: Sequence[str], missing: Sequence[Row], extra: Sequence[Row]
) -> Difference:
    """Return the first row that is missing, beside what is most like it in the *same* columns."""
    if not missing or not extra:
        before, after = (
            Rows(columns, (min(each),)).shown(0) if each else None for each in (missing, extra)
        )
        return Difference((), before, after)
    row = min(missing)

    def differing(other: Row) -> Row:
        pairs = zip(columns, row, other, strict=True)
        names = [name for name, value, there in pairs if value != there]
        return tuple(each for each in names if each in same) or tuple(names)

    other = min(extra, key=lambda each: (len(differing(each)), each))
    first = differing(other)
    before, after = (Rows(columns, (each,)).shown(0, first=first) for each in (row, other))
    return Difference(first, before, after)
