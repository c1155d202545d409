/* reader.c: from octets to records to messages, RFC 8446 5.1. */
#include "tls/internal.h"

#include <stdlib.h>

enum {
    HEADER_SIZE = 5,
    CIPHERTEXT_EXTRA = 256, /* RFC 8446 5.2 */
    MODE_TEXT = 0xFF,       /* in `step`: it is no TLS; collecting what it says */
    MODE_SSL2 = 0xFE,
};

void tls_reader_start(VigieTlsReader *reader, VigieTlsContext *tls, const VigieHello *plan, VigieBytes hello,
                      VigieTlsUntil until) {
    *reader = (VigieTlsReader){.result.version = VIGIE_VERSIONS,
                               .state = VIGIE_TLS_MORE,
                               .tls = tls,
                               .plan = plan,
                               .hello = hello,
                               .until = until};
}

void tls_reader_end(VigieTlsReader *reader) {
    if (reader->buffer)
        tls_buffer_give(reader->tls, reader->buffer);
    reader->buffer = NULL;
}

VigieTlsState tls_reader_fail(VigieTlsReader *reader, const char *clause) {
    reader->result.clause = clause;
    return reader->state = VIGIE_TLS_FAILED;
}

VigieTlsState tls_reader_limit(VigieTlsReader *reader, const char *which) {
    reader->result.clause = which;
    return reader->state = VIGIE_TLS_LIMIT;
}

static void rebase(VigieBytes *view, const uint8_t *from, const uint8_t *to) {
    if (view->data)
        view->data = to + (view->data - from);
}

bool tls_reader_room(VigieTlsReader *reader, size_t size) {
    VigieTlsBuffer *buffer = reader->buffer;
    size_t needed = buffer->size + size, capacity = buffer->capacity;
    if (needed <= capacity)
        return true;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *data = needed <= BUFFER_MAX ? malloc(capacity) : NULL;
    if (!data) {
        tls_reader_limit(reader, needed <= BUFFER_MAX ? "no memory for the answer" : "answer over 256 KiB");
        return false;
    }
    memcpy(data, buffer->data, buffer->size + buffer->tail);
    VigieBytes *views[] = {&reader->result.session_id, &reader->result.random, &reader->result.alpn,
                           &reader->result.ssl2_suites, &buffer->cookie};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        rebase(views[i], buffer->data, data);
    for (size_t i = 0; i < reader->result.certificate_count; i++)
        rebase(&buffer->certificates[i], buffer->data, data);
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

/* A record that brought nothing new; hostile servers send them without end. */
static void idle(VigieTlsReader *reader) {
    if (++reader->idle > IDLE_MAX)
        tls_reader_limit(reader, "more than 32 records without content");
}

static void read_alert(VigieTlsReader *reader, const uint8_t *data, size_t size) {
    VigieTlsResult *result = &reader->result;
    if (size < 2 || data[0] < 1 || data[0] > 2) {
        tls_reader_fail(reader, "RFC 5246 7.2: alert is no level and description");
        return;
    }
    const char *name = tls_alert_name(data[1]);
    if (data[0] == 1 && data[1] != 0 && result->version != VIGIE_TLS13) { /* unrecognized_name, mostly */
        result->warning = name ? name : "unknown";
        idle(reader);
        return;
    }
    result->alert_level = data[0];
    result->alert_code = data[1];
    result->alert = name ? name : "unknown";
    reader->state = VIGIE_TLS_ALERT;
}

static void read_handshake(VigieTlsReader *reader, size_t size) {
    reader->buffer->size += size;
    if (reader->state == VIGIE_TLS_RETRY)
        tls_reader_fail(reader, "RFC 8446 4.1.4: handshake message after HelloRetryRequest");
    else
        tls_handshake_read(reader);
}

static void read_content(VigieTlsReader *reader, uint8_t type, const uint8_t *data, size_t size) {
    /* After a HelloRetryRequest or a TLS 1.3 ServerHello: only for the eyes of middleboxes, RFC 8446 D.4. */
    bool modern = reader->result.version == VIGIE_TLS13;
    if (type == CONTENT_HANDSHAKE)
        read_handshake(reader, size);
    else if (type == CONTENT_ALERT)
        read_alert(reader, data, size);
    else if (type == CONTENT_CCS && modern && size == 1 && data[0] == 1)
        idle(reader);
    else if (type == CONTENT_CCS)
        tls_reader_fail(reader, "RFC 5246 7.1: change_cipher_spec before the end of the handshake");
    else if (type == CONTENT_DATA)
        tls_reader_fail(reader, "RFC 8446 5.1: application data before the end of the handshake");
    else
        tls_reader_fail(reader, "RFC 8446 5.1: record of a type that does not belong in the handshake");
}

static void read_record(VigieTlsReader *reader) {
    VigieTlsBuffer *buffer = reader->buffer;
    uint8_t type = reader->header[0], *data = buffer->data + buffer->size;
    size_t size = buffer->tail;
    reader->header_size = 0;
    buffer->tail = 0;
    if (size == 0) {
        idle(reader);
    } else if (!buffer->keys.cipher || type == CONTENT_CCS || type == CONTENT_ALERT) {
        read_content(reader, type, data, size);
    } else if (type != CONTENT_DATA) {
        tls_reader_fail(reader, "RFC 8446 5.1: record in clear after the keys changed");
    } else {
        type = tls_keys_open(reader->tls, &buffer->keys, reader->header, data, size, &size);
        if (type == 0)
            tls_reader_fail(reader, "RFC 8446 5.2: record that does not decrypt");
        else if (size == 0)
            idle(reader);
        else if (type == CONTENT_CCS)
            tls_reader_fail(reader, "RFC 8446 5: encrypted change_cipher_spec");
        else
            read_content(reader, type, data, size);
    }
}

static bool first_record(const VigieTlsReader *reader) {
    return reader->buffer->size == 0 && reader->idle == 0;
}

/* Its five octets are no record header: they begin the text, or the SSLv2 message. */
static void begin_other(VigieTlsReader *reader) {
    const uint8_t *header = reader->header;
    VigieTlsBuffer *buffer = reader->buffer;
    bool ssl2 =
        reader->plan->versions == 1 << VIGIE_SSL2 && header[0] & 0x80 && (header[2] == 4 || header[2] == 0);
    if (!first_record(reader)) {
        tls_reader_fail(reader, "RFC 8446 5.1: no record where one should begin");
        return;
    }
    size_t skipped = ssl2 ? 2 : 0;
    memcpy(buffer->data, header + skipped, HEADER_SIZE - skipped);
    buffer->tail = HEADER_SIZE - skipped;
    reader->step = ssl2 ? MODE_SSL2 : MODE_TEXT;
    reader->record_rest = SPEAKS_MAX - HEADER_SIZE;
    if (!ssl2)
        return;
    uint32_t length = (header[0] & 0x7FU) << 8 | header[1];
    reader->record_rest = length < buffer->tail ? 0 : length - (uint32_t)buffer->tail;
    tls_reader_room(reader, length);
}

static void read_header(VigieTlsReader *reader) {
    const uint8_t *header = reader->header;
    if (header[0] < CONTENT_CCS || header[0] > CONTENT_HEARTBEAT || header[1] != 3 || header[2] > 4) {
        begin_other(reader);
        return;
    }
    uint32_t length = (uint32_t)header[3] << 8 | header[4];
    uint32_t most = RECORD_MAX + (reader->buffer->keys.cipher ? CIPHERTEXT_EXTRA : 0);
    reader->record_rest = length;
    if (length > most)
        tls_reader_fail(reader, "RFC 8446 5.1: record over 2^14 octets");
    else if (tls_reader_room(reader, length) && length == 0)
        read_record(reader);
}

static void collect(VigieTlsReader *reader, VigieBytes *received) {
    size_t size = received->size < reader->record_rest ? received->size : reader->record_rest;
    VigieTlsBuffer *buffer = reader->buffer;
    memcpy(buffer->data + buffer->size + buffer->tail, received->data, size);
    buffer->tail += size;
    reader->record_rest -= (uint32_t)size;
    *received = vigie_bytes(received->data + size, received->size - size);
}

static void judge_text(VigieTlsReader *reader, bool whole) {
    const VigieTlsBuffer *buffer = reader->buffer;
    bool enough = whole || reader->record_rest == 0;
    reader->result.speaks = tls_speaks(vigie_bytes(buffer->data, buffer->tail), enough);
    if (reader->result.speaks)
        reader->state = VIGIE_TLS_NOT_TLS;
}

static void read_body(VigieTlsReader *reader, VigieBytes *received) {
    collect(reader, received);
    if (reader->step == MODE_TEXT)
        judge_text(reader, false);
    else if (reader->record_rest > 0)
        return;
    else if (reader->step == MODE_SSL2)
        tls_ssl2_read(reader, vigie_bytes(reader->buffer->data, reader->buffer->tail));
    else
        read_record(reader);
}

static bool reading(const VigieTlsReader *reader) {
    return reader->state == VIGIE_TLS_MORE || reader->state == VIGIE_TLS_RETRY;
}

VigieTlsState tls_reader_feed(VigieTlsReader *reader, VigieBytes received) {
    if (!reader->buffer && reading(reader) && received.size > 0) {
        reader->buffer = tls_buffer_take(reader->tls);
        if (!reader->buffer)
            return tls_reader_limit(reader, "no memory for the answer");
    }
    while (reading(reader) && received.size > 0) {
        if (reader->header_size == HEADER_SIZE) {
            read_body(reader, &received);
            continue;
        }
        size_t missing = HEADER_SIZE - reader->header_size;
        size_t size = received.size < missing ? received.size : missing;
        memcpy(reader->header + reader->header_size, received.data, size);
        reader->header_size = (uint8_t)(reader->header_size + size);
        received = vigie_bytes(received.data + size, received.size - size);
        if (reader->header_size == HEADER_SIZE) {
            read_header(reader);
            if (reading(reader) && received.size == 0 && reader->header_size == HEADER_SIZE)
                read_body(reader, &received); /* what five octets can end: a banner, an SSLv2 error */
        }
    }
    reader->result.complete = reader->state == VIGIE_TLS_DONE && reader->until == VIGIE_UNTIL_CERTIFICATE;
    return reader->state;
}

VigieTlsState tls_reader_close(VigieTlsReader *reader) {
    VigieTlsBuffer *buffer = reader->buffer;
    if (!buffer || !reading(reader) || reader->state == VIGIE_TLS_RETRY)
        return reader->state;
    if (reader->step == MODE_TEXT) {
        judge_text(reader, true);
    } else if (first_record(reader) && reader->header_size > 0 && reader->header_size < HEADER_SIZE) {
        memcpy(buffer->data, reader->header, reader->header_size);
        buffer->tail = reader->header_size;
        judge_text(reader, true);
    } else if (reader->result.certificate_count > 0) {
        reader->state = VIGIE_TLS_DONE;
    } else if (reader->header_size > 0) {
        tls_reader_fail(reader, "RFC 8446 5.1: closed within a record");
    } else if (buffer->size > buffer->parsed) {
        tls_reader_fail(reader, "RFC 8446 4: closed within a handshake message");
    } else {
        tls_reader_fail(reader, "RFC 8446 6.1: closed before the end of the handshake");
    }
    return reader->state;
}

size_t tls_reader_retry(VigieTlsReader *reader, uint8_t *out, size_t capacity) {
    uint8_t kept[2 * RANDOM_SIZE];
    VigieBytes random, session_id;
    if (reader->state != VIGIE_TLS_RETRY || !tls_hello_identity(reader->hello, &random, &session_id) ||
        session_id.size > RANDOM_SIZE)
        return 0;
    VigieBytes sent = vigie_bytes(reader->hello.data + HEADER_SIZE, reader->hello.size - HEADER_SIZE);
    if (tls_keys_hash(reader->tls, reader->result.suite, &sent, 1, reader->buffer->first_hash) == 0)
        return 0;
    memcpy(kept, random.data, random.size); /* `out` may be the first hello itself */
    memcpy(kept + RANDOM_SIZE, session_id.data, session_id.size);
    TlsHelloIdentity identity = {.random = vigie_bytes(kept, RANDOM_SIZE),
                                 .session_id = vigie_bytes(kept + RANDOM_SIZE, session_id.size),
                                 .group = reader->result.group,
                                 .cookie = reader->buffer->cookie};
    size_t size = tls_hello_write_as(reader->tls, reader->plan, &identity, out, capacity);
    if (size == 0)
        return 0;
    reader->hello = vigie_bytes(out, size);
    reader->retried = true;
    reader->step = 0;
    reader->state = VIGIE_TLS_MORE;
    return size;
}
