/* SPDX-License-Identifier: MIT */
/* Any bytes as the header of a proxy: a header is within the bytes, its beginnings are all unfinished, and what is behind it
 * changes nothing. */
#include "../../lib/core/protocol/proxy_header.h"
#include "exact.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct herd_proxy_header header = {0}, same = {0};
    struct herd_span bytes = {(const char *)data, size};
    enum herd_proxy_scan scan = herd_proxy_header_scan(bytes, &header);
    if (scan == HERD_PROXY_DONE) {
        MUST(header.len > 0 && header.len <= size);
        MUST(herd_proxy_header_scan((struct herd_span){bytes.at, header.len}, &same) == HERD_PROXY_DONE);
        MUST(same.len == header.len && same.named == header.named && same.port == header.port &&
             memcmp(same.address, header.address, sizeof same.address) == 0);
        bytes.len = header.len;
    }
    if (scan == HERD_PROXY_FAULT)
        return 0;
    for (size_t len = 0; len < bytes.len; len++)
        MUST(herd_proxy_header_scan((struct herd_span){bytes.at, len}, &same) == HERD_PROXY_MORE);
    return 0;
}
