/* vigie case pack: artefacts for a party who has no OpenPGP, in an encrypted container whose password is told by phone; beside
 * it our signature, by which the file can be recognised. Nothing goes that csirt_release would withhold. */
#include "cli/case.h"
#include "mail/mail.h"

#include <stdio.h>
#include <string.h>

enum { PIECES_MAX = 100 };

typedef struct {
    CaseCall *call;
    int64_t id, party;
    json_t *whom;     /* of the case */
    GPtrArray *names; /* inside the container; outside they would tell something */
    GPtrArray *contents;
    char *password;
} Packing;

static void packing_clear(Packing *packing) {
    json_decref(packing->whom);
    g_ptr_array_unref(packing->names);
    g_ptr_array_unref(packing->contents);
    mail_secret_free(packing->password);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Packing, packing_clear)

static json_t *find_row(const json_t *rows, int64_t id) {
    size_t index;
    json_t *row;
    json_array_foreach((json_t *)rows, index, row) {
        if (json_integer_value(json_object_get(row, "id")) == id)
            return row;
    }
    return NULL;
}

/* Label, consent and the party's part, as for a letter. */
static bool may_go(const Packing *packing, GError **error) {
    const CaseCall *call = packing->call;
    const char *audience = csirt_audience_of(case_text(packing->whom, "role"));
    if (!audience)
        return case_refuse(error, "a party of role \"other\" is told by hand: give it a role first");
    VigieRecipient to = {
        .audience = audience, .channel = "export", .party = packing->party, .encrypted = true};
    g_autoptr(json_t) release = csirt_release(call->store, packing->id, &to, call->now, error);
    size_t index;
    json_t *held;
    if (!release)
        return false;
    if (json_object_get(json_object_get(release, "members"), "artefacts"))
        return true;
    const char *reason = "csirt.release.part";
    json_array_foreach(json_object_get(release, "withheld"), index, held) {
        if (strcmp(case_text(held, "member"), "artefacts") == 0)
            reason = case_text(held, "reason");
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s", case_text(packing->whom, "name"),
                vigie_word(call->lang, reason));
    return false;
}

static bool take_artefact(Packing *packing, const json_t *artefacts, const char *text, GError **error) {
    CaseCall *call = packing->call;
    int64_t number = 0;
    g_autofree char *name = NULL;
    if (!case_number(text, &number, error))
        return false;
    if (!find_row(artefacts, number)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "the case has no artefact %s: vigie case show lists them", text);
        return false;
    }
    GBytes *content =
        csirt_artefact_open(call->store, call->team, &call->who, number, call->now, &name, error);
    if (!content)
        return false;
    g_ptr_array_add(packing->contents, content);
    g_ptr_array_add(packing->names, g_strdup_printf("%u-%s", packing->names->len + 1, name));
    return true;
}

static bool gather(Packing *packing, GError **error) {
    CaseCall *call = packing->call;
    g_autoptr(json_t) one =
        case_of(call, &packing->id, error) && case_number(call->rest[1], &packing->party, error)
            ? csirt_case_get(call->store, call->team, &call->who, packing->id, call->now, error)
            : NULL;
    if (!one)
        return false;
    packing->whom = json_incref(find_row(json_object_get(one, "parties"), packing->party));
    if (!packing->whom) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "the case has no party %s: vigie case show lists them", call->rest[1]);
        return false;
    }
    if (!may_go(packing, error))
        return false;
    for (char **text = call->rest + 2; *text && packing->names->len < PIECES_MAX; text++)
        if (!take_artefact(packing, json_object_get(one, "artefacts"), *text, error))
            return false;
    return true;
}

static GBytes *make_container(Packing *packing, GError **error) {
    g_autofree VigieMailFile *files = g_new0(VigieMailFile, packing->names->len);
    for (guint i = 0; i < packing->names->len; i++)
        files[i] = (VigieMailFile){.name = packing->names->pdata[i], .content = packing->contents->pdata[i]};
    packing->password = mail_container_password(error);
    return packing->password
               ? mail_container_make(files, packing->names->len, packing->password, packing->call->now, error)
               : NULL;
}

/* OpenPGP's mark beside the file, where the team has a key. */
static bool sign(const Packing *packing, VigieMailCell *cell, GBytes *container, char **ret_path,
                 GError **error) {
    const char *key = json_string_value(
        json_object_get(json_object_get(csirt_team_json(packing->call->team), "openpgp"), "fingerprint"));
    if (!cell || !key)
        return true;
    g_autoptr(GBytes) signature = mail_sign(cell, container, key, error);
    *ret_path = g_strconcat(packing->call->out, ".asc", NULL);
    return signature && cli_write_new(*ret_path, g_bytes_get_data(signature, NULL),
                                      g_bytes_get_size(signature), false, error);
}

static bool note(const Packing *packing, GBytes *container, GError **error) {
    CaseCall *call = packing->call;
    g_autofree char *sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, container);
    g_autofree char *count = g_strdup_printf("%u", packing->names->len);
    g_autofree char *text = vigie_words(call->lang, "case.packed.note", "name",
                                        case_text(packing->whom, "name"), "n", count, "sha256", sha256, NULL);
    return csirt_note_add(call->store, &call->who, packing->id, "note", text, call->now, error);
}

static void tell(const Packing *packing, const char *signature) {
    const CaseCall *call = packing->call;
    g_autoptr(json_t) told = json_pack("{s:s, s:s?, s:s, s:i}", "file", call->out, "signature", signature,
                                       "password", packing->password, "artefacts", (int)packing->names->len);
    if (call->json) {
        g_autofree char *text = vigie_json_text(told);
        printf("%s\n", text);
        explicit_bzero(text, strlen(text));
        return;
    }
    g_autofree char *words =
        vigie_words(call->lang, signature ? "case.packed.signed" : "case.packed", "file", call->out,
                    "password", packing->password, "name", case_text(packing->whom, "name"), "phone",
                    case_text(packing->whom, "phone"), NULL);
    printf("%s\n", words);
    explicit_bzero(words, strlen(words));
}

bool case_pack(CaseCall *call, GError **error) {
    g_auto(Packing) packing = {.call = call,
                               .names = g_ptr_array_new_with_free_func(g_free),
                               .contents = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref)};
    bool keyring = *vigie_config_text(call->settings, "mail.gnupg_home") != '\0';
    g_autofree char *signature = NULL;
    if (!call->out)
        return case_refuse(error, "--out names the container, as in --out pieces.zip");
    g_autoptr(VigieMailCell) cell = keyring ? mail_cell_start(call->settings, error) : NULL;
    if (keyring && !cell)
        return false;
    g_autoptr(GBytes) container = gather(&packing, error) ? make_container(&packing, error) : NULL;
    if (!container ||
        !cli_write_new(call->out, g_bytes_get_data(container, NULL), g_bytes_get_size(container), true,
                       error) ||
        !sign(&packing, cell, container, &signature, error) || !note(&packing, container, error))
        return false;
    tell(&packing, signature);
    return true;
}
