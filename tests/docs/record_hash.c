/* SPDX-License-Identifier: MIT */
/* Prints the id hash and the record hash of the AT and GONE lines on standard input, and the ROOT line of them all: what
 * the library itself makes of them, for protocol.py to compare. */
#include "store_impl.h"

#include <herd/protocol.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int put(struct herd_store *store, const struct herd_command *at)
{
    const struct herd_record record = {at->server, at->diff, at->id, at->position, at->time, at->time_ns};
    enum herd_put verdict;
    uint32_t slot;
    return herd_store_put(store, &record, &verdict, &slot);
}

int main(void)
{
    char text[4096];
    struct herd_command at;
    struct herd_store *all = NULL, *one = NULL;
    int status = herd_store_new(&all, NULL) < 0;
    while (!status && fgets(text, sizeof text, stdin)) {
        herd_command_parse((struct herd_span){text, strlen(text)}, &at);
        if ((at.verb != HERD_AT && at.verb != HERD_GONE) || herd_store_new(&one, NULL) < 0 || put(one, &at) < 0 ||
            put(all, &at) < 0) {
            status = 1;
            break;
        }
        /* The digest of a store with one record is the hash of that record. */
        printf("%016" PRIx64 " %016" PRIx64 "\n", herd_store_id_hash(one, at.id), herd_store_digest(one));
        herd_store_free(one);
        one = NULL;
    }
    if (all)
        printf("ROOT %zu %016" PRIx64 "\n", herd_store_count(all), herd_store_digest(all));
    herd_store_free(one);
    herd_store_free(all);
    return status;
}
