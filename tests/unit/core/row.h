/* SPDX-License-Identifier: MIT */
/*
 * Checks a line against what it should be, and against fields found the naive way. It is parsed whole from a buffer
 * that ends at unreadable memory, then given to a session whole, split at every byte, and byte by byte: the reply
 * must be the same.
 */
#ifndef TEST_ROW_H
#define TEST_ROW_H

#include "cm.h"

#include "guard.h"

#include <herd/node.h>
#include <herd/protocol.h>
#include <herd/timestamp.h>

static const struct herd_now NOW = {INT64_C(1621464828000000000), INT64_C(5000000000)};

struct row {
    enum herd_verb verb;
    const char *line;
    size_t len;
};
#define ROW(verb, text)              \
    {                                \
        verb, text, sizeof(text) - 1 \
    }
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static inline bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == '\n';
}

static inline size_t naive_fields(struct herd_span line, struct herd_span *fields, size_t max)
{
    size_t n = 0, i = 0;
    while (i < line.len && n < max) {
        while (i < line.len && is_white(line.at[i]))
            i++;
        size_t from = i;
        while (i < line.len && !is_white(line.at[i]))
            i++;
        if (i > from)
            fields[n++] = (struct herd_span){line.at + from, i - from};
    }
    return n;
}

static inline struct herd_node *make_node(void)
{
    struct herd_node_options options = {.name = herd_span_of("Juzang"), .seed = {1, 2}};
    struct herd_node *node;
    assert_int_equal(herd_node_new(&node, &options), 0);
    return node;
}

/* Gives `bytes` in pieces that end at the offsets `cut` says, keeping what is not used up. */
static inline void feed(struct herd_node *node, struct herd_span bytes, size_t first, size_t step,
                        struct herd_buf *out)
{
    struct herd_session *session;
    struct herd_input_result result = {0};
    assert_int_equal(herd_session_open(node, &session, NULL, NOW), 0);
    size_t used = 0, given = first;
    while (true) {
        if (given > bytes.len)
            given = bytes.len;
        struct herd_span piece = guarded((struct herd_span){bytes.at + used, given - used});
        assert_int_equal(herd_session_input(session, piece, NOW, out, &result), 0);
        assert_true(result.consumed <= piece.len);
        assert_false(result.blocked);
        used += result.consumed;
        if (given == bytes.len)
            break;
        given += step;
    }
    assert_int_equal(used, bytes.len);
    herd_session_close(session);
}

static inline void expect_reply(const struct row *row, struct herd_buf *expected)
{
    struct herd_span line = {row->line, row->len}, f[6];
    switch (row->verb) {
    case HERD_BLANK: break;
    case HERD_IAMAT: {
        assert_int_equal(naive_fields(line, f, 6), 4);
        int64_t time_ns;
        char diff[HERD_DIFF_MAX];
        assert_int_equal(herd_timestamp_parse(f[3], &time_ns), 0);
        size_t len = herd_diff_format(NOW.wall_ns - time_ns, diff);
        herd_buf_add_text(expected, "AT Juzang ");
        herd_buf_add(expected, diff, len);
        for (size_t i = 1; i < 4; i++) {
            herd_buf_add_text(expected, " ");
            herd_buf_add(expected, f[i].at, f[i].len);
        }
        herd_buf_add_text(expected, "\n");
        break;
    }
    default:
        /* WHATSAT too: nobody reported; and a client is no neighbour */
        herd_buf_add_text(expected, "? ");
        herd_buf_add(expected, line.at, line.len);
        herd_buf_add_text(expected, "\n");
    }
}

static inline void check_fields(struct herd_span line, const struct herd_command *c)
{
    struct herd_span f[8];
    size_t n = naive_fields(line, f, 8);
    if (c->verb == HERD_IAMAT) {
        assert_int_equal(n, 4);
        assert_true(herd_span_equal(c->id, f[1]) && herd_span_equal(c->position, f[2]) &&
                    herd_span_equal(c->time, f[3]));
    } else if (c->verb == HERD_AT) {
        assert_int_equal(n, 6);
        assert_true(herd_span_equal(c->server, f[1]) && herd_span_equal(c->diff, f[2]) &&
                    herd_span_equal(c->id, f[3]) && herd_span_equal(c->position, f[4]) &&
                    herd_span_equal(c->time, f[5]));
    } else if (c->verb == HERD_WHATSAT) {
        assert_int_equal(n, 4);
        assert_true(herd_span_equal(c->id, f[1]) && herd_span_equal(c->radius, f[2]));
    } else if (c->verb == HERD_HELLO) {
        assert_true(c->version == HERD_PROTOCOL_VERSION
                        ? n >= 5
                        : n >= 2); /* fields may be added; of another version all may differ */
        assert_true(c->version != HERD_PROTOCOL_VERSION ||
                    (herd_span_equal(c->from, f[2]) && herd_span_equal(c->to, f[3])));
    } else if (c->verb == HERD_REFUSE) {
        assert_true(c->args.at == f[1].at && c->args.at + c->args.len == line.at + line.len);
    }
}

static inline void check_row(struct herd_node *node, const struct row *row)
{
    struct herd_command command;
    struct herd_span line = guarded((struct herd_span){row->line, row->len});
    if (herd_command_parse(line, &command) != row->verb)
        fail_msg("\"%s\" is verb %d, not %d", row->line, command.verb, row->verb);
    assert_int_equal(command.verb, row->verb);
    check_fields(line, &command);

    struct herd_buf bytes = {0}, expected = {0}, out = {0};
    herd_buf_add(&bytes, row->line, row->len);
    herd_buf_add_text(&bytes, "\n");
    struct herd_span all = {bytes.at, bytes.len};
    if (row->verb == HERD_HELLO)
        feed(node, all, all.len, 1,
             &expected); /* what it says is peer business; that splits do not matter is ours */
    else
        expect_reply(row, &expected);
    for (size_t cut = 0; cut <= all.len; cut++) {
        out.len = 0;
        feed(node, all, cut, all.len, &out);
        if (!herd_span_equal(span_of_buf(&out), span_of_buf(&expected)))
            fail_msg("\"%s\" cut at %zu: got \"%.*s\", expected \"%.*s\"", row->line, cut, (int)out.len, out.at,
                     (int)expected.len, expected.at);
    }
    out.len = 0;
    feed(node, all, 1, 1, &out);
    assert_true(herd_span_equal(span_of_buf(&out), span_of_buf(&expected)));
    herd_buf_fini(&bytes);
    herd_buf_fini(&expected);
    herd_buf_fini(&out);
}

#endif
