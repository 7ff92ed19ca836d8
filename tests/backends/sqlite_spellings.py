"""Tables of SQLite that are spelled in two ways, and mean the same, or do not."""

ONE_MEANING = {
    "quotes": ("CREATE TABLE t (a INT, b INT)", 'CREATE TABLE "t" ([a] "INT", `b` INT)'),
    "case": ("CREATE TABLE t (A INT NOT NULL)", "create table t (A int Not Null)"),
    "comments": ("CREATE TABLE t (a INT)", "CREATE TABLE t -- one\n (a /* two */ INT\n)"),
    "columns in comments": (
        "CREATE TABLE t (a INT, c TEXT)",
        "CREATE TABLE t (\n  a INT\n--, b INT\n, c /*, d INT*/ TEXT --) e\n)",
    ),
    "names that are not ASCII": (
        'CREATE TABLE "€\u00a0t" ("€a" INT PRIMARY KEY, "€b" TEXT UNIQUE, "प\u093f" INT)',
        "CREATE TABLE €\u00a0t (€a INT PRIMARY KEY, €b TEXT UNIQUE, प\u093f INT)",
    ),
    "keys at their columns": (
        "CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE REFERENCES p (x))",
        "CREATE TABLE t (a INT, b INT, PRIMARY KEY (a), UNIQUE (b),FOREIGN KEY(b) REFERENCES p(x))",
    ),
    "what holds anyway": (
        "CREATE TABLE t (a INT REFERENCES p (x))",
        "CREATE TABLE t (a INT NULL REFERENCES p (x) MATCH FULL ON DELETE NO ACTION"
        " DEFERRABLE INITIALLY IMMEDIATE)",
    ),
    "brackets": (
        "CREATE TABLE t (a INT DEFAULT 1 CHECK (a > 0))",
        "CREATE TABLE t (a INT DEFAULT (1) CHECK (((a > 0))))",
    ),
    "many brackets": (
        "CREATE TABLE t (a INT DEFAULT 1 CHECK (a + 1 > 0), b INT)",
        "CREATE TABLE t (a INT DEFAULT 1 CHECK (((((((a + 1 > 0))))))), b INT)",
    ),
    "order of a column's facts": (
        "CREATE TABLE t (a INT NOT NULL DEFAULT -1 COLLATE BINARY)",
        "CREATE TABLE t (a INT COLLATE binary DEFAULT - 1 NOT NULL)",
    ),
    "names of facts": (
        "CREATE TABLE t (a INT NOT NULL DEFAULT 1)",
        "CREATE TABLE t (a INT CONSTRAINT nn NOT NULL CONSTRAINT df DEFAULT 1)",
    ),
    "operators": (
        "CREATE TABLE t (a INT CHECK (a = 1 OR a <> 2))",
        "CREATE TABLE t (a INT CHECK (a == 1 OR a != 2))",
    ),
    "strings in double quotes": (
        "CREATE TABLE t (a TEXT DEFAULT 'New' CHECK (a <> 'Old'))",
        'CREATE TABLE t (a TEXT DEFAULT "New" CHECK ("a" <> "Old"))',
    ),
    "options": (
        "CREATE TABLE t (a INT PRIMARY KEY) STRICT, WITHOUT ROWID",
        "CREATE TABLE t (a INT PRIMARY KEY) without rowid, strict",
    ),
    "constraints without commas": (
        "CREATE TABLE t (a INT, UNIQUE (a), CHECK (a > 1))",
        "CREATE TABLE t (a INT, UNIQUE (a) CHECK (a > 1))",
    ),
    "a rowid that is not NULL": (
        "CREATE TABLE t (a INTEGER PRIMARY KEY)",
        "CREATE TABLE t (a INTEGER NOT NULL, PRIMARY KEY (a))",
    ),
    "a key without rowid that is not NULL": (
        "CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID",
        "CREATE TABLE t (a TEXT NOT NULL, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID",
    ),
    "a collation that holds anyway": (
        "CREATE TABLE t (a TEXT, b INT)",
        "CREATE TABLE t (a TEXT COLLATE binary, b INT)",
    ),
    "the key of another table": (
        'CREATE TABLE "T 2" (a INTEGER PRIMARY KEY, b INT REFERENCES [t 2] ON DELETE CASCADE)',
        'CREATE TABLE "T 2" (a INTEGER PRIMARY KEY, b INT REFERENCES "t 2"(a) ON DELETE CASCADE)',
    ),
    "a quoted keyword that may be bare": (
        "CREATE TABLE t (key INT, action INT)",
        'CREATE TABLE t ("key" INT, "action" INT)',
    ),
}

TWO_MEANINGS = {
    "a string's case": ("a TEXT DEFAULT 'New'", "a TEXT DEFAULT 'new'"),
    "a string's case in double quotes": ('a TEXT DEFAULT "New"', 'a TEXT DEFAULT "new"'),
    "a string in disguise": ('a TEXT CHECK (a IN ("New"))', 'a TEXT CHECK (a IN ("new"))'),
    "white space in a string": ("a TEXT DEFAULT 'a b'", "a TEXT DEFAULT 'a  b'"),
    "a comment in a string": ("a TEXT DEFAULT '--'", "a TEXT DEFAULT '-- '"),
    "a function and a column": (
        "a TEXT CHECK (a = current_date)",
        'a TEXT CHECK (a = "current_date")',
    ),
    "brackets that group": ("a INT CHECK ((a + 1) * (a + 2))", "a INT CHECK (a + 1 * (a + 2))"),
    "descending key of a column": ("a INTEGER PRIMARY KEY", "a INTEGER PRIMARY KEY DESC"),
    "autoincrement": ("a INTEGER PRIMARY KEY", "a INTEGER PRIMARY KEY AUTOINCREMENT"),
    "conflict": ("a INT UNIQUE", "a INT UNIQUE ON CONFLICT IGNORE"),
    "conflict of a key": ("a INT PRIMARY KEY", "a INT PRIMARY KEY ON CONFLICT FAIL"),
    "conflict of a null": ("a INT NOT NULL", "a INT NOT NULL ON CONFLICT FAIL"),
    "collation": ("a TEXT", "a TEXT COLLATE NOCASE"),
    "null": ("a INT", "a INT NOT NULL"),
    "null in a key": ("a INT PRIMARY KEY", "a INT NOT NULL PRIMARY KEY"),
    "null in a key of two": (
        "a INTEGER, b INT, PRIMARY KEY (a, b)",
        "a INTEGER NOT NULL, b INT, PRIMARY KEY (a, b)",
    ),
    "another column than the key": (
        "a INTEGER PRIMARY KEY, b INT, c INT REFERENCES t",
        "a INTEGER PRIMARY KEY, b INT, c INT REFERENCES t (b)",
    ),
    "stored": ("a INT, b AS (a) STORED", "a INT, b AS (a) VIRTUAL"),
    "order": ("a INT, b INT", "b INT, a INT"),
    "name of a check": ("a INT CHECK (a > 0)", "a INT CONSTRAINT c CHECK (a > 0)"),
    "a second check": ("a INT CHECK (a > 0)", "a INT CHECK (a > 0) CHECK (a > 0)"),
    "action": ("a INT REFERENCES p", "a INT REFERENCES p ON DELETE CASCADE"),
    "deferred": ("a INT REFERENCES p", "a INT REFERENCES p DEFERRABLE INITIALLY DEFERRED"),
}
