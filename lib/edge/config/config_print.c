/* SPDX-License-Identifier: MIT */
/* Prints a configuration as the JSON that it can be read from again. */
#include "config_reader.h"

#include <assert.h>
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
    assert(len >= 0 && (size_t)len < sizeof piece);
    print->err = herd_buf_add(print->out, piece, (size_t)len);
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

static void put_list(struct print *print, char *const *texts, size_t count)
{
    put(print, "[");
    for (size_t i = 0; i < count; i++) {
        put(print, i ? ", " : "");
        put_string(print, texts[i]);
    }
    put(print, "]");
}

static void put_listen(struct print *print, const char *name, char *const *hosts, size_t count)
{
    if (count == 1) {
        put_member(print, name, hosts[0]);
    } else if (count > 1) {
        put(print, ", \"%s\": ", name);
        put_list(print, hosts, count);
    }
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
        put_listen(print, "listen", server->listen, server->listen_count);
        if (server->http_port)
            put(print, ", \"http_port\": %u", (unsigned)server->http_port);
        put_listen(print, "http_listen", server->http_listen, server->http_listen_count);
        if (server->admin_port)
            put(print, ", \"admin_port\": %u", (unsigned)server->admin_port);
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

static void put_text(struct print *print, const char *name, const char *text)
{
    if (!text)
        return;
    put(print, "  \"%s\": ", name);
    put_string(print, text);
    put(print, ",\n");
}

/* Paths are named, what is in the files never shown. */
static void put_trust(struct print *print, const struct herd_config *config)
{
    static const char *const modes[] = {"off", "allow", "require"};
    const struct herd_config_tls *tls = &config->tls;
    put_text(print, "herd", config->herd);
    put_text(print, "secret_file", config->secret_file);
    put_text(print, "identities", config->identities);
    put_text(print, "psk_file", config->psk_file);
    if (tls->mode == HERD_TLS_OFF && !tls->certificate && !tls->ca)
        return;
    put(print, "  \"tls\": {\"mode\": \"%s\"", modes[tls->mode]);
    put_member(print, "certificate", tls->certificate);
    put_member(print, "key", tls->key);
    put_member(print, "ca", tls->ca);
    put_member(print, "crl", tls->crl);
    put(print, ", \"min_version\": \"%s\"},\n", tls->tls_1_2 ? "1.2" : "1.3");
}

static void put_http(struct print *print, const struct herd_config_http *http)
{
    if (!http->host_count && !http->origin_count && !http->proxy_count && !http->open)
        return;
    put(print, "  \"http\": {\"hosts\": ");
    put_list(print, http->hosts, http->host_count);
    put(print, ", \"origins\": ");
    put_list(print, http->origins, http->origin_count);
    put(print, ", \"proxies\": ");
    put_list(print, http->proxies, http->proxy_count);
    put(print, ", \"open\": %s},\n", http->open ? "true" : "false");
}

/* IPv6 addresses in brackets. */
static void put_address(struct print *print, const struct herd_config_address *address)
{
    const char *bracket = strchr(address->host, ':') ? "[" : "";
    put(print, "\"%s", bracket);
    if (print->err >= 0)
        print->err = herd_buf_add_text(print->out, address->host); /* of no byte that JSON escapes */
    put(print, "%s:%u\"", *bracket ? "]" : "", (unsigned)address->port);
}

static void put_shards(struct print *print, const struct herd_config_shards *shards)
{
    if (shards->herd_count == 0)
        return;
    put(print, "  \"shards\": {\"herds\": {");
    for (size_t i = 0; i < shards->herd_count; i++) {
        const struct herd_config_shard *herd = &shards->herds[i];
        const char *between = "";
        put(print, "%s\n    ", i ? "," : "");
        put_string(print, herd->name);
        put(print, ": {");
        for (size_t j = 0; j < herd->server_count; j++) {
            put(print, j ? ", " : "\"servers\": [");
            put_address(print, &herd->servers[j]);
            between = "], ";
        }
        if (herd->http) {
            put(print, "%s\"http\": ", between);
            put_string(print, herd->http);
        } else if (*between) {
            put(print, "]");
        }
        put(print, "}");
    }
    put(print, "\n  }");
    put_member(print, "self", shards->self);
    put_member(print, "key_file", shards->key_file);
    put(print, "},\n");
}

static void put_webhook(struct print *print, const struct herd_config_webhook *webhook)
{
    if (!webhook->server)
        return;
    put(print, "  \"webhook\": {\"server\": ");
    put_string(print, webhook->server);
    put_member(print, "url", webhook->url);
    put_member(print, "secret_file", webhook->secret_file);
    put_member(print, "ca_file", webhook->ca_file);
    put(print, ", \"timeout_ms\": %" PRId64 ", \"queue_max\": %zu},\n", webhook->timeout_ms, webhook->queue_max);
}

static void put_database(struct print *print, const struct herd_config_database *database)
{
    if (!database->kind)
        return;
    put(print, "  \"database\": {\"kind\": ");
    put_string(print, database->kind);
    put_member(print, "dsn_file", database->dsn_file);
    put_member(print, "library", database->library);
    put(print,
        ", \"flush_ms\": %" PRId64 ", \"batch\": %" PRId64 ", \"history\": \"%s\", \"retention_days\": %" PRId64,
        database->flush_ms, database->batch, database->history ? "samples" : "none", database->retention_days);
    put(print, ", \"adopt_ms\": %" PRId64 ", \"read_through\": %s, \"warm_start\": %s, \"geo\": %s},\n",
        database->adopt_ms, database->read_through ? "true" : "false", database->warm_start ? "true" : "false",
        database->geo ? "true" : "false");
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
    put_trust(&print, config);
    put_http(&print, &config->http);
    put_shards(&print, &config->shards);
    put_text(&print, "journal", config->journal);
    if (config->area)
        put(&print, "  \"area\": true,\n");
    put_text(&print, "fences", config->fences);
    put_webhook(&print, &config->webhook);
    put_database(&print, &config->database);
    put_limits(&print, &config->limits);
    put(&print, "}\n");
    if (print.err < 0)
        out->len = len;
    return print.err < 0 ? print.err : 0;
}
