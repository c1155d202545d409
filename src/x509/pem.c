#include "x509/pem.h"

static const char opening[] = "-----BEGIN ", closing[] = "-----END ", dashes[] = "-----";
enum { LABEL_MAX = 80 };

static const char *find(const char *at, const char *end, const char *what) {
    return at < end ? memmem(at, (size_t)(end - at), what, strlen(what)) : NULL;
}

/* Moves to `to`, counting lines. */
static void move(PemScan *scan, const char *to) {
    for (; scan->at < to; scan->at++)
        scan->line += *scan->at == '\n';
}

bool pem_next(PemScan *scan, PemBlock *ret_block) {
    for (const char *begin; (begin = find(scan->at, scan->end, opening));) {
        move(scan, begin);
        const char *label = begin + strlen(opening);
        const char *limit = scan->end - label > LABEL_MAX ? label + LABEL_MAX : scan->end;
        const char *body = find(label, limit, dashes);
        if (!body) {
            move(scan, label);
            continue;
        }
        PemBlock block = {.label = vigie_bytes(label, (size_t)(body - label)), .line = scan->line};
        body += strlen(dashes);
        const char *end = find(body, scan->end, dashes);
        size_t boundary = strlen(closing) + block.label.size + strlen(dashes);
        block.closed =
            end && (size_t)(scan->end - end) >= boundary && memcmp(end, closing, strlen(closing)) == 0;
        end = end ? end : scan->end;
        block.body = vigie_bytes(body, (size_t)(end - body));
        move(scan, block.closed ? end + boundary : end);
        block.whole = vigie_bytes(begin, (size_t)(scan->at - begin));
        *ret_block = block;
        return true;
    }
    return false;
}
