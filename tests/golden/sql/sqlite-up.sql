-- SQLite, up, from base to 0010: 10 revisions, 45 statements
-- run it with: sqlite3 DATABASE < THIS_FILE
-- It goes on only where the database is exactly where it starts, and stops at the first error.
--
--   revision  statements  message (tables)
--   0001               3  the tables of TopChef 0.2 (job_sets, services, jobs)
--   0002               8  no checks on flags and states (_alembic_tmp_services, services, _alembic_tmp_jobs, job_sets, jobs)
--   0003              12  names for constraints and keys (_alembic_tmp_services, services, _alembic_tmp_job_sets, job_sets, _alembic_tmp_jobs, jobs)
--   0004               5  a job always has a status (jobs, _alembic_tmp_jobs, job_sets, services)
--   0005               8  JSON documents are JSON (services, jobs)
--   0006               0  UUIDs are UUIDs on MariaDB
--   0007               0  times to the microsecond
--   0008               2  indexes on foreign keys (jobs)
--   0009               6  jobs follow what they belong to (_alembic_tmp_jobs, job_sets, services, jobs)
--   0010               1  one spelling of documents
--
-- What it takes away or changes:
--   0004 changes rows of jobs
--   0005 changes the type of services.job_registration_schema
--   0005 changes the type of services.job_result_schema
--   0005 changes the type of jobs.parameters
--   0005 changes the type of jobs.results

.bail on
PRAGMA foreign_keys = OFF;
-- one migrator at a time: the lock is tried for once
CREATE TEMP TABLE IF NOT EXISTS topchef_guard (
    found CONSTRAINT "refused: see the line above" CHECK (found IS NULL)
);

BEGIN IMMEDIATE;
.timeout 5000
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
-- only where the database is where this script starts
CREATE TEMP VIEW IF NOT EXISTS topchef_look AS
  SELECT coalesce(group_concat(version_num, ', '), 'base') AS found
  FROM (SELECT version_num FROM alembic_version ORDER BY version_num);
SELECT CASE found WHEN '0010' THEN 'the database is at 0010 already, where this script leads'
  ELSE 'this script goes on from base, and the database is at ' || found END FROM temp.topchef_look WHERE found <> 'base';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> 'base';
-- only where every revision is finished that was begun
CREATE TABLE IF NOT EXISTS topchef_history (
    id INTEGER NOT NULL,
    run_id VARCHAR(32) NOT NULL,
    revision VARCHAR(255) NOT NULL,
    direction VARCHAR(4),
    status VARCHAR(16) NOT NULL,
    started_at DATETIME NOT NULL,
    finished_at DATETIME,
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
CREATE TABLE IF NOT EXISTS topchef_journal (
    revision VARCHAR(255) NOT NULL,
    position INTEGER NOT NULL,
    run_id VARCHAR(32) NOT NULL,
    direction VARCHAR(4) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    alone BOOLEAN NOT NULL,
    "before" VARCHAR(64),
    sql TEXT NOT NULL,
    PRIMARY KEY (revision, position)
);
SELECT 'revision ' || found || ' was begun and is not finished: see topchef-db repair'
  FROM (SELECT MIN(j.revision) AS found FROM topchef_journal j WHERE NOT EXISTS (SELECT 1
    FROM topchef_history h WHERE h.run_id = j.run_id
    AND h.revision = j.revision AND h.direction = j.direction
    AND h.status IN ('applied', 'repaired', 'reverted'))) WHERE found IS NOT NULL;
INSERT INTO temp.topchef_guard SELECT MIN(j.revision) AS found FROM topchef_journal j WHERE NOT EXISTS (SELECT 1
    FROM topchef_history h WHERE h.run_id = j.run_id
    AND h.revision = j.revision AND h.direction = j.direction
    AND h.status IN ('applied', 'repaired', 'reverted'));

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
    description VARCHAR(140) NOT NULL, 
    PRIMARY KEY (job_set_id)
);
-- line 37
CREATE TABLE services (
    service_id CHAR(32) NOT NULL, 
    name VARCHAR(30) NOT NULL, 
    description VARCHAR(1000) NOT NULL, 
    last_checked_in DATETIME NOT NULL, 
    heartbeat_timeout_seconds INTEGER NOT NULL, 
    is_service_available BOOLEAN NOT NULL, 
    job_registration_schema VARCHAR(100000) NOT NULL, 
    job_result_schema VARCHAR(100000) NOT NULL, 
    PRIMARY KEY (service_id), 
    CHECK (is_service_available IN (0, 1))
);
-- line 65
CREATE TABLE jobs (
    job_id CHAR(32) NOT NULL, 
    service_id CHAR(32) NOT NULL, 
    date_submitted DATETIME NOT NULL, 
    status VARCHAR(10), 
    parameters VARCHAR(100000) NOT NULL, 
    results VARCHAR(100000), 
    job_set_id CHAR(32), 
    PRIMARY KEY (job_id), 
    FOREIGN KEY(service_id) REFERENCES services (service_id), 
    FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id), 
    CONSTRAINT jobstatus CHECK (status IN ('REGISTERED', 'COMPLETED', 'WORKING', 'ERROR'))
);
INSERT INTO alembic_version (version_num) VALUES ('0001');
SELECT 'this script goes on from 0001, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0001';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0001';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0001', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:pVk-21qrja82MVwozZa0B6VdKuK8:plIs2ujXwD60cGuG5eX1XpK_JohI');
COMMIT;

-- 2 of 10: up 0002 no checks on flags and states
-- alembic/versions/0002_no_checks_on_flags_and_states.py
--
-- PostgreSQL never had them, because it has types for both, and MySQL knows them only since 8.0.16.
-- The models check what is stored, on all databases alike. Alembic compares no CHECK constraints, so
-- all of this is written by hand.
-- depends on the data: review. Recorded by running it on a scratch database, because it cannot be written down without: alembic/versions/0002_no_checks_on_flags_and_states.py:31: This operation cannot proceed in --sql mode; batch mode with dialect sqlite requires a live database connection with which to reflect the table "jobs". To generate a batch SQL migration script using table "move and copy", a complete Table object should be passed to the "copy_from" argument of the batch_alter_table() method so that table reflection can be skipped.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0001, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0001';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0001';
-- line 29
CREATE TABLE _alembic_tmp_services (
	service_id CHAR(32) NOT NULL, 
	name VARCHAR(30) NOT NULL, 
	description VARCHAR(1000) NOT NULL, 
	last_checked_in DATETIME NOT NULL, 
	heartbeat_timeout_seconds INTEGER NOT NULL, 
	is_service_available BOOLEAN NOT NULL, 
	job_registration_schema VARCHAR(100000) NOT NULL, 
	job_result_schema VARCHAR(100000) NOT NULL, 
	PRIMARY KEY (service_id)
);
-- line 29
INSERT INTO _alembic_tmp_services (service_id, name, description, last_checked_in,
    heartbeat_timeout_seconds, is_service_available, job_registration_schema, job_result_schema)
    SELECT services.service_id, services.name, services.description, services.last_checked_in,
    services.heartbeat_timeout_seconds, services.is_service_available,
    services.job_registration_schema, services.job_result_schema 
FROM services;
-- line 29
DROP TABLE services;
-- line 29
ALTER TABLE _alembic_tmp_services RENAME TO services;
-- line 31
CREATE TABLE _alembic_tmp_jobs (
	job_id CHAR(32) NOT NULL, 
	service_id CHAR(32) NOT NULL, 
	date_submitted DATETIME NOT NULL, 
	status VARCHAR(10), 
	parameters VARCHAR(100000) NOT NULL, 
	results VARCHAR(100000), 
	job_set_id CHAR(32), 
	PRIMARY KEY (job_id), 
	FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id), 
	FOREIGN KEY(service_id) REFERENCES services (service_id)
);
-- line 31
INSERT INTO _alembic_tmp_jobs (job_id, service_id, date_submitted, status, parameters, results,
    job_set_id) SELECT jobs.job_id, jobs.service_id, jobs.date_submitted, jobs.status,
    jobs.parameters, jobs.results, jobs.job_set_id 
FROM jobs;
-- line 31
DROP TABLE jobs;
-- line 31
ALTER TABLE _alembic_tmp_jobs RENAME TO jobs;
UPDATE alembic_version SET version_num = '0002' WHERE version_num = '0001';
SELECT 'this script goes on from 0002, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0002';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0002';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0002', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:WXKvGWFnRaqPbdLdrRZcd7ujuGKh:Hf7i_GgWy3h-ov3IqoplUTvWsWpA');
COMMIT;

-- 3 of 10: up 0003 names for constraints and keys
-- alembic/versions/0003_names_for_constraints_and_keys.py
--
-- A constraint without a name can be dropped by no revision, and names that the servers gave differ
-- from one to the next. The models have a rule for them; here what exists takes those names, and
-- PostgreSQL's type of a job's status takes its own.
-- depends on the data: review. Recorded by running it on a scratch database, because it cannot be written down without: alembic/versions/0003_names_for_constraints_and_keys.py:42: This operation cannot proceed in --sql mode; batch mode with dialect sqlite requires a live database connection with which to reflect the table "services". To generate a batch SQL migration script using table "move and copy", a complete Table object should be passed to the "copy_from" argument of the batch_alter_table() method so that table reflection can be skipped.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0002, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0002';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0002';
-- line 42
CREATE TABLE _alembic_tmp_services (
	service_id CHAR(32) NOT NULL, 
	name VARCHAR(30) NOT NULL, 
	description VARCHAR(1000) NOT NULL, 
	last_checked_in DATETIME NOT NULL, 
	heartbeat_timeout_seconds INTEGER NOT NULL, 
	is_service_available BOOLEAN NOT NULL, 
	job_registration_schema VARCHAR(100000) NOT NULL, 
	job_result_schema VARCHAR(100000) NOT NULL, 
	CONSTRAINT pk_services PRIMARY KEY (service_id)
);
-- line 42
INSERT INTO _alembic_tmp_services (service_id, name, description, last_checked_in,
    heartbeat_timeout_seconds, is_service_available, job_registration_schema, job_result_schema)
    SELECT services.service_id, services.name, services.description, services.last_checked_in,
    services.heartbeat_timeout_seconds, services.is_service_available,
    services.job_registration_schema, services.job_result_schema 
FROM services;
-- line 42
DROP TABLE services;
-- line 42
ALTER TABLE _alembic_tmp_services RENAME TO services;
-- line 42
CREATE TABLE _alembic_tmp_job_sets (
	job_set_id CHAR(32) NOT NULL, 
	description VARCHAR(140) NOT NULL, 
	CONSTRAINT pk_job_sets PRIMARY KEY (job_set_id)
);
-- line 42
INSERT INTO _alembic_tmp_job_sets (job_set_id, description) SELECT job_sets.job_set_id,
    job_sets.description 
FROM job_sets;
-- line 42
DROP TABLE job_sets;
-- line 42
ALTER TABLE _alembic_tmp_job_sets RENAME TO job_sets;
-- line 42
CREATE TABLE _alembic_tmp_jobs (
	job_id CHAR(32) NOT NULL, 
	service_id CHAR(32) NOT NULL, 
	date_submitted DATETIME NOT NULL, 
	status VARCHAR(10), 
	parameters VARCHAR(100000) NOT NULL, 
	results VARCHAR(100000), 
	job_set_id CHAR(32), 
	CONSTRAINT pk_jobs PRIMARY KEY (job_id), 
	CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id), 
	CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services (service_id)
);
-- line 42
INSERT INTO _alembic_tmp_jobs (job_id, service_id, date_submitted, status, parameters, results,
    job_set_id) SELECT jobs.job_id, jobs.service_id, jobs.date_submitted, jobs.status,
    jobs.parameters, jobs.results, jobs.job_set_id 
FROM jobs;
-- line 42
DROP TABLE jobs;
-- line 42
ALTER TABLE _alembic_tmp_jobs RENAME TO jobs;
UPDATE alembic_version SET version_num = '0003' WHERE version_num = '0002';
SELECT 'this script goes on from 0003, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0003';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0003';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0003', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:tHPNn9JqeSUOp2r_UYpqj8yYCTc7:uc8xc8trK7smPskg_WI7fByHtI51');
COMMIT;

-- 4 of 10: up 0004 a job always has a status
-- alembic/versions/0004_a_job_always_has_a_status.py
--
-- The column had a default but took NULL all the same; a job without a status is one that nobody has
-- taken yet. Going down only lets NULL in again.
-- depends on the data: review. Recorded by running it on a scratch database, because it cannot be written down without: alembic/versions/0004_a_job_always_has_a_status.py:26: This operation cannot proceed in --sql mode; batch mode with dialect sqlite requires a live database connection with which to reflect the table "jobs". To generate a batch SQL migration script using table "move and copy", a complete Table object should be passed to the "copy_from" argument of the batch_alter_table() method so that table reflection can be skipped.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0003, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0003';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0003';
-- line 24
UPDATE jobs SET status = 'REGISTERED' WHERE status IS NULL;
-- line 26
CREATE TABLE _alembic_tmp_jobs (
	job_id CHAR(32) NOT NULL, 
	service_id CHAR(32) NOT NULL, 
	date_submitted DATETIME NOT NULL, 
	status VARCHAR(10) NOT NULL, 
	parameters VARCHAR(100000) NOT NULL, 
	results VARCHAR(100000), 
	job_set_id CHAR(32), 
	CONSTRAINT pk_jobs PRIMARY KEY (job_id), 
	CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id), 
	CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services (service_id)
);
-- line 26
INSERT INTO _alembic_tmp_jobs (job_id, service_id, date_submitted, status, parameters, results,
    job_set_id) SELECT jobs.job_id, jobs.service_id, jobs.date_submitted, jobs.status,
    jobs.parameters, jobs.results, jobs.job_set_id 
FROM jobs;
-- line 26
DROP TABLE jobs;
-- line 26
ALTER TABLE _alembic_tmp_jobs RENAME TO jobs;
UPDATE alembic_version SET version_num = '0004' WHERE version_num = '0003';
SELECT 'this script goes on from 0004, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0004';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0004';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0004', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:0Tr8kc01hNnL-jOO1gM9UdZztXne:Jfi2rp7PPjnr2vtnoqfb-G77JXU0');
COMMIT;

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
-- depends on the data: review. Recorded by running it on a scratch database, because it cannot be written down without: alembic/versions/0005_json_documents_are_json.py:72: This operation cannot proceed in --sql mode; batch mode with dialect sqlite requires a live database connection with which to reflect the table "services". To generate a batch SQL migration script using table "move and copy", a complete Table object should be passed to the "copy_from" argument of the batch_alter_table() method so that table reflection can be skipped.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0004, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0004';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0004';
-- line 72
CREATE TABLE _alembic_tmp_services (
	service_id CHAR(32) NOT NULL, 
	name VARCHAR(30) NOT NULL, 
	description VARCHAR(1000) NOT NULL, 
	last_checked_in DATETIME NOT NULL, 
	heartbeat_timeout_seconds INTEGER NOT NULL, 
	is_service_available BOOLEAN NOT NULL, 
	job_registration_schema TEXT NOT NULL, 
	job_result_schema TEXT NOT NULL, 
	CONSTRAINT pk_services PRIMARY KEY (service_id)
);
-- line 72
INSERT INTO _alembic_tmp_services (service_id, name, description, last_checked_in,
    heartbeat_timeout_seconds, is_service_available, job_registration_schema, job_result_schema)
    SELECT services.service_id, services.name, services.description, services.last_checked_in,
    services.heartbeat_timeout_seconds, services.is_service_available,
    services.job_registration_schema, services.job_result_schema 
FROM services;
-- line 72
DROP TABLE services;
-- line 72
ALTER TABLE _alembic_tmp_services RENAME TO services;
-- line 95
CREATE TABLE _alembic_tmp_jobs (
	job_id CHAR(32) NOT NULL, 
	service_id CHAR(32) NOT NULL, 
	date_submitted DATETIME NOT NULL, 
	status VARCHAR(10) NOT NULL, 
	parameters TEXT NOT NULL, 
	results TEXT, 
	job_set_id CHAR(32), 
	CONSTRAINT pk_jobs PRIMARY KEY (job_id), 
	CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id), 
	CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services (service_id)
);
-- line 95
INSERT INTO _alembic_tmp_jobs (job_id, service_id, date_submitted, status, parameters, results,
    job_set_id) SELECT jobs.job_id, jobs.service_id, jobs.date_submitted, jobs.status,
    jobs.parameters, jobs.results, jobs.job_set_id 
FROM jobs;
-- line 95
DROP TABLE jobs;
-- line 95
ALTER TABLE _alembic_tmp_jobs RENAME TO jobs;
UPDATE alembic_version SET version_num = '0005' WHERE version_num = '0004';
SELECT 'this script goes on from 0005, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0005';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0005';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0005', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:WhtLuHUtdFXvH7yBw9T8GwH0hPND:pjivpqe4i0XfY5Wr_xK15R0wVCst');
COMMIT;

-- 6 of 10: up 0006 UUIDs are UUIDs on MariaDB
-- alembic/versions/0006_uuids_are_uuids_on_mariadb.py
--
-- MariaDB has a type for them from 10.7 on; PostgreSQL's was used from the beginning, and elsewhere
-- CHAR(32) stays what it is. Keys must have one type on both sides, so the foreign keys are taken away
-- and made again. A key that is no UUID, or one that MariaDB refuses (error 1292: its version is 8 or
-- higher and it is not of the variant of RFC 9562), stops the upgrade before anything is changed.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0005, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0005';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0005';
UPDATE alembic_version SET version_num = '0006' WHERE version_num = '0005';
SELECT 'this script goes on from 0006, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0006';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0006';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0006', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:Zb98XlxJ9OCyhsTMoZywdo2xOYH9:dOflXnBjiBQX0RJ2SR8JGZLr-4FQ');
COMMIT;

-- 7 of 10: up 0007 times to the microsecond
-- alembic/versions/0007_times_to_the_microsecond.py
--
-- PostgreSQL and SQLite have always kept them, MySQL and MariaDB keep whole seconds unless a column
-- says otherwise. The models write the present moment in UTC for each row. What the old code wrote is
-- in UTC as well, but many rows have the moment when its process was started; nothing tells which.
--
-- Going down rounds to whole seconds, which is all that the old columns hold.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0006, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0006';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0006';
UPDATE alembic_version SET version_num = '0007' WHERE version_num = '0006';
SELECT 'this script goes on from 0007, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0007';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0007';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0007', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:Rv5P8U0cGKhWqRazjLppGs2EVM-Q:8331bJgpw6J9y_XTT2FVoyMU5g2W');
COMMIT;

-- 8 of 10: up 0008 indexes on foreign keys
-- alembic/versions/0008_indexes_on_foreign_keys.py
--
-- Without them, the jobs of a service are found by reading all jobs. MySQL and MariaDB have always had
-- them, under their own names until 0003.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0007, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0007';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0007';
-- line 23
CREATE INDEX ix_jobs_job_set_id ON jobs (job_set_id);
-- line 23
CREATE INDEX ix_jobs_service_id ON jobs (service_id);
UPDATE alembic_version SET version_num = '0008' WHERE version_num = '0007';
SELECT 'this script goes on from 0008, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0008';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0008';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0008', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:cnWWtqmhXFNsf0cbix3ox5YhThGC:d0aQ_-3T_pUHsuBop7Sp9CVSl1XE');
COMMIT;

-- 9 of 10: up 0009 jobs follow what they belong to
-- alembic/versions/0009_jobs_follow_what_they_belong_to.py
--
-- A service's jobs are deleted with it, as the old code did it row by row, and a job outlives its set.
-- Only now, as the last change to a table: SQLite copies a table to change it, and deleting the old
-- services would delete their jobs where foreign keys are enforced.
-- depends on the data: review. Recorded by running it on a scratch database, because it cannot be written down without: alembic/versions/0009_jobs_follow_what_they_belong_to.py:23: This operation cannot proceed in --sql mode; batch mode with dialect sqlite requires a live database connection with which to reflect the table "jobs". To generate a batch SQL migration script using table "move and copy", a complete Table object should be passed to the "copy_from" argument of the batch_alter_table() method so that table reflection can be skipped.
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0008, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0008';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0008';
-- line 23
CREATE TABLE _alembic_tmp_jobs (
	job_id CHAR(32) NOT NULL, 
	service_id CHAR(32) NOT NULL, 
	date_submitted DATETIME NOT NULL, 
	status VARCHAR(10) NOT NULL, 
	parameters TEXT NOT NULL, 
	results TEXT, 
	job_set_id CHAR(32), 
	CONSTRAINT pk_jobs PRIMARY KEY (job_id), 
	CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id) ON DELETE SET NULL, 
	CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services (service_id) ON DELETE CASCADE
);
-- line 23
INSERT INTO _alembic_tmp_jobs (job_id, service_id, date_submitted, status, parameters, results,
    job_set_id) SELECT jobs.job_id, jobs.service_id, jobs.date_submitted, jobs.status,
    jobs.parameters, jobs.results, jobs.job_set_id 
FROM jobs;
-- line 23
DROP TABLE jobs;
-- line 23
ALTER TABLE _alembic_tmp_jobs RENAME TO jobs;
-- line 23
CREATE INDEX ix_jobs_job_set_id ON jobs (job_set_id);
-- line 23
CREATE INDEX ix_jobs_service_id ON jobs (service_id);
UPDATE alembic_version SET version_num = '0009' WHERE version_num = '0008';
SELECT 'this script goes on from 0009, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0009';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0009';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0009', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:_9OWjeSRptOT8xa5oDlp5wOSb0o1:WZfLAErckKBw9RgG25smh4ithJer');
COMMIT;

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
BEGIN IMMEDIATE;
SELECT 'this script goes on from 0009, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0009';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0009';
-- line 41
-- documents keep the old spelling: only topchef-db upgrade 0010 rewrites them
;
UPDATE alembic_version SET version_num = '0010' WHERE version_num = '0009';
SELECT 'this script goes on from 0010, and the database is at ' || found FROM temp.topchef_look WHERE found <> '0010';
INSERT INTO temp.topchef_guard SELECT found FROM temp.topchef_look WHERE found <> '0010';
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-6c9b68a0424001112d5404d8', '0010', 'up', 'applied',
    datetime('now'), datetime('now'), NULL, 'ast1:pkoErf7ExZUWefUezq_CS1BcbiSl:njdVlRUJAOHkdYR4iErggKXqcZSd');
COMMIT;

DROP VIEW temp.topchef_look;
DROP TABLE temp.topchef_guard;
