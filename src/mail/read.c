/* The owner's side of reading: parse, open a layer, parse what was inside, verify what is signed, and put it together. */
#include "mail/work.h"

#include <string.h>

enum { CONTENT_MAX = 256 << 20 };

/* What is being put together. */
typedef struct {
    VigieMailCell *cell;
    json_t *about;
    GByteArray *content;
    bool malleable; /* a layer was opened that who caught it could have changed */
} Whole;

void mail_read_free(VigieMailRead *read) {
    if (!read)
        return;
    g_clear_pointer(&read->about, json_decref);
    g_clear_pointer(&read->content, g_bytes_unref);
    g_free(read);
}

GBytes *mail_read_attachment(const VigieMailRead *read, const json_t *attachment) {
    json_int_t offset = json_integer_value(json_object_get(attachment, "offset"));
    json_int_t size = json_integer_value(json_object_get(attachment, "size"));
    gsize whole = g_bytes_get_size(read->content);
    if (!json_is_object(attachment) || offset < 0 || size < 0 || (guint64)offset > whole ||
        (guint64)size > whole - (gsize)offset)
        return NULL;
    return g_bytes_new_from_bytes(read->content, (gsize)offset, (gsize)size);
}

static json_t *get(const Whole *whole, const char *member) {
    return json_object_get(whole->about, member);
}

static void add_problem(const Whole *whole, const char *id) {
    json_t *problems = get(whole, "problems"), *known = NULL;
    size_t i = 0;
    json_array_foreach(problems, i, known) if (strcmp(json_string_value(known), id) == 0) return;
    json_array_append_new(problems, json_string(id));
}

/* ---- Asking ---- */
/* A description of what could not be read: every member there, nothing in it. */
static json_t *unreadable(size_t size) {
    return json_pack(
        "{s:b, s:b, s:n, s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:n, s:s, s:n, s:n, s:n, s:b, s:n, "
        "s:s, s:s, s:[], s:n, s:[], s:[], s:I}",
        "readable", 0, "malleable", 0, "message_id", "in_reply_to", "references", "from", "sender",
        "reply_to", "to", "cc", "date", "subject", "", "outer_subject", "language", "automatic", "loop", 0,
        "bounce", "text", "", "text_from", "none", "attachments", "encryption", "signatures", "problems",
        "size", (json_int_t)size);
}

/* In a child of the cell, twice where one died: the machine may have been short of memory. NULL with the error: there
 * is no cell any more; answered with "readable" false: it is this message. */
static bool parse(VigieMailCell *cell, GBytes *bytes, bool layer, Parcel *ret_parsed, GError **error) {
    static const Means none = {0};
    if (!cell) {
        g_autoptr(json_t) about = json_pack("{s:b}", "layer", layer);
        const Parcel request = {about, bytes};
        return work_read(&none, &request, ret_parsed, error);
    }
    for (int i = 0; i < 2; i++) {
        json_t *about = json_pack("{s:s, s:b}", "op", "read", "layer", layer);
        g_autoptr(GError) failure = NULL;
        if (cell_ask(cell, ROOM_PARSER, about, bytes, ret_parsed, &failure))
            return true;
        if (!mail_cell_alive(cell)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
    *ret_parsed = (Parcel){unreadable(g_bytes_get_size(bytes)), g_bytes_new(NULL, 0)};
    return true;
}

/* ---- Putting together ---- */
/* Takes the bytes of `from` after those that are there; its attachments then lie further on. */
static void add_content(Whole *whole, const Parcel *from, bool encrypted) {
    gsize size = 0;
    const void *data = g_bytes_get_data(from->bytes, &size);
    json_int_t shift = whole->content->len;
    size_t i = 0;
    json_t *item = NULL;
    if (whole->content->len + size > CONTENT_MAX) {
        add_problem(whole, "too-large");
        return;
    }
    g_byte_array_append(whole->content, data, (guint)size);
    json_array_foreach(json_object_get(from->about, "attachments"), i, item) {
        json_int_t offset = json_integer_value(json_object_get(item, "offset"));
        json_object_set_new(item, "offset", json_integer(offset + shift));
        if (encrypted)
            json_object_set_new(item, "encrypted", json_true());
        json_array_append(get(whole, "attachments"), item);
    }
}

/* The sealed bytes themselves are no attachment once they are open. */
static void drop_sealed(const Whole *whole, json_int_t offset) {
    json_t *list = get(whole, "attachments");
    for (size_t i = json_array_size(list); i-- > 0;)
        if (json_integer_value(json_object_get(json_array_get(list, i), "offset")) == offset)
            json_array_remove(list, i);
}

/* Fields that travelled protected override those that did not. Of those that who caught the message could have put there no more than
 * what a person reads: what is done of itself, and where answers go, must not tell him that it decrypted. */
static void apply_protected(const Whole *whole, const json_t *fields) {
    static const char *const acted_on[] = {"in_reply_to", "references", "reply_to", "to", "cc"};
    for (size_t i = 0; whole->malleable && i < G_N_ELEMENTS(acted_on); i++)
        json_object_del((json_t *)fields, acted_on[i]);
    const char *outer = json_string_value(get(whole, "subject"));
    const char *inner = json_string_value(json_object_get(fields, "subject"));
    if (inner && outer && strcmp(inner, outer) != 0 && json_is_null(get(whole, "outer_subject")))
        json_object_set_new(whole->about, "outer_subject", json_string(outer));
    json_object_update(whole->about, (json_t *)fields);
    if (json_is_null(get(whole, "subject")))
        json_object_set_new(whole->about, "subject", json_string(""));
}

/* Together no more than one text may have. */
static void set_text(const Whole *whole, char *joined) {
    g_autofree char *text = joined;
    size_t size = strlen(text);
    if (size > MAIL_READ_TEXT) {
        for (size = MAIL_READ_TEXT; size > 0 && (text[size] & 0xC0) == 0x80; size--)
            ;
        add_problem(whole, "text-cut");
    }
    json_object_set_new(whole->about, "text", json_stringn(text, size));
}

/* The block between its markers, in a text that may have been converted since. */
static bool find_block(const char *text, bool clear, size_t *ret_start, size_t *ret_end) {
    const char *begin = clear ? "-----BEGIN PGP SIGNED MESSAGE-----" : "-----BEGIN PGP MESSAGE-----";
    const char *end = clear ? "-----END PGP SIGNATURE-----" : "-----END PGP MESSAGE-----";
    const char *start = strstr(text, begin), *stop = start ? strstr(start, end) : NULL;
    *ret_start = start ? (size_t)(start - text) : 0;
    *ret_end = stop ? (size_t)(stop - text) + strlen(end) : 0;
    return stop != NULL;
}

static bool blank(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!g_ascii_isspace(text[i]))
            return false;
    return true;
}

/* What an inline block said, in its place. Returns whether there was nothing but the block. */
static bool replace_block(const Whole *whole, bool clear, const char *inside) {
    const char *text = json_string_value(get(whole, "text"));
    size_t start = 0, end = 0;
    if (!find_block(text, clear, &start, &end))
        return false;
    bool all = blank(text, start) && blank(text + end, strlen(text + end));
    set_text(whole,
             all ? g_strdup(inside) : g_strdup_printf("%.*s%s%s", (int)start, text, inside, text + end));
    return all;
}

/* The whole body, or one part beside others, as lists make it that add a part of their own. */
static void replace_body(const Whole *whole, const Parcel *inner, bool all) {
    const char *text = json_string_value(get(whole, "text"));
    const char *inside = json_string_value(json_object_get(inner->about, "text"));
    set_text(whole, all || !*text ? g_strdup(inside) : g_strconcat(inside, "\n\n", text, NULL));
    if (*inside)
        json_object_set(whole->about, "text_from", json_object_get(inner->about, "text_from"));
    if (all)
        apply_protected(whole, json_object_get(inner->about, "protected"));
}

static void add_signatures(const Whole *whole, json_t *signatures, bool all) {
    size_t i = 0;
    json_t *signature = NULL;
    json_array_foreach(signatures, i, signature) {
        json_object_set_new(signature, "whole", json_boolean(all));
        json_array_append(get(whole, "signatures"), signature);
    }
}

/* ---- Layers ---- */
static GBytes *slice(const Whole *whole, const json_t *range, const char *offset, const char *size) {
    json_int_t from = json_integer_value(json_object_get(range, offset));
    json_int_t length = json_integer_value(json_object_get(range, size));
    bool inside = from >= 0 && length >= 0 && (guint64)from <= whole->content->len &&
                  (guint64)length <= whole->content->len - (guint64)from;
    return inside && length ? g_bytes_new(whole->content->data + from, (gsize)length) : g_bytes_new(NULL, 0);
}

/* A part of text, so that what was inline is read as any body. */
static GBytes *as_part(const char *charset, GBytes *text) {
    gsize size = 0;
    const void *data = g_bytes_get_data(text, &size);
    GByteArray *part = g_byte_array_new();
    g_autofree char *head = g_strdup_printf("Content-Type: text/plain; charset=\"%s\"\r\n\r\n",
                                            *charset && !strpbrk(charset, "\"\\\r\n") ? charset : "utf-8");
    g_byte_array_append(part, (const guint8 *)head, (guint)strlen(head));
    g_byte_array_append(part, data, (guint)size);
    return g_byte_array_free_to_bytes(part);
}

static void note_encryption(const Whole *whole, const char *kind, const Parcel *opened, bool all) {
    const json_t *reason = json_object_get(opened->about, "error");
    bool well = json_is_true(json_object_get(opened->about, "opened"));
    json_t *keys = json_object_get(opened->about, "keys");
    if (!json_is_null(get(whole, "encryption")) && well)
        return; /* the outermost is told, unless a further one stays closed */
    json_object_set_new(whole->about, "encryption",
                        json_pack("{s:s, s:b, s:b, s:O, s:O?}", "kind", kind, "decrypted", well, "whole", all,
                                  "keys", keys, "error", reason));
}

/* What was inside becomes the message's body. */
static bool take_inside(Whole *whole, const json_t *sealed, Parcel *opened, json_t **ret_next,
                        GError **error) {
    const char *kind = json_string_value(json_object_get(sealed, "kind"));
    const char *charset = json_string_value(json_object_get(sealed, "charset"));
    bool clear = strcmp(kind, "pgp-clear") == 0, block = clear || strcmp(kind, "pgp-inline") == 0;
    bool encrypted = json_is_true(json_object_get(opened->about, "encrypted"));
    g_autoptr(GBytes) part = block ? as_part(charset, opened->bytes) : g_bytes_ref(opened->bytes);
    g_auto(Parcel) inner = {0};
    if (!parse(whole->cell, part, true, &inner, error))
        return false;
    bool all = json_is_true(json_object_get(sealed, "whole"));
    whole->malleable = whole->malleable || json_is_true(json_object_get(opened->about, "malleable"));
    if (block) {
        all = replace_block(whole, clear, json_string_value(json_object_get(inner.about, "text")));
    } else {
        drop_sealed(whole, json_integer_value(json_object_get(sealed, "offset")));
        replace_body(whole, &inner, all);
    }
    guint shift = whole->content->len;
    add_content(whole, &inner, encrypted);
    if (encrypted)
        note_encryption(whole, strcmp(kind, "pgp-clear") ? kind : "pgp-inline", opened, all);
    add_signatures(whole, json_object_get(opened->about, "signatures"), all);
    size_t i = 0;
    json_t *problem = NULL;
    json_array_foreach(json_object_get(inner.about, "problems"), i, problem)
        add_problem(whole, json_string_value(problem));
    if (!json_is_true(json_object_get(inner.about, "readable")))
        json_object_set_new(whole->about, "readable", json_false());
    *ret_next = json_pack("{s:O?, s:O?, s:I}", "sealed", json_object_get(inner.about, "sealed"), "signed",
                          json_object_get(inner.about, "signed"), "shift", (json_int_t)shift);
    return true;
}

/* `next`: { "sealed", "signed", "shift": where their offsets begin }. */
static void shift_ranges(json_t *next) {
    static const char *const lists[] = {"sealed", "signed"}, *const members[] = {"offset", "signature"};
    json_int_t shift = json_integer_value(json_object_get(next, "shift"));
    for (size_t l = 0; l < G_N_ELEMENTS(lists); l++) {
        size_t i = 0;
        json_t *range = NULL;
        json_array_foreach(json_object_get(next, lists[l]), i, range) for (size_t m = 0;
                                                                           m < G_N_ELEMENTS(members); m++) {
            json_t *offset = json_object_get(range, members[m]);
            if (offset)
                json_integer_set(offset, json_integer_value(offset) + shift);
        }
    }
}

/* Where keys cannot be asked, it is said, and the message stays as it came. */
static bool ask_keys(const Whole *whole, json_t *about, GBytes *bytes, Parcel *ret_answer, GError **error) {
    g_autoptr(GError) failure = NULL;
    if (!whole->cell) {
        json_decref(about);
        add_problem(whole, "not-examined");
        return false;
    }
    if (cell_ask(whole->cell, ROOM_KEYS, about, bytes, ret_answer, &failure))
        return true;
    add_problem(whole, "not-examined");
    if (!mail_cell_alive(whole->cell))
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool verify(const Whole *whole, const json_t *ranges, GError **error) {
    size_t i = 0;
    json_t *range = NULL;
    json_array_foreach(ranges, i, range) {
        g_autoptr(GBytes) data = slice(whole, range, "offset", "size");
        g_autoptr(GBytes) signature = slice(whole, range, "signature", "signature_size");
        GByteArray *both = g_byte_array_new();
        g_byte_array_append(both, g_bytes_get_data(data, NULL), (guint)g_bytes_get_size(data));
        g_byte_array_append(both, g_bytes_get_data(signature, NULL), (guint)g_bytes_get_size(signature));
        g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(both);
        json_t *about = json_pack("{s:s, s:O, s:I}", "op", "verify", "kind", json_object_get(range, "kind"),
                                  "split", (json_int_t)g_bytes_get_size(data));
        GError *failure = NULL;
        g_auto(Parcel) answer = {0};
        if (ask_keys(whole, about, bytes, &answer, &failure))
            add_signatures(whole, json_object_get(answer.about, "signatures"),
                           json_is_true(json_object_get(range, "whole")));
        if (failure) {
            g_propagate_error(error, failure);
            return false;
        }
    }
    return true;
}

/* One layer opened. ret_next NULL: there is no further one to be had. */
static bool open_layer(Whole *whole, const json_t *sealed, json_t **ret_next, GError **error) {
    g_autoptr(GBytes) bytes = slice(whole, sealed, "offset", "size");
    json_t *about = json_pack("{s:s, s:O}", "op", "open", "kind", json_object_get(sealed, "kind"));
    const char *kind = json_string_value(json_object_get(sealed, "kind"));
    g_auto(Parcel) opened = {0};
    GError *failure = NULL;
    *ret_next = NULL;
    if (!ask_keys(whole, about, bytes, &opened, &failure)) {
        if (failure)
            g_propagate_error(error, failure);
        return failure == NULL;
    }
    if (json_is_true(json_object_get(opened.about, "opened")))
        return take_inside(whole, sealed, &opened, ret_next, error);
    if (json_is_true(json_object_get(opened.about, "encrypted")))
        note_encryption(whole, kind, &opened, true);
    add_signatures(whole, json_object_get(opened.about, "signatures"), false);
    return true;
}

static bool go_through(Whole *whole, json_t *first, GError **error) {
    g_autoptr(json_t) level = first;
    for (int depth = 0; level; depth++) {
        shift_ranges(level);
        const json_t *sealed = json_array_get(json_object_get(level, "sealed"), 0);
        json_t *next = NULL;
        if (!verify(whole, json_object_get(level, "signed"), error))
            return false;
        if (sealed && depth == MAIL_READ_LAYERS)
            add_problem(whole, "not-examined");
        else if (sealed && !open_layer(whole, sealed, &next, error))
            return false;
        json_decref(level);
        level = next;
    }
    return true;
}

/* ---- The whole ---- */
static VigieMailRead *finish(Whole *whole) {
    static const char *const inner[] = {"sealed", "signed", "protected"};
    for (size_t i = 0; i < G_N_ELEMENTS(inner); i++)
        json_object_del(whole->about, inner[i]);
    json_object_set_new(whole->about, "malleable", json_boolean(whole->malleable));
    VigieMailRead *read = g_new0(VigieMailRead, 1);
    read->about = g_steal_pointer(&whole->about);
    read->content = secret_bytes(g_steal_pointer(&whole->content));
    return read;
}

VigieMailRead *mail_read(VigieMailCell *cell, GBytes *raw, GError **error) {
    g_auto(Parcel) parsed = {0};
    gsize most = MAIL_READ_MAX + 1;
    g_autoptr(GBytes) bytes =
        g_bytes_get_size(raw) > most ? g_bytes_new_from_bytes(raw, 0, most) : g_bytes_ref(raw);
    if (!parse(cell, bytes, false, &parsed, error))
        return NULL;
    Whole whole = {cell, json_incref(parsed.about), g_byte_array_new(), false};
    json_object_set_new(whole.about, "size", json_integer((json_int_t)g_bytes_get_size(raw)));
    gsize size = 0;
    const void *data = g_bytes_get_data(parsed.bytes, &size);
    g_byte_array_append(whole.content, data, (guint)size);
    if (json_object_get(whole.about, "protected"))
        apply_protected(&whole, json_object_get(whole.about, "protected"));
    json_t *first = json_pack("{s:O?, s:O?, s:I}", "sealed", json_object_get(whole.about, "sealed"), "signed",
                              json_object_get(whole.about, "signed"), "shift", (json_int_t)0);
    if (go_through(&whole, first, error))
        return finish(&whole);
    json_decref(whole.about);
    g_byte_array_unref(whole.content);
    return NULL;
}
