/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as those of one connection of HTTP. The first two bytes of the input say how the rest is cut: whatever is
 * cut must be understood like the whole, and nothing is read behind what came. The rest is then taken for a head, a
 * path, a query and an escaped text alone.
 */
#include "field_list.h"
#include "http_transcript.h"
#include "response.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST TRANSCRIPT_MUST

#define HEAD_MAX 600
#define BODY_MAX 300

static bool within(struct herd_span part, struct herd_span all)
{
    return part.at >= all.at && part.len <= all.len && (size_t)(part.at - all.at) <= all.len - part.len;
}

/* Segments with a '/' before each are the path again. */
static void check_segments(struct herd_span text)
{
    struct herd_span rest = text, segment;
    size_t len = 0;
    while (herd_http_path_next(&rest, &segment)) {
        MUST(text.at[len] == '/' && segment.at == text.at + len + 1 && !memchr(segment.at, '/', segment.len));
        len += 1 + segment.len;
    }
    MUST(len == (text.len && text.at[0] == '/' ? text.len : 0));
}

static void check_pairs(struct herd_span text)
{
    struct herd_span rest = text, name, value;
    const char *behind = text.at;
    while (herd_http_query_next(&rest, &name, &value)) {
        MUST(within(name, text) && within(value, text) && name.at >= behind && value.at >= name.at + name.len);
        MUST(!memchr(name.at, '=', name.len) && !memchr(name.at, '&', name.len) &&
             !memchr(value.at, '&', value.len));
        behind = value.at + value.len;
    }
}

static void check_list(struct herd_span text)
{
    struct herd_span rest = text, element;
    const char *behind = text.at;
    while (herd_http_list_next(&rest, &element)) {
        MUST(within(element, text) && element.len > 0 && element.at >= behind);
        behind = element.at + element.len;
    }
}

/* What was unescaped, and escaped again, is what was there, but for the case of digits and what needed no escape. */
static void check_escapes(struct herd_span text)
{
    char *to = malloc(text.len ? text.len : 1), *again = malloc(text.len ? text.len : 1);
    MUST(to && again);
    size_t len, len_again;
    if (herd_http_unescape(text, HERD_HTTP_PLUS, to, &len) == 0) {
        MUST(len <= text.len && !memchr(to, '\0', len));
        size_t escapes = 0;
        for (size_t i = 0, at = 0; i < len; i++, at++) {
            if (text.at[at] == '%') {
                char hex[3] = {text.at[at + 1], text.at[at + 2], '\0'}, *end;
                MUST((unsigned char)to[i] == strtoul(hex, &end, 16) && end == hex + 2);
                at += 2;
                escapes++;
            } else {
                MUST(to[i] == text.at[at]);
            }
        }
        MUST(len + 2 * escapes == text.len);
        memcpy(again, text.at ? text.at : "", text.len);
        MUST(herd_http_unescape((struct herd_span){again, text.len}, HERD_HTTP_BLANK, again, &len_again) == 0);
        MUST(len_again == len);
    } else {
        MUST(herd_http_unescape(text, HERD_HTTP_BLANK, to, &len) < 0);
    }
    free(to);
    free(again);
}

/* A value that is taken into a reply begins no other line. */
static void check_reply(struct herd_span value)
{
    struct herd_buf out = {0};
    bool text = true;
    for (size_t i = 0; i < value.len; i++)
        text &= value.at[i] == '\t' || ((unsigned char)value.at[i] >= 0x20 && value.at[i] != 0x7f);
    int err = herd_http_response_field(&out, "X", value);
    MUST(err == (text ? 0 : HERD_E_SYNTAX));
    MUST(out.len == (text ? value.len + 5 : 0));
    herd_buf_fini(&out);
}

static void check_head(struct herd_span text)
{
    struct herd_http_head head;
    struct herd_http_fault fault;
    struct herd_span value;
    if (herd_http_head_parse(&head, text, &fault) < 0) {
        MUST(fault.status >= 400 && fault.message);
        return;
    }
    MUST(within(head.path, text) && head.path.len > 0 && (!head.query.at || within(head.query, text)));
    MUST(head.host.len ? within(head.host, text) : head.minor == 0);
    MUST(head.field_count <= HERD_HTTP_FIELDS_MAX);
    for (size_t i = 0; i < head.field_count; i++) {
        struct herd_span name = herd_http_field_name(&head, i);
        value = herd_http_field_value(&head, i);
        MUST(within(name, text) && within(value, text) && name.len > 0);
        check_reply(value); /* as it is */
    }
    MUST(herd_http_head_find(&head, "Host", &value) == 1 || head.minor == 0);
    MUST(head.framing != HERD_HTTP_CHUNKED || herd_http_head_find(&head, "Content-Length", &value) == 0);
    char *moved = malloc(text.len);
    MUST(moved);
    memcpy(moved, text.at, text.len);
    herd_http_head_rebase(&head, moved);
    MUST(within(head.path, (struct herd_span){moved, text.len}));
    free(moved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    struct herd_span bytes = {(const char *)data + 2, size - 2};
    size_t consumed[3];
    char *text[3] = {
        transcript_of(bytes, bytes.len, 1, HEAD_MAX, BODY_MAX, &consumed[0]),
        transcript_of(bytes, 1, 1, HEAD_MAX, BODY_MAX, &consumed[1]),
        transcript_of(bytes, data[0] + 1, data[1] + 1, HEAD_MAX, BODY_MAX, &consumed[2]),
    };
    for (int i = 1; i < 3; i++)
        MUST(strcmp(text[0], text[i]) == 0 && consumed[0] == consumed[i]);
    for (int i = 0; i < 3; i++)
        free(text[i]);
    char *copy = malloc(bytes.len ? bytes.len : 1); /* of just this size, so that reading too far is seen */
    MUST(copy);
    memcpy(copy, bytes.at, bytes.len);
    bytes.at = copy;
    check_head(bytes);
    check_segments(bytes);
    check_pairs(bytes);
    check_list(bytes);
    check_escapes(bytes);
    check_reply(bytes);
    free(copy);
    return 0;
}
