/* SPDX-License-Identifier: MIT */
/*
 * A provider of places that answers everything with the same twenty, as fast as libevent's HTTP server can:
 * what a look-up that is passed on cannot be faster than.
 *
 *     floor-http PORT
 */
#include "edge.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <stdio.h>

#define RESULTS 20

static char body[16384];
static size_t body_len;

static void body_make(void)
{
    int i;

#define ADD(...) (body_len += (size_t)snprintf(body + body_len, sizeof(body) - body_len, __VA_ARGS__))
    ADD("{\n   \"html_attributions\" : [],\n   \"results\" : [\n");
    for (i = 0; i < RESULTS; i++)
        ADD("      {\n         \"geometry\" : {\n            \"location\" : {\n               \"lat\" : "
            "34.06%02d,\n"
            "               \"lng\" : -118.44%02d\n            }\n         },\n         \"name\" : \"Place %d\",\n"
            "         \"place_id\" : \"ChIJ%020d\",\n         \"types\" : [ \"point_of_interest\" ],\n"
            "         \"vicinity\" : \"%d Westwood Plaza, Los Angeles\"\n      }%s\n",
            i, i, i, i, i, i + 1 < RESULTS ? "," : "");
    ADD("   ],\n   \"status\" : \"OK\"\n}\n");
#undef ADD
}

static void on_request(struct evhttp_request *request, void *ctx)
{
    struct evbuffer *out = evbuffer_new();

    (void)ctx;
    if (out == NULL || evbuffer_add_reference(out, body, body_len, NULL, NULL) < 0)
        die("out of memory");
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
    evhttp_send_reply(request, 200, "OK", out);
    evbuffer_free(out);
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct evhttp *http;

    if (argc != 2)
        die("usage: floor-http PORT");
    http = base == NULL ? NULL : evhttp_new(base);
    if (http == NULL)
        die("no event base");
    body_make();
    evhttp_set_gencb(http, on_request, NULL);
    if (evhttp_accept_socket(http, listen_on((uint16_t)number_of(argv[1], "PORT", 1, 65535), 4096)) < 0)
        die("out of memory");
    return event_base_dispatch(base) < 0;
}
