/* What the portal asks the signer, as a portal that was taken over might write it: one form, within its bounds, or nothing. */
#include "pki/ocsp-socket.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OcspQuestion question, again = {.magic = QUESTION_MAGIC};
    if (!question_parse(vigie_bytes(data, size), &question))
        return 0;
    if (size != sizeof question || question.count == 0 || question.count > OCSP_ASKED_MAX ||
        question.nonce_size > sizeof question.nonce)
        abort();
    /* Written again from what counts, it is the same. */
    again.count = question.count;
    again.nonce_size = question.nonce_size;
    again.id = question.id;
    again.asked = question.asked;
    again.authority = question.authority;
    for (size_t i = 0; i < question.count; i++) {
        const QuestionSerial *serial = &question.serials[i];
        if (serial->size == 0 || serial->size > sizeof serial->octets)
            abort();
        again.serials[i].sha256 = serial->sha256 != 0;
        again.serials[i].size = serial->size;
        memcpy(again.serials[i].octets, serial->octets, serial->size);
    }
    memcpy(again.nonce, question.nonce, question.nonce_size);
    if (memcmp(&again, data, size) != 0)
        abort();
    return 0;
}
