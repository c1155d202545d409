/* share.c: Shamir's scheme over GF(2^8), which libgfshare has, and codes that people can copy and check. */
#include "pki/share.h"
#include "pki/row.h"

#include <libgfshare.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

/* One octet of threshold and number, the division, the share, the checksum: 25 octets, 40 letters. */
enum {
    SET = 4,
    CHECK = 4,
    BODY = 1 + SET + PKI_SHARE_SECRET,
    WHOLE = BODY + CHECK,
    LETTERS = WHOLE * 8 / 5,
    GROUP = 4
};

/* Without l, o, 0 and 1, which people mistake for each other. */
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";

/* libgfshare also overwrites its memory with this before it frees it. */
static void fill(unsigned char *octets, unsigned int size) {
    if (RAND_bytes(octets, (int)size) != 1)
        g_error("the system gives no random numbers");
}

static bool refuse(GError **error, VigieErrorCode code, const char *authority, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "share of %s: %s", authority, why);
    return false;
}

/* ---- Codes -------------------------------------------------------------------------------------------------- */
static void put_check(const char *authority, uint8_t octets[WHOLE]) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    g_autoptr(GByteArray) all = g_byte_array_sized_new(128);
    g_byte_array_append(all, (const uint8_t *)authority, (guint)strlen(authority) + 1);
    g_byte_array_append(all, octets, BODY);
    SHA256(all->data, all->len, digest);
    memcpy(octets + BODY, digest, CHECK);
    explicit_bzero(all->data, all->len);
}

/* "7kq3 m2dd …" */
static char *code_of(const uint8_t octets[WHOLE]) {
    char *text = g_malloc0(LETTERS + LETTERS / GROUP + 1), *at = text;
    for (int i = 0; i < LETTERS; i++) {
        int value = 0;
        for (int bit = 5 * i; bit < 5 * i + 5; bit++)
            value = value << 1 | (octets[bit / 8] >> (7 - bit % 8) & 1);
        if (i > 0 && i % GROUP == 0)
            *at++ = ' ';
        *at++ = alphabet[value];
    }
    return text;
}

/* Spaces and hyphens anywhere, capitals or not. */
static bool octets_of(const char *text, uint8_t octets[WHOLE]) {
    int letters = 0;
    memset(octets, 0, WHOLE);
    for (; *text; text++) {
        char letter = g_ascii_tolower(*text);
        const char *found = strchr(alphabet, letter);
        if (letter == ' ' || letter == '-')
            continue;
        if (!found || letters == LETTERS)
            return false;
        for (int i = 0; i < 5; i++)
            if ((found - alphabet) >> (4 - i) & 1)
                octets[(5 * letters + i) / 8] |= (uint8_t)(0x80 >> (5 * letters + i) % 8);
        letters++;
    }
    return letters == LETTERS;
}

bool pki_share_read(const char *authority, const char *code, VigieShare *ret_share, GError **error) {
    uint8_t octets[WHOLE], given[CHECK];
    bool well = octets_of(code, octets);
    if (!well) {
        refuse(error, VIGIE_ERROR_INVALID, authority,
               "40 letters and digits are wanted, as on the sheet; l, o, 0 and 1 are not among them");
    } else {
        memcpy(given, octets + BODY, CHECK);
        put_check(authority, octets);
        well = memcmp(given, octets + BODY, CHECK) == 0 ||
               refuse(error, VIGIE_ERROR_INVALID, authority,
                      "the code does not check: a letter is wrong, or it is another authority's");
    }
    if (well) {
        *ret_share = (VigieShare){.number = (octets[0] & 0x0F) + 1, .threshold = (octets[0] >> 4) + 1};
        memcpy(ret_share->set, octets + 1, SET);
        memcpy(ret_share->octets, octets + 1 + SET, PKI_SHARE_SECRET);
    }
    explicit_bzero(octets, sizeof octets);
    return well;
}

/* ---- Dividing and joining ----------------------------------------------------------------------------------- */
static char *passphrase_of(const uint8_t secret[PKI_SHARE_SECRET]) {
    return vigie_hex_text(vigie_bytes(secret, PKI_SHARE_SECRET));
}

bool share_make(const char *authority, int threshold, int count, char **ret_passphrase, GPtrArray *codes,
                GError **error) {
    uint8_t secret[PKI_SHARE_SECRET], octets[WHOLE], numbers[PKI_SHARES_MAX], set[SET];
    for (int i = 0; i < PKI_SHARES_MAX; i++)
        numbers[i] = (uint8_t)(i + 1);
    gfshare_fill_rand = fill;
    fill(secret, sizeof secret);
    fill(set, sizeof set);
    gfshare_ctx *context =
        gfshare_ctx_init_enc(numbers, (unsigned)count, (unsigned char)threshold, PKI_SHARE_SECRET);
    if (!context)
        return refuse(error, VIGIE_ERROR_INTERNAL, authority, "libgfshare does not divide it");
    gfshare_ctx_enc_setsecret(context, secret);
    for (int i = 0; i < count; i++) {
        octets[0] = (uint8_t)((threshold - 1) << 4 | i);
        memcpy(octets + 1, set, SET);
        gfshare_ctx_enc_getshare(context, (unsigned char)i, octets + 1 + SET);
        put_check(authority, octets);
        g_ptr_array_add(codes, code_of(octets));
    }
    gfshare_ctx_free(context);
    *ret_passphrase = passphrase_of(secret);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(octets, sizeof octets);
    return true;
}

static const char *check_set(const VigieShare *shares, int count) {
    if (count < 1 || count != shares[0].threshold)
        return "not as many as it takes";
    for (int i = 0; i < count; i++) {
        if (memcmp(shares[i].set, shares[0].set, SET) != 0 || shares[i].threshold != count)
            return "the codes are not of one ceremony: one is older than the key";
        for (int j = 0; j < i; j++)
            if (shares[j].number == shares[i].number)
                return "the same share was given twice";
    }
    return NULL;
}

char *pki_shares_join(const VigieShare *shares, int count, GError **error) {
    const char *fault = check_set(shares, count);
    uint8_t numbers[PKI_SHARES_MAX], secret[PKI_SHARE_SECRET];
    if (fault) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "shares: %s", fault);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        numbers[i] = (uint8_t)shares[i].number;
    gfshare_fill_rand = fill;
    gfshare_ctx *context = gfshare_ctx_init_dec(numbers, (unsigned)count, PKI_SHARE_SECRET);
    if (!context) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libgfshare does not join the shares");
        return NULL;
    }
    for (int i = 0; i < count; i++)
        gfshare_ctx_dec_giveshare(context, (unsigned char)i, (unsigned char *)(uintptr_t)shares[i].octets);
    gfshare_ctx_dec_extract(context, secret);
    gfshare_ctx_free(context);
    char *passphrase = passphrase_of(secret);
    explicit_bzero(secret, sizeof secret);
    return passphrase;
}

/* ---- Who ---------------------------------------------------------------------------------------------------- */
json_t *share_names(const GPtrArray *present) {
    json_t *names = json_array();
    for (guint i = 0; present && i < present->len; i++)
        json_array_append_new(names, json_string(present->pdata[i]));
    return names;
}

bool share_record(Journal *journal, int64_t authority, const char *name, int threshold,
                  const GPtrArray *holders, GError **error) {
    g_autoptr(json_t) told = json_pack("{s:i, s:o}", "threshold", threshold, "holders", share_names(holders));
    g_autofree char *details = vigie_json_text(told);
    for (guint i = 0; i < holders->len; i++)
        if (!store_exec(journal->store, error,
                        "INSERT INTO pki_share (authority, number, holder) VALUES ($1, $2, $3)", "iit",
                        authority, (int64_t)i + 1, (const char *)holders->pdata[i]))
            return false;
    return store_exec(journal->store, error, "UPDATE pki_authority SET threshold = $2 WHERE id = $1", "ii",
                      authority, (int64_t)threshold) &&
           journal_add(journal, "shared", name, details, error);
}

json_t *pki_share_holders(VigieStore *store, const char *authority, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT a.threshold, s.holder FROM pki_authority a LEFT JOIN "
                                            "pki_share s ON s.authority = a.id WHERE a.name "
                                            "= $1 ORDER BY s.number NULLS FIRST",
                                            "t", authority);
    if (!rows_first(rows, error, "there is no authority %s: see vigie ca list", authority))
        return NULL;
    json_t *holders = json_array();
    int threshold = (int)rows_int(rows, 0);
    GError *why = NULL;
    do
        if (!rows_null(rows, 1))
            json_array_append_new(holders, json_string(rows_text(rows, 1)));
    while (rows_next(rows, &why));
    json_t *told = json_pack("{s:i, s:o}", "threshold", threshold, "holders", holders);
    if (!rows_ended(rows, &why, error))
        g_clear_pointer(&told, json_decref);
    return told;
}

bool pki_present_note(VigieStore *store, const char *authority, const GPtrArray *present, const char *who,
                      VigieTime now, GError **error) {
    Journal journal;
    g_autoptr(json_t) told = json_pack("{s:o}", "present", share_names(present));
    g_autofree char *details = vigie_json_text(told);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && journal_begin(&journal, store, who, now, error) &&
           journal_add(&journal, "opened", authority, details, error) &&
           journal_end(&journal, NULL, 0, error) && store_commit(&tx, error);
}
