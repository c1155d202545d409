/* clock.c: is it the server's clock, or chance?
 *
 * One random value lands within a minute of our clock once in 36 million, within two days once in 12,000: the
 * first is believed, the second only makes a second look worth while. Two that agree on an offset within
 * three seconds do so by chance once in 600 million, whatever the offset. */
#include "tls/tls.h"

enum { MINUTE = 60, TWO_DAYS = 2 * 86400, AGREEMENT = 3 };

static int64_t distance(int64_t a, int64_t b) {
    return a > b ? a - b : b - a;
}

VigieClock tls_clock_judge(const VigieClockSample *samples, size_t count, int64_t *ret_offset) {
    if (count == 0 || samples[0].server == 0)
        return VIGIE_CLOCK_RANDOM;
    int64_t offset = (int64_t)samples[0].server - samples[0].local;
    bool moving = false;
    for (size_t i = 1; i < count; i++) {
        if (distance((int64_t)samples[i].server - samples[i].local, offset) > AGREEMENT)
            return VIGIE_CLOCK_RANDOM;
        moving = moving || samples[i].server != samples[0].server;
    }
    bool close = distance(offset, 0) <= TWO_DAYS;
    VigieClock verdict = VIGIE_CLOCK_RANDOM;
    /* A far value that never moved may be a constant, sent by a server that fills the field with anything. */
    if (distance(offset, 0) <= MINUTE || (count > 1 && (moving || close)))
        verdict = VIGIE_CLOCK_SURE;
    else if (count > 1 || close)
        verdict = VIGIE_CLOCK_LIKELY;
    if (verdict != VIGIE_CLOCK_RANDOM)
        *ret_offset = offset;
    return verdict;
}
