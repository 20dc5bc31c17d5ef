/* SPDX-License-Identifier: MIT */
/* A file of places, what changes in it, and who asks. */
#ifndef TEST_EDGE_PLACES_FILE_H
#define TEST_EDGE_PLACES_FILE_H

#include "../../lib/edge/places/places_net.h"
#include "../unit/temp.h"
#include "world.h"

#include <unistd.h>

/* Of GeoNames. */
#define ROW(name, lat, lon) \
    "1\t" name "\tascii\t\t" lat "\t" lon "\tP\tPPL\tUS\t\t1\t\t\t\t5\t\t7\tzone\t2020-01-01\n"

static char path[TEMP_LEN];

static inline void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline const char *ask_now(struct world *w)
{
    w->answered = 0;
    w->answers[0].len = 0;
    assert_null(world_ask(w, UCLA, 5)); /* at once, so nobody waits for a loop */
    assert_int_equal(w->answered, 1);
    return w->answers[0].at;
}

static inline void run_until_logged(struct world *w, const char *text)
{
    size_t seen = 0;
    for (size_t turns = 0; !seen && turns < 3000; turns++) {
        struct timeval moment = {0, 10000};
        event_base_loopexit(w->base, &moment);
        event_base_dispatch(w->base);
        seen = world_logged(w, text);
    }
    if (!seen)
        fail_msg("never logged: %s", text);
}

/* There is a file; a world whose first provider it is. */
static inline void file_new(const char *text)
{
    close(temp_file(path));
    write_file(text);
}

static inline struct world *world_of_file(void)
{
    struct world *w = world_new();
    world_provider(w, "file", NULL)->file = path;
    return w;
}

/* Both, opened: what most tests of one file begin with. */
static inline struct world *world_open_file(const char *text)
{
    file_new(text);
    struct world *w = world_of_file();
    world_open(w);
    return w;
}

/* What beginning with its providers says. */
static inline int world_begin(struct world *w)
{
    return herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault);
}

#endif
