/* lint-entries.c: the entries of a revocation list. There may be a million: they are walked where they stand, and only where
 * serial numbers do not rise is an order made, as twelve octets an entry, to find twins. */
#include "x509/lint-list.h"

#include <stdlib.h>
#include <string.h>

static void check_reason(ListLint *list, const ListExtension *extension, VigieBytes serial) {
    enum { UNSPECIFIED = 0, ON_HOLD = 6, UNUSED = 7, REMOVE = 8, LAST = 10, ENUMERATED = 0x0A };
    VigieBytes value = extension->value;
    bool one = value.size == 3 && value.data[0] == ENUMERATED && value.data[1] == 1;
    if (!one || value.data[2] == UNUSED || value.data[2] > LAST || extension->critical)
        list_tell_serial(list, REASON, serial);
    if (!one)
        return;
    if (value.data[2] == UNSPECIFIED)
        list_tell_serial(list, REASON_UNSPECIFIED, serial);
    if (value.data[2] == REMOVE && !list->delta)
        list_tell_serial(list, REASON_REMOVE, serial);
    if (value.data[2] == ON_HOLD)
        list_tell_serial(list, HOLD, serial);
}

static void check_invalidity(ListLint *list, const ListExtension *extension, VigieBytes serial) {
    const char *clause = NULL;
    DerElement element;
    VigieTime time = 0;
    VigieReader in = vigie_reader(extension->value);
    if (!der_expect(&in, DER_GENERALIZED_TIME, &element, &clause) || in.rest.size > 0 ||
        !der_time(&element, &time, &clause) || clause || extension->critical)
        list_tell_serial(list, INVALIDITY, serial);
}

/* Of this entry and those that follow, until another says otherwise. */
static void check_issuer(ListLint *list, const ListExtension *extension, VigieBytes serial) {
    if (!list->indirect || !extension->critical)
        list_tell_serial(list, ENTRY_ISSUER, serial);
    list->issuer = extension->value;
}

static const struct {
    uint8_t oid[3];
    void (*check)(ListLint *list, const ListExtension *extension, VigieBytes serial);
} of_entries[] = {{{0x55, 0x1D, 0x15}, check_reason},
                  {{0x55, 0x1D, 0x18}, check_invalidity},
                  {{0x55, 0x1D, 0x1D}, check_issuer}};

static void check_entry_extensions(ListLint *list, VigieBytes extensions, VigieBytes serial) {
    bool seen[G_N_ELEMENTS(of_entries)] = {0};
    const char *clause = NULL;
    ListExtension extension;
    VigieReader in = vigie_reader(extensions);
    while (!vigie_reader_empty(&in) && list_extension(&in, &extension, &clause)) {
        size_t i = 0;
        while (i < G_N_ELEMENTS(of_entries) &&
               !vigie_bytes_equal(extension.oid, vigie_bytes(of_entries[i].oid, sizeof of_entries[i].oid)))
            i++;
        if (i == G_N_ELEMENTS(of_entries)) {
            if (extension.critical)
                list_tell_serial(list, ENTRY_CRITICAL, serial);
            continue;
        }
        if (seen[i])
            list_tell_serial(list, EXTENSION_TWICE, serial);
        seen[i] = true;
        of_entries[i].check(list, &extension, serial);
    }
    if (clause)
        list_tell(list, MALFORMED, clause);
    if (extensions.size == 0)
        list_tell(list, MALFORMED, "RFC 5280 5.1: an empty list of extensions");
}

static int compare(VigieBytes a, VigieBytes b) {
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size > 0 ? memcmp(a.data, b.data, a.size) : 0;
}

/* False at the end, or where the rest cannot be read. */
static bool next_entry(ListLint *list, VigieReader *in, VigieBytes *ret_serial, const char **clause) {
    DerElement entry, serial, time, extensions;
    VigieTime revoked = 0;
    if (vigie_reader_empty(in) || !der_expect(in, DER_SEQUENCE, &entry, clause))
        return false;
    VigieReader parts = vigie_reader(entry.value);
    if (!der_expect(&parts, DER_INTEGER, &serial, clause) || !der_next(&parts, &time, clause)) {
        der_refuse(clause, "RFC 5280 5.1: an entry without a date");
        return false;
    }
    *ret_serial = serial.value;
    if (serial.value.size == 0 || serial.value.size > LIST_SERIAL_MAX || serial.value.data[0] & 0x80)
        list_tell_serial(list, SERIAL, serial.value);
    list_time(list, &time, &revoked);
    if (der_optional(&parts, DER_SEQUENCE, &extensions, clause))
        check_entry_extensions(list, extensions.value, serial.value);
    if (parts.failed || parts.rest.size > 0)
        der_refuse(clause, "RFC 5280 5.1: octets after the end");
    return true;
}

static void walk(ListLint *list) {
    const char *clause = NULL;
    VigieBytes serial, issuer = {0};
    VigieReader in = vigie_reader(list->entries);
    list->rising = true;
    while (next_entry(list, &in, &serial, &clause)) {
        bool same_issuer = issuer.data == list->issuer.data;
        list->rising = list->rising && same_issuer &&
                       (list->count == 0 || compare(list->last, der_magnitude(serial)) < 0);
        list->last = der_magnitude(serial);
        issuer = list->issuer;
        list->count++;
    }
    if (clause)
        list_tell(list, MALFORMED, clause);
}

/* Where a serial number and the name of its issuer begin; 0: the list's own. Any order finds twins: most are told apart by the first
 * octets of their serial numbers, without a look at the list. */
typedef struct {
    uint32_t first, serial, issuer;
} Place;

static VigieBytes element_at(const ListLint *list, uint32_t place) {
    const char *clause = NULL;
    DerElement element = {0};
    VigieReader in = vigie_reader(vigie_bytes(list->der.data + place, list->der.size - place));
    return place > 0 && der_next(&in, &element, &clause) ? element.value : (VigieBytes){0};
}

static int by_place(const void *a, const void *b, void *data) {
    const ListLint *list = data;
    const Place *one = a, *other = b;
    if (one->first != other->first)
        return one->first < other->first ? -1 : 1;
    int order = one->issuer == other->issuer
                    ? 0
                    : compare(element_at(list, one->issuer), element_at(list, other->issuer));
    return order != 0 ? order
                      : compare(der_magnitude(element_at(list, one->serial)),
                                der_magnitude(element_at(list, other->serial)));
}

static uint32_t first_octets(VigieBytes magnitude) {
    uint32_t first = 0;
    for (size_t i = 0; i < MIN(magnitude.size, sizeof first); i++)
        first = first << 8 | magnitude.data[i];
    return first;
}

static uint32_t place_of(const ListLint *list, const uint8_t *at) {
    return at ? (uint32_t)(at - list->der.data) : 0;
}

/* The entries again, for their places alone. */
static size_t note_places(const ListLint *list, Place *places) {
    const char *clause = NULL;
    DerElement entry, serial, time, extensions;
    ListExtension extension;
    uint32_t issuer = 0;
    size_t count = 0;
    VigieReader in = vigie_reader(list->entries);
    while (count < list->count && der_next(&in, &entry, &clause)) {
        VigieReader parts = vigie_reader(entry.value);
        if (!der_next(&parts, &serial, &clause) || !der_next(&parts, &time, &clause))
            break;
        bool more = list->indirect && der_optional(&parts, DER_SEQUENCE, &extensions, &clause);
        VigieReader inner = vigie_reader(more ? extensions.value : (VigieBytes){0});
        while (!vigie_reader_empty(&inner) && list_extension(&inner, &extension, &clause))
            if (vigie_bytes_equal(extension.oid, vigie_bytes(of_entries[2].oid, sizeof of_entries[2].oid)))
                issuer = place_of(list, extension.value.data);
        places[count++] =
            (Place){first_octets(der_magnitude(serial.value)), place_of(list, serial.whole.data), issuer};
    }
    return count;
}

static void find_twins(ListLint *list) {
    g_autofree Place *places = g_new(Place, list->count);
    size_t count = note_places(list, places);
    qsort_r(places, count, sizeof *places, by_place, list);
    for (size_t i = 1; i < count; i++)
        if (by_place(&places[i - 1], &places[i], list) == 0)
            list_tell_serial(list, TWIN, element_at(list, places[i].serial));
}

void list_walk_entries(ListLint *list) {
    walk(list);
    if (!list->rising)
        find_twins(list);
}
