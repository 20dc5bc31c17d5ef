/* SPDX-License-Identifier: MIT */
/* Error codes as sentences. */
#include <herd/types.h>

const char *herd_strerror(int err)
{
    switch (err) {
#define HERD_ERR_CASE(name, value, text) \
    case name: return text;
        HERD_ERR_LIST(HERD_ERR_CASE)
#undef HERD_ERR_CASE
    default: return err >= 0 ? "no error" : "unknown error";
    }
}

const char *herd_version(void)
{
    return HERD_VERSION;
}
