/* A fresh store for each test: a file in a temporary folder or, where $VIGIE_TEST_POSTGRESQL names a server,
 * a schema of its own there. */
#pragma once

#include "store/store.h"

/* The address of a new, empty store; `test_store_open` opens it as often as wanted. Free with g_free. */
char *test_store_url(void);
/* Opens it, or fails the test. */
VigieStore *test_store_open(const char *url);
/* The same, migrated. */
VigieStore *test_store_new(void);
/* The path in "sqlite:PATH". */
const char *test_store_path(const char *url);
bool test_on_postgresql(void);
/* Fails the test unless `error` is of this code and says all of `words` (NULL-terminated); clears it. */
void test_error_says(GError **error, VigieErrorCode code, ...) G_GNUC_NULL_TERMINATED;
int test_store_run(int argc, char **argv);
