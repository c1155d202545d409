/* revoke: reasons and serial numbers, as the room's other files need them. */
#pragma once

#include "base/base.h"

enum { REASON_CA_COMPROMISE = 2, REASON_HOLD = 6, REASON_RELEASE = 8 };

/* "keyCompromise" …; static. */
const char *revoke_reason_name(int64_t reason);
/* Of the reasons' numbers, those that a certificate's owner may give; NULL for others. */
const char *revoke_reason_given(int64_t number);
bool revoke_reason_parse(const char *text, int *ret_reason, GError **error);
/* Hexadecimal as octets, with or without colons; a view of `serial`. */
bool revoke_serial(const char *text, uint8_t serial[32], VigieBytes *ret_serial, GError **error);
