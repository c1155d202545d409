/* shim.c: SoftHSM, with what it does not do by itself: a PIN that locks, a token that may not be written to. A PKCS#11 module
 * that hands on every call but those that $VIGIE_TOKEN_SHIM changes: "locked", "last" (one try left), "read-only". */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdlib.h>
#include <string.h>

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST changed;

static int is(const char *what) {
    const char *wanted = getenv("VIGIE_TOKEN_SHIM");
    return wanted && strcmp(wanted, what) == 0;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
    CK_RV code = real->C_GetTokenInfo(slot, info);
    if (code == CKR_OK)
        info->flags |= is("locked")      ? CKF_USER_PIN_LOCKED
                       : is("last")      ? CKF_USER_PIN_FINAL_TRY
                       : is("read-only") ? CKF_WRITE_PROTECTED
                                         : 0;
    return code;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR data, CK_NOTIFY notify,
                          CK_SESSION_HANDLE_PTR session) {
    if (is("read-only") && (flags & CKF_RW_SESSION))
        return CKR_TOKEN_WRITE_PROTECTED;
    return real->C_OpenSession(slot, flags, data, notify, session);
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG size) {
    return is("locked") ? CKR_PIN_LOCKED : real->C_Login(session, user, pin, size);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
    void *library = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;
    if (library)
        *(void **)&get = dlsym(library, "C_GetFunctionList"); /* as dlsym(3) has it */
    if (!get || get(&real) != CKR_OK)
        return CKR_GENERAL_ERROR;
    changed = *real;
    changed.C_GetTokenInfo = get_token_info;
    changed.C_OpenSession = open_session;
    changed.C_Login = login;
    *list = &changed;
    return CKR_OK;
}
