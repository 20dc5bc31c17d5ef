/* SPDX-License-Identifier: MIT */
/* hiredis' reader of replies, with bounds: it would make arrays of as many elements as a reply says it has, arrays in
 * arrays too. */
#include "redis_impl.h"

static void *create_array(const redisReadTask *task, int elements)
{
    struct herd_database *database = task->privdata;
    if ((size_t)elements > HERD_REDIS_ELEMENTS_MAX - database->reply_elements)
        return NULL;
    database->reply_elements += (size_t)elements;
    return database->create_array(task, elements);
}

bool herd_redis_reader_open(struct herd_database *database)
{
    redisReader *reader = redisReaderCreate();
    if (!reader)
        return false;
    /* It aborts where it finds no memory to shrink its buffer. */
    reader->maxbuf = 0;
    database->functions = *reader->fn;
    database->create_array = (void *(*)(const redisReadTask *, int))database->functions.createArray;
    database->functions.createArray = create_array;
    reader->fn = &database->functions;
    reader->privdata = database;
    database->reader = reader;
    database->reply_bytes = database->reply_elements = 0;
    return true;
}
