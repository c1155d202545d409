/* Who sees what, and what is done at a case: tasks, links, consent, artefacts, merge, split, what may leave. Both databases. */
#include "csirt-test.h"
#include "fleet/fleet.h"

#include <string.h>

typedef struct {
    VigieStore *store;
    VigieTeam *team;
    int64_t id, artefact, task;
} Desk;

static void desk_open(Desk *desk, gconstpointer data) {
    (void)data;
    desk->store = test_store_new();
    desk->team = test_team();
}

static void desk_close(Desk *desk, gconstpointer data) {
    (void)data;
    csirt_team_free(desk->team);
    store_close(desk->store);
}

static int64_t count(Desk *desk, const char *sql, int64_t id) {
    g_autoptr(GError) error = NULL;
    int64_t number = 0;
    store_get_int(desk->store, &number, &error, sql, "i", id);
    g_assert_no_error(error);
    return number;
}

/* ---- Access: role × label × restricted × function ----------------------------------------------------------- */
typedef bool (*Function)(Desk *desk, const VigieAnalyst *who, GError **error);

static bool do_get(Desk *desk, const VigieAnalyst *who, GError **error) {
    g_autoptr(json_t) found = csirt_case_get(desk->store, desk->team, who, desk->id, TEST_NOW, error);
    return found != NULL;
}

static bool do_check(Desk *desk, const VigieAnalyst *who, GError **error) {
    return csirt_case_check(desk->store, who, desk->id, error);
}

static bool do_change(Desk *desk, const VigieAnalyst *who, GError **error) {
    g_autoptr(json_t) fields = test_json("{'title': 'x'}");
    return csirt_case_change(desk->store, desk->team, who, desk->id, fields, TEST_NOW, error);
}

static bool do_move(Desk *desk, const VigieAnalyst *who, GError **error) {
    return csirt_case_move(desk->store, desk->team, who, desk->id, "acknowledged", NULL, TEST_NOW, error);
}

static bool do_override(Desk *desk, const VigieAnalyst *who, GError **error) {
    return csirt_case_override(desk->store, desk->team, who, desk->id, 1, "raison", TEST_NOW, error);
}

static bool do_note(Desk *desk, const VigieAnalyst *who, GError **error) {
    return csirt_note_add(desk->store, who, desk->id, "note", "x", TEST_NOW, error);
}

static bool do_task(Desk *desk, const VigieAnalyst *who, GError **error) {
    return csirt_task_done(desk->store, who, desk->task, "fait", TEST_NOW, error);
}

static bool do_link(Desk *desk, const VigieAnalyst *who, GError **error) {
    int64_t other = test_open(desk->store, desk->team, "Autre");
    return csirt_link_add(desk->store, who, desk->id, "case", other, NULL, TEST_NOW, error);
}

static bool do_artefact(Desk *desk, const VigieAnalyst *who, GError **error) {
    g_autofree char *name = NULL;
    g_autoptr(GBytes) content =
        csirt_artefact_open(desk->store, desk->team, who, desk->artefact, TEST_NOW, &name, error);
    return content != NULL;
}

static bool do_consent(Desk *desk, const VigieAnalyst *who, GError **error) {
    g_autoptr(json_t) consent =
        test_json("{'owner': 'CHU', 'audiences': ['partner'], 'members': ['technical'], "
                  "'evidence': 'mail', 'ends': '2027-01-01T00:00:00Z'}");
    return csirt_consent_add(desk->store, who, desk->id, consent, TEST_NOW, NULL, error);
}

static bool do_merge(Desk *desk, const VigieAnalyst *who, GError **error) {
    int64_t other = test_open(desk->store, desk->team, "Autre");
    return csirt_case_merge(desk->store, desk->team, who, other, desk->id, "la même", TEST_NOW, error);
}

static bool do_split(Desk *desk, const VigieAnalyst *who, GError **error) {
    g_auto(VigieOpened) opened = {0};
    return csirt_case_split(desk->store, desk->team, who, desk->id, "Part", NULL, 0, TEST_NOW, &opened,
                            error);
}

static bool do_access(Desk *desk, const VigieAnalyst *who, GError **error) {
    return csirt_access_set(desk->store, who, desk->id, "c.petit", true, TEST_NOW, error);
}

static bool do_source(Desk *desk, const VigieAnalyst *who, GError **error) {
    g_autoptr(GBytes) sealed = csirt_source_get(desk->store, who, desk->id, TEST_NOW, error);
    return sealed != NULL;
}

static bool do_find(Desk *desk, const VigieAnalyst *who, GError **error) {
    VigieCaseFilter filter = {.state = "all", .q = "objetunique"};
    g_autoptr(json_t) page = csirt_case_list(desk->store, who, &filter, TEST_NOW, error);
    if (!page)
        return false;
    if (test_int(page, "total") == 1 && json_array_size(test_at(page, "items")) == 1)
        return true;
    g_assert_cmpint(test_int(page, "total"), ==, 0);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "not in the list");
    return false;
}

static bool do_tasks(Desk *desk, const VigieAnalyst *who, GError **error) {
    g_autoptr(json_t) tasks = csirt_task_list(desk->store, who, desk->id, error);
    if (!tasks || json_array_size(tasks) == 1)
        return tasks != NULL;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "no task");
    return false;
}

static const struct {
    const char *name;
    Function function;
    bool head; /* the head's alone */
} functions[] = {
    {"find", do_find, false},     {"get", do_get, false},           {"check", do_check, false},
    {"change", do_change, false}, {"move", do_move, false},         {"override", do_override, false},
    {"note", do_note, false},     {"tasks", do_tasks, false},       {"task-done", do_task, false},
    {"link", do_link, false},     {"artefact", do_artefact, false}, {"consent", do_consent, false},
    {"access", do_access, true},  {"source", do_source, true},      {"split", do_split, false},
    {"merge", do_merge, false}};

/* Before each function, a case of its own. */
static void prepare(Desk *desk, const char *tlp, bool restricted) {
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) declarant = test_json("{'mail': 'x@y.test'}");
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = "protected",
                                  .title = "objetunique",
                                  .tlp = tlp,
                                  .declarant = declarant};
    csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error);
    g_assert_no_error(error);
    desk->id = opened.id;
    csirt_task_add(desk->store, "", desk->id, "todo", "à faire", NULL, NULL, 0, TEST_NOW, &desk->task,
                   &error);
    g_assert_no_error(error);
    csirt_artefact_add(desk->store, desk->team, "", desk->id, 0, "a.txt", vigie_bytes("abc", 3), TEST_NOW,
                       &desk->artefact, &error);
    g_assert_no_error(error);
    if (!restricted)
        return;
    g_autoptr(json_t) fields = test_json("{'restricted': true}");
    csirt_case_change(desk->store, desk->team, &test_head, desk->id, fields, TEST_NOW, &error);
    g_assert_no_error(error);
    csirt_access_set(desk->store, &test_head, desk->id, "a.martin", true, TEST_NOW, &error);
    g_assert_no_error(error);
}

/* a.martin is named for the restricted case, b.durand is not. Refused means: the same answer as for a case that does not
 * exist; and every look at a RED case by who may is kept. */
static void test_access(Desk *desk, gconstpointer data) {
    (void)data;
    static const char *const tlps[] = {"CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"};
    const VigieAnalyst *const people[] = {&test_analyst, &test_other, &test_head, &test_stranger};
    for (size_t t = 0; t < G_N_ELEMENTS(tlps); t++)
        for (int restricted = 0; restricted < 2; restricted++)
            for (size_t f = 0; f < G_N_ELEMENTS(functions); f++)
                for (size_t p = 0; p < G_N_ELEMENTS(people); p++) {
                    g_autoptr(GError) error = NULL;
                    const VigieAnalyst *who = people[p];
                    g_autoptr(VigieTransaction) tx = store_begin(desk->store, &error); /* undone after each */
                    prepare(desk, tlps[t], restricted);
                    bool sees = who->may && (!restricted || who != &test_other);
                    bool may = sees && (!functions[f].head || who->head);
                    bool did = functions[f].function(desk, who, &error);
                    if (did != may)
                        g_error("%s TLP:%s restricted %d by %s: %s", functions[f].name, tlps[t], restricted,
                                who->name, did ? "done" : error->message);
                    int code = who->may && !sees ? VIGIE_ERROR_NOT_FOUND : VIGIE_ERROR_DENIED;
                    if (!did)
                        g_assert_error(error, VIGIE_ERROR, code);
                    bool reads =
                        strcmp(functions[f].name, "get") == 0 || strcmp(functions[f].name, "artefact") == 0;
                    g_assert_cmpint(
                        count(desk, "SELECT count(*) FROM csirt_reading WHERE case_id = $1", desk->id), ==,
                        did && reads && strcmp(tlps[t], "RED") == 0);
                }
}

/* ---- Artefacts ---------------------------------------------------------------------------------------------- */
static void test_artefacts(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    static const char content[] = "MZ\0 un rançongiciel";
    int64_t id = test_open(desk->store, desk->team, "Artefact"), artefact = 0;
    g_autofree char *name = NULL;
    g_assert_true(csirt_artefact_add(desk->store, desk->team, "a.martin", id, 0,
                                     "../..\\facture\"<script>.pdf.exe", vigie_bytes(content, sizeof content),
                                     TEST_NOW, &artefact, &error));
    g_assert_no_error(error);
    g_autoptr(VigieRows) rows =
        store_query(desk->store, &error, "SELECT sealed FROM csirt_artefact WHERE id = $1", "i", artefact);
    g_assert_true(rows_next(rows, &error));
    VigieBytes sealed = rows_blob(rows, 0);
    g_assert_null(memmem(sealed.data, sealed.size, "rançongiciel", strlen("rançongiciel")));
    g_clear_pointer(&rows, rows_free);
    g_autoptr(GBytes) found =
        csirt_artefact_open(desk->store, desk->team, &test_analyst, artefact, TEST_NOW, &name, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(found, NULL), g_bytes_get_size(found), content, sizeof content);
    g_assert_cmpstr(name, ==, "facture__script_.pdf.exe.bin");
    g_autofree char *lines = test_lines(desk->store, id);
    g_assert_cmpstr(lines, ==, "opened artefact artefact-opened");
    store_exec(desk->store, &error, "UPDATE csirt_artefact SET sha256 = 'x' WHERE id = $1", "i", artefact);
    g_assert_null(
        csirt_artefact_open(desk->store, desk->team, &test_analyst, artefact, TEST_NOW, &name, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "changed", NULL);
    g_assert_false(csirt_artefact_add(desk->store, desk->team, "", id, 0, "grand",
                                      vigie_bytes(content, (64U << 20) + 1), TEST_NOW, NULL, &error));
    test_error_says(&error, VIGIE_ERROR_LIMIT, "64 MiB", NULL);
    g_assert_true(csirt_artefact_add(desk->store, desk->team, "", id, 0, "...", vigie_bytes("", 0), TEST_NOW,
                                     &artefact, &error));
    g_autofree char *empty = NULL;
    g_autoptr(GBytes) nothing =
        csirt_artefact_open(desk->store, desk->team, &test_analyst, artefact, TEST_NOW, &empty, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_bytes_get_size(nothing), ==, 0);
    g_assert_cmpstr(empty, ==, "artefact.bin");
}

/* ---- Tasks and links ---------------------------------------------------------------------------------------- */
static void test_tasks(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t id = test_open(desk->store, desk->team, "Tâches"), later = 0, sooner = 0, never = 0;
    csirt_task_add(desk->store, "a.martin", id, "todo", "sans échéance", NULL, NULL, 0, TEST_NOW, &never,
                   &error);
    csirt_task_add(desk->store, "a.martin", id, "call", "plus tard", NULL, NULL, TEST_NOW + 100, TEST_NOW,
                   &later, &error);
    csirt_task_add(desk->store, "a.martin", id, "call", "d'abord", json_pack("{s:s}", "script", "Bonjour"),
                   "b.durand", TEST_NOW + 10, TEST_NOW, &sooner, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) tasks = csirt_task_list(desk->store, &test_analyst, 0, &error);
    g_assert_cmpint(test_int(tasks, "0.id"), ==, sooner);
    g_assert_cmpstr(test_text(tasks, "0.details.script"), ==, "Bonjour");
    g_assert_cmpint(test_int(tasks, "0.case.id"), ==, id);
    g_assert_cmpint(test_int(tasks, "2.id"), ==, never);
    g_assert_true(csirt_task_done(desk->store, &test_analyst, sooner, "joint", TEST_NOW, &error));
    g_assert_false(csirt_task_done(desk->store, &test_analyst, sooner, "encore", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "done", NULL);
    g_assert_false(csirt_task_done(desk->store, &test_analyst, 999, "", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "999", NULL);
    g_assert_false(csirt_task_add(desk->store, "", id, "dance", "x", NULL, NULL, 0, TEST_NOW, NULL, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "kind", NULL);
}

static void test_links(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t a = test_open(desk->store, desk->team, "A"), b = test_open(desk->store, desk->team, "B");
    g_assert_true(
        csirt_link_add(desk->store, &test_analyst, a, "case", b, "même attaquant", TEST_NOW, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) other = csirt_case_get(desk->store, desk->team, &test_analyst, b, TEST_NOW, &error);
    g_assert_cmpint(test_int(other, "links.0.ref"), ==, a);
    g_assert_cmpstr(test_text(other, "links.0.note"), ==, "même attaquant");
    g_autoptr(json_t) restricted = test_json("{'restricted': true}");
    g_assert_true(csirt_case_change(desk->store, desk->team, &test_head, a, restricted, TEST_NOW, &error));
    g_autoptr(json_t) hidden = csirt_case_get(desk->store, desk->team, &test_analyst, b, TEST_NOW, &error);
    g_assert_cmpuint(json_array_size(test_at(hidden, "links")), ==, 0);
    g_assert_false(csirt_link_add(desk->store, &test_analyst, b, "device", 12, NULL, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "device 12", NULL);
    g_assert_false(csirt_link_add(desk->store, &test_analyst, b, "planet", 1, NULL, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "kind", NULL);
    g_assert_true(csirt_link_remove(desk->store, &test_head, b, "case", a, TEST_NOW, &error));
    g_assert_cmpint(count(desk, "SELECT count(*) FROM csirt_link WHERE case_id > $1", 0), ==, 0);
}

/* ---- Merge and split ---------------------------------------------------------------------------------------- */
/* The stricter label and the narrower circle hold; each declarant still sees its own thread alone, by its own receipt. */
static void test_merge(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) a = {0}, b = {0};
    g_autoptr(json_t) anne = test_json("{'name': 'Anne'}"), bruno = test_json("{'name': 'Bruno'}");
    VigieOpening opening = {.kind = "incident",
                            .channel = "form",
                            .source = "open",
                            .title = "A",
                            .text = "texte d'Anne",
                            .declarant = anne};
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &a, &error));
    opening.title = "B";
    opening.text = "texte de Bruno";
    opening.declarant = bruno;
    opening.tlp = "RED";
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &b, &error));
    g_assert_true(csirt_artefact_add(desk->store, desk->team, "", b.id, 0, "b", vigie_bytes("b", 1), TEST_NOW,
                                     NULL, &error));
    g_assert_false(
        csirt_case_merge(desk->store, desk->team, &test_analyst, a.id, a.id, "x", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "itself", NULL);
    g_assert_true(
        csirt_case_merge(desk->store, desk->team, &test_analyst, a.id, b.id, "la même", TEST_NOW, &error));
    g_assert_no_error(error);
    g_assert_false(
        csirt_case_merge(desk->store, desk->team, &test_analyst, a.id, b.id, "encore", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "merged", NULL);
    g_autoptr(json_t) into = csirt_case_get(desk->store, desk->team, &test_analyst, a.id, TEST_NOW, &error);
    g_assert_cmpstr(test_text(into, "tlp"), ==, "RED");
    g_assert_cmpuint(json_array_size(test_at(into, "messages")), ==, 2);
    g_assert_cmpuint(json_array_size(test_at(into, "artefacts")), ==, 1);
    g_autoptr(json_t) from = csirt_case_get(desk->store, desk->team, &test_analyst, b.id, TEST_NOW, &error);
    g_assert_cmpint(test_int(from, "merged_into"), ==, a.id);
    g_assert_cmpstr(test_text(from, "state"), ==, "merged");
    g_assert_true(csirt_receipt_add(desk->store, desk->team, b.id, "suite de Bruno", NULL, NULL, TEST_NOW + 9,
                                    NULL, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) hers = csirt_receipt_get(desk->store, a.id, TEST_NOW, &error);
    g_autoptr(json_t) his = csirt_receipt_get(desk->store, b.id, TEST_NOW, &error);
    g_autofree char *anne_sees = vigie_json_text(hers), *bruno_sees = vigie_json_text(his);
    g_assert_nonnull(strstr(anne_sees, "texte d'Anne"));
    g_assert_null(strstr(anne_sees, "Bruno"));
    g_assert_nonnull(strstr(bruno_sees, "texte de Bruno"));
    g_assert_nonnull(strstr(bruno_sees, "suite de Bruno"));
    g_assert_null(strstr(bruno_sees, "Anne"));
    g_assert_cmpstr(test_text(his, "state"), ==, "received"); /* as the case that it became */
    g_autoptr(json_t) verified = csirt_timeline_verify(desk->store, 0, &error);
    g_assert_cmpuint(json_array_size(test_at(verified, "faults")), ==, 0);
}

/* Restricted both: those remain who were named for both. */
static void test_merge_access(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t a = test_open(desk->store, desk->team, "A"), b = test_open(desk->store, desk->team, "B");
    g_autoptr(json_t) fields = test_json("{'restricted': true}");
    csirt_case_change(desk->store, desk->team, &test_head, b, fields, TEST_NOW, &error);
    csirt_access_set(desk->store, &test_head, a, "x", true, TEST_NOW, &error);
    csirt_access_set(desk->store, &test_head, b, "a.martin", true, TEST_NOW, &error);
    g_assert_true(csirt_case_merge(desk->store, desk->team, &test_head, a, b, "la même", TEST_NOW, &error));
    g_assert_no_error(error);
    g_assert_true(csirt_case_check(desk->store, &test_analyst, a, &error));
    g_assert_false(csirt_case_check(desk->store, &test_other, a, &error));
    g_clear_error(&error);
    g_assert_cmpint(count(desk, "SELECT count(*) FROM csirt_access WHERE account = 'x' AND case_id = $1", a),
                    ==, 0);
}

static void test_split(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0}, part = {0};
    g_autoptr(json_t) declarant = test_json("{'name': 'Anne', 'mail': 'anne@chu.test'}");
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "mail",
                                  .source = "open",
                                  .title = "Deux choses",
                                  .tlp = "RED",
                                  .text = "la première",
                                  .declarant = declarant};
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    g_autoptr(json_t) before =
        csirt_case_get(desk->store, desk->team, &test_analyst, opened.id, TEST_NOW, &error);
    int64_t second = 0;
    const VigieCaseMessage message = {.party = test_int(before, "parties.0.id"),
                                      .direction = "in",
                                      .channel = "mail",
                                      .subject = "Re",
                                      .body = "la deuxième zibeline"};
    g_assert_true(csirt_message_add(desk->store, desk->team, opened.id, &message, TEST_NOW, &second, &error));
    g_assert_true(csirt_artefact_add(desk->store, desk->team, "", opened.id, second, "s", vigie_bytes("s", 1),
                                     TEST_NOW, NULL, &error));
    int64_t wrong = 999;
    g_assert_false(csirt_case_split(desk->store, desk->team, &test_analyst, opened.id, "x", &wrong, 1,
                                    TEST_NOW, &part, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "message 999", NULL);
    g_assert_true(csirt_case_split(desk->store, desk->team, &test_analyst, opened.id, "La deuxième", &second,
                                   1, TEST_NOW, &part, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) new = csirt_case_get(desk->store, desk->team, &test_analyst, part.id, TEST_NOW, &error);
    g_assert_cmpstr(test_text(new, "tlp"), ==, "RED");
    g_assert_cmpstr(test_text(new, "messages.0.body"), ==, "la deuxième zibeline");
    g_assert_cmpuint(json_array_size(test_at(new, "artefacts")), ==, 1);
    g_assert_cmpint(test_int(new, "messages.0.party"), ==, test_int(new, "parties.0.id"));
    g_assert_cmpstr(test_text(new, "parties.0.mail"), ==, "anne@chu.test");
    g_assert_cmpint(test_int(new, "links.0.ref"), ==, opened.id);
    VigieCaseFilter filter = {.q = "zibel"};
    g_autoptr(json_t) page = csirt_case_list(desk->store, &test_analyst, &filter, TEST_NOW, &error);
    g_assert_cmpint(test_int(page, "items.0.id"), ==, part.id);
    g_autoptr(json_t) verified = csirt_timeline_verify(desk->store, 0, &error);
    g_assert_cmpuint(json_array_size(test_at(verified, "faults")), ==, 0);
}

/* ---- What may leave ----------------------------------------------------------------------------------------- */
static bool leaves(Desk *desk, int64_t id, const VigieRecipient *to, const char *member, const char *reason) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) release = csirt_release(desk->store, id, to, TEST_NOW, &error);
    g_assert_no_error(error);
    if (json_object_get(test_at(release, "members"), member))
        return true;
    const json_t *withheld = test_at(release, "withheld");
    for (size_t i = 0; i < json_array_size(withheld); i++) {
        const json_t *one = json_array_get(withheld, i);
        if (strcmp(test_text(one, "member"), member) == 0 && reason)
            g_assert_cmpstr(test_text(one, "reason"), ==, reason);
    }
    return false;
}

/* Consent opens what it names, for whom it names, until it ends or is withdrawn; a mandate needs a rule and a person. */
static void test_release(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t id = test_open(desk->store, desk->team, "Fuite"), consent = 0, party = 0;
    g_autoptr(json_t) facts =
        test_json("{'facts': {'entry': 'VPN', 'patients': 'potential', 'proof': 'curl …'}}");
    g_assert_true(csirt_case_change(desk->store, desk->team, &test_analyst, id, facts, TEST_NOW, &error));
    g_assert_no_error(error);
    const VigieRecipient partner = {.audience = "partner", .channel = "mail", .encrypted = true};
    const VigieRecipient plain = {.audience = "partner", .channel = "mail"};
    const VigieRecipient authority = {.audience = "authority", .channel = "phone", .partner = "corruss"};
    g_assert_false(leaves(desk, id, &partner, "technical", NULL));
    g_autoptr(json_t) scope =
        test_json("{'owner': 'CHU de Kermarec', 'audiences': ['partner'], 'members': ['technical'], "
                  "'evidence': 'courriel du RSSI', 'ends': '2027-01-01T00:00:00Z'}");
    g_assert_true(csirt_consent_add(desk->store, &test_analyst, id, scope, TEST_NOW, &consent, &error));
    g_assert_no_error(error);
    g_assert_true(leaves(desk, id, &partner, "technical", NULL));
    g_assert_false(leaves(desk, id, &plain, "technical", NULL)); /* TLP:AMBER in the clear */
    g_assert_false(leaves(desk, id, &partner, "impact", NULL));  /* not consented to */
    g_assert_false(leaves(desk, id, &authority, "impact", NULL));
    store_exec(desk->store, &error,
               "INSERT INTO csirt_escalation (case_id, partner, rule, state, created) VALUES ($1, 'corruss', "
               "'patients', "
               "'proposed', 1)",
               "i", id);
    g_assert_false(leaves(desk, id, &authority, "impact", NULL));
    store_exec(desk->store, &error, "UPDATE csirt_escalation SET state = 'confirmed' WHERE case_id = $1", "i",
               id);
    g_assert_true(leaves(desk, id, &authority, "impact", NULL));
    /* A party's part bounds what even consent would let it have. */
    g_autoptr(json_t) fields = test_json("{'role': 'csirt', 'name': 'CERT ami', 'sees': ['case']}");
    g_assert_true(csirt_party_save(desk->store, "a.martin", id, 0, fields, TEST_NOW, &party, NULL, &error));
    const VigieRecipient to_party = {
        .audience = "partner", .channel = "mail", .party = party, .encrypted = true};
    g_assert_false(leaves(desk, id, &to_party, "technical", "csirt.release.part"));
    g_assert_true(csirt_consent_withdraw(desk->store, &test_analyst, id, consent, TEST_NOW, &error));
    g_assert_false(leaves(desk, id, &partner, "technical", NULL));
    g_autoptr(json_t) late = test_json("{'owner': 'CHU', 'audiences': ['partner'], 'members': ['technical'], "
                                       "'evidence': 'x', 'ends': '2020-01-01T00:00:00Z'}");
    g_assert_false(csirt_consent_add(desk->store, &test_analyst, id, late, TEST_NOW, NULL, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "ends", NULL);
}

/* Nothing of who reported is in what any recipient may be given, of any label. */
static void test_release_source(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    static const char *const audiences[] = {"declarant", "organisation", "authority", "partner",
                                            "supplier",  "community",    "public"};
    static const char *const channels[] = {"mail", "phone",  "page", "portal",
                                           "api",  "export", "feed", "statistics"};
    static const char *const sources[] = {"open", "protected"};
    for (size_t s = 0; s < G_N_ELEMENTS(sources); s++) {
        g_auto(VigieOpened) opened = {0};
        g_autoptr(json_t) declarant =
            test_json("{'name': 'Zébulon', 'mail': 'zebulon@alerte.test', 'phone': '+33199999999'}");
        const VigieOpening opening = {.kind = "vulnerability",
                                      .channel = "form",
                                      .source = sources[s],
                                      .title = "T",
                                      .tlp = "CLEAR",
                                      .declarant = declarant};
        g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
        g_assert_no_error(error);
        for (size_t a = 0; a < G_N_ELEMENTS(audiences); a++)
            for (size_t c = 0; c < G_N_ELEMENTS(channels); c++) {
                const VigieRecipient to = {
                    .audience = audiences[a], .channel = channels[c], .encrypted = true};
                g_autoptr(json_t) release = csirt_release(desk->store, opened.id, &to, TEST_NOW, &error);
                g_assert_no_error(error);
                g_autofree char *text = vigie_json_text(release);
                g_assert_null(strstr(text, "bulon"));
                g_assert_null(strstr(text, "99999999"));
            }
    }
}

static void test_load(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t id = test_open(desk->store, desk->team, "A");
    test_open(desk->store, desk->team, "B");
    g_autoptr(json_t) fields = test_json("{'assignee': 'a.martin', 'urgent': true}");
    g_assert_true(csirt_case_change(desk->store, desk->team, &test_analyst, id, fields, TEST_NOW, &error));
    g_autoptr(json_t) load = csirt_load(desk->store, desk->team, &test_analyst, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpint(test_int(load, "active"), ==, 2);
    g_assert_cmpint(test_int(load, "unassigned"), ==, 1);
    g_assert_cmpint(test_int(load, "urgent"), ==, 1);
    g_assert_cmpstr(test_text(load, "by_assignee.0.name"), ==, "a.martin");
    g_assert_true(json_is_true(test_at(load, "open")));
}

/* The line of the reasons that says what the load is, or NULL. */
static const char *load_reason(Desk *desk, int64_t id, int64_t *ret_score) {
    static char *kept;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) item = csirt_case_get(desk->store, desk->team, &test_analyst, id, TEST_NOW, &error);
    g_assert_no_error(error);
    const json_t *reasons = json_object_get(item, "reasons");
    g_clear_pointer(&kept, g_free);
    *ret_score = json_integer_value(json_object_get(item, "score"));
    for (size_t i = 0; i < json_array_size(reasons); i++)
        if (strcmp(test_text(json_array_get(reasons, i), "id"), "load") == 0)
            kept = g_strdup(test_text(json_array_get(reasons, i), "text.en"));
    return kept;
}

/* Proves that the team's load is what the queue says, with the numbers it comes from; that it lowers what costs time; and that an
 * analyst's word counts more, and can be taken back. */
static void test_workload(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    desk->id = test_open(desk->store, desk->team, "Premier");
    g_autoptr(json_t) vague = test_json("{'facts': {'precision': 'vague'}, 'assignee': 'a.martin'}");
    g_autoptr(json_t) said = test_json("{'facts': {'load': 'normal'}}");
    g_autoptr(json_t) unsaid = test_json("{'facts': {'load': null}}");
    int64_t before = 0, after = 0;
    csirt_case_change(desk->store, desk->team, &test_analyst, desk->id, vague, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(load_reason(desk, desk->id, &before), "normal, computed:"));
    for (int i = 0; i < 12; i++)
        test_open(desk->store, desk->team, "Encore un");
    csirt_case_change(desk->store, desk->team, &test_analyst, desk->id, vague, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_nonnull(
        strstr(load_reason(desk, desk->id, &after), "high, computed: 13 active cases, 1 analysts"));
    g_assert_cmpint(after, ==, before - 1);
    csirt_case_change(desk->store, desk->team, &test_analyst, desk->id, said, TEST_NOW, &error);
    g_assert_null(load_reason(desk, desk->id, &after));
    g_assert_cmpint(after, ==, before);
    csirt_case_change(desk->store, desk->team, &test_analyst, desk->id, unsaid, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_nonnull(load_reason(desk, desk->id, &after));
}

/* The way by which the fleet's organisation is proposed for a case that says this; "" where it is not. Free with g_free. */
static char *proposed(Desk *desk, const char *source, const char *name, const char *finess,
                      const char *mail) {
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) facts = json_pack("{s:s}", "finess", finess);
    g_autoptr(json_t) declarant = json_pack("{s:s, s:s}", "name", "Anne", "mail", mail);
    bool nameless = strcmp(source, "anonymous") == 0;
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = source,
                                  .title = "Panne",
                                  .organisation_name = name,
                                  .facts = *finess ? facts : NULL,
                                  .declarant = nameless ? NULL : declarant};
    csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) item =
        csirt_case_get(desk->store, desk->team, &test_analyst, opened.id, TEST_NOW, &error);
    g_assert_no_error(error);
    const json_t *list = test_at(item, "proposed");
    if (json_array_size(list) == 0)
        return g_strdup("");
    g_assert_cmpuint(json_array_size(list), ==, 1);
    g_assert_cmpstr(test_text(list, "0.contacts.0.mail"), ==, "dsi@kermarec.test");
    g_assert_true(json_is_null(test_at(item, "organisation.id"))); /* nothing is decided */
    g_autoptr(json_t) fields = json_pack("{s:I}", "organisation", (json_int_t)test_int(list, "0.id"));
    csirt_case_change(desk->store, desk->team, &test_analyst, opened.id, fields, TEST_NOW, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) after =
        csirt_case_get(desk->store, desk->team, &test_analyst, opened.id, TEST_NOW, &error);
    g_assert_cmpuint(json_array_size(test_at(after, "proposed")), ==, 0);
    return g_strdup(test_text(list, "0.by"));
}

/* Proves that an organisation of the fleet is proposed by its FINESS number, its name or its contacts' domain, never by the address of
 * who is protected, and not where the domain is that of several. */
static void test_organisations(Desk *desk, gconstpointer data) {
    (void)data;
    static const struct {
        const char *source, *name, *finess, *mail, *by;
    } asks[] = {
        {"open", "Hôpital", "350000123", "x@autre.test", "finess"},
        {"open", "chu de KERMAREC", "", "x@autre.test", "name"},
        {"open", "Hôpital", "", "rssi@Kermarec.test", "domain"},
        {"protected", "Hôpital", "", "rssi@kermarec.test", ""},
        {"anonymous", "Hôpital", "", "", ""},
        {"protected", "CHU de Kermarec", "", "rssi@kermarec.test", "name"},
        {"open", "Hôpital", "999999999", "x@fournisseur.test", ""},
    };
    g_autoptr(GError) error = NULL;
    int64_t one = 0, other = 0, contact = 0;
    g_autoptr(json_t) first = test_json("{'name': 'CHU de Kermarec', 'finess': '350000123'}");
    g_autoptr(json_t) second = test_json("{'name': 'Clinique du Parc'}");
    fleet_organisation_save(desk->store, 0, first, "test", TEST_NOW, &one, NULL, &error);
    fleet_organisation_save(desk->store, 0, second, "test", TEST_NOW, &other, NULL, &error);
    g_assert_no_error(error);
    const int64_t of[] = {one, one, other};
    static const char *const mails[] = {"dsi@kermarec.test", "pacs@fournisseur.test",
                                        "scanner@fournisseur.test"};
    for (size_t i = 0; i < G_N_ELEMENTS(of); i++) {
        g_autoptr(json_t) fields =
            json_pack("{s:I, s:s, s:s, s:s, s:s}", "organisation", (json_int_t)of[i], "role", "dsi", "name",
                      mails[i], "mail", mails[i], "language", "fr");
        fleet_contact_save(desk->store, 0, fields, "test", TEST_NOW, &contact, NULL, &error);
        g_assert_no_error(error);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(asks); i++) {
        g_autofree char *by = proposed(desk, asks[i].source, asks[i].name, asks[i].finess, asks[i].mail);
        g_test_message("%s %s %s", asks[i].source, asks[i].name, asks[i].mail);
        g_assert_cmpstr(by, ==, asks[i].by);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
#define TEST(path, function) g_test_add(path, Desk, NULL, desk_open, function, desk_close)
    TEST("/work/access", test_access);
    TEST("/work/artefacts", test_artefacts);
    TEST("/work/tasks", test_tasks);
    TEST("/work/links", test_links);
    TEST("/work/merge", test_merge);
    TEST("/work/merge-access", test_merge_access);
    TEST("/work/split", test_split);
    TEST("/work/release", test_release);
    TEST("/work/release-source", test_release_source);
    TEST("/work/load", test_load);
    TEST("/work/workload", test_workload);
    TEST("/work/organisations", test_organisations);
    return test_csirt_run(argc, argv);
}
