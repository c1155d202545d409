/* What of the configuration the fleet goes by. */
#include "fleet/internal.h"

#include <string.h>

VigieFleetPolicy fleet_policy_default(void) {
    return (VigieFleetPolicy){.days = {90, 30, 7, 1, 0},
                              .day_count = 5,
                              .soon_days = 30,
                              .silent_after = 3,
                              .hour = 7,
                              .fallback_lang = VIGIE_FR};
}

static int descending(gconstpointer a, gconstpointer b) {
    return *(const int *)b - *(const int *)a;
}

static bool read_days(const VigieConfig *config, VigieFleetPolicy *policy, GError **error) {
    const char *const *days = vigie_config_list(config, "alarms.days");
    policy->day_count = 0;
    for (; *days; days++) {
        guint64 day = 0;
        if (policy->day_count == FLEET_DAYS_MAX ||
            !g_ascii_string_to_unsigned(*days, 10, 0, 3650, &day, NULL)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "[alarms] days: \"%s\": %d whole numbers from 0 to 3650 at most are wanted, as in "
                        "days = 90;30;7;1;0",
                        *days, FLEET_DAYS_MAX);
            return false;
        }
        policy->days[policy->day_count++] = (int)day;
    }
    qsort(policy->days, policy->day_count, sizeof policy->days[0], descending);
    return true;
}

static bool read_number(const VigieConfig *config, const char *key, int least, int most, int *ret_number,
                        GError **error) {
    int64_t number = vigie_config_int(config, key);
    if (number < least || number > most) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: %" G_GINT64_FORMAT ": %d to %d is wanted",
                    key, number, least, most);
        return false;
    }
    *ret_number = (int)number;
    return true;
}

bool fleet_policy_load(const VigieConfig *config, VigieFleetPolicy *ret_policy, GError **error) {
    VigieFleetPolicy policy = fleet_policy_default();
    if (!read_days(config, &policy, error) ||
        !read_number(config, "fleet.soon_days", 0, 3650, &policy.soon_days, error) ||
        !read_number(config, "alarms.silent_after", 1, 1000, &policy.silent_after, error) ||
        !read_number(config, "alarms.hour", 0, 23, &policy.hour, error))
        return false;
    const char *fallback = vigie_config_text(config, "alarms.fallback");
    policy.fallback = *fallback ? fallback : NULL;
    vigie_lang_parse(vigie_config_text(config, "site.language"), &policy.fallback_lang);
    policy.zone = vigie_config_zone(config);
    *ret_policy = policy;
    return true;
}
