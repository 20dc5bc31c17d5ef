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

void places_set_unusable(struct herd_places *places, struct places_backend *backend, const char *why)
{
    snprintf(backend->unusable, sizeof backend->unusable, "%.250s", why);
    struct herd_log_field fields[] = {herd_log_text("provider", backend->name), herd_log_text("why", why)};
    herd_log_event(places->log, HERD_LOG_ERROR, "places_provider_unusable", fields, 2);
}

void places_log_reload(struct herd_places *places, const struct places_backend *backend, int err)
{
    struct herd_log_field fields[] = {herd_log_text("provider", backend->name),
                                      herd_log_text("why", herd_strerror(err))};
    herd_log_event(places->log, HERD_LOG_WARN, "places_reload_failed", fields, 2);
}
