/* SPDX-License-Identifier: MIT */
#include "dsn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT           6379
#define DB_MAX         65535
#define HOST_MAX       253
#define PATH_MAX_BYTES 107 /* sun_path, without its NUL */

static int fail(struct herd_diagnostic *reterr_diagnostic, int err, const char *message)
{
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "%s", message);
    return err;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy of `text` with %XX decoded. HERD_E_NOMEM; HERD_E_SYNTAX: a % without two digits, or a NUL. */
static int decode(char **ret_text, struct herd_span text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        return HERD_E_NOMEM;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int byte = (unsigned char)text.at[i];
        if (byte == '%') {
            int high = i + 2 < text.len ? hex(text.at[i + 1]) : -1, low = high >= 0 ? hex(text.at[i + 2]) : -1;
            byte = low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (byte == 0) {
            memset(copy, 0, len);
            free(copy);
            return HERD_E_SYNTAX;
        }
        copy[len++] = (char)byte;
    }
    copy[len] = 0;
    *ret_text = copy;
    return 0;
}

static bool number(struct herd_span text, unsigned most, unsigned *ret_number)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.at[i] - '0');
    }
    *ret_number = value;
    return value <= most;
}

static bool take(struct herd_span *io_text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (io_text->len < len || memcmp(io_text->at, prefix, len) != 0)
        return false;
    *io_text = (struct herd_span){io_text->at + len, io_text->len - len};
    return true;
}

/* The part in front of the last or first `c`, which is cut off *io_text with it. False: there is no `c`. */
static bool cut(struct herd_span *io_text, char c, bool last, struct herd_span *ret_front)
{
    const char *found = NULL;
    for (size_t i = 0; i < io_text->len && !(found && !last); i++)
        if (io_text->at[i] == c)
            found = io_text->at + i;
    if (!found)
        return false;
    *ret_front = (struct herd_span){io_text->at, (size_t)(found - io_text->at)};
    *io_text = (struct herd_span){found + 1, io_text->len - ret_front->len - 1};
    return true;
}

/* "user:password@", if `text` begins with it; a path or a host has no @. */
static int take_user(struct herd_redis_dsn *dsn, struct herd_span *io_text)
{
    struct herd_span front, user;
    if (!cut(io_text, '@', true, &front))
        return 0;
    bool has_password = cut(&front, ':', false, &user);
    if (!has_password)
        user = front;
    int err = user.len ? decode(&dsn->user, user) : 0;
    if (err >= 0 && has_password && front.len)
        err = decode(&dsn->password, front);
    if (err >= 0 && !dsn->password)
        err = HERD_E_SYNTAX; /* AUTH has no form for a user alone */
    return err;
}

static int take_host(struct herd_redis_dsn *dsn, struct herd_span text)
{
    struct herd_span front, db = {"", 0};
    unsigned port = PORT;
    if (cut(&text, '/', false, &front)) {
        db = text;
        text = front;
    }
    if (take(&text, "[")) {
        if (!cut(&text, ']', false, &front) || (text.len && !take(&text, ":")))
            return HERD_E_SYNTAX;
    } else if (!cut(&text, ':', false, &front)) {
        front = text;
        text = (struct herd_span){"", 0};
    }
    if ((text.len && (!number(text, 65535, &port) || port == 0)) || (db.len && !number(db, DB_MAX, &dsn->db)) ||
        front.len == 0 || front.len > HOST_MAX)
        return HERD_E_SYNTAX;
    dsn->port = (uint16_t)port;
    return decode(&dsn->host, front);
}

static int take_path(struct herd_redis_dsn *dsn, struct herd_span text)
{
    struct herd_span path = text;
    if (cut(&text, '?', false, &path) && (!take(&text, "db=") || !number(text, DB_MAX, &dsn->db)))
        return HERD_E_SYNTAX;
    if (path.len < 2 || path.at[0] != '/' || path.len > PATH_MAX_BYTES)
        return HERD_E_SYNTAX;
    return decode(&dsn->path, path);
}

int herd_redis_dsn_parse(struct herd_redis_dsn *ret_dsn, struct herd_span text,
                         struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_redis_dsn dsn = {.port = PORT};
    int err = HERD_E_SYNTAX;
    if (take(&text, "rediss://"))
        return fail(reterr_diagnostic, HERD_E_UNSUPPORTED,
                    "no TLS to a Redis: use a Unix socket, or a tunnel, or a network you trust");
    bool is_path = take(&text, "unix://");
    if (is_path || take(&text, "redis://")) {
        err = take_user(&dsn, &text);
        if (err >= 0)
            err = is_path ? take_path(&dsn, text) : take_host(&dsn, text);
    }
    if (err < 0) {
        herd_redis_dsn_fini(&dsn);
        return err == HERD_E_SYNTAX
                   ? fail(reterr_diagnostic, err,
                          "expected redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=]")
                   : err;
    }
    *ret_dsn = dsn;
    return 0;
}

static void wipe(char *text)
{
    for (volatile char *at = text; at && *at; at++)
        *at = 0;
    free(text);
}

void herd_redis_dsn_fini(struct herd_redis_dsn *dsn)
{
    free(dsn->host);
    free(dsn->path);
    wipe(dsn->user);
    wipe(dsn->password);
    *dsn = (struct herd_redis_dsn){0};
}
