/* SPDX-License-Identifier: MIT */
/* Any lines as the URIs of a certificate's alternative names: a name is found only where a second, plainer reading of
 * them finds the same. And any bytes as the extension itself. */
#include "tls_impl.h"

#include <herd/protocol.h>

#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

static void add(GENERAL_NAMES *names, const char *bytes, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    MUST(name && text && ASN1_STRING_set(text, bytes, (int)len) == 1);
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    MUST(sk_GENERAL_NAME_push(names, name) > 0);
}

static void read_extension(const uint8_t *data, size_t size)
{
    const unsigned char *at = data;
    char name[HERD_PSK_NAME_MAX];
    size_t len = 0;
    GENERAL_NAMES *names = d2i_GENERAL_NAMES(NULL, &at, (long)size);
    if (names)
        (void)herd_tls_names_read(names, herd_span_of("h"), name, &len);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char server[] = "herd://h/server/", client[] = "herd://h/client/";
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    char found[HERD_PSK_NAME_MAX];
    size_t found_len = 0, ours = 0, count = 0;
    struct herd_span last = {NULL, 0};
    MUST(names);
    for (size_t at = 0; at < size && count < 64; count++) {
        const char *from = (const char *)data + at, *lf = memchr(from, '\n', size - at);
        size_t len = lf ? (size_t)(lf - from) : size - at;
        add(names, from, len);
        if (len >= 5 && memcmp(from, "herd:", 5) == 0) {
            ours++;
            last = (struct herd_span){from, len};
        }
        at += len + 1;
    }
    enum herd_tls_proof proof = herd_tls_names_read(names, herd_span_of("h"), found, &found_len);
    bool good = ours == 1 && last.len > sizeof server - 1 &&
                herd_name_valid((struct herd_span){last.at + sizeof server - 1, last.len - (sizeof server - 1)});
    bool as_server = good && memcmp(last.at, server, sizeof server - 1) == 0;
    bool as_client = good && memcmp(last.at, client, sizeof client - 1) == 0;
    MUST(proof == (as_server ? HERD_TLS_PROOF_SERVER : as_client ? HERD_TLS_PROOF_CLIENT : HERD_TLS_PROOF_NONE));
    if (proof != HERD_TLS_PROOF_NONE)
        MUST(found_len == last.len - (sizeof server - 1) &&
             memcmp(found, last.at + sizeof server - 1, found_len) == 0);
    GENERAL_NAMES_free(names);
    read_extension(data, size);
    return 0;
}
