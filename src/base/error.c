#include "base/base.h"

G_DEFINE_QUARK(vigie - error - quark, vigie_error)
