#include "cases.h"

#include <string.h>
#include <sys/stat.h>

#define HOUR 3600
#define DAY 86400
#define HOSTILE "<script>alert(1)</script> & \"quotes\" 'and' <img src=x onerror=alert(1)>"

static const VigieAnalyst analyst = {"analyst", true, false}, head = {"head", true, true};

char *cases_write_team(const char *folder, VigieTime now) {
    char *path = g_build_filename(folder, "team.json", NULL);
    g_autofree char *from = vigie_time_rfc3339(now - DAY), *until = vigie_time_rfc3339(now + DAY);
    g_autofree char *text = g_strdup_printf(
        "{ \"name\": \"CSIRT de Kermarec\", \"prefix\": \"VIG\", \"language\": \"fr\", \"mailboxes\": { "
        "\"incident\": "
        "\"incident@csirt.test\", \"contact\": \"csirt@csirt.test\" }, \"phones\": [ { \"number\": "
        "\"+33298000000\" } ], "
        "\"hours\": { \"mon\": \"09:00-18:00\", \"tue\": \"09:00-18:00\", \"wed\": \"09:00-18:00\", \"thu\": "
        "\"09:00-18:00\", \"fri\": \"09:00-18:00\" }, \"closed\": [], \"holidays\": \"metropole\", "
        "\"urgent\": \"24/7\", "
        "\"first_answer\": \"1 working day\", \"roster\": [ { \"name\": \"C. Martin\", \"phone\": "
        "\"+33600000001\", "
        "\"account\": \"analyst\", \"from\": \"%s\", \"until\": \"%s\" } ], \"signature\": { \"fr\": \"Le "
        "CSIRT de "
        "Kermarec\", \"en\": \"Kermarec CSIRT\" }, \"call_back\": { \"number\": \"+33298000000\", "
        "\"script\": { \"fr\": "
        "\"Ici {team}, au sujet de {reference}. Pour vérifier, rappelez le {number}.\", \"en\": \"This is "
        "{team}, about "
        "{reference}. To check, call {number} back.\" } }, \"partners\": [ { \"id\": \"fssi\", \"name\": "
        "\"FSSI des "
        "ministères sociaux\", \"mail\": \"fssi@partner.test\" }, { \"id\": \"anssi\", \"name\": \"ANSSI\", "
        "\"mail\": "
        "\"anssi@partner.test\" }, { \"id\": \"corruss\", \"name\": \"CORRUSS (DGS)\", \"mail\": "
        "\"corruss@partner.test\" }, { \"id\": \"cert-fr\", \"name\": \"CERT-FR\", \"mail\": "
        "\"certfr@partner.test\" } ] "
        "}",
        from, until);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

char *cases_write_key(const char *folder) {
    char *path = g_build_filename(folder, "artefact-key", NULL);
    g_assert_true(g_file_set_contents(path, "0123456789abcdef0123456789abcdef", 32, NULL));
    chmod(path, 0600);
    return path;
}

typedef struct {
    const char *kind, *channel, *title, *organisation, *tlp, *facts, *text;
    bool urgent;
    int hours; /* ago */
    const char *assignee, *state;
} Row;

static const Row rows[] = {
    {"incident", "form", "Rançongiciel au bloc opératoire, dossiers patients inaccessibles",
     "CHU de Kermarec", "AMBER",
     "{\"found\": \"2026-11-20T06:12:00Z\", \"patients\": \"proven\", \"care\": [\"emergency\", "
     "\"intensive-care\"], \"degraded\": true, "
     "\"degraded_hours\": 6, "
     "\"threat\": \"critical\", \"urgency\": \"now\", \"cause\": [\"ransomware\"], \"malicious\": true, "
     "\"systems\": "
     "[\"patient-record\", \"prescription\"], \"reportable\": [\"care-safety-proven\", \"functioning\"], "
     "\"beds\": 840, "
     "\"others_touched\": true}",
     "Depuis 6 h ce matin, le dossier patient et la prescription ne répondent plus.\nLe SAMU est détourné "
     "vers "
     "Saint-Brieuc.\nNous avons coupé Internet.",
     true, 2, NULL, "received"},
    {"incident", "phone", "Automate de biochimie injoignable après la mise à jour", "Clinique du Port",
     "AMBER",
     "{\"patients\": \"potential\", \"care\": [\"surgery\"], \"degraded\": true, \"systems\": "
     "[\"laboratory\"], "
     "\"urgency\": \"hours\"}",
     "Appel du biologiste : résultats transmis par téléphone.", false, 5, "analyst", "acknowledged"},
    {"vulnerability", "survey", "Console d’administration du PACS exposée sur Internet",
     "Centre hospitalier d’Arvor", "GREEN",
     "{\"exposed\": true, \"exploitation\": \"active\", \"threat\": \"high\", \"precision\": \"precise\", "
     "\"cvss\": "
     "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}",
     "Constaté par l’examen du 20 novembre.", false, 20, "analyst", "qualified"},
    {"incident-report", "partner", "Comptes de messagerie en vente sur un forum", "EHPAD Les Ajoncs",
     "AMBER+STRICT", "{\"health_data\": \"potential\", \"precision\": \"partial\", \"persons\": 240}",
     "Signalé par un autre CERT.", false, 60, NULL, "received"},
    {"request", "mail", "Demande d’avis sur une mise à jour de pompe à perfusion", "CHU de Kermarec", "CLEAR",
     "{}", "Peut-on appliquer le correctif sans recertifier ?", false, 30, "head", "in-progress"},
    {"incident", "mail", HOSTILE, HOSTILE, "RED",
     "{\"perimeter\": \"<script>alert(1)</script>\", \"patients\": \"none\"}", HOSTILE, false, 90, NULL,
     "received"},
    {"incident", "form", "Hameçonnage au service de facturation", "Clinique Sainte-Anne", "GREEN",
     "{\"patients\": \"none\", \"cause\": [\"phishing\"], \"personal_data\": true}",
     "Trois agents ont saisi leur mot de "
     "passe.",
     false, 200, "analyst", "resolved"},
    {"incident", "form", "Vol d’un ordinateur portable chiffré", "SSR de la Baie", "AMBER",
     "{\"patients\": \"none\"}", "Volé dans un véhicule.", false, 700, "head", "closed"},
};

static int64_t open_row(VigieStore *store, const VigieTeam *team, const Row *row, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) facts = json_loads(row->facts, 0, NULL);
    g_autoptr(json_t) declarant =
        json_pack("{s:s, s:s, s:s}", "name", strcmp(row->tlp, "RED") == 0 ? HOSTILE : "Dr Le Goff, DSI",
                  "mail", "dsi@declarant.test", "phone", "+33298111111");
    VigieOpening opening = {.kind = row->kind,
                            .channel = row->channel,
                            .source = "open",
                            .title = row->title,
                            .organisation_name = row->organisation,
                            .tlp = row->tlp,
                            .urgent = row->urgent,
                            .facts = facts,
                            .text = row->text,
                            .declarant = declarant};
    g_auto(VigieOpened) opened = {0};
    csirt_case_open(store, team, &opening, now, &opened, &error);
    g_assert_no_error(error);
    return opened.id;
}

/* As an analyst leads it there, an hour a step. */
static void lead(VigieStore *store, const VigieTeam *team, int64_t id, const Row *row, VigieTime now) {
    static const char *const course[] = {"received", "acknowledged", "qualified", "in-progress",
                                         "resolved", "closed",       NULL};
    g_autoptr(GError) error = NULL;
    if (row->assignee) {
        g_autoptr(json_t) fields = json_pack("{s:s}", "assignee", row->assignee);
        csirt_case_change(store, team, &analyst, id, fields, now, &error);
        g_assert_no_error(error);
    }
    for (int i = 0; strcmp(course[i], row->state) != 0; i++) {
        csirt_case_move(store, team, &analyst, id, course[i + 1], NULL, now + (i + 1) * HOUR / 4, &error);
        g_assert_no_error(error);
    }
}

static void add_work(VigieStore *store, const VigieTeam *team, const int64_t *ids, VigieTime now) {
    g_autoptr(GError) error = NULL;
    int64_t id = 0;
    csirt_task_add(store, "analyst", ids[1], "call", "Rappeler le biologiste",
                   json_pack("{s:s}", "script", "Ici le CSIRT…"), "analyst", now + HOUR, now - HOUR, &id,
                   &error);
    g_assert_no_error(error);
    csirt_task_add(store, "analyst", ids[5], "todo", HOSTILE, NULL, NULL, now - HOUR, now - 2 * HOUR, &id,
                   &error);
    g_assert_no_error(error);
    csirt_note_add(store, &analyst, ids[0], "note", "Le SAMU confirme la dérivation.", now - HOUR, &error);
    g_assert_no_error(error);
    csirt_note_add(store, &analyst, ids[5], "note", HOSTILE, now - HOUR, &error);
    g_assert_no_error(error);
    csirt_artefact_add(store, team, "analyst", ids[0], 0, "note-de-rançon.html",
                       vigie_bytes((const uint8_t *)"<script>alert(1)</script>", 25), now, &id, &error);
    g_assert_no_error(error);
    csirt_artefact_add(store, team, "analyst", ids[5], 0, "<script>alert(1)</script>.html",
                       vigie_bytes((const uint8_t *)"x", 1), now, &id, &error);
    g_assert_no_error(error);
    csirt_link_add(store, &analyst, ids[1], "device", 12, HOSTILE, now, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) restricted = json_pack("{s:b}", "restricted", 1);
    csirt_case_change(store, team, &head, ids[3], restricted, now, &error);
    g_assert_no_error(error);
}

void cases_fill(VigieStore *store, const VigieTeam *team, VigieTime now) {
    int64_t ids[G_N_ELEMENTS(rows)];
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ids[i] = open_row(store, team, &rows[i], now - rows[i].hours * HOUR);
        lead(store, team, ids[i], &rows[i], now - rows[i].hours * HOUR + HOUR / 4);
    }
    add_work(store, team, ids, now);
}
