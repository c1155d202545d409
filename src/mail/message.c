/* Building a message with GMime. What GMime would let pass (control characters, several addresses) is refused
 * before it sees it. */
#include "mail/read-parts.h"

#include <idn2.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(InternetAddress, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeMessage, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimePart, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeDataWrapper, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeStream, g_object_unref)

enum { SUBJECT_MAX = 500, TEXT_MAX = 1 << 20, ADDRESS_MAX = 254, LOCAL_MAX = 64 };

static bool refuse_controls(const char *what, const char *value, GError **error) {
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

static InternetAddress *parse_mailbox(const char *text, GError **error) {
    if (!refuse_controls("address", text, error))
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
    g_autoptr(InternetAddress) mailbox = parse_mailbox(text, error);
    return mailbox ? g_strdup(internet_address_mailbox_get_idn_addr(INTERNET_ADDRESS_MAILBOX(mailbox)))
                   : NULL;
}

static bool check_sizes(const VigieMail *mail, GError **error) {
    if (strlen(mail->subject) > SUBJECT_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "mail: the subject is longer than %d bytes; shorten it", SUBJECT_MAX);
        return false;
    }
    if (strlen(mail->text) > TEXT_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "mail: the text is longer than %d bytes; shorten it", TEXT_MAX);
        return false;
    }
    return true;
}

/* Not a GMimeTextPart: that would pick ISO-8859-1 for French. */
static GMimePart *text_part(const char *text) {
    g_autofree char *flowed = mail_text_flow(text);
    g_autoptr(GMimeStream) stream = g_mime_stream_mem_new_with_buffer(flowed, strlen(flowed));
    g_autoptr(GMimeDataWrapper) content =
        g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
    GMimePart *part = g_mime_part_new_with_type("text", "plain");
    g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset", "utf-8");
    g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "format", "flowed");
    g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    g_mime_part_set_content(part, content);
    return part;
}

static GBytes *serialise(GMimeMessage *message) {
    g_autoptr(GMimeStream) stream = g_mime_stream_mem_new();
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    GMimeFormatOptions *options = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS);
    g_mime_object_write_to_stream(GMIME_OBJECT(message), options, stream);
    g_mime_format_options_free(options);
    return g_byte_array_free_to_bytes(g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream)));
}

GBytes *mail_build(const VigieMail *mail, const char *id, VigieTime date, GTimeZone *zone, GError **error) {
    if (!check_sizes(mail, error) || !refuse_controls("subject", mail->subject, error) ||
        !refuse_controls("identifier", id, error) ||
        !refuse_controls("language", mail->lang ? mail->lang : "", error))
        return NULL;
    g_autoptr(InternetAddress) from = parse_mailbox(mail->from, error);
    g_autoptr(InternetAddress) to = from ? parse_mailbox(mail->to, error) : NULL;
    if (!to)
        return NULL;
    g_autoptr(GMimeMessage) message = g_mime_message_new(FALSE);
    internet_address_list_add(g_mime_message_get_from(message), from);
    internet_address_list_add(g_mime_message_get_to(message), to);
    g_mime_message_set_subject(message, mail->subject, "utf-8");
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(date);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
    g_mime_message_set_date(message, local);
    g_mime_message_set_message_id(message, id);
    GMimeObject *object = GMIME_OBJECT(message);
    g_mime_object_set_header(object, "Auto-Submitted", "auto-generated", "utf-8"); /* RFC 3834 5 */
    if (mail->lang)
        g_mime_object_set_header(object, "Content-Language", mail->lang, "utf-8");
    g_autoptr(GMimePart) part = text_part(mail->text);
    g_mime_message_set_mime_part(message, GMIME_OBJECT(part));
    return serialise(message);
}
