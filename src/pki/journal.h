/* journal: the log of the authorities, append-only, each line bound to the one before by its hash, its end signed. */
#pragma once

#include "pki/signer.h"
#include "store/store.h"

enum { JOURNAL_HASH = 32 };

typedef struct {
    VigieStore *store;
    VigieTime now;
    const char *who; /* borrowed */
    int64_t seq;
    uint8_t hash[JOURNAL_HASH];
} Journal;

/* Inside a transaction, which thereby has the log for itself until it ends. */
bool journal_begin(Journal *journal, VigieStore *store, const char *who, VigieTime now, GError **error);
/* Adds a line; `details` is JSON. Its number is journal->seq. */
bool journal_add(Journal *journal, const char *kind, const char *object, const char *details, GError **error);
/* Keeps the new end. With a signer, an authority's, the end is signed. */
bool journal_end(Journal *journal, Signer *signer, int64_t authority, GError **error);
bool journal_is_signed(VigieStore *store, bool *ret_signed, GError **error);
/* Signs the end, where it is not signed yet. A transaction of its own. */
bool journal_sign(VigieStore *store, Signer *signer, int64_t authority, const char *who, VigieTime now,
                  GError **error);
/* What is signed of an end: text, which no certificate can be mistaken for. Free with g_free. */
char *journal_statement(int64_t seq, VigieTime time, const uint8_t hash[JOURNAL_HASH]);
/* One line's hash. */
void journal_hash(uint8_t hash[JOURNAL_HASH], int64_t seq, VigieTime time, const char *const fields[4]);
