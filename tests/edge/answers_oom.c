/* SPDX-License-Identifier: MIT */
/*
 * Each answer of a server by HTTP with each allocation and each addition to a buffer on its way failing in turn. It is the
 * right one, or 503 (502 of a provider of places), or the connection ends; with memory it is the right one. One server answers all of them: what failed for
 * one request is nothing to the next.
 */
#include "http_fails.h"

#include "../unit/temp.h"

#include <herd/server.h>

#include <openssl/evp.h>

struct question {
    int status;
    const char *request, *has; /* what the whole answer has; NULL: nothing particular */
};

static struct herd_buf answer;

/* The status of the answer, which is kept; 0: the connection ended. */
static int answered(struct http_world *w, const char *request)
{
    struct http_client c;
    time_t end = seconds() + DEADLINE_S;
    client_open(&c, w);
    client_say(&c, request);
    while (!c.ended && !whole(&c, request)) {
        client_turn(&c);
        assert_true(seconds() < end);
    }
    int status = whole(&c, request) ? atoi(client_text(&c) + strlen("HTTP/1.1 ")) : 0;
    answer.len = 0;
    assert_int_equal(herd_buf_add(&answer, c.got.at, c.got.len + 1), 0);
    client_close(&c);
    return status;
}

static void expect_right(struct http_world *w, const struct question *question)
{
    int status = answered(w, question->request);
    if (status != question->status || (question->has && !strstr(answer.at, question->has)))
        fail_msg("expected %d %s\nof %s\ngot %s", question->status, question->has ? question->has : "",
                 question->request, answer.at);
}

static void try_all(struct http_world *w, const struct question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct question *question = &questions[i];
        expect_right(w, question); /* what is made once is there */
        plan.next = 0;
        plan.count = 1;
        plan.additions = true;
        do {
            plan.asked = plan.failed = 0;
            http_world_arm = set_armed;
            int status = answered(w, question->request);
            http_world_arm = NULL;
            if (status != question->status && status != 0 && status != 503 && status != 502)
                fail_msg("%d of %s\n%s", status, question->request, answer.at);
            plan.next++;
        } while (plan.failed > 0);
        expect_right(w, question);
    }
    assert_int_equal(w->server->http->bodies_bytes, 0);
}

#define TRY(w, questions) try_all(w, questions, sizeof questions / sizeof *questions)
#define GET(path, fields) "GET " path " HTTP/1.1\r\n" HOST fields "\r\n"
#define JSON(method, path, length, body)                                                                      \
    method " " path " HTTP/1.1\r\n" HOST "Content-Type: application/json\r\nContent-Length: " length "\r\n\r" \
           "\n" body

#define RING                                                                                              \
    JSON("PUT", "/v1/fences/ring", "92",                                                                  \
         "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[2,1]},\"properties\":{" \
         "\"radius\":9}}")

#define SEARCH(path, length, at, radius)                                              \
    JSON("POST", path, length,                                                        \
         "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":" at \
         "},\"properties\":{\"radius\":" radius "}}")

/* ---- all that there is ---- */

static void test_answers(void **state)
{
    (void)state;
    static const struct question questions[] = {
        {200, JSON("PUT", "/v1/clients/ann", "42", "{\"lat\":1.5,\"lon\":2.5,\"time\":1700000000.25}"), "AT a "},
        {200, JSON("PUT", "/v1/clients/eve%2Fx", "39", "{\"lat\":1.6,\"lon\":2.5,\"time\":1700000000}"), NULL},
        {415, "PUT /v1/clients/ann HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\n1",
         NULL},
        {405, "POST /v1/node HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "Allow: GET, HEAD, OPTIONS\r\n"},
        {204, "OPTIONS /v1/clients/ann HTTP/1.1\r\n" HOST "\r\n", "Allow: "},
        {204,
         "OPTIONS /v1/clients/ann HTTP/1.1\r\n" HOST
         "Origin: https://maps.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
         "Access-Control-Allow-Origin: https://maps.example\r\n"},
        {403,
         "OPTIONS /v1/clients/ann HTTP/1.1\r\n" HOST
         "Origin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
         NULL},
        {200, GET("/v1/clients/ann", "Origin: https://maps.example\r\n"), "Access-Control-Expose-Headers: ETag"},
        {200, GET("/v1/clients/ann", "Referer: http://localhost?x\r\n"), "\"id\":\"ann\""},
        {200, GET("/v1/clients/ann", "If-None-Match: \"0\", W/\"1\"\r\n"), "ETag: "},
        {200, "HEAD /v1/clients/ann HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: keep-alive\r\n"},
        {200, GET("/v1/clients?limit=1", ""), "rel=\"next\""},
        {200, GET("/v1/clients?bbox=0,0,9,9&limit=1", ""), "bbox=0,0,9,9>; rel=\"next\""},
        {200, GET("/v1/clients?near=1.5,2.5&radius=2e4&limit=9", ""), "\"distance\":11119.51,"},
        {200, GET("/v1/clients?near=ann&limit=9", ""), "\"eve/x\""},
        {400, GET("/v1/clients?near=1.5,2.5&radius=-1", ""), NULL},
        {400, GET("/v1/clients?near=1.5,2.5&radius=1x", ""), NULL},
        {400, GET("/v1/clients?near=1.5,2.5&near=ann", ""), NULL},
        {400, GET("/v1/clients?bbox=0,0,9,9&cursor=0", ""), NULL},
        {200, GET("/v1/clients/ann/trace", ""), NULL},
        {200, GET("/v1/clients/ann/places?radius=10&limit=3", ""), "\"results\""},
        {200, RING, NULL},
        {200, GET("/v1/fences", ""), "\"truncated\":false}"},
        {200, GET("/v1/fences/ring", ""), "\"ring\""},
        {200, SEARCH("/v1/search", "102", "[2.5,1.5]", "20000.0"), "\"eve/x\""},
        {200, SEARCH("/v1/search?near=1,2&limit=1", "102", "[2.5,1.5]", "20000.0"), "\"truncated\":true"},
        {200, SEARCH("/v1/search?near_id=eve%2Fx", "102", "[2.5,1.5]", "20000.0"), "\"ann\""},
        {400, SEARCH("/v1/search?bbox=0,0,1,1", "102", "[2.5,1.5]", "20000.0"), NULL},
        {400, SEARCH("/v1/search?radius=1&near=0,0", "102", "[2.5,1.5]", "20000.0"), NULL},
        {400, SEARCH("/v1/search?after=1", "102", "[2.5,1.5]", "20000.0"), NULL},
        {422, SEARCH("/v1/search", "102", "[2.5,91]", "20000.00"), NULL},
        {400, SEARCH("/v1/search", "101", "[2.5,1.5]", "20000."), NULL},
        {404, GET("/v1/clients?near_id=nobody", ""), NULL},
        {400, GET("/v1/clients?near=1.5,2.5&near_id=ann", ""), NULL},
        {400, GET("/v1/clients?near=1.5,2.5&bbox=0,0,1,1", ""), NULL},
        {400, GET("/v1/clients?near=1.5,2.5&after=0", ""), NULL},
        {400, GET("/v1/clients?radius=5", ""), NULL},
        {400, GET("/v1/clients?bbox=0,0,9,91", ""), NULL},
        {400, GET("/v1/clients?bbox=0,0,9", ""), NULL},
        {400, GET("/v1/clients?limit=1&limit=1", ""), NULL},
        {400, GET("/v1/clients?limit=0", ""), NULL},
        {400, GET("/v1/clients/%00", ""), NULL},
        {404, GET("/v1/clients/a/b", ""), NULL},
        {404, GET("/v1/clients/nobody/trace", ""), NULL},
        {404, GET("/v1/clients/nobody/places?radius=1&limit=1", ""), NULL},
        {400, GET("/v1/clients/ann/places?radius=1&limit=x", ""), NULL},
        {200, "GET /v1/node HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", NULL},
        {200, "GET /v1/node HTTP/1.1\r\nHost: LOCALHOST.:80\r\n\r\n", NULL},
        {421, "GET /v1/node HTTP/1.1\r\nHost: a.evil.example\r\n\r\n", NULL},
        {421, "GET /v1/node HTTP/1.1\r\nHost: a-name.longer.than.any.address.has.ever.been.example\r\n\r\n", NULL},
        {403, JSON("PUT", "/v1/clients/ann", "2\r\nSec-Fetch-Site: cross-site", "{}"), NULL},
        {403, JSON("PUT", "/v1/clients/ann", "2\r\nReferer: https://evil.example/a?b#c", "{}"), NULL},
        {403, JSON("PUT", "/v1/clients/ann", "2\r\nReferer: evil", "{}"), NULL},
        {403, JSON("PUT", "/v1/clients/ann", "2\r\nOrigin: null", "{}"), NULL},
        {403, JSON("PUT", "/v1/clients/ann", "2\r\nOrigin: http://localhost\r\nOrigin: http://localhost", "{}"),
         NULL},
        {400, JSON("PUT", "/v1/clients/ann", "2\r\nOrigin: http://localhost", "{}"), NULL},
        {417, JSON("PUT", "/v1/clients/ann", "2\r\nExpect: 200-ok", "{}"), NULL},
        {200, GET("/v1/events?id=ann&id=eve", ""), "text/event-stream"},
        {200, GET("/v1/events?fence=ring", ""), "text/event-stream"},
        {200, GET("/v1/events?fence=*", "Last-Event-ID: x\r\n"), NULL},
        {400, GET("/v1/events?bbox=1", ""), NULL},
        {400, GET("/v1/events?fence=a%20b", ""), NULL},
        {400, GET("/v1/events?id=%00", ""), NULL},
        {200, GET("/?id=osm&lat=1&lon=2&timestamp=1700000000", ""), NULL},
        {200,
         JSON("POST", "/pub?u=jane&d=phone", "53",
              "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":1700000000}"),
         NULL},
        {200, GET("/api/0/last?user=jane&device=phone", ""), "\"lat\""},
        {200, GET("/api/0/list?user=jane", ""), "phone"},
        {404, GET("/v1/fences/no", ""), NULL},
        {200, GET("/v1/peers", ""), "{\"name\":\"b\",\"up\":false"},
        {200, GET("/v1/node", ""), NULL},
        {503, GET("/readyz", ""), "no link with b: "},
        {200, GET("/metrics", ""), "herd_"},
        {200, GET("/", "Accept-Encoding: br ;q=1,gzip ;q=0.001\r\n"), "Content-Encoding: gzip\r\n"},
        {200, GET("/", "Accept-Encoding: gzip; q=0.000 , *\r\n"), "Content-Type: text/html"},
        {200, GET("/api/0/list", ""), NULL},
        {200, GET("/api/0/last", ""), NULL},
    };
    struct http_world w;
    http_world_servers = ",\"b\":{\"port\":9}";
    http_world_links = "[\"a\",\"b\"]";
    http_world_open(&w, NULL, ",\"area\":true,\"http\":{\"origins\":[\"https://maps.example\"]}");
    http_world_servers = http_world_links = "";
    (void)answered(&w, RING);
    TRY(&w, questions);
    http_world_close(&w);
}

/* ---- clients of another herd ---- */

static void test_elsewhere(void **state)
{
    (void)state;
    struct http_world w;
    http_world_open(
        &w, NULL,
        ",\"shards\":{\"self\":\"north\",\"herds\":{\"north\":{\"servers\":[\"127.0.0.1:1\"]},\"south\":"
        "{\"servers\":[\"127.0.0.1:2\"],\"http\":\"http://south.example\"},\"west\":{\"servers\":["
        "\"127.0.0.1:3\"]}}}");
    bool redirected = false, refused = false;
    for (unsigned i = 0; !redirected || !refused; i++) {
        char request[200], location[100];
        struct question questions[] = {{0, request, NULL}};
        snprintf(request, sizeof request, GET("/v1/clients/c%u/places?radius=1&limit=2", ""), i);
        snprintf(location, sizeof location,
                 "Location: http://south.example/v1/clients/c%u/places?radius=1&limit=2\r\n", i);
        assert_true(i < 100);
        questions[0].status = answered(&w, request);
        if (questions[0].status == 307 && !redirected) {
            questions[0].has = location;
            TRY(&w, questions);
            redirected = true;
        } else if (questions[0].status == 421 && !refused) {
            TRY(&w, questions);
            refused = true;
        }
    }
    http_world_close(&w);
}

/* ---- who is who ---- */

/* A request by `scheme` with the base64 of `pair`, which is not filled up, or with `pair` as it is. */
static const char *with(char request[300], const char *scheme, const char *pair, bool base64)
{
    unsigned char text[128];
    int len = snprintf((char *)text, sizeof text, "%s", pair);
    if (base64)
        len = EVP_EncodeBlock(text, (const unsigned char *)pair, (int)strlen(pair));
    while (base64 && text[len - 1] == '=')
        len--;
    snprintf(request, 300, GET("/v1/node", "Authorization: %s %.*s\r\n"), scheme, len, (const char *)text);
    return request;
}

static void test_credentials(void **state)
{
    (void)state;
    char path[] = "/tmp/herd-identities-XXXXXX", more[128], text[400], request[300], pair[128];
    char token[HERD_TOKEN_SIZE], proof[HERD_TOKEN_PROOF_SIZE], one[HERD_TOKEN_SIZE],
        one_proof[HERD_TOKEN_PROOF_SIZE];
    assert_int_equal(herd_token_new(token, proof), 0);
    assert_int_equal(herd_token_new(one, one_proof), 0);
    int len = snprintf(text, sizeof text, "kiwi %s * * admin\nfew %s * * connections=1\n", proof, one_proof);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, (size_t)len) == len);
    close(fd);
    snprintf(more, sizeof more, ",\"identities\":\"%s\"", path);
    struct http_world w;
    http_world_open(&w, NULL, more);
    unlink(path);
    const struct question bearer[] = {{200, with(request, "Bearer", token, false), "\"name\":\"a\""}};
    TRY(&w, bearer);
    /* Of these users the base64 has every sign there is. */
    static const char *const users[] = {"kiwi", "~~~>?>", "\x01\x02\x03?", "j\xc3\xb6rg"};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        snprintf(pair, sizeof pair, "%s:%s", users[i], token);
        const struct question basic[] = {{200, with(request, "bAsIc  ", pair, true), "\"name\":\"a\""}};
        TRY(&w, basic);
    }
    static const struct {
        const char *scheme, *rest;
    } refused[] = {{"Basic", "a2l3a"}, {"Basic", "a2l3aQ"}, {"Basic", "a2-3aQ"}, {"Basic", "a2 3"},
                   {"Bearer", ""},     {"Digest", "a2l3"},  {"Basic", "[{@`"},   {"Basic", ""}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct question question[] = {{401, with(request, refused[i].scheme, refused[i].rest, false),
                                             "WWW-Authenticate: Bearer realm=\"herd\""}};
        TRY(&w, question);
    }
    const struct question none[] = {
        {401, GET("/v1/node", "Authorization: Basic\r\n"), NULL},
        {401, GET("/v1/node", ""), "WWW-Authenticate: Bearer"},
        {401, "POST /pub HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "Basic realm"}};
    TRY(&w, none);
    /* One connection of the identity is there already. */
    struct http_client c;
    client_open(&c, &w);
    client_say(&c, with(request, "Bearer", one, false));
    client_expect(&c, "HTTP/1.1 403 "); /* no admin, and known */
    const struct question few[] = {{429, request, "Retry-After: 10\r\n"}};
    TRY(&w, few);
    client_close(&c);
    http_world_close(&w);
}

/* ---- limits ---- */

#define REPORT(id, time) JSON("PUT", "/v1/clients/" id, "37", "{\"lat\":1,\"lon\":2,\"time\":\"" time "\"}")

static void test_limits(void **state)
{
    (void)state;
    struct http_world w;
    char now[200], ahead[200];
    http_world_open(&w, NULL,
                    ",\"limits\":{\"records_max\":2,\"tombstones_max\":1,\"future_ms\":1000,\"future_refuse\":1,"
                    "\"expire_ms\":100000000,\"traces_max\":0,\"fences_max\":0}");
    snprintf(now, sizeof now, REPORT("%s", "%lu"), "a", (unsigned long)time(NULL));
    snprintf(ahead, sizeof ahead, REPORT("a", "%lu"), (unsigned long)time(NULL) + 100000);
    assert_int_equal(answered(&w, now), 200);
    snprintf(now, sizeof now, REPORT("%s", "%lu"), "b", (unsigned long)time(NULL));
    assert_int_equal(answered(&w, now), 200);
    snprintf(now, sizeof now, REPORT("%s", "%lu"), "c", (unsigned long)time(NULL));
    const struct question full[] = {
        {507, now, "\"title\":\"Full\""},
        {422, ahead, "From the future"},
        {503, JSON("POST", "/pub?u=c&d=d", "46", "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":  0}"), NULL},
        {404, GET("/v1/fences", ""), NULL},
        {404, JSON("DELETE", "/v1/clients/nobody", "0", ""), NULL},
    };
    TRY(&w, full);
    assert_int_equal(answered(&w, JSON("DELETE", "/v1/clients/a", "0", "")), 204);
    const struct question deleted[] = {
        {507, JSON("DELETE", "/v1/clients/b", "0", ""), "limits.tombstones_max deletions"}};
    TRY(&w, deleted);
    http_world_close(&w);
    http_world_open(&w, NULL, "");
    static const struct question others[] = {
        {403, JSON("DELETE", "/v1/clients/a", "0", ""), "limits.tombstones_max is 0"},
    };
    TRY(&w, others);
    http_world_close(&w);
    http_world_open(&w, NULL, ",\"limits\":{\"reports_per_address_max\":1}");
    int status = 200;
    for (int i = 0; i < 60 && status == 200;
         i++) /* each on a connection of its own: the address goes on where it was */
        status = answered(&w, REPORT("a", "1700000000"));
    assert_int_equal(status, 429);
    assert_non_null(strstr(answer.at, "Retry-After: 1\r\n"));
    http_world_close(&w);
}

static int free_answer(void **state)
{
    (void)state;
    herd_buf_fini(&answer);
    return 0;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_elsewhere),
                                       cmocka_unit_test(test_credentials), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, free_answer);
}
