/* SPDX-License-Identifier: MIT */
/*
 * Which TLS handshakes are under way. One that is costs 45 KB until it is over, so there are so many places; who comes when
 * all are taken waits, unread, and costs what an idle connection does. A crowd is served in the order in which it came.
 *
 *     enter --a place, and its source may have one--------------> HOLDS --leave-->
 *       |                                                          ^
 *       |--its source may, no place------> NEXT -------------------|
 *       |                                    ^
 *       '--its source has its share-> BEHIND-'  when one of that source has left
 *
 * A source is a hash of the address, of the first half of it for IPv6: whoever has one address there has 2^64. Its share is
 * counted over those that hold a place or are next, so that one address stands in nobody's way. That two addresses may
 * fall together harms neither: both wait a little longer.
 */
#include "../../core/base/hash.h"
#include "listen.h"

#include <stdlib.h>

#define PLACES       256
#define SOURCE_SHARE 8
#define SOURCES      1024
/* Of connections that are bounded by nothing but the places. */
#define NO_SOURCE SOURCES

void herd_admission_init(struct herd_admission *admission)
{
    herd_list_init(&admission->next);
    herd_list_init(&admission->holding);
}

void herd_admission_fini(struct herd_admission *admission)
{
    free(admission->sources);
    admission->sources = NULL;
}

static bool make_sources(struct herd_admission *admission)
{
    if (admission->sources)
        return true;
    admission->sources = calloc(SOURCES + 1, sizeof *admission->sources);
    for (size_t i = 0; admission->sources && i <= SOURCES; i++)
        herd_list_init(&admission->sources[i].behind);
    return admission->sources != NULL;
}

static uint16_t source_of(const struct herd_conn *conn)
{
    uint64_t source[2];
    herd_address_source(conn->address, source);
    return (uint16_t)(herd_siphash(conn->server->addresses.key, source, sizeof source) % SOURCES);
}

static struct herd_admission_source *source(const struct herd_conn *conn)
{
    return &conn->server->admission.sources[conn->source];
}

static bool has_share(const struct herd_conn *conn)
{
    return conn->source == NO_SOURCE || source(conn)->holding + source(conn)->next < SOURCE_SHARE;
}

static void put(struct herd_conn *conn, struct herd_list *list, enum herd_admitted admitted)
{
    conn->admission = (uint8_t)admitted;
    herd_list_append(list, &conn->handshake_link);
}

static void hold(struct herd_conn *conn)
{
    put(conn, &conn->server->admission.holding, HERD_ADMITTED_HOLDS);
    conn->server->admission.held++;
    source(conn)->holding++;
}

static void wait_for_place(struct herd_conn *conn)
{
    put(conn, &conn->server->admission.next, HERD_ADMITTED_NEXT);
    conn->server->admission.waiting++;
    source(conn)->next++;
}

bool herd_admission_enter(struct herd_conn *conn, bool bounded)
{
    struct herd_admission *admission = &conn->server->admission;
    if (!make_sources(admission)) {
        herd_admission_add(conn);
        return true;
    }
    conn->source = bounded ? source_of(conn) : NO_SOURCE;
    if (!has_share(conn)) {
        put(conn, &source(conn)->behind, HERD_ADMITTED_BEHIND);
        return false;
    }
    if (admission->held < PLACES && herd_list_empty(&admission->next)) {
        hold(conn);
        return true;
    }
    wait_for_place(conn);
    return false;
}

void herd_admission_add(struct herd_conn *conn)
{
    put(conn, &conn->server->admission.holding, HERD_ADMITTED_NO);
}

void herd_admission_leave(struct herd_conn *conn)
{
    enum herd_admitted was = (enum herd_admitted)conn->admission;
    herd_list_remove(&conn->handshake_link);
    conn->admission = HERD_ADMITTED_NO;
    if (was == HERD_ADMITTED_HOLDS) {
        conn->server->admission.held--;
        source(conn)->holding--;
    } else if (was == HERD_ADMITTED_NEXT) {
        conn->server->admission.waiting--;
        source(conn)->next--;
    } else {
        return;
    }
    struct herd_list *behind = &source(conn)->behind;
    if (herd_list_empty(behind) || !has_share(conn))
        return;
    struct herd_conn *one = HERD_CONTAINER_OF(behind->next, struct herd_conn, handshake_link);
    herd_list_remove(&one->handshake_link);
    wait_for_place(one);
}

struct herd_conn *herd_admission_next(struct herd_server *server)
{
    struct herd_admission *admission = &server->admission;
    if (admission->held >= PLACES || herd_list_empty(&admission->next))
        return NULL;
    struct herd_conn *conn = HERD_CONTAINER_OF(admission->next.next, struct herd_conn, handshake_link);
    herd_list_remove(&conn->handshake_link);
    admission->waiting--;
    source(conn)->next--;
    hold(conn);
    return conn;
}

bool herd_admission_is_short(const struct herd_server *server)
{
    return server->admission.waiting > PLACES - server->admission.held;
}
