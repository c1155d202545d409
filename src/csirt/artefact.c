/* Artefacts: what attackers left and declarants send. Sealed before it touches the store; served as bytes to keep, nothing else. */
#include "csirt/internal.h"

#include <inttypes.h>
#include <string.h>

enum { NAME_CHARACTERS = 120 };

const VigieSealed csirt_sealed = {
    .table = "csirt_artefact", .column = "sealed", .old_bound = "vigie artefact "};

static const VigieSeal *need_key(const VigieTeam *team, GError **error) {
    if (!team_artefact_keys(team))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "artefacts are kept sealed: csirt.artefact_key names no key (openssl rand -out FILE 32)");
    return team_artefact_keys(team);
}

/* ---- Names -------------------------------------------------------------------------------------------------- */
/* "../facture.pdf.exe" → "facture.pdf.exe.bin": no folder, nothing that starts a program or opens in a browser. */
static char *harmless_name(const char *name) {
    g_autofree char *clean = csirt_line_clean(name);
    const char *last = strrchr(clean, '/') ? strrchr(clean, '/') + 1 : clean;
    last = strrchr(last, '\\') ? strrchr(last, '\\') + 1 : last;
    GString *out = g_string_new(NULL);
    int count = 0;
    for (const char *at = last; *at && count < NAME_CHARACTERS; at = g_utf8_next_char(at), count++) {
        gunichar c = g_utf8_get_char(at);
        bool kept = g_unichar_isalnum(c) || (c < 128 && strchr("._-+ ()", (int)c));
        g_string_append_unichar(out, kept ? c : '_');
    }
    while (out->len > 0 && (out->str[0] == '.' || out->str[0] == ' '))
        g_string_erase(out, 0, 1);
    g_string_append(out, out->len > 0 ? ".bin" : "artefact.bin");
    return g_string_free(out, FALSE);
}

/* ---- Adding and opening ------------------------------------------------------------------------------------- */
bool csirt_artefact_add(VigieStore *store, const VigieTeam *team, const char *author, int64_t id,
                        int64_t message, const char *name, VigieBytes content, VigieTime now, int64_t *ret_id,
                        GError **error) {
    g_auto(Case) of = {0};
    int64_t added = 0;
    const VigieSeal *seal = need_key(team, error);
    const VigieBytes nothing = vigie_bytes("", 0);
    if (!seal || !csirt_length_check("name", name, CSIRT_LINE_MAX, error))
        return false;
    if (content.size > CSIRT_ARTEFACT_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "artefact: %d MiB at most",
                    CSIRT_ARTEFACT_MAX >> 20);
        return false;
    }
    g_autofree char *clean = csirt_line_clean(name), *sha256 = csirt_sha256(content);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, NULL, id, &of, error) ||
        !store_get_int(
            store, &added, error,
            "INSERT INTO csirt_artefact (case_id, message_id, name, size, sha256, added, author, sealed) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            "iitititb", id, message, clean, (int64_t)content.size, sha256, now, author ? author : "",
            &nothing) ||
        !store_seal_put(store, seal, &csirt_sealed, added, content, error) ||
        !entry_add(store, id, author, "artefact",
                   json_pack("{s:I, s:s, s:s, s:I}", "artefact", (json_int_t)added, "name", clean, "sha256",
                             sha256, "size", (json_int_t)content.size),
                   now, error) ||
        !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = added;
    return true;
}

typedef struct {
    int64_t case_id;
    char *name, *sha256;
} Kept;

static void kept_clear(Kept *kept) {
    g_free(kept->name);
    g_free(kept->sha256);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Kept, kept_clear)

static bool load_kept(VigieStore *store, int64_t artefact, Kept *ret_kept, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT case_id, name, sha256 FROM csirt_artefact WHERE id = $1", "i", artefact);
    if (!rows_first(rows, error, "artefact %" PRId64 ": there is none", artefact))
        return false;
    *ret_kept = (Kept){rows_int(rows, 0), g_strdup(rows_text(rows, 1)), g_strdup(rows_text(rows, 2))};
    return true;
}

GBytes *csirt_artefact_open(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who,
                            int64_t artefact, VigieTime now, char **ret_name, GError **error) {
    g_auto(Kept) kept = {0};
    g_auto(Case) of = {0};
    GError *failure = NULL;
    const VigieSeal *seal = NULL;
    if (!csirt_may(who, error) || !(seal = need_key(team, error)) ||
        !load_kept(store, artefact, &kept, error))
        return NULL;
    if (!case_load(store, who, kept.case_id, &of, &failure)) {
        if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
            g_clear_error(&failure);
            g_set_error(&failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "artefact %" PRId64 ": there is none",
                        artefact);
        }
        g_propagate_error(error, failure);
        return NULL;
    }
    g_autoptr(GBytes) clear = store_seal_get(store, seal, &csirt_sealed, artefact, error);
    g_autoptr(VigieTransaction) tx = clear ? store_begin(store, error) : NULL;
    if (!tx || !reading_add(store, who, &of, "artefact", now, error) ||
        !entry_add(store, kept.case_id, analyst_name(who), "artefact-opened",
                   json_pack("{s:I, s:s}", "artefact", (json_int_t)artefact, "sha256", kept.sha256), now,
                   error) ||
        !store_commit(&tx, error))
        return NULL;
    *ret_name = harmless_name(kept.name);
    return g_steal_pointer(&clear);
}
