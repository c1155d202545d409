-- The certificate that an order replaces, as the client names it (RFC 9773 4.1).
ALTER TABLE acme_order ADD COLUMN replaces TEXT;
CREATE INDEX acme_order_replaces ON acme_order (replaces) WHERE replaces IS NOT NULL;
