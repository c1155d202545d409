/* A message as a tree of parts: views of the raw bytes, nothing decoded. The room's own business. */
#pragma once

#include "mail/work.h"

#include <gmime/gmime.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeContentType, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeContentDisposition, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InternetAddressList, g_object_unref)

typedef struct Part {
    VigieBytes header, body; /* the body as it travels */
    VigieBytes whole;        /* header and body: what a signature covers */
    char *type;              /* "text/plain", lower case */
    GMimeContentType *parameters;
    char *path;               /* "1.2"; the root's is "1" */
    bool attachment, inlined; /* Content-Disposition */
    char *name;               /* as told, not yet harmless, or NULL */
    GPtrArray *children;      /* of Part, for a multipart; else NULL */
} Part;

/* What one reading collects. */
typedef struct {
    const Means *means;
    GMimeParserOptions *options; /* how GMime decodes */
    json_t *about;
    GByteArray *content;
    unsigned parts;
    GPtrArray *problems; /* of static strings, each once */
    GString *text;
    const char *text_from; /* static */
} Reading;

void start_gmime(void);
void reading_problem(Reading *reading, const char *id);

/* Never fails; the tree of the entity in `bytes`. Free with part_free. */
Part *part_parse(Reading *reading, VigieBytes bytes);
void part_free(Part *part);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Part, part_free)
bool part_is(const Part *part, const char *type);
/* A parameter of Content-Type, or "". Borrowed. */
const char *part_parameter(const Part *part, const char *name);

/* ---- Header fields (read-header.c) ---- */
/* The next field of a header section; false at its end. Names and values are views; the value may be folded. */
typedef struct {
    VigieBytes name, value;
} Field;
bool field_next(VigieBytes *rest, Field *ret_field);
bool field_is(const Field *field, const char *name);
/* The first field of that name, unfolded, its bytes as they are; NULL. At most 64 KiB of it. Free with g_free. */
char *field_find(VigieBytes header, const char *name);
/* How often it stands there. */
unsigned field_count(VigieBytes header, const char *name);
/* Decoded (RFC 2047) to one line of UTF-8 without control characters; NULL stays NULL. Free with g_free. */
char *field_text(const Reading *reading, const char *raw);
/* Fills the members of `about` that the header tells. */
void header_describe(Reading *reading, VigieBytes header);
/* The members that a protected header overrides, filled from it; other members are left out. */
json_t *header_protected(Reading *reading, VigieBytes header);
/* The identifiers in a field of them, at most `most`, the last ones. */
json_t *header_identifiers(const char *raw, size_t most);
/* UTF-8 for people: invalid bytes, control and direction characters replaced; `lines`: LF and TAB stay. */
char *clean_text(const char *text, size_t size, bool lines);

/* ---- Bodies (read-body.c, read-html.c) ---- */
/* Decoded from its transfer encoding, at most `most` bytes. */
GByteArray *body_decode(Reading *reading, const Part *part, size_t most);
/* Decoded and in UTF-8, soft line breaks undone. */
char *body_text(Reading *reading, const Part *part);
/* HTML as plain text: no markup, no script, links with where they lead. */
char *html_to_text(const char *html);
/* A name that can do no harm where it is stored. `fallback` where nothing is left of it. */
char *harmless_name(const char *told, const char *fallback);

/* ---- Verdicts (read-verdict.c) ---- */
void verdict_describe(Reading *reading, const Part *root);
