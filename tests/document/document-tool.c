/* document-tool: document-tool pdf|html|text MODEL.json writes what comes out; document-tool fill NAME fr|en DATA.json the model;
 * document-tool measure MODEL.json TIMES the seconds that one PDF takes. */
#include "document/document.h"

#include <stdio.h>
#include <string.h>

enum { CREATED = 1795305600 }; /* 2026-11-22T00:00:00Z */

static int fail(const GError *error) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
}

static json_t *load(const char *path) {
    json_error_t where;
    json_t *value = json_load_file(path, 0, &where);
    if (!value)
        g_error("%s: line %d: %s", path, where.line, where.text);
    return value;
}

static int write_bytes(GBytes *bytes) {
    gsize size = 0;
    const void *data = g_bytes_get_data(bytes, &size);
    fwrite(data, 1, size, stdout);
    g_bytes_unref(bytes);
    return 0;
}

static int render(const char *how, const char *path) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) model = load(path);
    if (strcmp(how, "pdf") == 0) {
        GBytes *pdf = document_pdf(model, CREATED, &error);
        return pdf ? write_bytes(pdf) : fail(error);
    }
    g_autofree char *text =
        strcmp(how, "html") == 0 ? document_html(model, &error) : document_text(model, &error);
    if (!text)
        return fail(error);
    fputs(text, stdout);
    return 0;
}

static int fill(const char *name, const char *language, const char *path) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) data = load(path);
    VigieLang lang = VIGIE_FR;
    vigie_lang_parse(language, &lang);
    g_autoptr(json_t) model = document_fill(name, data, lang, &error);
    if (!model)
        return fail(error);
    g_autofree char *text = vigie_json_text(model);
    puts(text);
    return 0;
}

static int measure(const char *path, int times) {
    g_autoptr(json_t) model = load(path);
    double best = 1e9;
    for (int i = 0; i < times; i++) {
        gint64 begun = g_get_monotonic_time();
        g_autoptr(GBytes) pdf = document_pdf(model, CREATED, NULL);
        best = MIN(best, (double)(g_get_monotonic_time() - begun) / 1e6);
        g_assert_nonnull(pdf);
    }
    printf("%.4f\n", best);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "fill") == 0)
        return fill(argv[2], argv[3], argv[4]);
    if (argc == 4 && strcmp(argv[1], "measure") == 0)
        return measure(argv[2], atoi(argv[3]));
    if (argc == 3)
        return render(argv[1], argv[2]);
    return 2;
}
