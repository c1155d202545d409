/* wishes: what a profile asks of a request, as the protocols tell it to clients before they make one. */
#pragma once

#include "pki/profile.h"

/* Controls of RFC 4211 6, as RFC 9810 5.3.19.16 has them in keySpec: one for each kind of key that the profile takes. */
void wishes_put_keys(GByteArray *out, const Profile *profile);
