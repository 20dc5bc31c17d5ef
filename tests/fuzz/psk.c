/* SPDX-License-Identifier: MIT */
/* Any bytes as a file of keys of pairs: refused with a place, or each line's key is found by its name. */
#include "tls_impl.h"

#include <stdint.h>
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
    struct herd_psks psks = {0};
    struct herd_tls_fault fault = {0};
    char *copy = malloc(size ? size : 1);
    MUST(copy);
    if (size)
        memcpy(copy, data, size);
    int err = herd_psks_parse(&psks, (struct herd_span){copy, size}, "file", &fault);
    if (err < 0)
        MUST(strcmp(fault.event, "psk_file_bad") == 0 && strncmp(fault.text, "file:", 5) == 0 && !psks.list);
    for (size_t i = 0; i < psks.count; i++) {
        const struct herd_psk *one = &psks.list[i];
        MUST(one->name_len > 0 && one->name_len <= HERD_PSK_NAME_MAX);
        MUST(herd_psks_find(&psks, (struct herd_span){one->name, one->name_len}) == one);
    }
    herd_psks_fini(&psks);
    free(copy);
    return 0;
}
