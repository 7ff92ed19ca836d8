-- PostgreSQL, down, from 0010 to base: 10 revisions, 21 statements
-- run it with: psql --file=THIS_FILE
-- It goes on only where the database is exactly where it starts, and stops at the first error.
--
--   revision  statements  message (tables)
--   0010               0  one spelling of documents
--   0009               4  jobs follow what they belong to (jobs, job_sets, services)
--   0008               2  indexes on foreign keys
--   0007               0  times to the microsecond
--   0006               0  UUIDs are UUIDs on MariaDB
--   0005               4  JSON documents are JSON (jobs, services)
--   0004               1  a job always has a status (jobs)
--   0003               6  names for constraints and keys (services, job_sets, jobs)
--   0002               0  no checks on flags and states
--   0001               4  the tables of TopChef 0.2 (jobs, services, job_sets)
--
-- What it takes away or changes:
--   0005 changes the type of jobs.results
--   0005 changes the type of jobs.parameters
--   0005 changes the type of services.job_result_schema
--   0005 changes the type of services.job_registration_schema
--   0001 drops the table jobs
--   0001 drops the table services
--   0001 drops the table job_sets
--   0001 drops the type jobstatus
--
-- What it does not bring back, because the way up
--   0004 changes rows of jobs
--   0005 changes the type of services.job_registration_schema
--   0005 changes the type of services.job_result_schema
--   0005 changes the type of jobs.parameters
--   0005 changes the type of jobs.results
--   0010 does what is not known: it asks whether it is offline

\set ON_ERROR_STOP on
\set AUTOCOMMIT on
SET client_encoding = 'UTF8';
-- one migrator at a time: the lock is tried for once
SET application_name = 'topchef-db script';
DO $guard$ DECLARE
  key bytea := convert_to('topchef-db', 'UTF8') || '\x00' || convert_to(current_database(), 'UTF8')
    || '\x00' || convert_to('.alembic_version', 'UTF8');
  number bigint := ('x' || left(encode(sha256(key), 'hex'), 16))::bit(64)::bigint;
  holder text;
BEGIN
  IF NOT pg_try_advisory_lock(number) THEN
    holder := (SELECT concat_ws(', ', 'server process ' || l.pid, nullif(a.application_name, ''),
  'user ' || a.usename, 'since ' || date_trunc('second', a.backend_start))
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid = (number >> 32 & 4294967295)::oid AND l.objid = (number & 4294967295)::oid);
    RAISE EXCEPTION 'another migrator holds the lock: %',
      coalesce(holder, 'a session that has just ended');
  END IF;
  PERFORM set_config('topchef.lock', number::text, false);
END $guard$;

BEGIN;
-- only where the database is where this script starts
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0010' THEN
    RAISE EXCEPTION '%', CASE WHEN found = 'base' THEN 'the database is at base already, where this script leads'
      ELSE 'this script goes on from 0010, and the database is at ' || found END;
  END IF;
END $guard$;
-- only where every revision is finished that was begun
CREATE TABLE IF NOT EXISTS topchef_history (
    id BIGSERIAL NOT NULL,
    run_id VARCHAR(32) NOT NULL,
    revision VARCHAR(255) NOT NULL,
    direction VARCHAR(4),
    status VARCHAR(16) NOT NULL,
    started_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITHOUT TIME ZONE,
    milliseconds BIGINT,
    database_user VARCHAR(255),
    os_user VARCHAR(255),
    host VARCHAR(255),
    tool_version VARCHAR(32),
    git_commit VARCHAR(64),
    file_sha256 VARCHAR(64),
    reason TEXT,
    error TEXT,
    PRIMARY KEY (id)
);
DO $guard$ DECLARE found text; BEGIN
  IF to_regclass('topchef_journal') IS NOT NULL THEN
    EXECUTE 'SELECT MIN(j.revision) AS found FROM topchef_journal j WHERE NOT EXISTS (SELECT 1
    FROM topchef_history h WHERE h.run_id = j.run_id
    AND h.revision = j.revision AND h.direction = j.direction
    AND h.status IN (''applied'', ''repaired'', ''reverted''))' INTO found;
  END IF;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'revision % was begun and is not finished: see topchef-db repair', found;
  END IF;
END $guard$;

-- 1 of 10: down 0010 one spelling of documents
-- alembic/versions/0010_one_spelling_of_documents.py
--
-- SQLite and MariaDB keep a JSON document as the text that was written, and compare texts. The old
-- code wrote {"name": "Caf\u00e9"} where the models write {"name":"Café"}: the same document, but a
-- query for it would not find it. Here all documents get the spelling of the models: without spaces,
-- keys in order, and characters as themselves. The other databases have one spelling of their own.
--
-- It takes a program to do that: a script leaves the documents as they are, and says so. Going down
-- leaves them too, because the old code reads either spelling.
UPDATE alembic_version SET version_num = '0009' WHERE version_num = '0010';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0009' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0009, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0010', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:pkoErf7ExZUWefUezq_CS1BcbiSl:njdVlRUJAOHkdYR4iErggKXqcZSd');
COMMIT;

-- 2 of 10: down 0009 jobs follow what they belong to
-- alembic/versions/0009_jobs_follow_what_they_belong_to.py
--
-- A service's jobs are deleted with it, as the old code did it row by row, and a job outlives its set.
-- Only now, as the last change to a table: SQLite copies a table to change it, and deleting the old
-- services would delete their jobs where foreign keys are enforced.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0009' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0009, and the database is at ' || found;
  END IF;
END $guard$;
SET LOCAL lock_timeout = '5000ms';
-- line 43
ALTER TABLE jobs DROP CONSTRAINT fk_jobs_job_set_id;
-- line 43
ALTER TABLE jobs DROP CONSTRAINT fk_jobs_service_id;
-- line 43
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets
    (job_set_id);
-- line 43
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services
    (service_id);
UPDATE alembic_version SET version_num = '0008' WHERE version_num = '0009';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0008' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0008, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0009', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:_9OWjeSRptOT8xa5oDlp5wOSb0o1:WZfLAErckKBw9RgG25smh4ithJer');
COMMIT;

-- 3 of 10: down 0008 indexes on foreign keys
-- alembic/versions/0008_indexes_on_foreign_keys.py
--
-- Without them, the jobs of a service are found by reading all jobs. MySQL and MariaDB have always had
-- them, under their own names until 0003.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0008' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0008, and the database is at ' || found;
  END IF;
END $guard$;
SET LOCAL lock_timeout = '5000ms';
-- line 30
DROP INDEX ix_jobs_service_id;
-- line 30
DROP INDEX ix_jobs_job_set_id;
UPDATE alembic_version SET version_num = '0007' WHERE version_num = '0008';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0007' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0007, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0008', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:cnWWtqmhXFNsf0cbix3ox5YhThGC:d0aQ_-3T_pUHsuBop7Sp9CVSl1XE');
COMMIT;

-- 4 of 10: down 0007 times to the microsecond
-- alembic/versions/0007_times_to_the_microsecond.py
--
-- PostgreSQL and SQLite have always kept them, MySQL and MariaDB keep whole seconds unless a column
-- says otherwise. The models write the present moment in UTC for each row. What the old code wrote is
-- in UTC as well, but many rows have the moment when its process was started; nothing tells which.
--
-- Going down rounds to whole seconds, which is all that the old columns hold.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0007' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0007, and the database is at ' || found;
  END IF;
END $guard$;
UPDATE alembic_version SET version_num = '0006' WHERE version_num = '0007';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0006' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0006, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0007', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:Rv5P8U0cGKhWqRazjLppGs2EVM-Q:8331bJgpw6J9y_XTT2FVoyMU5g2W');
COMMIT;

-- 5 of 10: down 0006 UUIDs are UUIDs on MariaDB
-- alembic/versions/0006_uuids_are_uuids_on_mariadb.py
--
-- MariaDB has a type for them from 10.7 on; PostgreSQL's was used from the beginning, and elsewhere
-- CHAR(32) stays what it is. Keys must have one type on both sides, so the foreign keys are taken away
-- and made again. A key that is no UUID, or one that MariaDB refuses (error 1292: its version is 8 or
-- higher and it is not of the variant of RFC 9562), stops the upgrade before anything is changed.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0006' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0006, and the database is at ' || found;
  END IF;
END $guard$;
UPDATE alembic_version SET version_num = '0005' WHERE version_num = '0006';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0005' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0005, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0006', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:Zb98XlxJ9OCyhsTMoZywdo2xOYH9:dOflXnBjiBQX0RJ2SR8JGZLr-4FQ');
COMMIT;

-- 6 of 10: down 0005 JSON documents are JSON
-- alembic/versions/0005_json_documents_are_json.py
--
-- The database's own type wherever it has one: JSONB on PostgreSQL, JSON on MySQL and MariaDB, TEXT on
-- SQLite. PostgreSQL's documents were encoded twice, and are decoded here:
--
-- - a JSON string that holds JSON is the document that it holds, once decoded: a document which is
--   itself a string that looks like JSON stays a string;
-- - any other value is a document already, and a JSON string that holds no JSON is a plain string;
-- - results that were not there are SQL NULL now; the old code stored None as the JSON null. The
--   parameters None stay the JSON null. Both are read as None, as before.
--
-- What the native types cannot hold makes the upgrade fail before anything is lost: NaN and infinity,
-- and on PostgreSQL NUL characters and halves of surrogate pairs. Correct such documents first. On
-- MySQL and MariaDB, where each column is changed by itself, simply run the upgrade again then.
--
-- Going down encodes PostgreSQL's documents twice again, as the old code reads them.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0005' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0005, and the database is at ' || found;
  END IF;
END $guard$;
SET LOCAL lock_timeout = '5000ms';
-- line 132
ALTER TABLE jobs ALTER COLUMN results TYPE JSON USING to_json(results::text);
-- line 132
ALTER TABLE jobs ALTER COLUMN parameters TYPE JSON USING to_json(parameters::text);
-- line 155
ALTER TABLE services ALTER COLUMN job_result_schema TYPE JSON USING
    to_json(job_result_schema::text);
-- line 155
ALTER TABLE services ALTER COLUMN job_registration_schema TYPE JSON USING
    to_json(job_registration_schema::text);
UPDATE alembic_version SET version_num = '0004' WHERE version_num = '0005';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0004' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0004, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0005', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:WhtLuHUtdFXvH7yBw9T8GwH0hPND:pjivpqe4i0XfY5Wr_xK15R0wVCst');
COMMIT;

-- 7 of 10: down 0004 a job always has a status
-- alembic/versions/0004_a_job_always_has_a_status.py
--
-- The column had a default but took NULL all the same; a job without a status is one that nobody has
-- taken yet. Going down only lets NULL in again.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0004' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0004, and the database is at ' || found;
  END IF;
END $guard$;
SET LOCAL lock_timeout = '5000ms';
-- line 35
ALTER TABLE jobs ALTER COLUMN status DROP NOT NULL;
UPDATE alembic_version SET version_num = '0003' WHERE version_num = '0004';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0003' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0003, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0004', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:0Tr8kc01hNnL-jOO1gM9UdZztXne:Jfi2rp7PPjnr2vtnoqfb-G77JXU0');
COMMIT;

-- 8 of 10: down 0003 names for constraints and keys
-- alembic/versions/0003_names_for_constraints_and_keys.py
--
-- A constraint without a name can be dropped by no revision, and names that the servers gave differ
-- from one to the next. The models have a rule for them; here what exists takes those names, and
-- PostgreSQL's type of a job's status takes its own.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0003' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0003, and the database is at ' || found;
  END IF;
END $guard$;
SET LOCAL lock_timeout = '5000ms';
-- line 81
ALTER TABLE services RENAME CONSTRAINT pk_services TO services_pkey;
-- line 81
ALTER TABLE job_sets RENAME CONSTRAINT pk_job_sets TO job_sets_pkey;
-- line 81
ALTER TABLE jobs RENAME CONSTRAINT pk_jobs TO jobs_pkey;
-- line 81
ALTER TABLE jobs RENAME CONSTRAINT fk_jobs_service_id TO jobs_service_id_fkey;
-- line 81
ALTER TABLE jobs RENAME CONSTRAINT fk_jobs_job_set_id TO jobs_job_set_id_fkey;
-- line 82
ALTER TYPE job_status RENAME TO jobstatus;
UPDATE alembic_version SET version_num = '0002' WHERE version_num = '0003';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0002' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0002, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0003', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:tHPNn9JqeSUOp2r_UYpqj8yYCTc7:uc8xc8trK7smPskg_WI7fByHtI51');
COMMIT;

-- 9 of 10: down 0002 no checks on flags and states
-- alembic/versions/0002_no_checks_on_flags_and_states.py
--
-- PostgreSQL never had them, because it has types for both, and MySQL knows them only since 8.0.16.
-- The models check what is stored, on all databases alike. Alembic compares no CHECK constraints, so
-- all of this is written by hand.
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0002' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0002, and the database is at ' || found;
  END IF;
END $guard$;
UPDATE alembic_version SET version_num = '0001' WHERE version_num = '0002';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0001' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0001, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0002', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:WXKvGWFnRaqPbdLdrRZcd7ujuGKh:Hf7i_GgWy3h-ov3IqoplUTvWsWpA');
COMMIT;

-- 10 of 10: down 0001 the tables of TopChef 0.2
-- alembic/versions/0001_the_tables_of_topchef_0_2.py
--
-- They are what its SQLAlchemy 1.1 made, faults included, so that a database which is in use can be
-- adopted: topchef-db stamp 0001. Nothing has a name but what the database gave it. Flags and states
-- have CHECK constraints where a database has no type for them. On PostgreSQL a JSON document is
-- stored as a JSON string that holds the document once more; on MySQL and MariaDB it is MEDIUMTEXT,
-- which is what a server that is not strict made of VARCHAR(100000).
BEGIN;
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> '0001' THEN
    RAISE EXCEPTION '%', 'this script goes on from 0001, and the database is at ' || found;
  END IF;
END $guard$;
SET LOCAL lock_timeout = '5000ms';
-- line 118
DROP TABLE jobs;
-- line 119
DROP TABLE services;
-- line 120
DROP TABLE job_sets;
-- line 123
DROP TYPE jobstatus;
DELETE FROM alembic_version WHERE version_num = '0001';
DO $guard$ DECLARE found text; BEGIN
  SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num COLLATE "C"), 'base')
    INTO found FROM alembic_version;
  IF found <> 'base' THEN
    RAISE EXCEPTION '%', 'this script goes on from base, and the database is at ' || found;
  END IF;
END $guard$;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-9a762db6ced6821d98eaabf6', '0001', 'down', 'reverted',
    timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), current_user, 'ast1:pVk-21qrja82MVwozZa0B6VdKuK8:plIs2ujXwD60cGuG5eX1XpK_JohI');
COMMIT;

DO $guard$ BEGIN
  PERFORM pg_advisory_unlock(current_setting('topchef.lock')::bigint);
END $guard$;
RESET application_name;
