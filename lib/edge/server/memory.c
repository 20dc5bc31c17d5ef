/* SPDX-License-Identifier: MIT */
/* The database beside a server: its life, and questions for clients that the server does not know. */
#include "memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void wake(void *ctx)
{
    herd_server_schedule_flush(ctx);
}

int herd_server_memory_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic)
{
    const struct herd_config_database *config = &server->config->database;
    if (!config->kind)
        return 0;
    const struct herd_beside_options options = {
        .base = server->base,
        .node = server->node,
        .log = server->log,
        .config = config,
        .herd = server->config->herd,
        .driver = server->options.database,
        .wake = wake,
        .ctx = server,
    };
    int err = herd_beside_open(&server->beside, &options, herd_clock(), reterr_diagnostic);
    if (err == HERD_E_NOMEM)
        snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "%s", herd_strerror(err));
    return err;
}

char *herd_server_memory_text(const struct herd_config_database *config)
{
    char text[1024];
    if (!config->kind)
        return NULL;
    snprintf(text, sizeof text,
             "%.64s %.300s %.300s flush_ms %" PRId64 " batch %" PRId64 " history %d retention_days %" PRId64
             " adopt_ms %" PRId64 " read_through %d warm_start %d geo %d",
             config->kind, config->dsn_file, config->library ? config->library : "-", config->flush_ms,
             config->batch, config->history, config->retention_days, config->adopt_ms, config->read_through,
             config->warm_start, config->geo);
    return strdup(text);
}

bool herd_server_memory_stopped(struct herd_server *server)
{
    if (!server->beside)
        return true;
    if (!server->beside_stops)
        herd_beside_stop(server->beside, herd_clock());
    server->beside_stops = true;
    return herd_beside_stopped(server->beside);
}
