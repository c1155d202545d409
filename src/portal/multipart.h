/* multipart: a form with files (multipart/form-data, RFC 7578), decoded while it comes. Bounded: it keeps what is to be kept,
 * and no more than one delimiter beside it. Strict: what two readers could cut in two ways is refused. */
#pragma once

#include "base/base.h"

enum {
    MULTIPART_PARTS_MAX = 200,
    MULTIPART_HEAD_MAX = 4096,       /* of one part */
    MULTIPART_TEXT_MAX = 256 * 1024, /* all text fields together */
    MULTIPART_NAME_MAX = 100         /* characters of a file's name; octets of a field's */
};

typedef struct {
    char *field; /* the form's name for it */
    char *
        name; /* the file's, made harmless: no folder, no control or direction character, no leading dot; not empty */
    GBytes *bytes; /* may be empty */
} Upload;

/* One more, as if it had just come; *uploads is made where it is NULL. */
void multipart_upload_add(GPtrArray **uploads, const char *name, GBytes *bytes);

typedef struct Multipart Multipart;

/* `type` is the Content-Type. NULL where it is no multipart/form-data with a boundary. */
Multipart *multipart_new(VigieBytes type, size_t file_max);
void multipart_free(Multipart *multipart);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Multipart, multipart_free)

/* The next bytes of the body. False where they are refused: then `ret_status` and `ret_why` (static) say why. */
bool multipart_feed(Multipart *multipart, VigieBytes bytes, unsigned *ret_status, const char **ret_why);
/* The body ended: true where it was whole. */
bool multipart_end(const Multipart *multipart);

/* What came: text fields into `form` (the first of each name), files as Upload. Both are the caller's; once. */
GPtrArray *multipart_take(Multipart *multipart, GHashTable *form);
