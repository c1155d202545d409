/* group: writes of several threads in one commit. Whoever finds no commit under way makes the next one, with all that
 * wait by then; no thread of its own, so that a single writer pays for nothing. */
#include "store/backend.h"

enum { SHARED_MAX = 256 };

typedef struct {
    VigieStoreWrite write;
    void *data;
    bool done;
    GError *error; /* why not */
} Entry;

struct VigieStoreGroup {
    VigieStore *
        store; /* one for all, of whoever commits: another's commit would empty the cache of each thread's own */
    GMutex lock;
    GCond changed;
    GQueue waiting; /* Entry, the callers' own */
    bool committing;
};

VigieStoreGroup *store_group_open(const char *url, GError **error) {
    VigieStore *store = store_open(url, error);
    if (!store)
        return NULL;
    VigieStoreGroup *group = g_new0(VigieStoreGroup, 1);
    group->store = store;
    g_mutex_init(&group->lock);
    g_cond_init(&group->changed);
    g_queue_init(&group->waiting);
    return group;
}

void store_group_close(VigieStoreGroup *group) {
    if (!group)
        return;
    g_assert(g_queue_is_empty(&group->waiting) && !group->committing);
    store_close(group->store);
    g_mutex_clear(&group->lock);
    g_cond_clear(&group->changed);
    g_free(group);
}

/* In a transaction of its own, so that it fails alone. */
static void write_one(VigieStore *store, Entry *entry) {
    g_autoptr(VigieTransaction) tx = store_begin(store, &entry->error);
    bool written = tx && entry->write(store, entry->data, &entry->error) && store_commit(&tx, &entry->error);
    if (!written && !entry->error) /* it did not say why: what is rolled back is never taken for written */
        g_set_error_literal(&entry->error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "store: a shared write failed");
}

static void write_all(VigieStore *store, Entry **entries, size_t count) {
    g_autoptr(GError) failure = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(store, &failure);
    size_t written = 0;
    for (size_t i = 0; tx && i < count; i++) {
        write_one(store, entries[i]);
        written += !entries[i]->error;
    }
    if (written > 0)
        store_commit(&tx, &failure);
    for (size_t i = 0; failure && i < count; i++)
        if (!entries[i]->error)
            entries[i]->error = g_error_copy(failure);
}

/* Called with the lock, which is given up meanwhile. */
static void lead(VigieStoreGroup *group) {
    Entry *entries[SHARED_MAX];
    size_t count = 0;
    while (count < SHARED_MAX && !g_queue_is_empty(&group->waiting))
        entries[count++] = g_queue_pop_head(&group->waiting);
    group->committing = true;
    g_mutex_unlock(&group->lock);
    if (count == 1)
        write_one(group->store, entries[0]);
    else
        write_all(group->store, entries, count);
    g_mutex_lock(&group->lock);
    for (size_t i = 0; i < count; i++)
        entries[i]->done = true;
    group->committing = false;
    g_cond_broadcast(&group->changed);
}

bool store_group_write(VigieStoreGroup *group, VigieStore *store, VigieStoreWrite write, void *data,
                       GError **error) {
    g_assert(store->depth == 0);
    Entry own = {.write = write, .data = data};
    if (store->backend->kind == VIGIE_STORE_POSTGRESQL) {
        write_one(store, &own);
    } else {
        g_mutex_lock(&group->lock);
        g_queue_push_tail(&group->waiting, &own);
        while (!own.done)
            if (group->committing)
                g_cond_wait(&group->changed, &group->lock);
            else
                lead(group);
        g_mutex_unlock(&group->lock);
    }
    if (own.error)
        g_propagate_error(error, own.error);
    return !own.error;
}
