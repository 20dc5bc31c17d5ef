/* SPDX-License-Identifier: MIT */
/* A configuration as a thing of its own: the built-in herd, finding in it, freeing it. */
#include "config_reader.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint16_t port;
} standard_servers[] = {
    {"Riley", 12000}, {"Jaquez", 12001}, {"Juzang", 12002}, {"Campbell", 12003}, {"Bernard", 12004}};

enum { RILEY, JAQUEZ, JUZANG, CAMPBELL, BERNARD };

static const struct herd_config_link standard_links[] = {{RILEY, JAQUEZ},     {RILEY, JUZANG},
                                                         {BERNARD, JAQUEZ},   {BERNARD, JUZANG},
                                                         {BERNARD, CAMPBELL}, {JUZANG, CAMPBELL}};

enum {
    SERVER_COUNT = sizeof standard_servers / sizeof *standard_servers,
    LINK_COUNT = sizeof standard_links / sizeof *standard_links,
};

int herd_config_default(struct herd_config **ret_config)
{
    int err = HERD_E_NOMEM;
    struct herd_config *config = calloc(1, sizeof *config);
    if (!config)
        goto out;
    config->servers = calloc(SERVER_COUNT, sizeof *config->servers);
    config->links = calloc(LINK_COUNT, sizeof *config->links);
    config->providers = calloc(1, sizeof *config->providers);
    if (!config->servers || !config->links || !config->providers)
        goto out;
    for (; config->server_count < SERVER_COUNT; config->server_count++) {
        struct herd_config_server *server = &config->servers[config->server_count];
        server->name = herd_config_copy(standard_servers[config->server_count].name);
        server->host = herd_config_copy("127.0.0.1");
        server->port = standard_servers[config->server_count].port;
        if (!server->name || !server->host) {
            config->server_count++;
            goto out;
        }
    }
    memcpy(config->links, standard_links, sizeof standard_links);
    config->link_count = LINK_COUNT;
    config->provider_count = 1;
    err = herd_config_provider_default(&config->providers[0], "embedded");
    if (err < 0)
        goto out;
    config->log_level = HERD_LOG_INFO;
    config->log_traffic = true;
    herd_limits_default(&config->limits);
    herd_config_database_default(&config->database);
    *ret_config = config;
    config = NULL;
out:
    herd_config_free(config);
    return err;
}

int herd_config_provider_default(struct herd_config_provider *provider, const char *kind)
{
    *provider = (struct herd_config_provider){.timeout_ms = 5000, .cache_ms = 600000, .in_flight_max = 8};
    if (strcmp(kind, "overpass") == 0)
        provider->in_flight_max = 1;
    provider->kind = herd_config_copy(kind);
    return provider->kind ? 0 : HERD_E_NOMEM;
}

void herd_config_drop_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void herd_config_drop_servers(struct herd_config *config)
{
    for (size_t i = 0; i < config->server_count; i++) {
        free(config->servers[i].name);
        free(config->servers[i].host);
        herd_config_drop_texts(config->servers[i].listen, config->servers[i].listen_count);
        herd_config_drop_texts(config->servers[i].http_listen, config->servers[i].http_listen_count);
    }
    free(config->servers);
    config->servers = NULL;
    config->server_count = 0;
}

void herd_config_drop_providers(struct herd_config *config)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        struct herd_config_provider *provider = &config->providers[i];
        free(provider->kind);
        free(provider->url);
        free(provider->key_file);
        free(provider->key_env);
        free(provider->ca_file);
        free(provider->file);
        free(provider->fields);
        free(provider->filter);
    }
    free(config->providers);
    config->providers = NULL;
    config->provider_count = 0;
}

void herd_config_drop_shards(struct herd_config *config)
{
    struct herd_config_shards *shards = &config->shards;
    for (size_t i = 0; i < shards->herd_count; i++) {
        struct herd_config_shard *herd = &shards->herds[i];
        for (size_t j = 0; j < herd->server_count; j++)
            free(herd->servers[j].host);
        free(herd->servers);
        free(herd->name);
        free(herd->http);
    }
    free(shards->herds);
    free(shards->self);
    free(shards->key_file);
    *shards = (struct herd_config_shards){0};
}

void herd_config_drop_webhook(struct herd_config *config)
{
    struct herd_config_webhook *webhook = &config->webhook;
    free(webhook->server);
    free(webhook->url);
    free(webhook->secret_file);
    free(webhook->ca_file);
    *webhook = (struct herd_config_webhook){.server = NULL};
}

void herd_config_free(struct herd_config *config)
{
    if (!config)
        return;
    herd_config_drop_servers(config);
    herd_config_drop_providers(config);
    herd_config_drop_shards(config);
    free(config->links);
    herd_config_drop_texts(config->http.hosts, config->http.host_count);
    herd_config_drop_texts(config->http.origins, config->http.origin_count);
    herd_config_drop_texts(config->http.proxies, config->http.proxy_count);
    herd_config_drop_database(&config->database);
    free(config->journal);
    free(config->fences);
    herd_config_drop_webhook(config);
    free(config->herd);
    free(config->secret_file);
    free(config->identities);
    free(config->psk_file);
    free(config->tls.certificate);
    free(config->tls.key);
    free(config->tls.ca);
    free(config->tls.crl);
    free(config);
}

int herd_config_find(const struct herd_config *config, struct herd_span name)
{
    for (size_t i = 0; i < config->server_count; i++) {
        if (herd_span_equal(herd_span_of(config->servers[i].name), name))
            return (int)i;
    }
    return HERD_E_NOTFOUND;
}
