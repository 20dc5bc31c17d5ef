/* SPDX-License-Identifier: MIT */
/* Memory runs out at each allocation of OpenSSL's in turn: contexts, streams, handshakes and records fail and say so. */
#include "tls_pair.h"

#include <openssl/crypto.h>

static long left = -1; /* allocations that succeed; < 0: all */

static bool takes(void)
{
    if (left < 0)
        return true;
    if (left == 0)
        return false;
    left--;
    return true;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return takes() ? malloc(size) : NULL;
}

static void *retake(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return takes() ? realloc(memory, size) : NULL;
}

static void give(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static struct tls_files files;

/* Each allocation failed in turn, and from then on all: the last try is whole. */
static void test_context(void **state)
{
    (void)state;
    struct herd_tls_options options = {.self = herd_span_of("North")};
    struct herd_tls_context *context = NULL;
    struct herd_tls_fault fault = {0};
    herd_tls_context_unref(tls_context(&files, "North", options)); /* what is made once */
    long n = 0;
    for (;; n += n < 100 ? 1 : 13) {
        left = n;
        int err = tls_try_context(&files, &context, "North", options, &fault);
        bool used_up = left == 0;
        left = -1;
        if (err >= 0 && !used_up)
            break;
        if (err >= 0) { /* it did without what could not be had */
            herd_tls_context_unref(context);
            context = NULL;
            continue;
        }
        assert_true(err == HERD_E_NOMEM || fault.event);
        assert_null(context);
    }
    assert_true(n > 200);
    herd_tls_context_unref(context);
}

static void test_stream(void **state)
{
    (void)state;
    struct herd_tls_context *north =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    struct herd_tls_context *south =
        tls_context(&files, "South", (struct herd_tls_options){.self = herd_span_of("South")});
    const struct herd_tls_expect expect = {.server = herd_span_of("North")};
    struct tls_pair pair;
    tls_connect(&pair, north, south, &expect, 1000000);
    tls_pair_fini(&pair);
    bool whole = false;
    long n = 0;
    for (; !whole; n += n < 100 ? 1 : 5) {
        pair = (struct tls_pair){0};
        struct tls_end *ends[] = {&pair.client, &pair.server};
        left = n;
        bool good = herd_tls_stream_new(&pair.server.stream, north, HERD_TLS_SERVER, NULL) >= 0 &&
                    herd_tls_stream_new(&pair.client.stream, south, HERD_TLS_CLIENT, &expect) >= 0 &&
                    herd_tls_input(pair.client.stream, (struct herd_span){"", 0}, &pair.client.plain,
                                   &pair.client.out) >= 0;
        for (int turn = 0; good && turn < 8; turn++) {
            struct tls_end *from = ends[turn % 2], *to = ends[(turn + 1) % 2];
            good = herd_tls_input(to->stream, tls_span(&from->out), &to->plain, &to->out) >= 0;
            from->out.len = 0;
        }
        good = good && tls_open(&pair) &&
               herd_tls_output(pair.client.stream, herd_span_of("x"), &pair.client.out) >= 0 &&
               herd_tls_input(pair.server.stream, tls_span(&pair.client.out), &pair.server.plain,
                              &pair.server.out) >= 0;
        whole = left > 0;
        left = -1;
        for (int i = 0; i < 2 && ends[i]->stream; i++)
            if (herd_tls_stream_state(ends[i]->stream) == HERD_TLS_FAILED)
                assert_non_null(herd_tls_stream_fault(ends[i]->stream)->event);
        if (whole)
            assert_true(good && pair.server.plain.len == 1);
        tls_pair_fini(&pair);
    }
    assert_true(n > 100);
    herd_tls_context_unref(north);
    herd_tls_context_unref(south);
}

static int set_up(void **state)
{
    (void)state;
    tls_files_init(&files);
    tls_issue(&files, "North", (struct pki_options){.san = "URI:herd://h/server/North"});
    tls_issue(&files, "South", (struct pki_options){.san = "URI:herd://h/server/South"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_files_fini(&files);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_stream),
    };
    if (CRYPTO_set_mem_functions(take, retake, give) != 1)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
