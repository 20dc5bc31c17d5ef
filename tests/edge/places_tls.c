/* SPDX-License-Identifier: MIT */
/* TLS and names: certificates are verified, names are resolved without ever holding up the loop. */
#include "../unit/temp.h"
#include "world.h"

#include "../../lib/edge/clock.h"
#include "fetch.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char ca_path[TEMP_LEN];

/* A certificate for places.test and 127.0.0.1 that signs itself, written to ca_path. */
static SSL_CTX *new_tls(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    assert_true(key && cert);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"places.test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    static const struct {
        int nid;
        const char *value;
    } extensions[] = {{NID_subject_alt_name, "DNS:places.test,IP:127.0.0.1"},
                      {NID_basic_constraints, "critical,CA:TRUE"}};
    for (size_t i = 0; i < 2; i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, extensions[i].nid, extensions[i].value);
        assert_non_null(extension);
        X509_add_ext(cert, extension, -1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    assert_non_null(tls);
    assert_int_equal(SSL_CTX_use_certificate(tls, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
    FILE *file = fdopen(temp_file(ca_path), "w");
    assert_non_null(file);
    PEM_write_X509(file, cert);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return tls;
}

static struct world *tls_world(SSL_CTX *tls)
{
    struct world *w = world_new();
    stub_free(w->stub);
    w->stub = stub_new(w->base, world_decide, w, tls);
    w->plans[0] = reply_with(TWO);
    return w;
}

static void test_certificates(void **state)
{
    (void)state;
    SSL_CTX *tls = new_tls();
    struct world *w = tls_world(tls);
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    assert_non_null(strstr(w->answers[0].at, "certificate"));
    assert_int_equal(stub_requests(w->stub), 0); /* not a byte of the request, nor the key, went out */
    world_free(w);

    w = tls_world(tls);
    world_provider(w, "google-legacy", stub_url(w->stub, "/"))->ca_file = ca_path;
    world_open(w);
    for (size_t i = 1; i <= 3; i++) {
        world_ask(w, UCLA, 5);
        run_until(w->base, &w->answered, i);
    }
    assert_string_equal(w->origins[0], "google-legacy");
    assert_int_equal(stub_connections(w->stub), 1);
    world_free(w);
    unlink(ca_path);
    SSL_CTX_free(tls);
}

/* A name server on loopback: answers every A question with 127.0.0.1, or with nothing at all. */
struct names {
    evutil_socket_t fd;
    struct event *event;
    bool silent, none;
    size_t asked;
    char address[32];
};

static void on_question(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct names *names = ctx;
    unsigned char packet[600];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
    if (len < 17)
        return;
    names->asked++;
    if (names->silent)
        return;
    size_t at = 12; /* over the name, to its type */
    while (at < (size_t)len && packet[at])
        at += packet[at] + 1u;
    bool a = packet[at + 2] == 1;
    size_t end = at + 5;
    packet[2] = 0x81;
    packet[3] = (unsigned char)(names->none ? 0x83 : 0x80);
    memset(packet + 6, 0, 6);
    if (a && !names->none) {
        static const unsigned char answer[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1};
        packet[7] = 1;
        memcpy(packet + end, answer, sizeof answer);
        end += sizeof answer;
    }
    sendto(fd, packet, end, 0, (struct sockaddr *)&from, from_len);
}

static void names_open(struct names *names, struct event_base *base)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    names->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(names->fd >= 0);
    assert_int_equal(bind(names->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(names->fd, (struct sockaddr *)&address, &len), 0);
    snprintf(names->address, sizeof names->address, "127.0.0.1:%u", ntohs(address.sin_port));
    names->event = event_new(base, names->fd, EV_READ | EV_PERSIST, on_question, names);
    assert_non_null(names->event);
    event_add(names->event, NULL);
}

static void names_close(struct names *names)
{
    event_free(names->event);
    close(names->fd);
}

struct outcome {
    int err;
    long http_status;
    size_t done;
};

static void on_done(void *ctx, const struct herd_fetch_result *result)
{
    struct outcome *outcome = ctx;
    outcome->err = result->err;
    outcome->http_status = result->http_status;
    outcome->done++;
}

static void fetch_once(struct herd_fetch_origin *origin, const char *url, int64_t timeout_ms,
                       struct outcome *outcome, struct herd_fetch_call **ret_call)
{
    struct herd_fetch_request request = {.url = url, .timeout_ms = timeout_ms, .body_max_bytes = 10000};
    assert_int_equal(herd_fetch_start(origin, &request, on_done, outcome, ret_call), 0);
}

static void test_names(void **state)
{
    (void)state;
    SSL_CTX *tls = new_tls();
    struct world *w = tls_world(tls);
    struct names names = {0};
    struct herd_fetch *fetch;
    struct herd_fetch_origin *origin;
    struct herd_fetch_call *call;
    struct outcome outcome = {0};
    const char *why;
    char url[64];
    names_open(&names, w->base);
    assert_int_equal(herd_fetch_new(&fetch, w->base), 0);
    assert_int_equal(herd_fetch_resolver(fetch, names.address), 0);
    snprintf(url, sizeof url, "https://places.test:%u/x", stub_port(w->stub));
    assert_int_equal(herd_fetch_origin_new(fetch, &origin, url, ca_path, &why), 0);

    names.none = true; /* no such name */
    fetch_once(origin, url, 5000, &outcome, &call);
    run_until(w->base, &outcome.done, 1);
    assert_int_equal(outcome.err, HERD_E_ADDRESS);

    names.none = false;
    for (size_t i = 2; i <= 4; i++) {
        fetch_once(origin, url, 5000, &outcome, &call);
        run_until(w->base, &outcome.done, i);
        assert_int_equal(outcome.err, 0);
        assert_int_equal(outcome.http_status, 200);
    }
    assert_int_equal(stub_connections(w->stub), 1); /* the name is part of what a connection is reused by */
    herd_fetch_free(fetch);
    names_close(&names);
    world_free(w);
    unlink(ca_path);
    SSL_CTX_free(tls);
}

static int64_t longest_gap_ms, last_tick_ms;

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
    int64_t now_ms = herd_clock_steady_ms();
    if (last_tick_ms && now_ms - last_tick_ms > longest_gap_ms)
        longest_gap_ms = now_ms - last_tick_ms;
    last_tick_ms = now_ms;
}

/* Name servers that never answer: the deadline holds, cancelling is instant, the loop turns on. */
static void test_silent_name_server(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct names names = {.silent = true};
    struct herd_fetch *fetch;
    struct herd_fetch_origin *origin;
    struct herd_fetch_call *call, *calls[20];
    struct outcome outcome = {0};
    struct timeval tick = {0, 5000};
    const char *why;
    names_open(&names, base);
    struct event *ticker = event_new(base, -1, EV_PERSIST, on_tick, NULL);
    event_add(ticker, &tick);
    assert_int_equal(herd_fetch_new(&fetch, base), 0);
    assert_int_equal(herd_fetch_resolver(fetch, names.address), 0);
    assert_int_equal(herd_fetch_origin_new(fetch, &origin, "https://places.test/", NULL, &why), 0);
    int64_t begin_ms = herd_clock_steady_ms();
    fetch_once(origin, "https://places.test/", 300, &outcome, &call);
    run_until(base, &names.asked, 1);
    run_until(base, &outcome.done, 1);
    int64_t took_ms = herd_clock_steady_ms() - begin_ms;
    assert_int_equal(outcome.err, HERD_E_TIMEOUT);
    assert_in_range(took_ms, 290, 3000);
    for (size_t i = 0; i < 20; i++)
        fetch_once(origin, "https://places.test/", 60000, &outcome, &calls[i]);
    begin_ms = herd_clock_steady_ms();
    for (size_t i = 0; i < 20; i++)
        herd_fetch_cancel(calls[i]);
    fetch_once(origin, "https://places.test/", 60000, &outcome, &call);
    herd_fetch_free(fetch); /* with one still under way */
    assert_in_range(herd_clock_steady_ms() - begin_ms, 0, 1000);
    assert_int_equal(outcome.done, 1);
    assert_in_range(longest_gap_ms, 0, 1000);
    event_free(ticker);
    names_close(&names);
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_silent_name_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
