/* The team: one JSON file, checked member by member, and the two keys beside it. */
#include "csirt/internal.h"

#include <errno.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

enum { TEAM_BYTES_MAX = 1 << 20 };

struct VigieTeam {
    json_t *json;
    VigieCalendar *calendar;
    GTimeZone *zone;
    X509 *head;
    VigieSeal *artefact_keys; /* or NULL */
};

void csirt_team_free(VigieTeam *team) {
    if (!team)
        return;
    json_decref(team->json);
    csirt_calendar_free(team->calendar);
    g_clear_pointer(&team->zone, g_time_zone_unref);
    X509_free(team->head);
    store_seal_free(team->artefact_keys);
    g_free(team);
}

const json_t *csirt_team_json(const VigieTeam *team) {
    return team->json;
}

const char *team_prefix(const VigieTeam *team) {
    return vigie_member(team->json, "prefix");
}

GTimeZone *team_zone(const VigieTeam *team) {
    return team->zone;
}

const VigieCalendar *team_calendar(const VigieTeam *team) {
    return team->calendar;
}

const VigieSeal *team_artefact_keys(const VigieTeam *team) {
    return team ? team->artefact_keys : NULL;
}

/* ---- The file ----------------------------------------------------------------------------------------------- */
typedef enum { TEXT, OPTIONAL_TEXT, OBJECT, OPTIONAL_OBJECT, ARRAY, TEXTS } MemberType;

/* "a.b" is b of the object a, where there is one; "a[].b" of each of the array a. */
static const struct {
    const char *path;
    MemberType type;
    const char *example;
} members[] = {
    {"name", TEXT, "\"CERT Santé\""},
    {"prefix", TEXT, "\"VIG\""},
    {"language", TEXT, "\"fr\""},
    {"address", OPTIONAL_TEXT, "\"2 rue d’Oradour-sur-Glane, 75015 Paris\""},
    {"site", OPTIONAL_TEXT, "\"https://csirt.example/\""},
    {"phones", ARRAY, "[ { \"number\": \"+33123456789\", \"note\": null } ]"},
    {"phones[].number", TEXT, "\"+33123456789\""},
    {"phones[].note", OPTIONAL_TEXT, "\"24 h/24\""},
    {"mailboxes", OBJECT,
     "{ \"incident\": \"incident@csirt.example\", \"contact\": \"csirt@csirt.example\" }"},
    {"mailboxes.incident", TEXT, "\"incident@csirt.example\""},
    {"mailboxes.contact", TEXT, "\"csirt@csirt.example\""},
    {"openpgp", OPTIONAL_OBJECT,
     "{ \"fingerprint\": \"749A…\", \"url\": \"https://csirt.example/key.asc\" }"},
    {"openpgp.fingerprint", TEXT, "\"749AA6282411F695524974D39F06A1628E92D7E3\""},
    {"openpgp.url", OPTIONAL_TEXT, "\"https://csirt.example/key.asc\""},
    {"constituency", OPTIONAL_TEXT, "\"Les établissements de santé de la région\""},
    {"authority", OPTIONAL_TEXT, "\"Direction générale\""},
    {"hours", OBJECT, "{ \"mon\": \"09:00-18:00\" }"},
    {"closed", ARRAY, "[ \"2026-12-24\" ]"},
    {"holidays", TEXT, "\"metropole\""},
    {"urgent", TEXT, "\"24/7\" or \"hours\""},
    {"first_answer", TEXT, "\"1 working day\""},
    {"roster", ARRAY,
     "[ { \"name\": \"C. Martin\", \"phone\": \"+33123456789\", \"from\": …, \"until\": … } ]"},
    {"signature", TEXTS, "{ \"fr\": \"L’équipe\", \"en\": \"The team\" }"},
    {"call_back", OPTIONAL_OBJECT, "{ \"number\": \"+33123456789\", \"script\": { \"fr\": …, \"en\": … } }"},
    {"call_back.number", TEXT, "\"+33123456789\""},
    {"call_back.script", TEXTS, "{ \"fr\": \"Ici {team}…\", \"en\": \"This is {team}…\" }"},
    {"partners", ARRAY, "[ { \"id\": \"corruss\", \"name\": \"CORRUSS\", \"mail\": null … } ]"},
    {"partners[].id", TEXT, "\"corruss\""},
    {"partners[].name", TEXT, "\"CORRUSS (Direction générale de la santé)\""},
    {"partners[].mail", OPTIONAL_TEXT, "\"alerte@partner.example\""},
    {"partners[].phone", OPTIONAL_TEXT, "\"+33123456789\""},
    {"partners[].fingerprint", OPTIONAL_TEXT, "\"885D94F099025163DA55FBE9DE2F24B12CCD89AF\""},
    {"partners[].language", OPTIONAL_TEXT, "\"fr\""},
};

static bool well(const json_t *value, MemberType type) {
    const char *text = json_string_value(value);
    switch (type) {
    case TEXT:
        return text && *text;
    case OPTIONAL_TEXT:
        return !value || json_is_null(value) || text;
    case OBJECT:
        return json_is_object(value);
    case OPTIONAL_OBJECT:
        return !value || json_is_null(value) || json_is_object(value);
    case ARRAY:
        return json_is_array(value);
    case TEXTS:
        return vigie_member(value, "fr") && vigie_member(value, "en");
    }
    return false;
}

static bool known(const char *prefix, const char *name) {
    g_autofree char *path = g_strconcat(prefix, name, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        if (strcmp(members[i].path, path) == 0)
            return true;
    return false;
}

/* A member that nobody reads is most often one that is misspelt. */
static bool all_known(const char *prefix, const json_t *object, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) if (!known(prefix, name)) return csirt_invalid(
        error, "%s%s: there is no such member", prefix, name);
    return true;
}

/* The members whose path begins with `prefix`, of `object`. */
static bool check_object(const char *prefix, const json_t *object, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        const char *name = members[i].path + strlen(prefix);
        if (!g_str_has_prefix(members[i].path, prefix) || strpbrk(name, ".["))
            continue;
        if (!well(json_object_get(object, name), members[i].type))
            return csirt_invalid(error, "%s: as in \"%s\": %s", members[i].path, name, members[i].example);
    }
    return all_known(prefix, object, error);
}

static bool check_each(const char *prefix, const json_t *array, GError **error) {
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!check_object(prefix, json_array_get(array, i), error))
            return false;
    return true;
}

static bool check_fingerprint(const char *member, const char *fingerprint, GError **error) {
    size_t size = fingerprint ? strspn(fingerprint, "0123456789ABCDEFabcdef") : 0;
    return !fingerprint || (fingerprint[size] == '\0' && (size == 40 || size == 64)) ||
           csirt_invalid(error, "%s: an OpenPGP fingerprint has 40 or 64 hexadecimal digits, without spaces",
                         member);
}

/* What types cannot say. */
static bool check_values(const json_t *json, GError **error) {
    static const char *const urgents[] = {"24/7", "hours", NULL};
    VigieLang lang = VIGIE_FR;
    const char *prefix = vigie_member(json, "prefix");
    const json_t *partners = json_object_get(json, "partners");
    if (!csirt_prefix_valid(prefix))
        return csirt_invalid(error, "prefix: two to twelve capital letters or digits, as in \"VIG\"");
    if (!vigie_lang_parse(vigie_member(json, "language"), &lang))
        return csirt_invalid(error, "language: fr or en");
    if (!csirt_one_of("urgent", vigie_member(json, "urgent"), urgents, error) ||
        !check_fingerprint("openpgp.fingerprint",
                           vigie_member(json_object_get(json, "openpgp"), "fingerprint"), error))
        return false;
    for (size_t i = 0; i < json_array_size(partners); i++) {
        const json_t *partner = json_array_get(partners, i);
        if (!check_fingerprint("partners[].fingerprint", vigie_member(partner, "fingerprint"), error))
            return false;
        for (size_t j = 0; j < i; j++)
            if (json_equal(json_object_get(partner, "id"),
                           json_object_get(json_array_get(partners, j), "id")))
                return csirt_invalid(error, "partners[].id: \"%s\" is there twice",
                                     vigie_member(partner, "id"));
    }
    return true;
}

static bool check_team(const json_t *json, GError **error) {
    const json_t *openpgp = json_object_get(json, "openpgp"), *call_back = json_object_get(json, "call_back");
    if (!json_is_object(json))
        return csirt_invalid(
            error, "one JSON object is wanted, as csirt/teams/cert-sante.json of the knowledge folder");
    return check_object("", json, error) &&
           check_object("mailboxes.", json_object_get(json, "mailboxes"), error) &&
           (!json_is_object(openpgp) || check_object("openpgp.", openpgp, error)) &&
           (!json_is_object(call_back) || check_object("call_back.", call_back, error)) &&
           check_each("phones[].", json_object_get(json, "phones"), error) &&
           check_each("partners[].", json_object_get(json, "partners"), error) && check_values(json, error);
}

static json_t *read_team(const char *path, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    GError *failure = NULL;
    if (!g_file_get_contents(path, &text, &size, &failure)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "csirt.team: %s", failure->message);
        g_clear_error(&failure);
        return NULL;
    }
    json_error_t where;
    g_autoptr(json_t) json =
        size <= TEAM_BYTES_MAX ? json_loadb(text, size, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (!json) {
        csirt_invalid(error, "csirt.team: %s: line %d: %s", path, size <= TEAM_BYTES_MAX ? where.line : 0,
                      size <= TEAM_BYTES_MAX ? where.text : "larger than 1 MiB");
        return NULL;
    }
    if (!check_team(json, error)) {
        g_prefix_error(error, "csirt.team: %s: ", path);
        return NULL;
    }
    return g_steal_pointer(&json);
}

/* ---- The keys ----------------------------------------------------------------------------------------------- */
static bool read_key(VigieTeam *team, const char *path, GError **error) {
    if (!*path)
        return true;
    team->artefact_keys = store_seal_load("csirt.artefact_key", path, error);
    return team->artefact_keys != NULL;
}

static bool read_head(VigieTeam *team, const char *path, GError **error) {
    if (!*path)
        return true;
    g_autofree char *text = NULL;
    gsize size = 0;
    GError *failure = NULL;
    if (!g_file_get_contents(path, &text, &size, &failure)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "csirt.head_certificate: %s",
                    failure->message);
        g_clear_error(&failure);
        return false;
    }
    BIO *bio = BIO_new_mem_buf(text, (int)MIN(size, TEAM_BYTES_MAX));
    team->head = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return team->head ||
           csirt_invalid(error, "csirt.head_certificate: %s: no certificate in PEM form is in it", path);
}

VigieTeam *csirt_team_load(const VigieConfig *config, GError **error) {
    const char *path = vigie_config_text(config, "csirt.team");
    if (!*path)
        return NULL;
    g_autoptr(VigieTeam) team = g_new0(VigieTeam, 1);
    team->json = read_team(path, error);
    team->zone = g_time_zone_ref(vigie_config_zone(config));
    team->calendar = team->json ? csirt_calendar_new(team->json, team->zone, error) : NULL;
    if (!team->calendar || !csirt_roster_check(json_object_get(team->json, "roster"), error) ||
        !read_key(team, vigie_config_text(config, "csirt.artefact_key"), error) ||
        !read_head(team, vigie_config_text(config, "csirt.head_certificate"), error))
        return NULL;
    return g_steal_pointer(&team);
}

/* ---- Sealing ------------------------------------------------------------------------------------------------ */
GBytes *team_seal(const VigieTeam *team, VigieBytes clear, GError **error) {
    if (!team->head) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "a source cannot be protected: csirt.head_certificate names no certificate");
        return NULL;
    }
    STACK_OF(X509) *to = sk_X509_new_null();
    sk_X509_push(to, team->head);
    BIO *in = BIO_new_mem_buf(clear.data, (int)clear.size);
    CMS_ContentInfo *cms = CMS_encrypt(to, in, EVP_aes_256_cbc(), CMS_BINARY);
    sk_X509_free(to);
    BIO_free(in);
    unsigned char *der = NULL;
    int size = cms ? i2d_CMS_ContentInfo(cms, &der) : -1;
    CMS_ContentInfo_free(cms);
    GBytes *sealed = size > 0 ? g_bytes_new(der, (gsize)size) : NULL;
    OPENSSL_free(der);
    ERR_clear_error();
    if (!sealed)
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "a source cannot be protected: the key in csirt.head_certificate cannot be encrypted to; use "
            "RSA or a NIST curve, with keyEncipherment or keyAgreement");
    return sealed;
}
