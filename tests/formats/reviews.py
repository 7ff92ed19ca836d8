"""One review that has everything in it, and one that is out to do harm."""

from __future__ import annotations

from dataclasses import replace

from tests.formats.reports import HOSTILE
from topchef_schema.model import Change
from topchef_schema.model.review import Review, ReviewedRevision, ReviewedStatement

ISBN = "CREATE INDEX ix_books_isbn ON public.books USING btree (isbn)"

FULL = Review(
    backend="PostgreSQL",
    database=None,
    range="ae10:head",
    start=("ae1027a6acf4",),
    end=("b7d0c4f1a925",),
    revisions=(
        ReviewedRevision(
            "3f5b8c0d2e71",
            "books have an ISBN",
            "alembic/versions/3f5b8c0d2e71_isbn.py",
            why="The shop asked for it.\n\nOld books have none.",
            up=(
                ReviewedStatement(
                    "ALTER TABLE books ADD COLUMN isbn VARCHAR(13) DEFAULT 'none' -- so far",
                    13,
                    locks="ACCESS EXCLUSIVE: blocks all reads and writes",
                ),
                ReviewedStatement(
                    "CREATE INDEX ix_books_isbn ON books (isbn)",
                    14,
                    locks="SHARE: blocks all writes; reads all rows",
                    risks=("blocks all writes for longer, the larger the table is",),
                ),
            ),
            down=(
                ReviewedStatement("DROP INDEX ix_books_isbn", 18, locks=None),
                ReviewedStatement(
                    "ALTER TABLE books DROP COLUMN isbn", 19, False, None, ("drops books.isbn",)
                ),
            ),
            changes=(
                Change("column public.books.isbn", None, "character varying(13)"),
                Change("column public.books.title", "varchar(100)", "varchar(200)"),
                Change("index public.books.ix_books_isbn", ISBN, None),
            ),
        ),
        ReviewedRevision(
            "b7d0c4f1a925",
            "nothing",
            "alembic/versions/b7d0c4f1a925_nothing.py",
            changes=(),
            notes=("the way up depends on the data: it was recorded by running it",),
        ),
    ),
    scripts=("BEGIN;\nCOMMIT;\n", "-- nothing\n"),
    checklist=("each statement has been read", "a backup is there"),
    commands=(("run it", "psql --file=up.sql"),),
    destroyed=("3f5b8c0d2e71 drops the column books.price",),
    notes=("what statements lock is known",),
    schema=(
        "column public.books.title\n    varchar(100)\ntable public.books\n    table\n",
        "column public.books.title\n    varchar(200)\ntable public.books\n    table\n",
    ),
)

OFFLINE = replace(
    FULL,
    why_not="revision 3f5b has no downgrade function",
    schema=None,
    revisions=tuple(replace(each, changes=None) for each in FULL.revisions),
    database="archive",
)

HARM = Review(
    backend=HOSTILE,
    database=HOSTILE,
    range=HOSTILE,
    start=(HOSTILE,),
    end=(HOSTILE,),
    revisions=(
        ReviewedRevision(
            HOSTILE,
            HOSTILE,
            HOSTILE,
            why=HOSTILE + "\n# heading\n\n```\n<script>alert(1)</script>\n- [x] done\n",
            up=(ReviewedStatement(HOSTILE + "\n```\n# x", None, True, HOSTILE, (HOSTILE,)),),
            down=(ReviewedStatement(HOSTILE, None, True, HOSTILE, (HOSTILE,)),),
            changes=(Change(HOSTILE, HOSTILE, HOSTILE), Change("a | b", None, "`|`")),
            notes=(HOSTILE,),
        ),
    ),
    scripts=(HOSTILE, HOSTILE),
    checklist=(HOSTILE,),
    commands=((HOSTILE, HOSTILE),),
    destroyed=(HOSTILE,),
    notes=(HOSTILE,),
    why_not=HOSTILE,
    schema=(HOSTILE, HOSTILE),
)
