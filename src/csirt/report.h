/* What a year held: counts from which nobody can be recognised, and the documents made of them; the review of one case.
 *
 * A case of label RED is counted where its owner's consent to "statistics" holds (release.json); what was merged into another
 * is not a case of its own. */
#pragma once

#include "csirt/csirt.h"

enum { CSIRT_THRESHOLD = 5 }; /* counts below it are not published; 0 or 1: all are, for the team alone */

/* { "year", "threshold", "as_of", "cases": number or null, "left_out": whether a RED case is not counted,
 *   "median_answer_hours", "median_degraded_hours": number, or null where fewer than the threshold are known,
 *   "tables": [ { "id", "title", "head": what its rows are, "columns": [ { "id", "text" } ],
 *                 "rows": [ { "id", "text", "counts": [ number or null ], "total" } ], "totals": [ … ], "total" } ] }
 * Texts are { "fr", "en" }; null is a count that is held back. Tables: month (by kind), type (by impact on patients), structure
 * (by degraded mode), delay (of incidents: kept or late, of each promise and deadline). Years begin in the team's time zone. */
json_t *csirt_statistics(VigieStore *store, const VigieTeam *team, int year, int64_t threshold, VigieTime now,
                         GError **error);

/* RFC 4180: table,row,column,count; one line a count, an empty count is held back, "total" sums up. Free with g_free. */
char *csirt_statistics_csv(const json_t *statistics);
/* The yearly report as a document (document.h), TLP:CLEAR. */
json_t *csirt_report(const json_t *statistics, const VigieTeam *team, VigieLang lang, GError **error);
/* The review after an incident, with the case's label: what is known, the timeline, the delays, and what is to be filled
 * in. Nothing of the source, no address of anyone. */
json_t *csirt_review(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                     VigieLang lang, VigieTime now, GError **error);
