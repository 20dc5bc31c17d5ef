/* SPDX-License-Identifier: MIT */
/* herd-server --status and --verify: all servers are asked at once, so that what they hold can be compared. */
#include "status.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX_BYTES 262144
#define PATIENCE_MS      2000L
#define VERIFY_TRIES     15
#define VERIFY_PAUSE_NS  200000000L

enum { NODE, PEERS, QUESTIONS };
static const char *const paths[QUESTIONS] = {"/v1/node", "/v1/peers"};

struct question {
    CURL *easy;
    char *answer;
    size_t len;
    char why[CURL_ERROR_SIZE];
    long status;              /* of its answer; 0: none came */
    struct json_object *json; /* NULL: no proper answer, see `why` */
};

struct server {
    const struct herd_config_server *config;
    struct question questions[QUESTIONS];
};

static size_t on_bytes(char *bytes, size_t one, size_t len, void *ctx)
{
    struct question *question = ctx;
    (void)one;
    if (question->len + len > ANSWER_MAX_BYTES)
        return 0;
    char *answer = realloc(question->answer, question->len + len + 1);
    if (!answer)
        return 0;
    memcpy(answer + question->len, bytes, len);
    question->answer = answer;
    question->len += len;
    answer[question->len] = '\0';
    return len;
}

/* Where a server can be asked. */
enum way {
    ADMIN, /* admin_port, if the server is on this machine */
    HTTP,  /* http_port */
    WAYS,
};

static unsigned port_of(const struct herd_config_server *server, enum way way)
{
    return way == ADMIN ? server->admin_port : server->http_port;
}

static void put_url(const struct herd_config *config, const struct herd_config_server *server, enum way way,
                    const char *path, char *url, size_t size)
{
    if (way == ADMIN) {
        snprintf(url, size, "http://127.0.0.1:%u%s", (unsigned)server->admin_port, path);
        return;
    }
    const char *host = server->http_listen_count ? server->http_listen[0] : server->host;
    if (strcmp(host, "*") == 0)
        host = server->host;
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(url, size, "%s://%s%s%s:%u%s", config->tls.mode == HERD_TLS_REQUIRE ? "https" : "http",
             is_v6 ? "[" : "", host, is_v6 ? "]" : "", server->http_port, path);
}

/* A line of visible ASCII, with its end or that of the file. */
static bool is_token_line(char line[HERD_TOKEN_SIZE + 2])
{
    const size_t len = strcspn(line, "\r\n");
    if (len == 0 || len >= HERD_TOKEN_SIZE)
        return false;
    for (size_t i = 0; i < len; i++)
        if (line[i] <= ' ' || line[i] > '~')
            return false;
    line[len] = '\0';
    return true;
}

/* The token in the file that HERD_TOKEN_FILE names; "": it names none. False: it is said why there is no token in it. */
static bool read_token(char ret_token[HERD_TOKEN_SIZE])
{
    char line[HERD_TOKEN_SIZE + 2] = "";
    const char *path = getenv("HERD_TOKEN_FILE");
    ret_token[0] = '\0';
    if (!path || !path[0])
        return true;
    FILE *file = fopen(path, "re");
    errno = file ? 0 : errno;
    const bool read = file && fgets(line, sizeof line, file);
    if (!read && errno)
        fprintf(stderr, "herd-server: HERD_TOKEN_FILE: %s: %s\n", path, strerror(errno));
    else if (!read || !is_token_line(line))
        fprintf(stderr, "herd-server: HERD_TOKEN_FILE: %s: its first line is no token\n", path);
    else
        memcpy(ret_token, line, strlen(line) + 1);
    if (file)
        fclose(file);
    return ret_token[0] != '\0';
}

static bool ask(const struct herd_config *config, const struct herd_config_server *server, enum way way,
                const char *path, const char *token, CURLM *multi, struct question *question)
{
    char url[512];
    question->easy = curl_easy_init();
    if (!question->easy)
        return false;
    put_url(config, server, way, path, url, sizeof url);
    curl_easy_setopt(question->easy, CURLOPT_URL, url);
    curl_easy_setopt(question->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(question->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(question->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(question->easy, CURLOPT_TIMEOUT_MS, PATIENCE_MS);
    curl_easy_setopt(question->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(question->easy, CURLOPT_WRITEDATA, question);
    curl_easy_setopt(question->easy, CURLOPT_ERRORBUFFER, question->why);
    if (config->tls.ca)
        curl_easy_setopt(question->easy, CURLOPT_CAINFO, config->tls.ca);
    if (token[0]) {
        curl_easy_setopt(question->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(question->easy, CURLOPT_XOAUTH2_BEARER, token);
    }
    return curl_multi_add_handle(multi, question->easy) == CURLM_OK;
}

static bool is_refusal(long status)
{
    return status == 401 || status == 403;
}

static const char *refusal(long status, bool with_token)
{
    if (!with_token)
        return status == 401 ? ": HERD_TOKEN_FILE has to name a file with the token of an identity with admin"
                             : ": who asks without a token has no admin";
    return status == 401 ? ": its identities have no such token as that of HERD_TOKEN_FILE"
                         : ": the identity of the token of HERD_TOKEN_FILE has no admin";
}

static void take_answer(struct question *question, CURLcode result, bool with_token)
{
    curl_easy_getinfo(question->easy, CURLINFO_RESPONSE_CODE, &question->status);
    if (result != CURLE_OK) {
        question->status = 0;
        if (!question->why[0])
            snprintf(question->why, sizeof question->why, "%s", curl_easy_strerror(result));
    } else if (question->status != 200) {
        snprintf(question->why, sizeof question->why, "answers %ld%s", question->status,
                 is_refusal(question->status) ? refusal(question->status, with_token) : "");
    } else {
        question->json = json_tokener_parse(question->answer ? question->answer : "");
        if (!question->json)
            snprintf(question->why, sizeof question->why, "answers with what is no JSON");
    }
}

static void run(CURLM *multi, bool with_token)
{
    int running = 1, left;
    CURLMsg *message;
    while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK) {
        while ((message = curl_multi_info_read(multi, &left))) {
            struct question *question = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&question);
            if (message->msg == CURLMSG_DONE && question)
                take_answer(question, message->data.result, with_token);
        }
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, 200, NULL);
    }
}

static void forget(struct server *server)
{
    for (int q = 0; q < QUESTIONS; q++) {
        free(server->questions[q].answer);
        json_object_put(server->questions[q].json);
        server->questions[q] = (struct question){0};
    }
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *value = member(object, name);
    return value && json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "?";
}

/* What answered is the server that was meant: on a machine with another one the same port may be that one's. */
static void check_name(struct server *server)
{
    struct json_object *node = server->questions[NODE].json;
    if (!node || strcmp(text_of(node, "name"), server->config->name) == 0)
        return;
    forget(server);
    server->questions[NODE].status = 200;
    snprintf(server->questions[NODE].why, CURL_ERROR_SIZE, "another server answers there");
}

/* Asks those that have not answered yet, and have this way. */
static void ask_by(const struct herd_config *config, struct server *servers, size_t count, enum way way,
                   const char *token)
{
    CURLM *multi = curl_multi_init();
    for (size_t i = 0; i < count; i++) {
        if (servers[i].questions[NODE].json || !port_of(servers[i].config, way))
            continue;
        forget(&servers[i]);
        for (int q = 0; q < QUESTIONS; q++) {
            struct question *question = &servers[i].questions[q];
            if (!multi || !ask(config, servers[i].config, way, paths[q], token, multi, question))
                snprintf(question->why, sizeof question->why, "cannot be asked: out of memory");
            else
                curl_easy_setopt(question->easy, CURLOPT_PRIVATE, question);
        }
    }
    if (multi)
        run(multi, token[0] != '\0');
    for (size_t i = 0; i < count; i++) {
        for (int q = 0; q < QUESTIONS; q++) {
            struct question *question = &servers[i].questions[q];
            if (question->easy) {
                curl_multi_remove_handle(multi, question->easy);
                curl_easy_cleanup(question->easy);
                question->easy = NULL;
            }
        }
        check_name(&servers[i]);
    }
    if (multi)
        curl_multi_cleanup(multi);
}

static void ask_all(const struct herd_config *config, struct server *servers, size_t count, const char *token)
{
    for (size_t i = 0; i < count; i++) {
        forget(&servers[i]);
        if (!servers[i].config->admin_port && !servers[i].config->http_port)
            snprintf(servers[i].questions[NODE].why, CURL_ERROR_SIZE, "has neither http_port nor admin_port");
    }
    for (int way = 0; way < WAYS; way++)
        ask_by(config, servers, count, (enum way)way, token);
}

/* ---- what they said ---- */

static struct json_object *peers_of(const struct server *server, size_t *ret_count)
{
    struct json_object *list = member(server->questions[PEERS].json, "peers");
    *ret_count = list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    return list;
}

/* Whether the server is up, has its links, and knows of no difference. */
static bool is_well(const struct server *server)
{
    size_t count;
    struct json_object *list = peers_of(server, &count);
    if (!server->questions[NODE].json || !list ||
        strcmp(text_of(server->questions[NODE].json, "journal"), "behind") == 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!json_object_get_boolean(member(json_object_array_get_idx(list, i), "agrees")))
            return false;
    return true;
}

static bool all_agree(const struct server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_well(&servers[i]) || strcmp(text_of(servers[i].questions[NODE].json, "digest"),
                                            text_of(servers[0].questions[NODE].json, "digest")) != 0)
            return false;
    }
    return count > 0;
}

/* The question that says why a server tells nothing. */
static const struct question *silent_question(const struct server *server)
{
    return &server->questions[server->questions[NODE].why[0] ? NODE : PEERS];
}

static bool any_refuses(const struct server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int q = 0; q < QUESTIONS; q++)
            if (is_refusal(servers[i].questions[q].status))
                return true;
    return false;
}

static void print_silent(const struct server *server)
{
    const struct question *question = silent_question(server);
    const char *word = is_refusal(question->status) ? "refuses" : question->status ? "wrong" : "down";
    printf("%-16s %-7s %s\n", server->config->name, word, question->why);
}

static void print_server(const struct server *server)
{
    struct json_object *node = server->questions[NODE].json;
    size_t count, up = 0;
    struct json_object *list = peers_of(server, &count);
    if (!node || !list) {
        print_silent(server);
        return;
    }
    int64_t unsent = 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *peer = json_object_array_get_idx(list, i);
        up += json_object_get_boolean(member(peer, "up")) != 0;
        unsent += json_object_get_int64(member(peer, "unsent"));
    }
    const char *ends = text_of(node, "certificate_ends"); /* of which the day is shown */
    printf("%-16s up      %10" PRId64 " %7zu/%-3zu %8" PRId64 " %9.3f  %-8s %-9s %-10.10s  %s\n",
           server->config->name, json_object_get_int64(member(node, "clients")), up, count, unsent,
           json_object_get_double(member(node, "lag_s")), text_of(node, "journal"),
           member(node, "database") ? text_of(member(node, "database"), "state") : "none",
           strcmp(ends, "?") == 0 ? "none" : ends, text_of(node, "digest"));
    for (size_t i = 0; i < count; i++) {
        struct json_object *peer = json_object_array_get_idx(list, i);
        if (!json_object_get_boolean(member(peer, "up")))
            printf("%-16s         no link with %s%s%s\n", "", text_of(peer, "name"),
                   member(peer, "why") ? ": " : "", member(peer, "why") ? text_of(peer, "why") : "");
        else if (!json_object_get_boolean(member(peer, "agrees")))
            printf("%-16s         %s %s\n", "",
                   json_object_get_boolean(member(peer, "comparing")) ? "comparing states with"
                                                                      : "another state than",
                   text_of(peer, "name"));
    }
}

static void print(const struct server *servers, size_t count)
{
    printf("%-16s %-7s %10s %7s/%-3s %8s %9s  %-8s %-9s %-10s  %s\n", "server", "", "clients", "links", "of",
           "unsent", "lag s", "journal", "database", "cert. ends", "digest");
    for (size_t i = 0; i < count; i++)
        print_server(&servers[i]);
}

enum status status_print(const struct herd_config *config, const char *name, bool verify)
{
    char token[HERD_TOKEN_SIZE];
    if (!read_token(token))
        return STATUS_REFUSED;
    struct server *servers = calloc(config->server_count, sizeof *servers);
    size_t count = 0;
    bool agree = false, refused = false;
    if (!servers)
        return STATUS_UNWELL;
    for (size_t i = 0; i < config->server_count; i++)
        if (!name || strcmp(config->servers[i].name, name) == 0)
            servers[count++].config = &config->servers[i];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (int tries = verify ? VERIFY_TRIES : 1; tries > 0 && !agree && !refused; tries--) {
        ask_all(config, servers, count, token);
        agree = all_agree(servers, count);
        refused = any_refuses(servers, count);
        if (!agree && !refused && tries > 1)
            nanosleep(&(struct timespec){0, VERIFY_PAUSE_NS}, NULL);
    }
    print(servers, count);
    printf("%s\n", agree ? "all well: the same state everywhere" : refused ? "NOT KNOWN: refused" : "NOT WELL");
    for (size_t i = 0; i < count; i++)
        forget(&servers[i]);
    free(servers);
    curl_global_cleanup();
    return agree ? STATUS_WELL : refused ? STATUS_REFUSED : STATUS_UNWELL;
}
