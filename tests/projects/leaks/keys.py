"""Primary and foreign keys, unique, check and exclusion constraints."""

from tests.projects.leaks.leak import (
    ALL,
    BOTH,
    MYSQL,
    POSTGRESQL,
    SERVERS,
    SQLITE,
    TABLE,
    changed,
    forgotten,
    missing,
    remade,
)

ID = "id INTEGER NOT NULL PRIMARY KEY"
PARENT = "CREATE TABLE TAB_p (id INTEGER NOT NULL PRIMARY KEY, o INTEGER NOT NULL UNIQUE)"
FOREIGN = f"{ID}, a INTEGER, CONSTRAINT TAB_fk FOREIGN KEY (a) REFERENCES TAB_p (id)"
FK = "constraint TAB.TAB_fk"
CHECK = f"{ID}, a INTEGER, CONSTRAINT TAB_ck CHECK (a > 0)"
CK = "constraint TAB.TAB_ck"
UNIQUE = f"{ID}, a INTEGER, b INTEGER, CONSTRAINT TAB_uq UNIQUE (a)"
KEYED = "CREATE TABLE TAB (a INTEGER NOT NULL, b INTEGER NOT NULL)"
PRIMARY = "ALTER TABLE TAB ADD CONSTRAINT TAB_pk PRIMARY KEY (a, b)"


LEAKS = (
    *(
        changed("primary key", name, on, object, PRIMARY, drop, wrong, before=KEYED)
        for on, object, drop in (
            (POSTGRESQL, "constraint TAB.TAB_pk", "ALTER TABLE TAB DROP CONSTRAINT TAB_pk"),
            (BOTH, "primary-key TAB", "ALTER TABLE TAB DROP PRIMARY KEY"),
        )
        for name, wrong in (
            ("primary_key_columns", PRIMARY.replace("(a, b)", "(a)")),
            ("primary_key_gone", ()),
        )
    ),
    remade(
        "primary key",
        "primary_key_columns",
        SQLITE,
        "constraint TAB.TAB_pk",
        "a INTEGER, b INTEGER, CONSTRAINT TAB_pk PRIMARY KEY (a, b)",
        "a INTEGER, b INTEGER, CONSTRAINT TAB_pk PRIMARY KEY (b, a)",
    ),
    remade(
        "primary key",
        "primary_key_gone",
        SQLITE,
        "constraint TAB.primary key",
        "a INTEGER PRIMARY KEY, b INTEGER",
        "a INTEGER, b INTEGER",
    ),
    forgotten(
        "foreign key",
        "foreign_key_left",
        SERVERS,
        FK,
        "ALTER TABLE TAB ADD CONSTRAINT TAB_fk FOREIGN KEY (a) REFERENCES TAB_p (id)",
        'op.drop_constraint("TAB_fk", "TAB", type_="foreignkey")',
        before=(PARENT, f"CREATE TABLE TAB ({ID}, a INTEGER)", "CREATE INDEX TAB_fk ON TAB (a)"),
    ),
    remade(
        "foreign key",
        "foreign_key_gone",
        ("sqlite", "postgresql"),
        FK,
        FOREIGN,
        f"{ID}, a INTEGER",
        before=PARENT,
    ),
    missing(
        "foreign key",
        "foreign_key_gone",
        BOTH,
        FK,
        "ALTER TABLE TAB ADD CONSTRAINT TAB_fk FOREIGN KEY (a) REFERENCES TAB_p (id)",
        "ALTER TABLE TAB DROP FOREIGN KEY TAB_fk",
        before=(PARENT, TABLE),
    ),
    remade(
        "foreign key: columns",
        "foreign_key_columns",
        ALL,
        FK,
        FOREIGN,
        FOREIGN.replace("TAB_p (id)", "TAB_p (o)"),
        before=PARENT,
    ),
    remade(
        "foreign key: ON DELETE",
        "foreign_key_on_delete",
        ALL,
        FK,
        f"{FOREIGN} ON DELETE CASCADE",
        f"{FOREIGN} ON DELETE SET NULL",
        before=PARENT,
    ),
    remade(
        "foreign key: ON UPDATE",
        "foreign_key_on_update",
        ALL,
        FK,
        f"{FOREIGN} ON UPDATE CASCADE",
        FOREIGN,
        before=PARENT,
    ),
    remade(
        "foreign key: deferrable",
        "foreign_key_deferred",
        ("sqlite", "postgresql"),
        FK,
        f"{FOREIGN} DEFERRABLE INITIALLY DEFERRED",
        FOREIGN,
        before=PARENT,
    ),
    changed(
        "foreign key: NOT VALID",
        "foreign_key_not_valid",
        POSTGRESQL,
        FK,
        "ALTER TABLE TAB ADD CONSTRAINT TAB_fk FOREIGN KEY (a) REFERENCES TAB_p (id)",
        "ALTER TABLE TAB DROP CONSTRAINT TAB_fk",
        "ALTER TABLE TAB ADD CONSTRAINT TAB_fk FOREIGN KEY (a) REFERENCES TAB_p (id) NOT VALID",
        before=(PARENT, f"CREATE TABLE TAB ({ID}, a INTEGER)"),
    ),
    remade(
        "foreign key: MATCH",
        "foreign_key_match",
        POSTGRESQL,
        FK,
        f"{FOREIGN} MATCH FULL",
        FOREIGN,
        before=PARENT,
    ),
    remade(
        "unique constraint",
        "unique_gone",
        ("sqlite", "postgresql"),
        "constraint TAB.TAB_uq",
        UNIQUE,
        f"{ID}, a INTEGER, b INTEGER",
    ),
    remade(
        "unique constraint",
        "unique_gone",
        BOTH,
        "index TAB.TAB_uq",
        UNIQUE,
        f"{ID}, a INTEGER, b INTEGER",
    ),
    remade(
        "unique constraint: columns",
        "unique_columns",
        ("sqlite", "postgresql"),
        "constraint TAB.TAB_uq",
        UNIQUE,
        UNIQUE.replace("(a)", "(a, b)"),
    ),
    remade(
        "unique constraint: columns",
        "unique_columns",
        BOTH,
        "index TAB.TAB_uq",
        UNIQUE,
        UNIQUE.replace("(a)", "(a, b)"),
    ),
    remade(
        "unique constraint: deferrable",
        "unique_deferrable",
        POSTGRESQL,
        "constraint TAB.TAB_uq",
        f"{UNIQUE} DEFERRABLE INITIALLY DEFERRED",
        UNIQUE,
    ),
    remade(
        "unique constraint: NULLS NOT DISTINCT",
        "unique_nulls",
        POSTGRESQL,
        "constraint TAB.TAB_uq",
        UNIQUE.replace("UNIQUE", "UNIQUE NULLS NOT DISTINCT"),
        UNIQUE,
    ),
    remade(
        "unique constraint: ON CONFLICT",
        "unique_conflict",
        SQLITE,
        "constraint TAB.TAB_uq",
        f"{UNIQUE} ON CONFLICT REPLACE",
        UNIQUE,
    ),
    remade("check constraint", "check_gone", ALL, CK, CHECK, f"{ID}, a INTEGER"),
    remade(
        "check constraint: expression",
        "check_expression",
        ALL,
        CK,
        CHECK,
        CHECK.replace("a > 0", "a >= 0"),
    ),
    changed(
        "check constraint: NOT VALID",
        "check_not_valid",
        POSTGRESQL,
        CK,
        "ALTER TABLE TAB ADD CONSTRAINT TAB_ck CHECK (a > 0)",
        "ALTER TABLE TAB DROP CONSTRAINT TAB_ck",
        "ALTER TABLE TAB ADD CONSTRAINT TAB_ck CHECK (a > 0) NOT VALID",
    ),
    remade(
        "check constraint: NO INHERIT",
        "check_no_inherit",
        POSTGRESQL,
        CK,
        f"{CHECK} NO INHERIT",
        CHECK,
    ),
    remade(
        "check constraint: NOT ENFORCED",
        "check_enforced",
        MYSQL,
        CK,
        f"{CHECK} NOT ENFORCED",
        CHECK,
    ),
    changed(
        "exclusion constraint",
        "exclusion",
        POSTGRESQL,
        "constraint TAB.TAB_ex",
        "ALTER TABLE TAB ADD CONSTRAINT TAB_ex EXCLUDE USING gist (r WITH &&)",
        "ALTER TABLE TAB DROP CONSTRAINT TAB_ex",
        "ALTER TABLE TAB ADD CONSTRAINT TAB_ex EXCLUDE USING gist (r WITH =)",
        before="CREATE TABLE TAB (r int4range)",
    ),
)
