/* PGP/MIME (RFC 3156) with protected header fields (RFC 9788).
 *
 * Written by hand around what GMime made: a signature is over exact bytes, and what is encrypted carries the real header
 * before its own. */
#include "mail/message.h"

#include <string.h>

bool message_sealed(const VigieMail *mail) {
    return mail->sign_with || (mail->encrypt_to && mail->encrypt_to[0]);
}

static char *header_text(GMimeMessage *message) {
    GMimeFormatOptions *options = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS);
    g_mime_format_options_add_hidden_header(options, "MIME-Version");
    char *text = g_mime_header_list_to_string(g_mime_object_get_header_list(GMIME_OBJECT(message)), options);
    g_mime_format_options_free(options);
    return text;
}

/* RFC 9788 2.2: what the outer header says, within, so that the reader's program knows what was hidden. */
static void append_outer(GString *out, const char *outer) {
    for (const char *line = outer; *line;) {
        const char *end = strchrnul(line, '\n');
        if (*line != ' ' && *line != '\t')
            g_string_append(out, "HP-Outer: ");
        g_string_append_len(out, line, end - line + (*end != '\0'));
        line = *end ? end + 1 : end;
    }
}

/* Header and body as they are signed or encrypted. */
static GBytes *payload_bytes(const char *inner, const char *outer, GMimeObject *payload, bool encrypted) {
    g_mime_object_set_content_type_parameter(payload, "hp", encrypted ? "cipher" : "clear");
    g_mime_object_set_content_type_parameter(payload, "protected-headers",
                                             "v1"); /* for who knows the draft alone */
    g_autoptr(GBytes) body = message_serialise(payload);
    GString *out = g_string_new(inner);
    if (encrypted)
        append_outer(out, outer);
    gsize size = 0;
    const char *data = g_bytes_get_data(body, &size);
    g_string_append_len(out, data, (gssize)size);
    return g_string_free_to_bytes(out);
}

static void append_bytes(GString *out, GBytes *bytes) {
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    g_string_append_len(out, data, (gssize)size);
}

/* gpg writes LF. */
static void append_armor(GString *out, GBytes *armor) {
    gsize size = 0;
    const char *data = g_bytes_get_data(armor, &size);
    for (gsize i = 0; i < size; i++) {
        if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
            g_string_append_c(out, '\r');
        g_string_append_c(out, data[i]);
    }
}

static GBytes *encrypted(const VigieMail *mail, const char *outer, GBytes *payload, const char *boundary,
                         GError **error) {
    g_autoptr(GBytes) armor = mail_encrypt(mail->cell, payload, mail->sign_with, mail->encrypt_to, error);
    if (!armor)
        return NULL;
    GString *out = g_string_new(outer);
    g_string_append_printf(out,
                           "MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; boundary=\"%s\";\r\n"
                           "\tprotocol=\"application/pgp-encrypted\"\r\n\r\n"
                           "--%s\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"
                           "--%s\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n"
                           "Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n",
                           boundary, boundary, boundary);
    append_armor(out, armor);
    g_string_append_printf(out, "\r\n--%s--\r\n", boundary);
    return g_string_free_to_bytes(out);
}

static GBytes *signed_alone(const VigieMail *mail, const char *outer, GBytes *payload, const char *boundary,
                            GError **error) {
    g_auto(Parcel) made = {0};
    json_t *about = json_pack("{s:s, s:s}", "op", "sign", "sign", mail->sign_with);
    if (!cell_ask(mail->cell, ROOM_KEYS, about, payload, &made, error))
        return NULL;
    GString *out = g_string_new(outer);
    g_string_append_printf(
        out,
        "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=\"%s\"; micalg=%s;\r\n"
        "\tprotocol=\"application/pgp-signature\"\r\n\r\n--%s\r\n",
        boundary, json_string_value(json_object_get(made.about, "micalg")), boundary);
    append_bytes(out, payload);
    g_string_append_printf(out,
                           "\r\n--%s\r\nContent-Type: application/pgp-signature; name=\"signature.asc\"\r\n"
                           "Content-Disposition: attachment; filename=\"signature.asc\"\r\n\r\n",
                           boundary);
    append_armor(out, made.bytes);
    g_string_append_printf(out, "\r\n--%s--\r\n", boundary);
    return g_string_free_to_bytes(out);
}

GBytes *message_seal(const VigieMail *mail, GMimeMessage *outer, GMimeObject *payload, GError **error) {
    bool hidden = mail->encrypt_to && mail->encrypt_to[0];
    if (!mail->cell) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                            "mail: a seal was asked for without a cell");
        return NULL;
    }
    g_autofree char *inner_text = header_text(outer);
    if (hidden) {
        g_mime_message_set_subject(outer, "...", "utf-8");
        g_mime_object_remove_header(GMIME_OBJECT(outer), "Content-Language");
    }
    g_autofree char *outer_text = header_text(outer);
    g_autoptr(GBytes) bytes = payload_bytes(inner_text, outer_text, payload, hidden);
    g_autofree char *boundary = g_uuid_string_random();
    return hidden ? encrypted(mail, outer_text, bytes, boundary, error)
                  : signed_alone(mail, outer_text, bytes, boundary, error);
}
