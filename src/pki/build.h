/* build: certificates written (RFC 5280 4), and the extensions they share with CRLs. */
#pragma once

#include "pki/signer.h"

enum { SERIAL_OCTETS = 16, SERIAL_TIME_OCTETS = 5 };

typedef struct {
    const uint8_t *serial;      /* SERIAL_OCTETS */
    VigieBytes issuer, subject; /* Names, DER */
    VigieBytes spki;
    VigieTime not_before, not_after;
    const GByteArray *extensions; /* one after the other, DER */
} CertificateParts;

/* Positive: 0x40 and `now` in 34 bits, then 88 bits of chance (CA/B BR 7.1 wants 64, RFC 5280 4.1.2.2 at most 20 octets). */
bool build_serial(uint8_t ret_serial[SERIAL_OCTETS], VigieTime now, GError **error);
/* Appends TBSCertificate. */
void build_tbs(GByteArray *out, const CertificateParts *parts, VigieBytes algorithm);
/* Appends SEQUENCE { tbs, algorithm, signature }: a certificate, a CRL or a BasicOCSPResponse. */
void build_signed(GByteArray *out, VigieBytes tbs, VigieBytes algorithm, VigieBytes signature);
/* Reads back what is to be signed and lints it; DENIED with the first rule that it breaks. */
bool build_check(VigieBytes tbs, VigieBytes algorithm, const char *const *waived, const char *what,
                 GError **error);
/* The same of a revocation list, with any signature; 0.3 s for a million entries. */
bool build_check_list(VigieBytes der, const char *what, GError **error);
/* Signs and appends. */
bool build_sign(GByteArray *out, VigieBytes tbs, Signer *signer, GError **error);

/* ---- Extensions; `critical` where RFC 5280 leaves the choice ---- */
/* An extension whose value is already DER. */
void extension_put(GByteArray *out, const char *oid, bool critical, VigieBytes value);
/* path_length < 0: none. */
void extension_put_basic_constraints(GByteArray *out, bool authority, int path_length);
/* Bit 0 of KeyUsage is 0x8000. */
void extension_put_key_usage(GByteArray *out, uint16_t bits);
void extension_put_purposes(GByteArray *out, const char *const *oids);
void extension_put_subject_key(GByteArray *out, VigieBytes id);
void extension_put_authority_key(GByteArray *out, const uint8_t id[20]);
void extension_put_policies(GByteArray *out, const char *const *oids);
/* "OURS:THEIRS", OIDs; NULL-terminated, may be NULL. Critical, as RFC 5280 4.2.1.5 wants it. */
void extension_put_mappings(GByteArray *out, const char *const *mappings);
/* cRLDistributionPoints or freshestCRL: one point with all the addresses. Nothing where there are none. */
void extension_put_points(GByteArray *out, const char *oid, const char *const *urls);
void extension_put_access(GByteArray *out, const char *const *ocsp, const char *const *issuers);
/* subjectAltName of "dns:", "ip:", "email:" and "uri:" texts, checked before by general_name_fault. */
void extension_put_names(GByteArray *out, const char *const *names, bool critical);
/* Name constraints: "dns:chu.example", "email:chu.example", "ip:10.0.0.0/8". Nothing where both are empty or NULL. */
void extension_put_constraints(GByteArray *out, const char *const *permitted, const char *const *excluded);

/* What is wrong with such a text, or NULL. `range`: an IP with its prefix, and names that stand for what is below. */
const char *general_name_fault(const char *text, bool range);
/* [0]… GeneralNames of URIs under `tag`, as a distributionPoint's fullName. */
void build_put_full_name(GByteArray *out, const char *const *urls);
/* Is the address in the range "10.0.0.0/8"? */
bool build_ip_below(const char *address, const char *range);
