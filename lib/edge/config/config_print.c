/* SPDX-License-Identifier: MIT */
/* Prints a configuration as the JSON that it can be read from again. */
#include "config_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Remembers the first failure, so that the printing below reads as what it prints. */
struct print {
    struct herd_buf *out;
    int err;
};

static void put(struct print *print, const char *format, ...) HERD_PRINTF(2, 3);

/* For short pieces made of numbers and names that are known. */
static void put(struct print *print, const char *format, ...)
{
    char piece[128];
    va_list args;
    if (print->err < 0)
        return;
    va_start(args, format);
    int len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (len > 0)
        print->err = herd_buf_add(print->out, piece, (size_t)len < sizeof piece ? (size_t)len : sizeof piece - 1);
}

static void put_string(struct print *print, const char *text)
{
    put(print, "\"");
    for (const char *at = text; *at && print->err >= 0; at++) {
        if (*at == '"' || *at == '\\')
            put(print, "\\%c", *at);
        else if ((unsigned char)*at < 0x20)
            put(print, "\\u%04x", (unsigned)*at);
        else
            print->err = herd_buf_add(print->out, at, 1);
    }
    put(print, "\"");
}

static void put_member(struct print *print, const char *name, const char *text)
{
    if (!text)
        return;
    put(print, ", \"%s\": ", name);
    put_string(print, text);
}

static void put_listen(struct print *print, const struct herd_config_server *server)
{
    if (server->listen_count == 1) {
        put_member(print, "listen", server->listen[0]);
        return;
    }
    for (size_t i = 0; i < server->listen_count; i++) {
        put(print, i ? ", " : ", \"listen\": [");
        put_string(print, server->listen[i]);
    }
    if (server->listen_count)
        put(print, "]");
}

static void put_servers(struct print *print, const struct herd_config *config)
{
    put(print, "  \"servers\": {");
    for (size_t i = 0; i < config->server_count; i++) {
        const struct herd_config_server *server = &config->servers[i];
        put(print, "%s\n    ", i ? "," : "");
        put_string(print, server->name);
        put(print, ": {\"host\": ");
        put_string(print, server->host);
        put(print, ", \"port\": %u", (unsigned)server->port);
        put_listen(print, server);
        put(print, "%s%s}", server->plain ? ", \"plain\": true" : "",
            server->plain_sender ? ", \"plain_sender\": true" : "");
    }
    put(print, "\n  },\n");
}

static void put_links(struct print *print, const struct herd_config *config)
{
    put(print, "  \"links\": [");
    for (size_t i = 0; i < config->link_count; i++) {
        put(print, "%s\n    [", i ? "," : "");
        put_string(print, config->servers[config->links[i].a].name);
        put(print, ", ");
        put_string(print, config->servers[config->links[i].b].name);
        put(print, "]");
    }
    put(print, "%s],\n", config->link_count ? "\n  " : "");
}

static void put_places(struct print *print, const struct herd_config *config)
{
    put(print, "  \"places\": [");
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct herd_config_provider *provider = &config->providers[i];
        put(print, "%s\n    {\"provider\": ", i ? "," : "");
        put_string(print, provider->kind);
        put_member(print, "url", provider->url);
        put_member(print, "key_file", provider->key_file);
        put_member(print, "key_env", provider->key_env);
        put_member(print, "ca_file", provider->ca_file);
        put_member(print, "file", provider->file);
        put_member(print, "fields", provider->fields);
        put_member(print, "filter", provider->filter);
        put(print, ", \"timeout_ms\": %" PRId64 ", \"cache_ms\": %" PRId64 ", \"in_flight_max\": %zu}",
            provider->timeout_ms, provider->cache_ms, provider->in_flight_max);
    }
    put(print, "\n  ],\n");
}

static void put_limits(struct print *print, const struct herd_limits *limits)
{
    const char *before = "";
    put(print, "  \"limits\": {");
#define LIMIT_PUT(name, standard, least, greatest, what)                 \
    put(print, "%s\n    \"%s\": %" PRId64, before, #name, limits->name); \
    before = ",";
    HERD_LIMIT_LIST(LIMIT_PUT)
#undef LIMIT_PUT
    put(print, "\n  }\n");
}

int herd_config_print(const struct herd_config *config, struct herd_buf *out)
{
    struct print print = {.out = out};
    size_t len = out->len;
    put(&print, "{\n");
    put_servers(&print, config);
    put_links(&print, config);
    put_places(&print, config);
    put(&print, "  \"log\": {\"level\": \"%s\", \"traffic\": %s},\n", herd_log_level_name(config->log_level),
        config->log_traffic ? "true" : "false");
    if (config->journal) {
        put(&print, "  \"journal\": ");
        put_string(&print, config->journal);
        put(&print, ",\n");
    }
    put_limits(&print, &config->limits);
    put(&print, "}\n");
    if (print.err < 0)
        out->len = len;
    return print.err < 0 ? print.err : 0;
}
