"""The kinds of PostgreSQL object that few schemas have, each with what defines it."""

from __future__ import annotations

from topchef_schema.backends.postgresql_queries import LASTING, MEMBERS, PARTS, ROLE, STRANGER


def _rare(
    catalog: str,
    kind: str,
    definition: str,
    *,
    owner: str | None = None,
    name: str = "i.identity",
    where: str = "x.oid >= 16384",
) -> str:
    """Return the query for one *kind* of object, all of which lie in one *catalog*."""
    return f"""
SELECT '{catalog}', x.oid, 0, '{kind}', {name}, NULL,
  {STRANGER.format(f"x.{owner}") if owner else "NULL"}, {definition}
FROM {catalog} x, LATERAL pg_identify_object('{catalog}'::regclass, x.oid, 0) i
WHERE {where} AND x.oid NOT IN {PARTS.format(catalog)}"""


OPERATORS = """(SELECT string_agg(format('%s %s %s', o.amopstrategy, o.amoppurpose,
    o.amopopr::regoperator), ', ' ORDER BY o.amoplefttype, o.amoprighttype, o.amopstrategy)
  FROM pg_amop o WHERE o.amopfamily = x.oid)"""
SUPPORT = """(SELECT string_agg(format('%s %s', s.amprocnum, s.amproc::regprocedure), ', '
    ORDER BY s.amproclefttype, s.amprocrighttype, s.amprocnum)
  FROM pg_amproc s WHERE s.amprocfamily = x.oid)"""
DICTIONARIES = """(SELECT string_agg(format('%s %s %s', m.maptokentype, m.mapseqno,
    m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno)
  FROM pg_ts_config_map m WHERE m.mapcfg = x.oid)"""
PRIVILEGES = """(SELECT string_agg(d.text, '; ' ORDER BY d.text COLLATE "C") FROM (
    SELECT concat_ws(' ', string_agg(e.privilege_type, ', ' ORDER BY e.privilege_type COLLATE "C"),
      'to', {grantee}, CASE WHEN e.is_grantable THEN 'with grant option' END) AS text
    FROM aclexplode(x.defaclacl) e GROUP BY e.grantee, e.is_grantable) d)""".format(
    grantee=ROLE.format("e.grantee")
)

EXTENSIONS = """
SELECT 'pg_extension', x.oid, 0, 'extension', quote_ident(x.extname), NULL, NULL,
  format('version %s in schema %I', x.extversion, n.nspname)
FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.oid >= 16384"""

SCHEMAS = f"""
SELECT 'pg_namespace', n.oid, 0, 'schema', quote_ident(n.nspname), NULL,
  CASE WHEN n.nspname <> 'public' THEN {STRANGER.format("n.nspowner")} END,
  CASE WHEN n.nspname <> 'public' THEN 'schema' END
FROM pg_namespace n
WHERE {LASTING} AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.oid NOT IN {MEMBERS.format("pg_namespace")}"""
"""Every new database has `public`: it is only an address."""

DEFAULT_PRIVILEGES = f"""
SELECT 'pg_default_acl', x.oid, 0, 'default-privileges', concat_ws(' ', 'of',
    {ROLE.format("x.defaclrole")}, 'on', CASE x.defaclobjtype WHEN 'r' THEN 'tables'
      WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
      WHEN 'n' THEN 'schemas' ELSE x.defaclobjtype::text END, 'in ' || quote_ident(n.nspname)),
  NULL, NULL, coalesce({PRIVILEGES}, 'none')
FROM pg_default_acl x LEFT JOIN pg_namespace n ON n.oid = x.defaclnamespace"""

SETTINGS = f"""
SELECT 'pg_db_role_setting', 0::oid, 0, 'database-settings',
  'of ' || CASE s.setrole WHEN 0 THEN 'all' ELSE {ROLE.format("s.setrole")} END, NULL, NULL,
  (SELECT string_agg(c.c, ', ' ORDER BY c.c COLLATE "C") FROM unnest(s.setconfig) c(c))
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database()"""

USER_MAPPINGS = f"""
SELECT 'pg_user_mapping', m.umid, 0, 'user-mapping',
  {ROLE.format("m.umuser")} || ' on ' || quote_ident(m.srvname), NULL, NULL,
  coalesce((SELECT string_agg(split_part(o.o, '=', 1), ', ' ORDER BY o.o COLLATE "C")
    FROM unnest(m.umoptions) o(o)), 'no options')
FROM pg_user_mappings m"""
"""The names of the options only: one of them is a password."""

PUBLICATIONS = _rare(
    "pg_publication",
    "publication",
    """concat_ws(', ', 'publication', CASE WHEN x.puballtables THEN 'of all tables' END,
    CASE WHEN x.pubinsert THEN 'insert' END, CASE WHEN x.pubupdate THEN 'update' END,
    CASE WHEN x.pubdelete THEN 'delete' END, CASE WHEN x.pubtruncate THEN 'truncate' END,
    CASE WHEN x.pubviaroot THEN 'via root' END, {publication_members})""",
    owner="pubowner",
    where="true",
)

RARE = "\nUNION ALL".join(
    [
        SCHEMAS,
        EXTENSIONS,
        DEFAULT_PRIVILEGES,
        SETTINGS,
        USER_MAPPINGS,
        PUBLICATIONS,
        _rare(
            "pg_collation",
            "collation",
            "concat_ws(', ', 'collation', (to_jsonb(x) - ARRAY['oid', 'collname', 'collnamespace',"
            " 'collowner', 'collversion'])::text)",
            owner="collowner",
        ),
        _rare(
            "pg_operator",
            "operator",
            "format('kind %s function %s result %s commutator %s negator %s restrict %s join %s"
            " merges %s hashes %s', x.oprkind, x.oprcode, format_type(x.oprresult, NULL),"
            " x.oprcom::regoperator, x.oprnegate::regoperator, x.oprrest, x.oprjoin,"
            " x.oprcanmerge, x.oprcanhash)",
            owner="oprowner",
        ),
        _rare(
            "pg_opfamily",
            "operator-family",
            f"concat_ws(', ', 'operator family', {OPERATORS}, {SUPPORT})",
            owner="opfowner",
        ),
        _rare(
            "pg_opclass",
            "operator-class",
            "format('for %s default %s key %s family %s', format_type(x.opcintype, NULL),"
            " x.opcdefault, format_type(x.opckeytype, NULL),"
            " (SELECT f.opfname FROM pg_opfamily f WHERE f.oid = x.opcfamily))",
            owner="opcowner",
        ),
        _rare(
            "pg_cast",
            "cast",
            "format('function %s context %s method %s', nullif(x.castfunc, 0)::regprocedure,"
            " x.castcontext, x.castmethod)",
        ),
        _rare(
            "pg_conversion",
            "conversion",
            "format('from %s to %s function %s default %s', pg_encoding_to_char(x.conforencoding),"
            " pg_encoding_to_char(x.contoencoding), x.conproc, x.condefault)",
            owner="conowner",
        ),
        _rare(
            "pg_ts_config",
            "text-search-configuration",
            "concat_ws(', ', (SELECT p.prsname FROM pg_ts_parser p WHERE p.oid = x.cfgparser),"
            f" {DICTIONARIES})",
            owner="cfgowner",
        ),
        _rare(
            "pg_ts_dict",
            "text-search-dictionary",
            "concat_ws(', ', (SELECT t.tmplname FROM pg_ts_template t"
            " WHERE t.oid = x.dicttemplate), x.dictinitoption)",
            owner="dictowner",
        ),
        _rare(
            "pg_ts_parser",
            "text-search-parser",
            "format('%s %s %s %s %s', x.prsstart, x.prstoken, x.prsend, x.prsheadline,"
            " x.prslextype)",
        ),
        _rare(
            "pg_ts_template",
            "text-search-template",
            "format('initialise %s look up %s', x.tmplinit, x.tmpllexize)",
        ),
        _rare(
            "pg_foreign_data_wrapper",
            "foreign-data-wrapper",
            "format('handler %s validator %s options %s', nullif(x.fdwhandler, 0)::regprocedure,"
            " nullif(x.fdwvalidator, 0)::regprocedure, x.fdwoptions)",
            owner="fdwowner",
        ),
        _rare(
            "pg_foreign_server",
            "foreign-server",
            "format('wrapper %s type %s version %s options %s', (SELECT f.fdwname"
            " FROM pg_foreign_data_wrapper f WHERE f.oid = x.srvfdw), x.srvtype, x.srvversion,"
            " x.srvoptions)",
            owner="srvowner",
        ),
        _rare(
            "pg_event_trigger",
            "event-trigger",
            "format('on %s function %s enabled %s tags %s', x.evtevent, x.evtfoid::regprocedure,"
            " x.evtenabled, x.evttags)",
            owner="evtowner",
        ),
        _rare(
            "pg_language",
            "language",
            "format('trusted %s handler %s inline %s validator %s', x.lanpltrusted,"
            " nullif(x.lanplcallfoid, 0)::regprocedure, nullif(x.laninline, 0)::regprocedure,"
            " nullif(x.lanvalidator, 0)::regprocedure)",
            owner="lanowner",
        ),
        _rare("pg_am", "access-method", "format('%s handler %s', x.amtype, x.amhandler)"),
        _rare(
            "pg_transform",
            "transform",
            "format('from %s to %s', nullif(x.trffromsql, 0)::regprocedure,"
            " nullif(x.trftosql, 0)::regprocedure)",
        ),
    ]
)
"""One query for all of them."""
