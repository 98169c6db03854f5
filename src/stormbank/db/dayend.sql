-- The cell's business day, the day-ends, and what is left over of each customer's interest.

CREATE TABLE business_day (
    one      boolean     PRIMARY KEY DEFAULT true CHECK (one),
    date     date        NOT NULL,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO business_day (date) VALUES (current_date);

-- One row for each day that ended. Entries up to `border` are of that day or earlier ones. Customers up to `position`
-- have had their interest, `accounts` of them, `interest` fen together. `worker` works on it until `lease_until`, and
-- longer if nobody else wants to.
CREATE TABLE day_end (
    date        date        PRIMARY KEY,
    rate_bp     integer     NOT NULL CHECK (rate_bp >= 0),
    border      bigint      NOT NULL,
    position    bigint      NOT NULL DEFAULT 0,
    accounts    bigint      NOT NULL DEFAULT 0,
    interest    bigint      NOT NULL DEFAULT 0,
    worker      text        NOT NULL DEFAULT '',
    lease_until timestamptz NOT NULL DEFAULT clock_timestamp(),
    began_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at     timestamptz
);

CREATE TABLE interest (
    account   bigint PRIMARY KEY REFERENCES account,
    remainder bigint NOT NULL
);

-- What the bank pays interest from; what it owes for it shows as a negative balance.
INSERT INTO account (id, kind, opening, balance) VALUES (-1000, 'expense', 0, 0);

CREATE FUNCTION bank_business_date() RETURNS date LANGUAGE sql STABLE AS $$ SELECT date FROM business_day $$;

-- End the business day `p_date`; a day that has ended stays as it ended. Errors: BK410, BK420 it is not the business
-- date, BK421 the day before has not had its interest.
-- The lock is the one of a re-map, and makes the cut a border for the same reason: writes in flight are waited for and
-- are of the old day, those after it see the new date, and entries are numbered in between.
CREATE FUNCTION bank_day_cut(p_promotion integer, p_version integer, p_date date, p_rate_bp integer)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(91625968981571);
    PERFORM bank_admit(p_promotion, p_version);
    IF EXISTS (SELECT FROM day_end WHERE date = p_date) THEN
        PERFORM pg_logical_emit_message(true, 'stormbank', 'repeated');  -- as in bank_move
        RETURN;
    END IF;
    IF p_date <> bank_business_date() THEN
        RAISE EXCEPTION 'the business date is %', bank_business_date() USING ERRCODE = 'BK420';
    END IF;
    IF EXISTS (SELECT FROM day_end WHERE done_at IS NULL) THEN
        RAISE EXCEPTION 'the day before has not had its interest' USING ERRCODE = 'BK421';
    END IF;
    INSERT INTO day_end (date, rate_bp, border)
        VALUES (p_date, p_rate_bp, (SELECT coalesce(max(id), 0) FROM entry));
    UPDATE business_day SET date = p_date + 1, began_at = clock_timestamp();
END $$;

-- Take the day-end of `p_date` for `p_lease`, or keep it: false while another works on it, or when it is done.
-- Error: BK410.
CREATE FUNCTION bank_take_day_end(p_promotion integer, p_version integer, p_date date, p_worker text, p_lease interval)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    UPDATE day_end SET worker = p_worker, lease_until = clock_timestamp() + p_lease
        WHERE date = p_date AND done_at IS NULL AND (worker IN ('', p_worker) OR lease_until < clock_timestamp());
    RETURN FOUND;
END $$;
