/* SPDX-License-Identifier: MIT */
/* Why a request is refused. */
#ifndef HERD_CORE_HTTP_FAULT_H
#define HERD_CORE_HTTP_FAULT_H

/* `status` is the code of HTTP that says so to the client; `message` is a static sentence for the log and for the
 * `detail` of the reply. It never holds anything the client sent. After a fault nobody knows where the next request
 * begins: the connection has to be closed behind the reply. */
struct herd_http_fault {
    int status;
    const char *message;
};

#endif
