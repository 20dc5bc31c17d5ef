/* SPDX-License-Identifier: MIT */
/*
 * Bytes of the wire for a stream. The first byte says which:
 *
 *     0  the bytes are what a server gets first      2  bits of the handshake are turned
 *     1  what it gets behind a handshake             3  bits of records behind it are
 *
 * for 2 and 3, each pair of bytes that follows is how far to go on and which bits to turn. Random bytes are the same in
 * each run, so a finding can be run again. What comes out as plain text is what went in, or the beginning of it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls_impl.h"

#include <openssl/rand.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

static uint64_t dice;

static int roll(unsigned char *to, int count)
{
    for (int i = 0; i < count; i++) {
        dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        to[i] = (unsigned char)(dice >> 56);
    }
    return 1;
}

static int ready(void)
{
    return 1;
}

static struct herd_tls_context *open_context(const char *self, const char *peer)
{
    char path[] = "/tmp/herd-fuzz-XXXXXX", text[128];
    struct herd_tls_context *context = NULL;
    struct herd_tls_fault fault = {0};
    int fd = mkstemp(path);
    int len = snprintf(text, sizeof text, "%s 01%062d\n", peer, 0);
    MUST(fd >= 0 && write(fd, text, (size_t)len) == len && close(fd) == 0);
    const struct herd_tls_options options = {
        .herd = herd_span_of("h"), .self = herd_span_of(self), .psk_file = path, .tls_1_2 = true};
    MUST(herd_tls_context_new(&context, &options, &fault) == 0);
    unlink(path);
    return context;
}

struct end {
    struct herd_tls_stream *stream;
    struct herd_buf plain, out;
};

static struct herd_span take(struct end *end)
{
    return (struct herd_span){end->out.len ? end->out.at : "", end->out.len};
}

static void give(struct end *from, struct end *to)
{
    int state = herd_tls_input(to->stream, take(from), &to->plain, &to->out);
    MUST(state >= 0 && state == (int)herd_tls_stream_state(to->stream));
    MUST(state != HERD_TLS_FAILED || herd_tls_stream_fault(to->stream)->event);
    from->out.len = 0;
}

/* Turns bits in what is on the way; returns whether any was. */
static bool turn(struct end *end, const uint8_t **io_data, size_t *io_size)
{
    bool turned = false;
    for (size_t at = 0; *io_size >= 2;) {
        at += (*io_data)[0];
        if (at >= end->out.len)
            break;
        end->out.at[at] = (char)(end->out.at[at] ^ (*io_data)[1]);
        turned |= (*io_data)[1] != 0;
        *io_data += 2;
        *io_size -= 2;
    }
    return turned;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct herd_tls_context *server_context, *client_context;
    static const RAND_METHOD method = {.bytes = roll, .pseudorand = roll, .status = ready};
    static const char line[] = "IAMAT kiwi +34.068930-118.445127 1621464827.9\n";
    if (!server_context) {
        MUST(RAND_set_rand_method(&method) == 1);
        server_context = open_context("A", "B");
        client_context = open_context("B", "A");
    }
    if (size == 0)
        return 0;
    uint8_t kind = data[0] % 4;
    struct end server = {0}, client = {0};
    const struct herd_tls_expect expect = {.server = herd_span_of("A")};
    bool turned = false;
    data++;
    size--;
    dice = 1;
    MUST(herd_tls_stream_new(&server.stream, server_context, HERD_TLS_SERVER, NULL) == 0);
    MUST(herd_tls_stream_new(&client.stream, client_context, HERD_TLS_CLIENT, &expect) == 0);
    MUST(herd_tls_input(client.stream, (struct herd_span){"", 0}, &client.plain, &client.out) >= 0);
    if (kind == 0)
        client.out.len = 0;
    for (int i = 0; i < 6 && kind != 0; i++) {
        if (kind == 2)
            turned |= turn(i % 2 ? &server : &client, &data, &size);
        give(i % 2 ? &server : &client, i % 2 ? &client : &server);
    }
    bool open = herd_tls_stream_state(server.stream) == HERD_TLS_OPEN;
    MUST(kind == 0 || kind == 2 || open);
    struct herd_span name;
    if (open) /* whatever was turned, only who has the key is let in */
        MUST(herd_tls_stream_peer(server.stream, &name) == HERD_TLS_PROOF_SERVER &&
             herd_span_equal(name, herd_span_of("B")));
    if (kind == 3)
        for (int i = 0; i < 4; i++) {
            MUST(herd_tls_output(client.stream, herd_span_of(line), &client.out) == 0);
            turned |= turn(&client, &data, &size);
            give(&client, &server);
        }
    else if (size > 0 && kind < 2) {
        client.out.len = 0;
        MUST(herd_buf_add(&client.out, data, size) == 0);
        give(&client, &server);
    }
    for (size_t i = 0; i < server.plain.len; i++)
        MUST(kind == 3 && server.plain.at[i] == line[i % (sizeof line - 1)]);
    if (kind == 3 && !turned)
        MUST(server.plain.len == 4 * (sizeof line - 1));
    (void)herd_tls_close(server.stream, &server.out);
    for (struct end *end = &server; end; end = end == &server ? &client : NULL) {
        herd_tls_stream_free(end->stream);
        herd_buf_fini(&end->plain);
        herd_buf_fini(&end->out);
    }
    return 0;
}
