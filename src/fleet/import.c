/* A GMAO's file becomes organisations, devices and endpoints, as often as wanted: what is the same stays the same. */
#include "fleet/columns.h"
#include "fleet/form.h"

#include <string.h>

enum { ROWS_AT_ONCE = 500, PROBLEMS_SHOWN = 1000, CHANGES_SHOWN = 1000 };

typedef struct {
    VigieStore *store;
    const VigieFleetImport *how;
    const VigieFleetMapping *mapping;
    const char *by;
    VigieTime now;
    char *own_fold;  /* of the one organisation that rows may be of; NULL: any */
    json_t *changes; /* the first of what is changed */
    char *why;       /* of the row that was refused last */
    Columns columns;
    int64_t organisation;      /* for rows that name none; 0: they must */
    GHashTable *organisations; /* fold → id, as far as met */
    GHashTable *touched;       /* devices that a row of this file was about */
    json_t *problems;
    int64_t problem_count, rows, created, updated, unchanged, refused, organisations_created,
        endpoints_created;
    const CsvRow *row;
} Import;

/* ---- Problems ----------------------------------------------------------------------------------------------- */
static void complain(Import *in, size_t column, const char *field, const char *problem, const json_t *about,
                     const char *value, bool refused) {
    g_autoptr(json_t) object =
        json_pack("{s:I, s:o, s:s?, s:s?, s:s, s:b}", "line", (json_int_t)in->row->line, "column",
                  column ? json_integer((json_int_t)column) : json_null(), "field", field, "value", value,
                  "problem", problem, "refused", refused);
    json_t *limit = json_object_get(about, "limit");
    if (limit)
        json_object_set(object, "limit", limit);
    if (in->problem_count++ < PROBLEMS_SHOWN)
        json_array_append(in->problems, object);
    if (refused) {
        g_free(in->why);
        in->why = fleet_problem_text(in->how->lang, object);
    }
}

/* A line as it came, with one cell more. */
static void keep_line(const Import *in, const char *more) {
    GString *out = in->how->refused;
    for (guint i = 0; out && i < in->row->cells->len; i++) {
        csv_append_cell(out, in->row->cells->pdata[i], ';');
        g_string_append_c(out, ';');
    }
    if (out) {
        csv_append_cell(out, more, ';');
        g_string_append(out, "\r\n");
    }
}

static void note_change(Import *in, Written written, int64_t id, const json_t *fields, json_t *changes,
                        int64_t endpoints) {
    bool made = written == WRITE_CREATED;
    if (json_array_size(in->changes) >= CHANGES_SHOWN)
        return;
    json_array_append_new(
        in->changes,
        json_pack("{s:I, s:s, s:o, s:O?, s:O?, s:o, s:I}", "line", (json_int_t)in->row->line, "change",
                  made ? "created" : "updated", "device",
                  made && in->how->dry_run ? json_null() : json_integer(id), "name",
                  json_object_get(fields, "name"), "gmao", json_object_get(fields, "gmao"), "fields",
                  changes ? json_incref(changes) : json_object(), "endpoints", (json_int_t)endpoints));
}

static size_t column_of(const Import *in, MapField field) {
    return in->columns.at[field] < 0 ? 0 : (size_t)in->columns.at[field] + 1;
}

static const char *cell(const Import *in, MapField field) {
    int column = in->columns.at[field];
    if (column < 0 || (guint)column >= in->row->cells->len)
        return NULL;
    char *text = in->row->cells->pdata[column];
    return csv_unguard(g_strstrip(text));
}

/* ---- The organisation --------------------------------------------------------------------------------------- */
static bool find_organisation(Import *in, const char *name, int64_t *ret_id, json_t **ret_problem,
                              GError **error) {
    g_autofree char *composed = g_utf8_normalize(name, -1, G_NORMALIZE_NFC);
    g_autofree char *fold = vigie_text_fold(composed);
    int64_t *known = g_hash_table_lookup(in->organisations, fold);
    int64_t id = known ? *known : 0;
    if (!known) {
        g_autoptr(VigieRows) rows =
            store_query(in->store, error, "SELECT id FROM organisation WHERE fold = $1", "t", fold);
        GError *failure = NULL;
        if (!rows)
            return false;
        if (rows_next(rows, &failure))
            id = rows_int(rows, 0);
        if (failure) {
            g_propagate_error(error, failure);
            return false;
        }
    }
    if (!id) {
        g_autoptr(json_t) fields = json_pack("{s:s}", "name", name);
        if (!fleet_organisation_save(in->store, 0, fields, in->by, in->now, &id, ret_problem, error))
            return false;
        in->organisations_created++;
    }
    if (!known)
        g_hash_table_insert(in->organisations, g_strdup(fold), g_memdup2(&id, sizeof id));
    *ret_id = id;
    return true;
}

/* ---- The device --------------------------------------------------------------------------------------------- */
/* Rows with this GMAO number or, where it has none, this serial number and maker. */
static VigieRows *candidates(const Import *in, int64_t organisation, const char *gmao, const char *serial,
                             const char *maker, GError **error) {
    if (gmao && *gmao)
        return store_query(in->store, error,
                           "SELECT id FROM device WHERE organisation_id = $1 AND gmao = $2 AND gmao <> ''",
                           "it", organisation, gmao);
    return store_query(
        in->store, error,
        "SELECT id FROM device WHERE organisation_id = $1 AND serial = $2 AND serial <> '' AND "
        "manufacturer = $3 LIMIT 2",
        "itt", organisation, serial ? serial : "", maker ? maker : "");
}

/* 0: a new one; -1: more than one could be meant. */
static bool match(const Import *in, int64_t organisation, const char *gmao, const char *serial,
                  const char *maker, int64_t *ret_id, GError **error) {
    g_autoptr(VigieRows) rows = candidates(in, organisation, gmao, serial, maker, error);
    GError *failure = NULL;
    *ret_id = 0;
    if (!rows)
        return false;
    while (rows_next(rows, &failure))
        *ret_id = *ret_id ? -1 : rows_int(rows, 0);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* The device that a row is about. A number that the GMAO gave later belongs to the device known by its serial number
 * so far. */
static bool find_device(const Import *in, int64_t organisation, const json_t *fields, int64_t *ret_id,
                        GError **error) {
    const char *gmao = json_string_value(json_object_get(fields, "gmao"));
    const char *serial = json_string_value(json_object_get(fields, "serial"));
    const char *maker = json_string_value(json_object_get(fields, "manufacturer"));
    int64_t id = 0, numbered = 0;
    if (!match(in, organisation, gmao, serial, maker, &id, error))
        return false;
    if (id == 0 && gmao && *gmao && serial && *serial) {
        if (!match(in, organisation, NULL, serial, maker, &id, error))
            return false;
        if (id > 0 && !store_get_int(
                          in->store, &numbered, error,
                          "SELECT CASE WHEN gmao <> '' THEN 1 ELSE 0 END FROM device WHERE id = $1", "i", id))
            return false;
        if (id < 0 || numbered)
            id = 0;
    }
    *ret_id = id;
    return true;
}

/* A cell's value as its field has it; NULL: not understood, or not there. */
static json_t *value_of(Import *in, MapField field, const char *text) {
    if (!mapping_has_words(field))
        return json_string(text);
    if (!*text)
        return NULL; /* nothing said: what is known stays */
    const char *meaning = mapping_meaning(in->mapping, field, text);
    if (!meaning) {
        complain(in, column_of(in, field), map_names[field], "unknown-word", NULL, text, false);
        return NULL;
    }
    return field == MAP_RETIRED ? json_boolean(strcmp(meaning, "yes") == 0) : json_string(meaning);
}

static json_t *read_fields(Import *in) {
    json_t *fields = json_object();
    for (MapField field = 0; field < MAP_FIELDS; field++) {
        const char *text = cell(in, field);
        if (!text || field == MAP_ORGANISATION || field == MAP_ENDPOINTS)
            continue;
        g_autofree char *composed = g_utf8_normalize(text, -1, G_NORMALIZE_NFC);
        json_t *value = value_of(in, field, composed);
        if (value)
            json_object_set_new(fields, map_names[field], value);
    }
    return fields;
}

/* Writes a device. A field that cannot be is reported and left out; without its name or number there is no device. */
static bool write_device(Import *in, int64_t id, json_t *fields, int64_t *ret_id, Written *ret_written,
                         json_t **ret_changes, bool *ret_refused, GError **error) {
    for (;;) {
        g_autoptr(json_t) problem = NULL;
        GError *failure = NULL;
        if (device_write(in->store, id, fields, in->by, in->now, ret_id, ret_written, ret_changes, &problem,
                         &failure))
            return true;
        const char *name = json_string_value(json_object_get(problem, "field"));
        MapField field = name ? columns_field(name) : MAP_FIELDS;
        if (field == MAP_FIELDS) { /* not the row's fault: the store's */
            g_propagate_error(error, failure);
            return false;
        }
        g_clear_error(&failure);
        bool vital = field == MAP_NAME || field == MAP_GMAO || !json_object_get(fields, name);
        complain(in, column_of(in, field), name, json_string_value(json_object_get(problem, "problem")),
                 problem, cell(in, field), vital);
        if (vital) {
            *ret_refused = true;
            return true;
        }
        json_object_del(fields, name);
    }
}

/* ---- Its endpoints ------------------------------------------------------------------------------------------ */
/* The endpoint of a device that a row means: at this port, by its name or its address, removed or not. */
static bool find_endpoint(const Import *in, int64_t device, const char *host, const char *ip, int64_t port,
                          int64_t *ret_id, bool *ret_removed, GError **error) {
    g_autoptr(VigieRows) rows = store_query(in->store, error,
                                            "SELECT id, removed FROM endpoint WHERE device_id = $1 AND port "
                                            "= $2 AND (host = $3 OR (host = $4 AND $5 <> '')) "
                                            "ORDER BY CASE WHEN host = $6 THEN 0 ELSE 1 END LIMIT 1",
                                            "iitttt", device, port, host, ip, ip, host);
    GError *failure = NULL;
    if (!rows)
        return false;
    bool found = rows_next(rows, &failure);
    *ret_id = found ? rows_int(rows, 0) : 0;
    *ret_removed = found && rows_int(rows, 1) != 0;
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

static bool write_endpoint(Import *in, int64_t device, const char *item, const char *fqdn, const char *ip,
                           bool *ret_changed, GError **error) {
    g_autofree char *host = NULL, *protocol = NULL;
    int64_t port = 0, id = 0;
    bool removed = false, own = false;
    size_t column = column_of(in, MAP_ENDPOINTS);
    if (!place_parse(item, &host, &port, &protocol)) {
        complain(in, column, "endpoints", "not-endpoint", NULL, item, false);
        return true;
    }
    own = host == NULL;
    if (own)
        host = g_strdup(*fqdn ? fqdn : ip);
    if (!*host) {
        complain(in, column, "endpoints", "no-address", NULL, item, false);
        return true;
    }
    if (!find_endpoint(in, device, host, own ? ip : "", port, &id, &removed, error))
        return false;
    if (removed) /* somebody here decided that it is not watched */
        return true;
    g_autoptr(json_t) fields = place_fields(host, port, protocol, own && *fqdn ? ip : "");
    if (!id)
        json_object_set_new(fields, "device", json_integer(device));
    Written written = WRITE_UNCHANGED;
    g_autoptr(json_t) problem = NULL;
    GError *failure = NULL;
    if (!endpoint_write(in->store, id, fields, in->by, in->now, NULL, &written, &problem, &failure)) {
        if (!problem) {
            g_propagate_error(error, failure);
            return false;
        }
        g_clear_error(&failure);
        complain(in, column, "endpoints", json_string_value(json_object_get(problem, "problem")), problem,
                 item, false);
    }
    in->endpoints_created += written == WRITE_CREATED;
    *ret_changed |= written != WRITE_UNCHANGED;
    return true;
}

static bool write_endpoints(Import *in, int64_t device, bool *ret_changed, GError **error) {
    const char *text = cell(in, MAP_ENDPOINTS);
    if (!text || !*text)
        return true;
    g_auto(FormValues) values = {0};
    if (!form_load(in->store, &device_form, device, &values, error))
        return false;
    g_auto(GStrv) items = g_strsplit_set(text, " \t\n,;|", -1);
    size_t count = 0;
    for (char **item = items; *item; item++) {
        if (!**item)
            continue;
        if (++count > FLEET_ENDPOINTS_MAX) {
            complain(in, column_of(in, MAP_ENDPOINTS), "endpoints", "too-many-endpoints", NULL, *item, false);
            return true;
        }
        if (!write_endpoint(in, device, *item, form_text(&device_form, &values, "fqdn"),
                            form_text(&device_form, &values, "ip"), ret_changed, error))
            return false;
    }
    return true;
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */
static void refuse(Import *in, size_t column, const char *field, const char *problem, const char *value) {
    complain(in, column, field, problem, NULL, value, true);
    in->refused++;
}

static bool row_organisation(Import *in, int64_t *ret_id, GError **error) {
    const char *name = cell(in, MAP_ORGANISATION);
    *ret_id = in->organisation;
    if (!name || !*name) {
        if (!in->organisation)
            refuse(in, column_of(in, MAP_ORGANISATION), "organisation", "required", NULL);
        return true;
    }
    g_autofree char *fold = vigie_text_fold(name);
    if (in->own_fold && strcmp(fold, in->own_fold) != 0) {
        *ret_id = 0;
        refuse(in, column_of(in, MAP_ORGANISATION), "organisation", "other-organisation", name);
        return true;
    }
    g_autoptr(json_t) problem = NULL;
    GError *failure = NULL;
    if (find_organisation(in, name, ret_id, &problem, &failure))
        return true;
    if (!problem) {
        g_propagate_error(error, failure);
        return false;
    }
    g_clear_error(&failure);
    *ret_id = 0;
    refuse(in, column_of(in, MAP_ORGANISATION), "organisation",
           json_string_value(json_object_get(problem, "problem")), name);
    return true;
}

static bool import_device(Import *in, int64_t organisation, GError **error) {
    g_autoptr(json_t) fields = read_fields(in);
    const char *gmao = json_string_value(json_object_get(fields, "gmao"));
    const char *serial = json_string_value(json_object_get(fields, "serial"));
    int64_t id = 0;
    if ((!gmao || !*gmao) && (!serial || !*serial)) {
        refuse(in, column_of(in, MAP_GMAO), "gmao", "no-identity", NULL);
        return true;
    }
    if (!find_device(in, organisation, fields, &id, error))
        return false;
    if (id < 0 || (id > 0 && g_hash_table_contains(in->touched, &id))) {
        bool numbered = gmao && *gmao;
        refuse(in, column_of(in, numbered ? MAP_GMAO : MAP_SERIAL), numbered ? "gmao" : "serial",
               "twice-in-file", numbered ? gmao : serial);
        return true;
    }
    Written written = WRITE_UNCHANGED;
    bool refused = false, changed = false;
    g_autoptr(json_t) changes = NULL;
    int64_t endpoints = in->endpoints_created;
    json_object_set_new(fields, "organisation", json_integer(organisation));
    if (!write_device(in, id, fields, &id, &written, &changes, &refused, error))
        return false;
    if (refused) {
        in->refused++;
        return true;
    }
    g_hash_table_add(in->touched, g_memdup2(&id, sizeof id));
    if (!write_endpoints(in, id, &changed, error))
        return false;
    if (written == WRITE_CREATED)
        in->created++;
    else if (written == WRITE_UPDATED || changed)
        in->updated++;
    else
        in->unchanged++;
    if (written != WRITE_UNCHANGED || changed)
        note_change(in, written, id, fields, changes, in->endpoints_created - endpoints);
    return true;
}

static bool read_row(Import *in, GError **error) {
    int64_t organisation = 0;
    in->rows++;
    if (in->row->problem) {
        refuse(in, in->row->column, NULL, in->row->problem, NULL);
        return true;
    }
    if (!row_organisation(in, &organisation, error))
        return false;
    return !organisation || import_device(in, organisation, error);
}

static bool import_row(Import *in, GError **error) {
    int64_t refused = in->refused;
    if (!read_row(in, error))
        return false;
    if (in->refused > refused)
        keep_line(in, in->why);
    return true;
}

/* Rows go into the store by the hundreds, so that others can write in between. */
static bool import_rows(Import *in, Csv *csv, GError **error) {
    bool more = true;
    while (more) {
        g_autoptr(VigieTransaction) tx = store_begin(in->store, error);
        if (!tx)
            return false;
        for (int i = 0; more && i < ROWS_AT_ONCE; i++) {
            in->row = csv_next(csv);
            more = in->row != NULL;
            if (more && !import_row(in, error)) {
                g_prefix_error(error, "line %" G_GINT64_FORMAT ": ", in->row->line);
                return false;
            }
        }
        if (!store_commit(&tx, error))
            return false;
    }
    return true;
}

static void import_clear(Import *in) {
    g_clear_pointer(&in->organisations, g_hash_table_unref);
    g_clear_pointer(&in->touched, g_hash_table_unref);
    g_clear_pointer(&in->problems, json_decref);
    g_clear_pointer(&in->changes, json_decref);
    g_clear_pointer(&in->own_fold, g_free);
    g_clear_pointer(&in->why, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Import, import_clear)

static json_t *finish(const Import *in, json_t *report) {
    const struct {
        const char *name;
        int64_t count;
    } counts[] = {{"rows", in->rows},
                  {"created", in->created},
                  {"updated", in->updated},
                  {"unchanged", in->unchanged},
                  {"refused", in->refused},
                  {"organisations_created", in->organisations_created},
                  {"endpoints_created", in->endpoints_created},
                  {"problem_count", in->problem_count}};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        json_object_set_new(report, counts[i].name, json_integer(counts[i].count));
    json_object_set(report, "problems", in->problems);
    json_object_set(report, "changes", in->changes);
    return report;
}

/* The name of the one organisation that rows may be of. */
static bool know_own(Import *in, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(in->store, error, "SELECT fold FROM organisation WHERE id = $1", "i", in->how->only);
    if (!rows_first(rows, error, "organisation %" G_GINT64_FORMAT ": there is none", in->how->only))
        return false;
    in->own_fold = g_strdup(rows_text(rows, 0));
    return true;
}

static bool import_all(Import *in, Csv *csv, GError **error) {
    const VigieFleetImport *how = in->how;
    in->organisation = how->only;
    return (how->only ? know_own(in, error)
                      : !how->organisation ||
                            find_organisation(in, how->organisation, &in->organisation, NULL, error)) &&
           import_rows(in, csv, error);
}

/* What a file would change is found by importing it, into a copy: nobody waits for that. */
static VigieStore *try_out(VigieStore *store, GError **error) {
    static const char *const tables[] = {"organisation", "device", "endpoint"};
    g_autoptr(VigieStore) scratch = store_scratch(error);
    for (size_t i = 0; scratch && i < G_N_ELEMENTS(tables); i++)
        if (!store_copy(store, scratch, tables[i], error))
            return NULL;
    return g_steal_pointer(&scratch);
}

json_t *fleet_import(VigieStore *store, VigieBytes file, const VigieFleetImport *how, VigieTime now,
                     GError **error) {
    if (file.size > FLEET_IMPORT_BYTES_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "the file is larger than 256 MiB; import it in parts");
        return NULL;
    }
    size_t size = 0;
    const char *encoding = NULL;
    g_autofree char *text = csv_decode(file, &size, &encoding, error);
    if (!text)
        return NULL;
    char delimiter = csv_delimiter(text, size);
    g_autoptr(Csv) csv = csv_new(text, size, delimiter);
    g_autoptr(json_t) report = json_pack("{s:s, s:s#, s:b}", "encoding", encoding, "delimiter", &delimiter,
                                         (size_t)1, "dry_run", how->dry_run);
    g_auto(Import) in = {.store = store, .how = how, .mapping = how->mapping, .by = how->by, .now = now};
    in.organisations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    in.touched = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    in.problems = json_array();
    in.changes = json_array();
    in.row = csv_next(csv);
    if (!columns_read(in.row, how->mapping, how->columns, &in.columns, report, error) ||
        !columns_enough(&in.columns, how->mapping, report, error))
        return NULL;
    g_autoptr(VigieStore) scratch = how->dry_run ? try_out(store, error) : NULL;
    if (how->dry_run && !(in.store = scratch))
        return NULL;
    if (how->refused)
        g_string_append(how->refused, "\xEF\xBB\xBF");
    keep_line(&in, vigie_word(how->lang, "fleet.import.why"));
    return import_all(&in, csv, error) ? finish(&in, g_steal_pointer(&report)) : NULL;
}
