/* SPDX-License-Identifier: MIT */
/*
 * Questions of who is near: the words of a query, then clients, moves and the sizes of steps, all of it from the input. What is
 * asked is compared with a look at every client; a wrong query is refused with a sentence.
 */
#include "client_query.h"

#include <herd/area.h>
#include <herd/geo.h>
#include <herd/node.h>

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

#define CLIENTS 24
#define S       INT64_C(1000000000)

struct input {
    const uint8_t *at;
    size_t left;
};

static unsigned byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* A copy that nothing may be read behind. */
static struct herd_span copy(const char *at, size_t len, char **ret_memory)
{
    *ret_memory = malloc(len + (len == 0));
    MUST(*ret_memory);
    if (len > 0)
        memcpy(*ret_memory, at, len);
    return (struct herd_span){*ret_memory, len};
}

/* "name=value&..." up to the first LF; spans of the query point into *ret_values, which the caller frees. */
static const char *read_query(struct input *in, struct herd_client_query *ret_query, char *ret_values[8])
{
    const char *text = (const char *)in->at, *end = in->left ? memchr(text, '\n', in->left) : NULL;
    size_t len = end ? (size_t)(end - text) : in->left, count = 0;
    const char *fault = NULL;
    in->at += len + (end != NULL);
    in->left -= len + (end != NULL);
    herd_client_query_init(ret_query);
    while (len > 0 && !fault && count < 8) {
        const char *amp = memchr(text, '&', len);
        size_t pair = amp ? (size_t)(amp - text) : len;
        const char *equals = pair ? memchr(text, '=', pair) : NULL;
        size_t name = equals ? (size_t)(equals - text) : pair, value = equals ? pair - name - 1 : 0;
        char *name_memory;
        struct herd_span name_text = copy(text, name, &name_memory);
        struct herd_span value_text = copy(equals ? equals + 1 : text, value, &ret_values[count++]);
        fault = herd_client_query_take(ret_query, name_text, value_text);
        free(name_memory);
        text += pair + (amp != NULL);
        len -= pair + (amp != NULL);
    }
    if (!fault)
        fault = herd_client_query_check(ret_query);
    MUST(!fault || fault[0] != '\0');
    ret_query->from_slot = (uint32_t)ret_query->after.len; /* the server deciphers it */
    return fault;
}

static double metres(double lat1, double lon1, double lat2, double lon2)
{
    const double rad = 0.017453292519943295;
    double a = sin((lat2 - lat1) * rad / 2), b = sin((lon2 - lon1) * rad / 2);
    double h = a * a + cos(lat1 * rad) * cos(lat2 * rad) * b * b;
    return 2 * 6371008.8 * asin(sqrt(h < 1 ? h : 1));
}

struct world {
    struct herd_node *node;
    struct herd_area *area;
    struct herd_now now;
    double lat[CLIENTS], lon[CLIENTS];
    bool there[CLIENTS];
};

static void move(struct world *w, struct input *in)
{
    char id[8], position[64], when[32];
    enum herd_verdict verdict;
    unsigned client = byte(in) % CLIENTS;
    int lat = (int)(byte(in) << 8 | byte(in)) % 9001, lon = (int)(byte(in) << 8 | byte(in)) % 18001;
    unsigned signs = byte(in);
    w->now.wall_ns += S;
    w->now.steady_ns += S;
    snprintf(id, sizeof id, "%u", client);
    snprintf(when, sizeof when, "%lld", (long long)(w->now.wall_ns / S));
    if (signs % 16 == 15) {
        if (herd_node_delete(w->node, herd_span_of(id), w->now, NULL, &verdict) == 0)
            w->there[client] = false;
        return;
    }
    snprintf(position, sizeof position, "%c%d.%02d%c%d.%02d", signs & 1 ? '-' : '+', lat / 100, lat % 100,
             signs & 2 ? '-' : '+', lon / 100, lon % 100);
    MUST(herd_node_report(w->node, herd_span_of(id), herd_span_of(position), herd_span_of(when), w->now, NULL,
                          &verdict) == 0);
    if (verdict != HERD_VERDICT_NEW && verdict != HERD_VERDICT_NEWER)
        return;
    struct herd_position parsed;
    MUST(herd_position_parse(herd_span_of(position), &parsed) == 0);
    w->lat[client] = herd_coordinate_degrees(parsed.lat);
    w->lon[client] = herd_coordinate_degrees(parsed.lon);
    w->there[client] = true;
}

static void take_in(struct world *w, struct input *in)
{
    struct herd_fence_event event;
    do {
        size_t steps = 1 + byte(in);
        while (herd_area_next(w->area, w->now, &steps, &event))
            ;
    } while (herd_area_behind(w->area));
}

/* Whether it must be found, 1; must not, 0; or lies so near the border that nobody knows, -1. */
static int wanted(const struct world *w, const struct herd_client_query *query, unsigned client)
{
    double lat = w->lat[client], lon = w->lon[client];
    if (!w->there[client])
        return 0;
    if (query->in_bbox) {
        double other = fabs(lon) == 180 ? -lon : lon;
        return herd_bbox_has_place(&query->bbox, lat, lon) || herd_bbox_has_place(&query->bbox, lat, other);
    }
    if (!query->near || !query->within)
        return 1;
    double distance = metres(query->lat_deg, query->lon_deg, lat, lon);
    if (fabs(distance - query->radius_m) <= 1e-6 * distance + 1e-6 + (distance > 2e7 ? 1 : 0))
        return -1;
    return distance < query->radius_m;
}

static void ask(struct world *w, const struct herd_client_query *query, struct input *in)
{
    struct herd_shape *shape = NULL;
    struct herd_area_query *asked;
    struct herd_area_hit hit;
    struct herd_area_question question = {.by_distance = query->near != HERD_NEAR_NOTHING,
                                          .lat_deg = query->lat_deg,
                                          .lon_deg = query->lon_deg,
                                          .from_slot = query->from_slot,
                                          .limit = query->limit};
    if (query->within && herd_shape_circle(&shape, query->lat_deg, query->lon_deg, query->radius_m) < 0)
        return;
    if (query->in_bbox)
        MUST(herd_shape_box(&shape, query->bbox.west, query->bbox.south, query->bbox.east, query->bbox.north) == 0);
    question.shape = shape;
    MUST(herd_area_ask(w->area, &question, &asked) == 0);
    while (herd_area_step(asked, w->now, 1 + byte(in)))
        ;
    bool found[CLIENTS] = {false};
    double before = 0;
    size_t count = 0;
    while (herd_area_hit(asked, &hit)) {
        char id[8];
        snprintf(id, sizeof id, "%.*s", (int)hit.record.id.len, hit.record.id.at);
        unsigned client = (unsigned)atoi(id);
        MUST(client < CLIENTS && !found[client] && wanted(w, query, client) != 0 && hit.distance_m >= before);
        found[client] = true;
        before = hit.distance_m;
        count++;
    }
    MUST(count <= query->limit);
    for (unsigned client = 0; client < CLIENTS && !herd_area_truncated(asked) && query->from_slot == 0; client++)
        MUST(found[client] || wanted(w, query, client) != 1);
    herd_area_query_free(asked);
    herd_shape_free(shape);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t key[2] = {7, 9};
    struct input in = {data, size};
    struct herd_client_query query;
    char *values[8] = {NULL};
    struct herd_node_options options = {.name = herd_span_of("R"), .seed = {3, 5}, .tombstones_max = 100};
    struct world w = {.now = {INT64_C(1700000000) * S, 1000 * S}};
    const char *fault = read_query(&in, &query, values);
    if (!fault && query.near != HERD_NEAR_CLIENT) {
        MUST(herd_node_new(&w.node, &options) == 0 && herd_area_open(w.node, key, &w.area) == 0);
        for (int i = 0; i < 200 && in.left > 0; i++) {
            move(&w, &in);
            if (byte(&in) % 4 == 0) {
                take_in(&w, &in);
                ask(&w, &query, &in);
            }
        }
        take_in(&w, &in);
        ask(&w, &query, &in);
        herd_area_close(w.area);
        herd_node_free(w.node);
    }
    for (size_t i = 0; i < 8; i++)
        free(values[i]);
    return 0;
}
