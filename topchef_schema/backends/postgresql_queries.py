"""The queries that read a whole PostgreSQL schema from its catalog, as an ordinary user may.

Each of `OBJECTS` returns rows of (catalog, oid, sub-number, kind, name, table, owner, definition):
the address of an object in PostgreSQL's own terms, its key, the table it hangs on, its owner where
that is not the usual one, and its definition, NULL for what is only an address for a comment or a
grant. `DETAILS` returns rows of (catalog, oid, sub-number, what, text) for such addresses.

They run with an empty search path, so that every name is printed with its schema, and hold no
oids in what they print. Catalogs: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

_OWNED = "c.relkind IN ('r', 'p') AND c.oid >= 16384"
OWNER = f"""SELECT coalesce(
    (SELECT c.relowner FROM pg_catalog.pg_class c WHERE {_OWNED} AND c.relowner = u.oid
      ORDER BY c.oid LIMIT 1),
    (SELECT c.relowner FROM pg_catalog.pg_class c WHERE {_OWNED}
      GROUP BY c.relowner ORDER BY count(*) DESC, c.relowner LIMIT 1),
    u.oid)
  FROM pg_catalog.pg_roles u WHERE u.rolname = current_user"""
"""Tells the usual owner: the current user, or who owns most tables where that one owns none.

Whoever only looks must see the same schema as the owner.
"""

SETTINGS = """
  set_config('search_path', 'pg_catalog, pg_temp', true), set_config('jit', 'off', true),
  set_config('datestyle', 'ISO, MDY', true), set_config('intervalstyle', 'postgres', true),
  set_config('timezone', 'UTC', true), set_config('bytea_output', 'hex', true),
  set_config('extra_float_digits', '1', true), set_config('quote_all_identifiers', 'off', true),
  set_config('enable_mergejoin', 'off', true)
"""
PREPARE = f"SELECT ({OWNER}), {SETTINGS}, set_config('enable_nestloop', 'off', true)"
"""Sets what the texts depend on, until the end of the transaction; returns the usual owner.

Whole catalogs are joined by hashing them: a new database has no statistics that would tell.
"""

ROLE = """CASE {0} WHEN 0 THEN 'PUBLIC' WHEN {{owner}} THEN 'OWNER'
    ELSE quote_ident(pg_get_userbyid({0})) END"""
STRANGER = "CASE WHEN {0} <> {{owner}} THEN quote_ident(pg_get_userbyid({0})) END"
MEMBERS = """(SELECT e.objid FROM pg_depend e WHERE e.refclassid = 'pg_extension'::regclass
    AND e.classid = '{0}'::regclass AND e.deptype = 'e')"""
"""What belongs to an extension is told by the extension's version."""
PARTS = """(SELECT e.objid FROM pg_depend e
    WHERE e.classid = '{0}'::regclass AND e.deptype IN ('e', 'i'))"""
"""The same, with what comes and goes with another object: the constructors of a range type."""
LASTING = "n.nspname !~ '^pg_(toast|temp)'"
ALL_RELATIONS = f"c.oid >= 16384 AND c.oid NOT IN {MEMBERS.format('pg_class')}"
SOME_RELATIONS = """c.oid = ANY ($1) AND NOT EXISTS (SELECT FROM pg_depend e
    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')"""
"""The conditions for ``{these}``; the second one looks for members of extensions one by one."""


def _with_parts(kinds: str) -> str:
    """Return the relations of these *kinds*, with the beginning of the names of their parts."""
    return f"""WITH c AS MATERIALIZED (
  SELECT c.oid, c.relispartition, c.relname::text,
    format('%I.%I', n.nspname, c.relname) AS qualified
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ({kinds}) AND {{these}} AND {LASTING})"""


RELATIONS = f"""
SELECT 'pg_class', c.oid, 0,
  CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized-view' WHEN 'S' THEN 'sequence'
    WHEN 'f' THEN 'foreign-table' WHEN 'c' THEN 'composite-type' ELSE 'table' END,
  format('%I.%I', n.nspname, c.relname),
  CASE c.relkind WHEN 'S' THEN o.relname ELSE c.relname END::text,
  {STRANGER.format("c.relowner")},
  concat_ws(', ',
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
      WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'composite type'
      ELSE 'table' END,
    CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
    CASE c.relkind WHEN 'p' THEN 'partition by ' || pg_get_partkeydef(c.oid) END,
    CASE WHEN EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid) THEN (
      SELECT string_agg(CASE WHEN c.relispartition THEN 'partition of ' ELSE 'inherits ' END
        || h.inhparent::regclass::text, ', ' ORDER BY h.inhseqno)
      FROM pg_inherits h WHERE h.inhrelid = c.oid) END,
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
    CASE WHEN c.reloftype <> 0 THEN 'of ' || format_type(c.reloftype, NULL) END,
    (SELECT 'using ' || m.amname FROM pg_am m
      WHERE m.oid = c.relam AND c.relkind IN ('r', 'm') AND m.amname <> 'heap'),
    CASE WHEN c.reltablespace <> 0 THEN (
      SELECT 'tablespace ' || s.spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace) END,
    'with (' || array_to_string(c.reloptions, ', ') || ')',
    (SELECT 'toast (' || array_to_string(s.reloptions, ', ') || ')'
      FROM pg_class s WHERE s.oid = c.reltoastrelid),
    CASE WHEN c.relrowsecurity THEN 'row level security' END,
    CASE WHEN c.relforcerowsecurity THEN 'forced on its owner' END,
    CASE WHEN c.relkind IN ('r', 'p') THEN CASE c.relreplident WHEN 'n' THEN
      'replica identity nothing' WHEN 'f' THEN 'replica identity full' END END,
    CASE WHEN c.relkind = 'f' THEN (
      SELECT format('server %I%s', s.srvname, ' options ' || t.ftoptions::text)
      FROM pg_foreign_table t JOIN pg_foreign_server s ON s.oid = t.ftserver
      WHERE t.ftrelid = c.oid) END,
    CASE WHEN q.seqrelid IS NOT NULL THEN format(
      '%s start %s increment %s from %s to %s cache %s%s', format_type(q.seqtypid, NULL),
      q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache,
      CASE WHEN q.seqcycle THEN ' cycle' ELSE '' END) END,
    CASE WHEN d.objid IS NOT NULL THEN format('%s %s.%I',
      CASE d.deptype WHEN 'i' THEN 'identity of' ELSE 'owned by' END,
      o.relnamespace::regnamespace || '.' || quote_ident(o.relname),
      (SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = d.refobjid AND a.attnum = d.refobjsubid)) END,
    CASE WHEN c.relkind IN ('v', 'm') THEN 'as' || pg_get_viewdef(c.oid) END,
    CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'with no data' END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_sequence q ON q.seqrelid = c.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid
  AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid <> 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class o ON o.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c') AND {{these}} AND {LASTING}
"""

# What a table inherits from is said of the table; of a column only where it has no other origin,
# and not in a partition, where none has.
# Of the options of a column only the documented ones: since the minor releases of November 2026
# there is also pg_attver, a stamp of the server's own that differs from table to table.
COLUMNS = f"""
{_with_parts("'r', 'p', 'f', 'c'")}
SELECT 'pg_class', a.attrelid, a.attnum::int, 'column',
  c.qualified || '.' || quote_ident(a.attname), c.relname, NULL,
  concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN (
      SELECT format('collate %I.%I', n.nspname, l.collname)
      FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
      WHERE l.oid = a.attcollation) END,
    CASE WHEN a.attnotnull THEN 'not null' END,
    CASE a.attgenerated WHEN '' THEN 'default ' || pg_get_expr(d.adbin, 0)
      ELSE format('generated always as (%s) %s', pg_get_expr(d.adbin, d.adrelid),
        CASE a.attgenerated WHEN 's' THEN 'stored' ELSE 'virtual' END) END,
    CASE a.attidentity WHEN 'a' THEN 'generated always as identity'
      WHEN 'd' THEN 'generated by default as identity' END,
    CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
    {{compression}},
    CASE WHEN a.attstattarget >= 0 THEN 'statistics ' || a.attstattarget END,
    CASE WHEN a.attoptions::text LIKE '%n_distinct%' THEN (
      SELECT 'with (' || string_agg(o.o, ', ' ORDER BY o.o COLLATE "C") || ')'
      FROM unnest(a.attoptions) o(o) WHERE o.o LIKE 'n_distinct%') END,
    'options (' || array_to_string(a.attfdwoptions, ', ') || ')',
    CASE WHEN a.attinhcount > 0 AND NOT a.attislocal AND NOT c.relispartition THEN 'inherited' END)
FROM c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'column-order', c.oid, 0, 'column-order', c.qualified, c.relname, NULL,
  (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM c
"""

# What pg_get_indexdef says of most indexes, in a fourth of the time: it opens each table for that.
INDEX = """coalesce(CASE WHEN i.indnatts = 1 AND x.relkind = 'i' AND i.indexprs IS NULL
    AND i.indpred IS NULL AND i.indoption[0] = 0 AND x.reloptions IS NULL
    AND x.relam = (SELECT m.oid FROM pg_am m WHERE m.amname = 'btree') AND {only_distinct_nulls}
    THEN (SELECT format('CREATE %sINDEX %I ON %I.%I USING btree (%I)',
        CASE WHEN i.indisunique THEN 'UNIQUE ' END, x.relname, n.nspname, c.relname, a.attname)
      FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        AND a.attcollation = i.indcollation[0] AND o.opcintype =
          CASE WHEN a.atttypid = 'varchar'::regtype AND NOT EXISTS (SELECT FROM pg_opclass v
            WHERE v.opcdefault AND v.opcintype = 'varchar'::regtype)
          THEN 'text'::regtype ELSE a.atttypid END)
    END, pg_get_indexdef(i.indexrelid))"""

CONSTRAINTS = f"""
SELECT 'pg_constraint', k.oid, 0, 'constraint', format('%I.%I.%I', n.nspname, c.relname, k.conname),
  c.relname::text, NULL,
  concat_ws(' ', pg_get_constraintdef(k.oid),
    CASE WHEN k.coninhcount > 0 AND NOT k.conislocal THEN 'inherited' END)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {{these}} AND {LASTING}
  -- constraint triggers are triggers; a plain NOT NULL, a constraint since 18, is in its column
  AND k.contype <> 't' AND (k.contype <> 'n' OR NOT k.convalidated OR k.connoinherit)
UNION ALL
SELECT 'pg_class', i.indexrelid, 0, 'index', format('%I.%I.%I', n.nspname, c.relname, x.relname),
  c.relname::text, NULL,
  nullif(concat_ws(', ',
    CASE WHEN k.oid IS NULL THEN {INDEX}
      ELSE 'with (' || array_to_string(x.reloptions, ', ') || ')' END,
    CASE WHEN NOT i.indisvalid THEN 'invalid' END, CASE WHEN NOT i.indisready THEN 'not ready' END,
    CASE WHEN i.indisclustered THEN 'clustered' END,
    CASE WHEN i.indisreplident THEN 'replica identity' END,
    CASE WHEN x.reltablespace <> 0 THEN (
      SELECT 'tablespace ' || s.spcname FROM pg_tablespace s WHERE s.oid = x.reltablespace) END,
    CASE WHEN x.relispartition THEN (SELECT 'attached to ' || h.inhparent::regclass::text
      FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) END,
    CASE WHEN i.indexprs IS NOT NULL THEN (
      SELECT string_agg(format('statistics %s=%s', a.attnum, a.attstattarget), ', '
        ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0) END), '')
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k ON k.conrelid = i.indrelid AND k.conindid = i.indexrelid
  AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcdefault AND o.oid < 16384
WHERE {{these}} AND {LASTING}
"""

ATTACHED = f"""
{_with_parts("'r', 'p', 'f', 'v', 'm'")}
SELECT 'pg_trigger', t.oid, 0, 'trigger', c.qualified || '.' || quote_ident(t.tgname),
  c.relname, NULL,
  concat_ws(', ', pg_get_triggerdef(t.oid),
    CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas'
      WHEN 'A' THEN 'always' END,
    CASE WHEN {{trigger_parent}} <> 0 THEN 'from the partitioned table' END)
FROM pg_trigger t JOIN c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'disabled', c.oid, 0, 'disabled-constraint-triggers', c.qualified, c.relname, NULL,
  string_agg(format('%s %s %s', k.conname, t.tgtype, t.tgenabled), ', '
    ORDER BY k.conname, t.tgtype, t.tgenabled)
FROM pg_trigger t JOIN c ON c.oid = t.tgrelid LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint
WHERE t.tgisinternal AND t.tgenabled <> 'O' GROUP BY c.oid, c.qualified, c.relname
UNION ALL
SELECT 'pg_rewrite', r.oid, 0, 'rule', c.qualified || '.' || quote_ident(r.rulename),
  c.relname, NULL,
  concat_ws(', ', pg_get_ruledef(r.oid),
    CASE r.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas'
      WHEN 'A' THEN 'always' END)
FROM pg_rewrite r JOIN c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'pg_policy', p.oid, 0, 'policy', c.qualified || '.' || quote_ident(p.polname),
  c.relname, NULL,
  concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'for',
    CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
      WHEN 'd' THEN 'delete' ELSE 'all' END, 'to',
    (SELECT string_agg({ROLE.format("r.r")}, ', ' ORDER BY {ROLE.format("r.r")} COLLATE "C")
      FROM unnest(p.polroles) r(r)),
    'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
    'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
FROM pg_policy p JOIN c ON c.oid = p.polrelid
UNION ALL
SELECT 'pg_statistic_ext', s.oid, 0, 'statistics', format('%I.%I', n.nspname, s.stxname),
  c.relname, {STRANGER.format("s.stxowner")},
  concat_ws(', ', pg_get_statisticsobjdef(s.oid),
    CASE WHEN {{statistics_target}} >= 0 THEN 'target ' || {{statistics_target}} END)
FROM pg_statistic_ext s JOIN c ON c.oid = s.stxrelid JOIN pg_namespace n ON n.oid = s.stxnamespace
"""

TYPES = f"""
WITH t AS MATERIALIZED (
  SELECT t.*, format('%I.%I', n.nspname, t.typname) AS qualified
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.oid >= 16384 AND t.typtype IN ('e', 'd', 'r', 'b', 'p') AND {LASTING}
    AND t.oid NOT IN (SELECT e.typarray FROM pg_type e)
    AND t.oid NOT IN {MEMBERS.format("pg_type")})
SELECT 'pg_type', t.oid, 0, CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain'
    WHEN 'r' THEN 'range' WHEN 'b' THEN 'base-type' ELSE 'shell-type' END,
  t.qualified, NULL, {STRANGER.format("t.typowner")},
  CASE t.typtype
    WHEN 'e' THEN coalesce((
      SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
      FROM pg_enum e WHERE e.enumtypid = t.oid), 'no labels')
    WHEN 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
      (SELECT format('collate %I.%I', n.nspname, l.collname)
        FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
        JOIN pg_type b ON b.oid = t.typbasetype
        WHERE l.oid = t.typcollation AND t.typcollation <> b.typcollation),
      CASE WHEN t.typnotnull THEN 'not null' END,
      'default ' || coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault))
    WHEN 'r' THEN (
      SELECT format('range of %s, class %s, collation %s, canonical %s, difference %s',
        format_type(r.rngsubtype, NULL), o.opcname, l.collname, r.rngcanonical, r.rngsubdiff)
      FROM pg_range r JOIN pg_opclass o ON o.oid = r.rngsubopc
      LEFT JOIN pg_collation l ON l.oid = r.rngcollation WHERE r.rngtypid = t.oid)
    WHEN 'b' THEN format('input %s output %s receive %s send %s length %s align %s storage %s '
      'category %s preferred %s delimiter %s element %s default %s', t.typinput, t.typoutput,
      t.typreceive, t.typsend, t.typlen, t.typalign, t.typstorage, t.typcategory,
      t.typispreferred, t.typdelim, format_type(t.typelem, NULL), t.typdefault)
    ELSE 'shell' END
FROM t
UNION ALL
SELECT 'pg_constraint', k.oid, 0, 'constraint', t.qualified || '.' || quote_ident(k.conname),
  NULL, NULL, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN t ON t.oid = k.contypid WHERE k.contype <> 'n'
"""

FUNCTIONS = f"""
SELECT 'pg_proc', p.oid, 0, CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
    ELSE 'function' END,
  format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)), NULL,
  {STRANGER.format("p.proowner")},
  CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE (
    SELECT concat_ws(', ', format('aggregate %s returns %s', pg_get_function_arguments(p.oid),
        pg_get_function_result(p.oid)),
      format('kind %s direct %s step %s state %s size %s', g.aggkind, g.aggnumdirectargs,
        g.aggtransfn, format_type(g.aggtranstype, NULL), g.aggtransspace),
      format('final %s %s %s', g.aggfinalfn, g.aggfinalextra, g.aggfinalmodify),
      format('combine %s serial %s %s', g.aggcombinefn, g.aggserialfn, g.aggdeserialfn),
      format('moving %s %s %s %s %s %s %s', g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn,
        g.aggmfinalextra, g.aggmfinalmodify, format_type(g.aggmtranstype, NULL), g.aggmtransspace),
      'sorted by ' || nullif(g.aggsortop, 0)::regoperator::text, 'initially ' || g.agginitval,
      'moving initially ' || g.aggminitval, 'parallel ' || p.proparallel::text)
    FROM pg_aggregate g WHERE g.aggfnoid = p.oid) END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384 AND {LASTING} AND p.oid NOT IN {PARTS.format("pg_proc")}
"""

DETAILS = f"""
SELECT CASE WHEN r.oid IS NULL THEN d.classoid::regclass::text ELSE 'pg_class' END,
  coalesce(r.oid, d.objoid), d.objsubid, 'comment', d.description
FROM pg_description d
LEFT JOIN pg_type t ON d.classoid = 'pg_type'::regclass AND t.oid = d.objoid
LEFT JOIN pg_class r ON r.oid = t.typrelid AND r.relkind = 'c'
WHERE d.objoid >= 16384 OR (d.classoid = 'pg_namespace'::regclass
  AND d.objoid = 'public'::regnamespace AND d.description <> 'standard public schema')
UNION ALL
(WITH o(catalog, oid, sub, owner, acl, usual) AS (
  SELECT 'pg_class', c.oid, 0, c.relowner, c.relacl,
    acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner)
  FROM pg_class c WHERE c.relacl IS NOT NULL AND c.oid >= 16384
  UNION ALL
  SELECT 'pg_class', a.attrelid, a.attnum, c.relowner, a.attacl, NULL
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE a.attacl IS NOT NULL AND c.oid >= 16384 AND NOT a.attisdropped
  UNION ALL
  SELECT CASE WHEN r.oid IS NULL THEN 'pg_type' ELSE 'pg_class' END, coalesce(r.oid, t.oid), 0,
    t.typowner, t.typacl, acldefault('T', t.typowner)
  FROM pg_type t LEFT JOIN pg_class r ON r.oid = t.typrelid AND r.relkind = 'c'
  WHERE t.typacl IS NOT NULL AND t.oid >= 16384
  UNION ALL
  SELECT 'pg_proc', p.oid, 0, p.proowner, p.proacl, acldefault('f', p.proowner)
  FROM pg_proc p WHERE p.proacl IS NOT NULL AND p.oid >= 16384
  UNION ALL
  SELECT 'pg_namespace', n.oid, 0, n.nspowner, n.nspacl, acldefault('n', n.nspowner)
  FROM pg_namespace n WHERE n.nspacl IS NOT NULL AND n.nspname <> 'public'
  UNION ALL
  SELECT 'pg_namespace', n.oid, 0, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)),
    acldefault('n', n.nspowner) || {{public_grants}}
  FROM pg_namespace n WHERE n.nspname = 'public'
  UNION ALL
  SELECT 'pg_language', l.oid, 0, l.lanowner, l.lanacl, acldefault('l', l.lanowner)
  FROM pg_language l WHERE l.lanacl IS NOT NULL
  UNION ALL
  SELECT 'pg_foreign_data_wrapper', f.oid, 0, f.fdwowner, f.fdwacl, acldefault('F', f.fdwowner)
  FROM pg_foreign_data_wrapper f WHERE f.fdwacl IS NOT NULL
  UNION ALL
  SELECT 'pg_foreign_server', s.oid, 0, s.srvowner, s.srvacl, acldefault('S', s.srvowner)
  FROM pg_foreign_server s WHERE s.srvacl IS NOT NULL),
  given AS (SELECT o.catalog, o.oid, o.sub, o.owner, x.* FROM o, aclexplode(o.acl) x),
  usual AS (SELECT o.catalog, o.oid, o.sub, o.owner, x.* FROM o, aclexplode(o.usual) x),
  line AS (
    SELECT e.catalog, e.oid, e.sub, concat_ws(' ', e.verb,
      string_agg(e.privilege_type, ', ' ORDER BY e.privilege_type COLLATE "C"), e.preposition,
      {ROLE.format("e.grantee")}, CASE WHEN e.is_grantable THEN 'with grant option' END,
      CASE WHEN e.grantor <> e.owner THEN 'by ' || {ROLE.format("e.grantor")} END) AS text
    FROM (SELECT 'grant' AS verb, 'to' AS preposition, g.* FROM (TABLE given EXCEPT TABLE usual) g
      UNION ALL
      SELECT 'revoke', 'from', r.* FROM (TABLE usual EXCEPT TABLE given) r) e
    GROUP BY e.catalog, e.oid, e.sub, e.verb, e.preposition, e.grantee, e.grantor, e.owner,
      e.is_grantable)
SELECT l.catalog, l.oid, l.sub, 'grants', string_agg(l.text, '; ' ORDER BY l.text COLLATE "C")
FROM line l GROUP BY l.catalog, l.oid, l.sub)
"""

ANY_GRANTS = """
SELECT 'granted', 0::oid, 0, 'granted', '', NULL, NULL, NULL
WHERE EXISTS (SELECT FROM pg_class c WHERE c.relacl IS NOT NULL AND {these})
  OR EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attacl IS NOT NULL AND {these})
"""
"""Has one row where anything is granted on these relations."""

OF_RELATIONS = (RELATIONS, COLUMNS, CONSTRAINTS, ATTACHED)
"""The queries for tables, views and sequences, and what hangs on them.

Which tables, views and sequences is for the condition ``{these}`` on ``c.oid`` to say.
"""
