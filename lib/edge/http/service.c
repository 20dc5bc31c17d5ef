/* SPDX-License-Identifier: MIT */
/* HTTP is switched on and off with its server. Without `http_port` and `admin_port` nothing of it is
 * there. */
#include "http_impl.h"

#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>

struct herd_server *herd_http_server(const struct herd_http *http)
{
    return http->server;
}

struct event_base *herd_http_base(const struct herd_http *http)
{
    return http->server->base;
}

const struct herd_config *herd_http_config(const struct herd_http *http)
{
    return http->server->config;
}

struct herd_log *herd_http_log(const struct herd_http *http)
{
    return http->server->log;
}

size_t herd_http_stream_count(const struct herd_http *http)
{
    return http->stream_count;
}

static void close_service(struct herd_server *server)
{
    struct herd_http *http = server->http;
    if (!http)
        return;
    herd_http_streams_tell(http);
    while (http->part_count > 0) {
        struct herd_http_part *part = &http->parts[--http->part_count];
        if (part->module->close)
            part->module->close(part->state);
        free(part->answered);
    }
    herd_http_late_close(http);
    herd_buf_fini(&http->body);
    herd_buf_fini(&http->headers);
    herd_buf_fini(&http->line);
    herd_http_arena_fini(&http->arena);
    free(http);
    server->http = NULL;
}

int herd_http_add_module(struct herd_http *http, const struct herd_http_module *module)
{
    if (http->part_count == HERD_HTTP_MODULES_MAX)
        return HERD_E_LIMIT;
    struct herd_http_part part = {.module = module};
    part.answered = calloc(module->route_count + 1, sizeof *part.answered);
    int err = !part.answered ? HERD_E_NOMEM : module->open ? module->open(http, &part.state) : 0;
    if (err < 0)
        free(part.answered);
    else
        http->parts[http->part_count++] = part;
    return err;
}

static int open_parts(struct herd_http *http)
{
    int err = 0;
    for (size_t i = 0; i < herd_http_module_count && err >= 0; i++)
        err = herd_http_add_module(http, herd_http_modules[i]);
    return err;
}

static int open_service(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic)
{
    const struct herd_config_server *self = &server->config->servers[server->self];
    if ((!self->http_port && !self->admin_port) || server->options.dont_listen)
        return 0;
    int err = HERD_E_NOMEM;
    struct herd_http *http = calloc(1, sizeof *http);
    server->http = http;
    if (http) {
        http->server = server;
        evutil_secure_rng_get_bytes(http->cursor_key, sizeof http->cursor_key);
        herd_list_init(&http->streams);
        herd_list_init(&http->ended_streams);
        err = herd_http_late_open(http);
        if (err >= 0)
            err = open_parts(http);
    }
    if (err < 0) { /* what was opened is closed with the server */
        reterr_diagnostic->line = reterr_diagnostic->column = 0;
        snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "HTTP: %s", herd_strerror(err));
    }
    return err;
}

static void reload_service(struct herd_server *server)
{
    struct herd_http *http = server->http;
    for (size_t i = 0; http && i < http->part_count; i++)
        if (http->parts[i].module->reload)
            http->parts[i].module->reload(http->parts[i].state);
}

static void flush_service(struct herd_server *server)
{
    if (server->http)
        herd_http_streams_tell(server->http);
}

static void stop_service(struct herd_server *server)
{
    if (server->http)
        herd_http_streams_end(server->http);
}

static const struct herd_service service = {
    .open = open_service,
    .reload = reload_service,
    .flush = flush_service,
    .stop = stop_service,
    .close = close_service,
    .door = {.begin = herd_http_begin, .event = "listening_http"},
    .admin_door = {.begin = herd_http_begin, .event = "listening_admin", .admin = true},
};

int herd_server_new(struct herd_server **ret_server, struct event_base *base,
                    const struct herd_server_options *options, struct herd_diagnostic *reterr_diagnostic)
{
    return herd_server_make(ret_server, base, options, &service, reterr_diagnostic);
}
