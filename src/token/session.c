/* session.c: p11-kit loads the module and reads the URI; the token is the one that all of the URI fits. */
#include "token/session.h"

#include <string.h>

enum { SLOTS_MAX = 64, PIN_MAX = 255 };

G_DEFINE_AUTOPTR_CLEANUP_FUNC(P11KitUri, p11_kit_uri_free)

/* ---- Refusals -------------------------------------------------------------------------------------------- */
bool p11_refuse(const Session *session, VigieErrorCode code, const char *word, GError **error) {
    g_autofree char *key = g_strconcat("refusal.token.", word, NULL);
    g_autofree char *text = vigie_words(VIGIE_EN, key, "uri", session->shown, NULL);
    g_set_error_literal(error, VIGIE_ERROR, (gint)code, text);
    return false;
}

/* What a wrong PIN costs next: many tokens lock after three. */
static const char *pin_word(const Session *session) {
    CK_TOKEN_INFO info;
    if (session->module->C_GetTokenInfo(session->slot, &info) != CKR_OK)
        return "pin-wrong";
    return info.flags & CKF_USER_PIN_LOCKED      ? "pin-locked"
           : info.flags & CKF_USER_PIN_FINAL_TRY ? "pin-last"
                                                 : "pin-wrong";
}

bool p11_fail(const Session *session, const char *function, CK_RV code, GError **error) {
    static const struct {
        CK_RV code;
        VigieErrorCode as;
        const char *word;
    } known[] = {
        {CKR_PIN_INCORRECT, VIGIE_ERROR_DENIED, "pin-wrong"},
        {CKR_PIN_INVALID, VIGIE_ERROR_DENIED, "pin-wrong"},
        {CKR_PIN_LEN_RANGE, VIGIE_ERROR_DENIED, "pin-wrong"},
        {CKR_PIN_LOCKED, VIGIE_ERROR_DENIED, "pin-locked"},
        {CKR_USER_PIN_NOT_INITIALIZED, VIGIE_ERROR_DENIED, "pin-none"},
        {CKR_DEVICE_REMOVED, VIGIE_ERROR_UNAVAILABLE, "removed"},
        {CKR_TOKEN_NOT_PRESENT, VIGIE_ERROR_UNAVAILABLE, "removed"},
        {CKR_TOKEN_WRITE_PROTECTED, VIGIE_ERROR_DENIED, "read-only"},
        {CKR_SESSION_READ_ONLY, VIGIE_ERROR_DENIED, "read-only"},
        {CKR_DEVICE_MEMORY, VIGIE_ERROR_LIMIT, "full"},
        {CKR_MECHANISM_INVALID, VIGIE_ERROR_INVALID, "cannot"},
        {CKR_KEY_SIZE_RANGE, VIGIE_ERROR_INVALID, "cannot"},
        {CKR_DOMAIN_PARAMS_INVALID, VIGIE_ERROR_INVALID, "cannot"},
        {CKR_KEY_FUNCTION_NOT_PERMITTED, VIGIE_ERROR_DENIED, "may-not-sign"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (known[i].code == code)
            return p11_refuse(session, known[i].as,
                              strcmp(known[i].word, "pin-wrong") == 0 ? pin_word(session) : known[i].word,
                              error);
    g_autofree char *number = g_strdup_printf("0x%lx", code);
    g_autofree char *text = vigie_words(VIGIE_EN, "refusal.token.other", "uri", session->shown, "function",
                                        function, "cause", p11_kit_strerror(code), "code", number, NULL);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, text);
    return false;
}

/* ---- The URI --------------------------------------------------------------------------------------------- */
bool token_uri_is(const char *text) {
    return g_str_has_prefix(text, "pkcs11:");
}

char *token_uri_beside(const char *text, const char *object) {
    g_autoptr(P11KitUri) uri = p11_kit_uri_new();
    CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)object, strlen(object)};
    char *beside = NULL;
    if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK &&
        p11_kit_uri_clear_attribute(uri, CKA_ID) == P11_KIT_URI_OK &&
        p11_kit_uri_set_attribute(uri, &label) == P11_KIT_URI_OK)
        p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &beside);
    char *copy = g_strdup(beside ? beside : text);
    free(beside);
    return copy;
}

static bool read_uri(Session *session, const char *text, GError **error) {
    session->shown = g_strndup(text, strcspn(text, "?"));
    session->uri = p11_kit_uri_new();
    const P11KitUri *uri = session->uri;
    const char *word = NULL;
    if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, session->uri) != P11_KIT_URI_OK ||
        p11_kit_uri_any_unrecognized(session->uri))
        word = "uri-wrong";
    else if (p11_kit_uri_get_pin_value(session->uri) || p11_kit_uri_get_pin_source(session->uri))
        word = "uri-pin"; /* what names a key stands in files for all to read */
    else if (!p11_kit_uri_get_attribute(session->uri, CKA_LABEL) &&
             !p11_kit_uri_get_attribute(session->uri, CKA_ID))
        word = "uri-object";
    else if (!p11_kit_uri_get_module_path(uri))
        word = "uri-module";
    return !word || p11_refuse(session, VIGIE_ERROR_INVALID, word, error);
}

/* ---- The token ------------------------------------------------------------------------------------------- */
static bool load(Session *session, GError **error) {
    const char *path = p11_kit_uri_get_module_path(session->uri);
    session->module = p11_kit_module_load(path, P11_KIT_MODULE_CRITICAL);
    CK_RV code = session->module ? p11_kit_module_initialize(session->module) : CKR_GENERAL_ERROR;
    session->begun = code == CKR_OK;
    if (session->begun)
        return true;
    const char *why = session->module ? p11_kit_strerror(code) : p11_kit_message();
    g_autofree char *text =
        vigie_words(VIGIE_EN, "refusal.token.module", "path", path, "cause", why ? why : "", NULL);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, text);
    return false;
}

static bool several(const Session *session, const GString *serials, GError **error) {
    g_autofree char *text =
        vigie_words(VIGIE_EN, "refusal.token.several", "uri", session->shown, "serials", serials->str, NULL);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, text);
    return false;
}

static bool is_named(const Session *session, CK_SLOT_ID slot, CK_TOKEN_INFO *ret_info) {
    CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(session->uri);
    return session->module->C_GetTokenInfo(slot, ret_info) == CKR_OK &&
           (ret_info->flags & CKF_TOKEN_INITIALIZED) && (wanted == (CK_SLOT_ID)-1 || wanted == slot) &&
           p11_kit_uri_match_token_info(session->uri, ret_info);
}

static bool find_slot(Session *session, GError **error) {
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_TOKEN_INFO info;
    size_t found = 0;
    g_autoptr(GString) serials = g_string_new(NULL);
    CK_RV code = session->module->C_GetSlotList(CK_TRUE, slots, &count);
    if (code != CKR_OK)
        return p11_fail(session, "C_GetSlotList", code, error);
    for (CK_ULONG i = 0; i < count; i++) {
        if (!is_named(session, slots[i], &info))
            continue;
        g_autofree char *serial = g_strndup((const char *)info.serialNumber, sizeof info.serialNumber);
        g_string_append_printf(serials, "%sserial=%s", found ? ", " : "", g_strchomp(serial));
        session->slot = slots[i];
        found++;
    }
    if (found == 0)
        return p11_refuse(session, VIGIE_ERROR_NOT_FOUND, "absent", error);
    return found == 1 || several(session, serials, error);
}

static bool log_in(Session *session, const VigieTokenAccess *access, GError **error) {
    CK_FLAGS flags = CKF_SERIAL_SESSION | (access->write ? CKF_RW_SESSION : 0);
    CK_RV code = session->module->C_OpenSession(session->slot, flags, NULL, NULL, &session->handle);
    session->open = code == CKR_OK;
    if (!session->open)
        return p11_fail(session, "C_OpenSession", code, error);
    code = session->module->C_Login(session->handle, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)access->pin,
                                    MIN(strlen(access->pin), PIN_MAX));
    return code == CKR_OK || code == CKR_USER_ALREADY_LOGGED_IN || p11_fail(session, "C_Login", code, error);
}

bool p11_open(Session *session, const VigieTokenAccess *access, GError **error) {
    return read_uri(session, access->uri, error) && load(session, error) && find_slot(session, error) &&
           log_in(session, access, error);
}

void p11_clear(Session *session) {
    if (session->open)
        session->module->C_CloseSession(session->handle);
    if (session->begun)
        p11_kit_module_finalize(session->module);
    if (session->module)
        p11_kit_module_release(session->module);
    if (session->uri)
        p11_kit_uri_free(session->uri);
    g_free(session->shown);
}

/* ---- Its objects ----------------------------------------------------------------------------------------- */
bool p11_find(const Session *session, CK_ATTRIBUTE *wanted, size_t wanted_count, CK_OBJECT_HANDLE *ret,
              size_t max, size_t *ret_count, GError **error) {
    CK_ULONG count = 0;
    CK_RV code = session->module->C_FindObjectsInit(session->handle, wanted, wanted_count);
    if (code == CKR_OK) {
        code = session->module->C_FindObjects(session->handle, ret, max, &count);
        session->module->C_FindObjectsFinal(session->handle);
    }
    if (code != CKR_OK)
        return p11_fail(session, "C_FindObjects", code, error);
    *ret_count = count;
    return true;
}

VigieBytes p11_read(const Session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t *buffer,
                    size_t capacity) {
    CK_ATTRIBUTE wanted = {type, buffer, capacity};
    CK_RV code = session->module->C_GetAttributeValue(session->handle, object, &wanted, 1);
    return code == CKR_OK && wanted.ulValueLen <= capacity ? vigie_bytes(buffer, wanted.ulValueLen)
                                                           : (VigieBytes){0};
}
