/* A team, its keys and cases as tests want them, in a fresh store. */
#pragma once

#include "csirt/csirt.h"
#include "store-test.h"

/* 2026-11-23T09:00:00Z, a Monday morning in opening hours. */
#define TEST_NOW ((VigieTime)1795424400)

/* The team of knowledge/csirt/teams/cert-sante.json, with an artefact key and a head's certificate made for the run. Free
 * with csirt_team_free. */
VigieTeam *test_team(void);
/* Opens what the head was sealed, as `openssl cms -decrypt` does. Free with g_free. */
char *test_head_opens(VigieBytes sealed);
extern const VigieAnalyst test_analyst, test_other, test_head, test_stranger;

/* A declared incident; `title` also names the organisation. Fails the test where it cannot be opened. */
int64_t test_open(VigieStore *store, const VigieTeam *team, const char *title);
/* JSON with ' for ". */
json_t *test_json(const char *text);
/* The value at "a.0.b"; fails the test where there is none. */
json_t *test_at(const json_t *value, const char *path);
const char *test_text(const json_t *value, const char *path);
int64_t test_int(const json_t *value, const char *path);
/* The kinds of the timeline's lines, spaces between. Free with g_free. */
char *test_lines(VigieStore *store, int64_t id);
int test_csirt_run(int argc, char **argv);
