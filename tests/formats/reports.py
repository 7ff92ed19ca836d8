"""One report that has everything in it, and one that is out to do harm."""

from __future__ import annotations

from topchef_schema.model import (
    Check,
    Direction,
    ErrorInfo,
    Finding,
    Outcome,
    Report,
    Severity,
    Statement,
    Table,
)

HOSTILE = "\x1b[2J\x00 <b>&'\"]]> %s \ud800 \ufffe \u202e -- */\nsecond line\ttab\r\n"

FULL = Report(
    "roundtrip",
    target="sqlite:///app.db",
    checks=(
        Check("authors", Outcome.PASSED, "sqlite", "aa10", seconds=0.12345678),
        Check("sort names", Outcome.FAILED, "sqlite", "bb20", Direction.DOWN, 1.5, "why it failed"),
        Check("books", Outcome.SKIPPED, "sqlite", "cc30", detail="no server"),
        Check("prices", Outcome.PENDING, "sqlite", "dd40"),
    ),
    findings=(
        Finding(
            "downgrade-leaves-trace",
            Severity.ERROR,
            "is left behind by the downgrade",
            help="drop it in downgrade()",
            backend="sqlite",
            revision="bb20",
            object="index authors.ix_name",
            before=None,
            after="(name)",
            path="alembic/versions/bb20.py",
            line=12,
        ),
        Finding(
            "downgrade-leaves-trace",
            Severity.ERROR,
            "is not what it was before the upgrade",
            backend="sqlite",
            revision="bb20",
            object="column authors.name",
            before="varchar(40)",
            after="varchar(80)",
            path="alembic/versions/bb20.py",
        ),
        Finding("fails-on-rows", Severity.WARNING, "fails", sql="INSERT INTO t\n  VALUES (1)"),
        Finding("irreversible", Severity.INFO, "the downgrade refuses", revision="aa10"),
    ),
    statements=(
        Statement("CREATE TABLE t (a INT)", "sqlite", "aa10", Direction.UP, "a.py", 3, 0.01),
        Statement("COMMIT", "sqlite"),
    ),
    data={"revisions": ["aa10", "bb20"], "nested": {"é": None}},
    tables=(
        Table(
            ("revision", "message", "sqlite"),
            (
                ("aa10", "authors", "ok"),
                ("bb20", "naïve 日本語 names", "FAILED"),
                ("cc30", "two\nlines", "skipped"),
            ),
            title="revisions",
        ),
        Table(("never", "shown"), ()),
    ),
    summary="1 of 4 not clean",
    seconds=3.21987,
)

HARM = Report(
    "upgrade",
    target=HOSTILE,
    checks=(Check(HOSTILE, Outcome.FAILED, HOSTILE, HOSTILE, detail=HOSTILE),),
    findings=(
        Finding(
            HOSTILE,
            Severity.ERROR,
            HOSTILE,
            HOSTILE,
            backend="b",
            revision="r",
            object=HOSTILE,
            before=HOSTILE,
            after=HOSTILE,
            path=HOSTILE,
            line=1,
            sql=HOSTILE,
        ),
        Finding(HOSTILE, Severity.ERROR, HOSTILE, backend=HOSTILE, revision=HOSTILE),
    ),
    statements=(Statement(HOSTILE, HOSTILE, HOSTILE, Direction.UP, HOSTILE, 1),),
    data={"key": HOSTILE},
    tables=(Table((HOSTILE, "b"), ((HOSTILE, HOSTILE),), title=HOSTILE),),
    summary=HOSTILE,
    error=ErrorInfo("UsageError", HOSTILE, HOSTILE, HOSTILE, 2),
)
