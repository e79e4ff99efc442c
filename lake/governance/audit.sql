-- The audit trail of a lake: a chain of entries that the service can read and continue, and nothing else.
--
-- The administrator of the database runs this once, as superuser, in the database of the catalogue; running it
-- again changes nothing. An embedded home does it by itself at `heliolake up`.
--
--   heliolake audit script | psql -d DATABASE -v ON_ERROR_STOP=1 -c "SET heliolake.service = 'ROLE'" -f -
--
-- ROLE is the role that the service signs in as (default: heliolake). It must own neither the trail nor the
-- database, for an owner can drop what it owns: both belong to heliolake_audit, which nobody can sign in as.
-- The service keeps every other right it has.

BEGIN;

DO $$
DECLARE
    service text := coalesce(nullif(current_setting('heliolake.service', true), ''), 'heliolake');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = service) THEN
        RAISE EXCEPTION 'There is no role %. Name the service''s: SET heliolake.service = ''ROLE''.', service;
    END IF;
    IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = service) THEN
        RAISE EXCEPTION 'The role % is a superuser, whom nothing is refused. Give the service another.', service;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'heliolake_audit') THEN
        CREATE ROLE heliolake_audit NOLOGIN;
    END IF;
    IF pg_has_role(service, 'heliolake_audit', 'MEMBER') THEN
        EXECUTE format('REVOKE heliolake_audit FROM %I', service);
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_database
               WHERE datname = current_database() AND pg_get_userbyid(datdba) = service) THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO heliolake_audit', current_database());
    END IF;
    EXECUTE format('GRANT ALL ON DATABASE %I TO %I', current_database(), service);
    EXECUTE format('GRANT ALL ON SCHEMA public TO %I', service);
END
$$;

CREATE SCHEMA IF NOT EXISTS audit AUTHORIZATION heliolake_audit;
ALTER SCHEMA audit OWNER TO heliolake_audit;

CREATE TABLE IF NOT EXISTS audit.entry (
    number   bigint PRIMARY KEY CHECK (number > 0),
    time     timestamptz NOT NULL,
    who      text NOT NULL,
    what     text NOT NULL,
    subject  text NOT NULL,
    detail   json NOT NULL,
    previous text NOT NULL UNIQUE,
    hash     text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$')
);
CREATE INDEX IF NOT EXISTS ix_entry_time ON audit.entry (time);
CREATE INDEX IF NOT EXISTS ix_entry_subject ON audit.entry (subject, number);

-- One writer at a time, numbers without gaps, each entry behind the newest and of this minute: a chain has no
-- branches, and nothing in it is dated back.
CREATE OR REPLACE FUNCTION audit.continue_chain() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head record;
BEGIN
    PERFORM pg_advisory_xact_lock(7201955022);
    SELECT number, hash INTO head FROM audit.entry ORDER BY number DESC LIMIT 1;
    IF NEW.number <> coalesce(head.number, 0) + 1 OR NEW.previous <> coalesce(head.hash, repeat('0', 64)) THEN
        RAISE EXCEPTION 'Entry % does not continue the audit trail, which ends with entry %.',
            NEW.number, coalesce(head.number, 0) USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.time NOT BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp() THEN
        RAISE EXCEPTION 'Entry % is not of this minute.', NEW.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

-- Whoever has the rights in spite of all is refused too, unless this is taken away on purpose.
CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'The audit trail is append-only: % is refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE OR REPLACE TRIGGER continue_chain BEFORE INSERT ON audit.entry
    FOR EACH ROW EXECUTE FUNCTION audit.continue_chain();
CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

ALTER TABLE audit.entry OWNER TO heliolake_audit;
ALTER FUNCTION audit.continue_chain() OWNER TO heliolake_audit;
ALTER FUNCTION audit.refuse_change() OWNER TO heliolake_audit;

DO $$
DECLARE
    service text := coalesce(nullif(current_setting('heliolake.service', true), ''), 'heliolake');
BEGIN
    REVOKE ALL ON SCHEMA audit FROM PUBLIC;
    REVOKE ALL ON audit.entry FROM PUBLIC;
    EXECUTE format('REVOKE ALL ON SCHEMA audit FROM %I', service);
    EXECUTE format('REVOKE ALL ON audit.entry FROM %I', service);
    EXECUTE format('GRANT USAGE ON SCHEMA audit TO %I', service);
    EXECUTE format('GRANT SELECT, INSERT ON audit.entry TO %I', service);
END
$$;

COMMIT;
