"""Rows and values that a downgrade loses or changes, where the schema is as it was."""

from tests.projects.leaks.leak import ALL, TABLE, Leak

ADDED = 'op.add_column("TAB", sa.Column("c", sa.Integer))'
DROPPED = 'with op.batch_alter_table("TAB") as batch:\n    batch.drop_column("c")'


def lost(kind: str, name: str, object: str, sql: str) -> Leak:
    """Return the leak of a downgrade that also sends *sql*."""
    return Leak(
        kind,
        name,
        ALL,
        object,
        before=(TABLE,),
        up=(ADDED,),
        leak=(DROPPED, sql),
        clean=(DROPPED,),
        rule="data-lost",
    )


LEAKS = (
    lost("rows", "rows_deleted", "table TAB", "DELETE FROM TAB"),
    lost("rows", "rows_some_deleted", "table TAB", "DELETE FROM TAB WHERE a = 1"),
    lost("values", "values_set", "column TAB.a", "UPDATE TAB SET a = 77"),
    lost("values", "values_null", "column TAB.b", "UPDATE TAB SET b = NULL"),
    lost("values", "values_cut", "column TAB.b", "UPDATE TAB SET b = substr(b, 1, 1)"),
    Leak(
        "rows",
        "rows_of_a_table_made_anew",
        ALL,
        "table TAB",
        before=(TABLE,),
        up=(ADDED,),
        leak=("DROP TABLE TAB", TABLE),
        clean=(DROPPED,),
        rule="data-lost",
    ),
)
