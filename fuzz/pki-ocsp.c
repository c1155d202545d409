/* An OCSP request from a stranger: what it asks lies inside of it, or it is refused. */
#include "pki/ocsp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OcspRequest request;
    if (!ocsp_request_parse(vigie_bytes(data, size), &request))
        return 0;
    if (request.count == 0 || request.count > OCSP_ASKED_MAX)
        abort();
    for (size_t i = 0; i < request.count; i++)
        if (request.asked[i].serial.data < data ||
            request.asked[i].serial.data + request.asked[i].serial.size > data + size)
            abort();
    return 0;
}
