/* SPDX-License-Identifier: MIT */
/* The servers of a herd and the links between them. What must not occur twice is sorted and compared with
 * its neighbour, so that a herd of any size is checked quickly. */
#include "config_reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A key that must be unique among servers or links, and the index of its owner. */
struct mark {
    const char *text;
    uint64_t number;
    size_t index;
    size_t offset;
};

static int compare_rest(const struct mark *a, const struct mark *b)
{
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static int by_name(const void *a, const void *b)
{
    const struct mark *left = a, *right = b;
    return strcmp(left->text, right->text);
}

/* Host names do not mind case. */
static int by_address(const void *a, const void *b)
{
    const struct mark *left = a, *right = b;
    int order = strcasecmp(left->text, right->text);
    return order ? order : compare_rest(left, right);
}

static int by_number(const void *a, const void *b)
{
    return compare_rest(a, b);
}

static bool is_host(const char *host)
{
    return herd_config_made_of(host, ".-_:%") && strlen(host) <= HERD_CONFIG_HOST_MAX_BYTES;
}

/* A server, and where members stand that need others. */
struct taken_server {
    struct herd_config_server *server;
    struct json_object *port, *sender, *listen;
};

static int take_port(struct herd_config_reader *reader, struct json_object *value, uint16_t *ret_port)
{
    int64_t number = 0;
    int err = herd_config_take_int(reader, value, 1, 65535, &number);
    *ret_port = (uint16_t)number;
    return err;
}

static int take_host(struct herd_config_reader *reader, struct json_object *value, char **io_host)
{
    int err = herd_config_take_text(reader, value, io_host);
    if (err >= 0 && !is_host(*io_host))
        err = herd_config_expected(reader, HERD_E_SYNTAX, value, "a host name or an IP address");
    return err;
}

static int take_member(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct taken_server *taken = ctx;
    struct herd_config_server *server = taken->server;
    if (strcmp(name, "host") == 0)
        return take_host(reader, value, &server->host);
    if (strcmp(name, "port") == 0) {
        taken->port = value;
        return take_port(reader, value, &server->port);
    }
    if (strcmp(name, "listen") == 0)
        return herd_config_take_listen(reader, value, &server->listen, &server->listen_count);
    if (strcmp(name, "http_port") == 0)
        return take_port(reader, value, &server->http_port);
    if (strcmp(name, "http_listen") == 0) {
        taken->listen = value;
        return herd_config_take_listen(reader, value, &server->http_listen, &server->http_listen_count);
    }
    if (strcmp(name, "admin_port") == 0)
        return take_port(reader, value, &server->admin_port);
    if (strcmp(name, "plain") == 0)
        return herd_config_take_bool(reader, value, &server->plain);
    if (strcmp(name, "plain_sender") == 0) {
        taken->sender = value;
        return herd_config_take_bool(reader, value, &server->plain_sender);
    }
    return HERD_CONFIG_UNKNOWN;
}

static int take_server(struct herd_config_reader *reader, struct json_object *value,
                       struct herd_config_server *server, size_t *ret_port_offset)
{
    struct taken_server taken = {.server = server};
    int err =
        herd_config_take_members(reader, value, take_member, &taken,
                                 "host, port, listen, http_port, http_listen, admin_port, plain or plain_sender");
    if (!server->host && !(server->host = herd_config_copy("127.0.0.1")))
        return HERD_E_NOMEM;
    if (err < 0)
        return err;
    if (!taken.port)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value), "expected a port, found none");
    if (server->plain_sender && !server->plain)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(taken.sender),
                                "plain_sender is for a server that is plain");
    if (server->http_listen_count && !server->http_port)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(taken.listen),
                                "http_listen without an http_port");
    *ret_port_offset = herd_config_at(taken.port);
    return 0;
}

static int check_name(struct herd_config_reader *reader, const char *name, struct json_object *value)
{
    size_t len = strlen(name);
    if (len >= 1 && len <= HERD_CONFIG_NAME_MAX_BYTES && herd_config_made_of(name, "._-"))
        return 0;
    char shown[HERD_CONFIG_SHOWN_SIZE];
    return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_name_at(reader, value),
                            "expected a server name of 1 to %d bytes of A-Z a-z 0-9 . _ -, found \"%s\"",
                            HERD_CONFIG_NAME_MAX_BYTES, herd_config_show(shown, herd_span_of(name)));
}

int herd_config_take_servers(struct herd_config_reader *reader, struct json_object *value,
                             struct herd_config *config)
{
    if (!json_object_is_type(value, json_type_object))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "an object");
    size_t count = (size_t)json_object_object_length(value);
    if (count == 0)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value),
                                "expected at least one server, found none");
    herd_config_drop_servers(config);
    const size_t depth = reader->depth;
    size_t good = 0;
    int err = HERD_E_NOMEM, first = 0;
    struct mark *marks = calloc(count, sizeof *marks);
    config->servers = calloc(count, sizeof *config->servers);
    if (!marks || !config->servers)
        goto out;
    if (reader->places && !(reader->places->servers = calloc(count, sizeof *reader->places->servers)))
        goto out;
    json_object_object_foreach(value, name, member)
    {
        struct herd_config_server *server = &config->servers[config->server_count];
        size_t offset = 0, index = config->server_count++;
        herd_config_enter(reader, herd_span_of(name));
        server->name = herd_config_copy(name);
        err = server->name ? check_name(reader, name, member) : HERD_E_NOMEM;
        if (err >= 0 || (reader->report && err != HERD_E_NOMEM)) {
            int more = take_server(reader, member, server, &offset);
            err = err < 0 && more != HERD_E_NOMEM ? err : more;
        }
        if (!herd_config_goes_on(reader, depth, &first, err))
            goto out;
        if (err < 0)
            continue;
        marks[good++] = (struct mark){server->host, server->port, index, offset};
        if (reader->places)
            reader->places->servers[index] = herd_config_place_of(reader, herd_config_at(member));
    }
    err = 0;
    qsort(marks, good, sizeof *marks, by_address);
    for (size_t i = 1; i < good; i++) {
        const struct mark *a = &marks[i - 1], *b = &marks[i];
        char shown[HERD_CONFIG_SHOWN_SIZE];
        if (a->number != b->number || strcasecmp(a->text, b->text) != 0)
            continue;
        herd_config_enter(reader, herd_span_of(config->servers[b->index].name));
        err = herd_config_fail(reader, HERD_E_SYNTAX, b->offset, "same host and port as %s: %s:%u",
                               config->servers[a->index].name, herd_config_show(shown, herd_span_of(b->text)),
                               (unsigned)b->number);
        if (!herd_config_goes_on(reader, depth, &first, err))
            goto out;
    }
    err = first;
out:
    free(marks);
    return err;
}

/* One end of a link: the index of the server it names. */
static int take_end(struct herd_config_reader *reader, struct json_object *link, size_t end,
                    const struct mark *names, size_t count, size_t *ret_index)
{
    struct json_object *value = json_object_array_get_idx(link, end);
    struct mark wanted = {0};
    const struct mark *found = NULL;
    herd_config_enter_index(reader, end);
    if (json_object_is_type(value, json_type_string)) {
        wanted.text = json_object_get_string(value);
        found = bsearch(&wanted, names, count, sizeof *names, by_name);
    }
    if (!found)
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "the name of a server");
    herd_config_leave(reader);
    *ret_index = found->index;
    return 0;
}

static int take_link(struct herd_config_reader *reader, struct json_object *value, const struct mark *names,
                     size_t name_count, struct herd_config_link *link)
{
    if (!json_object_is_type(value, json_type_array))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a pair of server names");
    if (json_object_array_length(value) != 2)
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value),
                                "expected a pair of server names, found a list of %zu",
                                json_object_array_length(value));
    int err = take_end(reader, value, 0, names, name_count, &link->a);
    const size_t depth = reader->depth - (err < 0);
    int first = 0;
    if (herd_config_goes_on(reader, depth, &first, err))
        err = take_end(reader, value, 1, names, name_count, &link->b);
    if (first < 0)
        return first;
    if (err >= 0 && link->a == link->b)
        err = herd_config_expected(reader, HERD_E_SYNTAX, json_object_array_get_idx(value, 1),
                                   "the name of another server");
    return err;
}

int herd_config_take_links(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config)
{
    if (!json_object_is_type(value, json_type_array))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a list of pairs of server names");
    size_t count = json_object_array_length(value), name_count = config->server_count, good = 0;
    const size_t depth = reader->depth;
    int err = HERD_E_NOMEM, first = 0;
    free(config->links);
    config->link_count = 0;
    config->links = calloc(count + 1, sizeof *config->links);
    struct mark *marks = calloc(count + 1, sizeof *marks);
    struct mark *names = calloc(name_count + 1, sizeof *names);
    if (!config->links || !marks || !names)
        goto out;
    for (size_t i = 0; i < name_count; i++)
        names[i] = (struct mark){.text = config->servers[i].name, .index = i};
    qsort(names, name_count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        struct json_object *member = json_object_array_get_idx(value, i);
        struct herd_config_link *link = &config->links[good];
        herd_config_enter_index(reader, i);
        err = take_link(reader, member, names, name_count, link);
        if (!herd_config_goes_on(reader, depth, &first, err))
            goto out;
        if (err < 0)
            continue;
        uint64_t least = link->a < link->b ? link->a : link->b, greatest = link->a + link->b - least;
        marks[good++] = (struct mark){NULL, least << 32 | greatest, i, herd_config_at(member)};
    }
    config->link_count = good;
    err = 0;
    qsort(marks, good, sizeof *marks, by_number);
    for (size_t i = 1; i < good; i++) {
        if (marks[i - 1].number == marks[i].number) {
            herd_config_enter_index(reader, marks[i].index);
            err = herd_config_fail(reader, HERD_E_SYNTAX, marks[i].offset, "the same link as links[%zu]",
                                   marks[i - 1].index);
            if (!herd_config_goes_on(reader, depth, &first, err))
                goto out;
        }
    }
    err = first;
out:
    free(names);
    free(marks);
    return err;
}
