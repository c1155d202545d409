/* vigie ca list, compromise, reissue, destroy, adopt: how the authorities stand, and what to do on a bad day. */
#include "cli/ca.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static char *number_text(const json_t *object, const char *name) {
    return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(object, name)));
}

/* ---- list --------------------------------------------------------------------------------------------------- */
static void print_life(const Ca *ca, const json_t *one, const json_t *life) {
    const char *issuer = text_of(one, "issuer"), *state = text_of(life, "state"),
               *by = text_of(life, "roll_over_by"), *successor = text_of(life, "successor");
    g_autofree char *key = g_strconcat("ca.life.", state, NULL), *issued = number_text(one, "certificates"),
                    *revoked = number_text(one, "revoked");
    g_autofree char *counts = vigie_words(ca->lang, "ca.counts", "issued", issued, "revoked", revoked, NULL);
    printf("%-20s %-14s %-8s %-12s %.10s  %s\n", text_of(one, "name"),
           issuer ? issuer : vigie_word(ca->lang, "ca.root"), text_of(one, "key"), vigie_word(ca->lang, key),
           text_of(one, "not_after"), counts);
    g_autofree char *day = g_strndup(by ? by : "", strlen("2026-11-22")),
                    *last = g_strndup(text_of(life, "last_end") ? text_of(life, "last_end") : "",
                                      strlen("2026-11-22"));
    g_autofree char *line =
        json_is_true(json_object_get(life, "late")) ? vigie_words(ca->lang, "ca.life.late", "day", day, NULL)
        : by                                        ? vigie_words(ca->lang, "ca.life.by", "day", day, NULL)
        : strcmp(state, "succeeded") == 0
            ? vigie_words(ca->lang, "ca.life.until", "successor", successor, "day", last, NULL)
            : NULL;
    if (line)
        printf("  %s\n", line);
}

bool ca_list(Ca *ca, GError **error) {
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autoptr(json_t) authorities = profiles ? pki_authority_list(ca->store, NULL, error) : NULL;
    g_autoptr(json_t) lives = authorities ? pki_authority_lives(ca->store, profiles, ca->now, error) : NULL;
    size_t index;
    json_t *one;
    if (!lives)
        return false;
    json_array_foreach(authorities, index, one) {
        if (ca->json)
            json_object_update_missing(one, json_array_get(lives, index));
        else
            print_life(ca, one, json_array_get(lives, index));
    }
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "authorities", authorities);
        ca_print_json(object);
    } else if (json_array_size(authorities) == 0) {
        printf("%s\n", vigie_word(ca->lang, "ca.none"));
    }
    return true;
}

/* ---- compromise --------------------------------------------------------------------------------------------- */
static void print_below(const Ca *ca, const json_t *report) {
    size_t index;
    json_t *one;
    g_autofree char *count = g_strdup_printf("%zu", json_array_size(json_object_get(report, "revoked")));
    g_autofree char *line =
        vigie_words(ca->lang, "ca.compromised", "name", text_of(report, "authority"), "count", count, NULL);
    printf("%s\n", line);
    json_array_foreach(json_object_get(report, "below"), index, one) {
        g_autofree char *number = number_text(one, "certificates");
        printf("  %-20s %-30s %8s\n", text_of(one, "authority"), text_of(one, "profile"), number);
    }
    g_autoptr(json_t) found = pki_authority_list(ca->store, text_of(report, "authority"), NULL);
    const char *issuer = found ? text_of(json_array_get(found, 0), "issuer") : NULL;
    g_autofree char *then =
        vigie_words(ca->lang, "ca.compromised.then", "name", text_of(report, "authority"), "issuer",
                    issuer ? issuer : vigie_word(ca->lang, "ca.compromised.issuer"), NULL);
    printf("%s\n", then);
}

bool ca_compromise(Ca *ca, GError **error) {
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autoptr(json_t) report =
        profiles ? pki_authority_compromise(ca->store, profiles, ca->rest[0], ca->who, ca->now, error) : NULL;
    if (!report)
        return false;
    if (ca->json)
        ca_print_json(report);
    else
        print_below(ca, report);
    return true;
}

/* ---- reissue ------------------------------------------------------------------------------------------------ */
/* The CN, with what may stand in a file's name, and the end of the serial number. */
static char *file_of(const Ca *ca, const json_t *one) {
    const char *subject = text_of(one, "subject"), *serial = text_of(one, "serial"),
               *cn = strstr(subject, "CN=");
    g_autofree char *name = g_strndup(cn ? cn + 3 : subject, cn ? strcspn(cn + 3, ",+") : strlen(subject));
    g_strcanon(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", '_');
    size_t size = strlen(serial);
    g_autofree char *file =
        g_strdup_printf("%s-%s.pem", *name == '.' ? "x" : name, serial + (size > 8 ? size - 8 : 0));
    return g_build_filename(ca->out, file, NULL);
}

/* All that were issued again and are not in the folder yet: also those of a time before, when it was interrupted. */
static bool write_files(Ca *ca, const char *of, GError **error) {
    g_autoptr(json_t) list = pki_renewed_list(ca->store, of, error);
    size_t index;
    json_t *one;
    if (!list)
        return false;
    if (g_mkdir_with_parents(ca->out, 0755) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "folder %s: %s", ca->out, g_strerror(errno));
        return false;
    }
    json_array_foreach(list, index, one) {
        g_autofree char *path = file_of(ca, one);
        g_autofree char *pem = g_file_test(path, G_FILE_TEST_EXISTS)
                                   ? NULL
                                   : pki_certificate_pem(ca->store, text_of(one, "serial"), ca->now, error);
        if (pem && !cli_write_new(path, pem, strlen(pem), false, error))
            return false;
        if (!pem && !g_file_test(path, G_FILE_TEST_EXISTS))
            return false;
    }
    return true;
}

static int64_t tell_reissued(Ca *ca, const json_t *list, json_t *all) {
    int64_t issued = 0;
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one) {
        const char *refusal = text_of(one, "refusal");
        issued += refusal == NULL;
        ca->wrong = ca->wrong || refusal;
        json_array_append(all, one);
        g_autofree char *said = cli_said(refusal);
        if (refusal && !ca->json)
            printf("%s%s%s\n", text_of(one, "old"), cli_colon(), said);
    }
    return issued;
}

static bool reissue_all(Ca *ca, VigieAuthority *authority, const VigieProfiles *profiles, json_t *all,
                        int64_t *ret_count, GError **error) {
    int64_t after = 0, count = 0;
    for (;;) {
        g_autoptr(json_t) list = pki_reissue(ca->store, authority, profiles, ca->rest[0], &after, ca->who,
                                             vigie_time_now(), error);
        if (!list)
            return false;
        if (json_array_size(list) == 0)
            break;
        count += tell_reissued(ca, list, all);
        g_usleep((gulong)(json_array_size(list) * G_USEC_PER_SEC / (size_t)ca->rate));
    }
    *ret_count = count;
    return true;
}

bool ca_reissue(Ca *ca, GError **error) {
    int64_t count = 0;
    if (!ca->out || ca->rate < 1 || ca->rate > 10000)
        return ca_refuse(
            error, "--out is wanted, a folder for the certificates, and a --rate from 1 to 10000 a second");
    g_autofree char *current = pki_authority_current(ca->store, ca->rest[0], error);
    if (!current)
        return false;
    if (strcmp(current, ca->rest[0]) == 0)
        return ca_refuse(
            error, "nothing succeeds this authority yet: declare the next generation, then vigie ca init");
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autoptr(VigieAuthority) authority = profiles ? ca_open(ca, current, error) : NULL;
    g_autoptr(json_t) all = json_array();
    if (!authority || !reissue_all(ca, authority, profiles, all, &count, error) ||
        !write_files(ca, ca->rest[0], error))
        return false;
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:s, s:O}", "by", current, "certificates", all);
        ca_print_json(object);
        return true;
    }
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, count);
    g_autofree char *line =
        vigie_words(ca->lang, "ca.reissued", "count", number, "name", current, "folder", ca->out, NULL);
    printf("%s\n", line);
    return true;
}

/* ---- destroy, adopt ----------------------------------------------------------------------------------------- */
bool ca_destroy(Ca *ca, GError **error) {
    if (!pki_key_destroy(ca->store, ca->rest[0], ca->present, ca->who, ca->now, error))
        return false;
    g_autofree char *line = vigie_words(ca->lang, "ca.destroyed", "name", ca->rest[0], NULL);
    printf("%s\n", line);
    return true;
}

static bool adopt_file(Ca *ca, const char *path, json_t *all, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autoptr(GError) why = NULL;
    if (!g_file_get_contents(path, &text, &size, &why)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why->message);
        return false;
    }
    json_t *told = pki_adopt(ca->store, vigie_bytes(text, size), ca->who, ca->now, error);
    if (!told)
        return false;
    json_object_set_new(told, "file", json_string(path));
    json_array_append_new(all, told);
    return true;
}

bool ca_adopt(Ca *ca, GError **error) {
    g_autoptr(json_t) all = json_array();
    size_t index;
    json_t *one;
    for (char **path = ca->rest; *path; path++)
        if (!adopt_file(ca, *path, all, error))
            return false;
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "files", all);
        ca_print_json(object);
        return true;
    }
    json_array_foreach(all, index, one) {
        g_autofree char *certificates = number_text(one, "certificates"),
                        *revocations = number_text(one, "revocations"), *known = number_text(one, "known"),
                        *others = number_text(one, "others");
        g_autofree char *line =
            vigie_words(ca->lang, "ca.adopted", "file", text_of(one, "file"), "certificates", certificates,
                        "revocations", revocations, "known", known, "others", others, NULL);
        printf("%s\n", line);
    }
    return true;
}
