/* handshake.c: the server's messages, RFC 8446 4 and RFC 5246 7.4. Each reader gets the message's body. */
#include "tls/internal.h"

/* SHA-256 of "HelloRetryRequest", RFC 8446 4.1.3. */
static const uint8_t retry_random[RANDOM_SIZE] = {
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
};

typedef struct {
    VigieTlsReader *reader;
    bool retry;
    VigieVersion version;
    uint16_t group;
    VigieBytes share;
    const char *clause;
} ServerHello;

static bool listed(const uint16_t *values, size_t count, uint32_t value) {
    for (size_t i = 0; i < count; i++)
        if (values[i] == value)
            return true;
    return false;
}

static VigieBytes read_alpn(VigieReader body) {
    VigieReader list = vigie_read_vector(&body, 2);
    VigieBytes name = vigie_read_vector(&list, 1).rest;
    return list.failed ? (VigieBytes){0} : name;
}

static void read_key_share(ServerHello *hello, VigieReader *body) {
    hello->group = vigie_read_u16(body);
    if (!hello->retry)
        hello->share = vigie_read_vector(body, 2).rest;
    if (body->failed || body->rest.size > 0)
        hello->clause = "RFC 8446 4.2.8: key_share has a wrong length";
}

static void read_extension(ServerHello *hello, uint16_t type, VigieReader body) {
    VigieTlsResult *result = &hello->reader->result;
    switch (type) {
    case EXTENSION_VERSIONS:
        hello->version = tls_version_of_wire(vigie_read_u16(&body));
        if (hello->version != VIGIE_TLS13 || body.failed || body.rest.size > 0)
            hello->clause = "RFC 8446 4.2.1: supported_versions does not select TLS 1.3";
        break;
    case EXTENSION_KEY_SHARE:
        read_key_share(hello, &body);
        break;
    case EXTENSION_COOKIE:
        hello->reader->buffer->cookie = vigie_read_vector(&body, 2).rest;
        result->has_cookie = !body.failed;
        break;
    case EXTENSION_ALPN:
        result->alpn = read_alpn(body);
        break;
    case EXTENSION_ENCRYPT_THEN_MAC:
        result->encrypt_then_mac = true;
        break;
    case EXTENSION_EXTENDED_MASTER_SECRET:
        result->extended_master_secret = true;
        break;
    case EXTENSION_RENEGOTIATION:
        result->secure_renegotiation = true;
        break;
    default: /* not asked for, or of no interest: what matters is what can be read */
        break;
    }
}

static void read_extensions(ServerHello *hello, VigieReader *body) {
    VigieReader list = vigie_read_vector(body, 2);
    while (!vigie_reader_empty(&list)) {
        uint16_t type = vigie_read_u16(&list);
        VigieReader inner = vigie_read_vector(&list, 2);
        if (!list.failed)
            read_extension(hello, type, inner);
    }
    if (list.failed || body->failed)
        hello->clause = "RFC 8446 4.2: extensions of ServerHello have a wrong length";
}

/* The time, and the hint of a server that could do better (RFC 8446 4.1.3). */
static void read_random(VigieTlsResult *result, VigieBytes random) {
    result->random = random;
    if (result->version == VIGIE_TLS13)
        return;
    VigieReader reader = vigie_reader(random);
    result->time = vigie_read_u32(&reader);
    result->has_time = true;
    const uint8_t *end = random.data + RANDOM_SIZE - 8;
    if (memcmp(end, "DOWNGRD", 7) == 0)
        result->downgrade = end[7] == 1 ? 1 : end[7] == 0 ? 2 : 0;
}

static const char *judge_version(const ServerHello *hello) {
    uint8_t offered = hello->reader->plan->versions;
    if (hello->version >= VIGIE_VERSIONS)
        return "RFC 5246 7.4.1.3: server_version is no version of TLS";
    if (offered >> hello->version == 0)
        return "RFC 5246 7.4.1.3: server_version is higher than offered";
    return NULL;
}

static const char *judge_suite(const ServerHello *hello) {
    const VigieTlsReader *reader = hello->reader;
    const VigieTlsResult *result = &reader->result;
    if (!listed(reader->plan->suites, reader->plan->suite_count, result->suite))
        return "RFC 8446 4.1.3: cipher_suite was not offered";
    const VigieSuite *suite = tls_suite(result->suite);
    bool modern = hello->version == VIGIE_TLS13;
    if (suite && suite->versions && modern != ((suite->versions & 1 << VIGIE_TLS13) != 0))
        return "RFC 8446 4.1.3: cipher_suite is not of the version selected";
    if (result->compression != 0 && (modern || !reader->plan->deflate || result->compression != 1))
        return "RFC 5246 7.4.1.3: compression_method was not offered";
    return NULL;
}

static const char *judge_tls13(const ServerHello *hello) {
    const VigieTlsReader *reader = hello->reader;
    VigieBytes random, session_id;
    if (tls_hello_identity(reader->hello, &random, &session_id) &&
        !vigie_bytes_equal(session_id, reader->result.session_id))
        return "RFC 8446 4.1.3: legacy_session_id_echo is not ours";
    if (hello->retry) {
        if ((hello->group == 0 && !reader->result.has_cookie) ||
            listed(reader->plan->shares, reader->plan->share_count, hello->group))
            return "RFC 8446 4.1.4: HelloRetryRequest would change nothing";
    } else if (hello->group == 0) {
        return "RFC 8446 4.1.3: ServerHello without key_share";
    }
    if (hello->group != 0 && !listed(reader->plan->groups, reader->plan->group_count, hello->group))
        return "RFC 8446 4.2.8: key_share of a group that was not offered";
    return NULL;
}

/* The handshake keys: Hash(ClientHello, ServerHello), with the first exchange as one hash after a retry
 * (4.4.1). */
static void derive_keys(ServerHello *hello, VigieBytes message) {
    VigieTlsReader *reader = hello->reader;
    VigieTlsBuffer *buffer = reader->buffer;
    uint8_t secret[72], transcript[EVP_MAX_MD_SIZE];
    size_t secret_size;
    if (!tls_context_derive(reader->tls, hello->group, hello->share, secret, &secret_size)) {
        tls_reader_fail(reader, "RFC 8446 4.2.8: key_share is no public key of its group");
        return;
    }
    VigieBytes sent = vigie_bytes(reader->hello.data + 5, reader->hello.size - 5);
    VigieBytes parts[5] = {sent, message};
    size_t count = 2;
    size_t hash_size = tls_keys_hash(reader->tls, reader->result.suite, NULL, 0, transcript);
    const uint8_t head[4] = {MESSAGE_HASH, 0, 0, (uint8_t)hash_size};
    if (reader->retried) {
        parts[0] = vigie_bytes(head, sizeof head);
        parts[1] = vigie_bytes(buffer->first_hash, hash_size);
        parts[2] = vigie_bytes(buffer->data + buffer->retry_start, buffer->retry_size);
        parts[3] = sent;
        parts[4] = message;
        count = 5;
    }
    hash_size = tls_keys_hash(reader->tls, reader->result.suite, parts, count, transcript);
    if (hash_size == 0)
        tls_reader_limit(reader, "a suite of TLS 1.3 that is not decrypted here");
    else if (!tls_keys_derive(reader->tls, reader->result.suite, vigie_bytes(secret, secret_size),
                              vigie_bytes(transcript, hash_size), &buffer->keys))
        tls_reader_limit(reader, "no memory for the key schedule");
}

static void accept_retry(VigieTlsReader *reader, VigieBytes message) {
    if (reader->retried) {
        tls_reader_fail(reader, "RFC 8446 4.1.4: second HelloRetryRequest");
        return;
    }
    reader->buffer->retry_start = (size_t)(message.data - reader->buffer->data);
    reader->buffer->retry_size = message.size;
    reader->state = VIGIE_TLS_RETRY;
}

static void read_server_hello(VigieTlsReader *reader, VigieBytes message, VigieReader body) {
    VigieTlsResult *result = &reader->result;
    uint32_t retry_suite = result->suite;
    ServerHello hello = {.reader = reader, .version = tls_version_of_wire(vigie_read_u16(&body))};
    VigieBytes random = vigie_read(&body, RANDOM_SIZE);
    result->session_id = vigie_read_vector(&body, 1).rest;
    result->suite = vigie_read_u16(&body);
    result->compression = vigie_read_u8(&body);
    if (body.failed || result->session_id.size > 32) {
        tls_reader_fail(reader, "RFC 5246 7.4.1.3: ServerHello has a wrong length");
        return;
    }
    hello.retry = memcmp(random.data, retry_random, RANDOM_SIZE) == 0;
    if (body.rest.size > 0)
        read_extensions(&hello, &body);
    result->version = hello.version;
    read_random(result, random);
    if (body.rest.size > 0 && !hello.clause)
        hello.clause = "RFC 5246 7.4.1.3: ServerHello has octets after its extensions";
    const char *clause = hello.clause ? hello.clause : judge_version(&hello);
    clause = clause ? clause : judge_suite(&hello);
    if (hello.version == VIGIE_TLS13) {
        result->group = hello.group;
        clause = clause ? clause : judge_tls13(&hello);
        if (!clause && reader->retried && result->suite != retry_suite)
            clause = "RFC 8446 4.1.4: ServerHello changes the suite of the HelloRetryRequest";
    } else if (!clause && (hello.retry || reader->retried)) {
        clause = "RFC 8446 4.1.4: HelloRetryRequest of another version than TLS 1.3";
    }
    if (clause)
        tls_reader_fail(reader, clause);
    else if (hello.retry)
        accept_retry(reader, message);
    else if (reader->until == VIGIE_UNTIL_HELLO)
        reader->state = VIGIE_TLS_DONE;
    else if (hello.version == VIGIE_TLS13)
        derive_keys(&hello, message);
}

static void read_encrypted_extensions(VigieTlsReader *reader, VigieBytes message, VigieReader body) {
    (void)message;
    VigieReader list = vigie_read_vector(&body, 2);
    while (!vigie_reader_empty(&list)) {
        uint16_t type = vigie_read_u16(&list);
        VigieReader inner = vigie_read_vector(&list, 2);
        if (type == EXTENSION_ALPN)
            reader->result.alpn = read_alpn(inner);
        if (type != EXTENSION_GROUPS)
            continue;
        VigieReader groups = vigie_read_vector(&inner, 2);
        size_t count = 0;
        while (!vigie_reader_empty(&groups) && count < GROUPS_MAX)
            reader->buffer->groups[count++] = vigie_read_u16(&groups);
        reader->result.server_groups = reader->buffer->groups;
        reader->result.server_group_count = count;
        if (inner.failed || groups.failed)
            list.failed = true;
    }
    if (list.failed || body.failed || body.rest.size > 0)
        tls_reader_fail(reader, "RFC 8446 4.3.1: EncryptedExtensions has a wrong length");
}

static void read_certificate(VigieTlsReader *reader, VigieBytes message, VigieReader body) {
    (void)message;
    bool modern = reader->result.version == VIGIE_TLS13;
    if (modern && vigie_read_vector(&body, 1).rest.size > 0)
        tls_reader_fail(reader, "RFC 8446 4.4.2: certificate_request_context of a server is not empty");
    VigieReader list = vigie_read_vector(&body, 3);
    size_t count = 0;
    while (!vigie_reader_empty(&list)) {
        VigieBytes certificate = vigie_read_vector(&list, 3).rest;
        if (modern)
            vigie_read_vector(&list, 2);
        if (list.failed || certificate.size == 0)
            break;
        if (count == CERTIFICATES_MAX) {
            tls_reader_limit(reader, "chain of more than 32 certificates");
            break;
        }
        reader->buffer->certificates[count++] = certificate;
    }
    reader->result.certificates = reader->buffer->certificates;
    reader->result.certificate_count = count;
    if (reader->state != VIGIE_TLS_MORE)
        return;
    if (list.failed || !vigie_reader_empty(&list) || body.failed || body.rest.size > 0)
        tls_reader_fail(reader, "RFC 5246 7.4.2: certificate_list has a wrong length");
    else if (count == 0)
        tls_reader_fail(reader, "RFC 5246 7.4.2: certificate_list is empty");
    else if (modern)
        reader->state = VIGIE_TLS_DONE;
}

static unsigned bits_of(VigieBytes number) {
    while (number.size > 0 && number.data[0] == 0)
        number = vigie_bytes(number.data + 1, number.size - 1);
    if (number.size == 0)
        return 0;
    return (unsigned)(8 * number.size) - (unsigned)(__builtin_clz(number.data[0]) - 24);
}

/* RFC 5246 7.4.3, RFC 8422 5.4, RFC 4279 3. Only what tells the strength. */
static void read_server_key_exchange(VigieTlsReader *reader, VigieBytes message, VigieReader body) {
    (void)message;
    const VigieSuite *suite = tls_suite(reader->result.suite);
    if (!suite)
        return;
    if (strcmp(suite->authentication, "PSK") == 0)
        vigie_read_vector(&body, 2); /* the identity hint */
    if (strcmp(suite->key_exchange, "ECDHE") == 0 || strcmp(suite->key_exchange, "ECDH") == 0) {
        uint8_t curve_type = vigie_read_u8(&body);
        reader->result.dh_custom_curve = curve_type == 1 || curve_type == 2;
        if (curve_type == 3)
            reader->result.group = vigie_read_u16(&body);
    } else if (strcmp(suite->key_exchange, "DHE") == 0 || strcmp(suite->key_exchange, "DH") == 0) {
        reader->result.dh_bits = bits_of(vigie_read_vector(&body, 2).rest);
    }
    if (body.failed)
        tls_reader_fail(reader, "RFC 5246 7.4.3: ServerKeyExchange has a wrong length");
}

static void read_certificate_request(VigieTlsReader *reader, VigieBytes message, VigieReader body) {
    (void)message;
    (void)body;
    reader->result.certificate_request = true;
}

static void read_server_hello_done(VigieTlsReader *reader, VigieBytes message, VigieReader body) {
    (void)message;
    if (body.rest.size > 0)
        tls_reader_fail(reader, "RFC 5246 7.4.5: ServerHelloDone is not empty");
    else
        reader->state = VIGIE_TLS_DONE;
}

static void pass_over(VigieTlsReader *reader, VigieBytes message, VigieReader body) {
    (void)message;
    (void)body;
    (void)reader;
}

typedef void (*MessageReader)(VigieTlsReader *reader, VigieBytes message, VigieReader body);

/* The order in which they come: each later than the one before. RFC 5246 7.3 and RFC 8446 2. */
static const struct step {
    uint8_t type, order;
    MessageReader read;
} steps_before_13[] =
    {
        {MESSAGE_SERVER_HELLO, 1, read_server_hello},
        {MESSAGE_CERTIFICATE, 2, read_certificate},
        {MESSAGE_CERTIFICATE_STATUS, 3, pass_over},
        {MESSAGE_SERVER_KEY_EXCHANGE, 4, read_server_key_exchange},
        {MESSAGE_CERTIFICATE_REQUEST, 5, read_certificate_request},
        {MESSAGE_SERVER_HELLO_DONE, 6, read_server_hello_done},
        {0, 0, NULL},
},
  steps_of_13[] = {
      {MESSAGE_SERVER_HELLO, 1, read_server_hello},
      {MESSAGE_ENCRYPTED_EXTENSIONS, 2, read_encrypted_extensions},
      {MESSAGE_CERTIFICATE_REQUEST, 3, read_certificate_request},
      {MESSAGE_CERTIFICATE, 4, read_certificate},
      {0, 0, NULL},
};

static void read_message(VigieTlsReader *reader, VigieBytes message) {
    bool modern = reader->result.version == VIGIE_TLS13;
    uint8_t type = message.data[0];
    if (type == MESSAGE_HELLO_REQUEST && message.size == 4 &&
        !modern) { /* may come at any time, RFC 5246 7.4.1.1 */
        if (++reader->idle > IDLE_MAX)
            tls_reader_limit(reader, "more than 32 records without content");
        return;
    }
    const struct step *step = modern ? steps_of_13 : steps_before_13;
    while (step->read && step->type != type)
        step++;
    bool skipped = modern && step->order == 4 && reader->step < 2;
    if (!step->read || step->order <= reader->step || (reader->step == 0 && step->order != 1) || skipped) {
        tls_reader_fail(reader, modern ? "RFC 8446 4: handshake message out of order"
                                       : "RFC 5246 7.4: handshake message out of order");
        return;
    }
    reader->step = step->order;
    step->read(reader, message, vigie_reader(vigie_bytes(message.data + 4, message.size - 4)));
}

void tls_handshake_read(VigieTlsReader *reader) {
    VigieTlsBuffer *buffer = reader->buffer;
    while (reader->state == VIGIE_TLS_MORE && buffer->size - buffer->parsed >= 4) {
        const uint8_t *head = buffer->data + buffer->parsed;
        size_t size = 4 + ((size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]);
        if (size > 4 + BUFFER_MAX - RECORD_MAX) {
            tls_reader_limit(reader, "handshake message over 240 KiB");
            return;
        }
        if (buffer->size - buffer->parsed < size)
            return;
        buffer->parsed += size;
        bool keyed = buffer->keys.cipher != 0;
        read_message(reader, vigie_bytes(head, size));
        bool turns = reader->state == VIGIE_TLS_RETRY || keyed != (buffer->keys.cipher != 0);
        if (turns && reader->state <= VIGIE_TLS_RETRY && buffer->parsed != buffer->size)
            tls_reader_fail(reader, "RFC 8446 5.1: handshake messages span a key change");
    }
}
