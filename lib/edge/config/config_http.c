/* SPDX-License-Identifier: MIT */
/* HTTP: on which hosts, for whom, through what; and what must not happen by accident. */
#include "../net/network.h"
#include "../net/sockaddr.h"
#include "config_reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- lists ---- */

/* What one text of a list has to be, and how a fault calls it. */
struct kind {
    bool (*is)(const char *text);
    const char *expected;
};

/* A list of texts, owned by *io_list from the first of them on. */
static int take_texts(struct herd_config_reader *reader, struct json_object *value, const struct kind *kind,
                      char ***io_list, size_t *io_count)
{
    bool list = json_object_is_type(value, json_type_array);
    size_t count = list ? json_object_array_length(value) : 1;
    herd_config_drop_texts(*io_list, *io_count);
    *io_count = 0;
    *io_list = calloc(count + 1, sizeof **io_list);
    if (!*io_list)
        return HERD_E_NOMEM;
    *io_count = count;
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = list ? json_object_array_get_idx(value, i) : value;
        if (list)
            herd_config_enter_index(reader, i);
        int err = herd_config_take_text(reader, one, &(*io_list)[i]);
        if (err >= 0 && !kind->is((*io_list)[i]))
            err = herd_config_expected(reader, HERD_E_SYNTAX, one, kind->expected);
        if (err < 0) {
            *io_count = i + ((*io_list)[i] != NULL);
            return err;
        }
        if (list)
            herd_config_leave(reader);
    }
    return 0;
}

static bool is_host(const char *text)
{
    return herd_config_made_of(text, ".-_:%") && strlen(text) <= HERD_CONFIG_HOST_MAX_BYTES;
}

static bool is_listen_host(const char *text)
{
    return strcmp(text, "*") == 0 || is_host(text);
}

int herd_config_take_listen(struct herd_config_reader *reader, struct json_object *value, char ***ret_hosts,
                            size_t *ret_count)
{
    static const struct kind kind = {is_listen_host, "a host name, an IP address or \"*\""};
    bool list = json_object_is_type(value, json_type_array);
    size_t count = list ? json_object_array_length(value) : 1;
    if (!list && !json_object_is_type(value, json_type_string))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a host or a list of hosts");
    if (count == 0 || count > HERD_CONFIG_LISTEN_MAX)
        return herd_config_fail(reader, HERD_E_RANGE, herd_config_at(value), "expected 1 to %d hosts, found %zu",
                                HERD_CONFIG_LISTEN_MAX, count);
    return take_texts(reader, value, &kind, ret_hosts, ret_count);
}

/* A name, an IPv4 address, or an IPv6 one without brackets: what stands in front of a port in Host. */
static bool is_name(const char *text)
{
    const char *colon = strchr(text, ':');
    return is_host(text) && !strchr(text, '%') && (!colon || strchr(colon + 1, ':'));
}

/* As a browser writes it (RFC 6454, section 6.2): in small letters, nothing behind the host and its port. */
bool herd_config_is_origin(const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : "";
    if (!*host || strlen(host) > HERD_CONFIG_HOST_MAX_BYTES || !herd_config_made_of(host, ".-_:[]"))
        return false;
    for (; *host; host++)
        if (*host >= 'A' && *host <= 'Z')
            return false;
    return true;
}

static bool is_network(const char *text)
{
    struct herd_network network;
    return herd_network_parse(text, &network);
}

static int take_list(struct herd_config_reader *reader, struct json_object *value, const struct kind *kind,
                     char ***io_list, size_t *io_count)
{
    if (!json_object_is_type(value, json_type_array))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a list");
    if (json_object_array_length(value) > HERD_CONFIG_LIST_MAX)
        return herd_config_fail(reader, HERD_E_RANGE, herd_config_at(value), "expected at most %d, found %zu",
                                HERD_CONFIG_LIST_MAX, json_object_array_length(value));
    return take_texts(reader, value, kind, io_list, io_count);
}

static int take_member(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    static const struct kind hosts = {is_name, "a host name or an IP address, without a port"};
    static const struct kind origins = {herd_config_is_origin, "an origin such as \"https://map.example\""};
    static const struct kind proxies = {is_network, "an IP address or a network such as \"10.0.0.0/8\""};
    struct herd_config_http *http = ctx;
    if (strcmp(name, "hosts") == 0)
        return take_list(reader, value, &hosts, &http->hosts, &http->host_count);
    if (strcmp(name, "origins") == 0)
        return take_list(reader, value, &origins, &http->origins, &http->origin_count);
    if (strcmp(name, "proxies") == 0)
        return take_list(reader, value, &proxies, &http->proxies, &http->proxy_count);
    if (strcmp(name, "open") == 0)
        return herd_config_take_bool(reader, value, &http->open);
    return HERD_CONFIG_UNKNOWN;
}

int herd_config_take_http(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config)
{
    return herd_config_take_members(reader, value, take_member, &config->http, "hosts, origins, proxies or open");
}

/* ---- what belongs together ---- */

static bool is_loopback(const char *host)
{
    struct herd_sockaddr_list list;
    if (strcmp(host, "*") == 0)
        return false;
    if (herd_sockaddr_list_numeric(&list, host, 0))
        return herd_sockaddr_is_loopback(&list.at[0].u.any);
    return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "ip6-localhost") == 0;
}

const char *herd_config_http_reachable(const struct herd_config_server *server)
{
    if (!server->http_port || !server->host || server->plain)
        return NULL;
    char *const *hosts = server->http_listen_count ? server->http_listen : server->listen;
    size_t count = server->http_listen_count ? server->http_listen_count : server->listen_count;
    if (count == 0)
        return is_loopback(server->host) ? NULL : server->host;
    for (size_t i = 0; i < count; i++)
        if (!is_loopback(hosts[i]))
            return hosts[i];
    return NULL;
}

/* Where a port of a server stands; 0: the servers are the built-in ones. */
static size_t port_at(struct json_object *servers, const char *name, const char *member)
{
    struct json_object *server = NULL, *port = NULL;
    bool found = servers && json_object_object_get_ex(servers, name, &server) &&
                 json_object_object_get_ex(server, member, &port);
    return found ? herd_config_at(port) : 0;
}

/* A port of a host. */
struct mark {
    const char *host;
    const struct herd_config_server *server;
    unsigned port;
    const char *member; /* which port of the server it is */
};

/* What is read first is in front. */
static int by_member(const struct mark *a, const struct mark *b)
{
    static const char *const members[] = {"port", "http_port", "admin_port"};
    int places[2] = {0, 0};
    for (int i = 0; i < 3; i++) {
        places[0] = strcmp(a->member, members[i]) == 0 ? i : places[0];
        places[1] = strcmp(b->member, members[i]) == 0 ? i : places[1];
    }
    return places[0] - places[1];
}

static int by_address(const void *a, const void *b)
{
    const struct mark *left = a, *right = b;
    int order = strcasecmp(left->host, right->host);
    if (order == 0 && left->port != right->port)
        order = left->port < right->port ? -1 : 1;
    return order ? order : by_member(left, right);
}

/* Ports of lines that are equal were found when the servers were read. */
static int check_ports(struct herd_config_reader *reader, struct json_object *servers,
                       const struct herd_config *config)
{
    size_t count = 0, depth = reader->depth;
    int err = 0, first = 0;
    struct mark *marks = calloc(3 * config->server_count + 1, sizeof *marks);
    if (!marks)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < config->server_count; i++) {
        const struct herd_config_server *server = &config->servers[i];
        if (server->host && server->port)
            marks[count++] = (struct mark){server->host, server, server->port, "port"};
        if (server->host && server->http_port)
            marks[count++] = (struct mark){server->host, server, server->http_port, "http_port"};
        if (server->host &&
            server->admin_port) /* on loopback of the machine that the host is, as far as is known */
            marks[count++] = (struct mark){server->host, server, server->admin_port, "admin_port"};
    }
    qsort(marks, count, sizeof *marks, by_address);
    for (size_t i = 1; i < count; i++) {
        const struct mark *a = &marks[i - 1], *b = &marks[i];
        char shown[HERD_CONFIG_SHOWN_SIZE];
        if (strcmp(b->member, "port") == 0 || a->port != b->port || strcasecmp(a->host, b->host) != 0)
            continue;
        herd_config_enter(reader, herd_span_of(b->server->name));
        herd_config_enter(reader, herd_span_of(b->member));
        err = herd_config_fail(reader, HERD_E_SYNTAX, port_at(servers, b->server->name, b->member),
                               "same host and port as %s of %s: %s:%u", a->member, a->server->name,
                               herd_config_show(shown, herd_span_of(b->host)), b->port);
        if (!herd_config_goes_on(reader, depth, &first, err))
            break;
    }
    free(marks);
    return first;
}

int herd_config_check_http(struct herd_config_reader *reader, struct json_object *servers,
                           const struct herd_config *config)
{
    const size_t depth = reader->depth;
    int first = check_ports(reader, servers, config);
    if (first == HERD_E_NOMEM || (first < 0 && !reader->report))
        return first;
    for (size_t i = 0; i < config->server_count && !config->identities && !config->http.open; i++) {
        const struct herd_config_server *server = &config->servers[i];
        char shown[HERD_CONFIG_SHOWN_SIZE];
        const char *host = herd_config_http_reachable(server);
        if (!host)
            continue;
        herd_config_enter(reader, herd_span_of(server->name));
        herd_config_enter(reader, herd_span_of("http_port"));
        int err =
            herd_config_fail(reader, HERD_E_SYNTAX, port_at(servers, server->name, "http_port"),
                             "everybody who reaches %s could report and ask: expected \"identities\", a loopback "
                             "address in http_listen, or \"http\": {\"open\": true}",
                             herd_config_show(shown, herd_span_of(host)));
        if (!herd_config_goes_on(reader, depth, &first, err))
            break;
    }
    return first;
}
