/* The GMAO's file: every shape it comes in, and back again. */
#include "fleet-test.h"
#include "fleet/csv.h"

#include <string.h>

typedef struct {
    VigieStore *store;
    VigieFleetMapping *mapping;
} Office;

static Office office_new(void) {
    g_autoptr(GError) error = NULL;
    Office office = {test_store_new(), fleet_mapping_load(NULL, &error)};
    g_assert_no_error(error);
    return office;
}

static void office_free(Office *office) {
    fleet_mapping_free(office->mapping);
    store_close(office->store);
}

static json_t *import_bytes(const Office *office, VigieBytes file, bool dry_run) {
    g_autoptr(GError) error = NULL;
    const VigieFleetImport how = {
        .mapping = office->mapping, .organisation = "CHU de Kermarec", .dry_run = dry_run, .by = "claire"};
    json_t *report = fleet_import(office->store, file, &how, TEST_NOW, &error);
    g_assert_no_error(error);
    return report;
}

static json_t *import(const Office *office, const char *text) {
    return import_bytes(office, vigie_bytes(text, strlen(text)), false);
}

static json_t *devices(const Office *office) {
    g_autoptr(GError) error = NULL;
    VigieFleetFilter filter = {.sort = "gmao", .page_size = 500, .retired = true};
    json_t *page = fleet_device_list(office->store, &filter, TEST_NOW, &error);
    g_assert_no_error(error);
    return page;
}

static void counts(const json_t *report, const char *expected) {
    g_autofree char *is =
        g_strdup_printf("%d+%d=%d-%d", (int)test_int(report, "created"), (int)test_int(report, "updated"),
                        (int)test_int(report, "unchanged"), (int)test_int(report, "refused"));
    if (strcmp(is, expected) != 0) {
        g_autofree char *all = vigie_json_text(report);
        g_error("created+updated=unchanged-refused is %s, not %s: %s", is, expected, all);
    }
}

/* ---- CSV ---------------------------------------------------------------------------------------------------- */
static void test_csv(void) {
    static const struct {
        const char *text, *rows; /* cells between |, rows between # */
    } cases[] = {
        {"a;b\nc;d\n", "a|b#c|d"},
        {"a;b\r\nc;d", "a|b#c|d"},
        {"a;b\rc;d\r", "a|b#c|d"},
        {"\"a;1\";\"b\"\"c\"\n", "a;1|b\"c"},
        {"\"a\nb\";c\nd;e\n", "a\nb|c#d|e"},
        {"\"a\r\nb\";c\n", "a\nb|c"},
        {"a;;\n;;\n\nb\n", "a||#b"},
        {"a \"b\";c\n", "a \"b\"|c"},
        {"\"a\"b;c\n", "ab|c"},
        {"a;\"b\nc;d\n", "!open-quote#c|d"},
        {"", ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Csv) csv = csv_new(cases[i].text, strlen(cases[i].text), ';');
        GString *rows = g_string_new(NULL);
        for (const CsvRow *row; (row = csv_next(csv));) {
            g_string_append(rows, rows->len ? "#" : "");
            if (row->problem)
                g_string_append_printf(rows, "!%s", row->problem);
            for (guint c = 0; c < row->cells->len; c++)
                g_string_append_printf(rows, "%s%s", c ? "|" : "", (char *)row->cells->pdata[c]);
        }
        g_assert_cmpstr(rows->str, ==, cases[i].rows);
        g_string_free(rows, TRUE);
    }
}

static void test_csv_lines(void) {
    const char *text = "a\n\n\"b\nb\"\n\"c\nd\ne;f";
    static const int64_t lines[] = {1, 3, 5, 6, 7};
    g_autoptr(Csv) csv = csv_new(text, strlen(text), ';');
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        const CsvRow *row = csv_next(csv);
        g_assert_nonnull(row);
        g_assert_cmpint(row->line, ==, lines[i]);
    }
    g_assert_null(csv_next(csv));
}

static void test_csv_limits(void) {
    GString *text = g_string_new(NULL);
    for (int i = 0; i < CSV_CELL_MAX + 1; i++)
        g_string_append_c(text, 'x');
    g_string_append(text, ";b\nok\n");
    for (int i = 0; i < CSV_COLUMNS_MAX; i++)
        g_string_append(text, "c;");
    g_string_append(text, "d\n");
    g_autoptr(Csv) csv = csv_new(text->str, text->len, ';');
    const CsvRow *row = csv_next(csv);
    g_assert_cmpstr(row->problem, ==, "too-long");
    g_assert_cmpuint(row->column, ==, 1);
    g_assert_null(csv_next(csv)->problem);
    row = csv_next(csv);
    g_assert_cmpstr(row->problem, ==, "too-many-columns");
    g_assert_cmpuint(row->cells->len, ==, CSV_COLUMNS_MAX);
    g_string_free(text, TRUE);
}

/* Quotes that open as often as they can without closing cost a line each, and no more work than reading twice. */
static void test_csv_hostile(void) {
    GString *text = g_string_new(NULL);
    enum { TIMES = 50 };
    for (int i = 0; i < TIMES; i++) {
        g_string_append(text, "a;\"b\n");
        for (int filler = 0; filler < CSV_CELL_MAX / 4; filler++)
            g_string_append(text, "c;\"\"d;e\n");
    }
    g_autoptr(Csv) csv = csv_new(text->str, text->len, ';');
    size_t rows = 0, open = 0;
    for (const CsvRow *row; (row = csv_next(csv)); rows++)
        open += g_strcmp0(row->problem, "open-quote") == 0;
    g_assert_cmpuint(open, ==, TIMES);
    g_assert_cmpuint(rows, ==, (size_t)TIMES * (1 + CSV_CELL_MAX / 4));
    g_string_free(text, TRUE);
}

static void test_csv_formulas(void) {
    g_autofree char *quotes = g_strnfill(CSV_CELL_MAX, '"');
    const char *const cells[] = {quotes, "=1+1", "+33 2 98", "-5",  "@x",         "'=1",     "''@",
                                 "a",    "'a",   "",         "\tx", "a;\"b\"\nc", "=\"a;b\""};
    for (size_t i = 0; i < G_N_ELEMENTS(cells); i++) {
        GString *out = g_string_new(NULL);
        csv_append_cell(out, cells[i], ';');
        g_string_append(out, ";.\n");
        const char *first = out->str + (out->str[0] == '"');
        g_assert_null(*first ? strchr("=+-@\t", *first) : NULL);
        g_autoptr(Csv) csv = csv_new(out->str, out->len, ';');
        const CsvRow *row = csv_next(csv);
        g_assert_cmpstr(csv_unguard(row->cells->pdata[0]), ==, cells[i]);
        g_string_free(out, TRUE);
    }
}

static void test_delimiters(void) {
    static const struct {
        const char *text;
        char delimiter;
    } cases[] = {{"a;b,c;d\n", ';'}, {"a,b;c,d\n", ','},     {"a\tb\tc\n", '\t'},
                 {"\n\na,b\n", ','}, {"\"a;b;c\",d\n", ','}, {"a\n", ';'},
                 {"", ';'}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(csv_delimiter(cases[i].text, strlen(cases[i].text)), ==, cases[i].delimiter);
}

/* ---- Encodings ---------------------------------------------------------------------------------------------- */
static void test_encodings(void) {
    static const char utf8[] =
        "N° GMAO;Désignation;Fabricant\nA1;Échographe « n° 4 » à 12 €;Müller & Œuvre\n";
    static const char *const charsets[] = {"UTF-8", "WINDOWS-1252", "UTF-16"};
    static const char *const told[] = {"UTF-8", "Windows-1252", "UTF-16"};
    for (size_t i = 0; i < G_N_ELEMENTS(charsets); i++) {
        for (int mark = 0; mark < (i == 0 ? 2 : 1); mark++) {
            Office office = office_new();
            g_autoptr(GError) error = NULL;
            gsize size = 0;
            g_autofree char *marked = g_strconcat(mark ? "\xEF\xBB\xBF" : "", utf8, NULL);
            g_autofree char *bytes = g_convert(marked, -1, charsets[i], "UTF-8", NULL, &size, &error);
            g_assert_no_error(error);
            g_autoptr(json_t) report = import_bytes(&office, vigie_bytes(bytes, size), false);
            counts(report, "1+0=0-0");
            g_assert_cmpstr(test_text(report, "encoding"), ==, told[i]);
            g_autoptr(json_t) page = devices(&office);
            g_assert_cmpstr(test_text(page, "items.0.name"), ==, "Échographe « n° 4 » à 12 €");
            g_assert_cmpstr(test_text(page, "items.0.manufacturer"), ==, "Müller & Œuvre");
            office_free(&office);
        }
    }
}

static void test_not_text(void) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } cases[] = {
        {"PK\3\4\0\0", 6, "xlsx"}, {"a;b\0c\n", 6, "zero"}, {"\xFF\xFE\x00\xD8\x41\x00", 6, "UTF-16"}};
    Office office = office_new();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        const VigieFleetImport how = {.mapping = office.mapping, .by = "claire"};
        g_assert_null(
            fleet_import(office.store, vigie_bytes(cases[i].bytes, cases[i].size), &how, TEST_NOW, &error));
        test_error_says(&error, VIGIE_ERROR_INVALID, cases[i].says, NULL);
    }
    office_free(&office);
}

/* ---- Import ------------------------------------------------------------------------------------------------- */
static const char clean[] =
    "N° GMAO;Établissement;Désignation;Classe;Fabricant;Modèle;N° de série;Version "
    "logicielle;Localisation;Nom réseau;"
    "Adresse IP;Ports;Responsable;Criticité;État;Remarques\r\n"
    "IMG-001;;Échographe n° 4;Imagerie médicale;Sonovia;S12;SN-1;2.1;Bât. A, étage "
    "2;echo-04.chu.test;127.0.1.4;"
    "2762/dicom 443;Biomédical;Majeure;En service;\r\n"
    "LAB-002;CH de Plouzané;Automate;Laboratoire;Hémalab;H9;SN-2;;Labo;;127.0.1.5;443/https;Fournisseur;4;En "
    "service;"
    "\"Deux lignes\net une \"\"note\"\"\"\r\n"
    "SRV-003;;Serveur PACS;Serveur;Imagia;;SN-3;;;pacs.chu.test;;443,11112/dicom;DSI;Vitale;Réformé;\r\n";

static void test_clean(void) {
    Office office = office_new();
    g_autoptr(json_t) report = import(&office, clean);
    counts(report, "3+0=0-0");
    g_assert_cmpint(test_int(report, "problem_count"), ==, 0);
    g_assert_cmpint(test_int(report, "endpoints_created"), ==, 5);
    g_assert_cmpint(test_int(report, "organisations_created"), ==, 2);
    g_assert_cmpstr(test_text(report, "columns.fqdn"), ==, "Nom réseau");
    g_autoptr(json_t) page = devices(&office);
    g_assert_cmpstr(test_text(page, "items.0.class"), ==, "imaging");
    g_assert_cmpstr(test_text(page, "items.0.owner"), ==, "biomed");
    g_assert_cmpstr(test_text(page, "items.1.criticality"), ==, "vital");
    g_assert_cmpstr(test_text(page, "items.1.organisation.name"), ==, "CH de Plouzané");
    g_assert_cmpstr(test_text(page, "items.1.note"), ==, "Deux lignes\net une \"note\"");
    g_assert_nonnull(test_text(page, "items.2.retired"));
    g_autoptr(GError) error = NULL;
    VigieFleetFilter all = {0};
    g_autoptr(json_t) device =
        fleet_device_get(office.store, &all, test_int(page, "items.0.id"), TEST_NOW, &error);
    g_assert_cmpstr(test_text(device, "endpoints.0.target"), ==, "echo-04.chu.test:2762/dicom");
    g_assert_cmpstr(test_text(device, "endpoints.0.connect"), ==, "127.0.1.4");
    g_assert_true(json_is_true(test_at(device, "endpoints.0.gentle")));
    /* A second time changes nothing, not even the history. */
    int64_t before = 0, after = 0;
    store_get_int(office.store, &before, &error, "SELECT count(*) FROM event", "");
    g_autoptr(json_t) again = import(&office, clean);
    counts(again, "0+0=3-0");
    store_get_int(office.store, &after, &error, "SELECT count(*) FROM event", "");
    g_assert_cmpint(before, ==, after);
    office_free(&office);
}

static void test_servers_are_not_gentle(void) {
    Office office = office_new();
    g_autoptr(json_t) report =
        import(&office, "N° GMAO;Désignation;Classe;IP;Ports\nS1;PACS;Serveur;10.0.0.1;443\n"
                        "S2;?;;10.0.0.2;443\n");
    counts(report, "2+0=0-0");
    g_autoptr(GError) error = NULL;
    VigieFleetFilter filter = {.sort = "target"};
    g_autoptr(json_t) page = fleet_endpoint_list(office.store, &filter, TEST_NOW, &error);
    g_assert_true(json_is_false(test_at(page, "items.0.gentle")));
    g_assert_true(json_is_true(test_at(page, "items.1.gentle")));
    office_free(&office);
}

/* Each dirty line names its line, column and problem; the good ones are kept. */
static void test_dirty(void) {
    Office office = office_new();
    g_autoptr(json_t) report =
        import(&office, "N° GMAO;Désignation;Classe;N° de série;Adresse IP;Ports;Couleur\n"
                        "A1;Bon;Imagerie;S1;10.0.0.1;443;bleu\n"
                        "A2;Classe?;Chirurgie;S2;10.0.0.2;443\n"    /* line 3: word not known, kept */
                        "A3;IP fausse;Imagerie;S3;10.0.0.300;443\n" /* 4: address left out, so no endpoint */
                        ";;;;;\n"                                   /* 5: empty */
                        "A4;;Imagerie;S4;10.0.0.4;443\n"            /* 6: no name */
                        ";Sans numéro;Imagerie;;10.0.0.5;443\n"     /* 7: no identity */
                        "A1;Encore;Imagerie;S1;10.0.0.6;443\n"      /* 8: twice */
                        "A7;\"Guillemet;Imagerie;S7;10.0.0.7;443\n" /* 9: open quote */
                        "A8;Port?;Imagerie;S8;10.0.0.8;https 70000\n" /* 10: no endpoint */
                        "A9;Nom\x01;Imagerie;S9;10.0.0.9;443\n"       /* 11: control */
                        "B1;Bon aussi;Imagerie;S10;10.0.0.10;443/https,8443/https\n");
    static const char *const problems[] = {
        "3:3:class:unknown-word:kept",      "4:5:ip:not-address:kept",
        "4:6:endpoints:no-address:kept",    "6:2:name:required:refused",
        "7:1:gmao:no-identity:refused",     "8:1:gmao:twice-in-file:refused",
        "9:2::open-quote:refused",          "10:6:endpoints:not-endpoint:kept",
        "10:6:endpoints:not-endpoint:kept", "11:2:name:control-character:refused"};
    counts(report, "5+0=0-5");
    for (size_t i = 0; i < G_N_ELEMENTS(problems); i++) {
        g_autofree char *path = g_strdup_printf("problems.%zu", i);
        json_t *at = test_at(report, path);
        const char *field = test_text(at, "field");
        g_autofree char *is = g_strdup_printf(
            "%d:%d:%s:%s:%s", (int)test_int(at, "line"), (int)test_int(at, "column"), field ? field : "",
            test_text(at, "problem"), json_is_true(test_at(at, "refused")) ? "refused" : "kept");
        g_assert_cmpstr(is, ==, problems[i]);
    }
    g_assert_cmpint(test_int(report, "problem_count"), ==, (int)G_N_ELEMENTS(problems));
    g_assert_cmpstr(test_text(report, "ignored.0"), ==, "Couleur");
    /* Every problem has its words in both languages. */
    size_t index;
    json_t *problem;
    json_array_foreach(test_at(report, "problems"), index, problem) {
        for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
            g_autofree char *text = fleet_problem_text(lang, problem);
            g_assert_null(strstr(text, "fleet."));
            g_assert_null(strchr(text, '{'));
        }
    }
    office_free(&office);
}

static void test_header_refused(void) {
    static const struct {
        const char *text, *says;
    } cases[] = {{"Couleur;Poids\nbleu;3\n", "Couleur"},
                 {"N° GMAO;Poids\nA;3\n", "name"},
                 {"Désignation;Poids\nA;3\n", "gmao"},
                 {"", "name"}};
    Office office = office_new();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        const VigieFleetImport how = {.mapping = office.mapping, .by = "claire"};
        g_assert_null(fleet_import(office.store, vigie_bytes(cases[i].text, strlen(cases[i].text)), &how,
                                   TEST_NOW, &error));
        test_error_says(&error, VIGIE_ERROR_INVALID, cases[i].says, NULL);
    }
    office_free(&office);
}

static void test_dry_run(void) {
    Office office = office_new();
    g_autoptr(json_t) report = import_bytes(&office, vigie_bytes(clean, strlen(clean)), true);
    counts(report, "3+0=0-0");
    g_autoptr(json_t) page = devices(&office);
    g_assert_cmpint(test_int(page, "total"), ==, 0);
    int64_t organisations = 1;
    g_autoptr(GError) error = NULL;
    store_get_int(office.store, &organisations, &error, "SELECT count(*) FROM organisation", "");
    g_assert_cmpint(organisations, ==, 0);
    office_free(&office);
}

/* It is done in a copy: another's transaction, which has the lock, is not waited for; what it would change is told by the real ids. */
static void test_dry_run_locks_nothing(void) {
    g_autofree char *url = test_store_url();
    g_autoptr(VigieStore) other = test_store_open(url);
    g_autoptr(GError) error = NULL;
    g_assert_true(store_migrate(other, &error));
    Office office = {test_store_open(url), fleet_mapping_load(NULL, &error)};
    g_assert_no_error(error);
    json_decref(import(&office, clean));
    g_autoptr(json_t) page = devices(&office);
    const json_t *first = json_array_get(json_object_get(page, "items"), 0);
    g_autoptr(VigieTransaction) tx = store_begin(other, &error);
    g_assert_true(store_exec(other, &error, "UPDATE device SET note = 'x'", ""));
    const char *changed = "N° GMAO;Désignation;Localisation;Ports\nNEW;Neuf;;443\nNEW;Neuf;;\n";
    g_autofree char *text =
        g_strdup_printf("%s%s;%s;Ailleurs;\n", changed, json_string_value(json_object_get(first, "gmao")),
                        json_string_value(json_object_get(first, "name")));
    g_autoptr(json_t) report = import_bytes(&office, vigie_bytes(text, strlen(text)), true);
    counts(report, "1+1=0-1");
    const json_t *last = json_array_get(json_object_get(report, "changes"), 1);
    g_assert_true(json_equal(json_object_get(last, "device"), json_object_get(first, "id")));
    store_rollback(g_steal_pointer(&tx));
    office_free(&office);
}

/* What somebody said of the columns counts, and nothing else. */
static void test_columns(void) {
    Office office = office_new();
    g_autoptr(GError) error = NULL;
    static const char file[] = "Code;Machin;Lieu;Lieu\n;Échographe;Bloc 1;Bâtiment A\nE-2;;;\n";
    const VigieBytes bytes = vigie_bytes(file, strlen(file));
    g_autoptr(json_t) looked = fleet_import_columns(bytes, office.mapping, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(json_is_false(json_object_get(looked, "enough")));
    const json_t *code = json_array_get(json_object_get(looked, "headers"), 0);
    g_assert_cmpstr(json_string_value(json_object_get(code, "sample")), ==, "E-2");
    g_autoptr(json_t) chosen = json_pack("{s:i, s:i, s:i}", "gmao", 1, "name", 2, "location", 4);
    VigieFleetImport how = {
        .mapping = office.mapping, .columns = chosen, .organisation = "CHU", .by = "claire"};
    static const char rows[] = "Code;Machin;Lieu;Lieu\nE-1;Échographe;Bloc 1;Bâtiment A\n";
    g_autoptr(json_t) report =
        fleet_import(office.store, vigie_bytes(rows, strlen(rows)), &how, TEST_NOW, &error);
    g_assert_no_error(error);
    counts(report, "1+0=0-0");
    g_autoptr(json_t) page = devices(&office);
    int64_t id = test_int(json_array_get(json_object_get(page, "items"), 0), "id");
    const VigieFleetFilter all = {0};
    g_autoptr(json_t) device = fleet_device_get(office.store, &all, id, TEST_NOW, &error);
    g_assert_cmpstr(json_string_value(json_object_get(device, "location")), ==, "Bâtiment A");
    static const char *const wrong[] = {"{\"name\": 5}", "{\"name\": 0}", "{\"nom\": 1}",
                                        "{\"name\": \"1\"}"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(json_t) columns = json_loads(wrong[i], 0, NULL);
        g_assert_null(fleet_import_columns(bytes, office.mapping, columns, &error));
        test_error_says(&error, VIGIE_ERROR_INVALID, "the number of a column", NULL);
    }
    office_free(&office);
}

/* ---- Identity ----------------------------------------------------------------------------------------------- */
/* Known by its serial number first; then the GMAO gave it a number; then it was renamed, and moved. */
static void test_identity(void) {
    static const struct {
        const char *row, *counts;
    } steps[] = {
        {";Automate;Hémalab;SN-1;Labo;10.0.0.1;443", "1+0=0-0"},
        {";Automate;Hémalab;SN-1;Labo;10.0.0.1;443", "0+0=1-0"},
        {";Automate;Autrelabo;SN-1;Labo;10.0.0.2;443", "1+0=0-0"},
        {"LAB-1;Automate;Hémalab;SN-1;Labo;10.0.0.1;443", "0+1=0-0"},
        {"LAB-1;Automate A;Hémalab;SN-1;Urgences;10.0.0.9;443", "0+1=0-0"},
        {"LAB-2;Automate B;Hémalab;SN-1;Urgences;10.0.0.10;443", "1+0=0-0"},
    };
    Office office = office_new();
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *file =
            g_strconcat("N° GMAO;Désignation;Fabricant;N° de série;Localisation;Adresse IP;Ports\n",
                        steps[i].row, "\n", NULL);
        g_autoptr(json_t) report = import(&office, file);
        counts(report, steps[i].counts);
    }
    g_autoptr(json_t) page = devices(&office);
    g_assert_cmpint(test_int(page, "total"), ==, 3);
    g_autoptr(GError) error = NULL;
    VigieFleetFilter all = {0};
    g_autoptr(json_t) device =
        fleet_device_get(office.store, &all, test_int(page, "items.1.id"), TEST_NOW, &error);
    g_assert_cmpstr(test_text(device, "gmao"), ==, "LAB-1");
    g_assert_cmpint((int64_t)json_array_size(test_at(device, "endpoints")), ==, 1);
    g_assert_cmpstr(test_text(device, "endpoints.0.target"), ==, "10.0.0.9:443/https");
    office_free(&office);
}

/* Two devices behind one address; a device that gains a name keeps its endpoint and history. */
static void test_shared_address(void) {
    Office office = office_new();
    g_autoptr(json_t) first = import(
        &office, "N° GMAO;Désignation;Nom réseau;IP;Ports\nA;Un;;10.0.0.1;443\nB;Deux;;10.0.0.1;443\n");
    counts(first, "2+0=0-0");
    g_assert_cmpint(test_int(first, "endpoints_created"), ==, 2);
    g_autoptr(json_t) second = import(
        &office,
        "N° GMAO;Désignation;Nom réseau;IP;Ports\nA;Un;un.chu.test;10.0.0.1;443\nB;Deux;;10.0.0.1;443\n");
    counts(second, "0+1=1-0");
    g_assert_cmpint(test_int(second, "endpoints_created"), ==, 0);
    g_autoptr(GError) error = NULL;
    VigieFleetFilter filter = {.sort = "target"};
    g_autoptr(json_t) page = fleet_endpoint_list(office.store, &filter, TEST_NOW, &error);
    g_assert_cmpint(test_int(page, "total"), ==, 2);
    g_assert_cmpstr(test_text(page, "items.1.target"), ==, "un.chu.test:443/https");
    g_assert_cmpstr(test_text(page, "items.1.connect"), ==, "10.0.0.1");
    office_free(&office);
}

/* Names differ by more than accents of one keyboard: composed and decomposed are one, accents themselves are not lost. */
static void test_accents(void) {
    Office office = office_new();
    g_autoptr(json_t) first = import(&office, "N° GMAO;Établissement;Désignation\nA;Hôpital "
                                              "Ste-Thérèse;Évier e\xCC\x81le\xCC\x81gant Çà œ ÿ Ð ß\n");
    counts(first, "1+0=0-0");
    g_autoptr(json_t) second = import(&office, "n° gmao;ETABLISSEMENT;designation\nA;Ho\xCC\x82pital "
                                               "Ste-The\xCC\x81re\xCC\x80se;Évier élégant Çà œ ÿ Ð ß\n");
    counts(second, "0+0=1-0");
    g_autoptr(json_t) page = devices(&office);
    g_assert_cmpstr(test_text(page, "items.0.name"), ==, "Évier élégant Çà œ ÿ Ð ß");
    g_autoptr(GError) error = NULL;
    static const char *const words[] = {"evier", "ÉLÉGANT", "ca", "eleg ça"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        VigieFleetFilter filter = {.q = words[i]};
        g_autoptr(json_t) found = fleet_device_list(office.store, &filter, TEST_NOW, &error);
        g_assert_no_error(error);
        g_assert_cmpint(test_int(found, "total"), ==, 1);
    }
    office_free(&office);
}

/* ---- Export ------------------------------------------------------------------------------------------------- */
static char *export(const Office *office, VigieLang lang) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Europe/Paris");
    VigieFleetFilter all = {.retired = true};
    GString *out = g_string_new(NULL);
    fleet_export(office->store, &all, office->mapping, lang, zone, TEST_NOW, out, &error);
    g_assert_no_error(error);
    return g_string_free(out, FALSE);
}

static void test_round_trip(void) {
    for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
        Office office = office_new(), other = office_new();
        g_autoptr(json_t) first = import(&office, clean);
        g_autoptr(json_t) formulas = import(&office, "N° "
                                                     "GMAO;Désignation;Fabricant;Remarques;Criticité\n=A1;-"
                                                     "échographe-;@maker;\"+1\n=2\";\n'=B;'cite;;;\n");
        counts(formulas, "2+0=0-0");
        g_autofree char *file = export(&office, lang);
        g_assert_true(g_str_has_prefix(file, "\xEF\xBB\xBFN° GMAO;Établissement;Désignation;"));
        g_autoptr(json_t) again = import(&office, file);
        counts(again, "0+0=5-0");
        g_assert_cmpint(test_int(again, "problem_count"), ==, 0);
        g_assert_cmpint((int64_t)json_array_size(test_at(again, "ignored")), ==, 0);
        /* Into an empty store, and out again: the same bytes. */
        g_autoptr(json_t) copied = import(&other, file);
        counts(copied, "5+0=0-0");
        g_autofree char *copy = export(&other, lang);
        g_assert_cmpstr(copy, ==, file);
        office_free(&office);
        office_free(&other);
    }
}

static void test_export_says_what_was_seen(void) {
    Office office = office_new();
    g_autoptr(json_t) report = import(&office, "N° GMAO;Désignation;IP;Ports\nA;Automate;10.0.0.1;443\n");
    g_autoptr(VigieChain) chain =
        test_chain(&(TestCertificate){.name = "a",
                                      .issuer = "AC",
                                      .not_before = TEST_NOW - DAY,
                                      .not_after = test_time("2026-12-31T23:30:00Z")},
                   1);
    VigieRecord record = test_record("ok", TEST_NOW, VIGIE_DEPTH_FULL, chain, "");
    record.versions_offered = 1 << VIGIE_TLS10 | 1 << VIGIE_TLS13;
    test_observe(office.store, 1, 0, &record, TEST_NOW);
    g_autofree char *french = export(&office, VIGIE_FR), *english = export(&office, VIGIE_EN);
    g_assert_nonnull(strstr(french, ";2027-01-01;TLSv1.0 TLSv1.3;2026-11-21 09:00:00;en ordre\r\n"));
    g_assert_nonnull(strstr(english, ";Certificate ends;TLS versions;Last TLS check;TLS state\r\n"));
    g_assert_nonnull(strstr(english, ";well\r\n"));
    counts(report, "1+0=0-0");
    office_free(&office);
}

/* ---- Mapping ------------------------------------------------------------------------------------------------ */
static void test_mapping_file(void) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[columns]\ngmao=Inventar-Nr\nname=Bezeichnung\nclass=Klasse\n[class]\nimaging=Bildgebung\n", NULL},
        {"[columns]\nname=a\ngmao=A\n", "already"},
        {"[columns]\ncolour=a\n", "colour"},
        {"[class]\nimaging=a\n", "columns"},
        {"[columns]\nname=a\n[class]\nsurgery=b\n", "surgery"},
        {"[columns]\nname=a\n[serial]\nb=c\n", "serial"},
        {"not a key file", "mapping"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = NULL;
        int file = g_file_open_tmp("vigie-mapping-XXXXXX", &path, &error);
        g_assert_cmpint(file, >=, 0);
        g_assert_cmpint(write(file, cases[i].text, strlen(cases[i].text)), ==, (int)strlen(cases[i].text));
        close(file);
        VigieFleetMapping *mapping = fleet_mapping_load(path, &error);
        unlink(path);
        if (cases[i].says) {
            g_assert_null(mapping);
            test_error_says(&error, VIGIE_ERROR_INVALID, cases[i].says, NULL);
            continue;
        }
        g_assert_no_error(error);
        Office office = {test_store_new(), mapping};
        g_autoptr(json_t) report =
            import(&office, "Inventar-Nr,Bezeichnung,Klasse\nA,CT,bildgebung\nB,Pumpe,infusion\n");
        counts(report, "2+0=0-0");
        g_assert_cmpint(test_int(report, "problem_count"), ==, 0);
        office_free(&office);
    }
}

/* ---- Size --------------------------------------------------------------------------------------------------- */
static void test_many(void) {
    Office office = office_new();
    GString *file = g_string_new(
        "N° GMAO;Désignation;Classe;Fabricant;Modèle;N° de série;Localisation;Nom réseau;IP;Ports\n");
    for (int i = 0; i < 3000; i++)
        g_string_append_printf(file,
                               "EQ-%05d;Moniteur n° %d;Monitoring;Vitalis;M%d;SN-%06d;Bât. %c, étage "
                               "%d;mon-%d.chu.test;10.%d.%d.%d;443/https\n",
                               i, i, i % 9, i, 'A' + i % 6, i % 5, i, i / 65536, i / 256 % 256, i % 256);
    gint64 start = g_get_monotonic_time();
    g_autoptr(json_t) report = import(&office, file->str);
    g_test_message("3000 devices with an endpoint each: %.2f s",
                   (double)(g_get_monotonic_time() - start) / 1e6);
    counts(report, "3000+0=0-0");
    start = g_get_monotonic_time();
    g_autoptr(json_t) again = import(&office, file->str);
    g_test_message("again: %.2f s", (double)(g_get_monotonic_time() - start) / 1e6);
    counts(again, "0+0=3000-0");
    g_string_free(file, TRUE);
    office_free(&office);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    vigie_words_load(&error);
    g_assert_no_error(error);
    g_test_add_func("/fleet/csv/rows", test_csv);
    g_test_add_func("/fleet/csv/lines are counted", test_csv_lines);
    g_test_add_func("/fleet/csv/limits", test_csv_limits);
    g_test_add_func("/fleet/csv/hostile quotes", test_csv_hostile);
    g_test_add_func("/fleet/csv/formulas", test_csv_formulas);
    g_test_add_func("/fleet/csv/delimiters", test_delimiters);
    g_test_add_func("/fleet/import/encodings", test_encodings);
    g_test_add_func("/fleet/import/what is not text", test_not_text);
    g_test_add_func("/fleet/import/a clean file, twice", test_clean);
    g_test_add_func("/fleet/import/servers are not gentle", test_servers_are_not_gentle);
    g_test_add_func("/fleet/import/a dirty file", test_dirty);
    g_test_add_func("/fleet/import/a header without a name", test_header_refused);
    g_test_add_func("/fleet/import/dry run", test_dry_run);
    g_test_add_func("/fleet/import/a dry run locks nothing", test_dry_run_locks_nothing);
    g_test_add_func("/fleet/import/columns that were chosen", test_columns);
    g_test_add_func("/fleet/import/who is who", test_identity);
    g_test_add_func("/fleet/import/two devices at one address", test_shared_address);
    g_test_add_func("/fleet/import/accents", test_accents);
    g_test_add_func("/fleet/export/round trip", test_round_trip);
    g_test_add_func("/fleet/export/what was seen", test_export_says_what_was_seen);
    g_test_add_func("/fleet/mapping/files", test_mapping_file);
    g_test_add_func("/fleet/import/3000 devices", test_many);
    return test_store_run(argc, argv);
}
