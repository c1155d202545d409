/* Building a message with GMime. */
#include "mail/message.h"

#include <string.h>

enum {
    SUBJECT_MAX = 500,
    TEXT_MAX = 1 << 20,
    FILES_MAX = 20 << 20,
    IDENTIFIER_MAX = 250,
    REFERENCES_MAX = 20
};

/* ---- What is refused ---- */
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

/* "LEFT@RIGHT" of visible characters, so that it can stand in brackets. */
static bool check_identifier(const char *id, GError **error) {
    bool valid = strchr(id, '@') && strlen(id) <= IDENTIFIER_MAX && g_utf8_validate(id, -1, NULL);
    for (const char *p = id; *p; p++)
        valid = valid && g_ascii_isgraph(*p) && *p != '<' && *p != '>';
    if (!valid)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "mail: RFC 5322 3.6.4: “%s” is no message identifier, such as 123.abc@chu.test", id);
    return valid;
}

static bool check_fields(const VigieMail *mail, const char *id, GError **error) {
    if (!message_refuse_controls("subject", mail->subject, error) || !check_identifier(id, error) ||
        !message_refuse_controls("language", mail->lang ? mail->lang : "", error) ||
        !message_refuse_controls("Auto-Submitted", mail->auto_submitted ? mail->auto_submitted : "", error) ||
        (mail->in_reply_to && !check_identifier(mail->in_reply_to, error)))
        return false;
    for (size_t i = 0; mail->references && mail->references[i]; i++)
        if (!check_identifier(mail->references[i], error))
            return false;
    return true;
}

static bool check_files(const VigieMail *mail, GError **error) {
    gsize total = 0;
    for (size_t i = 0; i < mail->file_count; i++) {
        total += g_bytes_get_size(mail->files[i].content);
        if (!message_refuse_controls("name of a file", mail->files[i].name, error) ||
            !message_refuse_controls("type of a file", mail->files[i].type ? mail->files[i].type : "", error))
            return false;
    }
    if (total <= FILES_MAX)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                "mail: the attachments are larger than %d MiB together; share them otherwise",
                FILES_MAX >> 20);
    return false;
}

/* ---- The body ---- */
static GMimeDataWrapper *wrap(const void *data, size_t size) {
    g_autoptr(GMimeStream) stream = g_mime_stream_mem_new_with_buffer(data, size);
    return g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
}

/* Not a GMimeTextPart: that would pick ISO-8859-1 for French. */
static GMimePart *text_part(const char *text) {
    g_autofree char *flowed = mail_text_flow(text);
    g_autoptr(GMimeDataWrapper) content = wrap(flowed, strlen(flowed));
    GMimePart *part = g_mime_part_new_with_type("text", "plain");
    g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset", "utf-8");
    g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "format", "flowed");
    g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    g_mime_part_set_content(part, content);
    return part;
}

static GMimePart *file_part(const VigieMailFile *file) {
    g_auto(GStrv) type = g_strsplit(file->type ? file->type : "application/octet-stream", "/", 2);
    gsize size = 0;
    const void *data = g_bytes_get_data(file->content, &size);
    g_autoptr(GMimeDataWrapper) content = wrap(data, size);
    GMimePart *part = g_mime_part_new_with_type(type[0], type[0] && type[1] ? type[1] : "octet-stream");
    g_mime_object_set_disposition(GMIME_OBJECT(part), "attachment");
    g_mime_part_set_filename(part, file->name);
    g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
    g_mime_part_set_content(part, content);
    return part;
}

static GMimeObject *make_body(const VigieMail *mail) {
    g_autoptr(GMimePart) text = text_part(mail->text);
    if (mail->file_count == 0)
        return GMIME_OBJECT(g_steal_pointer(&text));
    GMimeMultipart *multipart = g_mime_multipart_new_with_subtype("mixed");
    g_mime_multipart_add(multipart, GMIME_OBJECT(text));
    for (size_t i = 0; i < mail->file_count; i++) {
        g_autoptr(GMimePart) part = file_part(&mail->files[i]);
        g_mime_multipart_add(multipart, GMIME_OBJECT(part));
    }
    return GMIME_OBJECT(multipart);
}

/* ---- The header ---- */
static void set_references(GMimeObject *object, const VigieMail *mail) {
    if (mail->in_reply_to) {
        g_autofree char *value = g_strdup_printf("<%s>", mail->in_reply_to);
        g_mime_object_set_header(object, "In-Reply-To", value, "utf-8");
    }
    size_t count = mail->references ? g_strv_length((char **)mail->references) : 0;
    g_autoptr(GString) value = g_string_new(NULL);
    for (size_t i = count > REFERENCES_MAX ? count - REFERENCES_MAX : 0; i < count; i++)
        g_string_append_printf(value, "%s<%s>", value->len ? " " : "", mail->references[i]);
    if (value->len)
        g_mime_object_set_header(object, "References", value->str, "utf-8");
}

static void set_origin(GMimeObject *object, const VigieMail *mail) {
    const char *automatic = mail->auto_submitted ? mail->auto_submitted : "auto-generated"; /* RFC 3834 5 */
    g_autofree char *own = mail_address(mail->from, NULL);
    g_mime_object_set_header(object, "X-Loop", own, "utf-8");
    if (strcmp(automatic, "no") != 0)
        g_mime_object_set_header(object, "Auto-Submitted", automatic, "utf-8");
    if (mail->lang)
        g_mime_object_set_header(object, "Content-Language", mail->lang, "utf-8");
}

static GMimeMessage *make_header(const VigieMail *mail, const char *id, VigieTime date, GTimeZone *zone,
                                 GError **error) {
    g_autoptr(InternetAddress) from = message_mailbox(mail->from, error);
    g_autoptr(InternetAddress) to = from ? message_mailbox(mail->to, error) : NULL;
    if (!to)
        return NULL;
    GMimeMessage *message = g_mime_message_new(FALSE);
    internet_address_list_add(g_mime_message_get_from(message), from);
    internet_address_list_add(g_mime_message_get_to(message), to);
    g_mime_message_set_subject(message, mail->subject, "utf-8");
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(date);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
    g_mime_message_set_date(message, local);
    g_mime_message_set_message_id(message, id);
    set_references(GMIME_OBJECT(message), mail);
    set_origin(GMIME_OBJECT(message), mail);
    return message;
}

/* ---- The whole ---- */
GBytes *message_serialise(GMimeObject *object) {
    g_autoptr(GMimeStream) stream = g_mime_stream_mem_new();
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    GMimeFormatOptions *options = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS);
    g_mime_object_write_to_stream(object, options, stream);
    g_mime_format_options_free(options);
    return g_byte_array_free_to_bytes(g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream)));
}

bool message_check(const VigieMail *mail, const char *id, GError **error) {
    start_gmime();
    g_autoptr(InternetAddress) from = message_mailbox(mail->from, error);
    g_autoptr(InternetAddress) to = from ? message_mailbox(mail->to, error) : NULL;
    return to && check_sizes(mail, error) && check_fields(mail, id, error) && check_files(mail, error);
}

GBytes *mail_build(const VigieMail *mail, const char *id, VigieTime date, GTimeZone *zone, GError **error) {
    start_gmime();
    if (!check_sizes(mail, error) || !check_fields(mail, id, error) || !check_files(mail, error))
        return NULL;
    g_autoptr(GMimeMessage) message = make_header(mail, id, date, zone, error);
    if (!message)
        return NULL;
    g_autoptr(GMimeObject) body = make_body(mail);
    if (message_sealed(mail))
        return message_seal(mail, message, body, error);
    g_mime_message_set_mime_part(message, body);
    return message_serialise(GMIME_OBJECT(message));
}
