-- What stands in the LDAP directory: certificates of people and organisations, and of each authority its own certificate and
-- its lists. `version` is the list's number; 0 of a certificate.
CREATE TABLE pki_directory (
    kind TEXT NOT NULL, -- certificate authority crl delta
    ref BIGINT NOT NULL,
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (kind, ref)
);
