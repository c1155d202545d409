#include "pki/cmp-general.h"
#include "pki/wishes.h"
#include "x509/der-write.h"

#include <string.h>

enum { LISTS_MAX = 16, LISTS_OCTETS_MAX = 4 * 1024 * 1024 };

#define IT "1.3.6.1.5.5.7.4."

/* Each writes its answer's value; nothing written: the answer has none, which says that there is nothing. */
typedef void (*Answer)(const CmpGeneral *general, VigieBytes asked, GByteArray *out);

/* RFC 9483 4.3.1 */
static void put_authorities(const CmpGeneral *general, VigieBytes asked, GByteArray *out) {
    g_autoptr(GPtrArray) ders = enrol_chain(general->store, general->registrar, NULL, general->now);
    (void)asked;
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (guint i = 0; ders && i < ders->len; i++)
        der_put_whole(out, der_bytes(g_ptr_array_index(ders, i)));
    der_close(out, sequence);
}

static void put_tagged(GByteArray *out, uint8_t number, const GByteArray *certificate) {
    if (certificate)
        der_put(out, DER_CONTEXT_CONSTRUCTED(number), certificate->data, certificate->len);
}

/* RFC 9483 4.3.2: what follows the root that the client has. */
static void put_root(const CmpGeneral *general, VigieBytes asked, GByteArray *out) {
    g_auto(VigieRootUpdate) update = {0};
    if (!pki_root_update(general->store, general->registrar->authority, asked, general->now, &update, NULL) ||
        !update.new_with_new)
        return;
    size_t content = der_open(out, DER_SEQUENCE);
    der_put_whole(out, der_bytes(update.new_with_new));
    put_tagged(out, 0, update.new_with_old);
    put_tagged(out, 1, update.old_with_new);
    der_close(out, content);
}

/* RFC 9483 4.3.3: an empty template, for the profile says what a certificate says, and the keys that it takes. */
static void put_template(const CmpGeneral *general, VigieBytes asked, GByteArray *out) {
    const Profile *profile = general->profile ? profile_find(general->profiles, general->profile) : NULL;
    (void)asked;
    if (!profile)
        return;
    size_t content = der_open(out, DER_SEQUENCE), template = der_open(out, DER_SEQUENCE);
    der_close(out, template);
    wishes_put_keys(out, profile);
    der_close(out, content);
}

/* ---- Lists ---------------------------------------------------------------------------------------------------- */
/* GeneralNames or one of them: the first element with this tag. */
static VigieBytes first_name(VigieBytes names, uint8_t tag) {
    const char *clause = NULL;
    DerElement name;
    VigieReader in = vigie_reader(names);
    while (der_next(&in, &name, &clause))
        if (name.tag == tag)
            return name.value;
    return (VigieBytes){0};
}

/* CRLStatus: source [0] DistributionPointName, whose fullName is [0], or [1] GeneralNames; then thisUpdate. */
bool cmp_general_source(VigieBytes value, VigieBytes *ret_url, VigieBytes *ret_issuer, VigieTime *ret_since) {
    const char *clause = NULL;
    DerElement list, status, source, inner, since;
    VigieReader in = vigie_reader(value);
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause))
        return false;
    in = vigie_reader(list.value);
    if (!der_expect(&in, DER_SEQUENCE, &status, &clause))
        return false;
    in = vigie_reader(status.value);
    if (!der_next(&in, &source, &clause))
        return false;
    VigieReader names = vigie_reader(source.value);
    if (!der_next(&names, &inner, &clause))
        return false;
    bool point = source.tag == DER_CONTEXT_CONSTRUCTED(0);
    *ret_url = point ? first_name(inner.value, DER_CONTEXT(6)) : (VigieBytes){0};
    *ret_issuer = point ? (VigieBytes){0} : first_name(inner.value, DER_CONTEXT_CONSTRUCTED(4));
    *ret_since = 0;
    return in.rest.size == 0 || (der_next(&in, &since, &clause) && der_time(&since, ret_since, &clause));
}

static void put_published(const CmpGeneral *general, VigieBytes url, VigieTime since, GByteArray *out) {
    g_autofree char *text = g_strndup((const char *)url.data, url.size);
    const char *slash = strrchr(text, '/');
    VigieTime made = 0, until = 0;
    if (!g_str_has_suffix(text, ".crl") || !g_utf8_validate(text, -1, NULL))
        return;
    g_autoptr(GByteArray) list = pki_published(general->store, slash ? slash + 1 : text, &made, &until, NULL);
    if (list && made > since && list->len <= LISTS_OCTETS_MAX)
        der_put_whole(out, der_bytes(list));
}

static void put_lists_of(const CmpGeneral *general, VigieBytes issuer, VigieTime since, GByteArray *out) {
    int64_t authority = 0;
    if (!enrol_authority(general->store, issuer, &authority, NULL))
        return;
    g_autoptr(VigieRows) rows = store_query(
        general->store, NULL,
        "SELECT der FROM pki_crl WHERE authority = $1 AND delta = 0 AND this_update > $2 ORDER BY "
        "shard LIMIT $3",
        "iii", authority, since, (int64_t)LISTS_MAX);
    while (rows && rows_next(rows, NULL))
        if (out->len + rows_blob(rows, 0).size <= LISTS_OCTETS_MAX)
            der_put_whole(out, rows_blob(rows, 0));
}

/* RFC 9483 4.3.4: those that are newer than the client's. */
static void put_lists(const CmpGeneral *general, VigieBytes asked, GByteArray *out) {
    VigieBytes url, issuer;
    VigieTime since = 0;
    g_autoptr(GByteArray) lists = g_byte_array_new();
    if (!cmp_general_source(asked, &url, &issuer, &since))
        return;
    if (url.size > 0)
        put_published(general, url, since, lists);
    else if (issuer.size > 0)
        put_lists_of(general, issuer, since, lists);
    if (lists->len > 0)
        der_put(out, DER_SEQUENCE, lists->data, lists->len);
}

/* ---- Questions ------------------------------------------------------------------------------------------------ */
static const struct {
    const char *asked, *answered;
    Answer put;
} questions[] = {{IT "17", IT "17", put_authorities},
                 {IT "20", IT "18", put_root},
                 {IT "19", IT "19", put_template},
                 {IT "22", IT "23", put_lists}};

/* libcrypto before 3.2 has no types of its own for these, and takes any value; later it would take ours for another. */
static bool takes_any_value(void) {
    return OPENSSL_version_major() == 3 && OPENSSL_version_minor() < 2;
}

OSSL_CMP_ITAV *cmp_general_answer(const CmpGeneral *general, const OSSL_CMP_ITAV *question,
                                  VigieBytes value) {
    char oid[64] = "";
    size_t i = 0;
    OBJ_obj2txt(oid, sizeof oid, OSSL_CMP_ITAV_get0_type(question), 1);
    while (i < G_N_ELEMENTS(questions) && strcmp(questions[i].asked, oid) != 0)
        i++;
    if (i == G_N_ELEMENTS(questions) || !takes_any_value())
        return NULL;
    g_autoptr(GByteArray) out = g_byte_array_new();
    questions[i].put(general, value, out);
    const unsigned char *at = out->data;
    ASN1_TYPE *told = out->len > 0 ? d2i_ASN1_TYPE(NULL, &at, (long)out->len) : NULL;
    return OSSL_CMP_ITAV_create(OBJ_txt2obj(questions[i].answered, 1), told);
}

bool cmp_general_accepts(const OSSL_CMP_PKISI *status) {
    unsigned char *der = NULL;
    const char *clause = NULL;
    DerElement whole, number;
    int size = i2d_OSSL_CMP_PKISI(status, &der);
    VigieReader in = vigie_reader(vigie_bytes(der, size > 0 ? (size_t)size : 0));
    bool accepts = der_expect(&in, DER_SEQUENCE, &whole, &clause);
    in = vigie_reader(whole.value);
    accepts = accepts && der_expect(&in, DER_INTEGER, &number, &clause) &&
              der_bits(number.value) <= 1; /* accepted, grantedWithMods */
    OPENSSL_free(der);
    return accepts;
}
