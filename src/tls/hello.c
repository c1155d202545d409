/* hello.c: the ClientHello, RFC 8446 4.1.2 and what came before it. */
#include "tls/internal.h"

enum { SUITES_MAX = 700, SMALL_MAX = 255, SMALL_GROUPS = 4, SMALL_SIGNATURES = 12 };

typedef struct {
    VigieTlsContext *tls;
    const VigieHello *plan;
    const TlsHelloIdentity *identity;
    VigieHelloForm form;
    VigieVersion highest;
    VigieWriter out;
} Hello;

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static void write_list(VigieWriter *out, const uint16_t *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        vigie_write_u16(out, values[i]);
}

/* An extension's head; close with extension_close. */
static size_t extension_open(VigieWriter *out, uint16_t type) {
    vigie_write_u16(out, type);
    return vigie_write_open(out, 2);
}

static void extension_close(VigieWriter *out, size_t mark) {
    vigie_write_close(out, mark, 2);
}

static bool is_address(const char *name) {
    return strchr(name, ':') || name[strspn(name, "0123456789.")] == '\0';
}

/* RFC 6066 3. A trailing dot is not part of the name on the wire. */
static void write_server_name(Hello *hello) {
    const char *name = hello->plan->server_name;
    if (!name || !*name || is_address(name))
        return;
    size_t size = strlen(name);
    size -= name[size - 1] == '.';
    if (size == 0)
        return;
    size_t mark = extension_open(&hello->out, EXTENSION_SERVER_NAME);
    size_t list = vigie_write_open(&hello->out, 2);
    vigie_write_u8(&hello->out, 0);
    vigie_write_u16(&hello->out, (uint16_t)size);
    vigie_write(&hello->out, name, size);
    vigie_write_close(&hello->out, list, 2);
    extension_close(&hello->out, mark);
    hello->out.failed = hello->out.failed || size > 255;
}

static void write_alpn(Hello *hello) {
    const char *rest = hello->plan->alpn;
    if (!rest || !*rest)
        return;
    size_t mark = extension_open(&hello->out, EXTENSION_ALPN);
    size_t list = vigie_write_open(&hello->out, 2);
    while (rest) {
        size_t size = strcspn(rest, ",");
        size_t name = vigie_write_open(&hello->out, 1);
        vigie_write(&hello->out, rest, size);
        vigie_write_close(&hello->out, name, 1);
        rest = rest[size] == ',' ? rest + size + 1 : NULL;
    }
    vigie_write_close(&hello->out, list, 2);
    extension_close(&hello->out, mark);
}

static void write_groups(Hello *hello) {
    size_t count = hello->plan->group_count;
    if (hello->form == VIGIE_HELLO_SMALL)
        count = least(count, SMALL_GROUPS);
    if (count == 0)
        return;
    size_t mark = extension_open(&hello->out, EXTENSION_GROUPS);
    size_t list = vigie_write_open(&hello->out, 2);
    write_list(&hello->out, hello->plan->groups, count);
    vigie_write_close(&hello->out, list, 2);
    extension_close(&hello->out, mark);
    if (hello->plan->versions == 1 << VIGIE_TLS13)
        return;
    static const uint8_t uncompressed[] = {1, 0};
    mark = extension_open(&hello->out, EXTENSION_POINT_FORMATS);
    vigie_write(&hello->out, uncompressed, sizeof uncompressed);
    extension_close(&hello->out, mark);
}

static void write_signatures(Hello *hello) {
    size_t count = hello->plan->signature_count;
    if (hello->form == VIGIE_HELLO_SMALL)
        count = least(count, SMALL_SIGNATURES);
    if (count == 0 || hello->highest < VIGIE_TLS12)
        return;
    size_t mark = extension_open(&hello->out, EXTENSION_SIGNATURES);
    size_t list = vigie_write_open(&hello->out, 2);
    write_list(&hello->out, hello->plan->signatures, count);
    vigie_write_close(&hello->out, list, 2);
    extension_close(&hello->out, mark);
}

/* What servers of TLS 1.0 to 1.2 may confirm without any cryptography of ours. An empty extension must never
 * be the last one: some servers refuse that. */
static void write_confirmations(Hello *hello) {
    if (hello->form != VIGIE_HELLO_NORMAL || hello->plan->versions == 1 << VIGIE_TLS13)
        return;
    size_t mark = extension_open(&hello->out, EXTENSION_RENEGOTIATION);
    vigie_write_u8(&hello->out, 0);
    extension_close(&hello->out, mark);
    extension_close(&hello->out, extension_open(&hello->out, EXTENSION_EXTENDED_MASTER_SECRET));
    extension_close(&hello->out, extension_open(&hello->out, EXTENSION_ENCRYPT_THEN_MAC));
}

static void write_share(Hello *hello, uint16_t group) {
    VigieBytes share = tls_context_share(hello->tls, group);
    hello->out.failed = hello->out.failed || share.size == 0;
    vigie_write_u16(&hello->out, group);
    size_t mark = vigie_write_open(&hello->out, 2);
    vigie_write(&hello->out, share.data, share.size);
    vigie_write_close(&hello->out, mark, 2);
}

static void write_versions_and_shares(Hello *hello) {
    if (hello->highest != VIGIE_TLS13)
        return;
    size_t mark = extension_open(&hello->out, EXTENSION_VERSIONS);
    size_t list = vigie_write_open(&hello->out, 1);
    for (VigieVersion v = VIGIE_TLS13; v >= VIGIE_SSL3; v--)
        if (hello->plan->versions & 1 << v)
            vigie_write_u16(&hello->out, tls_version_wire(v));
    vigie_write_close(&hello->out, list, 1);
    extension_close(&hello->out, mark);
    if (hello->identity->cookie.size > 0) {
        mark = extension_open(&hello->out, EXTENSION_COOKIE);
        list = vigie_write_open(&hello->out, 2);
        vigie_write(&hello->out, hello->identity->cookie.data, hello->identity->cookie.size);
        vigie_write_close(&hello->out, list, 2);
        extension_close(&hello->out, mark);
    }
    mark = extension_open(&hello->out, EXTENSION_KEY_SHARE);
    list = vigie_write_open(&hello->out, 2);
    if (hello->identity->group)
        write_share(hello, hello->identity->group);
    for (size_t i = 0; !hello->identity->group && i < hello->plan->share_count; i++)
        write_share(hello, hello->plan->shares[i]);
    vigie_write_close(&hello->out, list, 2);
    extension_close(&hello->out, mark);
}

/* RFC 7685: a message of 256 to 511 octets hangs some servers. `start` is where the message begins. */
static void write_padding(Hello *hello, size_t start) {
    static const uint8_t zeros[256];
    size_t size = hello->out.size - start;
    if (hello->form != VIGIE_HELLO_NORMAL || size < 256 || size > 511)
        return;
    size_t mark = extension_open(&hello->out, EXTENSION_PADDING);
    size_t missing = size + 4 < 512 ? 512 - size - 4 : 1;
    vigie_write(&hello->out, zeros, missing);
    extension_close(&hello->out, mark);
}

static void write_extensions(Hello *hello, size_t start) {
    if (hello->form == VIGIE_HELLO_BARE)
        return;
    size_t mark = vigie_write_open(&hello->out, 2);
    write_server_name(hello);
    write_confirmations(hello);
    write_groups(hello);
    write_signatures(hello);
    write_alpn(hello);
    write_versions_and_shares(hello);
    write_padding(hello, start);
    vigie_write_close(&hello->out, mark, 2);
}

static void write_suites(Hello *hello, size_t count) {
    size_t mark = vigie_write_open(&hello->out, 2);
    write_list(&hello->out, hello->plan->suites, count);
    if (hello->form != VIGIE_HELLO_NORMAL && hello->plan->versions != 1 << VIGIE_TLS13)
        vigie_write_u16(&hello->out, SUITE_RENEGOTIATION);
    vigie_write_close(&hello->out, mark, 2);
}

static void write_record(Hello *hello, size_t suite_count) {
    VigieWriter *out = &hello->out;
    bool deflate = hello->plan->deflate && hello->highest != VIGIE_TLS13;
    vigie_write_u8(out, CONTENT_HANDSHAKE);
    vigie_write_u16(out, hello->highest == VIGIE_SSL3 ? 0x0300 : 0x0301); /* RFC 8446 5.1 */
    size_t record = vigie_write_open(out, 2), start = out->size;
    vigie_write_u8(out, MESSAGE_CLIENT_HELLO);
    size_t message = vigie_write_open(out, 3);
    vigie_write_u16(out, tls_version_wire(hello->highest == VIGIE_TLS13 ? VIGIE_TLS12 : hello->highest));
    vigie_write(out, hello->identity->random.data, hello->identity->random.size);
    size_t id = vigie_write_open(out, 1);
    vigie_write(out, hello->identity->session_id.data, hello->identity->session_id.size);
    vigie_write_close(out, id, 1);
    write_suites(hello, suite_count);
    vigie_write_uint(out, deflate ? 0x020100 : 0x0100, deflate ? 3 : 2);
    write_extensions(hello, start);
    vigie_write_close(out, message, 3);
    vigie_write_close(out, record, 2);
}

static bool hello_start(Hello *hello, VigieTlsContext *tls, const VigieHello *plan,
                        const TlsHelloIdentity *identity, uint8_t *buffer, size_t capacity) {
    uint8_t versions = plan->versions & ((1 << VIGIE_VERSIONS) - 1) & ~(1 << VIGIE_SSL2);
    if (plan->form == VIGIE_HELLO_BARE)
        versions &= (uint8_t) ~(1 << VIGIE_TLS13);
    if (!versions || plan->suite_count > SUITES_MAX)
        return false;
    *hello = (Hello){.tls = tls, .plan = plan, .identity = identity, .form = plan->form};
    hello->highest = (VigieVersion)(31 - __builtin_clz(versions));
    if (hello->highest == VIGIE_SSL3)
        hello->form = VIGIE_HELLO_BARE;
    hello->out =
        vigie_writer(buffer, hello->form == VIGIE_HELLO_SMALL ? least(capacity, SMALL_MAX) : capacity);
    return true;
}

size_t tls_hello_write_as(VigieTlsContext *tls, const VigieHello *plan, const TlsHelloIdentity *identity,
                          uint8_t *buffer, size_t capacity) {
    Hello hello;
    if (!hello_start(&hello, tls, plan, identity, buffer, capacity) || plan->suite_count == 0)
        return 0;
    write_record(&hello, plan->suite_count);
    return hello.out.failed ? 0 : hello.out.size;
}

size_t tls_hello_write(VigieTlsContext *tls, const VigieHello *plan, uint8_t *buffer, size_t capacity) {
    if (plan->versions == 1 << VIGIE_SSL2)
        return tls_ssl2_hello_write(tls, buffer, capacity);
    uint8_t random[2 * RANDOM_SIZE];
    if (!tls_context_random(tls, random, sizeof random))
        return 0;
    /* The session id is TLS 1.3's disguise for middleboxes (RFC 8446 D.4); a small hello has no room for it. */
    bool disguise = plan->versions & 1 << VIGIE_TLS13 && plan->form == VIGIE_HELLO_NORMAL;
    TlsHelloIdentity identity = {.random = vigie_bytes(random, RANDOM_SIZE),
                                 .session_id = vigie_bytes(random + RANDOM_SIZE, disguise ? RANDOM_SIZE : 0)};
    return tls_hello_write_as(tls, plan, &identity, buffer, capacity);
}

size_t tls_hello_room(VigieTlsContext *tls, const VigieHello *plan) {
    uint8_t buffer[SMALL_MAX], random[RANDOM_SIZE] = {0};
    TlsHelloIdentity identity = {.random = vigie_bytes(random, sizeof random)};
    Hello hello;
    if (plan->form != VIGIE_HELLO_SMALL)
        return SUITES_MAX;
    if (!hello_start(&hello, tls, plan, &identity, buffer, sizeof buffer))
        return 0;
    write_record(&hello, 0);
    return hello.out.failed ? 0 : (hello.out.capacity - hello.out.size) / 2;
}

bool tls_hello_identity(VigieBytes hello, VigieBytes *ret_random, VigieBytes *ret_session_id) {
    VigieReader reader = vigie_reader(hello);
    vigie_read(&reader, 5 + 4 + 2);
    *ret_random = vigie_read(&reader, RANDOM_SIZE);
    *ret_session_id = vigie_read_vector(&reader, 1).rest;
    return !reader.failed;
}
