/* SPDX-License-Identifier: MIT */
/* Every allocation of a client with TLS and a token, and of the server it speaks to, fails once: the call says so, or the
 * request ends, and nothing leaks. OpenSSL's own are failed by the tests of the streams. */
#include "client_tls_world.h"

#include "../unit/edge/alloc.h"

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return alloc_fails() ? NULL : __real_strdup(text);
}

/* True if the failure was met. */
static bool ask_all(long n)
{
    static const char *const names[] = {"Riley"};
    struct herd_diagnostic diagnostic = {0};
    void *state = NULL;
    setup(&state);
    struct world *w = state;
    configure(w, "require", true);
    w->addresses[0] = serve(w);
    const struct herd_client_tls tls = {.ca = tls_path(&files, "ca.pem"), .herd = "h", .names = names};
    const struct herd_client_options options = {.servers = w->addresses,
                                                .server_count = 1,
                                                .retry_min_ms = 1,
                                                .retry_max_ms = 2,
                                                .timeout_ms = 5000,
                                                .tls = &tls,
                                                .token = token,
                                                .diagnostic = &diagnostic};
    size_t asked = 0;
    alloc_fail_at = n;
    int err = herd_client_new(&w->client, w->base, &options);
    assert_true(err == 0 || !w->client);
    if (err < 0 && diagnostic.message[0]) /* of what proves who is who */
        assert_string_equal(diagnostic.message, herd_strerror(HERD_E_NOMEM));
    if (err == 0)
        asked += (err = report(w, "kiwi")) == 0;
    if (err == 0)
        asked += (err = whatsat(w, "kiwi")) == 0;
    assert_true(err == 0 || err == HERD_E_NOMEM);
    run(w, asked);
    bool met = alloc_fail_at <= 0;
    alloc_fail_at = 0;
    for (size_t i = 0; i < asked; i++)
        if (w->errs[i] != 0 && w->errs[i] != HERD_E_NOMEM && !met)
            fail_msg("allocation %ld: %s", n, herd_strerror(w->errs[i]));
    teardown(&state);
    return met;
}

static void test_each(void **state)
{
    (void)state;
    long n = 1;
    while (ask_all(n))
        n++;
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each)};
    make_files();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tls_files_fini(&files);
    return failed;
}
