/* der.c: X.690, as far as certificates need it. */
#include "x509/der.h"

#include <stdio.h>

void der_refuse(const char **clause, const char *why) {
    if (!*clause)
        *clause = why;
}

static bool read_length(VigieReader *in, size_t *ret_length, const char **clause) {
    uint8_t first = vigie_read_u8(in);
    if (first < 0x80) {
        *ret_length = first;
        return !in->failed;
    }
    size_t octets = first & 0x7F;
    if (octets == 0 || octets > 4) {
        der_refuse(clause, octets ? "X.690 8.1.3.5: length of more than four octets"
                                  : "X.690 10.1: length in the indefinite form");
        in->failed = true;
        return false;
    }
    *ret_length = vigie_read_uint(in, octets);
    if (!in->failed && (*ret_length < 0x80 || *ret_length >> (8 * (octets - 1)) == 0))
        der_refuse(clause, "X.690 10.1: length not in the shortest form");
    return !in->failed;
}

bool der_next(VigieReader *in, DerElement *ret_element, const char **clause) {
    if (vigie_reader_empty(in))
        return false;
    const uint8_t *start = in->rest.data;
    size_t length = 0;
    uint8_t tag = vigie_read_u8(in);
    if ((tag & 0x1F) == 0x1F) {
        der_refuse(clause, "X.690 8.1.2.4: tag number over 30");
        in->failed = true;
        return false;
    }
    VigieBytes value = {0};
    if (read_length(in, &length, clause))
        value = vigie_read(in, length);
    if (in->failed) {
        der_refuse(clause, "X.690 8.1.3: length reaches past the end");
        return false;
    }
    *ret_element = (DerElement){
        .tag = tag, .value = value, .whole = vigie_bytes(start, (size_t)(in->rest.data - start))};
    return true;
}

bool der_expect(VigieReader *in, uint8_t tag, DerElement *ret_element, const char **clause) {
    DerElement element;
    if (!der_next(in, &element, clause)) {
        der_refuse(clause, "X.690 8.1: element missing");
        return false;
    }
    if (element.tag != tag) {
        der_refuse(clause, "X.690 8.1.2: element of another type than expected");
        in->failed = true;
        return false;
    }
    *ret_element = element;
    return true;
}

bool der_optional(VigieReader *in, uint8_t tag, DerElement *ret_element, const char **clause) {
    if (vigie_reader_empty(in) || in->rest.data[0] != tag)
        return false;
    return der_next(in, ret_element, clause);
}

VigieBytes der_magnitude(VigieBytes integer) {
    while (integer.size > 0 && integer.data[0] == 0)
        integer = vigie_bytes(integer.data + 1, integer.size - 1);
    return integer;
}

unsigned der_bits(VigieBytes integer) {
    VigieBytes magnitude = der_magnitude(integer);
    if (magnitude.size == 0)
        return 0;
    return (unsigned)(8 * magnitude.size) - ((unsigned)__builtin_clz(magnitude.data[0]) - 24);
}

/* Two decimal digits; -1 where they are none. */
static int pair(VigieReader *in) {
    VigieBytes digits = vigie_read(in, 2);
    if (in->failed || digits.data[0] < '0' || digits.data[0] > '9' || digits.data[1] < '0' ||
        digits.data[1] > '9') {
        in->failed = true;
        return -1;
    }
    return 10 * (digits.data[0] - '0') + digits.data[1] - '0';
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, counted from March so that leap days come last. */
static int64_t days_of(int year, int month, int day) {
    int64_t shifted = month <= 2 ? year - 1 : year, era = shifted / 400, of_era = shifted % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int month_days(int year, int month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

/* The seconds, a fraction, and the zone: RFC 5280 wants seconds, no fraction, and Z. Seconds east of Greenwich. */
static int read_end(VigieReader *in, int *ret_second, const char **clause) {
    *ret_second = 0;
    if (in->rest.size > 0 && in->rest.data[0] >= '0' && in->rest.data[0] <= '9')
        *ret_second = pair(in);
    else
        der_refuse(clause, "RFC 5280 4.1.2.5: time without seconds");
    if (in->rest.size > 0 && (in->rest.data[0] == '.' || in->rest.data[0] == ',')) {
        der_refuse(clause, "RFC 5280 4.1.2.5.2: time with a fraction of a second");
        vigie_read(in, 1);
        while (in->rest.size > 0 && in->rest.data[0] >= '0' && in->rest.data[0] <= '9')
            vigie_read(in, 1);
    }
    if (in->rest.size == 1 && in->rest.data[0] == 'Z') {
        vigie_read(in, 1);
        return 0;
    }
    der_refuse(clause, "RFC 5280 4.1.2.5: time not in UTC");
    if (in->rest.size == 0)
        return 0;
    uint8_t sign = vigie_read_u8(in);
    int hours = pair(in), minutes = pair(in);
    if (in->failed || (sign != '+' && sign != '-') || hours > 23 || minutes > 59) {
        in->failed = true;
        return 0;
    }
    return (sign == '+' ? 60 : -60) * (60 * hours + minutes);
}

bool der_time(const DerElement *element, int64_t *ret_time, const char **clause) {
    VigieReader in = vigie_reader(element->value);
    if (element->tag != DER_GENERALIZED_TIME && element->tag != DER_UTC_TIME) {
        der_refuse(clause, "RFC 5280 4.1.2.5: time that is neither UTCTime nor GeneralizedTime");
        return false;
    }
    int year = pair(&in), second;
    if (element->tag == DER_GENERALIZED_TIME)
        year = 100 * year + pair(&in);
    else
        year += year < 50 ? 2000 : 1900;
    int month = pair(&in), day = pair(&in), hour = pair(&in), minute = pair(&in);
    int offset = read_end(&in, &second, clause);
    if (in.failed || in.rest.size > 0 || month < 1 || month > 12 || day < 1 ||
        day > month_days(year, month) || hour > 23 || minute > 59 || second > 59) {
        der_refuse(clause, "RFC 5280 4.1.2.5: time that cannot be read");
        return false;
    }
    *ret_time = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    return true;
}

bool der_oid_text(VigieBytes oid, char *text, size_t capacity) {
    size_t at = 0, size = 0;
    bool first = true;
    while (at < oid.size) {
        uint64_t arc = 0;
        do {
            if (arc >> 57 != 0)
                return false;
            arc = arc << 7 | (oid.data[at] & 0x7F);
        } while (oid.data[at++] & 0x80 && at < oid.size);
        if (oid.data[at - 1] & 0x80)
            return false;
        uint64_t root = arc < 80 ? arc / 40 : 2;
        int written =
            first ? snprintf(text, capacity, "%u.%llu", (unsigned)root, (unsigned long long)(arc - 40 * root))
                  : snprintf(text + size, capacity - size, ".%llu", (unsigned long long)arc);
        if (written < 0 || (size_t)written >= capacity - size)
            return false;
        size += (size_t)written;
        first = false;
    }
    return !first;
}
