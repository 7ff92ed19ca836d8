"""Indexes."""

from tests.projects.leaks.leak import (
    ALL,
    BOTH,
    MARIADB,
    MYSQL,
    POSTGRESQL,
    SQLITE,
    TABLE,
    Leak,
    changed,
    forgotten,
    missing,
)

IX = "index TAB.TAB_ix"
DROP = 'op.drop_index("TAB_ix", "TAB")'


def index(kind: str, name: str, on: tuple[str, ...], right: str, wrong: str) -> Leak:
    """Return the leak of an index that comes back *wrong*."""
    make, again = (f"CREATE {each}" for each in (right, wrong))
    return changed(f"index: {kind}", name, on, IX, make, DROP, again)


LEAKS = (
    forgotten("index", "index_left", ALL, IX, "CREATE INDEX TAB_ix ON TAB (a)", DROP),
    missing("index", "index_gone", ALL, IX, "CREATE INDEX TAB_ix ON TAB (a)", DROP),
    index(
        "columns", "index_columns", ALL, "INDEX TAB_ix ON TAB (a, b)", "INDEX TAB_ix ON TAB (b, a)"
    ),
    index("order", "index_order", ALL, "INDEX TAB_ix ON TAB (a DESC)", "INDEX TAB_ix ON TAB (a)"),
    index(
        "unique", "index_unique", ALL, "UNIQUE INDEX TAB_ix ON TAB (a)", "INDEX TAB_ix ON TAB (a)"
    ),
    index(
        "predicate",
        "index_predicate",
        ("sqlite", "postgresql"),
        "INDEX TAB_ix ON TAB (a) WHERE b IS NOT NULL",
        "INDEX TAB_ix ON TAB (a) WHERE b IS NULL",
    ),
    index(
        "predicate",
        "index_predicate_gone",
        ("sqlite", "postgresql"),
        "INDEX TAB_ix ON TAB (a) WHERE a > 3",
        "INDEX TAB_ix ON TAB (a)",
    ),
    index(
        "expression",
        "index_expression",
        ("sqlite", "postgresql", "mysql"),
        "INDEX TAB_ix ON TAB ((lower(b)))",
        "INDEX TAB_ix ON TAB ((upper(b)))",
    ),
    index(
        "collation",
        "index_collation",
        SQLITE,
        "INDEX TAB_ix ON TAB (b COLLATE NOCASE)",
        "INDEX TAB_ix ON TAB (b)",
    ),
    index(
        "collation",
        "index_collation",
        POSTGRESQL,
        'INDEX TAB_ix ON TAB (b COLLATE "C")',
        "INDEX TAB_ix ON TAB (b)",
    ),
    index(
        "INCLUDE",
        "index_include",
        POSTGRESQL,
        "INDEX TAB_ix ON TAB (a) INCLUDE (b)",
        "INDEX TAB_ix ON TAB (a)",
    ),
    index(
        "method",
        "index_method",
        POSTGRESQL,
        "INDEX TAB_ix ON TAB USING hash (a)",
        "INDEX TAB_ix ON TAB (a)",
    ),
    index(
        "operator class",
        "index_operator_class",
        POSTGRESQL,
        "INDEX TAB_ix ON TAB (b varchar_pattern_ops)",
        "INDEX TAB_ix ON TAB (b)",
    ),
    index(
        "nulls first",
        "index_nulls_first",
        POSTGRESQL,
        "INDEX TAB_ix ON TAB (a NULLS FIRST)",
        "INDEX TAB_ix ON TAB (a)",
    ),
    index(
        "options",
        "index_options",
        POSTGRESQL,
        "INDEX TAB_ix ON TAB (a) WITH (fillfactor = 70)",
        "INDEX TAB_ix ON TAB (a)",
    ),
    Leak(
        "index: validity",
        "index_invalid",
        POSTGRESQL,
        IX,
        before=(
            "CREATE TABLE TAB (a INTEGER) PARTITION BY LIST (a)",
            "CREATE INDEX TAB_ix ON TAB (a)",
        ),
        up=("DROP INDEX TAB_ix",),
        leak=(
            "CREATE TABLE TAB_2 PARTITION OF TAB FOR VALUES IN (2)",
            "CREATE INDEX TAB_ix ON ONLY TAB (a)",
            "DROP TABLE TAB_2",
        ),
        clean=("CREATE INDEX TAB_ix ON TAB (a)",),
    ),
    missing(
        "index: clustered",
        "index_clustered",
        POSTGRESQL,
        IX,
        "ALTER TABLE TAB CLUSTER ON TAB_ix",
        "ALTER TABLE TAB SET WITHOUT CLUSTER",
        before=(TABLE, "CREATE INDEX TAB_ix ON TAB (a)"),
    ),
    missing(
        "table: replica identity",
        "index_replica_identity",
        POSTGRESQL,
        "index TAB.TAB_ix",
        "ALTER TABLE TAB REPLICA IDENTITY USING INDEX TAB_ix",
        "ALTER TABLE TAB REPLICA IDENTITY DEFAULT",
        before=(
            "CREATE TABLE TAB (a INTEGER NOT NULL)",
            "CREATE UNIQUE INDEX TAB_ix ON TAB (a)",
        ),
    ),
    index(
        "length of a prefix",
        "index_prefix",
        BOTH,
        "INDEX TAB_ix ON TAB (b(10))",
        "INDEX TAB_ix ON TAB (b(12))",
    ),
    index(
        "full text",
        "index_full_text",
        BOTH,
        "FULLTEXT INDEX TAB_ix ON TAB (b)",
        "INDEX TAB_ix ON TAB (b)",
    ),
    index(
        "full text",
        "index_parser",
        MYSQL,
        "FULLTEXT INDEX TAB_ix ON TAB (b) WITH PARSER ngram",
        "FULLTEXT INDEX TAB_ix ON TAB (b)",
    ),
    index(
        "comment",
        "index_comment",
        BOTH,
        "INDEX TAB_ix ON TAB (a) COMMENT 'for reports'",
        "INDEX TAB_ix ON TAB (a)",
    ),
    forgotten(
        "index: comment",
        "index_comment",
        POSTGRESQL,
        f"comment {IX}",
        "COMMENT ON INDEX TAB_ix IS 'for reports'",
        "COMMENT ON INDEX TAB_ix IS NULL",
        before=(TABLE, "CREATE INDEX TAB_ix ON TAB (a)"),
    ),
    index(
        "invisible, ignored",
        "index_invisible",
        MYSQL,
        "INDEX TAB_ix ON TAB (a) INVISIBLE",
        "INDEX TAB_ix ON TAB (a)",
    ),
    index(
        "invisible, ignored",
        "index_ignored",
        MARIADB,
        "INDEX TAB_ix ON TAB (a) IGNORED",
        "INDEX TAB_ix ON TAB (a)",
    ),
)
