/* The parser's work on one entity: header, verdict, text, attachments, and what has to be opened or verified first. */
#include "mail/read-parts.h"

#include <openssl/evp.h>
#include <string.h>

enum { SIGNED_MAX = 8, ATTACHMENT_MAX = MAIL_READ_MAX, COPIES_MAX = 96 << 20 };

#define PGP_MESSAGE "-----BEGIN PGP MESSAGE-----"
#define PGP_SIGNED "-----BEGIN PGP SIGNED MESSAGE-----"
#define PGP_MESSAGE_END "-----END PGP MESSAGE-----"
#define PGP_SIGNED_END "-----END PGP SIGNATURE-----"

static void visit(Reading *reading, const Part *part, bool body);

/* ---- Bytes for the owner ---- */
static size_t keep(Reading *reading, const void *data, size_t size) {
    size_t offset = reading->content->len;
    g_byte_array_append(reading->content, data, (guint)size);
    return offset;
}

/* RFC 3156 5: a signature is over CRLF line ends, whatever became of them on the way. */
static size_t keep_canonical(Reading *reading, VigieBytes bytes, size_t *ret_size) {
    g_autoptr(GByteArray) out = g_byte_array_sized_new((guint)bytes.size + 64);
    size_t start = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] != '\n' || (i > 0 && bytes.data[i - 1] == '\r'))
            continue;
        g_byte_array_append(out, bytes.data + start, (guint)(i - start));
        g_byte_array_append(out, (const guint8 *)"\r", 1);
        start = i;
    }
    g_byte_array_append(out, bytes.data + start, (guint)(bytes.size - start));
    *ret_size = out->len;
    return keep(reading, out->data, out->len);
}

static char *sha256_of(const GByteArray *bytes) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(bytes->data, bytes->len, digest, &size, EVP_sha256(), NULL);
    return vigie_hex_text(vigie_bytes(digest, size));
}

/* ---- Attachments ---- */
/* What a nameless part is called after. */
static const struct {
    const char *type, *extension;
} extensions[] = {
    {"text/plain", ".txt"},
    {"text/html", ".html"},
    {"text/calendar", ".ics"},
    {"image/png", ".png"},
    {"image/jpeg", ".jpg"},
    {"image/gif", ".gif"},
    {"application/pdf", ".pdf"},
    {"message/rfc822", ".eml"},
    {"application/zip", ".zip"},
    {"application/pgp-keys", ".asc"},
    {"text/csv", ".csv"},
    {"application/json", ".json"},
    {"text/rfc822-headers", ".txt"},
};

static char *attachment_name(const Reading *reading, const Part *part) {
    const char *extension = ".bin";
    for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
        if (part_is(part, extensions[i].type))
            extension = extensions[i].extension;
    g_autofree char *fallback = g_strdup_printf("part-%s%s", part->path, extension);
    g_autofree char *decoded = field_text(reading, part->name);
    if (decoded || !part_is(part, "message/rfc822"))
        return harmless_name(decoded, fallback);
    g_autofree char *raw = field_find(part->body, "Subject");
    g_autofree char *subject = field_text(reading, raw);
    g_autofree char *name = subject && *subject ? g_strconcat(subject, ".eml", NULL) : NULL;
    return harmless_name(name, fallback);
}

static json_t *attach(Reading *reading, const Part *part, bool shown) {
    g_autoptr(GByteArray) bytes = body_decode(reading, part, ATTACHMENT_MAX);
    g_autofree char *name = attachment_name(reading, part);
    g_autofree char *sha256 = sha256_of(bytes);
    size_t offset = keep(reading, bytes->data, bytes->len);
    json_t *attachment =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:b, s:b, s:b}", "name", name, "type", part->type, "part",
                  part->path, "offset", (json_int_t)offset, "size", (json_int_t)bytes->len, "sha256", sha256,
                  "inline", shown, "message", part_is(part, "message/rfc822"), "encrypted", 0);
    json_array_append_new(json_object_get(reading->about, "attachments"), attachment);
    return attachment;
}

/* ---- Text ---- */
static void append_text(Reading *reading, const char *text, const char *from) {
    if (!*text || reading->text->len >= MAIL_READ_TEXT)
        return;
    if (reading->text->len > 0)
        g_string_append(reading->text, g_str_has_suffix(reading->text->str, "\n") ? "\n" : "\n\n");
    g_string_append(reading->text, text);
    if (strcmp(reading->text_from, "none") == 0)
        reading->text_from = from;
    if (reading->text->len <= MAIL_READ_TEXT)
        return;
    size_t cut = MAIL_READ_TEXT;
    while (cut > 0 && (reading->text->str[cut] & 0xC0) == 0x80)
        cut--;
    g_string_truncate(reading->text, cut);
    reading_problem(reading, "text-cut");
}

/* RFC 9788 3: what repeats the header for programs that do not know protected ones goes. */
static char *without_legacy_header(const Part *part, char *text) {
    if (strcmp(part_parameter(part, "hp-legacy-display"), "1") != 0)
        return text;
    char *end = strstr(text, "\n\n");
    char *rest = g_strdup(end ? end + 2 : text);
    g_free(text);
    return rest;
}

/* An armored block at a line's start, in bytes as they were signed. */
static bool find_block(const GByteArray *bytes, const char *begin, const char *end, size_t *ret_start,
                       size_t *ret_size) {
    const uint8_t *start = memmem(bytes->data, bytes->len, begin, strlen(begin));
    if (!start || (start > bytes->data && start[-1] != '\n'))
        return false;
    size_t left = bytes->len - (size_t)(start - bytes->data);
    const uint8_t *stop = memmem(start, left, end, strlen(end));
    if (!stop)
        return false;
    *ret_start = (size_t)(start - bytes->data);
    *ret_size = (size_t)(stop - start) + strlen(end);
    return true;
}

/* One layer a message; what is inside may hold the next. */
static void note_sealed(Reading *reading, const char *kind, size_t offset, size_t size, const char *charset,
                        bool whole) {
    json_t *sealed = json_object_get(reading->about, "sealed");
    g_autofree char *clean = clean_text(charset, strlen(charset), false);
    if (json_array_size(sealed) < 1)
        json_array_append_new(sealed, json_pack("{s:s, s:I, s:I, s:s, s:b}", "kind", kind, "offset",
                                                (json_int_t)offset, "size", (json_int_t)size, "charset",
                                                clean, "whole", whole));
    else
        reading_problem(reading, "not-examined");
}

static void look_for_inline(Reading *reading, const Part *part) {
    g_autoptr(GByteArray) bytes = body_decode(reading, part, ATTACHMENT_MAX);
    size_t start = 0, size = 0;
    const char *charset = part_parameter(part, "charset");
    if (find_block(bytes, PGP_MESSAGE, PGP_MESSAGE_END, &start, &size))
        note_sealed(reading, "pgp-inline", keep(reading, bytes->data + start, size), size, charset, false);
    else if (find_block(bytes, PGP_SIGNED, PGP_SIGNED_END, &start, &size))
        note_sealed(reading, "pgp-clear", keep(reading, bytes->data + start, size), size, charset, false);
}

static void take_text(Reading *reading, const Part *part) {
    bool html = part_is(part, "text/html");
    g_autofree char *text = body_text(reading, part);
    if (html) {
        char *plain = html_to_text(text);
        g_free(text);
        text = plain;
    } else if (strstr(text, "-----BEGIN PGP ")) {
        look_for_inline(reading, part);
    }
    text = without_legacy_header(part, text);
    append_text(reading, text, html ? "html" : "plain");
}

/* ---- Choosing ---- */
static bool is_text(const Part *part) {
    return (part_is(part, "text/plain") || part_is(part, "text/html")) && !part->attachment &&
           !(part->name && !part->inlined);
}

/* Whether there is text of that type to be read below. */
static bool offers(const Part *part, const char *type) {
    for (guint i = 0; part->children && i < part->children->len; i++)
        if (offers(part->children->pdata[i], type))
            return true;
    if (part->children || !is_text(part) || !part_is(part, type))
        return false;
    for (size_t i = 0; i < part->body.size; i++)
        if (!g_ascii_isspace(part->body.data[i]))
            return true;
    return false;
}

/* One of them is read; of the others what is no text is attached. */
static void visit_alternative(Reading *reading, const Part *part, bool body) {
    static const char *const wanted[] = {"text/plain", "text/html"};
    guint chosen = part->children->len;
    for (size_t w = 0; body && w < G_N_ELEMENTS(wanted) && chosen == part->children->len; w++)
        for (guint i = 0; i < part->children->len && chosen == part->children->len; i++)
            if (offers(part->children->pdata[i], wanted[w]))
                chosen = i;
    for (guint i = 0; i < part->children->len; i++) {
        const Part *child = part->children->pdata[i];
        if (i == chosen || child->children || !is_text(child))
            visit(reading, child, i == chosen);
    }
}

static void note_signed(Reading *reading, const Part *part, const char *kind) {
    json_t *list = json_object_get(reading->about, "signed");
    const Part *covered = part->children->pdata[0], *signature = part->children->pdata[1];
    if (json_array_size(list) >= SIGNED_MAX || reading->content->len + 2 * covered->whole.size > COPIES_MAX) {
        reading_problem(reading, "not-examined");
        return;
    }
    g_autoptr(GByteArray) bytes = body_decode(reading, signature, ATTACHMENT_MAX);
    size_t size = 0, offset = keep_canonical(reading, covered->whole, &size);
    size_t signature_offset = keep(reading, bytes->data, bytes->len);
    json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:b}", "kind", kind, "offset",
                                          (json_int_t)offset, "size", (json_int_t)size, "signature",
                                          (json_int_t)signature_offset, "signature_size",
                                          (json_int_t)bytes->len, "whole", strcmp(part->path, "1") == 0));
}

static bool visit_signed(Reading *reading, const Part *part, bool body) {
    if (!part_is(part, "multipart/signed") || part->children->len != 2)
        return false;
    const Part *covered = part->children->pdata[0], *signature = part->children->pdata[1];
    bool pgp = part_is(signature, "application/pgp-signature");
    bool cms = part_is(signature, "application/pkcs7-signature") ||
               part_is(signature, "application/x-pkcs7-signature");
    if (!pgp && !cms)
        return false;
    note_signed(reading, part, pgp ? "pgp-mime" : "smime");
    visit(reading, covered, body);
    return true;
}

/* RFC 3156 4, also where Exchange made multipart/mixed of it. */
static bool visit_encrypted(Reading *reading, const Part *part) {
    for (guint i = 0; i + 1 < part->children->len; i++) {
        const Part *control = part->children->pdata[i], *sealed = part->children->pdata[i + 1];
        if (!part_is(control, "application/pgp-encrypted") || sealed->children)
            continue;
        json_t *attachment = attach(reading, sealed, false);
        size_t offset = (size_t)json_integer_value(json_object_get(attachment, "offset"));
        size_t size = (size_t)json_integer_value(json_object_get(attachment, "size"));
        note_sealed(reading, "pgp-mime", offset, size, "", strcmp(part->path, "1") == 0);
        return true;
    }
    return false;
}

static void visit_multipart(Reading *reading, const Part *part, bool body) {
    if (visit_signed(reading, part, body) || visit_encrypted(reading, part))
        return;
    if (part_is(part, "multipart/alternative")) {
        visit_alternative(reading, part, body);
        return;
    }
    for (guint i = 0; i < part->children->len; i++)
        visit(reading, part->children->pdata[i], body);
}

static void visit(Reading *reading, const Part *part, bool body) {
    bool cms = part_is(part, "application/pkcs7-mime") || part_is(part, "application/x-pkcs7-mime");
    if (part->children && part->children->len > 0) {
        visit_multipart(reading, part, body);
    } else if (part_is(part, "text/rfc822-headers") && *part_parameter(part, "protected-headers")) {
        /* repeats the header for old programs */
    } else if (!part->children && is_text(part)) {
        if (body)
            take_text(reading, part);
    } else if (part->children) {
        Part whole = *part; /* a multipart without parts: nobody can say what it holds */
        whole.children = NULL;
        if (body)
            take_text(reading, &whole);
        else
            attach(reading, &whole, false);
    } else {
        json_t *attachment = attach(reading, part, part->inlined);
        if (cms)
            note_sealed(reading, "smime", (size_t)json_integer_value(json_object_get(attachment, "offset")),
                        (size_t)json_integer_value(json_object_get(attachment, "size")), "",
                        strcmp(part->path, "1") == 0);
    }
}

/* ---- The whole ---- */
/* Where protected fields stand: the root of what was encrypted or of what is signed. RFC 9788 2.1.1, and "v1" before. */
static void read_protected(Reading *reading, const Part *root, bool layer) {
    const Part *payload = layer ? root : NULL;
    if (part_is(root, "multipart/signed") && root->children && root->children->len == 2)
        payload = root->children->pdata[0];
    bool marked =
        payload && (*part_parameter(payload, "hp") || *part_parameter(payload, "protected-headers"));
    json_object_set_new(reading->about, "protected",
                        marked ? header_protected(reading, payload->header) : json_object());
}

static json_t *empty_about(void) {
    return json_pack("{s:b, s:[], s:n, s:[], s:[], s:[], s:[]}", "readable", 1, "attachments", "encryption",
                     "signatures", "problems", "sealed", "signed");
}

static void finish(Reading *reading, size_t size) {
    json_t *about = reading->about;
    g_autofree char *text = g_utf8_make_valid(reading->text->str, -1);
    json_object_set_new(about, "text", json_string(text));
    json_object_set_new(about, "text_from", json_string(reading->text_from));
    json_object_set_new(about, "size", json_integer((json_int_t)size));
    for (guint i = 0; i < reading->problems->len; i++)
        json_array_append_new(json_object_get(about, "problems"), json_string(reading->problems->pdata[i]));
}

static GMimeParserOptions *new_options(void) {
    GMimeParserOptions *options = g_mime_parser_options_new();
    const char *fallbacks[] = {"utf-8", "windows-1252", NULL};
    g_mime_parser_options_set_fallback_charsets(options, fallbacks);
    return options;
}

/* Request: "layer": what was inside an encrypted or signed layer. Answer: what mail/read.h says, and for the owner
 * "sealed" (to be opened), "signed" (to be verified), "protected" (fields that override). */
bool work_read(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)error;
    start_gmime();
    Reading reading = {.means = means,
                       .options = new_options(),
                       .about = empty_about(),
                       .content = g_byte_array_new(),
                       .problems = g_ptr_array_new(),
                       .text = g_string_new(NULL),
                       .text_from = "none"};
    size_t size = 0;
    const uint8_t *data = g_bytes_get_data(request->bytes, &size);
    if (size > MAIL_READ_MAX)
        reading_problem(&reading, "too-large");
    Part *root = part_parse(&reading, vigie_bytes(data, MIN(size, (size_t)MAIL_READ_MAX)));
    header_describe(&reading, root->header);
    verdict_describe(&reading, root);
    read_protected(&reading, root, json_is_true(json_object_get(request->about, "layer")));
    visit(&reading, root, true);
    finish(&reading, size);
    part_free(root);
    json_decref(answer->about);
    answer->about = reading.about;
    answer->bytes = g_byte_array_free_to_bytes(reading.content);
    g_ptr_array_unref(reading.problems);
    g_string_free(reading.text, TRUE);
    g_mime_parser_options_free(reading.options);
    return true;
}
