/* A certificate from a stranger: whatever it holds, its texts are valid UTF-8 and printable, and its record is JSON. The
 * same octets as a file: PEM, DER or neither. */
#include "x509/x509.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text) {
    if (!g_utf8_validate(text, -1, NULL))
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            abort();
}

static void check_certificate(const VigieCertificate *certificate) {
    check_text(certificate->subject);
    check_text(certificate->issuer);
    check_text(certificate->serial);
    check_text(certificate->signature_algorithm);
    check_text(certificate->common_name ? certificate->common_name : "");
    for (size_t i = 0; i < certificate->name_count; i++)
        check_text(certificate->names[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    VigieBytes octets = vigie_bytes(data, size);
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(octets, NULL);
    if (certificate) {
        check_certificate(certificate);
        g_autoptr(VigieChainCache) cache = x509_chain_cache_new(4);
        VigieBytes list[] = {octets, octets};
        g_autoptr(VigieChain) chain = x509_chain_cache_get(cache, list, 2, NULL);
        g_autoptr(VigieChain) again = x509_chain_cache_get(cache, list, 2, NULL);
        if (chain) {
            g_autoptr(json_t) json = json_loads(chain->json, 0, NULL);
            if (!json || chain != again)
                abort();
        }
    }
    g_autoptr(GPtrArray) file = x509_certificates_read(octets, NULL);
    return 0;
}
