/* SPDX-License-Identifier: MIT */
/* Where places come from: a provider or a chain of them. No fault shows a URL, a key file or a key's
 * variable, because a key put there by mistake must not end up in a log. */
#include "config_reader.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char kinds_text[] = "google-new, google-legacy, file, embedded or overpass";
static const char *const kinds[] = {"google-new", "google-legacy", "file", "embedded", "overpass"};

static bool is_loopback(const char *host, size_t len)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if ((len == 9 && strncasecmp(host, "localhost", len) == 0) || (len == 5 && memcmp(host, "[::1]", len) == 0))
        return true;
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool is_port(const char *text, size_t len)
{
    unsigned long port = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || i >= 5)
            return false;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

/* What is wrong with a URL, or NULL. Strict, so that libcurl cannot read another host into it than we. */
static const char *url_problem(const char *url)
{
    bool is_plain = strncmp(url, "http://", 7) == 0;
    if (!is_plain && strncmp(url, "https://", 8) != 0)
        return "expected https://... (or http:// to a loopback address)";
    const char *host = url + (is_plain ? 7 : 8);
    size_t host_len = strcspn(host, "/");
    if (memchr(host, '@', host_len))
        return "a user or password never belongs in a URL";
    if (strpbrk(url, "?#"))
        return "expected a URL without ? and # (a key never belongs in a URL)";
    for (const char *at = url; *at; at++) {
        if (*at <= 0x20 || *at >= 0x7f || strchr("\\\"<>^`{|}", *at))
            return "expected a URL of printable ASCII, other bytes as %XX";
    }
    if (*host == '[') {
        const char *end = memchr(host, ']', host_len);
        size_t len = end ? (size_t)(end - host) + 1 : 0;
        if (len < 3 || strspn(host + 1, "0123456789abcdefABCDEF:.") != len - 2)
            return "expected a host name or an IP address in the URL";
        if (host_len > len && (host[len] != ':' || !is_port(host + len + 1, host_len - len - 1)))
            return "expected a port from 1 to 65535 in the URL";
        host_len = len;
    } else {
        size_t len = 0;
        while (len < host_len && host[len] != ':') {
            const char one[] = {host[len++], '\0'};
            if (!herd_config_made_of(one, ".-_"))
                return "expected a host name or an IP address in the URL";
        }
        if (len == 0)
            return "expected a host name or an IP address in the URL";
        if (host_len > len && !is_port(host + len + 1, host_len - len - 1))
            return "expected a port from 1 to 65535 in the URL";
        host_len = len;
    }
    if (is_plain && !is_loopback(host, host_len))
        return "expected https://, found http:// to a host that is not a loopback address";
    return NULL;
}

int herd_config_take_url(struct herd_config_reader *reader, struct json_object *value, char **io_url)
{
    int err = herd_config_take_text(reader, value, io_url);
    const char *problem = err < 0 ? NULL : url_problem(*io_url);
    return problem ? herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value), "%s", problem) : err;
}

static int take_key_env(struct herd_config_reader *reader, struct json_object *value, char **io_name)
{
    int err = herd_config_take_text(reader, value, io_name);
    if (err >= 0 && (!herd_config_made_of(*io_name, "_") || **io_name <= '9')) /* letters and _ are above */
        err = herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value),
                               "expected the name of an environment variable (letters, digits, _)");
    return err;
}

/* A field mask goes into a header of the request. */
static int take_fields(struct herd_config_reader *reader, struct json_object *value, char **io_fields)
{
    int err = herd_config_take_text(reader, value, io_fields);
    if (err >= 0 && !herd_config_made_of(*io_fields, "._,*-"))
        err = herd_config_expected(reader, HERD_E_SYNTAX, value, "pro, enterprise or a field mask");
    return err;
}

static int take_kind(struct herd_config_reader *reader, struct json_object *value, char **io_kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (json_object_is_type(value, json_type_string) && strcmp(json_object_get_string(value), kinds[i]) == 0)
            return herd_config_take_text(reader, value, io_kind);
    }
    return herd_config_expected(reader, HERD_E_SYNTAX, value, kinds_text);
}

static int take_in_flight(struct herd_config_reader *reader, struct json_object *value, size_t *io_max)
{
    int64_t number = (int64_t)*io_max;
    int err = herd_config_take_int(reader, value, 1, 1024, &number);
    *io_max = (size_t)number;
    return err;
}

static int take_member(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_config_provider *provider = ctx;
    if (strcmp(name, "provider") == 0)
        return take_kind(reader, value, &provider->kind);
    if (strcmp(name, "url") == 0)
        return herd_config_take_url(reader, value, &provider->url);
    if (strcmp(name, "key_file") == 0)
        return herd_config_take_text(reader, value, &provider->key_file);
    if (strcmp(name, "key_env") == 0)
        return take_key_env(reader, value, &provider->key_env);
    if (strcmp(name, "ca_file") == 0)
        return herd_config_take_text(reader, value, &provider->ca_file);
    if (strcmp(name, "file") == 0)
        return herd_config_take_text(reader, value, &provider->file);
    if (strcmp(name, "fields") == 0)
        return take_fields(reader, value, &provider->fields);
    if (strcmp(name, "filter") == 0)
        return herd_config_take_text(reader, value, &provider->filter);
    if (strcmp(name, "timeout_ms") == 0)
        return herd_config_take_int(reader, value, 1, 600000, &provider->timeout_ms);
    if (strcmp(name, "cache_ms") == 0)
        return herd_config_take_int(reader, value, 0, INT64_C(2592000000), &provider->cache_ms);
    if (strcmp(name, "in_flight_max") == 0)
        return take_in_flight(reader, value, &provider->in_flight_max);
    if (strcmp(name, "key") == 0)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_name_at(reader, value),
                                "a key never belongs in this file; expected key_file or key_env");
    return HERD_CONFIG_UNKNOWN;
}

/* The kind a provider has, given or plain from what else is given. */
static const char *kind_of(struct json_object *value)
{
    struct json_object *kind = NULL;
    if (json_object_object_get_ex(value, "provider", &kind))
        return json_object_is_type(kind, json_type_string) ? json_object_get_string(kind) : "";
    if (json_object_object_get_ex(value, "key_file", NULL) || json_object_object_get_ex(value, "key_env", NULL))
        return "google-new";
    return json_object_object_get_ex(value, "file", NULL) ? "file" : "embedded";
}

static int take_provider(struct herd_config_reader *reader, struct json_object *value,
                         struct herd_config_provider *provider)
{
    if (!json_object_is_type(value, json_type_object))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "an object");
    int err = herd_config_provider_default(provider, kind_of(value));
    if (err < 0)
        return err;
    err = herd_config_take_members(reader, value, take_member, provider,
                                   "provider, url, key_file, key_env, ca_file, file, fields, filter, timeout_ms, "
                                   "cache_ms or in_flight_max");
    if (err < 0)
        return err; /* what is missing may be what was wrong */
    if (provider->key_file && provider->key_env)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value),
                                "expected one of key_file and key_env, found both");
    if (strncmp(provider->kind, "google-", 7) == 0 && !provider->key_file && !provider->key_env && !provider->url)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value),
                                "expected key_file or key_env for %s, found neither", provider->kind);
    if (strcmp(provider->kind, "file") == 0 && !provider->file)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value), "expected file, found none");
    return 0;
}

int herd_config_take_places(struct herd_config_reader *reader, struct json_object *value,
                            struct herd_config *config)
{
    bool is_chain = json_object_is_type(value, json_type_array);
    size_t count = is_chain ? json_object_array_length(value) : 1;
    const size_t depth = reader->depth;
    int first = 0;
    if (!is_chain && !json_object_is_type(value, json_type_object))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a provider or a list of providers");
    if (count == 0)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value),
                                "expected at least one provider, found none");
    herd_config_drop_providers(config);
    config->providers = calloc(count, sizeof *config->providers);
    if (!config->providers)
        return HERD_E_NOMEM;
    if (reader->places && !(reader->places->providers = calloc(count, sizeof *reader->places->providers)))
        return HERD_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct json_object *member = is_chain ? json_object_array_get_idx(value, i) : value;
        if (is_chain)
            herd_config_enter_index(reader, i);
        config->provider_count++;
        int err = take_provider(reader, member, &config->providers[i]);
        if (err >= 0 && reader->places)
            reader->places->providers[i] = herd_config_place_of(reader, herd_config_at(member));
        if (err < 0 && !config->providers[i].kind) {
            /* No object at all: what comes after needs a kind. */
            int more = herd_config_provider_default(&config->providers[i], "embedded");
            err = more < 0 ? more : err;
        }
        if (!herd_config_goes_on(reader, depth, &first, err))
            break;
    }
    return first;
}
