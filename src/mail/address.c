/* Addresses, with what GMime would let pass (control characters, several of them) refused before it sees it. */
#include "mail/message.h"

#include <idn2.h>
#include <string.h>

enum { ADDRESS_MAX = 254, LOCAL_MAX = 64 };

bool message_refuse_controls(const char *what, const char *value, GError **error) {
    if (!g_utf8_validate(value, -1, NULL)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "mail: the %s is not UTF-8", what);
        return false;
    }
    for (const char *p = value; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_iscntrl(c) || c == 0x2028 || c == 0x2029) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "mail: RFC 5322 2.2: the %s holds the control character U+%04X; remove it", what,
                        (unsigned)c);
            return false;
        }
    }
    return true;
}

/* The dot-atom of RFC 5321 4.1.2: quoted local parts exist in the standard, not in hospitals. */
static bool local_part_valid(const char *local, size_t size) {
    if (size == 0 || size > LOCAL_MAX || local[0] == '.' || local[size - 1] == '.')
        return false;
    for (size_t i = 0; i < size; i++) {
        bool dot_twice = local[i] == '.' && local[i + 1] == '.';
        if (dot_twice || !(g_ascii_isalnum(local[i]) || strchr("!#$%&'*+-/=?^_`{|}~.", local[i])))
            return false;
    }
    return true;
}

static char *ascii_address(const char *address) {
    const char *at = strrchr(address, '@');
    if (!at || !local_part_valid(address, (size_t)(at - address)))
        return NULL;
    char *domain = NULL;
    if (idn2_to_ascii_8z(at + 1, &domain, IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES) != IDN2_OK)
        return NULL;
    g_autofree char *whole = g_strdup_printf("%.*s@%s", (int)(at - address), address, domain);
    bool usable = domain[0] != '\0' && domain[0] != '.' && strlen(whole) <= ADDRESS_MAX;
    idn2_free(domain);
    return usable ? g_steal_pointer(&whole) : NULL;
}

/* GMime forgives: what it made of the text must still be how the text ends. */
static bool ends_with_address(const char *text, const char *address) {
    g_autofree char *stripped = g_strstrip(g_strdup(text));
    g_autofree char *in_brackets = g_strconcat("<", address, ">", NULL);
    return strcmp(stripped, address) == 0 || g_str_has_suffix(stripped, in_brackets);
}

InternetAddress *message_mailbox(const char *text, GError **error) {
    if (!message_refuse_controls("address", text, error))
        return NULL;
    start_gmime();
    g_autoptr(InternetAddressList) list = internet_address_list_parse(NULL, text);
    InternetAddress *only =
        list && internet_address_list_length(list) == 1 ? internet_address_list_get_address(list, 0) : NULL;
    if (only && INTERNET_ADDRESS_IS_MAILBOX(only)) {
        InternetAddressMailbox *mailbox = INTERNET_ADDRESS_MAILBOX(only);
        const char *address = internet_address_mailbox_get_addr(mailbox);
        g_autofree char *ascii = address && ends_with_address(text, address) ? ascii_address(address) : NULL;
        if (ascii) {
            internet_address_mailbox_set_addr(mailbox, ascii);
            internet_address_set_charset(only, "utf-8");
            return g_object_ref(only);
        }
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "mail: “%s” is not one address that SMTP can carry, such as biomed@chu.test or "
                "Biomédical <biomed@chu.test>",
                text);
    return NULL;
}

char *mail_address(const char *text, GError **error) {
    g_autoptr(InternetAddress) mailbox = message_mailbox(text, error);
    return mailbox ? g_strdup(internet_address_mailbox_get_idn_addr(INTERNET_ADDRESS_MAILBOX(mailbox)))
                   : NULL;
}
