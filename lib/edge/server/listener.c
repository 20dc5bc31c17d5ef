/* SPDX-License-Identifier: MIT */
/* Where a server listens: all addresses of the names it was given, or a socket made elsewhere. */
#include "conn.h"
#include "listen.h"

#include "../net/sockaddr.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BACKLOG 1024
/* A fault shows so much of a host name, so that the reason fits behind it. */
#define HOST_SHOWN_MAX 100

/* Where to listen, and for what. */
struct site {
    const struct herd_door *door;
    const char *host; /* if there are no others */
    char *const *hosts;
    size_t host_count;
    uint16_t port;
};

static const struct herd_door line_door = {
    .begin = herd_line_begin_client, .neighbours = true, .event = "listening"};

static struct site line_site(const struct herd_config_server *self)
{
    return (struct site){&line_door, self->host, self->listen, self->listen_count, self->port};
}

/* Where nothing else is said, where lines are. */
static struct site http_site(const struct herd_config_server *self, const struct herd_door *door)
{
    bool own = self->http_listen_count > 0;
    return (struct site){door, self->host, own ? self->http_listen : self->listen,
                         own ? self->http_listen_count : self->listen_count, self->http_port};
}

/* Nobody but this machine reaches it, whatever else is configured. */
static struct site admin_site(const struct herd_config_server *self, const struct herd_door *door)
{
    return (struct site){door, "127.0.0.1", NULL, 0, self->admin_port};
}

static int fail(const struct site *site, const char *host, const char *why,
                struct herd_diagnostic *reterr_diagnostic)
{
    bool cut = strlen(host) > HOST_SHOWN_MAX;
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "cannot listen on %.*s%s port %u: %s",
             HOST_SHOWN_MAX, host, cut ? "..." : "", (unsigned)site->port, why);
    return HERD_E_ADDRESS;
}

static char *where(const struct site *site)
{
    struct herd_buf text = {0};
    int err = herd_buf_add_text(&text, site->host_count ? "" : site->host);
    for (size_t i = 0; i < site->host_count && err >= 0; i++) {
        err = herd_buf_add_text(&text, i ? "," : "");
        if (err >= 0)
            err = herd_buf_add_text(&text, site->hosts[i]);
    }
    if (err < 0 || herd_buf_add(&text, "", 1) < 0)
        herd_buf_fini(&text);
    return text.at;
}

char *herd_listener_where(const struct herd_config_server *self)
{
    struct site site = line_site(self);
    return where(&site);
}

char *herd_listener_http_where(const struct herd_config_server *self)
{
    struct site site = http_site(self, NULL);
    return where(&site);
}

/* ---- addresses ---- */

/* "*": all addresses of the machine, of both families. */
static void add_any(struct herd_sockaddr_list *list, uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct addrinfo second = {.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&four, .ai_addrlen = sizeof four};
    const struct addrinfo first = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&six, .ai_addrlen = sizeof six, .ai_next = &second};
    herd_sockaddr_list_add(list, &first);
}

static int add_host(const struct site *site, const char *host, struct herd_sockaddr_list *list,
                    struct herd_diagnostic *reterr_diagnostic)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    if (strcmp(host, "*") == 0) {
        add_any(list, site->port);
        return 0;
    }
    snprintf(port, sizeof port, "%u", (unsigned)site->port);
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return fail(site, host, gai_strerror(code), reterr_diagnostic);
    herd_sockaddr_list_add(list, found);
    freeaddrinfo(found);
    return 0;
}

/* ---- sockets ---- */

static int add_listener(struct herd_server *server, const struct herd_door *door, int fd)
{
    size_t size = (server->listener_count + 1) * sizeof *server->listeners;
    struct herd_listener **listeners = realloc(server->listeners, size);
    if (!listeners)
        return HERD_E_NOMEM;
    server->listeners = listeners;
    struct herd_listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return HERD_E_NOMEM;
    *listener = (struct herd_listener){.server = server, .door = door};
    if (herd_accept_new(listener, fd) < 0) {
        free(listener);
        return HERD_E_NOMEM;
    }
    listeners[server->listener_count++] = listener;
    return 0;
}

/* Both wildcard addresses can be bound only if IPv6's is for IPv6 alone. */
static bool has_any_of_both(const struct herd_sockaddr_list *list)
{
    bool four = false, six = false;
    for (size_t i = 0; i < list->count; i++) {
        if (!herd_sockaddr_is_any(&list->at[i].u.any))
            continue;
        four = four || list->at[i].u.any.sa_family == AF_INET;
        six = six || list->at[i].u.any.sa_family == AF_INET6;
    }
    return four && six;
}

/* A listening socket, or -1 and errno. */
static int bind_to(const struct herd_sockaddr *to, bool v6only)
{
    int on = 1;
    int fd = socket(to->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (v6only && to->u.any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        bind(fd, &to->u.any, to->len) < 0 || listen(fd, BACKLOG) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* A name may have addresses of other machines, or of a family that is switched off. */
static bool is_not_ours(int error)
{
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static void log_skipped(struct herd_server *server, const struct herd_sockaddr *to, int error)
{
    char text[HERD_SOCKADDR_TEXT_MAX];
    struct herd_log_field fields[] = {
        herd_log_text("address", herd_sockaddr_text(&to->u.any, to->len, text)),
        herd_log_text("why", strerror(error)),
    };
    herd_log_event(server->log, herd_sockaddr_is_any(&to->u.any) ? HERD_LOG_INFO : HERD_LOG_WARN,
                   "listen_address_skipped", fields, 2);
}

static int open_addresses(struct herd_server *server, const struct site *site,
                          struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_sockaddr_list list = {.count = 0};
    int err = site->host_count ? 0 : add_host(site, site->host, &list, reterr_diagnostic);
    for (size_t i = 0; i < site->host_count && err >= 0; i++)
        err = add_host(site, site->hosts[i], &list, reterr_diagnostic);
    if (err < 0)
        return err;
    int skipped = EADDRNOTAVAIL;
    size_t before = server->listener_count;
    bool v6only = has_any_of_both(&list);
    for (size_t i = 0; i < list.count; i++) {
        int fd = bind_to(&list.at[i], v6only);
        if (fd < 0 && is_not_ours(errno)) {
            skipped = errno;
            log_skipped(server, &list.at[i], skipped);
            continue;
        }
        if (fd < 0) {
            char text[HERD_SOCKADDR_TEXT_MAX];
            int error = errno;
            herd_sockaddr_text(&list.at[i].u.any, list.at[i].len, text);
            return fail(site,
                        herd_sockaddr_is_any(&list.at[i].u.any) ? "*"
                        : site->host_count                      ? text
                                                                : site->host,
                        strerror(error), reterr_diagnostic);
        }
        if (add_listener(server, site->door, fd) < 0) {
            close(fd);
            return fail(site, site->host, strerror(ENOMEM), reterr_diagnostic);
        }
    }
    return server->listener_count > before
               ? 0
               : fail(site, site->host_count ? site->hosts[0] : site->host, strerror(skipped), reterr_diagnostic);
}

/* A socket that somebody else made; it stays theirs if this fails. */
static int open_given(struct herd_server *server, int fd, struct herd_diagnostic *reterr_diagnostic)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    errno = ENOMEM;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0) {
        errno = listening ? ENOMEM : EINVAL;
        if (listening && evutil_make_socket_nonblocking(fd) == 0 && evutil_make_socket_closeonexec(fd) == 0 &&
            add_listener(server, &line_door, fd) == 0)
            return 0;
    }
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message,
             "cannot listen on the inherited socket %d: %s", fd, strerror(errno));
    return HERD_E_ADDRESS;
}

/* The address a listener is bound to; false: the kernel does not say. */
static bool bound_to(const struct herd_server *server, size_t i, struct sockaddr_storage *ret_bound,
                     socklen_t *ret_len)
{
    *ret_len = sizeof *ret_bound;
    return getsockname(evconnlistener_get_fd(server->listeners[i]->socket), (struct sockaddr *)ret_bound,
                       ret_len) == 0;
}

int herd_listener_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic)
{
    int given = server->options.listen_fd;
    server->accept_retry_event = evtimer_new(server->base, herd_accept_again, server);
    const struct herd_config_server *self = &server->config->servers[server->self];
    const struct site lines = line_site(self);
    if (!server->accept_retry_event)
        return fail(&lines, self->host, strerror(ENOMEM), reterr_diagnostic);
    int err = 0;
    if (self->http_port) {
        const struct site http = http_site(self, &server->service->door);
        err = open_addresses(server, &http, reterr_diagnostic);
    }
    if (err >= 0 && self->admin_port) {
        const struct site admin = admin_site(self, &server->service->admin_door);
        err = open_addresses(server, &admin, reterr_diagnostic);
    }
    if (err >= 0) /* last: from here on a given socket is ours */
        err = given ? open_given(server, given, reterr_diagnostic)
                    : open_addresses(server, &lines, reterr_diagnostic);
    if (err < 0)
        return err;
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    struct sockaddr_storage bound;
    socklen_t len;
    uint64_t address[2];
    if (bound_to(server, server->listener_count - 1, &bound, &len))
        herd_address_of((struct sockaddr *)&bound, address, &server->port);
    return 0;
}

void herd_listener_close(struct herd_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        evconnlistener_free(server->listeners[i]->socket);
        free(server->listeners[i]);
    }
    free(server->listeners);
    server->listeners = NULL;
    server->listener_count = 0;
    if (server->accept_retry_event)
        event_free(server->accept_retry_event);
    server->accept_retry_event = NULL;
    if (server->reserve_fd >= 0)
        close(server->reserve_fd);
    server->reserve_fd = -1;
}

/* ---- the log ---- */

/* Whether a host is certainly this machine: a loopback address, or the names that every hosts file has for one. */
static bool is_local_host(const char *host)
{
    struct herd_sockaddr_list list;
    if (herd_sockaddr_list_numeric(&list, host, 0))
        return herd_sockaddr_is_loopback(&list.at[0].u.any);
    return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "ip6-localhost") == 0;
}

static bool has_neighbours_elsewhere(const struct herd_server *server)
{
    const struct herd_config_server *servers = server->config->servers;
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++) {
        const char *host = servers[server->peer_servers[i]].host;
        if (strcasecmp(host, servers[server->self].host) != 0 && !is_local_host(host))
            return true;
    }
    return false;
}

void herd_listener_log(struct herd_server *server)
{
    const struct herd_config_server *self = &server->config->servers[server->self];
    bool all_loopback = true;
    char text[HERD_SOCKADDR_TEXT_MAX] = "", http[HERD_SOCKADDR_TEXT_MAX] = "";
    for (size_t i = 0; i < server->listener_count; i++) {
        struct sockaddr_storage bound;
        socklen_t len;
        bool is_unix = !bound_to(server, i, &bound, &len) || bound.ss_family == AF_UNIX;
        bool lines = server->listeners[i]->door == &line_door;
        char *shown = lines ? text : http;
        if (bound.ss_family)
            herd_sockaddr_text((struct sockaddr *)&bound, len, shown);
        if (lines)
            all_loopback = all_loopback && !is_unix && herd_sockaddr_is_loopback((struct sockaddr *)&bound);
        struct herd_log_field fields[] = {
            herd_log_text("name", server->options.name),
            herd_log_text("address", shown),
            herd_log_text("host", self->host),
            herd_log_int("port", server->port),
        };
        herd_log_event(server->log, HERD_LOG_INFO, server->listeners[i]->door->event, fields,
                       is_unix || !lines ? 2 : 4);
    }
    if (!all_loopback || server->options.listen_fd || self->listen_count || is_local_host(self->host) ||
        !has_neighbours_elsewhere(server))
        return;
    struct herd_log_field fields[] = {
        herd_log_text("host", self->host),
        herd_log_text("address", text),
        herd_log_text("hint", "neighbours on other machines cannot connect: see servers.NAME.listen"),
    };
    herd_log_event(server->log, HERD_LOG_WARN, "listening_on_loopback_only", fields, 3);
}
