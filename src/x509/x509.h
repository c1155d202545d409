/* x509: certificates as seen on the wire. A DER walk that allocates nothing and trusts nothing, a certificate
 * decoded once and shared, a chain as served, and its verdict against roots. */
#pragma once

#include "base/base.h"

/* ---- One certificate --------------------------------------------------------------------------------- */
typedef enum {
    VIGIE_KEY_UNKNOWN,
    VIGIE_KEY_RSA,
    VIGIE_KEY_EC,
    VIGIE_KEY_ED25519,
    VIGIE_KEY_ED448,
    VIGIE_KEY_DSA,
    VIGIE_KEY_RSA_PSS
} VigieKeyType;

typedef enum {
    VIGIE_NAME_DNS,
    VIGIE_NAME_IP,
    VIGIE_NAME_EMAIL,
    VIGIE_NAME_URI,
    VIGIE_NAME_OTHER
} VigieNameType;

typedef struct {
    VigieNameType type;
    char *text; /* A-labels as served; an IP in text form; what is not printable is escaped as \xHH */
} VigieAlternativeName;

/* Immutable and counted; text fields are valid UTF-8 and printable, whatever the certificate held. */
typedef struct {
    VigieBytes der;
    uint8_t sha256[32];
    char *subject; /* RFC 4514, most specific first; "" where empty */
    char *issuer;
    char *common_name; /* last CN of the subject, or NULL */
    char *serial;      /* lower-case hexadecimal without separators */
    VigieTime not_before, not_after;
    VigieAlternativeName *names; /* subjectAltName; 4,096 at most are kept, `names_cut` tells of more */
    size_t name_count;
    bool names_cut;
    VigieKeyType key;
    unsigned key_bits;
    const char *curve;               /* "secp256r1" …, or NULL; static */
    const char *signature_algorithm; /* "sha256WithRSAEncryption" …, or a dotted OID; static, or the
                                        certificate's own */
    bool signature_weak;             /* MD2, MD4, MD5, SHA-1 */
    bool self_issued;                /* subject equals issuer */
    bool is_ca;
    bool for_servers; /* no extendedKeyUsage, or one with serverAuth or any */
    uint8_t spki_sha256[32];
    const char *malformed; /* the first clause it breaks ("RFC 5280 4.1.2.2: serial number longer than 20
                              octets"), or NULL; what could be read was read all the same; static */
} VigieCertificate;

/* Decodes; NULL with INVALID only where it is not a certificate at all. 1 MiB at most. */
VigieCertificate *x509_certificate_new(VigieBytes der, GError **error);
VigieCertificate *x509_certificate_ref(VigieCertificate *certificate);
void x509_certificate_unref(VigieCertificate *certificate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieCertificate, x509_certificate_unref)
const char *x509_key_name(VigieKeyType type); /* "RSA", "EC" … */

/* The first certificate of each PEM block, or the one DER, in a file's bytes. */
GPtrArray *x509_certificates_read(VigieBytes file, GError **error);

/* Does the certificate name this host (RFC 9525, RFC 6125 6.4.4 where there is no subjectAltName at all)?
 * `name` is a DNS name in UTF-8 or A-labels, or an IP address. `ret_by_common_name`, may be NULL: only the CN
 * matched. */
bool x509_certificate_names(const VigieCertificate *certificate, const char *name, bool *ret_by_common_name);

/* ---- A chain as served ------------------------------------------------------------------------------- */
/* Immutable and counted: endpoints that serve the same bytes share one. */
typedef struct {
    VigieCertificate **certificates; /* as served, leaf first */
    size_t count;
    char *json; /* the record's "chain" array, rendered once */
} VigieChain;

VigieChain *x509_chain_ref(VigieChain *chain);
void x509_chain_unref(VigieChain *chain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieChain, x509_chain_unref)

/* Chains by the bytes of the certificate list, each decoded once. Bounded: the oldest not in use leave. */
typedef struct VigieChainCache VigieChainCache;
VigieChainCache *x509_chain_cache_new(size_t capacity);
void x509_chain_cache_free(VigieChainCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieChainCache, x509_chain_cache_free)
/* `der[0..count)` are the certificates in the order served. A new reference, or NULL with the clause. */
VigieChain *x509_chain_cache_get(VigieChainCache *cache, const VigieBytes *der, size_t count, GError **error);

/* ---- Trust ------------------------------------------------------------------------------------------- */
typedef struct VigieRoots VigieRoots;

/* Roots from the system (/etc/ssl/certs) and, by name, from the hospital's own files. */
VigieRoots *x509_roots_new(void);
void x509_roots_free(VigieRoots *roots);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieRoots, x509_roots_free)
bool x509_roots_add_system(VigieRoots *roots, GError **error);
/* PEM or DER; `label` names them in verdicts ("AC Équipements CHU"). ret_count may be NULL. */
bool x509_roots_add_file(VigieRoots *roots, const char *path, const char *label, size_t *ret_count,
                         GError **error);

typedef enum {
    VIGIE_TRUST_UNJUDGED, /* no chain, or no roots given */
    VIGIE_TRUST_TRUSTED,
    VIGIE_TRUST_EXPIRED, /* a certificate of the path, see `at` */
    VIGIE_TRUST_NOT_YET_VALID,
    VIGIE_TRUST_SELF_SIGNED,       /* the leaf signs itself and no root knows it */
    VIGIE_TRUST_UNKNOWN_AUTHORITY, /* the path ends at a root that is not known */
    VIGIE_TRUST_INCOMPLETE,        /* an intermediate is missing; `detail` names it */
    VIGIE_TRUST_BAD_SIGNATURE,
    VIGIE_TRUST_WEAK,       /* refused for its key or digest */
    VIGIE_TRUST_CONSTRAINT, /* CA flag, path length, key usage, name constraints: `detail` cites */
} VigieTrustVerdict;

typedef struct {
    VigieTrustVerdict verdict;
    size_t at;          /* index in the chain of the certificate concerned */
    bool order_wrong;   /* the chain holds what is needed, not in order (RFC 8446 4.4.2) */
    bool superfluous;   /* it holds what is not needed besides */
    const char *anchor; /* label or subject of the root reached; interned; NULL where none */
    const char *detail; /* one sentence; interned; NULL where there is none */
} VigieTrust;

const char *x509_trust_name(VigieTrustVerdict verdict); /* "trusted", "unknown-authority" … */

/* Judges a chain at `now` as a TLS client would, names aside. Verdicts are cached in `roots` by chain until
 * the first date of it that changes them. One thread at a time. */
VigieTrust x509_chain_judge(const VigieRoots *roots, const VigieChain *chain, VigieTime now);

/* ---- Files ----------------------------------------------------------------------------------------------
 * What a file is, by its content, whatever its name says:
 *     { "private_key": "none" "unknown" "possible" "encrypted" "clear": the worst of what is in it. "none" is said of
 *           what was read to its end, and in which no trace of a key was found (traces.c),
 *       "objects": [ { "kind", "encoding": pem der base64 raw pkcs12 pkcs7 jks embedded, "label": the PEM label, "line", and
 *                      by kind the facts of it: subject, issuer, dates, names, key, role, format, protection …,
 *                      "private": for what is or may hold a private key,
 *                      "private_key_index": of a certificate, the object that is its key, or null } ],
 *       "chain": { "count", "ordered": bool, "missing": [ issuers not in the file ] } or null,
 *       "damage": [ "utf-16" "byte-order-mark" "crlf" "pem-cut" "base64-broken" "boundaries-missing" ],
 *       "cut": more than 4,096 objects, the rest not looked at }
 * Kinds: certificate certificate-request crl private-key public-key pkcs12 pkcs7 openssh-private-key
 * openssh-public-key ssh-private-key putty-private-key windows-private-key openpgp jks jceks bks dh-parameters ec-parameters zip gzip 7z
 * pdf html text key-trace empty unreadable unknown. `password`, may be NULL, opens what is sealed; a PKCS#12 that the
 * empty password opens is in clear. Never NULL; no secret is in the answer. */
enum { X509_FILE_MAX = 16 * 1024 * 1024 };
json_t *x509_identify(VigieBytes file, const char *password);

/* The certificates, requests, CRLs and private keys of a file, in their order, whatever their encoding; sealed ones
 * where the password opens them. Each wiped when the array is freed. */
typedef struct {
    const char *kind; /* as above; static */
    uint8_t *der;     /* a key's in clear */
    size_t size;
} VigieFileObject;
GPtrArray *x509_file_objects(VigieBytes file, const char *password);

typedef enum {
    X509_TO_PEM,        /* certificates (leaf first), requests and CRLs; with the key: the key before them */
    X509_TO_DER,        /* the one certificate, request or CRL */
    X509_TO_PKCS7,      /* certificates and CRLs, DER (.p7b) */
    X509_TO_PKCS12,     /* AES-256-CBC, PBKDF2 and SHA-256 */
    X509_TO_PKCS12_OLD, /* triple DES and SHA-1, which devices of before 2015 want */
    X509_TO_KEY,        /* the key alone, PKCS#8 PEM; sealed with AES-256-CBC where there is a password */
    X509_TO_KEY_DER,    /* the key alone, PKCS#8 DER, in clear */
    X509_TO_KEY_TRADITIONAL, /* the key alone, PKCS#1 or SEC 1 PEM, in clear */
    X509_FILE_FORMATS
} VigieFileFormat;
const char *x509_format_name(VigieFileFormat format); /* "pem" "der" "pkcs7" "pkcs12" "pkcs12-old" "key" … */
/* Its name, or an extension that means it: "p12" "pfx" "p7b". */
bool x509_format_parse(const char *name, VigieFileFormat *ret_format);

/* A file of these objects (VigieFileObject, from one file or several; the same one twice is written once).
 * `private_key`: a key may be in it; without it none ever is, and a format that is a key alone is DENIED. The key
 * must be of the leaf. `password` seals PKCS#12 (required with a key) and PEM keys. INVALID says what is missing.
 * Wipe what is returned with OPENSSL_cleanse. Free with g_free. */
uint8_t *x509_file_write(const GPtrArray *objects, VigieFileFormat format, bool private_key,
                         const char *password, size_t *ret_size, GError **error);

/* ---- Lint -----------------------------------------------------------------------------------------------
 * A certificate against the rules it should keep: RFC 5280 and its companions, and the CA/B Forum's basic
 * rules for servers. An array, empty where all is well, of
 *     { "id": "rfc5280.san-dns", "severity": "error" | "warning", "clause": "RFC 5280 4.2.1.6", "detail": text or "" }
 * `waived`, may be NULL: ids that are passed over, NULL-terminated. The signature is not looked at: what is to be
 * signed can be examined. What an id means is the word "lint.ID". INVALID where it is no certificate. */
json_t *x509_lint(VigieBytes certificate, const char *const *waived, GError **error);
/* The same of a revocation list: RFC 5280 5, and what the CA/B Forum asks of lists. It is walked where it stands: what is
 * allocated is nothing, or 24 octets an entry where serial numbers do not rise. LIMIT, INVALID where it is no list. */
enum { X509_LIST_MAX = 128 * 1024 * 1024 };
json_t *x509_lint_list(VigieBytes list, const char *const *waived, GError **error);
/* The first list of a file that is too large for x509_file_objects: DER, where it begins as such, or PEM. A view into the
 * file, or into *ret_decoded, which is the caller's. */
bool x509_list_find(VigieBytes file, GByteArray **ret_decoded, VigieBytes *ret_list);
/* Is there such a check? */
bool x509_lint_known(const char *id);

/* A CRLReason (RFC 5280 5.3.1) by its name, "keyCompromise" …, static; NULL: there is none of this number. */
enum { X509_REASONS_MAX = 11 }; /* numbers are below */
const char *x509_reason_name(int64_t reason);

/* ---- Keys that we make ----------------------------------------------------------------------------------
 * and how each signs: ECDSA with the digest of its strength, RSA with SHA-256 and PKCS #1 v1.5. */
typedef enum {
    X509_KEY_P256,
    X509_KEY_P384,
    X509_KEY_RSA_2048,
    X509_KEY_RSA_3072,
    X509_KEY_RSA_4096,
    X509_NEW_KEYS
} VigieNewKey;
typedef struct {
    const char *name, *option; /* "P-256" and "p256", "RSA-2048" and "rsa2048" */
    const char *family;        /* "EC" "RSA" */
    const char *curve;         /* "P-256" …, or NULL */
    int bits;
    VigieBytes algorithm; /* AlgorithmIdentifier of its signatures, DER, static */
    unsigned char *(*digest)(const unsigned char *data, size_t size, unsigned char *out);
    size_t digest_size; /* 64 at most */
} VigieKeyKind;
const VigieKeyKind *x509_key_kind(VigieNewKey key);
const VigieKeyKind *x509_key_kind_of(const char *family, int bits); /* NULL: none that we make */
bool x509_new_key_parse(const char *option, VigieNewKey *ret_key);
/* Why the private half of a key (SubjectPublicKeyInfo, DER) can be found by others, or its signatures forged (CA/B BR 6.1.1.3
 * and 6.1.6): "exponent" "modulus" (a small factor) "ROCA" "close primes". NULL: nothing known, or no RSA key. */
const char *x509_key_weakness(VigieBytes spki);
/* What keys have in common whose private halves follow from each other: the SHA-256 of the modulus (RSA, whatever the exponent), of
 * x (EC, either y), of the key's bits otherwise. */
void x509_key_secret(VigieBytes spki, uint8_t ret_sha256[32]);

/* ---- Requests -------------------------------------------------------------------------------------------
 * A certificate request (PKCS#10, RFC 2986) and its key, made where the key stays. */
typedef struct {
    VigieNewKey key;
    const char *common_name;                   /* NULL: the first of `names` */
    const char *organisation, *unit, *country; /* or NULL */
    const char *const *names; /* DNS names (UTF-8 or A-labels) and IP addresses, NULL-terminated */
} VigieRequest;

/* Makes both; INVALID names the name that cannot be in a certificate. An array as x509_file_objects gives it, the
 * key and the request, for x509_file_write. `existing`, may be NULL: the private key (DER) to use instead of a new
 * one. */
GPtrArray *x509_request_new(const VigieRequest *request, const VigieFileObject *existing, GError **error);

/* A key that signs elsewhere: in a token. */
typedef struct {
    VigieBytes spki;      /* SubjectPublicKeyInfo, DER */
    VigieBytes algorithm; /* of its signatures, DER */
    /* Appends the signature of `octets` as it goes into the BIT STRING. */
    bool (*sign)(void *key, VigieBytes octets, GByteArray *out, GError **error);
    void *key;
} VigieForeignKey;
/* The same with such a key: the request alone is in the array. */
GPtrArray *x509_request_for(const VigieRequest *request, const VigieForeignKey *key, GError **error);

/* What a request asks for, and what is wrong with it:
 *     { "subject", "names": [ "DNS:…", "IP:…" ], "key": { "type", "bits", "curve" }, "signature_algorithm",
 *       "problems": [ { "id", "evidence": { … } } ] }
 * Problems: not-signed-by-its-key weak-key weak-signature no-names common-name-not-in-names bad-name
 * challenge-password. INVALID where it is no request. */
json_t *x509_request_check(VigieBytes der, GError **error);

/* ---- Verification of files ------------------------------------------------------------------------------
 * A certificate held against roots the way a relying party would at a moment, for a name and a purpose (RFC
 * 5280 6), with every refusal, not the first alone. Of several paths the first that is accepted counts, the
 * shortest first; of none that is, the one that least speaks against. */

/* Who asks the network: this room does not. `url` is asked, with a POST of an OCSP request where `post` is not empty; what
 * is answered are GBytes: one of a web server that answers with 200, of an entry of a directory each value. In at most
 * `timeout_ms` and `size_max` octets together; UNAVAILABLE, LIMIT, DENIED. The address is a certificate's, so a stranger's.
 * Each is asked once, 32 in all, in `total_ms` together. */
typedef struct {
    bool (*fetch)(void *data, const char *url, VigieBytes post, long timeout_ms, size_t size_max,
                  GPtrArray **ret_values, GError **error);
    void *data;
    long timeout_ms, total_ms;
} VigieFetcher;

typedef struct {
    const VigieRoots *roots;
    /* VigieFileObject: the certificate (leaf found as x509_file_write does), those between, CRLs full and delta */
    const GPtrArray *objects;
    const GPtrArray *ocsp; /* GBytes: responses, DER (RFC 6960); NULL: none */
    const char *purpose;   /* "server" "client" "mail-signature" "mail-encryption" "any" */
    const char *name;      /* host name, IP address or mail address; NULL: not checked */
    VigieTime at;
    const char *const *policies; /* OIDs, one of which is to be valid; NULL: any (RFC 5280 6.1.1 c) */
    bool explicit_policy, inhibit_any_policy, inhibit_policy_mapping; /* 6.1.1 e to g */
    const VigieFetcher
        *online;    /* fetches issuers, lists and responses that certificates name; NULL: nothing */
    bool soft_fail; /* what could not be learned of revocation is a remark, not a refusal */
} VigieVerification;

/* { "verdict": "valid" "refused", "at", "purpose", "name",
 *   "path": [ { "subject", "sha256", "not_after", "revocation": null where it was not asked, or
 *               { "status": "good" "revoked" "unknown" "unreachable", "by": "crl" "ocsp" null, "source": address
 *                 or null, "reason": of the revocation or null, "clause": why it is not good, or null } } ] leaf first,
 *   "refusals": [ { "depth": 0 the leaf, "subject", "clause" } ], "remarks": the same, of what does not refuse,
 *   "revocation": { "by": "crl" "ocsp" null, "status": of the whole path, as above, or null },
 *   "paths": how many were tried, "cut": true where a bound kept others from being tried,
 *   "fetches": [ { "url", "kind": "issuer" "ocsp" "crl" "delta", "for": subject, "outcome": "fetched" "failed",
 *                  "detail": why it failed, or null } ] }
 * Revocation is asked of every certificate but the root where there are lists or the network, of the leaf alone where
 * there are but responses. Nothing is "good" that was not shown to be. INVALID where there is no certificate, or the
 * purpose or a policy is not known. */
json_t *x509_verify(const VigieVerification *verification, GError **error);
