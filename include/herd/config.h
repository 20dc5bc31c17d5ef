/* SPDX-License-Identifier: MIT */
/*
 * The herd, as JSON describes it: which servers there are, which of them are linked, where places come
 * from, what is logged, and every limit. herd_config_default() is the five-server herd that needs no
 * file; herd_config_read() takes a file and says exactly where and why it is wrong.
 *
 *     struct herd_config *config;
 *     struct herd_diagnostic diagnostic;
 *     if (herd_config_read(&config, "herd.json", &diagnostic) < 0)
 *         fprintf(stderr, "%s:%u:%u: %s\n", "herd.json", diagnostic.line, diagnostic.column, diagnostic.message);
 *
 * What a file leaves out has its default. Without `servers` the five built-in ones are meant, with their
 * links unless the file gives others; servers without `links` have none. A provider without its kind is
 * google-new where it has a key, file where it has a file, else embedded. A file has at most 16 MiB, a
 * text in it 4096 bytes.
 */
#ifndef HERD_CONFIG_H
#define HERD_CONFIG_H

#include <herd/log.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One server of the herd. */
struct herd_config_server {
    char *name; /* 1..64 bytes of A-Z a-z 0-9 . _ - */
    char *host; /* where the other servers connect: a name or an address; default 127.0.0.1. It listens there too if
                   `listen` is NULL */
    uint16_t port;
    bool plain;          /* a foreign implementation: bare AT lines, a connection per message */
    bool plain_sender;   /* plain: it expects the name of the sender as a seventh field of each line */
    size_t listen_count; /* 0..16 */
    /* Where it listens, always on `port`: names or addresses, each with all its addresses; "*" stands for all of the
     * machine, IPv4 and IPv6. NULL: the host. */
    char **listen;
    uint16_t http_port;       /* where it serves HTTP; 0: nowhere */
    size_t http_listen_count; /* 0..16 */
    char **http_listen;       /* on which hosts, as `listen`; NULL: where it listens */
    uint16_t admin_port;      /* where it serves the state of the server by HTTP, on 127.0.0.1; 0: nowhere */
};

/* Servers a and b, as indices into `servers`, are neighbours. */
struct herd_config_link {
    size_t a, b;
};

/* One provider of places; which members matter depends on `kind`. Strings may be NULL: not given. */
struct herd_config_provider {
    char *kind;           /* "google-new", "google-legacy", "file", "embedded", "overpass" */
    char *url;            /* https://..., or http:// to a loopback address only; no user, query or fragment */
    char *key_file;       /* the API key: first line of this file */
    char *key_env;        /* the API key: value of this environment variable */
    char *ca_file;        /* extra trust root (PEM), for tests and private proxies */
    char *file;           /* "file": GeoJSON, line-delimited GeoJSON, or GeoNames TSV */
    char *fields;         /* "google-new": "pro" (default), "enterprise", or a field mask */
    char *filter;         /* "overpass": tag filter, default: amenity|shop|tourism|leisure|office with name or
                             name:en */
    int64_t timeout_ms;   /* one look-up in all, queueing included; 5000 */
    int64_t cache_ms;     /* "overpass" only: how long an answer may be reused; 600000; 0 off */
    size_t in_flight_max; /* requests under way to this provider; 8 (overpass: 1) */
};

/* Every bound that can be set, with its default in herd_config_default(). See limits in the manual. */
/* clang-format off */
#define HERD_LIMIT_LIST(X)                                                                                                    \
    /* name, default, least, greatest, what it bounds */                                                                      \
    X(line_max_bytes, 65536, 256, 16777216, "longest line from a client, LF not counted")                                     \
    X(records_max, 1000000, 1, 1073741824, "clients known; new ones are refused at the limit, none is evicted")               \
    X(records_bytes_max, 4294967296, 0, 1125899906842624, "memory for them; reports that need more are refused; 0: no bound") \
    X(clients_max, 10000, 1, 1000000, "client connections in all")                                                            \
    X(clients_per_address_max, 0, 0, 1000000, "client connections from one address, of IPv6 from one /64; 0: no bound")        \
    X(reports_per_address_max, 0, 0, 1000000000, "reports a second from one address, of IPv6 from one /64, over all its connections in a row; 0: no bound") \
    X(client_idle_ms, 300000, 0, 86400000, "close a client silent for this long; 0: never")                                   \
    X(line_deadline_ms, 10000, 0, 86400000, "time for a line to become whole; 0: no bound")                                   \
    X(fences_max, 10000, 0, 1000000, "fences in all; more are refused")                                                       \
    X(viewers_max, 1000, 1, 1000000, "event streams open at a time; they count among the clients too")                        \
    X(traces_max, 1000, 0, 1000000, "clients whose reports are traced since somebody asked; 0: none")                         \
    X(summary_ms, 300000, 0, 86400000, "how often the log says how the server is; 0: never")                                  \
    X(write_stall_ms, 10000, 100, 86400000, "close a connection that takes no byte for this long")                            \
    X(output_pause_bytes, 65536, 4096, 1073741824, "stop reading a client with more than this unsent")                        \
    X(output_max_bytes, 1048576, 65536, 1073741824, "close a client with more than this unsent")                              \
    X(lookups_per_client_max, 4, 1, 1024, "look-ups under way for one client; later commands wait")                           \
    X(lookups_max, 64, 1, 65536, "look-ups under way in all")                                                                 \
    X(lookup_queue_max, 1024, 0, 1048576, "look-ups waiting for a place among those")                                         \
    X(lookup_reply_max_bytes, 1048576, 1024, 268435456, "largest answer of a provider, decoded")                              \
    X(searches_max, 64, 1, 65536, "questions of who is near under way in all; more are refused")                              \
    X(peer_buffer_bytes, 65536, 4096, 16777216, "flooding fills a link only while less than this is unsent")                  \
    X(peer_ping_ms, 5000, 50, 3600000, "sign of life to a neighbour this often; dead when four times as long silent")         \
    X(peer_hello_ms, 5000, 50, 3600000, "time for a new link to introduce itself")                                            \
    X(plain_lines_max, 1, 1, 1000000, "AT lines on one connection to a plain neighbour")                                      \
    X(redial_min_ms, 50, 1, 60000, "first wait before dialling a neighbour again, with jitter")                               \
    X(redial_max_ms, 3000, 1, 3600000, "longest wait between dials")                                                          \
    X(digest_ms, 60000, 100, 86400000, "compare root digests on an idle link this often")                                     \
    X(future_ms, 300000, 0, 1000000000000, "a report this far ahead of the clock is warned of or refused")                    \
    X(expire_ms, 0, 0, 1000000000000, "forget a client this long after its last report; 0: never; same herd-wide")            \
    X(tombstones_max, 0, 0, 1073741824, "deletions remembered; more are refused; 0: none can be deleted; 0 or not herd-wide")  \
    X(journal_sync_ms, 1000, 0, 3600000, "longest time the journal is written but not synced; 0: never synced")               \
    X(journal_wait_ms, 1000, 1, 60000, "longest time replies wait for the journal; then it counts as behind")                 \
    X(forget_line, 0, 0, 1, "1: the line FORGET of a client deletes")                                                         \
    X(near_line, 0, 0, 1, "1: the line NEAR of a client asks who is near; it needs an area")                                  \
    X(watch_line, 0, 0, 1, "1: the line WATCH of a client tells it of fences; it needs an area")                              \
    X(close_after_reply, 0, 0, 1, "1: close a connection after its first reply")                                              \
    X(future_refuse, 0, 0, 1, "1: refuse a report from the future instead of warning")
/* clang-format on */

struct herd_limits {
#define HERD_LIMIT_MEMBER(name, standard, least, greatest, what) int64_t name;
    HERD_LIMIT_LIST(HERD_LIMIT_MEMBER)
#undef HERD_LIMIT_MEMBER
};

/* Fills every limit with its default. */
HERD_API void herd_limits_default(struct herd_limits *ret_limits);

/* Whether connections are encrypted. */
enum herd_tls_mode {
    HERD_TLS_OFF,     /* plain TCP only */
    HERD_TLS_ALLOW,   /* the first byte of a connection decides: for a change without a stop */
    HERD_TLS_REQUIRE, /* TLS only */
};

/* Files that say who is who. "{name}" in `certificate` and `key` stands for the name of the server. NULL: not given. */
struct herd_config_tls {
    enum herd_tls_mode mode;
    char *certificate; /* PEM: ours, then intermediates; with the URI herd://HERD/server/NAME among its names */
    char *key;         /* PEM, readable by its user only */
    char *ca;          /* PEM: the roots that certificates of neighbours and clients lead to */
    char *crl;         /* PEM: certificates that are revoked */
    bool tls_1_2;      /* "min_version": "1.2"; else 1.3 */
};

/* Who may use HTTP, and through what. */
struct herd_config_http {
    /* Names that requests may be for, in Host, beside those of the configuration and of this machine: a page that gave its
     * own name our address gets nothing. Without port. */
    char **hosts;
    size_t host_count; /* 0..64 */
    /* Of pages of other servers that may use this one, "https://map.example": their browsers are told so, CORS. */
    char **origins;
    size_t origin_count; /* 0..64 */
    /* Addresses or networks ("10.1.0.0/16") whose connections begin with a header of the PROXY protocol, on both ports, and
     * are those of the address that it names. Who connects from there without one is refused. */
    char **proxies;
    size_t proxy_count; /* 0..64 */
    bool open;          /* without identities, and not on a loopback address alone: that is meant */
};

/* Where a server of another herd listens. */
struct herd_config_address {
    char *host;
    uint16_t port;
};

/* A herd, one of several that have a part of the clients each. */
struct herd_config_shard {
    char *name;                          /* 1..64 bytes of A-Z a-z 0-9 . _ - */
    struct herd_config_address *servers; /* where clients connect; may be empty for the herd's own */
    size_t server_count;                 /* 0..64 */
    char *http;                          /* where its HTTP is, "https://south.example:8443"; NULL: not known */
};

/* Which herds there are, and which of them this one is: PROTOCOL.md, 5. */
struct herd_config_shards {
    struct herd_config_shard *herds;
    size_t herd_count; /* 0..1024; 0: every client is this herd's */
    char *self;        /* one of their names */
    char *
        key_file; /* 64 hexadecimal digits: buckets are keyed by it, in all herds. NULL: by the herd's secret, if any */
};

/* Who posts events of fences to a URL. */
struct herd_config_webhook {
    char *server;       /* the one that does; NULL: nobody, and nothing else is set */
    char *url;          /* https://..., or http:// to a loopback address only; no user, query or fragment */
    char *secret_file;  /* the bytes of its first line sign what is posted: HMAC-SHA256. NULL: it is not signed */
    char *ca_file;      /* extra trust root (PEM). NULL: none */
    int64_t timeout_ms; /* for one request in all; 10000 */
    size_t queue_max;   /* events that wait; more are dropped, counted and told of; 10000 */
};

/* A database beside the herd (herd/database.h). Strings may be NULL: not given. */
struct herd_config_database {
    char *kind;     /* "postgres", "redis", or that of another adapter; NULL: there is no database */
    char *dsn_file; /* how to connect: the first line of this file, which its user alone may read */
    char *library; /* the adapter; NULL: libherd-KIND.so.0.1, installed beside libherd, or where the system looks */
    int64_t flush_ms;       /* the newest record of each client is written once in so long; 1000 */
    int64_t batch;          /* records in a batch; 1000 */
    bool history;           /* "history": "samples": what was written is kept too, not the newest alone */
    int64_t retention_days; /* of samples; 0: for ever */
    int64_t adopt_ms;  /* a server that gave no sign of life in the database for so long is written for; 15000 */
    bool read_through; /* questions for clients that a server does not know are asked there; off */
    bool warm_start;   /* a server that begins with nothing, and finds nothing at its neighbours, reads it; off */
    bool geo;          /* an index of places there; off */
};

struct herd_config {
    struct herd_config_server *servers;
    size_t server_count;
    struct herd_config_link *links;
    size_t link_count;
    struct herd_config_provider *providers; /* a chain: the first healthy one answers; never empty */
    size_t provider_count;
    enum herd_log_level log_level;
    bool log_traffic;
    char *herd;        /* its name, 1..64 bytes of A-Z a-z 0-9 . _ -; NULL: none */
    char *secret_file; /* the herd's secret, 64 hexadecimal digits: digests are keyed by it. NULL: none */
    char *identities;  /* a file: who may report and ask for which clients. NULL: everybody may */
    char *
        psk_file; /* a file: a key for each pair of this server and a neighbour; "{name}" as in journal. NULL: none */
    struct herd_config_tls tls;
    struct herd_config_http http;
    struct herd_config_shards shards;
    char *journal; /* a file; "{name}" in it stands for the name of the server. NULL: none */
    bool area;     /* servers keep an area, herd/area.h: who is near, fences */
    char *fences;  /* a file of fences, GeoJSON as herd/geojson.h says. NULL: none */
    struct herd_config_webhook webhook;
    struct herd_limits limits;
    struct herd_config_database database;
};

/* Where a configuration is wrong. Line and column (in characters) count from 1; 0 where no place is known (a file that
 * cannot be read). `message` names the member, what was expected and what was found. */
struct herd_diagnostic {
    unsigned line, column;
    char message[256];
};

/* The built-in herd: Riley 12000, Jaquez 12001, Juzang 12002, Campbell 12003, Bernard 12004 on
 * 127.0.0.1, six links, embedded places. HERD_E_NOMEM. */
HERD_API int herd_config_default(struct herd_config **ret_config);
/* Reads and checks a file. HERD_E_NOMEM; HERD_E_IO, HERD_E_SYNTAX, HERD_E_RANGE with *reterr_diagnostic. */
HERD_API int herd_config_read(struct herd_config **ret_config, const char *path,
                              struct herd_diagnostic *reterr_diagnostic);
/* The same from memory; `json` borrowed for the call. */
HERD_API int herd_config_parse(struct herd_config **ret_config, struct herd_span json,
                               struct herd_diagnostic *reterr_diagnostic);
/* Appends the configuration in force as JSON that herd_config_parse takes again; key files and
 * variables are named, keys never shown. HERD_E_NOMEM. */
HERD_API int herd_config_print(const struct herd_config *config, struct herd_buf *out);
HERD_API void herd_config_free(struct herd_config *config);

/* The index of a server by name, or HERD_E_NOTFOUND. */
HERD_API int herd_config_find(const struct herd_config *config, struct herd_span name);

#ifdef __cplusplus
}
#endif
#endif
