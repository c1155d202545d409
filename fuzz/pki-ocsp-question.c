/* What the portal asks the signer, as a portal that was taken over might write it: one form, within its bounds, or nothing. */
#include "pki/ocsp-socket.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OcspQuestion question, again = {.magic = QUESTION_MAGIC};
    if (!question_parse(vigie_bytes(data, size), &question))
        return 0;
    if (size != sizeof question || question.serial_size == 0 ||
        question.serial_size > sizeof question.serial || question.nonce_size > sizeof question.nonce)
        abort();
    /* Written again from what counts, it is the same. */
    again.sha256 = question.sha256 != 0;
    again.serial_size = question.serial_size;
    again.nonce_size = question.nonce_size;
    again.id = question.id;
    again.asked = question.asked;
    again.authority = question.authority;
    memcpy(again.serial, question.serial, question.serial_size);
    memcpy(again.nonce, question.nonce, question.nonce_size);
    if (memcmp(&again, data, size) != 0)
        abort();
    return 0;
}
