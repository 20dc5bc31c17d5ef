/* SPDX-License-Identifier: MIT */
/* Who posts events of fences, and what fences need. Nothing here opens a file, and no fault shows a URL: a key may be in it. */
#include "config_reader.h"

#include <string.h>

#define TIMEOUT_LEAST_MS    100
#define TIMEOUT_GREATEST_MS 300000
#define TIMEOUT_MS          10000
#define QUEUE_GREATEST      1000000
#define QUEUE               10000

static int take_server(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config)
{
    int err = herd_config_take_text(reader, value, &config->webhook.server);
    if (err >= 0 && herd_config_find(config, herd_span_of(config->webhook.server)) < 0)
        err = herd_config_expected(reader, HERD_E_SYNTAX, value, "the name of a server");
    return err;
}

static int take_secret(struct herd_config_reader *reader, struct json_object *value, char **io_file)
{
    int err = herd_config_take_text(reader, value, io_file);
    if (err >= 0 && reader->places)
        reader->places->webhook_secret = herd_config_place_of(reader, herd_config_at(value));
    return err;
}

static int take_queue(struct herd_config_reader *reader, struct json_object *value, size_t *ret_max)
{
    int64_t number = QUEUE;
    int err = herd_config_take_int(reader, value, 1, QUEUE_GREATEST, &number);
    *ret_max = (size_t)number;
    return err;
}

static int take_webhook(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config *config = ctx;
    struct herd_config_webhook *webhook = &config->webhook;
    if (strcmp(name, "server") == 0)
        return take_server(reader, value, config);
    if (strcmp(name, "url") == 0)
        return herd_config_take_url(reader, value, &webhook->url);
    if (strcmp(name, "secret_file") == 0)
        return take_secret(reader, value, &webhook->secret_file);
    if (strcmp(name, "ca_file") == 0)
        return herd_config_take_text(reader, value, &webhook->ca_file);
    if (strcmp(name, "timeout_ms") == 0)
        return herd_config_take_int(reader, value, TIMEOUT_LEAST_MS, TIMEOUT_GREATEST_MS, &webhook->timeout_ms);
    if (strcmp(name, "queue_max") == 0)
        return take_queue(reader, value, &webhook->queue_max);
    return HERD_CONFIG_UNKNOWN;
}

int herd_config_take_webhook(struct herd_config_reader *reader, struct json_object *value,
                             struct herd_config *config)
{
    struct herd_config_webhook *webhook = &config->webhook;
    herd_config_drop_webhook(config);
    webhook->timeout_ms = TIMEOUT_MS;
    webhook->queue_max = QUEUE;
    int err = herd_config_take_members(reader, value, take_webhook, config,
                                       "server, url, secret_file, ca_file, timeout_ms or queue_max");
    if (err >= 0 && (!webhook->server || !webhook->url))
        err = herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value), "expected a server and a url");
    return err;
}

int herd_config_check_fences(struct herd_config_reader *reader, struct json_object *tree,
                             const struct herd_config *config)
{
    static const char *const names[] = {"fences", "webhook"};
    for (size_t i = 0; i < 2 && !config->area; i++) {
        struct json_object *value;
        if (!json_object_object_get_ex(tree, names[i], &value))
            continue;
        herd_config_enter(reader, herd_span_of(names[i]));
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value), "expected \"area\": true beside it");
    }
    return 0;
}
