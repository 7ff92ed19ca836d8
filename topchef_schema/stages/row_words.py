"""What the findings of a round trip say of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from topchef_schema.model import named_tables
from topchef_schema.stages.contents import Contents, Loss, Rows

About = Mapping[str, str]
"""The object of a finding, and so on."""


def changed(losses: Sequence[Loss], after: Contents) -> Iterator[tuple[str, About]]:
    """Say for each table what the upgrade itself does; *after* is what stands there then."""
    done: dict[tuple[str, str], list[Loss]] = {}
    for loss in losses:
        there = after.get(loss.table)
        gone = there is None or (loss.column and loss.column not in there.columns)
        does = "drops" if gone else "deletes" if loss.column is None else "rewrites"
        done.setdefault((loss.table, does), []).append(loss)
    for (table, does), of_table in done.items():
        # Without numbers: what several backends say alike is shown once.
        several = len(of_table) > 1
        about = {"object": f"table {table}" if several else _object(of_table[0])}
        kind = "values" if several else _kind(of_table[0])
        names = ", ".join(_name(each) for each in of_table)
        yield f"the upgrade itself {does} {kind} of {names}", about


def lost(loss: Loss, when: str) -> tuple[str, About]:
    """Say that something did not survive, and after what."""
    message = f"{_kind(loss)} of {_name(loss)} are not there after {when}, "
    help_ = "keep them in downgrade(), and bring them back in upgrade()"
    return f"{message}for example {loss.example}", {**_about(loss), "help": help_}


def _about(loss: Loss) -> About:
    return {
        "object": _object(loss),
        "before": f"{loss.before} {_kind(loss)}",
        "after": f"{loss.after} {_kind(loss)}",
    }


def _name(loss: Loss) -> str:
    return loss.table if loss.column is None else f"{loss.table}.{loss.column}"


def _object(loss: Loss) -> str:
    return f"{'table' if loss.column is None else 'column'} {_name(loss)}"


def _kind(loss: Loss) -> str:
    return "rows" if loss.column is None else "values"


def concerned(sql: str, message: str, contents: Contents) -> str | None:
    """Return the table with rows that *sql*, else the server's message, names first."""
    named = [each.name for each in named_tables(sql)] if sql else []
    # In a sentence a table's name may be a mere word: what follows it tells.
    named += re.findall(r"(\w+)[\"'`.]", message)
    filled = {table.rpartition(".")[2]: table for table, rows in contents.items() if rows.rows}
    return next((filled[each] for each in named if each in filled), None)


def such_rows(rows: Rows) -> str:
    """Say what to do about rows such as these: the last ones too, they hold what is peculiar."""
    places = sorted({0, len(rows.rows) // 2, len(rows.rows) - 1})
    return "let it cope with rows such as " + ", ".join(rows.shown(place) for place in places)
