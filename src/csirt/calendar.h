/* What clocks ask of the calendar beside the public questions. */
#pragma once

#include "csirt/rules.h"

GTimeZone *calendar_zone(const VigieCalendar *calendar); /* borrowed */
bool calendar_urgent_any_time(const VigieCalendar *calendar);
