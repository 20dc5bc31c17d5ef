/* SPDX-License-Identifier: MIT */
/*
 * A program that knows places itself: a provider of its own stands in front of the configured ones. What it
 * cannot answer goes to them; by default that is the built-in gazetteer.
 *
 *     own_places                    asks itself about a client in Los Angeles, then one in Lausanne
 */
#include <herd/herd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

/* All this program knows: what is around one street corner. */
static const char corner_json[] = "{\n   \"html_attributions\" : [],\n   \"results\" : [\n"
                                  "      { \"name\" : \"Coffee cart\", \"vicinity\" : \"north steps\" },\n"
                                  "      { \"name\" : \"Book stall\", \"vicinity\" : \"south gate\" }\n"
                                  "   ],\n   \"status\" : \"OK\"\n}\n";

/* Ends the look-up at once; a slow provider would keep `call` and end it later. */
static void start(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query)
{
    (void)ctx;
    if (query->lat_deg > 34 && query->lat_deg < 35 && query->lon_deg < -118 && query->lon_deg > -119)
        herd_provider_call_answer(call, herd_span_of(corner_json));
    else
        herd_provider_call_fail(call, "INVALID_REQUEST", "only one street corner is known here");
}

struct talk {
    struct event_base *base;
    int ended; /* replies to WHATSAT, each ended by an empty line */
};

static void on_reply(struct bufferevent *bev, void *arg)
{
    struct talk *talk = arg;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t len = evbuffer_get_length(input);
    const char *text = (const char *)evbuffer_pullup(input, -1);
    fwrite(text, 1, len, stdout);
    for (size_t i = 1; i < len; i++)
        talk->ended += text[i] == '\n' && text[i - 1] == '\n'; /* a pair carries a reply in one piece */
    evbuffer_drain(input, len);
    if (talk->ended == 2)
        event_base_loopbreak(talk->base);
}

static int converse(struct event_base *base, struct herd_server *server)
{
    static const char lines[] = "IAMAT angeleno +34.068930-118.445127 1621464827.9\n"
                                "IAMAT swiss +46.519630+006.632270 1621464827.9\n"
                                "WHATSAT angeleno 1 1\n"
                                "WHATSAT swiss 5 1\n";
    struct bufferevent *pair[2];
    struct talk talk = {.base = base};
    if (bufferevent_pair_new(base, BEV_OPT_DEFER_CALLBACKS, pair) < 0)
        return 1;
    if (herd_server_adopt_client(server, pair[1]) < 0) {
        bufferevent_free(pair[1]);
        bufferevent_free(pair[0]);
        return 1;
    }
    bufferevent_setcb(pair[0], on_reply, NULL, NULL, &talk);
    bufferevent_enable(pair[0], EV_READ | EV_WRITE);
    bufferevent_write(pair[0], lines, strlen(lines));
    int status = event_base_dispatch(base) < 0;
    bufferevent_free(pair[0]);
    return status;
}

int main(void)
{
    const struct herd_provider provider = {.name = "corner", .start = start};
    struct event_base *base = event_base_new();
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_places *places = NULL;
    struct herd_server *server = NULL;
    int status = 1;
    if (!base || herd_config_default(&config) < 0 ||
        herd_places_new(&places, base, config, NULL, &diagnostic) < 0 || herd_places_prepend(places, &provider) < 0)
        goto out;
    const struct herd_server_options options = {
        .name = "Riley", .config = config, .places = places, .dont_listen = true, .dont_dial = true};
    if (herd_server_new(&server, base, &options, &diagnostic) == 0)
        status = converse(base, server);
out:
    if (status)
        fprintf(stderr, "own_places: %s\n", diagnostic.message[0] ? diagnostic.message : "failed");
    herd_server_free(server);
    herd_places_free(places);
    herd_config_free(config);
    if (base)
        event_base_loop(base, EVLOOP_NONBLOCK); /* libevent frees pairs in a turn of the loop */
    if (base)
        event_base_free(base);
    return status;
}
