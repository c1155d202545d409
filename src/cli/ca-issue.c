/* vigie ca issue, revoke, certificates, certificate, profiles. */
#include "cli/ca.h"

#include <stdio.h>
#include <string.h>

enum { CSRS_MAX = 1000 };

/* ---- Issuing ------------------------------------------------------------------------------------------------ */
/* --field NAME=VALUE, as an object. */
static json_t *read_fields(const Ca *ca, GError **error) {
    g_autoptr(json_t) fields = json_object();
    for (char **field = ca->fields; field && *field; field++) {
        const char *equals = strchr(*field, '=');
        g_autofree char *name = equals ? g_strndup(*field, (gsize)(equals - *field)) : NULL;
        if (!equals || json_object_set_new(fields, name, json_string(equals + 1)) != 0) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "--field %s: NAME=VALUE in UTF-8 is wanted, as in --field unit=Laboratoire", *field);
            return NULL;
        }
    }
    return g_steal_pointer(&fields);
}

char *ca_choose_authority(const Ca *ca, GError **error) {
    if (ca->authority)
        return g_strdup(ca->authority);
    g_autoptr(json_t) list = pki_authority_list(ca->store, NULL, error);
    const char *found = NULL;
    size_t index;
    json_t *one, *profile;
    if (!list)
        return NULL;
    json_array_foreach(list, index, one) {
        size_t at;
        json_array_foreach(json_object_get(json_object_get(one, "settings"), "profiles"), at, profile) {
            if (strcmp(json_string_value(profile), ca->profile) != 0 ||
                !json_is_null(json_object_get(one, "successor")))
                continue;
            if (found) {
                ca_refuse(error, "several authorities issue this profile: say which, with --authority");
                return NULL;
            }
            found = json_string_value(json_object_get(one, "name"));
        }
    }
    if (!found)
        ca_refuse(error, "no authority issues this profile: see vigie ca list --json, and vigie ca profiles");
    return g_strdup(found);
}

/* --out is a file for one request, a folder for several. */
static char *out_path(const Ca *ca, size_t count, const char *csr) {
    if (!ca->out || count == 1)
        return g_strdup(ca->out);
    g_autofree char *base = g_path_get_basename(csr);
    char *dot = strrchr(base, '.');
    if (dot && dot != base)
        *dot = '\0';
    g_autofree char *name = g_strconcat(base, ".pem", NULL);
    return g_build_filename(ca->out, name, NULL);
}

static bool hand_out(const Ca *ca, size_t count, const char *csr, const VigieIssued *issued, json_t *all,
                     GError **error) {
    g_autofree char *path = out_path(ca, count, csr);
    if (issued->error) {
        json_array_append_new(
            all, json_pack("{s:s, s:n, s:s}", "csr", csr, "serial", "error", issued->error->message));
        g_autofree char *said = cli_words(issued->error);
        if (!ca->json)
            fprintf(stderr, "%s%s%s\n", csr, cli_colon(), said);
        return true;
    }
    g_autofree char *pem = pki_certificate_pem(ca->store, issued->serial, ca->now, error);
    if (!pem || (path && !cli_write_new(path, pem, strlen(pem), false, error)))
        return false;
    json_array_append_new(all, json_pack("{s:s, s:s, s:s?, s:s}", "csr", csr, "serial", issued->serial,
                                         "file", path, "pem", pem));
    if (ca->json)
        return true;
    g_autofree char *line =
        path ? vigie_words(ca->lang, "ca.issued", "csr", csr, "serial", issued->serial, "file", path, NULL)
             : NULL;
    puts(line ? line : pem);
    return true;
}

static bool issue_all(Ca *ca, VigieAuthority *authority, const VigieProfiles *profiles,
                      VigieIssueRequest *requests, size_t count, GError **error) {
    VigieIssued *issued = g_new0(VigieIssued, count);
    g_autoptr(json_t) all = json_array();
    bool well = pki_issue(ca->store, authority, profiles, requests, count, issued, ca->who, ca->now, error);
    for (size_t i = 0; i < count; i++) {
        well = well && hand_out(ca, count, ca->csrs[i], &issued[i], all, error);
        ca->wrong = ca->wrong || issued[i].error;
        pki_issued_clear(&issued[i]);
    }
    g_free(issued);
    if (well && ca->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "issued", all);
        ca_print_json(object);
    }
    return well;
}

bool ca_issue(Ca *ca, GError **error) {
    size_t count = ca->csrs ? g_strv_length(ca->csrs) : 0;
    if (!ca->profile || count == 0 || count > CSRS_MAX)
        return ca_refuse(error, "--profile and --csr are wanted, as in: vigie ca issue --profile device "
                                "--csr automate.csr --accept-names");
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autoptr(json_t) fields = profiles ? read_fields(ca, error) : NULL;
    g_autofree char *name = fields ? ca_choose_authority(ca, error) : NULL;
    g_autoptr(VigieAuthority) authority = name ? ca_open(ca, name, error) : NULL;
    if (!authority)
        return false;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autofree VigieIssueRequest *requests = g_new0(VigieIssueRequest, count);
    for (size_t i = 0; i < count; i++) {
        char *text = NULL;
        gsize size = 0;
        g_autoptr(GError) why = NULL;
        if (!g_file_get_contents(ca->csrs[i], &text, &size, &why)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why->message);
            return false;
        }
        g_ptr_array_add(texts, text);
        requests[i] = (VigieIssueRequest){.profile = ca->profile,
                                          .csr = vigie_bytes(text, size),
                                          .fields = fields,
                                          .names = (const char *const *)ca->names,
                                          .accept_names = ca->accept_names,
                                          .days = ca->days,
                                          .requester = ca->requester,
                                          .validator = ca->validator};
    }
    return issue_all(ca, authority, profiles, requests, count, error);
}

/* ---- What was issued ---------------------------------------------------------------------------------------- */
bool ca_revoke(Ca *ca, GError **error) {
    if (!ca->reason)
        return ca_refuse(error, "--reason is wanted, as in --reason superseded");
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    if (!profiles || !pki_revoke(ca->store, profiles, ca->rest[0], ca->reason, ca->who, ca->now, error))
        return false;
    g_autofree char *line =
        vigie_words(ca->lang, "ca.revoked", "serial", ca->rest[0], "reason", ca->reason, NULL);
    printf("%s\n", line);
    return true;
}

bool ca_certificates(Ca *ca, GError **error) {
    const VigieIssuedFilter filter = {.authority = ca->authority};
    g_autoptr(json_t) list = pki_certificate_list(ca->store, &filter, ca->now, error);
    size_t index;
    json_t *one;
    if (!list)
        return false;
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "certificates", list);
        ca_print_json(object);
        return true;
    }
    json_array_foreach(list, index, one) {
        g_autofree char *state =
            g_strconcat("ca.state.", json_string_value(json_object_get(one, "state")), NULL);
        printf("%s  %.10s  %-10s %-16s %s\n", json_string_value(json_object_get(one, "serial")),
               json_string_value(json_object_get(one, "not_after")), vigie_word(ca->lang, state),
               json_string_value(json_object_get(one, "profile")),
               json_string_value(json_object_get(one, "subject")));
    }
    return true;
}

bool ca_certificate(Ca *ca, GError **error) {
    g_autofree char *pem = pki_certificate_pem(ca->store, ca->rest[0], ca->now, error);
    if (!pem || (ca->out && !cli_write_new(ca->out, pem, strlen(pem), false, error)))
        return false;
    if (ca->json) {
        const VigieIssuedFilter filter = {.serial = ca->rest[0]};
        g_autoptr(json_t) list = pki_certificate_list(ca->store, &filter, ca->now, error);
        if (!list)
            return false;
        json_object_set_new(json_array_get(list, 0), "pem", json_string(pem));
        ca_print_json(json_array_get(list, 0));
    } else if (!ca->out) {
        fputs(pem, stdout);
    }
    return true;
}

static void print_members(const Ca *ca, const char *word, const json_t *list, const char *prefix) {
    size_t index;
    json_t *one;
    if (json_array_size(list) == 0)
        return;
    printf("  %s%s", vigie_word(ca->lang, word), cli_colon());
    json_array_foreach(list, index, one) {
        bool optional = json_is_true(json_object_get(one, "optional"));
        const char *name = json_string_value(json_is_object(one) ? json_object_get(one, "name") : one);
        g_autofree char *key = g_strconcat(prefix ? prefix : "", name, NULL);
        const char *more = prefix     ? vigie_word(ca->lang, key)
                           : optional ? vigie_word(ca->lang, "request.optional")
                                      : NULL;
        printf("%s%s%s%s%s", index ? ", " : "", name, more ? " (" : "", more ? more : "", more ? ")" : "");
    }
    putchar('\n');
}

/* What has to be known to issue one: its fields for --field, the kinds of --name, and who validates. */
static void print_profile(const Ca *ca, const json_t *one) {
    g_autofree char *days = vigie_json_text(json_object_get(one, "days"));
    g_autofree char *life = vigie_words(ca->lang, "ca.profile.days", "n", days, NULL);
    printf("%-32s %s, %s\n", vigie_member(one, "name"), vigie_member(one, "title"), life);
    print_members(ca, "ca.profile.fields", json_object_get(one, "fields"), NULL);
    print_members(ca, "ca.profile.names", json_object_get(one, "names"), NULL);
    print_members(ca, "ca.profile.validators", json_object_get(one, "validators"), "request.role.");
}

bool ca_profiles(Ca *ca, GError **error) {
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    size_t index;
    json_t *one;
    if (!profiles)
        return false;
    g_autoptr(json_t) list = pki_profile_list(profiles, ca->lang);
    if (ca->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "profiles", list);
        ca_print_json(object);
        return true;
    }
    json_array_foreach(list, index, one) print_profile(ca, one);
    return true;
}
