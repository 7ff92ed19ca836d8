"""What only an administrator may make: rights of others, and more; and the database itself.

Tables that others make anew would take over its collation.
"""

from tests.projects.leaks.leak import BOTH, POSTGRESQL, TABLE, Leak, changed, forgotten, missing

SOMEBODY = """\
DO $$ BEGIN CREATE ROLE TAB; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""
USER = "CREATE USER IF NOT EXISTS TAB"
FUNCTION = "CREATE FUNCTION TAB_f() RETURNS INTEGER DETERMINISTIC RETURN 1"
WRAPPER = "CREATE FOREIGN DATA WRAPPER TAB"
HEARD = "CREATE FUNCTION TAB_f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"


def granted(name: str, object: str, right: str, other: str, place: str) -> Leak:
    """Return the leak of a right on *place* that comes back as an*other*."""
    grant = f"GRANT {{}} ON {place} TO TAB"
    revoke = f"REVOKE {right} ON {place} FROM TAB"
    before = (TABLE, FUNCTION, USER)
    make, wrong = grant.format(right), grant.format(other)
    return changed("grant", name, BOTH, object, make, revoke, wrong, before=before)


LEAKS = (
    granted("grant_table", "grant table TAB to 'TAB'@'%'", "SELECT", "SELECT, INSERT", "TAB"),
    granted(
        "grant_column",
        "grant column TAB.a to 'TAB'@'%'",
        "SELECT (a)",
        "SELECT (a), UPDATE (a)",
        "TAB",
    ),
    granted(
        "grant_routine",
        "grant function TAB_f to 'TAB'@'%'",
        "EXECUTE",
        "EXECUTE, ALTER ROUTINE",
        "FUNCTION TAB_f",
    ),
    granted("grant_database", "grant database to 'TAB'@'%'", "SELECT", "SELECT, INSERT", "*"),
    forgotten(
        "grant",
        "grant_role",
        POSTGRESQL,
        "grants table TAB",
        "GRANT SELECT ON TAB TO TAB",
        "REVOKE SELECT ON TAB FROM TAB",
        before=(TABLE, SOMEBODY),
    ),
    changed(
        "grant",
        "grant_option",
        POSTGRESQL,
        "grants table TAB",
        "GRANT SELECT ON TAB TO TAB WITH GRANT OPTION",
        "REVOKE SELECT ON TAB FROM TAB",
        "GRANT SELECT ON TAB TO TAB",
        before=(TABLE, SOMEBODY),
    ),
    missing(
        "owner",
        "owner_of_a_table",
        POSTGRESQL,
        "owner table TAB",
        "ALTER TABLE TAB OWNER TO TAB",
        "ALTER TABLE TAB OWNER TO CURRENT_USER",
        before=(TABLE, SOMEBODY),
    ),
    forgotten(
        "policy",
        "policy_role",
        POSTGRESQL,
        "policy TAB.TAB_p",
        "ALTER POLICY TAB_p ON TAB TO TAB",
        "ALTER POLICY TAB_p ON TAB TO PUBLIC",
        before=(TABLE, SOMEBODY, "CREATE POLICY TAB_p ON TAB"),
    ),
    forgotten(
        "foreign table, server, wrapper",
        "foreign_wrapper",
        POSTGRESQL,
        "foreign-data-wrapper TAB",
        WRAPPER,
        "DROP FOREIGN DATA WRAPPER TAB",
        before=(),
    ),
    changed(
        "foreign table, server, wrapper",
        "foreign_server",
        POSTGRESQL,
        "foreign-server TAB",
        "CREATE SERVER TAB FOREIGN DATA WRAPPER TAB OPTIONS (host 'a')",
        "DROP SERVER TAB",
        "CREATE SERVER TAB FOREIGN DATA WRAPPER TAB OPTIONS (host 'b')",
        before=WRAPPER,
    ),
    changed(
        "foreign table, server, wrapper",
        "foreign_table",
        POSTGRESQL,
        "foreign-table TAB",
        "CREATE FOREIGN TABLE TAB (a integer) SERVER TAB OPTIONS (place 'a')",
        "DROP FOREIGN TABLE TAB",
        "CREATE FOREIGN TABLE TAB (a integer) SERVER TAB OPTIONS (place 'b')",
        before=(WRAPPER, "CREATE SERVER TAB FOREIGN DATA WRAPPER TAB"),
    ),
    changed(
        "event trigger",
        "event_trigger",
        POSTGRESQL,
        "event-trigger TAB",
        "CREATE EVENT TRIGGER TAB ON ddl_command_end EXECUTE FUNCTION TAB_f()",
        "DROP EVENT TRIGGER TAB",
        "CREATE EVENT TRIGGER TAB ON sql_drop EXECUTE FUNCTION TAB_f()",
        before=HEARD,
    ),
    changed(
        "database: character set, collation",
        "database_collation",
        BOTH,
        "database",
        "ALTER DATABASE COLLATE utf8mb4_bin",
        "ALTER DATABASE COLLATE utf8mb4_unicode_ci",
        "ALTER DATABASE COLLATE utf8mb4_general_ci",
    ),
)
