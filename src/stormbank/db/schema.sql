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
    kind    text   NOT NULL CHECK (kind IN ('customer', 'clearing')),
    opening bigint NOT NULL,
    balance bigint NOT NULL CHECK (kind = 'clearing' OR balance >= 0)
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
-- `promotion` and `version` are the epoch that it was booked under. `unscored`: anti-fraud did not answer about it.
CREATE TABLE movement (
    id           bigserial   PRIMARY KEY,
    key          uuid        NOT NULL,
    dedupe       uuid        NOT NULL UNIQUE,
    operation    text        NOT NULL,
    from_account bigint      NOT NULL,
    to_account   bigint      NOT NULL CHECK (to_account <> from_account),
    amount       bigint      NOT NULL CHECK (amount > 0),
    payee        text,
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

-- One movement of money, whole or not at all. Answers the movement of an earlier call with the same `dedupe`.
-- With `p_bar` nothing new is booked: it is refused unless it was booked before, or is being booked now, which the
-- insert waits for.
-- Errors: BK410 not the database's epoch, BK409 key used for something else, BK001 insufficient funds, BK002 unknown account,
-- BK003 and BK004 barred because anti-fraud refused it, and because it did not answer.
CREATE FUNCTION bank_move(
    p_promotion integer, p_version integer,
    p_key uuid, p_dedupe uuid, p_operation text, p_from bigint, p_to bigint, p_amount bigint, p_payee text,
    p_unscored boolean DEFAULT false, p_bar text DEFAULT NULL,
    OUT movement bigint, OUT repeated boolean, OUT balance bigint
) LANGUAGE plpgsql AS $$
DECLARE
    earlier movement%ROWTYPE;
    locked  integer;
    to_balance bigint;
BEGIN
    PERFORM bank_admit(p_promotion, p_version);
    repeated := false;
    INSERT INTO movement AS m
        (key, dedupe, operation, from_account, to_account, amount, payee, unscored, promotion, version)
        VALUES (p_key, p_dedupe, p_operation, p_from, p_to, p_amount, p_payee, p_unscored, p_promotion, p_version)
        ON CONFLICT (dedupe) DO NOTHING
        RETURNING m.id INTO movement;

    IF movement IS NULL THEN
        SELECT * INTO STRICT earlier FROM movement m WHERE m.dedupe = p_dedupe;
        IF (earlier.operation, earlier.from_account, earlier.to_account, earlier.amount, earlier.payee)
           IS DISTINCT FROM (p_operation, p_from, p_to, p_amount, p_payee) THEN
            RAISE EXCEPTION 'key used for another movement' USING ERRCODE = 'BK409';
        END IF;
        movement := earlier.id;
        repeated := true;
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
        WHERE a.id = p_from AND a.balance >= p_amount RETURNING a.balance INTO balance;
    IF balance IS NULL THEN
        RAISE EXCEPTION 'insufficient funds' USING ERRCODE = 'BK001';
    END IF;
    UPDATE account a SET balance = a.balance + p_amount WHERE a.id = p_to RETURNING a.balance INTO to_balance;
    INSERT INTO entry (movement, account, amount, balance_after)
        VALUES (movement, p_from, -p_amount, balance), (movement, p_to, p_amount, to_balance);
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
