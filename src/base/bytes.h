/* Byte cursors: the only way in which the parsers touch bytes from strangers.
 *
 * A VigieBytes is a borrowed view. A VigieReader walks one; a read past the end fails, sets `failed`, which
 * sticks, and leaves the output zeroed, so that a parser may read several fields and check once. A
 * VigieWriter fills a buffer of fixed capacity; what does not fit sets `failed` and writes nothing more.
 * Integers are big-endian, as on the wire. No allocation, no GLib, no abort. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *data;
    size_t size;
} VigieBytes;

static inline VigieBytes vigie_bytes(const void *data, size_t size) {
    return (VigieBytes){.data = data, .size = size};
}

static inline bool vigie_bytes_equal(VigieBytes a, VigieBytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

typedef struct {
    VigieBytes rest; /* what is still to be read */
    bool failed;
} VigieReader;

static inline VigieReader vigie_reader(VigieBytes bytes) {
    return (VigieReader){.rest = bytes, .failed = false};
}

static inline bool vigie_reader_empty(const VigieReader *reader) {
    return reader->failed || reader->rest.size == 0;
}

/* The next `size` bytes as a view, or an empty view and `failed`. */
static inline VigieBytes vigie_read(VigieReader *reader, size_t size) {
    if (reader->failed || reader->rest.size < size) {
        reader->failed = true;
        return (VigieBytes){0};
    }
    VigieBytes taken = {reader->rest.data, size};
    reader->rest.data += size;
    reader->rest.size -= size;
    return taken;
}

static inline uint32_t vigie_read_uint(VigieReader *reader, size_t octets) {
    VigieBytes bytes = vigie_read(reader, octets);
    uint32_t value = 0;
    for (size_t i = 0; i < bytes.size; i++)
        value = (value << 8) | bytes.data[i];
    return value;
}

static inline uint8_t vigie_read_u8(VigieReader *reader) {
    return (uint8_t)vigie_read_uint(reader, 1);
}

static inline uint16_t vigie_read_u16(VigieReader *reader) {
    return (uint16_t)vigie_read_uint(reader, 2);
}

static inline uint32_t vigie_read_u24(VigieReader *reader) {
    return vigie_read_uint(reader, 3);
}

static inline uint32_t vigie_read_u32(VigieReader *reader) {
    return vigie_read_uint(reader, 4);
}

/* A vector with a length prefix of `octets` (1 to 3) octets, as a reader of its own. */
static inline VigieReader vigie_read_vector(VigieReader *reader, size_t octets) {
    VigieReader inner = vigie_reader(vigie_read(reader, vigie_read_uint(reader, octets)));
    inner.failed = reader->failed;
    return inner;
}

typedef struct {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
} VigieWriter;

static inline VigieWriter vigie_writer(uint8_t *data, size_t capacity) {
    return (VigieWriter){.data = data, .capacity = capacity};
}

static inline void vigie_write(VigieWriter *writer, const void *data, size_t size) {
    if (writer->failed || writer->capacity - writer->size < size) {
        writer->failed = true;
        return;
    }
    if (size > 0)
        memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

static inline void vigie_write_uint(VigieWriter *writer, uint32_t value, size_t octets) {
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    vigie_write(writer, bytes + 4 - octets, octets);
}

static inline void vigie_write_u8(VigieWriter *writer, uint8_t value) {
    vigie_write_uint(writer, value, 1);
}

static inline void vigie_write_u16(VigieWriter *writer, uint16_t value) {
    vigie_write_uint(writer, value, 2);
}

/* Opens a vector: leaves room for its length of `octets` octets; close with the returned mark. */
static inline size_t vigie_write_open(VigieWriter *writer, size_t octets) {
    size_t mark = writer->size;
    vigie_write_uint(writer, 0, octets);
    return mark;
}

/* Closes the vector opened at `mark` with the same `octets`; a content too long for its prefix sets `failed`.
 */
static inline void vigie_write_close(VigieWriter *writer, size_t mark, size_t octets) {
    if (writer->failed)
        return;
    size_t length = writer->size - mark - octets;
    if (octets < sizeof length && length >> (8 * octets) != 0) {
        writer->failed = true;
        return;
    }
    for (size_t i = 0; i < octets; i++)
        writer->data[mark + i] = (uint8_t)(length >> (8 * (octets - 1 - i)));
}
