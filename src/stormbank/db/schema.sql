-- The books: accounts, movements of money between two of them, and the two entries of each movement. And what the bank
-- knows of its customers: passwords, phones, codes that were tried.

-- One row. `customers`: those of 1 to this number who are of the cell have an account here.
CREATE TABLE bank_schema (
    version   integer NOT NULL,
    cell      text    NOT NULL,
    cells     text[]  NOT NULL,
    customers bigint  NOT NULL
);

CREATE TABLE account (
    id      bigint PRIMARY KEY,
    kind    text   NOT NULL CHECK (kind IN ('customer', 'clearing', 'transit', 'expense')),
    opening bigint NOT NULL,
    balance bigint NOT NULL CHECK (kind <> 'customer' OR balance >= 0)
) WITH (fillfactor = 70);

CREATE TABLE customer (
    id            bigint PRIMARY KEY REFERENCES account,
    salt          text   NOT NULL,
    password_hash bytea  NOT NULL
);

-- The phones that a customer may log in from.
CREATE TABLE device (
    customer bigint      NOT NULL REFERENCES customer,
    device   text        NOT NULL,
    bound_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (customer, device)
);

-- One-time codes that somebody has tried, right or wrong, in the last day; the codes themselves are nowhere.
-- `used_by` is the attempt that a code was used up by.
CREATE TABLE code (
    key      uuid        PRIMARY KEY,
    customer bigint      NOT NULL,
    wrong    integer     NOT NULL DEFAULT 0,
    used_by  uuid,
    used_at  timestamptz,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX code_customer ON code (customer);

-- `dedupe` is what makes a retry harmless: the key itself, or a random value where the bank runs without it.
-- `promotion` and `version` are the epoch that it was booked under. `beyond` is the account that the money is meant for
-- when that is another cell's. `ordered` is false for what the bank books by itself to carry out an order: then `key` is
-- that order's, and an audit of orders leaves it out. `unscored`:
-- anti-fraud did not answer about it.
CREATE TABLE movement (
    id           bigserial   PRIMARY KEY,
    key          uuid        NOT NULL,
    dedupe       uuid        NOT NULL UNIQUE,
    operation    text        NOT NULL,
    from_account bigint      NOT NULL,
    to_account   bigint      NOT NULL CHECK (to_account <> from_account),
    amount       bigint      NOT NULL CHECK (amount > 0),
    payee        text,
    beyond       bigint,
    ordered      boolean     NOT NULL,
    unscored     boolean     NOT NULL,
    promotion    integer     NOT NULL,
    version      integer     NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX movement_key ON movement (key);

CREATE TABLE entry (
    id            bigserial PRIMARY KEY,
    movement      bigint    NOT NULL,
    account       bigint    NOT NULL,
    amount        bigint    NOT NULL,
    balance_after bigint    NOT NULL,
    UNIQUE (movement, account)
);
CREATE INDEX entry_account ON entry (account, id);

CREATE TABLE checkin (
    customer bigint      NOT NULL,
    place    text        NOT NULL,
    day      date        NOT NULL DEFAULT current_date,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (customer, place, day)
);

-- What is to be done elsewhere because of a movement, written in its transaction: `key` is the movement's `dedupe`.
-- Whoever does it takes the row until `next_at`, and it is done when it has an outcome. `under` is the promotion of the
-- other cell under which it was found done there.
CREATE TABLE outbox (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key        uuid        NOT NULL UNIQUE,
    kind       text        NOT NULL,
    content    jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts   integer     NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at    timestamptz,
    outcome    text,
    under      integer,
    CHECK ((done_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE done_at IS NULL;

-- What became of a movement: `booked` at once when nothing is to be done elsewhere.
CREATE FUNCTION bank_state(p_dedupe uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT coalesce(o.outcome, 'in_transit') FROM outbox o WHERE o.key = p_dedupe), 'booked')
$$;

-- One movement of money, whole or not at all, and with it what is to be done elsewhere, if `p_kind` names something.
-- Answers the movement of an earlier call with the same `dedupe`.
-- With `p_bar` nothing new is booked: it is refused unless it was booked before, or is being booked now, which the
-- insert waits for.
-- Errors: BK410 not the database's epoch, BK409 key used for something else, BK001 insufficient funds, BK002 unknown account,
-- BK003 and BK004 barred because anti-fraud refused it, and because it did not answer.
CREATE FUNCTION bank_move(
    p_promotion integer, p_version integer,
    p_key uuid, p_dedupe uuid, p_operation text, p_from bigint, p_to bigint, p_amount bigint, p_payee text,
    p_beyond bigint DEFAULT NULL, p_kind text DEFAULT NULL, p_content jsonb DEFAULT NULL, p_ordered boolean DEFAULT true,
    p_unscored boolean DEFAULT false, p_bar text DEFAULT NULL,
    OUT movement bigint, OUT repeated boolean, OUT balance bigint, OUT state text
) LANGUAGE plpgsql AS $$
DECLARE
    earlier movement%ROWTYPE;
    locked  integer;
    to_balance bigint;
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    repeated := false;
    INSERT INTO movement AS m
        (key, dedupe, operation, from_account, to_account, amount, payee, beyond, ordered, unscored, promotion, version)
        VALUES (p_key, p_dedupe, p_operation, p_from, p_to, p_amount, p_payee, p_beyond, p_ordered, p_unscored,
                p_promotion, p_version)
        ON CONFLICT (dedupe) DO NOTHING
        RETURNING m.id INTO movement;

    IF movement IS NULL THEN
        SELECT * INTO STRICT earlier FROM movement m WHERE m.dedupe = p_dedupe;
        IF (earlier.operation, earlier.from_account, earlier.to_account, earlier.amount, earlier.payee, earlier.beyond)
           IS DISTINCT FROM (p_operation, p_from, p_to, p_amount, p_payee, p_beyond) THEN
            RAISE EXCEPTION 'key used for another movement' USING ERRCODE = 'BK409';
        END IF;
        movement := earlier.id;
        repeated := true;
        state := bank_state(p_dedupe);
        SELECT e.balance_after INTO STRICT balance FROM entry e
            WHERE e.movement = earlier.id AND e.account = p_from;
        -- What is seen here may be on this server only (its own commit may have been cut off while it waited
        -- for the standby). Writing something makes this commit wait for everything before it.
        PERFORM pg_logical_emit_message(true, 'stormbank', 'repeated');
        RETURN;
    END IF;

    IF p_bar IS NOT NULL THEN
        RAISE EXCEPTION 'barred: %', p_bar USING ERRCODE = CASE p_bar WHEN 'refused' THEN 'BK003' ELSE 'BK004' END;
    END IF;
    -- In the order of their ids, so that two movements between the same accounts cannot deadlock.
    PERFORM FROM account a WHERE a.id IN (p_from, p_to) ORDER BY a.id FOR NO KEY UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked <> 2 THEN
        RAISE EXCEPTION 'unknown account' USING ERRCODE = 'BK002';
    END IF;
    UPDATE account a SET balance = a.balance - p_amount
        WHERE a.id = p_from AND (a.balance >= p_amount OR a.kind <> 'customer') RETURNING a.balance INTO balance;
    IF balance IS NULL THEN
        RAISE EXCEPTION 'insufficient funds' USING ERRCODE = 'BK001';
    END IF;
    UPDATE account a SET balance = a.balance + p_amount WHERE a.id = p_to RETURNING a.balance INTO to_balance;
    INSERT INTO entry (movement, account, amount, balance_after)
        VALUES (movement, p_from, -p_amount, balance), (movement, p_to, p_amount, to_balance);
    IF p_kind IS NOT NULL THEN
        INSERT INTO outbox (key, kind, content)
            VALUES (p_dedupe, p_kind, p_content || jsonb_build_object('day', bank_business_date()));
    END IF;
    state := bank_state(p_dedupe);
END $$;

-- Take rows that are due, for as long as the lease. The commit must be a full one: what is seen here may not have
-- reached the standby yet, and once it returns, everything that was seen has. Error: BK410.
CREATE FUNCTION bank_claim(p_promotion integer, p_version integer, p_kinds text[], p_rows integer, p_lease interval)
RETURNS SETOF outbox LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    RETURN QUERY
        WITH due AS MATERIALIZED (
            SELECT o.id FROM outbox o
            WHERE o.done_at IS NULL AND o.next_at <= clock_timestamp() AND o.kind = ANY (p_kinds)
            ORDER BY o.next_at LIMIT p_rows FOR UPDATE SKIP LOCKED
        )
        UPDATE outbox o SET attempts = o.attempts + 1, next_at = clock_timestamp() + p_lease
        FROM due WHERE o.id = due.id RETURNING o.*;
END $$;

-- Give a row back until later. Only who took it last may: `p_attempts` is the number of the try. Error: BK410.
CREATE FUNCTION bank_put_off(p_promotion integer, p_version integer, p_id bigint, p_attempts integer, p_after interval)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    -- Nothing is lost with it but a pause.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE outbox SET next_at = clock_timestamp() + p_after
        WHERE id = p_id AND attempts = p_attempts AND done_at IS NULL;
END $$;

-- Say what became of a row, and book with it what follows from that, if `p_operation` names something. The first
-- outcome stays; answers it. NULL and still open when it was heard under a promotion of the other cell (`p_under`) from
-- before the one since which that cell is looked after again: bank_recheck has been, and did not see this row.
-- The lock keeps one of the two waiting for the other, a commit that waits for its standby too. Errors as of bank_move.
CREATE FUNCTION bank_settle(
    p_promotion integer, p_version integer, p_id bigint, p_outcome text, p_under integer,
    p_key uuid, p_operation text, p_from bigint, p_to bigint, p_amount bigint, p_payee text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    held outbox%ROWTYPE;
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    PERFORM pg_advisory_xact_lock_shared(91625968981572);
    SELECT * INTO STRICT held FROM outbox o WHERE o.id = p_id FOR UPDATE;
    IF held.done_at IS NOT NULL THEN
        PERFORM pg_logical_emit_message(true, 'stormbank', 'repeated');  -- as in bank_move
        RETURN held.outcome;
    END IF;
    IF EXISTS (SELECT FROM peer p WHERE held.kind = 'transfer.' || p.cell AND p_under < p.checked) THEN
        UPDATE outbox SET next_at = clock_timestamp() WHERE id = p_id;
        RETURN NULL;
    END IF;
    IF p_operation IS NOT NULL THEN
        PERFORM bank_move(p_promotion, p_version, p_key, gen_random_uuid(), p_operation, p_from, p_to, p_amount,
                          p_payee, p_ordered => false);
    END IF;
    UPDATE outbox SET done_at = clock_timestamp(), outcome = p_outcome, under = p_under WHERE id = p_id;
    RETURN p_outcome;
END $$;

-- What became of the order of `p_from` under `p_key`; null when there is none. Its commit says that this is so on the
-- standby too, and that this is the primary still. Error: BK410.
CREATE FUNCTION bank_confirm(
    p_promotion integer, p_version integer, p_from bigint, p_key uuid,
    OUT movement bigint, OUT amount bigint, OUT state text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    SELECT m.id, m.amount, bank_state(m.dedupe) INTO movement, amount, state FROM movement m
        WHERE m.key = p_key AND m.from_account = p_from AND m.ordered ORDER BY m.id LIMIT 1;
    PERFORM pg_logical_emit_message(true, 'stormbank', 'confirmed');
END $$;

-- Presence at a place, once a day. Error: BK410 not the database's epoch.
CREATE FUNCTION bank_check_in(p_promotion integer, p_version integer, p_customer bigint, p_place text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    INSERT INTO checkin (customer, place) VALUES (p_customer, p_place) ON CONFLICT DO NOTHING;
END $$;

-- One try of a one-time code, of which the caller says whether it is right. Outcomes: right (used up by this attempt, now
-- or at an earlier call of it), used (by another attempt), wrong, exhausted (p_limit wrong tries at this code, or four
-- times as many within a day at all codes of the customer; p_limit NULL: no limit).
-- Error: BK410 not the database's epoch.
CREATE FUNCTION bank_try_code(
    p_promotion integer, p_version integer,
    p_customer bigint, p_key uuid, p_attempt uuid, p_right boolean, p_limit integer,
    OUT outcome text, OUT used_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    held  code%ROWTYPE;
    today bigint;
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    -- One try of a customer after the other: a thousand at once are counted like a thousand in turn.
    PERFORM FROM customer c WHERE c.id = p_customer FOR NO KEY UPDATE;
    DELETE FROM code c WHERE c.customer = p_customer AND c.at < clock_timestamp() - interval '1 day';
    INSERT INTO code (key, customer) VALUES (p_key, p_customer) ON CONFLICT (key) DO NOTHING;
    SELECT * INTO STRICT held FROM code c WHERE c.key = p_key;
    SELECT sum(c.wrong) INTO today FROM code c WHERE c.customer = p_customer;

    IF held.used_by = p_attempt AND p_right THEN
        outcome := 'right';
        used_at := held.used_at;
        -- As in bank_move: what is seen here may be on this server only.
        PERFORM pg_logical_emit_message(true, 'stormbank', 'repeated');
    ELSIF held.used_by IS NOT NULL THEN
        outcome := 'used';
    ELSIF held.wrong >= p_limit OR today >= 4 * p_limit THEN
        outcome := 'exhausted';
    ELSIF p_right THEN
        outcome := 'right';
        UPDATE code c SET used_by = p_attempt, used_at = clock_timestamp() WHERE c.key = p_key
            RETURNING c.used_at INTO used_at;
    ELSE
        outcome := 'wrong';
        UPDATE code c SET wrong = c.wrong + 1 WHERE c.key = p_key;
    END IF;
END $$;

-- A phone bound by a right code: both or neither. Outcomes and error as of bank_try_code.
CREATE FUNCTION bank_bind_device(
    p_promotion integer, p_version integer,
    p_customer bigint, p_key uuid, p_attempt uuid, p_limit integer, p_device text,
    OUT outcome text
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT t.outcome INTO outcome
        FROM bank_try_code(p_promotion, p_version, p_customer, p_key, p_attempt, true, p_limit) t;
    IF outcome = 'right' THEN
        INSERT INTO device (customer, device) VALUES (p_customer, p_device) ON CONFLICT DO NOTHING;
    END IF;
END $$;
