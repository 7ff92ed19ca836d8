-- Oracle Database, up, from base to 0010: 10 revisions, 13 statements
-- run it with: sqlplus USER@DATABASE @THIS_FILE
-- It goes on only where the database is exactly where it starts, and stops at the first error.
--
--   revision  statements  message (tables)
--   0001               3  the tables of TopChef 0.2 (job_sets, services, jobs)
--   0002               0  no checks on flags and states
--   0003               0  names for constraints and keys
--   0004               2  a job always has a status (jobs)
--   0005               4  JSON documents are JSON (services, jobs)
--   0006               0  UUIDs are UUIDs on MariaDB
--   0007               0  times to the microsecond
--   0008               0  indexes on foreign keys
--   0009               4  jobs follow what they belong to (jobs, job_sets, services)
--   0010               0  one spelling of documents
--
-- What it takes away or changes:
--   0004 changes rows of jobs
--   0005 changes the type of services.job_registration_schema
--   0005 changes the type of services.job_result_schema
--   0005 changes the type of jobs.parameters
--   0005 changes the type of jobs.results

WHENEVER SQLERROR EXIT FAILURE ROLLBACK
WHENEVER OSERROR EXIT FAILURE ROLLBACK
SET DEFINE OFF
SET SQLBLANKLINES ON

CREATE TABLE alembic_version (
    version_num VARCHAR2(32 CHAR) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)
/
-- only where the database is where this script starts
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> 'base' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from base, and the database is at ' || found);
  END IF;
END;
/

-- 1 of 10: up 0001 the tables of TopChef 0.2
-- alembic/versions/0001_the_tables_of_topchef_0_2.py
--
-- They are what its SQLAlchemy 1.1 made, faults included, so that a database which is in use can be
-- adopted: topchef-db stamp 0001. Nothing has a name but what the database gave it. Flags and states
-- have CHECK constraints where a database has no type for them. On PostgreSQL a JSON document is
-- stored as a JSON string that holds the document once more; on MySQL and MariaDB it is MEDIUMTEXT,
-- which is what a server that is not strict made of VARCHAR(100000).
-- line 27
CREATE TABLE job_sets (
    job_set_id CHAR(32) NOT NULL, 
    description VARCHAR2(140 CHAR) NOT NULL, 
    PRIMARY KEY (job_set_id)
)
/
-- line 37
CREATE TABLE services (
    service_id CHAR(32) NOT NULL, 
    name VARCHAR2(30 CHAR) NOT NULL, 
    description VARCHAR2(1000 CHAR) NOT NULL, 
    last_checked_in DATE NOT NULL, 
    heartbeat_timeout_seconds INTEGER NOT NULL, 
    is_service_available BOOLEAN NOT NULL, 
    job_registration_schema VARCHAR(100000 CHAR) NOT NULL, 
    job_result_schema VARCHAR(100000 CHAR) NOT NULL, 
    PRIMARY KEY (service_id)
)
/
-- line 65
CREATE TABLE jobs (
    job_id CHAR(32) NOT NULL, 
    service_id CHAR(32) NOT NULL, 
    date_submitted DATE NOT NULL, 
    status VARCHAR(10 CHAR), 
    parameters VARCHAR(100000 CHAR) NOT NULL, 
    results VARCHAR(100000 CHAR), 
    job_set_id CHAR(32), 
    PRIMARY KEY (job_id), 
    FOREIGN KEY(service_id) REFERENCES services (service_id), 
    FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id), 
    CONSTRAINT jobstatus CHECK (status IN ('REGISTERED', 'COMPLETED', 'WORKING', 'ERROR'))
)
/
INSERT INTO alembic_version (version_num) VALUES ('0001')
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0001' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0001, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 2 of 10: up 0002 no checks on flags and states
-- alembic/versions/0002_no_checks_on_flags_and_states.py
--
-- PostgreSQL never had them, because it has types for both, and MySQL knows them only since 8.0.16.
-- The models check what is stored, on all databases alike. Alembic compares no CHECK constraints, so
-- all of this is written by hand.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0001' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0001, and the database is at ' || found);
  END IF;
END;
/
UPDATE alembic_version SET version_num = '0002' WHERE version_num = '0001'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0002' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0002, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 3 of 10: up 0003 names for constraints and keys
-- alembic/versions/0003_names_for_constraints_and_keys.py
--
-- A constraint without a name can be dropped by no revision, and names that the servers gave differ
-- from one to the next. The models have a rule for them; here what exists takes those names, and
-- PostgreSQL's type of a job's status takes its own.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0002' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0002, and the database is at ' || found);
  END IF;
END;
/
UPDATE alembic_version SET version_num = '0003' WHERE version_num = '0002'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0003' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0003, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 4 of 10: up 0004 a job always has a status
-- alembic/versions/0004_a_job_always_has_a_status.py
--
-- The column had a default but took NULL all the same; a job without a status is one that nobody has
-- taken yet. Going down only lets NULL in again.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0003' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0003, and the database is at ' || found);
  END IF;
END;
/
-- line 24
UPDATE jobs SET status = 'REGISTERED' WHERE status IS NULL
/
-- line 26
ALTER TABLE jobs MODIFY status NOT NULL
/
UPDATE alembic_version SET version_num = '0004' WHERE version_num = '0003'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0004' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0004, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 5 of 10: up 0005 JSON documents are JSON
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
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0004' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0004, and the database is at ' || found);
  END IF;
END;
/
-- line 72
ALTER TABLE services MODIFY job_registration_schema CLOB
/
-- line 72
ALTER TABLE services MODIFY job_result_schema CLOB
/
-- line 95
ALTER TABLE jobs MODIFY parameters CLOB
/
-- line 95
ALTER TABLE jobs MODIFY results CLOB
/
UPDATE alembic_version SET version_num = '0005' WHERE version_num = '0004'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0005' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0005, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 6 of 10: up 0006 UUIDs are UUIDs on MariaDB
-- alembic/versions/0006_uuids_are_uuids_on_mariadb.py
--
-- MariaDB has a type for them from 10.7 on; PostgreSQL's was used from the beginning, and elsewhere
-- CHAR(32) stays what it is. Keys must have one type on both sides, so the foreign keys are taken away
-- and made again. A key that is no UUID, or one that MariaDB refuses (error 1292: its version is 8 or
-- higher and it is not of the variant of RFC 9562), stops the upgrade before anything is changed.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0005' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0005, and the database is at ' || found);
  END IF;
END;
/
UPDATE alembic_version SET version_num = '0006' WHERE version_num = '0005'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0006' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0006, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 7 of 10: up 0007 times to the microsecond
-- alembic/versions/0007_times_to_the_microsecond.py
--
-- PostgreSQL and SQLite have always kept them, MySQL and MariaDB keep whole seconds unless a column
-- says otherwise. The models write the present moment in UTC for each row. What the old code wrote is
-- in UTC as well, but many rows have the moment when its process was started; nothing tells which.
--
-- Going down rounds to whole seconds, which is all that the old columns hold.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0006' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0006, and the database is at ' || found);
  END IF;
END;
/
UPDATE alembic_version SET version_num = '0007' WHERE version_num = '0006'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0007' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0007, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 8 of 10: up 0008 indexes on foreign keys
-- alembic/versions/0008_indexes_on_foreign_keys.py
--
-- Without them, the jobs of a service are found by reading all jobs. MySQL and MariaDB have always had
-- them, under their own names until 0003.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0007' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0007, and the database is at ' || found);
  END IF;
END;
/
UPDATE alembic_version SET version_num = '0008' WHERE version_num = '0007'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0008' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0008, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 9 of 10: up 0009 jobs follow what they belong to
-- alembic/versions/0009_jobs_follow_what_they_belong_to.py
--
-- A service's jobs are deleted with it, as the old code did it row by row, and a job outlives its set.
-- Only now, as the last change to a table: SQLite copies a table to change it, and deleting the old
-- services would delete their jobs where foreign keys are enforced.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0008' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0008, and the database is at ' || found);
  END IF;
END;
/
-- line 23
ALTER TABLE jobs DROP CONSTRAINT fk_jobs_job_set_id
/
-- line 23
ALTER TABLE jobs DROP CONSTRAINT fk_jobs_service_id
/
-- line 23
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets
    (job_set_id) ON DELETE SET NULL
/
-- line 23
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services
    (service_id) ON DELETE CASCADE
/
UPDATE alembic_version SET version_num = '0009' WHERE version_num = '0008'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0009' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0009, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

-- 10 of 10: up 0010 one spelling of documents
-- alembic/versions/0010_one_spelling_of_documents.py
--
-- SQLite and MariaDB keep a JSON document as the text that was written, and compare texts. The old
-- code wrote {"name": "Caf\u00e9"} where the models write {"name":"Café"}: the same document, but a
-- query for it would not find it. Here all documents get the spelling of the models: without spaces,
-- keys in order, and characters as themselves. The other databases have one spelling of their own.
--
-- It takes a program to do that: a script leaves the documents as they are, and says so. Going down
-- leaves them too, because the old code reads either spelling.
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0009' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0009, and the database is at ' || found);
  END IF;
END;
/
UPDATE alembic_version SET version_num = '0010' WHERE version_num = '0009'
/
DECLARE
  found VARCHAR2(4000);
BEGIN
  SELECT NVL(LISTAGG(version_num, ', ') WITHIN GROUP (ORDER BY version_num), 'base')
    INTO found FROM alembic_version;
  IF found <> '0010' THEN
    RAISE_APPLICATION_ERROR(-20000, 'this script goes on from 0010, and the database is at ' || found);
  END IF;
END;
/
COMMIT
/

