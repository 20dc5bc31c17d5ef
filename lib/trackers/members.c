/* SPDX-License-Identifier: MIT */
/* Wanted members of a JSON object. */
#include "members.h"

#include "../places/raw.h"

#include <string.h>

static const char given_twice[] = "a member is given twice";

static void clear(struct herd_json_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        members[i].value = (struct herd_span){NULL, 0};
        members[i].seen = false;
    }
}

/* False: it is there a second time. *io_known: all so far were wanted. */
static bool keep(struct herd_json_member *members, size_t count, struct herd_span key, struct herd_span value,
                 bool *io_known)
{
    char first = key.at[1]; /* behind the quote: most members are told apart by it */
    for (size_t i = 0; i < count; i++) {
        if ((first != members[i].name[0] && first != '\\') || !herd_raw_is(key, members[i].name))
            continue;
        if (members[i].seen)
            return false;
        members[i].seen = true;
        if (herd_raw_kind(value) != 'n')
            members[i].value = value;
        return true;
    }
    *io_known = false;
    return true;
}

static int read_object(struct herd_span text, struct herd_json_member *io_members, size_t count, bool *ret_known,
                       const char **reterr_message)
{
    struct herd_raw_scan scan = herd_raw_scan(text);
    struct herd_raw_fault fault;
    struct herd_span key, value;
    bool once = true;
    *ret_known = true;
    clear(io_members, count);
    for (bool more = herd_raw_scan_open(&scan, '{'); more; more = herd_raw_scan_next(&scan))
        if (herd_raw_scan_key(&scan, &key) && herd_raw_scan_value(&scan, &value))
            once &= keep(io_members, count, key, value, ret_known);
    int err = herd_raw_scan_end(&scan, &fault);
    if (err >= 0 && once)
        return 0;
    clear(io_members, count);
    *reterr_message = err < 0 ? fault.what : given_twice;
    return HERD_E_SYNTAX;
}

int herd_json_read(struct herd_span text, struct herd_json_member *io_members, size_t count,
                   const char **reterr_message)
{
    bool known;
    return read_object(text, io_members, count, &known, reterr_message);
}

int herd_json_read_only(struct herd_span text, struct herd_json_member *io_members, size_t count,
                        const char **reterr_message)
{
    bool known;
    int err = read_object(text, io_members, count, &known, reterr_message);
    if (err < 0 || known)
        return err;
    clear(io_members, count);
    *reterr_message = "a member that means nothing here";
    return HERD_E_RANGE;
}

int herd_json_read_inside(struct herd_span value, struct herd_json_member *io_members, size_t count)
{
    struct herd_raw_walk walk = herd_raw_walk(value);
    struct herd_span key, member;
    bool once = true, known;
    clear(io_members, count);
    if (herd_raw_kind(value) != '{')
        return HERD_E_SYNTAX;
    while (herd_raw_member(&walk, &key, &member))
        once &= keep(io_members, count, key, member, &known);
    if (once)
        return 0;
    clear(io_members, count);
    return HERD_E_SYNTAX;
}

int herd_json_scalar(struct herd_span value, char *room, size_t cap, struct herd_span *ret_text)
{
    char kind = herd_raw_kind(value);
    if (kind == '0') {
        *ret_text = value;
        return 0;
    }
    if (kind != '"')
        return HERD_E_SYNTAX;
    struct herd_span inside = herd_raw_inside(value);
    if (inside.len == 0 || !memchr(inside.at, '\\', inside.len)) {
        *ret_text = inside;
        return 0;
    }
    /* No escape is shorter than what it stands for: what fits before fits behind. */
    if (inside.len > cap)
        return HERD_E_LIMIT;
    *ret_text = (struct herd_span){room, herd_raw_decode(inside, room, cap)};
    return 0;
}
