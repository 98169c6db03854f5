-- The cell's epoch, enforced where the writes are: each compares its own with this one row in its transaction.

CREATE TABLE cell_epoch (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    promotion  integer     NOT NULL,
    version    integer     NOT NULL,
    home       text        NOT NULL,
    timeline   integer     NOT NULL,  -- the one this row was last written on
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The timeline that is written now. Each promotion begins another one.
CREATE FUNCTION bank_timeline() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a standby writes no timeline' USING ERRCODE = 'read_only_sql_transaction';
    END IF;
    RETURN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
END $$;

-- Every write begins with this. Error: BK410, the epoch is older or newer than the database's, none was given, or
-- nobody has recorded the promotion that began the present timeline.
-- The lock is what makes a re-map a border: it waits for the writes in flight, and those after it see its row, because
-- in READ COMMITTED each statement of a function sees what was committed before that statement began.
CREATE FUNCTION bank_admit(p_promotion integer, p_version integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held cell_epoch%ROWTYPE;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(91625968981571);
    SELECT * INTO STRICT held FROM cell_epoch;
    IF (held.promotion, held.version, held.timeline)
       IS DISTINCT FROM (p_promotion, p_version, bank_timeline()) THEN
        RAISE EXCEPTION 'epoch %.% is not the database''s', p_promotion, p_version USING ERRCODE = 'BK410';
    END IF;
END $$;

-- Record that the database has been promoted, whoever comes first; later callers change nothing. Needs no lock: until
-- it is committed every write on the new timeline is refused. The number is at least the timeline's: a promotion that
-- was recorded and lost again, because the next primary had not heard of it, must not give its number to another.
CREATE FUNCTION bank_record_promotion() RETURNS void LANGUAGE sql AS $$
    UPDATE cell_epoch
    SET promotion = greatest(promotion + 1, bank_timeline()), timeline = bank_timeline(),
        changed_at = clock_timestamp()
    WHERE timeline <> bank_timeline()
$$;

-- Change the map: the cell is at home in zone `p_home` from here on, and writes of an earlier epoch end here.
CREATE FUNCTION bank_remap(p_home text, OUT promotion integer, OUT version integer) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(91625968981571);
    PERFORM bank_record_promotion();
    UPDATE cell_epoch e SET version = e.version + 1, home = p_home, changed_at = clock_timestamp()
        RETURNING e.promotion, e.version INTO promotion, version;
END $$;
