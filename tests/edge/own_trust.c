/* SPDX-License-Identifier: MIT */
/*
 * Programs that know more than the server: who is at the other end of a bufferevent, and how TLS is to be spoken. What they
 * do not say proves nothing.
 */
#include "client_tls_world.h"

#include <herd/protocol.h>

#include <sys/socket.h>

/* Whether an address counts as one of this machine; all of a test's are. */
static bool far_away;
bool __real_herd_sockaddr_is_loopback(const struct sockaddr *address);
bool __wrap_herd_sockaddr_is_loopback(const struct sockaddr *address);
bool __wrap_herd_sockaddr_is_loopback(const struct sockaddr *address)
{
    return !far_away && __real_herd_sockaddr_is_loopback(address);
}

static struct bufferevent *ours[4];
static bool ended[4];
static char why[512];

static int begin(void **state)
{
    far_away = false;
    why[0] = '\0';
    return setup(state);
}

static int end(void **state)
{
    for (int i = 0; i < 4; i++) {
        if (ours[i])
            bufferevent_free(ours[i]);
        ours[i] = NULL;
        ended[i] = false;
    }
    return teardown(state);
}

static void turn(struct world *w)
{
    event_base_loopexit(w->base, &(struct timeval){0, 2000});
    event_base_loop(w->base, EVLOOP_ONCE);
}

#define WAIT(condition)                                  \
    for (int left = 5000; !(condition); turn(w), left--) \
        if (left == 0)                                   \
    fail_msg("not in time: %s", #condition)

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++)
        if (ours[i] == bev && what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
            ended[i] = true;
}

/* One end of a pair; ours[i] is the other. */
static struct bufferevent *pair(struct world *w, int i)
{
    struct bufferevent *ends[2];
    assert_int_equal(bufferevent_pair_new(w->base, 0, ends), 0);
    ours[i] = ends[1];
    bufferevent_setcb(ends[1], NULL, NULL, on_event, NULL);
    bufferevent_enable(ends[1], EV_READ | EV_WRITE);
    return ends[0];
}

/* The same with sockets, whose end is seen at the other side. */
static struct bufferevent *sockets(struct world *w, int i)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ours[i] = bufferevent_socket_new(w->base, ends[1], BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(ours[i], NULL, NULL, on_event, NULL);
    bufferevent_enable(ours[i], EV_READ | EV_WRITE);
    return bufferevent_socket_new(w->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
}

static void ask(struct world *w, int i, const char *line, const char *expected)
{
    struct evbuffer *input = bufferevent_get_input(ours[i]);
    bufferevent_write(ours[i], line, strlen(line));
    WAIT(evbuffer_search(input, "\n", 1, NULL).pos >= 0);
    char *reply = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF);
    if (!reply || strncmp(reply, expected, strlen(expected)) != 0)
        fail_msg("%s: got %s, not %s", line, reply, expected);
    free(reply);
}

static void write_identities(const char *name, const char *text)
{
    int fd = open(tls_path(&files, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* Identities of their own, read by `config` (or the world's). */
static void use_identities(struct herd_config *config, const char *name, const char *text)
{
    write_identities(name, text);
    free(config->identities);
    assert_non_null(config->identities = strdup(tls_path(&files, name)));
}

static void serve_quietly(struct world *w, struct herd_server_options options, int err, const char *text)
{
    struct herd_diagnostic diagnostic = {0};
    options.name = options.name ? options.name : "Riley";
    options.config = w->config;
    options.dont_dial = true;
    assert_int_equal(herd_server_new(&w->server, w->base, &options, &diagnostic), err);
    if (text && !strstr(diagnostic.message, text))
        fail_msg("%s, not %s", diagnostic.message, text);
}

/* ---- clients ---- */

static void test_without_identity(void **state)
{
    struct world *w = *state;
    configure(w, "off", true);
    serve_quietly(w, (struct herd_server_options){.dont_listen = true}, 0, NULL);
    assert_int_equal(herd_server_adopt_client(w->server, pair(w, 0)), 0);
    ask(w, 0, "IAMAT kiwi +1+1 1\n", "? IAMAT kiwi");
    ask(w, 0, "WHATSAT kiwi 10 1\n", "? WHATSAT kiwi");
    /* A token on a pair: nobody listens there. */
    char line[HERD_TOKEN_SIZE + 8];
    snprintf(line, sizeof line, "AUTH %s\n", token);
    assert_int_equal(herd_server_adopt_client(w->server, pair(w, 1)), 0);
    ask(w, 1, line, "OK fleet");
    ask(w, 1, "IAMAT id1 +1+1 1\n", "AT Riley");
    ask(w, 1, "IAMAT other +1+1 1\n", "? IAMAT other");
}

static void test_token_on_a_socket(void **state)
{
    struct world *w = *state;
    char line[HERD_TOKEN_SIZE + 8];
    configure(w, "off", true);
    serve_quietly(w, (struct herd_server_options){.dont_listen = true}, 0, NULL);
    snprintf(line, sizeof line, "AUTH %s\n", token);
    for (int i = 0; i < 2; i++) {
        struct herd_client_address to = fake_open(w, &w->fakes[i]);
        struct sockaddr_in in = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(to.port)};
        ours[i] = bufferevent_socket_new(w->base, -1, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(ours[i], NULL, NULL, on_event, NULL);
        bufferevent_enable(ours[i], EV_READ | EV_WRITE);
        assert_int_equal(bufferevent_socket_connect(ours[i], (struct sockaddr *)&in, sizeof in), 0);
        WAIT(w->fakes[i].count == 1);
        far_away = i == 1;
        assert_int_equal(herd_server_adopt_client(w->server, w->fakes[i].bevs[0]), 0);
        w->fakes[i].count = 0; /* the server's */
        ask(w, i, line, far_away ? "? AUTH" : "OK fleet");
    }
    WAIT(ended[1]);
}

static void test_anonymous(void **state)
{
    struct world *w = *state;
    configure(w, "off", true);
    use_identities(w->config, "few", "anonymous - public* - connections=1\n");
    serve_quietly(w, (struct herd_server_options){.dont_listen = true}, 0, NULL);
    assert_int_equal(herd_server_adopt_client(w->server, pair(w, 0)), 0);
    ask(w, 0, "IAMAT public.1 +1+1 1\n", "AT Riley");
    ask(w, 0, "IAMAT kiwi +1+1 1\n", "? IAMAT kiwi");
    struct bufferevent *second = pair(w, 1);
    assert_int_equal(herd_server_adopt_client(w->server, second), HERD_E_LIMIT);
    bufferevent_free(second); /* ours still */
}

static void test_as(void **state)
{
    struct world *w = *state;
    struct herd_diagnostic diagnostic;
    configure(w, "off", true);
    use_identities(w->config, "some", "kiwi cert kiwi* kiwi*\ndesk cert - * connections=1\n");
    serve_quietly(w, (struct herd_server_options){.dont_listen = true}, 0, NULL);
    assert_int_equal(herd_server_adopt_client_as(w->server, pair(w, 0), "kiwi"), 0);
    ask(w, 0, "IAMAT kiwi.1 +1+1 1\n", "AT Riley");
    ask(w, 0, "IAMAT id1 +1+1 1\n", "? IAMAT id1");
    assert_int_equal(herd_server_adopt_client_as(w->server, sockets(w, 1), "desk"), 0);
    ask(w, 1, "IAMAT kiwi.1 +1+1 2\n", "? IAMAT kiwi.1");
    struct bufferevent *more = pair(w, 2);
    assert_int_equal(herd_server_adopt_client_as(w->server, more, "desk"), HERD_E_LIMIT);
    assert_int_equal(herd_server_adopt_client_as(w->server, more, "nobody"), HERD_E_NOTFOUND);
    assert_int_equal(herd_server_adopt_client_as(w->server, more, ""), HERD_E_NOTFOUND);
    assert_int_equal(herd_server_adopt_client_as(w->server, more, "anonymous"), HERD_E_NOTFOUND);
    /* One name goes, the other may do something else now. */
    struct herd_config *first = w->config;
    w->config = NULL;
    configure(w, "off", true);
    use_identities(w->config, "fewer", "kiwi cert id* -\n");
    assert_int_equal(herd_server_reload(w->server, w->config, &diagnostic), 0);
    herd_config_free(first);
    WAIT(ended[1]);
    ask(w, 0, "IAMAT id1 +1+1 1\n", "AT Riley");
    ask(w, 0, "IAMAT kiwi.1 +1+1 3\n", "? IAMAT kiwi.1");
    herd_server_stop(w->server, 1000);
    assert_int_equal(herd_server_adopt_client_as(w->server, more, "kiwi"), HERD_E_STATE);
    bufferevent_free(more);
}

static void test_as_without_identities(void **state)
{
    struct world *w = *state;
    configure(w, "off", false);
    serve_quietly(w, (struct herd_server_options){.dont_listen = true}, 0, NULL);
    struct bufferevent *bev = pair(w, 0);
    assert_int_equal(herd_server_adopt_client_as(w->server, bev, "kiwi"), HERD_E_NOTFOUND);
    assert_int_equal(herd_server_adopt_client(w->server, bev), 0);
    ask(w, 0, "IAMAT kiwi +1+1 1\n", "AT Riley");
}

/* ---- neighbours ---- */

static SSL_CTX *context_of(const char *name)
{
    char file[64];
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_method());
    snprintf(file, sizeof file, "%s.pem", name);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(ssl_ctx, tls_path(&files, file)), 1);
    snprintf(file, sizeof file, "%s.key", name);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ssl_ctx, tls_path(&files, file), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_load_verify_locations(ssl_ctx, tls_path(&files, "ca.pem"), NULL), 1);
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ssl_ctx, 0);
    return ssl_ctx;
}

static void configure_text(struct world *w, const char *json)
{
    struct herd_diagnostic diagnostic;
    herd_config_free(w->config);
    w->config = NULL;
    if (herd_config_parse(&w->config, herd_span_of(json), &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    w->config->servers[0].port = 0;
}

#define THREE                                                                                       \
    "{\"servers\":{\"Riley\":{\"port\":1},\"North\":{\"port\":2},\"South\":{\"port\":3}},\"links\"" \
    ":[[\"Riley\",\"North\"],[\"Riley\",\"South\"]],\"herd\":\"h\"}"

static void test_neighbours(void **state)
{
    struct world *w = *state;
    char hello[64];
    SSL_CTX *ssl_ctx = context_of("Riley");
    configure_text(w, THREE);
    serve_quietly(w, (struct herd_server_options){.dont_listen = true, .ssl_ctx = ssl_ctx}, 0, NULL);
    SSL_CTX_free(ssl_ctx); /* the server has a reference */
    snprintf(hello, sizeof hello, "HELLO %d North Riley 7\n", HERD_PROTOCOL_VERSION);
    assert_int_equal(herd_server_adopt_client(w->server, pair(w, 0)), 0);
    ask(w, 0, hello, "REFUSE peer_not_proved");
    assert_int_equal(herd_server_adopt_neighbour(w->server, pair(w, 1), "South"), 0);
    ask(w, 1, hello, "REFUSE peer_not_proved");
    struct bufferevent *bev = pair(w, 2);
    assert_int_equal(herd_server_adopt_neighbour(w->server, bev, "West"), HERD_E_NOTFOUND);
    assert_int_equal(herd_server_adopt_neighbour(w->server, bev, "North"), 0);
    ask(w, 2, hello, "HELLO ");
    WAIT(herd_node_link(herd_server_node(w->server), 0));
    /* The link that the program made: the other end is who the program says. */
    assert_int_equal(herd_server_adopt_link(w->server, pair(w, 3), "South"), 0);
    ask(w, 3, "", "HELLO ");
    snprintf(hello, sizeof hello, "HELLO %d South Riley 7\n", HERD_PROTOCOL_VERSION);
    bufferevent_write(ours[3], hello, strlen(hello));
    WAIT(herd_node_link(herd_server_node(w->server), 1));
}

/* ---- contexts ---- */

static void on_lost(void *ctx, size_t server, const char *text)
{
    on_down(ctx, server, "");
    snprintf(why, sizeof why, "%s", text);
}

static void test_server_context(void **state)
{
    static const struct {
        const char *certificate, *why;
    } rows[] = {
        {"Riley", NULL},
        {"kiwi", "peer_name_differs: its certificate is not one of a server"},
        {"old", "tls_certificate_expired: "},
        {"early", "tls_certificate_not_yet_valid: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *inner = NULL;
        begin(&inner);
        struct world *w = inner;
        SSL_CTX *ssl_ctx = context_of(rows[i].certificate);
        const struct herd_client_tls tls = {.ca = tls_path(&files, "ca.pem"), .herd = "h"};
        configure_text(w, "{\"servers\":{\"Riley\":{\"port\":1}},\"links\":[],\"herd\":\"h\"}");
        serve_quietly(w, (struct herd_server_options){.ssl_ctx = ssl_ctx}, 0, NULL);
        SSL_CTX_free(ssl_ctx);
        if (i == 0) { /* it stays in force */
            struct herd_diagnostic diagnostic;
            assert_int_equal(herd_server_reload(w->server, w->config, &diagnostic), 0);
        }
        w->addresses[0] = (struct herd_client_address){"127.0.0.1", herd_server_port(w->server)};
        const struct herd_client_options options = {.servers = w->addresses,
                                                    .server_count = 1,
                                                    .timeout_ms = 300,
                                                    .ctx = w,
                                                    .on_disconnect = on_lost,
                                                    .tls = &tls};
        assert_int_equal(herd_client_new(&w->client, w->base, &options), 0);
        assert_int_equal(report(w, "kiwi"), 0);
        run(w, 1);
        assert_int_equal(w->errs[0], rows[i].why ? HERD_E_TIMEOUT : 0);
        if (rows[i].why && strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%zu: %s", i, why);
        end(&inner);
    }
}

static void test_contexts_refused(void **state)
{
    struct world *w = *state;
    struct herd_diagnostic diagnostic = {0};
    SSL_CTX *ssl_ctx = context_of("Riley");
    const struct herd_server_options options = {.dont_listen = true, .ssl_ctx = ssl_ctx};
    configure(w, "require", false);
    serve_quietly(w, options, HERD_E_ARG, "takes the place of the files");
    configure_text(w, "{\"servers\":{\"Riley\":{\"port\":1}},\"links\":[]}");
    serve_quietly(w, options, HERD_E_ARG, "the name of the herd");
    configure_text(
        w, "{\"servers\":{\"Riley\":{\"port\":1},\"old\":{\"port\":2,\"plain\":true}},\"links\":[[\"Riley\","
           "\"old\"]],\"herd\":\"h\"}");
    serve_quietly(w, options, HERD_E_ARG, "a plain neighbour");
    /* A reload that does not fit changes nothing. */
    configure_text(w, THREE);
    serve_quietly(w, options, 0, NULL);
    struct herd_config *good = w->config;
    w->config = NULL;
    configure(w, "require", false);
    assert_int_equal(herd_server_reload(w->server, w->config, &diagnostic), HERD_E_ARG);
    assert_non_null(strstr(diagnostic.message, "takes the place of the files"));
    assert_int_equal(herd_server_reload(w->server, good, &diagnostic), 0);
    herd_server_free(w->server);
    w->server = NULL;
    herd_config_free(good);
    SSL_CTX_free(ssl_ctx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_identity),
        TEST(test_token_on_a_socket),
        TEST(test_anonymous),
        TEST(test_as),
        TEST(test_as_without_identities),
        TEST(test_neighbours),
        cmocka_unit_test(test_server_context),
        TEST(test_contexts_refused),
    };
    make_files();
    tls_issue(
        &files, "old",
        (struct pki_options){.san = "URI:herd://h/server/Riley", .from_s = -2 * PKI_DAY, .until_s = -PKI_DAY});
    tls_issue(&files, "early",
              (struct pki_options){.san = "URI:herd://h/server/Riley", .from_s = PKI_DAY, .until_s = 2 * PKI_DAY});
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tls_files_fini(&files);
    return failed;
}
