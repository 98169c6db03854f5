-- Money between cells: what comes from other cells is decided here, and what went to them is looked after.

-- What ledgers of other cells asked this one to book: decided once, whatever is asked again later. `key` is that of the
-- row in the other's outbox.
CREATE TABLE received (
    key          uuid        PRIMARY KEY,
    cell         text        NOT NULL,
    from_account bigint      NOT NULL,
    to_account   bigint      NOT NULL,
    amount       bigint      NOT NULL,
    outcome      text        NOT NULL CHECK (outcome IN ('booked', 'refused')),
    reason       text,
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The newest epoch of each other cell that one of its ledgers came with, and the promotion of it since which what was
-- settled with that cell has been looked after again.
CREATE TABLE peer (
    cell      text    PRIMARY KEY,
    promotion integer NOT NULL DEFAULT 0,
    version   integer NOT NULL DEFAULT 0,
    checked   integer NOT NULL DEFAULT 0
);

-- Book what another cell's customer sends to one of this cell, or find out that it cannot be: decided once for each
-- `p_dedupe`, which is the sender's. Refusals are answers, not errors: they are as lasting as what is booked.
-- Errors: BK410 not the database's epoch, BK411 the sender's epoch is older than one it came with before: its database
-- fell behind, and what it sends may not be in its cell's books.
CREATE FUNCTION bank_receive(
    p_promotion integer, p_version integer, p_cell text, p_their_promotion integer, p_their_version integer,
    p_key uuid, p_dedupe uuid, p_from bigint, p_to bigint, p_amount bigint, p_transit bigint,
    OUT outcome text, OUT reason text, OUT repeated boolean
) LANGUAGE plpgsql AS $$
DECLARE
    known   peer%ROWTYPE;
    earlier received%ROWTYPE;
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    SELECT * INTO known FROM peer p WHERE p.cell = p_cell;
    IF (known.promotion, known.version) > (p_their_promotion, p_their_version) THEN
        RAISE EXCEPTION 'epoch %.% of % is behind', p_their_promotion, p_their_version, p_cell USING ERRCODE = 'BK411';
    ELSIF known.cell IS NULL OR (known.promotion, known.version) < (p_their_promotion, p_their_version) THEN
        INSERT INTO peer AS p (cell, promotion, version) VALUES (p_cell, p_their_promotion, p_their_version)
            ON CONFLICT (cell) DO UPDATE SET promotion = excluded.promotion, version = excluded.version
            WHERE (p.promotion, p.version) < (excluded.promotion, excluded.version);
    END IF;

    outcome := 'booked';
    IF NOT EXISTS (SELECT FROM account a WHERE a.id = p_to AND a.kind = 'customer') THEN
        outcome := 'refused';
        reason := 'unknown_account';
    END IF;
    INSERT INTO received AS r (key, cell, from_account, to_account, amount, outcome, reason)
        VALUES (p_dedupe, p_cell, p_from, p_to, p_amount, bank_receive.outcome, bank_receive.reason)
        ON CONFLICT (key) DO NOTHING;
    repeated := NOT FOUND;
    IF repeated THEN
        SELECT * INTO STRICT earlier FROM received r WHERE r.key = p_dedupe;
        outcome := earlier.outcome;
        reason := earlier.reason;
        IF (earlier.cell, earlier.from_account, earlier.to_account, earlier.amount)
           IS DISTINCT FROM (p_cell, p_from, p_to, p_amount) THEN
            outcome := 'refused';
            reason := 'key_reused';
        END IF;
        PERFORM pg_logical_emit_message(true, 'stormbank', 'repeated');  -- as in bank_move
    ELSIF outcome = 'booked' THEN
        PERFORM bank_move(p_promotion, p_version, p_key, gen_random_uuid(), 'credit', p_transit, p_to, p_amount, NULL,
                          p_ordered => false);
    END IF;
END $$;

-- After a promotion of another cell: what was settled with it last under an earlier one is asked for again, for that
-- database may have lost it. Once for each promotion. `p_window` counts back from the last that was settled before it.
-- Error: BK410.
CREATE FUNCTION bank_recheck(
    p_promotion integer, p_version integer, p_cell text, p_kind text, p_theirs integer, p_window interval
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    opened bigint;
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    PERFORM pg_advisory_xact_lock(91625968981572);  -- as in bank_settle
    INSERT INTO peer AS p (cell, checked) VALUES (p_cell, p_theirs)
        ON CONFLICT (cell) DO UPDATE SET checked = excluded.checked WHERE p.checked < excluded.checked;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    UPDATE outbox o SET done_at = NULL, outcome = NULL, next_at = clock_timestamp()
        WHERE o.kind = p_kind AND o.outcome = 'booked' AND o.under < p_theirs
          AND o.done_at > (SELECT max(l.done_at) - p_window FROM outbox l
                           WHERE l.kind = p_kind AND l.outcome = 'booked' AND l.under < p_theirs);
    GET DIAGNOSTICS opened = ROW_COUNT;
    RETURN opened;
END $$;
