/* SPDX-License-Identifier: MIT */
/* Socket addresses: lists, order, text. */
#include "sockaddr.h"

#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

bool herd_sockaddr_equal(const struct herd_sockaddr *a, const struct herd_sockaddr *b)
{
    if (a->u.any.sa_family != b->u.any.sa_family)
        return false;
    if (a->u.any.sa_family == AF_INET)
        return a->u.in.sin_port == b->u.in.sin_port && a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr;
    return a->u.in6.sin6_port == b->u.in6.sin6_port && a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id &&
           memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr) == 0;
}

static bool has(const struct herd_sockaddr_list *list, const struct herd_sockaddr *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (herd_sockaddr_equal(&list->at[i], address))
            return true;
    return false;
}

void herd_sockaddr_list_add(struct herd_sockaddr_list *list, const struct addrinfo *info)
{
    for (; info && list->count < HERD_SOCKADDRS_MAX; info = info->ai_next) {
        struct herd_sockaddr address = {.len = info->ai_addrlen};
        if ((info->ai_family != AF_INET && info->ai_family != AF_INET6) || info->ai_addrlen > sizeof address.u)
            continue;
        memcpy(&address.u, info->ai_addr, info->ai_addrlen);
        if (!has(list, &address))
            list->at[list->count++] = address;
    }
}

bool herd_sockaddr_list_numeric(struct herd_sockaddr_list *ret_list, const char *host, uint16_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    ret_list->count = 0;
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return false;
    herd_sockaddr_list_add(ret_list, found);
    freeaddrinfo(found);
    return ret_list->count > 0;
}

/* Moves the address at `from` to `to`, which is not behind it. */
static void move(struct herd_sockaddr_list *list, size_t from, size_t to)
{
    struct herd_sockaddr address = list->at[from];
    memmove(&list->at[to + 1], &list->at[to], (from - to) * sizeof address);
    list->at[to] = address;
}

void herd_sockaddr_list_order(struct herd_sockaddr_list *list, const struct herd_sockaddr *prefer)
{
    for (size_t i = 0; prefer && i < list->count; i++) {
        if (herd_sockaddr_equal(&list->at[i], prefer)) {
            move(list, i, 0);
            break;
        }
    }
    for (size_t to = 1; to < list->count; to++) {
        for (size_t from = to; from < list->count; from++) {
            if (list->at[from].u.any.sa_family != list->at[to - 1].u.any.sa_family) {
                move(list, from, to);
                break;
            }
        }
    }
}

bool herd_sockaddr_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

bool herd_sockaddr_is_any(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr == INADDR_ANY;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static const char *unix_text(const struct sockaddr *address, socklen_t len, char text[HERD_SOCKADDR_TEXT_MAX])
{
    const char *path = ((const struct sockaddr_un *)(const void *)address)->sun_path;
    size_t path_len =
        len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path) : 0;
    if (path_len == 0)
        snprintf(text, HERD_SOCKADDR_TEXT_MAX, "unix");
    else if (path[0]) /* the length may count a NUL */
        snprintf(text, HERD_SOCKADDR_TEXT_MAX, "unix:%.*s", (int)strnlen(path, path_len), path);
    else
        snprintf(text, HERD_SOCKADDR_TEXT_MAX, "unix:@%.*s", (int)path_len - 1, path + 1);
    return text;
}

const char *herd_sockaddr_text(const struct sockaddr *address, socklen_t len, char text[HERD_SOCKADDR_TEXT_MAX])
{
    char host[80], port[8];
    if (address->sa_family == AF_UNIX)
        return unix_text(address, len, text);
    if (getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(text, HERD_SOCKADDR_TEXT_MAX, "unknown");
    else
        snprintf(text, HERD_SOCKADDR_TEXT_MAX, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return text;
}
