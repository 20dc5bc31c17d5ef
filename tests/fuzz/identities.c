/* SPDX-License-Identifier: MIT */
/* Any bytes as a file of identities: refused with a place inside the text, or taken, and then each identity is found
 * by its name. */
#include <herd/identity.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct herd_identities *set = NULL;
    struct herd_identities_error error = {0};
    char *copy = malloc(size ? size : 1); /* of just this size, so that reading too far is seen */
    MUST(copy);
    if (size)
        memcpy(copy, data, size);
    int err = herd_identities_parse(&set, (struct herd_span){copy, size}, (const uint64_t[2]){1, 2}, &error);
    if (err < 0) {
        MUST(!set && error.message && error.line >= 1 && error.line <= size + 1 && error.column >= 1 &&
             error.column <= size + 1);
        free(copy);
        return 0;
    }
    /* The first field of each line is an identity, which may report what its pattern says to the letter. */
    for (size_t at = 0; at < size;) {
        const char *lf = memchr(copy + at, '\n', size - at);
        size_t end = lf ? (size_t)(lf - copy) : size, from = at;
        while (from < end && strchr(" \t\v\f\r", copy[from]) && copy[from])
            from++;
        size_t stop = from;
        while (stop < end && !(strchr(" \t\v\f\r", copy[stop]) && copy[stop]))
            stop++;
        if (stop > from && copy[from] != '#') {
            struct herd_span name = {copy + from, stop - from};
            struct herd_identity *identity = herd_identities_find(set, name);
            MUST(identity && herd_span_equal(herd_identity_name(identity), name));
            if (herd_identity_may_report(identity, herd_span_of("\1 no client has this id")))
                MUST(memchr(copy + from, '*', end - from));
        }
        at = end + 1;
    }
    herd_identities_free(set);
    free(copy);
    return 0;
}
