/* SPDX-License-Identifier: MIT */
/* Two streams in one process, and the files their contexts are read from. */
#ifndef TEST_TLS_PAIR_H
#define TEST_TLS_PAIR_H

#include "cm.h"

#include "pki.h"
#include "temp.h"
#include "tls.h"

#include <unistd.h>

/* A directory with the herd's authority and another one; `path` makes names of files in it. */
struct tls_files {
    char dir[TEMP_LEN];
    struct pki authority, other;
};

/* Valid until eight more were made. */
static inline const char *tls_path(const struct tls_files *files, const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", files->dir, name);
    return path;
}

static inline void tls_files_init(struct tls_files *files)
{
    memset(files, 0, sizeof *files);
    temp_dir(files->dir);
    files->authority = pki_make("Herd CA", (struct pki_options){.authority = true});
    files->other = pki_make("Other CA", (struct pki_options){.authority = true});
    pki_write_certificates(tls_path(files, "ca.pem"), &files->authority, NULL);
    pki_write_certificates(tls_path(files, "other-ca.pem"), &files->other, NULL);
}

static inline void tls_files_fini(struct tls_files *files)
{
    char command[TEMP_LEN + 16];
    pki_free(&files->authority);
    pki_free(&files->other);
    snprintf(command, sizeof command, "rm -rf %s", files->dir);
    assert_int_equal(system(command), 0);
}

/* NAME.pem and NAME.key. */
static inline void tls_issue(struct tls_files *files, const char *name, struct pki_options options)
{
    char file[64];
    options.issuer = options.issuer ? options.issuer : &files->authority;
    struct pki made = pki_make(name, options);
    snprintf(file, sizeof file, "%s.pem", name);
    pki_write_certificates(tls_path(files, file), &made, NULL);
    snprintf(file, sizeof file, "%s.key", name);
    pki_write_key(tls_path(files, file), &made);
    pki_free(&made);
}

static inline int tls_try_context(struct tls_files *files, struct herd_tls_context **ret_context, const char *name,
                                  struct herd_tls_options options, struct herd_tls_fault *fault)
{
    char file[64];
    options.herd = options.herd.at ? options.herd : herd_span_of("h");
    options.ca = options.ca ? options.ca : tls_path(files, "ca.pem");
    if (name) {
        snprintf(file, sizeof file, "%s.pem", name);
        options.certificate = tls_path(files, file);
        snprintf(file, sizeof file, "%s.key", name);
        options.key = options.key ? options.key : tls_path(files, file);
    }
    return herd_tls_context_new(ret_context, &options, fault);
}

static inline struct herd_tls_context *tls_context(struct tls_files *files, const char *name,
                                                   struct herd_tls_options options)
{
    struct herd_tls_context *context = NULL;
    struct herd_tls_fault fault = {0};
    if (tls_try_context(files, &context, name, options, &fault) < 0)
        fail_msg("%s: %s", fault.event ? fault.event : "?", fault.text);
    return context;
}

/* What most need: a server's context, of North, and a client's without a name. */
static inline void tls_north_init(struct tls_files *files, struct herd_tls_context **ret_north,
                                  struct herd_tls_context **ret_client)
{
    tls_files_init(files);
    tls_issue(files, "North", (struct pki_options){.san = "URI:herd://h/server/North"});
    *ret_north = tls_context(files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    *ret_client = tls_context(files, NULL, (struct herd_tls_options){0});
}

static inline void tls_north_fini(struct tls_files *files, struct herd_tls_context *north,
                                  struct herd_tls_context *client)
{
    herd_tls_context_unref(north);
    herd_tls_context_unref(client);
    tls_files_fini(files);
}

struct tls_end {
    struct herd_tls_stream *stream;
    struct herd_buf plain, out;
};

struct tls_pair {
    struct tls_end server, client;
};

static inline struct herd_span tls_span(const struct herd_buf *buf)
{
    return (struct herd_span){buf->len ? buf->at : "", buf->len};
}

/* Gives what `from` has for `to`, `step` bytes at a time. */
static inline void tls_carry(struct tls_end *from, struct tls_end *to, size_t step)
{
    struct herd_buf bytes = from->out;
    from->out = (struct herd_buf){0};
    for (size_t at = 0; at < bytes.len; at += step) {
        size_t len = bytes.len - at < step ? bytes.len - at : step;
        assert_true(herd_tls_input(to->stream, (struct herd_span){bytes.at + at, len}, &to->plain, &to->out) >= 0);
    }
    herd_buf_fini(&bytes);
}

/* Carries both ways until nothing moves. */
static inline void tls_settle(struct tls_pair *pair, size_t step)
{
    while (pair->server.out.len || pair->client.out.len) {
        tls_carry(&pair->client, &pair->server, step);
        tls_carry(&pair->server, &pair->client, step);
    }
}

static inline void tls_connect(struct tls_pair *pair, struct herd_tls_context *server,
                               struct herd_tls_context *client, const struct herd_tls_expect *expect, size_t step)
{
    *pair = (struct tls_pair){0};
    assert_int_equal(herd_tls_stream_new(&pair->server.stream, server, HERD_TLS_SERVER, NULL), 0);
    assert_int_equal(herd_tls_stream_new(&pair->client.stream, client, HERD_TLS_CLIENT, expect), 0);
    assert_true(herd_tls_input(pair->client.stream, (struct herd_span){"", 0}, &pair->client.plain,
                               &pair->client.out) >= 0);
    tls_settle(pair, step);
}

static inline void tls_pair_fini(struct tls_pair *pair)
{
    for (struct tls_end *end = &pair->server; end; end = end == &pair->server ? &pair->client : NULL) {
        herd_tls_stream_free(end->stream);
        herd_buf_fini(&end->plain);
        herd_buf_fini(&end->out);
    }
}

static inline bool tls_open(const struct tls_pair *pair)
{
    return herd_tls_stream_state(pair->server.stream) == HERD_TLS_OPEN &&
           herd_tls_stream_state(pair->client.stream) == HERD_TLS_OPEN;
}

/* Whether who is at the other end of `end` proved to be `name`. */
static inline bool tls_proved(const struct tls_end *end, enum herd_tls_proof proof, const char *name)
{
    struct herd_span found;
    return herd_tls_stream_peer(end->stream, &found) == proof && herd_span_equal(found, herd_span_of(name));
}

#endif
