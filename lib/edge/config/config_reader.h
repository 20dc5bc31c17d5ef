/* SPDX-License-Identifier: MIT */
/*
 * What the files that read a configuration share: the text, the current path in it, and the reporting of faults.
 * The text is parsed by json-c; every value of the tree carries the offset of its first byte, from which a fault's
 * line and column are computed.
 */
#ifndef HERD_EDGE_CONFIG_READER_H
#define HERD_EDGE_CONFIG_READER_H

#include "config_trust.h"

#include <herd/config.h>

#include <json-c/json.h>

enum {
    HERD_CONFIG_FILE_MAX_BYTES = 16 << 20,
    HERD_CONFIG_DEPTH_MAX = 8, /* the format itself needs three */
    HERD_CONFIG_TEXT_MAX_BYTES = 4096,
    HERD_CONFIG_NAME_MAX_BYTES = 64,
    HERD_CONFIG_HOST_MAX_BYTES = 255,
    HERD_CONFIG_LISTEN_MAX = 16,
    HERD_CONFIG_LIST_MAX = 64,
    HERD_CONFIG_SHARDS_MAX = 1024,
    HERD_CONFIG_SHOWN_SIZE = 72, /* a value or name shown in a fault, with its NUL */
};

/* A member (`name` set, not terminated) or an element of a list. */
struct herd_config_step {
    struct herd_span name;
    size_t index;
};

/* Receives each fault if all of them are wanted; `diagnostic` borrowed for the call. */
typedef void herd_config_report(void *ctx, const struct herd_diagnostic *diagnostic);

/* Positions in the text of what a check opens. Line 0: not given there, or its fault was reported already. */
struct herd_config_place {
    unsigned line, column;
};
struct herd_config_places {
    struct herd_config_place *servers, *providers; /* as many as the configuration has */
    struct herd_config_place journal, fences, webhook_secret, database;
    struct herd_config_place trust[HERD_CONFIG_TRUST_COUNT];
};

struct herd_config_reader {
    struct herd_span text;
    struct herd_diagnostic *diagnostic; /* never NULL */
    herd_config_report *report;         /* NULL: the first fault is the end */
    void *report_ctx;
    struct herd_config_places *places; /* NULL: not wanted */
    struct herd_config_step path[HERD_CONFIG_DEPTH_MAX];
    size_t depth;
};

/* Steps down to a member or an element and up again. Names are borrowed until the step up. */
void herd_config_enter(struct herd_config_reader *reader, struct herd_span name);
void herd_config_enter_index(struct herd_config_reader *reader, size_t index);
void herd_config_leave(struct herd_config_reader *reader);

/* Between the members of an object or list, `err` being what came of one: steps back up to `depth` and keeps the
 * first error in *io_err, or HERD_E_NOMEM. False: the reading ends here. */
bool herd_config_goes_on(struct herd_config_reader *reader, size_t depth, int *io_err, int err);
/* Reads the member `name` of an object into `ctx`; the step down to it is made. 0, an error, or UNKNOWN. */
typedef int herd_config_take_member(struct herd_config_reader *reader, const char *name, struct json_object *value,
                                    void *ctx);
enum { HERD_CONFIG_UNKNOWN = 1 };

/* Gives each member of an object to `take`. `expected` names the members that there are, for a fault. The first error; after
 * others than HERD_E_NOMEM it went on where all faults are wanted. */
int herd_config_take_members(struct herd_config_reader *reader, struct json_object *value,
                             herd_config_take_member *take, void *ctx, const char *expected);
struct herd_config_place herd_config_place_of(const struct herd_config_reader *reader, size_t offset);
/* Reports a fault at `offset`: the current path, then the message. Returns `err`. */
int herd_config_fail(struct herd_config_reader *reader, int err, size_t offset, const char *format, ...)
    HERD_PRINTF(4, 5);
/* Reports a fault without a position in a text. `diagnostic` may be NULL. Returns `err`. */
int herd_config_fail_nowhere(struct herd_diagnostic *diagnostic, int err, const char *format, ...)
    HERD_PRINTF(3, 4);
/* `<path>: expected <expected>, found <the value>` at the value. Returns `err`. */
int herd_config_expected(struct herd_config_reader *reader, int err, struct json_object *value,
                         const char *expected);
/* Bytes as a fault shows them: escaped, and cut where they are long. Returns `to`. */
const char *herd_config_show(char to[HERD_CONFIG_SHOWN_SIZE], struct herd_span bytes);

/* Where a value starts in the text, and where the name of the member starts whose value it is. */
size_t herd_config_at(struct json_object *value);
size_t herd_config_name_at(const struct herd_config_reader *reader, struct json_object *value);

/* Reads a whole configuration and reports every fault, not the first alone; a fault of the JSON form ends the
 * reading. *ret_config is what could be read, with defaults for the rest, and owned: NULL if nothing could. 0, or
 * the error of the first fault. *ret_places is owned: herd_config_places_fini. HERD_E_NOMEM. */
int herd_config_examine(struct herd_config **ret_config, struct herd_config_places *ret_places, const char *path,
                        herd_config_report *report, void *ctx);
void herd_config_places_fini(struct herd_config_places *places);

/* Parses the reader's text: strict JSON, an object, no member twice, every value marked with its offset.
 * *ret_tree is owned, json_object_put. HERD_E_NOMEM; HERD_E_SYNTAX with the fault. */
int herd_config_tree(struct herd_config_reader *reader, struct json_object **ret_tree);

/* A string that is neither empty, long, nor holding control bytes, copied; the old *io_text is freed. */
int herd_config_take_text(struct herd_config_reader *reader, struct json_object *value, char **io_text);
int herd_config_take_int(struct herd_config_reader *reader, struct json_object *value, int64_t least,
                         int64_t greatest, int64_t *ret_number);
int herd_config_take_bool(struct herd_config_reader *reader, struct json_object *value, bool *ret_bool);
/* Whether the text is made of letters, digits and the bytes of `others` only. */
bool herd_config_made_of(const char *text, const char *others);

/* The sections. Each fills its part of the configuration from the value of its member. */
int herd_config_take_servers(struct herd_config_reader *reader, struct json_object *value,
                             struct herd_config *config);
int herd_config_take_links(struct herd_config_reader *reader, struct json_object *value,
                           struct herd_config *config);
int herd_config_take_places(struct herd_config_reader *reader, struct json_object *value,
                            struct herd_config *config);
int herd_config_take_herd(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config);
int herd_config_take_tls(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config);
/* Members of trust that need each other; faults are shown at `tls`, which may be NULL. */
int herd_config_check_trust(struct herd_config_reader *reader, struct json_object *tls,
                            const struct herd_config *config);
/* Of HTTP: its section; a list of hosts to listen on; and, once all is read, whether it is open to strangers by accident, or
 * has a port that is used twice. `servers` (may be NULL) is where a fault is shown. */
int herd_config_take_http(struct herd_config_reader *reader, struct json_object *value, struct herd_config *config);
int herd_config_take_listen(struct herd_config_reader *reader, struct json_object *value, char ***ret_hosts,
                            size_t *ret_count);
int herd_config_check_http(struct herd_config_reader *reader, struct json_object *servers,
                           const struct herd_config *config);
/* Whether text is an origin as a browser writes it, "https://map.example". */
bool herd_config_is_origin(const char *text);
/* Several herds; after the name of this one. */
int herd_config_take_shards(struct herd_config_reader *reader, struct json_object *value,
                            struct herd_config *config);
/* The webhook; and once all is read, what fences and it need. `tree` is the whole configuration. */
int herd_config_take_webhook(struct herd_config_reader *reader, struct json_object *value,
                             struct herd_config *config);
int herd_config_check_fences(struct herd_config_reader *reader, struct json_object *tree,
                             const struct herd_config *config);
int herd_config_take_limits(struct herd_config_reader *reader, struct json_object *value,
                            struct herd_limits *limits);

/* A URL: https, or http to a loopback address; no user, query or fragment. No fault shows it. */
int herd_config_take_url(struct herd_config_reader *reader, struct json_object *value, char **io_url);
/* The database; a file whose section lacks its kind or its dsn_file is wrong. */
int herd_config_take_database(struct herd_config_reader *reader, struct json_object *value,
                              struct herd_config_database *database);
void herd_config_database_default(struct herd_config_database *database);
void herd_config_drop_database(struct herd_config_database *database);

/* A list of texts; frees it. */
void herd_config_drop_texts(char **texts, size_t count);
/* Free the previous content of a section before it is read again. */
void herd_config_drop_servers(struct herd_config *config);
void herd_config_drop_providers(struct herd_config *config);
void herd_config_drop_shards(struct herd_config *config);
void herd_config_drop_webhook(struct herd_config *config);
/* A copy of text, owned; NULL when there is no memory. */
char *herd_config_copy(const char *text);
/* Sets the defaults of a provider of that kind; `kind` is copied. HERD_E_NOMEM. */
int herd_config_provider_default(struct herd_config_provider *provider, const char *kind);

#endif
