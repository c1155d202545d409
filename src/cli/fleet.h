/* fleet: what the subcommands of `vigie fleet` share. */
#pragma once

#include "cli/cli.h"
#include "cli/fleet-print.h"

typedef struct {
    char *config, *mapping, *organisation, *class_, *owner, *criticality, *state, *severity, *kind, *sort,
        *depth, *note, *name, *gmao, *manufacturer, *model, *serial, *location, *role, *mail, *language,
        *output;
    gint64 page, page_size;
    gboolean dry_run, retired, wait, json;

    VigieLang lang;
    int argc; /* what remains of the arguments */
    char **argv;
    VigieConfig *settings;
    VigieStore *store;
    VigieRules *rules;
    VigieTime now;
    FleetPrinter printer;
    const char *by;
} Fleet;

/* INVALID, with this message; false. */
bool fleet_call_invalid(GError **error, const char *message);
/* The organisation that --organisation names, in any case, with or without its accents; *ret_id stays where it names none. */
bool fleet_call_organisation(Fleet *fleet, int64_t *ret_id, GError **error);
/* The options as a filter; the words that remain are searched for, and joined in *ret_words, which the filter borrows. */
bool fleet_call_filter(Fleet *fleet, VigieFleetFilter *filter, char **ret_words, GError **error);

/* fleet-write.c */
bool fleet_call_add(Fleet *fleet, int *ret_status, GError **error);
bool fleet_call_contact(Fleet *fleet, int *ret_status, GError **error);
bool fleet_call_ack(Fleet *fleet, int *ret_status, GError **error);
bool fleet_call_survey(Fleet *fleet, int *ret_status, GError **error);
