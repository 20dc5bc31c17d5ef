/* SPDX-License-Identifier: MIT */
/*
 * Questions to the area that are under way. One that is short is answered at once; of the others a bounded number of steps is
 * done a turn of the loop, of all together, so that however many ask for however much, reports are served in between.
 *
 * What a connection asked is answered with the rights of its session, those of now, a reload included.
 */
#ifndef HERD_EDGE_SERVER_SEARCH_H
#define HERD_EDGE_SERVER_SEARCH_H

#include <herd/area.h>

struct herd_conn;
struct herd_server;
struct herd_search;

/* Who asks. */
struct herd_search_asker {
    /* The next hit, best first; borrowed for the call. It calls nothing of the node or the area. 0; 1: this one is left out
     * for want of room, and the search ends as truncated; < 0: it ends with `done` and this error. */
    int (*hit)(void *ctx, const struct herd_area_hit *hit);
    /* The end of the search, which is no more: 0, and whether there are more hits than were given; or an
     * error, of `hit`, or HERD_E_ACCESS: rights were taken away meanwhile. */
    void (*done)(void *ctx, int err, bool truncated);
};

/* Begins one, for a connection, whose session it has; or for the program (NULL), which may ask for everything. What
 * herd_area_question has of a shape and of an identity is not looked at: `shape` (NULL: anywhere) is the search's on success,
 * and remains the caller's on failure. *ret_search is NULL if it is answered already, from inside this function. `asker` is
 * static. There must be an area. HERD_E_LIMIT: limits.searches_max are under way; HERD_E_ACCESS: the session may ask for
 * nobody; HERD_E_NOMEM; what herd_area_ask says. Then nothing is called. */
int herd_search_begin(struct herd_server *server, struct herd_conn *conn, const struct herd_area_question *question,
                      struct herd_shape *shape, const struct herd_search_asker *asker, void *ctx,
                      struct herd_search **ret_search);
/* Nobody waits for it any more: nothing is called. NULL is fine. */
void herd_search_cancel(struct herd_search *search);

/* Of the server's life. HERD_E_NOMEM. */
int herd_searches_open(struct herd_server *server);
void herd_searches_close(struct herd_server *server);
/* Sees to it that they go on, where a timer could not be set. */
void herd_searches_resume(struct herd_server *server);
/* Sessions have other identities. */
void herd_searches_reloaded(struct herd_server *server);

#endif
