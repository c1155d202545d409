/* page-receipt: coming back with a receipt; and checking that a call or a mail is the team's. */
#include "portal/account.h"
#include "portal/declare.h"

#include <string.h>

/* ---- Who has a receipt -------------------------------------------------------------------------------------- */
typedef struct {
    char *reference, *code;
} Receipt;

static void receipt_clear(Receipt *receipt) {
    g_free(receipt->reference);
    g_free(receipt->code);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Receipt, receipt_clear)

/* The page's form has both as fields; a program gives them as HTTP's Basic credentials (RFC 7617). Neither is ever in an address. */
static Receipt receipt_of(const Request *request) {
    const char *field = request_field(request, "authorization");
    if (field && g_ascii_strncasecmp(field, "Basic ", 6) == 0) {
        gsize size = 0;
        g_autofree guchar *bytes = g_base64_decode(field + 6, &size);
        g_autofree char *text = g_strndup((const char *)bytes, size);
        char *colon = g_utf8_validate(text, -1, NULL) ? strchr(text, ':') : NULL;
        if (colon)
            return (Receipt){g_strndup(text, (gsize)(colon - text)), g_strdup(colon + 1)};
    }
    const char *reference = request_form(request, "reference"), *code = request_form(request, "code");
    return (Receipt){g_strdup(reference ? reference : ""), g_strdup(code ? code : "")};
}

/* False, and why in words, where it is not to be opened now. Without words: an error. */
static bool open_receipt(Request *request, const Receipt *receipt, int64_t *ret_id, char **ret_why,
                         GError **error) {
    int64_t wait = 0;
    g_autoptr(GError) failure = NULL;
    if (!declare_allowed(request, &declare_limit_receipt, &wait)) {
        g_autofree char *span = vigie_duration_text(request->lang, wait);
        *ret_why = vigie_words(request->lang, "declare.wait.short", "span", span, NULL);
        request->status = 429;
        return false;
    }
    if (csirt_receipt_open(request->store, request->portal->team, receipt->reference, receipt->code, ret_id,
                           &failure))
        return true;
    if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_DENIED)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_why = g_strdup(vigie_word(request->lang, "declare.receipt.wrong"));
    request->status = 403;
    return false;
}

static json_t *receipt_refused(Request *request, const Receipt *receipt, const char *why) {
    if (request->api) {
        g_autofree char *title = g_strdup_printf("portal.error.%u", request->status);
        return json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", vigie_word(VIGIE_EN, title),
                         "status", (int)request->status, "detail", why);
    }
    return json_pack("{s:s, s:s}", "asked", receipt->reference, "wrong", why);
}

/* ---- Adding ------------------------------------------------------------------------------------------------- */
typedef struct {
    const VigieTeam *team;
    int64_t id;
    const char *text, *unique_key;
    const VigieDeclarationFile *files;
    size_t file_count;
    VigieTime now;
} Adding;

static bool write_message(VigieStore *store, void *data, GError **error) {
    const Adding *adding = data;
    return csirt_declaration_add(store, adding->team, adding->id, adding->text, adding->files,
                                 adding->file_count, adding->unique_key, adding->now, error);
}

/* What came of it, as a word's key. */
static const char *add_message(Request *request, int64_t id, const char *text) {
    const char *nonce = request_form(request, "nonce");
    g_autofree char *hash = nonce ? g_compute_checksum_for_string(G_CHECKSUM_SHA256, nonce, -1) : NULL;
    g_autofree char *key = hash ? g_strdup_printf("receipt:%" G_GINT64_FORMAT ":%s", id, hash) : NULL;
    size_t count = 0;
    g_autofree VigieDeclarationFile *files = declare_files(request, &count);
    g_autofree char *whole = declare_text_with_files(request, text), *trimmed = g_strstrip(g_strdup(whole));
    Adding adding = {request->portal->team, id, trimmed, key, files, count, request->now};
    g_autoptr(GError) failure = NULL;
    if (!*trimmed) {
        request->status = 400;
        return "declare.receipt.empty";
    }
    if (store_group_write(request->portal->group, request->store, write_message, &adding, &failure))
        return "declare.receipt.sent";
    g_printerr("portal: a message to a case could not be saved: %s\n", failure->message);
    request->status = 503;
    return "declare.receipt.unsaved";
}

/* ---- The page ----------------------------------------------------------------------------------------------- */
RESOURCE(page_receipt_form) {
    if (!declare_ready(request, error))
        return NULL;
    if (request->api)
        return page_receipt(request, error);
    return json_pack("{s:s, s:s}", "asked", "", "wrong", "");
}

RESOURCE(page_receipt) {
    int64_t id = 0;
    g_autofree char *why = NULL;
    if (!declare_ready(request, error))
        return NULL;
    g_auto(Receipt) receipt = receipt_of(request);
    if (!open_receipt(request, &receipt, &id, &why, error))
        return why ? receipt_refused(request, &receipt, why) : NULL;
    const char *text = request_form(request, "text");
    const char *came = text ? add_message(request, id, text) : NULL;
    json_t *state = csirt_receipt_get(request->store, id, request->now, error);
    if (state && came)
        json_object_set_new(state, "came", json_string(vigie_word(request->lang, came)));
    if (state && request->status >= 400)
        json_object_set_new(state, "kept", json_string(text));
    return state;
}

static void dress_messages(json_t *messages) {
    for (size_t i = 0; i < json_array_size(messages); i++) {
        json_t *message = json_array_get(messages, i);
        const char *direction = json_string_value(json_object_get(message, "direction"));
        json_object_set_new(message, "yours", json_boolean(g_strcmp0(direction, "in") == 0));
    }
}

DRESS(dress_receipt) {
    (void)error;
    const char *state = json_string_value(json_object_get(view, "state"));
    declare_add_team(request, view);
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "declare.receipt.title")));
    if (!state)
        return true;
    g_auto(Receipt) receipt = receipt_of(request);
    g_autofree char *nonce = account_secret_new(), *key = g_strconcat("declare.state.", state, NULL);
    json_object_set_new(view, "state_words", json_string(vigie_word(request->lang, key)));
    json_object_set_new(view, "code", json_string(receipt.code));
    json_object_set_new(view, "nonce", json_string(nonce));
    json_object_set_new(view, "opened", json_true());
    json_object_set_new(view, "files", json_boolean(declare_takes_files(request)));
    json_object_set_new(view, "well", json_boolean(request->status < 400));
    dress_messages(json_object_get(view, "messages"));
    return true;
}

/* ---- Is it really you? -------------------------------------------------------------------------------------- */
RESOURCE(page_verify_form) {
    return declare_ready(request, error) ? json_pack("{s:s, s:s}", "reference", "", "code", "") : NULL;
}

RESOURCE(page_verify) {
    int64_t wait = 0;
    bool genuine = false;
    if (!declare_ready(request, error))
        return NULL;
    g_auto(Receipt) receipt = receipt_of(request);
    if (!declare_allowed(request, &declare_limit_check, &wait)) {
        g_autofree char *span = vigie_duration_text(request->lang, wait);
        g_autofree char *why = vigie_words(request->lang, "declare.wait.short", "span", span, NULL);
        request->status = 429;
        return json_pack("{s:s, s:s, s:s}", "reference", receipt.reference, "code", receipt.code, "wait",
                         why);
    }
    if (!csirt_notice_genuine(request->store, request->portal->team, receipt.reference, receipt.code,
                              &genuine, error))
        return NULL;
    return json_pack("{s:s, s:s, s:b}", "reference", receipt.reference, "code", receipt.code, "genuine",
                     genuine);
}

DRESS(dress_verify) {
    (void)error;
    json_object_set_new(view, "not_genuine", json_boolean(json_is_false(json_object_get(view, "genuine"))));
    declare_add_team(request, view);
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "declare.verify.title")));
    return true;
}
