/* vigie ca: passphrases, the people who share one, and who is there. */
#include "cli/ca.h"
#include "token/token.h"

#include <string.h>

enum { TRIES = 5 };

/* Whoever mistypes one among several does not begin the ceremony again. Only what opens no file is asked for once more: a token
 * counts the wrong ones, and the key of a responder is no authority's. */
static bool is_mistyped(const Ca *ca, const char *authority, const char *passphrase, GError **error) {
    g_autoptr(json_t) found = pki_authority_list(ca->store, authority, NULL);
    const char *key = json_string_value(json_object_get(json_array_get(found, 0), "key_file"));
    g_autoptr(GError) why = NULL;
    if (!key || token_uri_is(key))
        return false;
    g_autoptr(VigieAuthority) opened = pki_authority_open(ca->store, authority, passphrase, &why);
    if (!g_error_matches(why, VIGIE_ERROR, VIGIE_ERROR_DENIED))
        return false;
    g_propagate_error(error, g_steal_pointer(&why));
    return true;
}

static CliSecret ask_passphrase(const Ca *ca, const char *authority, bool new_key, GError **error) {
    g_autofree char *question =
        vigie_words(ca->lang, new_key ? "ca.passphrase.new" : "ca.passphrase", "name", authority, NULL);
    if (new_key)
        return cli_secret_ask(question, vigie_word(ca->lang, "ca.passphrase.again"), error);
    for (int i = 1;; i++) {
        g_autoptr(GError) why = NULL;
        g_auto(CliSecret) typed = cli_secret_ask(question, NULL, error);
        if (!typed || !is_mistyped(ca, authority, typed, &why))
            return g_steal_pointer(&typed);
        if (i == TRIES) {
            g_propagate_error(error, g_steal_pointer(&why));
            return NULL;
        }
        g_autofree char *said = cli_words(why);
        cli_terminal_write(said, NULL);
    }
}

/* ---- Shares given out --------------------------------------------------------------------------------------- */
/* What was copied is typed back, before it is gone from the screen for good. */
static bool check_copy(const Ca *ca, const char *authority, const char *question, const char *code,
                       GError **error) {
    VigieShare wanted, typed;
    if (!pki_share_read(authority, code, &wanted, error))
        return false;
    bool same = false;
    for (int i = 0; i < TRIES && !same; i++) {
        g_autoptr(GError) why = NULL;
        g_auto(CliSecret) copy = cli_secret_ask(question, NULL, error);
        if (!copy)
            break;
        same = pki_share_read(authority, copy, &typed, &why) && memcmp(&typed, &wanted, sizeof typed) == 0;
        if (!same)
            cli_terminal_write(vigie_word(ca->lang, "ca.share.differs"), NULL);
        explicit_bzero(&typed, sizeof typed);
    }
    explicit_bzero(&wanted, sizeof wanted);
    return same || (error && *error) || ca_refuse(error, "the share was not copied: nothing was made");
}

char *ca_share_give(const char *authority, int number, int of, const char *code, void *data, GError **error) {
    Ca *ca = data;
    g_autofree char *which = g_strdup_printf("%d", number), *all = g_strdup_printf("%d", of);
    g_autofree char *who =
        vigie_words(ca->lang, "ca.share.who", "name", authority, "number", which, "of", all, NULL);
    g_autofree char *holder = cli_line_ask(who, error);
    if (!holder)
        return NULL;
    g_autofree char *now = vigie_time_rfc3339(ca->now), *day = g_strndup(now, strlen("2026-11-22"));
    char *sheet = vigie_words(ca->lang, "ca.share.sheet", "name", authority, "number", which, "of", all,
                              "holder", holder, "day", day, "code", code, NULL);
    bool shown = cli_terminal_write(sheet, error);
    cli_secret_free(sheet);
    g_autofree char *again = vigie_words(ca->lang, "ca.share.again", "number", which, NULL);
    bool copied = shown && check_copy(ca, authority, again, code, error);
    cli_terminal_clear();
    if (!copied)
        return NULL;
    g_ptr_array_add(ca->present, g_strdup(holder));
    return g_steal_pointer(&holder);
}

/* ---- Shares brought together -------------------------------------------------------------------------------- */
static const char *holder_of(const json_t *told, const VigieShare *share) {
    const char *name =
        json_string_value(json_array_get(json_object_get(told, "holders"), (size_t)share->number - 1));
    return name ? name : "?";
}

static bool is_new(const VigieShare *shares, int count, const VigieShare *one) {
    for (int i = 0; i < count; i++)
        if (shares[i].number == one->number)
            return false;
    return true;
}

/* One good share; what is wrong with one that is not is said, and it is asked for again. */
static bool ask_share(Ca *ca, const char *authority, const json_t *told, VigieShare *shares, int count,
                      GError **error) {
    int threshold = (int)json_integer_value(json_object_get(told, "threshold"));
    g_autofree char *which = g_strdup_printf("%d", count + 1), *all = g_strdup_printf("%d", threshold);
    g_autofree char *question =
        vigie_words(ca->lang, "ca.share.ask", "name", authority, "number", which, "of", all, NULL);
    for (int i = 0; i < TRIES; i++) {
        g_autoptr(GError) why = NULL;
        g_auto(CliSecret) code = cli_secret_ask(question, NULL, error);
        if (!code)
            return false;
        bool read = pki_share_read(authority, code, &shares[count], &why);
        if (read && is_new(shares, count, &shares[count])) {
            const char *holder = holder_of(told, &shares[count]);
            g_autofree char *number = g_strdup_printf("%d", shares[count].number);
            g_autofree char *good =
                vigie_words(ca->lang, "ca.share.good", "number", number, "holder", holder, NULL);
            g_ptr_array_add(ca->present, g_strdup(holder));
            return cli_terminal_write(good, error);
        }
        g_autofree char *said = cli_said(why ? why->message : NULL);
        cli_terminal_write(read ? vigie_word(ca->lang, "ca.share.twice") : said, NULL);
    }
    return ca_refuse(error, "five codes that are no share of it: look at the sheets");
}

static char *ask_shares(Ca *ca, const char *authority, const json_t *told, GError **error) {
    VigieShare shares[PKI_SHARES_MAX];
    int threshold = (int)json_integer_value(json_object_get(told, "threshold"));
    bool well = threshold <= PKI_SHARES_MAX;
    for (int i = 0; well && i < threshold; i++)
        well = ask_share(ca, authority, told, shares, i, error);
    char *passphrase = well ? pki_shares_join(shares, threshold, error) : NULL;
    explicit_bzero(shares, sizeof shares);
    return passphrase;
}

/* ---- Passphrases -------------------------------------------------------------------------------------------- */
char *ca_passphrase(const char *authority, bool new_key, void *data, GError **error) {
    Ca *ca = data;
    const char *for_all = NULL;
    g_autoptr(json_t) told = NULL;
    for (char **source = ca->passphrase_files; source && *source; source++) {
        const char *equals = strchr(*source, '=');
        if (!equals)
            for_all = *source;
        else if (strncmp(*source, authority, (size_t)(equals - *source)) == 0 && !authority[equals - *source])
            return cli_secret_read(equals + 1, error);
    }
    /* A passphrase in a file serves for all keys but those that people share. */
    if (!new_key)
        told = pki_share_holders(ca->store, authority, NULL);
    if (json_integer_value(json_object_get(told, "threshold")) > 0)
        return ask_shares(ca, authority, told, error);
    if (!for_all)
        return ask_passphrase(ca, authority, new_key, error);
    if (!ca->passphrase)
        ca->passphrase = cli_secret_read(for_all, error);
    return ca->passphrase ? g_strdup(ca->passphrase) : NULL;
}

VigieAuthority *ca_open(Ca *ca, const char *name, GError **error) {
    g_autoptr(VigieAuthority) known = pki_authority_open(ca->store, name, NULL, error);
    if (!known)
        return NULL;
    g_auto(CliSecret) passphrase = ca_passphrase(name, false, ca, error);
    g_autoptr(VigieAuthority) opened =
        passphrase ? pki_authority_open(ca->store, name, passphrase, error) : NULL;
    if (opened && ca->present->len > 0 &&
        !pki_present_note(ca->store, name, ca->present, ca->who, ca->now, error))
        return NULL;
    return g_steal_pointer(&opened);
}
