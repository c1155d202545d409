#include "portal/portal.h"
#include "csirt/declaration.h"
#include "portal/account.h"
#include "portal/authorities.h"
#include "portal/enrol.h"
#include "portal/gate.h"
#include "portal/http.h"
#include "portal/limit.h"
#include "portal/pages.h"

#include <string.h>
#include <sys/socket.h>

static void free_asset(void *data) {
    Asset *asset = data;
    g_bytes_unref(asset->bytes);
    g_free(asset->tag);
    g_free(asset);
}

static bool load_assets(Portal *portal, GError **error) {
    static const char *const files[][2] = {{"style.css", "text/css; charset=utf-8"},
                                           {"script.js", "text/javascript; charset=utf-8"},
                                           {"icon.svg", "image/svg+xml"}};
    portal->assets = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_asset);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename("pages", files[i][0], NULL);
        gsize size = 0;
        char *text = vigie_knowledge_text(path, &size, error);
        if (!text)
            return false;
        Asset *asset = g_new0(Asset, 1);
        g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, size);
        *asset = (Asset){files[i][1], g_bytes_new_take(text, size), g_strndup(sum, 12)};
        g_hash_table_insert(portal->assets, (gpointer)files[i][0], asset);
    }
    return true;
}

/* Without a team there is no desk, and that is no error. */
static bool load_team(Portal *portal, GError **error) {
    g_autoptr(GError) failure = NULL;
    if (!csirt_rules_load(error))
        return false;
    portal->team = csirt_team_load(portal->config, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    portal->declarations = portal->team ? csirt_declarations_new(portal->config, portal->team, error) : NULL;
    return !portal->team || portal->declarations;
}

static bool load_evidence_key(Portal *portal, GError **error) {
    const char *path = vigie_config_text(portal->config, "pki.evidence_key");
    portal->evidence = *path ? store_seal_load("pki.evidence_key", path, error) : NULL;
    return !*path || portal->evidence;
}

/* The supervisor made it; where it is gone, EST and SCEP go on without. */
static bool load_enrolment_key(Portal *portal, GError **error) {
    g_autofree char *path = pki_enrolment_key_path(portal->config);
    bool there = g_file_test(path, G_FILE_TEST_EXISTS);
    portal->enrolments = there ? store_seal_load("pki.enrolment_key", path, error) : NULL;
    return !there || portal->enrolments;
}

static bool load(Portal *portal, const VigieConfig *config, GError **error) {
    *portal = (Portal){.config = config,
                       .site = vigie_config_text(config, "site.name"),
                       .zone = vigie_config_zone(config),
                       .https = g_str_has_prefix(vigie_config_text(config, "site.url"), "https://"),
                       .proxy = vigie_config_bool(config, "portal.proxy"),
                       .client_certificates = vigie_config_bool(config, "portal.client_certificates"),
                       .session_idle = vigie_config_seconds(config, "portal.session_idle"),
                       .session_max = vigie_config_seconds(config, "portal.session_max"),
                       .upload_file = (uint64_t)vigie_config_int(config, "portal.upload_file") << 20,
                       .upload_total = (uint64_t)vigie_config_int(config, "portal.upload_total") << 20,
                       .published = published_new(),
                       .authorities = authorities_new()};
    vigie_lang_parse(vigie_config_text(config, "site.language"), &portal->lang);
    g_autofree char *secret = account_secret_new();
    portal->dummy_hash = account_hash_password(secret, error);
    portal->templates = portal->dummy_hash ? document_templates_load("pages", "html", error) : NULL;
    portal->rules = portal->templates ? record_rules_load(error) : NULL;
    portal->profiles = portal->rules ? pki_profiles_load(error) : NULL;
    const char *mapping = vigie_config_text(config, "fleet.mapping");
    portal->mapping = portal->profiles ? fleet_mapping_load(*mapping ? mapping : NULL, error) : NULL;
    portal->openapi = portal->mapping ? router_openapi(config, error) : NULL;
    portal->limits = limits_new();
    portal->group = portal->openapi ? store_group_open(vigie_config_text(config, "store.url"), error) : NULL;
    return portal->group && load_team(portal, error) && load_evidence_key(portal, error) &&
           load_enrolment_key(portal, error) && load_assets(portal, error) &&
           enrol_server_open(config, portal->enrolments, &portal->enrol, error);
}

static void unload(Portal *portal) {
    store_group_close(portal->group);
    published_free(portal->published);
    authorities_free(portal->authorities);
    g_free(portal->dummy_hash);
    document_templates_free(portal->templates);
    record_rules_free(portal->rules);
    csirt_declarations_free(portal->declarations);
    csirt_team_free(portal->team);
    limits_free(portal->limits);
    pki_profiles_free(portal->profiles);
    fleet_mapping_free(portal->mapping);
    store_seal_free(portal->evidence);
    enrol_server_close(portal->enrol);
    store_seal_free(portal->enrolments);
    json_decref(portal->openapi);
    g_clear_pointer(&portal->assets, g_hash_table_unref);
}

/* What a proxy says of its clients must come from the proxy: a Unix socket has an owner, a port has none. */
static bool check_listener(const Portal *portal, int fd, GError **error) {
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof own;
    if (!portal->client_certificates ||
        (getsockname(fd, (struct sockaddr *)&own, &size) == 0 && own.ss_family == AF_UNIX))
        return true;
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
        "portal.client_certificates: portal.listen must then be a Unix socket that the proxy alone can "
        "reach, as in unix:/run/vigie/portal.sock");
    return false;
}

bool portal_run(const VigiePortalOptions *options, GError **error) {
    Portal portal = {0};
    bool ran = false;
    bool loaded = load(&portal, options->config, error);
    portal.ocsp = options->ocsp;
    Lanes *lanes = loaded && check_listener(&portal, options->listen_fd, error)
                       ? http_lanes_start(&portal, error)
                       : NULL;
    if (lanes) {
        if (options->ready)
            options->ready(options->data);
        ran = portal_gate_run(options->listen_fd, &portal, lanes, options->stop, error);
        http_lanes_stop(lanes);
    }
    unload(&portal);
    return ran;
}
