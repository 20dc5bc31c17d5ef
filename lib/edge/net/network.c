/* SPDX-License-Identifier: MIT */
#include "network.h"

#include <arpa/inet.h>
#include <string.h>

#define MAPPED_BITS 96 /* of ::ffff:0:0, in front of those of IPv4 */

/* Decimal digits, at most three, without a zero in front. False: something else, or above `most`. */
static bool parse_bits(const char *text, unsigned most, unsigned *ret_bits)
{
    unsigned bits = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(text[i] - '0');
    }
    *ret_bits = bits;
    return bits <= most;
}

bool herd_network_parse(const char *text, struct herd_network *ret_network)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    struct herd_network network = {{0}, 0};
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    bool v4 = inet_pton(AF_INET, address, network.address + 12) == 1;
    if (!v4 && inet_pton(AF_INET6, address, network.address) != 1)
        return false;
    unsigned all = v4 ? 32 : 128;
    network.bits = all;
    if (slash && !parse_bits(slash + 1, all, &network.bits))
        return false;
    if (v4) {
        network.address[10] = network.address[11] = 0xff;
        network.bits += MAPPED_BITS;
    }
    *ret_network = network;
    return true;
}

bool herd_network_has(const struct herd_network *network, const unsigned char address[16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    return rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}
