/* SPDX-License-Identifier: MIT */
/* Several herds, each with the clients of some buckets: their names, and where their servers are. */
#include "config_reader.h"

#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

/* Digits, from 1 to 65535; 0: anything else. */
static uint16_t read_port(const char *text)
{
    unsigned port = 0;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || len > 5)
            return 0;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= PORT_MAX ? (uint16_t)port : 0;
}

/* Cuts "host:port" or "[address]:port", in place. *ret_host begins in `text`. */
static bool cut_address(char *text, char **ret_host, uint16_t *ret_port)
{
    char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    *ret_port = read_port(colon + 1);
    *ret_host = text;
    bool brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    if (brackets) {
        colon[-1] = '\0';
        (*ret_host)++;
    }
    return *ret_port && **ret_host && brackets == (strchr(*ret_host, ':') != NULL) &&
           herd_config_made_of(*ret_host, ".-_:%") && strlen(*ret_host) <= HERD_CONFIG_HOST_MAX_BYTES;
}

static int take_address(struct herd_config_reader *reader, struct json_object *value,
                        struct herd_config_address *ret_address)
{
    char *text = NULL, *host = NULL;
    int err = herd_config_take_text(reader, value, &text);
    if (err >= 0 && !cut_address(text, &host, &ret_address->port))
        err = herd_config_expected(reader, HERD_E_SYNTAX, value,
                                   "\"host:port\", an IPv6 address in brackets: \"[::1]:12000\"");
    if (err >= 0) {
        ret_address->host = herd_config_copy(host);
        err = ret_address->host ? 0 : HERD_E_NOMEM;
    }
    free(text);
    return err;
}

static int take_servers(struct herd_config_reader *reader, struct json_object *value,
                        struct herd_config_shard *herd)
{
    if (!json_object_is_type(value, json_type_array))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a list of \"host:port\"");
    size_t count = json_object_array_length(value);
    if (count == 0 || count > HERD_CONFIG_LIST_MAX)
        return herd_config_fail(reader, HERD_E_RANGE, herd_config_at(value), "expected 1 to %d servers, found %zu",
                                HERD_CONFIG_LIST_MAX, count);
    herd->servers = calloc(count, sizeof *herd->servers);
    if (!herd->servers)
        return HERD_E_NOMEM;
    const size_t depth = reader->depth;
    int first = 0;
    for (size_t i = 0; i < count; i++) {
        herd_config_enter_index(reader, i);
        int err = take_address(reader, json_object_array_get_idx(value, i), &herd->servers[herd->server_count]);
        herd->server_count += err >= 0;
        if (!herd_config_goes_on(reader, depth, &first, err))
            break;
    }
    return first;
}

static int take_one(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config_shard *herd = ctx;
    if (strcmp(name, "servers") == 0)
        return take_servers(reader, value, herd);
    if (strcmp(name, "http") != 0)
        return HERD_CONFIG_UNKNOWN;
    int err = herd_config_take_text(reader, value, &herd->http);
    if (err >= 0 && !herd_config_is_origin(herd->http))
        err = herd_config_expected(reader, HERD_E_SYNTAX, value,
                                   "where its HTTP is, such as \"https://south.example:8443\"");
    return err;
}

static int take_herd(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config_shards *shards = ctx;
    struct herd_config_shard *herd = &shards->herds[shards->herd_count++];
    herd->name = herd_config_copy(name);
    if (!herd->name)
        return HERD_E_NOMEM;
    if (!*name || strlen(name) > HERD_CONFIG_NAME_MAX_BYTES || !herd_config_made_of(name, "._-"))
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_name_at(reader, value),
                                "the name of a herd: expected 1 to 64 bytes of A-Z a-z 0-9 . _ -");
    return herd_config_take_members(reader, value, take_one, herd, "servers or http");
}

static int take_herds(struct herd_config_reader *reader, struct json_object *value,
                      struct herd_config_shards *shards)
{
    if (!json_object_is_type(value, json_type_object))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "an object");
    size_t count = (size_t)json_object_object_length(value);
    if (count == 0 || count > HERD_CONFIG_SHARDS_MAX)
        return herd_config_fail(reader, HERD_E_RANGE, herd_config_at(value), "expected 1 to %d herds, found %zu",
                                HERD_CONFIG_SHARDS_MAX, count);
    shards->herds = calloc(count, sizeof *shards->herds);
    if (!shards->herds)
        return HERD_E_NOMEM;
    return herd_config_take_members(reader, value, take_herd, shards, "");
}

/* What belongs together: `self` is one of the herds, and where the others are is known. */
static int check(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config)
{
    struct herd_config_shards *shards = &config->shards;
    char shown[HERD_CONFIG_SHOWN_SIZE];
    bool found = false;
    size_t at = herd_config_at(value);
    if (shards->herd_count == 0)
        return herd_config_fail(reader, HERD_E_SYNTAX, at, "expected \"herds\"");
    if (!shards->self && !config->herd)
        return herd_config_fail(reader, HERD_E_SYNTAX, at,
                                "expected \"self\", or \"herd\" beside \"shards\": which of the herds this is");
    if (!shards->self && !(shards->self = herd_config_copy(config->herd)))
        return HERD_E_NOMEM;
    for (size_t i = 0; i < shards->herd_count; i++)
        found |= strcmp(shards->herds[i].name, shards->self) == 0;
    for (size_t i = 0; i < shards->herd_count && found; i++) {
        const struct herd_config_shard *herd = &shards->herds[i];
        if (herd->server_count == 0 && strcmp(herd->name, shards->self) != 0)
            return herd_config_fail(reader, HERD_E_SYNTAX, at, "expected \"servers\" of herd %s",
                                    herd_config_show(shown, herd_span_of(herd->name)));
    }
    if (!found)
        return herd_config_fail(reader, HERD_E_SYNTAX, at, "none of the herds is %s, this one",
                                herd_config_show(shown, herd_span_of(shards->self)));
    return 0;
}

static int take_member(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config_shards *shards = ctx;
    if (strcmp(name, "herds") == 0)
        return take_herds(reader, value, shards);
    if (strcmp(name, "self") == 0)
        return herd_config_take_text(reader, value, &shards->self);
    if (strcmp(name, "key_file") != 0)
        return HERD_CONFIG_UNKNOWN;
    int err = herd_config_take_text(reader, value, &shards->key_file);
    if (err >= 0 && reader->places)
        reader->places->trust[HERD_CONFIG_SHARDS_KEY] = herd_config_place_of(reader, herd_config_at(value));
    return err;
}

int herd_config_take_shards(struct herd_config_reader *reader, struct json_object *value,
                            struct herd_config *config)
{
    int err = herd_config_take_members(reader, value, take_member, &config->shards, "herds, self or key_file");
    return err < 0 ? err : check(reader, value, config);
}
