/* A form with files: what is well comes out whole however it is cut, what two could read in two ways is refused. */
#include "portal/multipart.h"

#define TYPE "multipart/form-data; boundary=x"
#define TEXT(name) "--x\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART(name) "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" name "\"\r\n\r\n"
#define END "\r\n--x--\r\n"

enum { FILE_MAX = 1000 };

typedef struct {
    unsigned status; /* 0: whole; 1: not at its end */
    const char *why;
    GHashTable *form;
    GPtrArray *uploads;
} Decoded;

static Decoded decode(const char *type, VigieBytes body, size_t step) {
    Decoded decoded = {.form = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    g_autoptr(Multipart) multipart = multipart_new(vigie_bytes(type, strlen(type)), FILE_MAX);
    g_assert_nonnull(multipart);
    for (size_t at = 0; at < body.size && decoded.status == 0; at += step)
        multipart_feed(multipart, vigie_bytes(body.data + at, MIN(step, body.size - at)), &decoded.status,
                       &decoded.why);
    if (decoded.status == 0 && !multipart_end(multipart))
        decoded.status = 1;
    decoded.uploads = multipart_take(multipart, decoded.form);
    return decoded;
}

static void clear(Decoded *decoded) {
    g_hash_table_unref(decoded->form);
    g_ptr_array_unref(decoded->uploads);
}

static void assert_upload(const Decoded *decoded, guint index, const char *name, const char *content,
                          size_t size) {
    g_assert_cmpuint(decoded->uploads->len, >, index);
    const Upload *upload = g_ptr_array_index(decoded->uploads, index);
    gsize found = 0;
    const void *data = g_bytes_get_data(upload->bytes, &found);
    g_assert_cmpstr(upload->field, ==, "f");
    g_assert_cmpstr(upload->name, ==, name);
    g_assert_cmpmem(data, found, content, size);
}

static void test_whole(void) {
    static const char body[] = TEXT("a") "Élan\r\n" FILE_PART("a.bin") "\r\n--\0\r\n--x\r\r\n--y\r\n" TEXT(
        "a") "second\r\n" TEXT("b") "\r\n" FILE_PART("") "\r\n" FILE_PART("none.txt") END;
    for (size_t step = 1; step <= sizeof body; step++) {
        Decoded decoded = decode(TYPE, vigie_bytes(body, sizeof body - 1), step);
        /* "--x\r\r" in a line of its own is a boundary with something behind it. */
        g_assert_cmpuint(decoded.status, ==, 400);
        clear(&decoded);
    }
    static const char well[] = TEXT("a") "Élan\r\n" FILE_PART("a.bin") "\r\n--\0\r\n-x\r\r\n--y\r\n" TEXT(
        "a") "second\r\n" TEXT("b") "\r\n" FILE_PART("") "\r\n" FILE_PART("none.txt") END;
    static const char content[] = "\r\n--\0\r\n-x\r\r\n--y";
    for (size_t step = 1; step <= sizeof well; step++) {
        Decoded decoded = decode(TYPE, vigie_bytes(well, sizeof well - 1), step);
        g_assert_cmpuint(decoded.status, ==, 0);
        g_assert_cmpstr(g_hash_table_lookup(decoded.form, "a"), ==, "Élan");
        g_assert_cmpstr(g_hash_table_lookup(decoded.form, "b"), ==, "");
        g_assert_cmpuint(decoded.uploads->len, ==, 2); /* a file field without a file is none */
        assert_upload(&decoded, 0, "a.bin", content, sizeof content - 1);
        assert_upload(&decoded, 1, "none.txt", "", 0);
        clear(&decoded);
    }
}

static void test_names(void) {
    static const char *const names[][2] = {
        {"C:\\\\Users\\\\moi\\\\photo.png", "photo.png"},
        {"../../etc/passwd", "passwd"},
        {"..", "file"},
        {".htaccess", "htaccess"},
        {"a\\\"b.txt", "ab.txt"},
        {"a%22b.txt", "a%22b.txt"},
        {"Capture d\xe2\x80\x99\xc3\xa9\x63ran.png", "Capture d\xe2\x80\x99\xc3\xa9\x63ran.png"},
        {"fic\xe2\x80\xaegnp.exe", "ficgnp.exe"},
        {"a\tb\x01\x7f.txt", "ab.txt"},
        {"con|<>*?:.txt", "con.txt"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *body = g_strdup_printf(FILE_PART("%s") "x" END, names[i][0]);
        Decoded decoded = decode(TYPE, vigie_bytes(body, strlen(body)), 1000);
        g_assert_cmpuint(decoded.status, ==, 0);
        assert_upload(&decoded, 0, names[i][1], "x", 1);
        clear(&decoded);
    }
    g_autofree char *filler = g_strnfill(300, 'n');
    g_autofree char *body = g_strdup_printf(FILE_PART("%s.docx") "x" END, filler);
    Decoded decoded = decode(TYPE, vigie_bytes(body, strlen(body)), 1000);
    const Upload *upload = g_ptr_array_index(decoded.uploads, 0);
    g_assert_cmpint(g_utf8_strlen(upload->name, -1), ==, MULTIPART_NAME_MAX);
    g_assert_true(g_str_has_suffix(upload->name, "n.docx"));
    clear(&decoded);
}

static void test_refused(void) {
    static const struct {
        const char *body;
        unsigned status;
    } cases[] = {
        {"preamble\r\n" TEXT("a") "b" END, 400},
        {TEXT("a") "b" END "epilogue", 400},
        {TEXT("a") "b\r\n--x--x", 400},
        {TEXT("a") "b\r\n--x \r\n", 400},
        {TEXT("a") "b\r\n--xy\r\n", 400},
        {TEXT("a") "\xff" END, 400},
        {"--x\r\n\r\nno head" END, 400},
        {"--x\r\nContent-Type: text/plain\r\n\r\nno name" END, 400},
        {"--x\r\nContent-Disposition: form-data\r\n\r\nno name" END, 400},
        {"--x\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nb" END, 400},
        {"--x\r\nContent-Disposition: form-data; name=\"a\r\n\r\nb" END, 400},
        {"--x\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; "
         "name=b\r\n\r\nb" END,
         400},
        {"--x\r\nContent-Disposition: attachment; name=a\r\n\r\nb" END, 400},
        {"--x\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==" END,
         400},
        {TEXT("a") "b", 1},
        {TEXT("a") "b\r\n--x", 1},
        {TEXT("a") "b\r\n--x\r\n", 1},
        {"", 1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        for (size_t step = 1; step < 50; step += 48) {
            Decoded decoded = decode(TYPE, vigie_bytes(cases[i].body, strlen(cases[i].body)), step);
            g_assert_cmpuint(decoded.status, ==, cases[i].status);
            clear(&decoded);
        }
}

static void test_types(void) {
    static const struct {
        const char *type;
        bool well;
    } types[] = {{TYPE, true},
                 {"Multipart/Form-Data;boundary=\"a b\"", true},
                 {"multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", true},
                 {"multipart/form-data", false},
                 {"multipart/form-data; boundary=", false},
                 {"multipart/form-data; boundary=a; boundary=b", false},
                 {"multipart/form-data; boundary=a/b\\c", false},
                 {"multipart/form-data; boundary=\"a ", false},
                 {"multipart/mixed; boundary=x", false},
                 {"application/x-www-form-urlencoded", false},
                 {"", false}};
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autoptr(Multipart) multipart =
            multipart_new(vigie_bytes(types[i].type, strlen(types[i].type)), FILE_MAX);
        g_assert_true((multipart != NULL) == types[i].well);
    }
}

/* A file, a text, a part's head and the number of parts have their limits. */
static void test_limits(void) {
    g_autofree char *large = g_strnfill(MULTIPART_TEXT_MAX + 1, 'x');
    struct {
        const char *before;
        size_t size;
        unsigned status;
    } cases[] = {{FILE_PART("a"), FILE_MAX, 0},
                 {FILE_PART("a"), FILE_MAX + 1, 413},
                 {TEXT("a"), MULTIPART_TEXT_MAX, 0},
                 {TEXT("a"), MULTIPART_TEXT_MAX + 1, 413},
                 {"--x\r\nX: ", MULTIPART_HEAD_MAX + 1, 413}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *body = g_strdup_printf("%s%.*s" END, cases[i].before, (int)cases[i].size, large);
        Decoded decoded = decode(TYPE, vigie_bytes(body, strlen(body)), 100000);
        g_assert_cmpuint(decoded.status, ==, cases[i].status);
        clear(&decoded);
    }
    g_autoptr(GString) many = g_string_new(NULL);
    for (int i = 0; i <= MULTIPART_PARTS_MAX; i++)
        g_string_append(many, TEXT("a") "b\r\n");
    g_string_append(many, "--x--");
    Decoded decoded = decode(TYPE, vigie_bytes(many->str, many->len), 100000);
    g_assert_cmpuint(decoded.status, ==, 413);
    clear(&decoded);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/multipart/whole", test_whole);
    g_test_add_func("/multipart/names", test_names);
    g_test_add_func("/multipart/refused", test_refused);
    g_test_add_func("/multipart/types", test_types);
    g_test_add_func("/multipart/limits", test_limits);
    return g_test_run();
}
