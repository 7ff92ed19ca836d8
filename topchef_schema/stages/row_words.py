"""What the findings of a round trip say of rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from topchef_schema.model import named_tables
from topchef_schema.stages.contents import NULL, Contents, Loss, Rows

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


def such_rows(rows: Rows, sql: str, message: str) -> str:
    """Say what to do about the rows on which *sql* fails, so far as the server's *message* tells.

    Of those the first and the last, which holds what is peculiar, and one between.
    """
    named = re.findall(r"[\"'`.](\w+)", message)
    # Not any word of the message: "value" and "type" are columns, too.
    about = [each for each in named if each in rows.columns] or [
        each for each in dict.fromkeys(re.findall(r"\w+", sql)) if each in rows.columns
    ]
    failing = _failing(rows.only(about), f"{sql} {message}".lower()) or range(len(rows.rows))
    places = sorted({failing[0], failing[len(failing) // 2], failing[-1]})
    shown = (rows.shown(place, first=about) for place in places)
    return "let it cope with rows such as " + ", ".join(shown)


def _failing(values: Sequence[tuple[str, ...]], words: str) -> Sequence[int]:
    """Return the places of those *values* that *words*, a statement and an error, may be about."""
    missing = [place for place, row in enumerate(values) if NULL in row]
    if "null" in words and missing:
        return missing
    if "unique" in words or "duplicate" in words:
        often = Counter(values)
        return [place for place, row in enumerate(values) if often[row] > 1 and NULL not in row]
    longest = max((max(map(len, row), default=0) for row in values), default=0)
    return [place for place, row in enumerate(values) if max(map(len, row), default=0) == longest]
