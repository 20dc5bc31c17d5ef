/* SPDX-License-Identifier: MIT */
/* A client that speaks TLS to a server of the library: names, tokens, certificates, and servers that are others. */
#include "client_tls_world.h"

/* Whether an address counts as one of this machine; all of a test's are. */
static bool far_away;
bool __real_herd_sockaddr_is_loopback(const struct sockaddr *address);
bool __wrap_herd_sockaddr_is_loopback(const struct sockaddr *address);
bool __wrap_herd_sockaddr_is_loopback(const struct sockaddr *address)
{
    return !far_away && __real_herd_sockaddr_is_loopback(address);
}

static char why[512];

static void on_lost(void *ctx, size_t server, const char *text)
{
    on_down(ctx, server, "");
    snprintf(why, sizeof why, "%s", text);
}

static int begin(void **state)
{
    why[0] = '\0';
    far_away = false;
    return setup(state);
}

static void start(struct world *w, size_t count, struct herd_client_options options)
{
    struct herd_diagnostic diagnostic = {0};
    options.servers = w->addresses;
    options.server_count = count;
    options.ctx = w;
    options.on_connect = on_up;
    options.on_disconnect = on_lost;
    options.diagnostic = &diagnostic;
    if (herd_client_new(&w->client, w->base, &options) < 0)
        fail_msg("%s", diagnostic.message);
}

static struct herd_client_tls tls_of(const char *herd, const char *const *names)
{
    return (struct herd_client_tls){.ca = tls_path(&files, "ca.pem"), .herd = herd, .names = names};
}

/* Many requests behind a token, none of which waits for its answer. */
static void test_order(void **state)
{
    static const char *const names[] = {"Riley"};
    struct world *w = *state;
    const struct herd_client_tls tls = tls_of("h", names);
    configure(w, "require", true);
    w->addresses[0] = serve(w);
    start(w, 1, (struct herd_client_options){.tls = &tls, .token = token});
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%d", i);
        assert_int_equal(i % 3 ? report(w, id) : report(w, id) + whatsat(w, id), 0);
    }
    assert_int_equal(w->ups, 0);
    run(w, 267);
    for (size_t i = 0; i < 267; i++)
        assert_int_equal(w->errs[i], 0);
    assert_int_equal(w->ups, 1);
    assert_int_equal(w->downs, 0);
    assert_int_equal(report(w, "id7") + whatsat(w, "nobody") + report(w, "elsewhere") + whatsat(w, "elsewhere"), 0);
    run(w, 271);
    assert_int_equal(w->errs[267], 0);
    assert_int_equal(w->errs[268], HERD_E_NOTFOUND);
    assert_int_equal(w->errs[269], HERD_E_ACCESS); /* not an id of this identity */
    assert_int_equal(w->errs[270], HERD_E_NOTFOUND);
}

static void test_certificate(void **state)
{
    struct world *w = *state;
    struct herd_client_tls tls = tls_of("h", NULL); /* any server of the herd */
    tls.certificate = tls_path(&files, "kiwi.pem");
    tls.key = tls_path(&files, "kiwi.key");
    configure(w, "require", true);
    w->addresses[0] = serve(w);
    start(w, 1, (struct herd_client_options){.tls = &tls});
    assert_int_equal(report(w, "kiwi") + report(w, "id1") + whatsat(w, "kiwi"), 0);
    run(w, 3);
    assert_int_equal(w->errs[0], 0);
    assert_int_equal(w->errs[1], HERD_E_ACCESS);
    assert_int_equal(w->errs[2], 0);
}

/* Of two servers at one address the first has to prove something that it cannot: the second answers. */
static void test_names(void **state)
{
    static const struct {
        const char *herd, *names[2], *ca, *why;
    } rows[] = {
        {"h", {"Bernard", "Riley"}, "ca.pem", "peer_name_differs: expected=Bernard found=herd://h/server/Riley"},
        {"h", {"riley", "Riley"}, "ca.pem", "peer_name_differs: expected=riley"},
        {"h", {"Riley", "Riley"}, "ca.pem", NULL},
        {"h", {NULL, "Riley"}, "ca.pem", NULL},
        {"g", {"Riley", "Riley"}, "ca.pem", "peer_name_differs: "},
        {"g", {NULL, NULL}, "ca.pem", "peer_name_differs: "},
        {"h", {"Riley", "Riley"}, "other-ca.pem", "tls_issuer_unknown: "},
        {NULL, {"bernard.example", "riley.example"}, "ca.pem", "peer_name_differs: expected=bernard.example"},
        {NULL, {"RILEY.example", "riley.example"}, "ca.pem", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *inner = NULL;
        begin(&inner);
        struct world *w = inner;
        struct herd_client_tls tls = tls_of(rows[i].herd, rows[i].names);
        tls.ca = tls_path(&files, rows[i].ca);
        configure(w, "require", false);
        w->addresses[0] = w->addresses[1] = serve(w);
        start(w, 2, (struct herd_client_options){.tls = &tls, .timeout_ms = 500});
        assert_int_equal(report(w, "kiwi"), 0);
        run(w, 1);
        bool second = rows[i].why && rows[i].herd && strcmp(rows[i].herd, "g") != 0 && !strstr(rows[i].ca, "other");
        second |= rows[i].why && !rows[i].herd;
        if (!rows[i].why) {
            assert_int_equal(w->errs[0], 0);
            assert_int_equal(w->last_server, 0);
            assert_int_equal(w->downs, 0);
        } else {
            if (strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
                fail_msg("%zu: %s", i, why);
            assert_int_equal(w->errs[0], second ? 0 : HERD_E_TIMEOUT);
            assert_int_equal(w->ups, second ? 1 : 0);
        }
        /* Nothing was said to who did not prove its name. */
        assert_int_equal(herd_store_count(herd_node_store(herd_server_node(w->server))), w->errs[0] == 0);
        teardown(&inner);
    }
}

/* The host is the name where no other is given. */
static void test_host_is_the_name(void **state)
{
    struct world *w = *state;
    const struct herd_client_tls tls = tls_of(NULL, NULL);
    configure(w, "require", false);
    w->addresses[0] = serve(w);
    w->addresses[0].host = "localhost";
    start(w, 1, (struct herd_client_options){.tls = &tls, .timeout_ms = 500});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], HERD_E_TIMEOUT);
    assert_non_null(strstr(why, "peer_name_differs: expected=localhost found="));
    assert_non_null(strstr(why, "DNS:riley.example"));
}

/* A server with the certificate of that name, at a port of its own; `shards`: where else clients may be, NULL: nowhere. */
static struct herd_server *serve_as(struct world *w, struct herd_config **ret_config, const char *name,
                                    const char *shards)
{
    char json[2048], pem[16], key[16];
    struct herd_server *server = NULL;
    struct herd_diagnostic diagnostic;
    snprintf(pem, sizeof pem, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    snprintf(json, sizeof json,
             "{\"servers\":{\"%s\":{\"port\":1}},\"links\":[],\"herd\":\"h\",\"tls\":{\"mode\":\"require\","
             "\"certificate\":\"%s\",\"key\":\"%s\",\"ca\":\"%s\"}%s}",
             name, tls_path(&files, pem), tls_path(&files, key), tls_path(&files, "ca.pem"), shards);
    if (herd_config_parse(ret_config, herd_span_of(json), &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    (*ret_config)->servers[0].port = 0;
    const struct herd_server_options options = {.name = name, .config = *ret_config, .dont_dial = true};
    if (herd_server_new(&server, w->base, &options, &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    return server;
}

/* Who is followed to proves its host, or that it is of the herd; an address proves nothing, and is not asked. */
static void test_followed(void **state)
{
    static const struct {
        const char *herd, *host, *certificate, *why;
        int err;
    } rows[] = {
        {NULL, "localhost", "Local", NULL, 0},
        {NULL, "localhost", "Riley", "peer_name_differs: expected=localhost found=", HERD_E_TIMEOUT},
        {NULL, "127.0.0.1", "Local", NULL, HERD_E_ADDRESS},
        {"h", "127.0.0.1", "Local", NULL, 0},
        {"h", "localhost", "Riley", NULL, 0},
    };
    static const char *const names[] = {"riley.example"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *inner = NULL;
        char shards[256], id[16] = "";
        begin(&inner);
        struct world *w = inner;
        struct herd_config *far_config = NULL, *near_config = NULL;
        struct herd_server *far_server = serve_as(w, &far_config, rows[i].certificate, "");
        snprintf(shards, sizeof shards, ",\"shards\":{\"herds\":{\"h\":{},\"far\":{\"servers\":[\"%s:%u\"]}}}",
                 rows[i].host, (unsigned)herd_server_port(far_server));
        w->server = serve_as(w, &near_config, "Riley", shards);
        w->addresses[0] = (struct herd_client_address){"127.0.0.1", herd_server_port(w->server)};
        const struct herd_client_tls tls = tls_of(rows[i].herd, rows[i].herd ? NULL : names);
        start(w, 1, (struct herd_client_options){.tls = &tls, .follow = true, .timeout_ms = 500});
        /* The first that is not of this herd. */
        struct herd_store *near_store = herd_node_store(herd_server_node(w->server));
        for (unsigned n = 0; !id[0] || herd_store_count(near_store) == n; n++) {
            assert_true(n < 64);
            snprintf(id, sizeof id, "id%u", n);
            assert_int_equal(report(w, id), 0);
            run(w, n + 1);
        }
        assert_int_equal(w->errs[w->ended - 1], rows[i].err);
        assert_int_equal(herd_store_count(herd_node_store(herd_server_node(far_server))), rows[i].err == 0);
        if (rows[i].why && strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%zu: %s", i, why);
        herd_client_free(w->client);
        w->client = NULL;
        herd_server_free(far_server);
        herd_server_free(w->server);
        w->server = NULL;
        herd_config_free(far_config);
        herd_config_free(near_config);
        teardown(&inner);
    }
}

static void refused(struct world *w, struct herd_client_options options, const char *expected)
{
    start(w, 1, options);
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], HERD_E_TIMEOUT);
    assert_int_equal(w->ups, 0);
    if (strncmp(why, expected, strlen(expected)) != 0)
        fail_msg("%s, not %s", why, expected);
}

static void test_wrong_token(void **state)
{
    struct world *w = *state;
    const struct herd_client_tls tls = tls_of("h", NULL);
    configure(w, "require", true);
    w->addresses[0] = serve(w);
    refused(w, (struct herd_client_options){.tls = &tls, .token = "herd_wrong", .timeout_ms = 2500},
            "the server refuses the token");
    assert_null(strstr(why, "herd_wrong"));
}

static void test_no_identities(void **state)
{
    struct world *w = *state;
    const struct herd_client_tls tls = tls_of("h", NULL);
    configure(w, "allow", false);
    w->addresses[0] = serve(w);
    refused(w, (struct herd_client_options){.tls = &tls, .token = token, .timeout_ms = 500},
            "the server refuses the token");
}

/* Without TLS a token is for this machine only. */
static void test_token_in_clear(void **state)
{
    struct world *w = *state;
    configure(w, "off", true);
    w->addresses[0] = serve(w);
    start(w, 1, (struct herd_client_options){.token = token});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], 0);
    assert_int_equal(w->ups, 1);
}

static void test_token_for_elsewhere(void **state)
{
    struct world *w = *state;
    far_away = true;
    w->addresses[0] = fake_open(w, &w->fakes[0]);
    refused(w, (struct herd_client_options){.token = token, .timeout_ms = 300}, "the token was not sent: ");
    for (size_t i = 0; i < w->fakes[0].count; i++)
        assert_int_equal(evbuffer_get_length(bufferevent_get_input(w->fakes[0].bevs[i])), 0);
    assert_true(w->fakes[0].count > 0);
}

static void test_certificate_of_another_authority(void **state)
{
    struct world *w = *state;
    struct herd_client_tls tls = tls_of("h", NULL);
    tls.certificate = tls_path(&files, "stranger.pem");
    tls.key = tls_path(&files, "stranger.key");
    struct herd_diagnostic diagnostic = {0};
    const struct herd_client_options options = {
        .servers = w->addresses, .server_count = 1, .tls = &tls, .diagnostic = &diagnostic};
    w->addresses[0] = unused_address(w);
    assert_int_equal(herd_client_new(&w->client, w->base, &options), HERD_E_SYNTAX);
    assert_non_null(strstr(diagnostic.message, "tls_issuer_unknown: "));
}

static void test_servers_without_tls(void **state)
{
    struct world *w = *state;
    const struct herd_client_tls tls = tls_of("h", NULL);
    configure(w, "off", false);
    w->addresses[0] = serve(w);
    refused(w, (struct herd_client_options){.tls = &tls, .timeout_ms = 300}, "tls_");
    herd_client_free(w->client);
    w->client = NULL;
    w->fakes[0].close_at_once = true;
    w->addresses[0] = fake_open(w, &w->fakes[0]);
    w->ended = 0;
    refused(w, (struct herd_client_options){.tls = &tls, .timeout_ms = 300},
            "tls_failed: the connection ended in the handshake");
    herd_client_free(w->client);
    w->client = NULL;
    w->addresses[0] = fake_open(w, &w->fakes[1]); /* says nothing */
    w->ended = 0;
    refused(w, (struct herd_client_options){.tls = &tls, .timeout_ms = 300, .connect_ms = 50},
            "no handshake in time");
}

static void test_server_requires_tls(void **state)
{
    struct world *w = *state;
    configure(w, "require", false);
    w->addresses[0] = serve(w);
    start(w, 1, (struct herd_client_options){.timeout_ms = 300});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], HERD_E_TIMEOUT);
    assert_true(w->downs > 0);
}

/* A server that accepts the token and a list that goes on behind one that does not. */
static void test_answers_to_auth(void **state)
{
    static const char *const texts[] = {"OK", "OK \n", "\n", "AT X +0.1 kiwi +1+1 1\n", "? AUTH\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        void *inner = NULL;
        begin(&inner);
        struct world *w = inner;
        configure(w, "allow", true);
        w->fakes[0].text = texts[i];
        w->addresses[0] = fake_open(w, &w->fakes[0]);
        w->addresses[1] = serve(w);
        start(w, 2, (struct herd_client_options){.token = token, .reply_ms = 200});
        assert_int_equal(report(w, "kiwi"), 0);
        run(w, 1);
        assert_int_equal(w->errs[0], 0);
        assert_int_equal(w->last_server, 1);
        assert_int_equal(w->ups, 1);
        assert_int_equal(w->downs, 1);
        assert_string_equal(why, i == 0   ? "no answer to the token in time"
                                 : i == 4 ? "the server refuses the token"
                                          : "the server's reply makes no sense");
        teardown(&inner);
    }
}

static void test_free_inside(void **state)
{
    struct world *w = *state;
    const struct herd_client_tls tls = tls_of("h", NULL);
    configure(w, "require", true);
    w->addresses[0] = serve(w);
    start(w, 1, (struct herd_client_options){.tls = &tls, .token = token});
    assert_int_equal(report(w, "kiwi") + report(w, "id1"), 0);
    w->free_in_done = true;
    run(w, 1);
    assert_int_equal(w->errs[0], 0);
    assert_null(w->client);
}

static void test_arguments(void **state)
{
    struct world *w = *state;
    static const char *const bad_name[] = {"Ri ley"}, *const no_name[] = {""};
    static char long_name[257];
    memset(long_name, 'x', 256);
    const char *const names_too_long[] = {long_name};
    const char *ca = tls_path(&files, "ca.pem"), *pem = tls_path(&files, "kiwi.pem");
    char long_token[5000];
    memset(long_token, 'x', sizeof long_token);
    long_token[sizeof long_token - 1] = '\0';
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_method());
    const struct {
        const char *token;
        struct herd_client_tls tls;
        int err;
        const char *text;
    } rows[] = {
        {NULL, {0}, HERD_E_ARG, "tls: expected ca"},
        {NULL, {.ca = ca}, HERD_E_ARG, "tls: server 0: 127.0.0.1 is an address"},
        {NULL, {.ca = ca, .names = no_name}, HERD_E_ARG, "tls: server 0: its name is empty or too long"},
        {NULL, {.ca = ca, .names = names_too_long}, HERD_E_ARG, "tls: server 0: its name is empty or too long"},
        {NULL, {.ssl_ctx = ssl_ctx, .crl = ca, .herd = "h"}, HERD_E_ARG, "tls: ssl_ctx takes the place"},
        {NULL, {.ssl_ctx = ssl_ctx, .certificate = ca, .herd = "h"}, HERD_E_ARG, "tls: ssl_ctx takes the place"},
        {NULL, {.ssl_ctx = ssl_ctx, .key = ca, .herd = "h"}, HERD_E_ARG, "tls: ssl_ctx takes the place"},
        {NULL, {.ssl_ctx = ssl_ctx, .tls_1_2 = true, .herd = "h"}, HERD_E_ARG, "tls: ssl_ctx takes the place"},
        {NULL, {.ca = ca, .herd = ""}, HERD_E_ARG, "tls: the name of the herd"},
        {NULL, {.ca = ca, .herd = "h/x"}, HERD_E_ARG, "tls: the name of the herd"},
        {NULL, {.ca = ca, .herd = "h", .names = bad_name}, HERD_E_ARG, "tls: server 0: \"Ri ley\" is no name"},
        {NULL, {.ca = ca, .herd = "h", .certificate = pem}, HERD_E_ARG, "tls: a certificate without a key"},
        {NULL, {.ca = ca, .herd = "h", .key = pem}, HERD_E_ARG, "tls: a key without a certificate"},
        {NULL, {.ca = ca, .herd = "h", .ssl_ctx = ssl_ctx}, HERD_E_ARG, "tls: ssl_ctx takes the place"},
        {NULL, {.ca = tls_path(&files, "gone.pem"), .herd = "h"}, HERD_E_IO, "file_unreadable: "},
        {NULL, {.ca = tls_path(&files, "identities"), .herd = "h"}, HERD_E_SYNTAX, "tls_ca_bad: "},
        {"", {.ca = ca, .herd = "h"}, HERD_E_ARG, "the token: "},
        {"a b", {.ca = ca, .herd = "h"}, HERD_E_ARG, "the token: "},
        {"ab\n", {.ca = ca, .herd = "h"}, HERD_E_ARG, "the token: "},
        {long_token, {.ca = ca, .herd = "h"}, HERD_E_ARG, "the token: "},
    };
    w->addresses[0] = unused_address(w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_diagnostic diagnostic = {.line = 7};
        struct herd_client_options options = {.servers = w->addresses,
                                              .server_count = 1,
                                              .tls = &rows[i].tls,
                                              .token = rows[i].token,
                                              .diagnostic = &diagnostic};
        assert_int_equal(herd_client_new(&w->client, w->base, &options), rows[i].err);
        assert_int_equal(diagnostic.line, 0);
        if (strncmp(diagnostic.message, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("%zu: %s", i, diagnostic.message);
        options.diagnostic = NULL;
        assert_int_equal(herd_client_new(&w->client, w->base, &options), rows[i].err);
    }
    SSL_CTX_free(ssl_ctx);
}

/* A context of the program's own: what its verify mode and callback let pass is no proof. */
static int believe(int good, X509_STORE_CTX *store_ctx)
{
    (void)good;
    (void)store_ctx;
    return 1;
}

static void test_own_context(void **state)
{
    static const struct {
        const char *ca;
        int mode;
        bool believes, named;
        const char *why;
    } rows[] = {
        {"ca.pem", SSL_VERIFY_PEER, false, true, NULL},
        {"ca.pem", SSL_VERIFY_PEER, false, false, NULL},
        {"ca.pem", SSL_VERIFY_NONE, false, true, NULL},
        {"other-ca.pem", SSL_VERIFY_PEER, false, true, "tls_issuer_unknown: "},
        {"other-ca.pem", SSL_VERIFY_NONE, false, true, "tls_certificate_refused: "},
        {"other-ca.pem", SSL_VERIFY_NONE, false, false, "peer_name_differs: "},
        {"other-ca.pem", SSL_VERIFY_PEER, true, true, "tls_certificate_refused: "},
        {"other-ca.pem", SSL_VERIFY_PEER, true, false, "peer_name_differs: "},
    };
    static const char *const names[] = {"Riley"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *inner = NULL;
        begin(&inner);
        struct world *w = inner;
        SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_method());
        assert_int_equal(SSL_CTX_load_verify_locations(ssl_ctx, tls_path(&files, rows[i].ca), NULL), 1);
        SSL_CTX_set_verify(ssl_ctx, rows[i].mode, rows[i].believes ? believe : NULL);
        const struct herd_client_tls tls = {.herd = "h", .names = rows[i].named ? names : NULL, .ssl_ctx = ssl_ctx};
        configure(w, "require", false);
        w->addresses[0] = serve(w);
        start(w, 1, (struct herd_client_options){.tls = &tls, .timeout_ms = 300});
        SSL_CTX_free(ssl_ctx); /* the client has a reference */
        assert_int_equal(report(w, "kiwi"), 0);
        run(w, 1);
        assert_int_equal(w->errs[0], rows[i].why ? HERD_E_TIMEOUT : 0);
        if (rows[i].why && strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%zu: %s", i, why);
        teardown(&inner);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_certificate),
        cmocka_unit_test(test_names),
        TEST(test_host_is_the_name),
        cmocka_unit_test(test_followed),
        TEST(test_wrong_token),
        TEST(test_no_identities),
        TEST(test_token_in_clear),
        TEST(test_token_for_elsewhere),
        TEST(test_certificate_of_another_authority),
        TEST(test_servers_without_tls),
        TEST(test_server_requires_tls),
        cmocka_unit_test(test_answers_to_auth),
        TEST(test_free_inside),
        TEST(test_arguments),
        cmocka_unit_test(test_own_context),
    };
    make_files();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tls_files_fini(&files);
    return failed;
}
