#include "base/bytes.h"

#include <glib.h>

static void test_reads_in_order(void) {
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 0, 2, 8, 9, 7};
    VigieReader reader = vigie_reader(vigie_bytes(data, sizeof data));
    g_assert_cmpuint(vigie_read_u8(&reader), ==, 1);
    g_assert_cmpuint(vigie_read_u16(&reader), ==, 0x0203);
    g_assert_cmpuint(vigie_read_u24(&reader), ==, 0x040506);
    VigieReader vector = vigie_read_vector(&reader, 2);
    g_assert_cmpuint(vigie_read_u16(&vector), ==, 0x0809);
    g_assert_true(vigie_reader_empty(&vector) && !vector.failed);
    g_assert_cmpuint(vigie_read_u8(&reader), ==, 7);
    g_assert_true(vigie_reader_empty(&reader) && !reader.failed);
}

static void test_past_the_end_sticks(void) {
    const uint8_t data[] = {0, 9, 1};
    VigieReader reader = vigie_reader(vigie_bytes(data, sizeof data));
    VigieReader vector = vigie_read_vector(&reader, 2);
    g_assert_true(vector.failed && reader.failed);
    g_assert_cmpuint(vigie_read_u8(&vector), ==, 0);
    g_assert_cmpuint(vigie_read_u8(&reader), ==, 0);
    g_assert_true(vigie_reader_empty(&reader));
}

static void test_writes_vectors(void) {
    uint8_t data[8];
    VigieWriter writer = vigie_writer(data, sizeof data);
    size_t outer = vigie_write_open(&writer, 2);
    size_t inner = vigie_write_open(&writer, 1);
    vigie_write_u16(&writer, 0xabcd);
    vigie_write_close(&writer, inner, 1);
    vigie_write_close(&writer, outer, 2);
    const uint8_t expected[] = {0, 3, 2, 0xab, 0xcd};
    g_assert_cmpmem(writer.data, writer.size, expected, sizeof expected);
    vigie_write(&writer, "abcd", 4);
    g_assert_true(writer.failed);
    g_assert_cmpuint(writer.size, ==, 5);
}

static void test_vector_too_long_for_its_prefix(void) {
    uint8_t data[300] = {0};
    VigieWriter writer = vigie_writer(data, sizeof data);
    size_t mark = vigie_write_open(&writer, 1);
    uint8_t content[256] = {0};
    vigie_write(&writer, content, sizeof content);
    vigie_write_close(&writer, mark, 1);
    g_assert_true(writer.failed);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bytes/reads-in-order", test_reads_in_order);
    g_test_add_func("/bytes/past-the-end-sticks", test_past_the_end_sticks);
    g_test_add_func("/bytes/writes-vectors", test_writes_vectors);
    g_test_add_func("/bytes/vector-too-long-for-its-prefix", test_vector_too_long_for_its_prefix);
    return g_test_run();
}
