/* SPDX-License-Identifier: MIT */
/* Sentences about what is wrong with a configured provider. */
#include "places_fault.h"

#include <stdarg.h>
#include <stdio.h>

int places_fault(struct herd_diagnostic *reterr_diagnostic, int err, const char *message, ...)
{
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    va_list args;
    va_start(args, message);
    vsnprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, message, args);
    va_end(args);
    return err;
}
