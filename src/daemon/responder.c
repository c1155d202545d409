#include "daemon/responder.h"
#include "daemon/child.h"
#include "daemon/resident.h"

#include <poll.h>

/* Keys are looked after once in a while: the first is made by the signer's other thread, later ones months apart. */
enum { WAIT_MS = 500, FOLLOW_US = 30000000, TROUBLE_US = 2000000 };

struct Responder {
    const VigieConfig *config;
    VigiePassphrase passphrase;
    void *data;
    VigieStore *store;
    VigieOcsp *ocsp;
    gint64 follow_at; /* monotonic, µs */
    GThread *thread;
};

static bool follow(Responder *responder, GError **error) {
    const char *const *names = vigie_config_list(responder->config, "pki.signer_authorities");
    bool all = true;
    for (; *names; names++) {
        g_autoptr(GError) why = NULL;
        if (pki_ocsp_follow(responder->ocsp, responder->store, *names, responder->passphrase, responder->data,
                            &why))
            continue;
        all = false;
        if (g_error_matches(why, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE)) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
    }
    responder->follow_at = g_get_monotonic_time() + (all ? FOLLOW_US : TROUBLE_US);
    return true;
}

/* What is wrong with keys or store the other thread says; here it only means that the portal answers by itself. */
static void work(Responder *responder) {
    g_autoptr(GError) error = NULL;
    struct pollfd asked = {.fd = CHILD_OCSP_FD, .events = POLLIN};
    if (!responder->store)
        responder->store = store_open(resident_store_url(responder->config), &error);
    bool well =
        responder->store && (g_get_monotonic_time() < responder->follow_at || follow(responder, &error));
    if (well && poll(&asked, 1, WAIT_MS) > 0)
        well = pki_ocsp_serve(responder->ocsp, responder->store, CHILD_OCSP_FD, vigie_time_now(), &error);
    if (well)
        return;
    g_clear_pointer(&responder->store, store_close);
    for (gint64 until = g_get_monotonic_time() + TROUBLE_US; !child_stop && g_get_monotonic_time() < until;)
        g_usleep(100000);
}

static gpointer run(gpointer data) {
    Responder *responder = data;
    while (!child_stop)
        work(responder);
    return NULL;
}

Responder *responder_start(const VigieConfig *config, VigiePassphrase passphrase, void *data) {
    Responder *responder = g_new0(Responder, 1);
    *responder =
        (Responder){.config = config, .passphrase = passphrase, .data = data, .ocsp = pki_ocsp_new()};
    responder->thread = g_thread_new("responder", run, responder);
    return responder;
}

void responder_join(Responder *responder) {
    g_thread_join(responder->thread);
    store_close(responder->store);
    pki_ocsp_free(responder->ocsp);
    g_free(responder);
}
