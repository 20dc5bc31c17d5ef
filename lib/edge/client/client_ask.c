/* SPDX-License-Identifier: MIT */
/* Checks what the program asks for and makes request lines of it. */
#include "client_queue.h"
#include "client_request.h"
#include "client_route.h"

#include <herd/geo.h>
#include <herd/protocol.h>
#include <herd/timestamp.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMESTAMP_MAX 24

/* Hands a request for `id` to who sends it. `format_err` is the result of formatting its line; on failure the request is
 * freed. */
static int add(struct herd_client *client, struct herd_request *request, struct herd_span id, int format_err)
{
    if (format_err >= 0)
        format_err = herd_client_append(herd_client_route(client, id), request);
    if (format_err < 0) {
        herd_buf_fini(&request->line);
        free(request);
        return format_err;
    }
    request->deadline_ns = herd_clock().steady_ns + client->options.timeout_ms * NS_PER_MS;
    herd_list_append(&client->ages, &request->age);
    client->open++;
    herd_client_arm(client);
    return 0;
}

static int make(struct herd_client *client, struct herd_request **ret_request, bool is_query,
                herd_client_done *done, void *ctx)
{
    if (client->open >= client->options.requests_max)
        return HERD_E_LIMIT;
    *ret_request = calloc(1, sizeof **ret_request);
    if (!*ret_request)
        return HERD_E_NOMEM;
    (*ret_request)->is_query = is_query;
    (*ret_request)->done = done;
    (*ret_request)->ctx = ctx;
    return 0;
}

static bool id_valid(struct herd_span id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.at[i] == ' ' || (id.at[i] >= '\t' && id.at[i] <= '\r'))
            return false;
    return id.len > 0;
}

static struct herd_span time_of_call(char text[TIMESTAMP_MAX])
{
    int64_t now_ns = herd_clock().wall_ns;
    int len = snprintf(text, TIMESTAMP_MAX, "%lld.%09lld", (long long)(now_ns / NS_PER_S),
                       (long long)(now_ns % NS_PER_S));
    return (struct herd_span){text, (size_t)len};
}

int herd_client_report(struct herd_client *client, struct herd_span id, struct herd_span position,
                       struct herd_span time, herd_client_done *done, void *ctx)
{
    struct herd_request *request;
    struct herd_position parsed;
    int64_t time_ns;
    char now[TIMESTAMP_MAX];
    if (time.len == 0)
        time = time_of_call(now);
    int err = id_valid(id) ? herd_position_parse(position, &parsed) : HERD_E_SYNTAX;
    if (err >= 0)
        err = herd_timestamp_parse(time, &time_ns);
    if (err >= 0)
        err = make(client, &request, false, done, ctx);
    if (err < 0)
        return err;
    return add(client, request, id, herd_format_iamat(&request->line, id, position, time));
}

/* Checks a radius: a decimal in the form of a timestamp, at most 50. */
static int check_radius(struct herd_span radius_km)
{
    int64_t value;
    int err = herd_timestamp_parse(radius_km, &value);
    if (err >= 0 && herd_timestamp_compare(radius_km, herd_span_of("50")) > 0)
        err = HERD_E_RANGE;
    return err;
}

int herd_client_whatsat(struct herd_client *client, struct herd_span id, struct herd_span radius_km, unsigned bound,
                        herd_client_done *done, void *ctx)
{
    struct herd_request *request;
    int err = id_valid(id) ? check_radius(radius_km) : HERD_E_SYNTAX;
    if (err >= 0 && bound > 20)
        err = HERD_E_RANGE;
    if (err >= 0)
        err = make(client, &request, true, done, ctx);
    if (err < 0)
        return err;
    return add(client, request, id, herd_format_whatsat(&request->line, id, radius_km, bound));
}

size_t herd_client_pending(const struct herd_client *client)
{
    return client->open;
}

int herd_client_format_position(char out[HERD_CLIENT_POSITION_MAX], double lat_deg, double lon_deg)
{
    if (!(fabs(lat_deg) <= 90) || !(fabs(lon_deg) <= 180))
        return HERD_E_RANGE;
    /* Whole numbers, because printf's decimal point depends on the locale. */
    long long lat = llround(fabs(lat_deg) * 1e9), lon = llround(fabs(lon_deg) * 1e9);
    snprintf(out, HERD_CLIENT_POSITION_MAX, "%c%02lld.%09lld%c%03lld.%09lld", lat_deg < 0 ? '-' : '+',
             lat / 1000000000, lat % 1000000000, lon_deg < 0 ? '-' : '+', lon / 1000000000, lon % 1000000000);
    return 0;
}
