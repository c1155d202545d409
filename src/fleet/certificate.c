/* Certificates as resources: each once, by its SHA-256, with where it is served. */
#include "fleet/internal.h"

enum { PLACES_SHOWN = 200 };

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"sha256", "x.sha256", COLUMN_HEX},
    {"subject", "x.subject", COLUMN_STRING},
    {"common_name", "x.common_name", COLUMN_TEXT},
    {"issuer", "x.issuer", COLUMN_STRING},
    {"serial", "x.serial", COLUMN_STRING},
    {"not_before", "x.not_before", COLUMN_TIME},
    {"not_after", "x.not_after", COLUMN_TIME},
    {"days_left", "x.not_after", COLUMN_DAYS},
    {"key.type", "x.key_type", COLUMN_STRING},
    {"key.bits", "x.key_bits", COLUMN_INT},
    {"key.curve", "x.curve", COLUMN_TEXT},
    {"signature_algorithm", "x.signature_algorithm", COLUMN_STRING},
    {"signature_weak", "x.signature_weak", COLUMN_BOOL},
    {"is_ca", "x.is_ca", COLUMN_BOOL},
    {"self_issued", "x.self_issued", COLUMN_BOOL},
    {"first_seen", "x.first_seen", COLUMN_TIME},
    {"last_seen",
     "(SELECT max(CASE WHEN l.current = 1 THEN e.chain_seen ELSE l.last_seen END) FROM (SELECT current, "
     "last_seen, "
     "endpoint_id FROM endpoint_certificate WHERE certificate_id = x.id ORDER BY current DESC LIMIT 1000) l "
     "JOIN "
     "endpoint e ON e.id = l.endpoint_id)",
     COLUMN_TIME},
    {"endpoints", "x.endpoints", COLUMN_INT},
    {0},
};

static const Sort sorts[] = {
    {"not_after", NULL, "x.not_after, x.id", "x.not_after DESC, x.id DESC", NULL, NULL},
    {"subject", NULL, "x.subject, x.id", "x.subject DESC, x.id DESC", NULL, NULL},
    {"issuer", NULL, "x.issuer, x.id", "x.issuer DESC, x.id DESC", NULL, NULL},
    {"first_seen", NULL, "x.first_seen, x.id", "x.first_seen DESC, x.id DESC", NULL, NULL},
    {"endpoints", NULL, "x.endpoints DESC, x.id", "x.endpoints, x.id DESC", NULL, NULL},
    {0},
};

const List certificate_list = {
    .table = "certificate",
    .columns = columns,
    .sorts = sorts,
    .live = "x.endpoints > 0",
    .by = BY_SERVED | BY_END | BY_ID_CERTIFICATE,
    .words = WORDS_CERTIFICATE,
};

/* Within an organisation only its own endpoints count. */
static bool confine_counts(VigieStore *store, json_t *items, int64_t organisation, GError **error) {
    size_t index;
    json_t *item;
    json_array_foreach(items, index, item) {
        int64_t n = 0;
        if (!store_get_int(
                store, &n, error,
                "SELECT count(DISTINCT endpoint_id) FROM endpoint_certificate WHERE organisation_id = $1 AND "
                "certificate_id = $2 AND current = 1",
                "ii", organisation, (int64_t)json_integer_value(json_object_get(item, "id"))))
            return false;
        json_object_set_new(item, "endpoints", json_integer(n));
    }
    return true;
}

json_t *fleet_certificate_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now,
                               GError **error) {
    g_autoptr(json_t) page = list_page(store, &certificate_list, filter, now, error);
    if (page && filter->organisation &&
        !confine_counts(store, json_object_get(page, "items"), filter->organisation, error))
        return NULL;
    return g_steal_pointer(&page);
}

static const Column seen_columns[] = {
    {"id", "c.id", COLUMN_INT},
    {"sha256", "c.sha256", COLUMN_HEX},
    {"subject", "c.subject", COLUMN_STRING},
    {"common_name", "c.common_name", COLUMN_TEXT},
    {"issuer", "c.issuer", COLUMN_STRING},
    {"serial", "c.serial", COLUMN_STRING},
    {"not_before", "c.not_before", COLUMN_TIME},
    {"not_after", "c.not_after", COLUMN_TIME},
    {"days_left", "c.not_after", COLUMN_DAYS},
    {"position", "x.position", COLUMN_INT},
    {"first_seen", "x.first_seen", COLUMN_TIME},
    {"last_seen", "CASE WHEN x.current = 1 THEN e.chain_seen ELSE x.last_seen END", COLUMN_TIME},
    {"current", "x.current", COLUMN_BOOL},
    ENDPOINT_COLUMNS,
    {0},
};

json_t *certificates_seen(VigieStore *store, int64_t device, int64_t endpoint, VigieTime now,
                          GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, seen_columns);
    query_add(
        query,
        " FROM endpoint e JOIN endpoint_certificate x ON x.endpoint_id = e.id JOIN certificate c ON c.id = "
        "x.certificate_id WHERE ");
    if (endpoint)
        query_add(query, "e.id = ?i", endpoint);
    else
        query_add(query, "e.device_id = ?i AND e.removed = 0", device);
    query_add(query, " ORDER BY x.current DESC, x.last_seen DESC, e.id, x.position LIMIT ?i",
              (int64_t)PLACES_SHOWN);
    return query_array(store, query, seen_columns, now, error);
}

static const Column place_columns[] = {
    ENDPOINT_COLUMNS,
    DEVICE_COLUMNS,
    ORGANISATION_COLUMNS,
    {"position", "x.position", COLUMN_INT},
    {"first_seen", "x.first_seen", COLUMN_TIME},
    {"last_seen", "CASE WHEN x.current = 1 THEN e.chain_seen ELSE x.last_seen END", COLUMN_TIME},
    {"current", "x.current", COLUMN_BOOL},
    {0},
};

static json_t *served_by(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                         GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, place_columns);
    query_add(query,
              " FROM endpoint_certificate x JOIN endpoint e ON e.id = x.endpoint_id JOIN device d ON d.id = "
              "e.device_id JOIN organisation o ON o.id = e.organisation_id WHERE x.certificate_id = ?i",
              id);
    if (filter->organisation)
        query_add(query, " AND x.organisation_id = ?i", filter->organisation);
    query_add(query, " ORDER BY x.current DESC, x.endpoint_id LIMIT ?i", (int64_t)PLACES_SHOWN);
    return query_array(store, query, place_columns, now, error);
}

static json_t *pem(VigieBytes der) {
    g_autofree char *base64 = g_base64_encode(der.data, der.size);
    GString *text = g_string_new("-----BEGIN CERTIFICATE-----\n");
    for (const char *at = base64; *at;) {
        size_t size = strnlen(at, 64);
        g_string_append_len(text, at, (gssize)size);
        g_string_append_c(text, '\n');
        at += size;
    }
    g_string_append(text, "-----END CERTIFICATE-----\n");
    json_t *value = json_string(text->str);
    g_string_free(text, TRUE);
    return value;
}

static bool add_substance(VigieStore *store, json_t *certificate, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT der, names, spki_sha256, malformed FROM certificate WHERE id = $1", "i", id);
    if (!rows_first(rows, error, "certificate %" G_GINT64_FORMAT ": there is none", id))
        return false;
    static const Column rest[] = {{"der", "der", COLUMN_BOOL},
                                  {"names", "names", COLUMN_JSON},
                                  {"spki_sha256", "spki_sha256", COLUMN_HEX},
                                  {"malformed", "malformed", COLUMN_TEXT},
                                  {0}};
    json_t *object = row_object(rows, rest, 0);
    json_object_del(object, "der");
    json_object_set_new(object, "pem", pem(rows_blob(rows, 0)));
    json_object_update_new(certificate, object);
    return true;
}

json_t *fleet_certificate_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                              GError **error) {
    g_autoptr(json_t) certificate = list_one(store, &certificate_list, filter, id, now, error);
    g_autoptr(json_t) alone = certificate ? json_pack("[O]", certificate) : NULL;
    if (!certificate || (filter->organisation && !confine_counts(store, alone, filter->organisation, error)))
        return NULL;
    json_t *places = served_by(store, filter, id, now, error);
    if (!places)
        return NULL;
    json_object_set_new(certificate, "served_by", places);
    if (!add_substance(store, certificate, id, error))
        return NULL;
    return g_steal_pointer(&certificate);
}
