/* What is done inside a cell's child, and how it is asked. The room's own business. */
#pragma once

#include "mail/mail.h"

/* One request or answer: an object and bytes. On the socket: both sizes, then both. */
typedef struct {
    json_t *about;
    GBytes *bytes;
} Parcel;

enum { PARCEL_ABOUT_MAX = 16 << 20, PARCEL_BYTES_MAX = 160 << 20 };

/* Takes the array; what may be somebody's secret is wiped when the last reference goes. */
GBytes *secret_bytes(GByteArray *array);
void parcel_clear(Parcel *parcel);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parcel, parcel_clear)
/* Both within `timeout_ms` overall, on a socket that does not block. */
bool parcel_send(int fd, const Parcel *parcel, int64_t timeout_ms, GError **error);
bool parcel_receive(int fd, Parcel *ret_parcel, int64_t timeout_ms, GError **error);

/* What a child may need besides its request. Borrowed. */
typedef struct {
    const char *gnupg_home;
    const char *smime_file;
    const char *const *roots;
    bool system_roots;
    const char *const *own; /* bare addresses */
} Means;

/* Which sandbox a request wants: parsers, or keys and gpg. */
typedef enum { ROOM_PARSER = 'p', ROOM_KEYS = 'k' } CellRoom;

/* Asks: `about` (taken) has the member "op". What the child refuses comes back as its error. */
bool cell_ask(VigieMailCell *cell, CellRoom room, json_t *about, GBytes *bytes, Parcel *ret_answer,
              GError **error);

typedef bool (*Operation)(const Means *means, const Parcel *request, Parcel *answer, GError **error);
/* The operation of that name in that room, or NULL. */
Operation work_find(CellRoom room, const char *name);
/* Loads what every child would have to load, before they are forked. */
void work_prepare(const Means *means);

/* The parser's, read-work.c. */
bool work_read(const Means *means, const Parcel *request, Parcel *answer, GError **error);
/* Theirs who hold keys, pgp.c, pgp-keys.c, cms.c: each says what it is asked and answers. */
bool work_open_pgp(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_open_cms(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_verify_pgp(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_verify_cms(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_sign(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_encrypt(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_keys_examine(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_keys_import(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_keys_list(const Means *means, const Parcel *request, Parcel *answer, GError **error);
bool work_key_export(const Means *means, const Parcel *request, Parcel *answer, GError **error);
