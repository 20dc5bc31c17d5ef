/* SPDX-License-Identifier: MIT */
/* What was begun and is not told yet: the list of it, in order. */
#include "redis_impl.h"

#include <stdlib.h>
#include <string.h>

struct herd_redis_operation *herd_redis_operation_new(enum herd_redis_kind kind, uint64_t ticket,
                                                      size_t commands_max)
{
    struct herd_redis_operation *operation = calloc(1, sizeof *operation);
    if (!operation)
        return NULL;
    operation->kind = kind;
    operation->ticket = ticket;
    operation->commands = calloc(commands_max, sizeof *operation->commands);
    if (!operation->commands) {
        free(operation);
        return NULL;
    }
    return operation;
}

void herd_redis_operation_free(struct herd_redis_operation *operation)
{
    for (size_t i = 0; i < 2; i++)
        if (operation->replies[i])
            freeReplyObject(operation->replies[i]);
    /* The setup's have the password. */
    if (operation->kind == HERD_REDIS_SETUP)
        for (size_t i = 0; i < operation->bytes.len; i++)
            ((volatile char *)operation->bytes.at)[i] = 0;
    herd_buf_fini(&operation->bytes);
    free(operation->commands);
    free(operation);
}

void herd_redis_command_begin(struct herd_redis_operation *operation)
{
    operation->commands[operation->count].from = operation->bytes.len;
}

void herd_redis_command_end(struct herd_redis_operation *operation)
{
    struct herd_redis_slice *command = &operation->commands[operation->count++];
    command->len = operation->bytes.len - command->from;
}

void herd_redis_operation_add(struct herd_database *database, struct herd_redis_operation *operation)
{
    if (database->last)
        database->last->next = operation;
    else
        database->first = operation;
    database->last = operation;
    database->operation_count++;
}

void herd_redis_operation_finish(struct herd_redis_operation *operation, enum herd_database_result result,
                                 const char *message)
{
    operation->done = true;
    operation->result = result;
    if (message && message != operation->message) {
        size_t len = strnlen(message, sizeof operation->message - 1);
        memcpy(operation->message, message, len);
        operation->message[len] = 0;
    }
}
