/* SPDX-License-Identifier: MIT */
/*
 * One look-up from the command line, for the tests with foreign parts:
 *
 *     ask KIND URL-OR-FILE PLACE RADIUS_KM BOUND [FIELDS]
 *
 * The key comes from the variable HERD_TEST_KEY. Prints the answer; exits 0 if a provider gave it.
 */
#include "query.h"

#include <event2/event.h>
#include <herd/places.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool answered, good;

static void answer(void *ctx, struct herd_span json, const char *origin)
{
    (void)ctx;
    printf("%.*s\n", (int)json.len, json.at);
    answered = true;
    good = strcmp(origin, "none") != 0;
}

int main(int argc, char **argv)
{
    static char key_env[] = "HERD_TEST_KEY";
    if (argc < 6) {
        fprintf(stderr, "usage: %s KIND URL-OR-FILE PLACE RADIUS_KM BOUND [FIELDS]\n", argv[0]);
        return 2;
    }
    bool google = strncmp(argv[1], "google", 6) == 0;
    struct herd_config_provider provider = {.kind = argv[1],
                                            .timeout_ms = 10000,
                                            .key_env = google ? key_env : NULL,
                                            .fields = argc > 6 ? argv[6] : NULL};
    if (strcmp(argv[1], "file") == 0)
        provider.file = argv[2];
    else if (*argv[2])
        provider.url = argv[2];
    struct herd_config config = {.providers = &provider, .provider_count = 1};
    struct herd_diagnostic diagnostic;
    struct herd_places *places;
    struct herd_places_question q = {0};
    struct herd_places_request *request;
    struct event_base *base = event_base_new();
    herd_limits_default(&config.limits);
    if (!base || herd_places_new(&places, base, &config, NULL, &diagnostic) < 0) {
        fprintf(stderr, "%s\n", base ? diagnostic.message : "no loop");
        return 1;
    }
    if (herd_places_query_make_iso(&q, herd_span_of(argv[3]), herd_span_of(argv[4]), (unsigned)atoi(argv[5])) < 0 ||
        herd_places_lookup(places, &q.query, answer, NULL, &request) < 0)
        return 1;
    while (!answered && event_base_loop(base, EVLOOP_ONCE) >= 0)
        ;
    herd_places_free(places);
    herd_places_query_fini(&q);
    event_base_free(base);
    return good ? 0 : 1;
}
