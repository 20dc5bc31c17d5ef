/* SPDX-License-Identifier: MIT */
/* libcurl's sockets, registered with libevent. */
#ifndef HERD_EDGE_FETCH_WATCH_H
#define HERD_EDGE_FETCH_WATCH_H

#include "fetch_types.h"

/* Registers `fd` for the events `what` (CURL_POLL_*) of libcurl's socket callback. 0; -1: no memory, or libevent
 * refused. */
int herd_fetch_watch_set(struct herd_fetch_sockets *sockets, curl_socket_t fd, int what);
void herd_fetch_watch_free_all(struct herd_fetch_sockets *sockets);

/* Open and close a socket; for CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION. `ctx` is a struct
 * herd_fetch_sockets. */
curl_socket_t herd_fetch_socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address);
int herd_fetch_socket_close(void *ctx, curl_socket_t fd);

#endif
