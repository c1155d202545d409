/* fleet-print: the fleet's resources as tables for people. */
#pragma once

#include "fleet/fleet.h"

typedef struct {
    VigieLang lang;
    GTimeZone *zone;
    VigieTime now;
    const VigieRules *rules; /* for the titles of findings */
    bool colour;
} FleetPrinter;

/* One object on a line. */
void fleet_print_json(const json_t *value);
/* A page of fleet_device_list, … and below it how many there are. */
void fleet_print_devices(const FleetPrinter *printer, const json_t *page);
void fleet_print_findings(const FleetPrinter *printer, const json_t *page);
void fleet_print_certificates(const FleetPrinter *printer, const json_t *page);
void fleet_print_alarms(const FleetPrinter *printer, const json_t *page);
void fleet_print_organisations(const FleetPrinter *printer, const json_t *page);
/* fleet_device_get. */
void fleet_print_device(const FleetPrinter *printer, const json_t *device);
/* fleet_import's report. */
void fleet_print_report(const FleetPrinter *printer, const json_t *report);
/* One line, rewritten on a terminal, of a survey's progress; on stderr. */
void fleet_print_progress(const FleetPrinter *printer, const json_t *run, bool rewritten);
