/* cases: a CSIRT's desk with work on it, for the tests of its pages. */
#pragma once

#include "csirt/csirt.h"

/* Writes the team's file and its artefact key into the folder. Free with g_free. */
char *cases_write_team(const char *folder, VigieTime now);
char *cases_write_key(const char *folder);
/* A dozen cases in every state, through the room's own functions; hostile texts are in each field that a stranger fills. */
void cases_fill(VigieStore *store, const VigieTeam *team, VigieTime now);
