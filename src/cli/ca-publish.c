/* vigie ca crl, publish, responder, answers: what the world is told. */
#include "cli/ca.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_list(const Ca *ca, const json_t *one) {
    g_autofree char *entries =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(one, "entries")));
    g_autofree char *number =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(one, "number")));
    g_autofree char *line = vigie_words(
        ca->lang, "ca.crl", "file", json_string_value(json_object_get(one, "file")), "number", number,
        "entries", entries, "next", json_string_value(json_object_get(one, "next_update")), NULL);
    printf("%s\n", line);
}

bool ca_crl(Ca *ca, GError **error) {
    g_autoptr(json_t) all = json_array();
    for (char **name = ca->rest; *name; name++) {
        g_autoptr(VigieAuthority) authority = ca_open(ca, *name, error);
        g_autoptr(json_t) report =
            authority ? pki_crl_publish(ca->store, authority, ca->full, ca->who, ca->now, error) : NULL;
        if (!report)
            return false;
        json_array_extend(all, report);
    }
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "lists", all);
        ca_print_json(object);
        return true;
    }
    size_t index;
    json_t *one;
    json_array_foreach(all, index, one) {
        print_list(ca, one);
    }
    if (json_array_size(all) == 0)
        printf("%s\n", vigie_word(ca->lang, "ca.crl.none"));
    return true;
}

/* Each file appears whole or not at all: whoever serves the folder may be reading. */
bool ca_publish(Ca *ca, GError **error) {
    g_autoptr(json_t) files = pki_published_list(ca->store, error);
    size_t index;
    json_t *file;
    if (!files)
        return false;
    if (g_mkdir_with_parents(ca->rest[0], 0755) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "folder %s: %s", ca->rest[0],
                    g_strerror(errno));
        return false;
    }
    json_array_foreach(files, index, file) {
        VigieTime since = 0, until = 0;
        GByteArray *der = pki_published(ca->store, json_string_value(file), &since, &until, error);
        if (!der)
            return false;
        g_autofree char *path = g_build_filename(ca->rest[0], json_string_value(file), NULL);
        g_autoptr(GError) why = NULL;
        bool written = g_file_set_contents_full(path, (const char *)der->data, (gssize)der->len,
                                                G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                                0644, &why);
        g_byte_array_unref(der);
        if (!written) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s", why->message);
            return false;
        }
    }
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "files", files);
        ca_print_json(object);
    }
    return true;
}

bool ca_directory(Ca *ca, GError **error) {
    VigieDirectory directory;
    int64_t changed = 0;
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    if (!profiles)
        return false;
    if (!pki_directory_settings(ca->settings, &directory))
        return ca_refuse(error,
                         "pki.directory is empty: name the directory, as in ldaps://annuaire.chu.example");
    if (!pki_directory_publish(ca->store, profiles, &directory, ca->now, &changed, error))
        return false;
    g_autoptr(json_t) object = json_pack("{s:I}", "changed", (json_int_t)changed);
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, changed);
    g_autofree char *line = vigie_words(ca->lang, "ca.directory", "n", number, NULL);
    if (ca->json)
        ca_print_json(object);
    else
        printf("%s\n", line);
    return true;
}

/* ---- OCSP --------------------------------------------------------------------------------------------------- */
bool ca_responder(Ca *ca, GError **error) {
    g_autofree char *name = g_strconcat(ca->rest[0], "-ocsp", NULL);
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autoptr(VigieAuthority) authority = profiles ? ca_open(ca, ca->rest[0], error) : NULL;
    g_auto(CliSecret) passphrase = authority ? ca_passphrase(name, true, ca, error) : NULL;
    return passphrase &&
           pki_responder_make(ca->store, authority, profiles, passphrase, ca->who, ca->now, error);
}

bool ca_answers(Ca *ca, GError **error) {
    g_autoptr(VigieOcsp) ocsp = pki_ocsp_new();
    int64_t all = 0;
    for (char **authority = ca->rest; *authority; authority++) {
        g_autofree char *name = g_strconcat(*authority, "-ocsp", NULL);
        g_auto(CliSecret) passphrase = ca_passphrase(name, false, ca, error);
        int64_t count = 0;
        if (!passphrase || !pki_ocsp_add_key(ocsp, ca->store, *authority, passphrase, error) ||
            !pki_ocsp_sign_all(ocsp, ca->store, *authority, ca->who, ca->now, &count, error))
            return false;
        all += count;
    }
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:I}", "signed", (json_int_t)all);
        ca_print_json(object);
        return true;
    }
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, all);
    g_autofree char *line = vigie_words(ca->lang, "ca.answers", "n", number, NULL);
    printf("%s\n", line);
    return true;
}

/* One request answered on the spot: where no portal is, or to see what would be said. */
bool ca_answer(Ca *ca, GError **error) {
    g_autofree char *name = g_strconcat(ca->rest[0], "-ocsp", NULL), *text = NULL;
    gsize size = 0;
    g_autoptr(GError) why = NULL;
    if (!ca->out)
        return ca_refuse(error,
                         "--out is wanted, as in: vigie ca answer equipements request.der --out answer.der");
    if (!g_file_get_contents(ca->rest[1], &text, &size, &why)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why->message);
        return false;
    }
    g_autoptr(VigieOcsp) ocsp = pki_ocsp_new();
    g_auto(CliSecret) passphrase = ca_passphrase(name, false, ca, error);
    VigieOcspAnswer answer;
    if (!passphrase || !pki_ocsp_add_key(ocsp, ca->store, ca->rest[0], passphrase, error) ||
        !pki_ocsp_answer(ocsp, ca->store, vigie_bytes(text, size), ca->now, &answer, error))
        return false;
    bool written = cli_write_new(ca->out, answer.der->data, answer.der->len, false, error);
    g_byte_array_unref(answer.der);
    return written;
}
