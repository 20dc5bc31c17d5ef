/* SPDX-License-Identifier: MIT */
/* What is said first on a connection: who we are, which database, and the script. */
#include "command.h"
#include "redis_impl.h"
#include "script.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* SET with PXAT, ZRANDMEMBER. */
#define LEAST_MAJOR 6
#define LEAST_MINOR 2

enum step { AUTH, SELECT, INFO, LOAD, STEPS };

int herd_redis_encode_setup(struct herd_database *database, struct herd_redis_operation **ret_operation)
{
    struct herd_redis_operation *setup = herd_redis_operation_new(HERD_REDIS_SETUP, 0, STEPS);
    if (!setup)
        return HERD_E_NOMEM;
    const struct herd_redis_dsn *dsn = &database->dsn;
    struct herd_buf *out = &setup->bytes;
    int err = 0;
    herd_redis_command_begin(setup);
    if (dsn->password) {
        err = herd_redis_words(out, dsn->user ? 3 : 2);
        err = err < 0 ? err : herd_redis_word_text(out, "AUTH");
        err = err < 0 || !dsn->user ? err : herd_redis_word_text(out, dsn->user);
        err = err < 0 ? err : herd_redis_word_text(out, dsn->password);
    } else {
        err = herd_redis_command(out, "PING");
    }
    herd_redis_command_end(setup);
    herd_redis_command_begin(setup);
    err = err < 0 ? err : herd_redis_words(out, 2);
    err = err < 0 ? err : herd_redis_word_text(out, "SELECT");
    err = err < 0 ? err : herd_redis_word_number(out, dsn->db);
    herd_redis_command_end(setup);
    herd_redis_command_begin(setup);
    err = err < 0 ? err : herd_redis_command(out, "INFO");
    herd_redis_command_end(setup);
    herd_redis_command_begin(setup);
    err = err < 0 ? err : herd_redis_words(out, 3);
    err = err < 0 ? err : herd_redis_word_text(out, "SCRIPT");
    err = err < 0 ? err : herd_redis_word_text(out, "LOAD");
    err = err < 0 ? err : herd_redis_word_text(out, herd_redis_script);
    herd_redis_command_end(setup);
    if (err < 0) {
        herd_redis_operation_free(setup);
        return err;
    }
    *ret_operation = setup;
    return 0;
}

/* The value of "name:value" in a text of such lines; "" if there is none. */
static struct herd_span member(struct herd_span text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = text.at, *end = text.at + text.len; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t line = (size_t)((line_end ? line_end : end) - at);
        if (line > len && memcmp(at, name, len) == 0 && at[len] == ':') {
            size_t value = line - len - 1;
            if (value && at[line - 1] == '\r')
                value--;
            return (struct herd_span){at + len + 1, value};
        }
        at += line + 1;
    }
    return (struct herd_span){"", 0};
}

static void take_info(struct herd_database *database, struct herd_redis_operation *setup, struct herd_span info)
{
    struct herd_span valkey = member(info, "valkey_version"), redis = member(info, "redis_version");
    struct herd_span version = valkey.len ? valkey : redis;
    char kind[sizeof database->server], text[HERD_REDIS_MESSAGE_MAX];
    unsigned numbers[2] = {0, 0};
    size_t at = 0;
    for (size_t i = 0; i < 2; i++, at++)
        for (; at < redis.len && redis.at[at] >= '0' && redis.at[at] <= '9' && numbers[i] < 1000; at++)
            numbers[i] = numbers[i] * 10 + (unsigned)(redis.at[at] - '0');
    version.len = version.len > 32 ? 32 : version.len;
    snprintf(kind, sizeof kind, "%s %s", valkey.len ? "valkey" : "redis",
             herd_redis_fault_text(text, version, database->dsn.password));
    memcpy(database->server, kind, sizeof kind);
    if (numbers[0] < LEAST_MAJOR || (numbers[0] == LEAST_MAJOR && numbers[1] < LEAST_MINOR))
        herd_redis_operation_finish(setup, HERD_DATABASE_REFUSED, "it is older than Redis 6.2");
    else if (herd_span_equal(member(info, "role"), herd_span_of("slave")))
        herd_redis_operation_finish(setup, HERD_DATABASE_RETRY, "it is a replica, which takes no writes");
    else if (herd_span_equal(member(info, "cluster_enabled"), herd_span_of("1")))
        herd_redis_operation_finish(setup, HERD_DATABASE_REFUSED,
                                    "it is a part of a Redis Cluster, which is not supported");
    else if (herd_span_equal(member(info, "loading"), herd_span_of("1")))
        herd_redis_operation_finish(setup, HERD_DATABASE_RETRY, "it is reading its data");
}

static void take_error(const struct herd_database *database, struct herd_redis_operation *setup, enum step step,
                       struct herd_span error)
{
    char text[HERD_REDIS_MESSAGE_MAX];
    enum herd_database_result result = herd_redis_fault_result(error);
    if (result == HERD_DATABASE_BAD || result == HERD_DATABASE_LOST)
        result = HERD_DATABASE_RETRY;
    /* Redis shows the words of a command that it does not know: those of AUTH are not told. */
    if (step == AUTH && database->dsn.password && result == HERD_DATABASE_REFUSED)
        herd_redis_operation_finish(setup, result, "it does not take the user and the password");
    else
        herd_redis_operation_finish(setup, result, herd_redis_fault_text(text, error, database->dsn.password));
}

int herd_redis_setup_answer(struct herd_database *database, struct herd_redis_operation *setup,
                            const redisReply *reply)
{
    enum step step = (enum step)(setup->answered - 1);
    struct herd_span text = {reply->str, (size_t)reply->len};
    assert(!setup->done); /* with it the connection ended */
    if (reply->type == REDIS_REPLY_ERROR) {
        /* Rights need not include INFO. */
        if (step != INFO || herd_redis_fault_result(text) != HERD_DATABASE_REFUSED)
            take_error(database, setup, step, text);
    } else if (step == INFO && reply->type == REDIS_REPLY_STRING) {
        take_info(database, setup, text);
    } else if (step == LOAD && reply->type == REDIS_REPLY_STRING && text.len == sizeof database->sha - 1) {
        memcpy(database->sha, text.at, text.len);
    } else if (step >= INFO) {
        herd_redis_operation_finish(setup, HERD_DATABASE_REFUSED, "it does not answer as a Redis does");
    }
    return 0;
}
