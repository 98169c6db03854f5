-- Payments of a business day, for whoever compares them with the clearing party's books.
CREATE INDEX outbox_payments ON outbox ((content ->> 'day'), id) WHERE kind = 'clearing';
