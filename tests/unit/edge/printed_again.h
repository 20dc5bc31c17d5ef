/* SPDX-License-Identifier: MIT */
/* A configuration that was printed says the same again. */
#ifndef TEST_PRINTED_AGAIN_H
#define TEST_PRINTED_AGAIN_H

#include "cm.h"

#include <herd/herd.h>

static inline void printed_again(const struct herd_config *config, struct herd_config **ret_again)
{
    struct herd_buf printed = {0};
    struct herd_diagnostic diagnostic;
    assert_int_equal(herd_config_print(config, &printed), 0);
    assert_int_equal(herd_config_parse(ret_again, (struct herd_span){printed.at, printed.len}, &diagnostic), 0);
    herd_buf_fini(&printed);
}

#endif
