-- MariaDB, up, from base to 0010: 10 revisions, 34 statements
-- run it with: mariadb --comments --batch --database=NAME < THIS_FILE
-- It goes on only where the database is exactly where it starts, and stops at the first error.
--
--   revision  statements  message (tables)
--   0001               3  the tables of TopChef 0.2 (job_sets, services, jobs)
--   0002               1  no checks on flags and states (services)
--   0003               6  names for constraints and keys (jobs, services, job_sets)
--   0004               2  a job always has a status (jobs)
--   0005               4  JSON documents are JSON (services, jobs)
--   0006              11  UUIDs are UUIDs on MariaDB (topchef_keys, services, job_sets, jobs)
--   0007               2  times to the microsecond (services, jobs)
--   0008               0  indexes on foreign keys
--   0009               4  jobs follow what they belong to (jobs, job_sets, services)
--   0010               1  one spelling of documents
--
-- What it takes away or changes:
--   0004 changes rows of jobs
--   0005 changes the type of services.job_registration_schema
--   0005 changes the type of services.job_result_schema
--   0005 changes the type of jobs.parameters
--   0005 changes the type of jobs.results
--   0006 drops the table topchef_keys
--   0006 changes the type of services.service_id
--   0006 changes the type of job_sets.job_set_id
--   0006 changes the type of jobs.job_id
--   0006 changes the type of jobs.service_id
--   0006 changes the type of jobs.job_set_id
--   0007 changes the type of services.last_checked_in
--   0007 changes the type of jobs.date_submitted

SET NAMES utf8mb4;
SET autocommit = 1;
SET @topchef_refused = CASE WHEN DATABASE() IS NULL THEN 'no database is chosen: --database=NAME'
  WHEN VERSION() NOT LIKE '%MariaDB%' THEN CONCAT('this is a script for MariaDB, and the server is ', VERSION()) END;
SELECT @topchef_refused AS refused FROM DUAL WHERE @topchef_refused IS NOT NULL;
SET @topchef_stops = IF(@topchef_refused IS NULL, 0, (SELECT 1 UNION SELECT 2));
PREPARE topchef_stop FROM 'BEGIN NOT ATOMIC IF @topchef_refused IS NOT NULL THEN
  SIGNAL SQLSTATE ''45000'' SET MESSAGE_TEXT = @topchef_refused; END IF; END';
SET @topchef_lock_wait_timeout = @@SESSION.lock_wait_timeout;
-- one migrator at a time: the lock is tried for once
SET @topchef_lock = CONCAT('topchef:', LEFT(SHA2(CONCAT(DATABASE(), CHAR(0), '.alembic_version'), 256), 48));
SET @topchef_refused = IF(GET_LOCK(@topchef_lock, 0) = 1, NULL,
  CONCAT('another migrator holds the lock: session ', COALESCE(IS_USED_LOCK(@topchef_lock), 'unknown'),
    COALESCE((SELECT CONCAT(' (', user, ' from ', host, ')') FROM information_schema.processlist
      WHERE id = IS_USED_LOCK(@topchef_lock)), '')));
EXECUTE topchef_stop;

CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
-- only where the database is where this script starts
SET @topchef_end = '0010', @topchef_done = 'the database is at 0010 already, where this script leads';
PREPARE topchef_look FROM
  'SELECT CASE CAST(found AS BINARY) WHEN CAST(@topchef_at AS BINARY) THEN NULL
    WHEN CAST(@topchef_end AS BINARY) THEN @topchef_done
    ELSE CONCAT(''this script goes on from '', @topchef_at, '', and the database is at '', found) END
  INTO @topchef_refused FROM (SELECT COALESCE(GROUP_CONCAT(version_num ORDER BY CAST(version_num AS BINARY) SEPARATOR '', ''), ''base'') AS found FROM alembic_version) AS looked';
SET @topchef_at = 'base'; EXECUTE topchef_look; EXECUTE topchef_stop;
-- only where every revision is finished that was begun
CREATE TABLE IF NOT EXISTS topchef_history (
    id BIGINT NOT NULL AUTO_INCREMENT,
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
    `position` INTEGER NOT NULL,
    run_id VARCHAR(32) NOT NULL,
    direction VARCHAR(4) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    alone BOOL NOT NULL,
    `before` VARCHAR(64),
    `sql` TEXT NOT NULL,
    PRIMARY KEY (revision, `position`)
);
SET @topchef_refused = CONCAT('revision ', (SELECT MIN(j.revision) AS found FROM topchef_journal j WHERE NOT EXISTS (SELECT 1
    FROM topchef_history h WHERE h.run_id = j.run_id
    AND h.revision = j.revision AND h.direction = j.direction
    AND h.status IN ('applied', 'repaired', 'reverted'))),
  ' was begun and is not finished: see topchef-db repair');
EXECUTE topchef_stop;

-- 1 of 10: up 0001 the tables of TopChef 0.2
-- alembic/versions/0001_the_tables_of_topchef_0_2.py
--
-- They are what its SQLAlchemy 1.1 made, faults included, so that a database which is in use can be
-- adopted: topchef-db stamp 0001. Nothing has a name but what the database gave it. Flags and states
-- have CHECK constraints where a database has no type for them. On PostgreSQL a JSON document is
-- stored as a JSON string that holds the document once more; on MySQL and MariaDB it is MEDIUMTEXT,
-- which is what a server that is not strict made of VARCHAR(100000).
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0001', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:pVk-21qrja82MVwozZa0B6VdKuK8:plIs2ujXwD60cGuG5eX1XpK_JohI');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0001', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
SET SESSION lock_wait_timeout = 5;
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
    is_service_available BOOL NOT NULL, 
    job_registration_schema MEDIUMTEXT NOT NULL, 
    job_result_schema MEDIUMTEXT NOT NULL, 
    PRIMARY KEY (service_id), 
    CHECK (is_service_available IN (0, 1))
);
-- line 65
CREATE TABLE jobs (
    job_id CHAR(32) NOT NULL, 
    service_id CHAR(32) NOT NULL, 
    date_submitted DATETIME NOT NULL, 
    status ENUM('REGISTERED','COMPLETED','WORKING','ERROR'), 
    parameters MEDIUMTEXT NOT NULL, 
    results MEDIUMTEXT, 
    job_set_id CHAR(32), 
    PRIMARY KEY (job_id), 
    FOREIGN KEY(service_id) REFERENCES services (service_id), 
    FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id)
);
START TRANSACTION;
INSERT INTO alembic_version (version_num) VALUES ('0001');
SET @topchef_at = '0001'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0001', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:pVk-21qrja82MVwozZa0B6VdKuK8:plIs2ujXwD60cGuG5eX1XpK_JohI');
DELETE FROM topchef_journal WHERE revision = '0001';
COMMIT;

-- 2 of 10: up 0002 no checks on flags and states
-- alembic/versions/0002_no_checks_on_flags_and_states.py
--
-- PostgreSQL never had them, because it has types for both, and MySQL knows them only since 8.0.16.
-- The models check what is stored, on all databases alike. Alembic compares no CHECK constraints, so
-- all of this is written by hand.
SET @topchef_at = '0001'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0002', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:WXKvGWFnRaqPbdLdrRZcd7ujuGKh:Hf7i_GgWy3h-ov3IqoplUTvWsWpA');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0002', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
-- line 35
ALTER TABLE services DROP CONSTRAINT IF EXISTS CONSTRAINT_1;
START TRANSACTION;
UPDATE alembic_version SET version_num = '0002' WHERE version_num = '0001';
SET @topchef_at = '0002'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0002', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:WXKvGWFnRaqPbdLdrRZcd7ujuGKh:Hf7i_GgWy3h-ov3IqoplUTvWsWpA');
DELETE FROM topchef_journal WHERE revision = '0002';
COMMIT;

-- 3 of 10: up 0003 names for constraints and keys
-- alembic/versions/0003_names_for_constraints_and_keys.py
--
-- A constraint without a name can be dropped by no revision, and names that the servers gave differ
-- from one to the next. The models have a rule for them; here what exists takes those names, and
-- PostgreSQL's type of a job's status takes its own.
SET @topchef_at = '0002'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0003', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:tHPNn9JqeSUOp2r_UYpqj8yYCTc7:uc8xc8trK7smPskg_WI7fByHtI51');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0003', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
-- line 50
ALTER TABLE jobs RENAME INDEX service_id TO ix_jobs_service_id;
-- line 51
ALTER TABLE jobs RENAME INDEX job_set_id TO ix_jobs_job_set_id;
-- line 54
ALTER TABLE jobs DROP FOREIGN KEY jobs_ibfk_1;
-- line 54
ALTER TABLE jobs DROP FOREIGN KEY jobs_ibfk_2;
-- line 54
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services
    (service_id);
-- line 54
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets
    (job_set_id);
START TRANSACTION;
UPDATE alembic_version SET version_num = '0003' WHERE version_num = '0002';
SET @topchef_at = '0003'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0003', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:tHPNn9JqeSUOp2r_UYpqj8yYCTc7:uc8xc8trK7smPskg_WI7fByHtI51');
DELETE FROM topchef_journal WHERE revision = '0003';
COMMIT;

-- 4 of 10: up 0004 a job always has a status
-- alembic/versions/0004_a_job_always_has_a_status.py
--
-- The column had a default but took NULL all the same; a job without a status is one that nobody has
-- taken yet. Going down only lets NULL in again.
SET @topchef_at = '0003'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0004', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:0Tr8kc01hNnL-jOO1gM9UdZztXne:Jfi2rp7PPjnr2vtnoqfb-G77JXU0');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0004', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
START TRANSACTION;
SET SESSION lock_wait_timeout = @topchef_lock_wait_timeout;
-- line 24
UPDATE jobs SET status = 'REGISTERED' WHERE status IS NULL;
SET SESSION lock_wait_timeout = 5;
-- line 26
ALTER TABLE jobs MODIFY status ENUM('REGISTERED','COMPLETED','WORKING','ERROR') NOT NULL;
START TRANSACTION;
UPDATE alembic_version SET version_num = '0004' WHERE version_num = '0003';
SET @topchef_at = '0004'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0004', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:0Tr8kc01hNnL-jOO1gM9UdZztXne:Jfi2rp7PPjnr2vtnoqfb-G77JXU0');
DELETE FROM topchef_journal WHERE revision = '0004';
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
SET @topchef_at = '0004'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0005', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:WhtLuHUtdFXvH7yBw9T8GwH0hPND:pjivpqe4i0XfY5Wr_xK15R0wVCst');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0005', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
-- line 72
ALTER TABLE services MODIFY job_registration_schema JSON NOT NULL;
-- line 72
ALTER TABLE services MODIFY job_result_schema JSON NOT NULL;
-- line 95
ALTER TABLE jobs MODIFY parameters JSON NOT NULL;
-- line 95
ALTER TABLE jobs MODIFY results JSON NULL;
START TRANSACTION;
UPDATE alembic_version SET version_num = '0005' WHERE version_num = '0004';
SET @topchef_at = '0005'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0005', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:WhtLuHUtdFXvH7yBw9T8GwH0hPND:pjivpqe4i0XfY5Wr_xK15R0wVCst');
DELETE FROM topchef_journal WHERE revision = '0005';
COMMIT;

-- 6 of 10: up 0006 UUIDs are UUIDs on MariaDB
-- alembic/versions/0006_uuids_are_uuids_on_mariadb.py
--
-- MariaDB has a type for them from 10.7 on; PostgreSQL's was used from the beginning, and elsewhere
-- CHAR(32) stays what it is. Keys must have one type on both sides, so the foreign keys are taken away
-- and made again. A key that is no UUID, or one that MariaDB refuses (error 1292: its version is 8 or
-- higher and it is not of the variant of RFC 9562), stops the upgrade before anything is changed.
SET @topchef_at = '0005'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0006', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:Zb98XlxJ9OCyhsTMoZywdo2xOYH9:dOflXnBjiBQX0RJ2SR8JGZLr-4FQ');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0006', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
SET SESSION lock_wait_timeout = @topchef_lock_wait_timeout;
-- line 42
SET STATEMENT sql_mode = 'STRICT_ALL_TABLES' FOR CREATE TEMPORARY TABLE topchef_keys (topchef_key UUID) SELECT service_id AS topchef_key FROM services UNION ALL SELECT job_set_id AS topchef_key FROM job_sets UNION ALL SELECT job_id AS topchef_key FROM jobs UNION ALL SELECT service_id AS topchef_key FROM jobs UNION ALL SELECT job_set_id AS topchef_key FROM jobs;
START TRANSACTION;
-- line 47
DROP TEMPORARY TABLE topchef_keys;
SET SESSION lock_wait_timeout = 5;
-- line 48
ALTER TABLE jobs DROP FOREIGN KEY fk_jobs_service_id;
-- line 49
ALTER TABLE jobs DROP FOREIGN KEY fk_jobs_job_set_id;
-- line 51
ALTER TABLE services MODIFY service_id UUID NOT NULL;
-- line 58
ALTER TABLE job_sets MODIFY job_set_id UUID NOT NULL;
-- line 65
ALTER TABLE jobs MODIFY job_id UUID NOT NULL;
-- line 65
ALTER TABLE jobs MODIFY service_id UUID NOT NULL;
-- line 65
ALTER TABLE jobs MODIFY job_set_id UUID NULL;
-- line 85
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services
    (service_id);
-- line 86
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets
    (job_set_id);
START TRANSACTION;
UPDATE alembic_version SET version_num = '0006' WHERE version_num = '0005';
SET @topchef_at = '0006'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0006', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:Zb98XlxJ9OCyhsTMoZywdo2xOYH9:dOflXnBjiBQX0RJ2SR8JGZLr-4FQ');
DELETE FROM topchef_journal WHERE revision = '0006';
COMMIT;

-- 7 of 10: up 0007 times to the microsecond
-- alembic/versions/0007_times_to_the_microsecond.py
--
-- PostgreSQL and SQLite have always kept them, MySQL and MariaDB keep whole seconds unless a column
-- says otherwise. The models write the present moment in UTC for each row. What the old code wrote is
-- in UTC as well, but many rows have the moment when its process was started; nothing tells which.
--
-- Going down rounds to whole seconds, which is all that the old columns hold.
SET @topchef_at = '0006'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0007', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:Rv5P8U0cGKhWqRazjLppGs2EVM-Q:8331bJgpw6J9y_XTT2FVoyMU5g2W');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0007', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
-- line 27
ALTER TABLE services CHANGE last_checked_in last_checked_in DATETIME(6) NOT NULL;
-- line 34
ALTER TABLE jobs CHANGE date_submitted date_submitted DATETIME(6) NOT NULL;
START TRANSACTION;
UPDATE alembic_version SET version_num = '0007' WHERE version_num = '0006';
SET @topchef_at = '0007'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0007', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:Rv5P8U0cGKhWqRazjLppGs2EVM-Q:8331bJgpw6J9y_XTT2FVoyMU5g2W');
DELETE FROM topchef_journal WHERE revision = '0007';
COMMIT;

-- 8 of 10: up 0008 indexes on foreign keys
-- alembic/versions/0008_indexes_on_foreign_keys.py
--
-- Without them, the jobs of a service are found by reading all jobs. MySQL and MariaDB have always had
-- them, under their own names until 0003.
SET @topchef_at = '0007'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
UPDATE alembic_version SET version_num = '0008' WHERE version_num = '0007';
SET @topchef_at = '0008'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0008', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:cnWWtqmhXFNsf0cbix3ox5YhThGC:d0aQ_-3T_pUHsuBop7Sp9CVSl1XE');
COMMIT;

-- 9 of 10: up 0009 jobs follow what they belong to
-- alembic/versions/0009_jobs_follow_what_they_belong_to.py
--
-- A service's jobs are deleted with it, as the old code did it row by row, and a job outlives its set.
-- Only now, as the last change to a table: SQLite copies a table to change it, and deleting the old
-- services would delete their jobs where foreign keys are enforced.
SET @topchef_at = '0008'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0009', 'up', 'started',
    UTC_TIMESTAMP(), NULL, CURRENT_USER(), 'ast1:_9OWjeSRptOT8xa5oDlp5wOSb0o1:WZfLAErckKBw9RgG25smh4ithJer');
INSERT INTO topchef_journal
    (revision, `position`, run_id, direction, fingerprint, alone, `sql`)
    VALUES ('0009', 0, 'script-1d3e5b1ec9af7851aba66c7b', 'up',
    'script-1d3e5b1ec9af7851aba66c7b', false, '(a script of topchef-db sql)');
COMMIT;
-- line 23
ALTER TABLE jobs DROP FOREIGN KEY fk_jobs_job_set_id;
-- line 23
ALTER TABLE jobs DROP FOREIGN KEY fk_jobs_service_id;
-- line 23
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_job_set_id FOREIGN KEY(job_set_id) REFERENCES job_sets
    (job_set_id) ON DELETE SET NULL;
-- line 23
ALTER TABLE jobs ADD CONSTRAINT fk_jobs_service_id FOREIGN KEY(service_id) REFERENCES services
    (service_id) ON DELETE CASCADE;
START TRANSACTION;
UPDATE alembic_version SET version_num = '0009' WHERE version_num = '0008';
SET @topchef_at = '0009'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0009', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:_9OWjeSRptOT8xa5oDlp5wOSb0o1:WZfLAErckKBw9RgG25smh4ithJer');
DELETE FROM topchef_journal WHERE revision = '0009';
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
SET @topchef_at = '0009'; EXECUTE topchef_look; EXECUTE topchef_stop;
START TRANSACTION;
SET SESSION lock_wait_timeout = @topchef_lock_wait_timeout;
-- line 41
-- documents keep the old spelling: only topchef-db upgrade 0010 rewrites them
;
UPDATE alembic_version SET version_num = '0010' WHERE version_num = '0009';
SET @topchef_at = '0010'; EXECUTE topchef_look; EXECUTE topchef_stop;
INSERT INTO topchef_history
    (run_id, revision, direction, status, started_at, finished_at, database_user, file_sha256)
    VALUES ('script-1d3e5b1ec9af7851aba66c7b', '0010', 'up', 'applied',
    UTC_TIMESTAMP(), UTC_TIMESTAMP(), CURRENT_USER(), 'ast1:pkoErf7ExZUWefUezq_CS1BcbiSl:njdVlRUJAOHkdYR4iErggKXqcZSd');
COMMIT;

DO RELEASE_LOCK(@topchef_lock);
