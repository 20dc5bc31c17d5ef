/* SPDX-License-Identifier: MIT */
/* The addresses of the server: a path, a numeric address, or what DNS and /etc/hosts say, without waiting for them. */
#include "redis_impl.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static void add(struct herd_database *database, const struct sockaddr *address, socklen_t len)
{
    if (database->address_count == HERD_REDIS_ADDRESSES_MAX || len > sizeof database->addresses[0])
        return;
    memcpy(&database->addresses[database->address_count], address, len);
    database->address_lens[database->address_count++] = len;
}

static void resolved(int error, struct evutil_addrinfo *info, void *arg)
{
    struct herd_database *database = arg;
    /* Also told of what is cancelled. */
    if (error == EVUTIL_EAI_CANCEL)
        return;
    database->request = NULL;
    for (const struct evutil_addrinfo *at = info; at; at = at->ai_next)
        add(database, at->ai_addr, (socklen_t)at->ai_addrlen);
    if (info)
        evutil_freeaddrinfo(info);
    char text[HERD_REDIS_MESSAGE_MAX];
    snprintf(text, sizeof text, "its name gives no address: %s", error ? evutil_gai_strerror(error) : "none");
    if (database->address_count)
        herd_redis_conn_start(database);
    else
        herd_redis_conn_fail_later(database, text);
}

void herd_redis_dial_cancel(struct herd_database *database)
{
    if (database->request)
        evdns_getaddrinfo_cancel(database->request);
    database->request = NULL;
}

static int resolve(struct herd_database *database)
{
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_ADDRCONFIG};
    char port[8];
    snprintf(port, sizeof port, "%u", database->dsn.port);
    /* Made once: a request that was cancelled ends later, with its base. */
    if (!database->dns)
        database->dns =
            evdns_base_new(database->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!database->dns)
        return HERD_E_NOMEM;
    /* It may call `resolved` from inside. */
    database->request = evdns_getaddrinfo(database->dns, database->dsn.host, port, &hints, resolved, database);
    return 0;
}

int herd_redis_dial(struct herd_database *database)
{
    database->address_count = 0;
    if (database->dsn.path) {
        struct sockaddr_un path = {.sun_family = AF_UNIX};
        memcpy(path.sun_path, database->dsn.path, strlen(database->dsn.path) + 1);
        add(database, (const struct sockaddr *)&path, sizeof path);
        herd_redis_conn_start(database);
        return 0;
    }
    struct sockaddr_storage address = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
    if (evutil_inet_pton(AF_INET, database->dsn.host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(database->dsn.port);
        add(database, (const struct sockaddr *)in, sizeof *in);
    } else if (evutil_inet_pton(AF_INET6, database->dsn.host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(database->dsn.port);
        add(database, (const struct sockaddr *)in6, sizeof *in6);
    }
    if (database->address_count == 0)
        return resolve(database);
    herd_redis_conn_start(database);
    return 0;
}
