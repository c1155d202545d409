/* What one observation works on: the endpoint as it stood, and what becomes of it. Shared by observe.c,
 * chain.c and life.c. */
#pragma once

#include "fleet/internal.h"

typedef struct {
    const VigieFleetPolicy *policy;
    const VigieRecord *record;
    VigieTime now;
    int64_t run, observation;
    bool same; /* the record says what the last one said */

    int64_t endpoint, device, organisation, criticality, live;
    char *class_, *owner, *target;
    int64_t state, severity, active_findings, versions, failures;
    int64_t content, certificate, ending; /* 0: none */
    VigieTime seen, chain_seen, silent_since, not_after;
    int64_t trouble; /* the worst finding but those that only say it was not reached */
} Observed;

/* An event of this endpoint. */
Event observed_event(const Observed *at, const char *kind, bool notable);

/* Keeps the chain that was served, and tells how it differs from the one before (chain.c). */
bool observed_chain(VigieStore *store, Observed *at, GError **error);
/* Brings the findings up to what was seen; sets severity, active_findings and trouble (life.c). */
bool observed_findings(VigieStore *store, Observed *at, GError **error);
