/* Facts, events and answers from whoever speaks to the API: decided the same twice, or refused. */
#include "csirt/triage.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(json_t *a, json_t *b) {
    if (!json_equal(a, b))
        abort();
    json_decref(a);
    json_decref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static VigieCalendar *calendar;
    g_autoptr(json_t) hours = json_pack("{s:{s:s}}", "hours", "mon", "09:00-18:00");
    if (!csirt_rules_load(NULL))
        abort();
    if (!calendar) {
        g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
        calendar = csirt_calendar_new(hours, zone, NULL);
    }
    g_autoptr(json_t) value = json_loadb((const char *)data, size, 0, NULL);
    if (!value)
        return 0;
    g_autoptr(json_t) none = json_object();
    json_t *priority = csirt_priority(value, NULL);
    if (csirt_facts_check(value, NULL) && !priority)
        abort();
    if (priority)
        same(priority, csirt_priority(value, NULL));
    json_decref(csirt_priority_missing(value, NULL));
    json_decref(csirt_escalations(value, NULL));
    json_decref(csirt_clocks(value, none, calendar, 1795424400, NULL));
    json_decref(csirt_clocks(none, value, calendar, 1795424400, NULL));
    json_decref(csirt_ssvc_decide("deployer", value, NULL));
    json_decref(csirt_ssvc_decide("coordinator-triage", value, NULL));
    if (csirt_roster_check(value, NULL)) {
        g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
        json_decref(csirt_roster_at(value, zone, 1795424400));
    }
    return 0;
}
