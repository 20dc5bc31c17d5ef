/* SPDX-License-Identifier: MIT */
/* The limits of a configuration: each in its range, and none at odds with another. */
#include "config_reader.h"

#include <inttypes.h>
#include <string.h>

void herd_limits_default(struct herd_limits *ret_limits)
{
#define LIMIT_DEFAULT(name, standard, least, greatest, what) ret_limits->name = standard;
    HERD_LIMIT_LIST(LIMIT_DEFAULT)
#undef LIMIT_DEFAULT
}

static int take_limit(struct herd_config_reader *reader, const char *name, struct json_object *value, void *ctx)
{
    struct herd_limits *limits = ctx;
#define LIMIT_TAKE(member, standard, least, greatest, what) \
    if (strcmp(name, #member) == 0)                         \
        return herd_config_take_int(reader, value, least, greatest, &limits->member);
    HERD_LIMIT_LIST(LIMIT_TAKE)
#undef LIMIT_TAKE
    return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_name_at(reader, value),
                            "unknown member, there is no such limit");
}

/* Reports a pair in the wrong order at the member that the file gives, at the greater one if it gives both. */
static int check_order(struct herd_config_reader *reader, struct json_object *limits, const char *less_name,
                       int64_t less, const char *more_name, int64_t more)
{
    struct json_object *member = NULL;
    if (less <= more)
        return 0;
    if (json_object_object_get_ex(limits, more_name, &member)) {
        herd_config_enter(reader, herd_span_of(more_name));
        return herd_config_fail(reader, HERD_E_RANGE, herd_config_at(member),
                                "expected at least %s (%" PRId64 "), found %" PRId64, less_name, less, more);
    }
    json_object_object_get_ex(limits, less_name, &member);
    herd_config_enter(reader, herd_span_of(less_name));
    return herd_config_fail(reader, HERD_E_RANGE, herd_config_at(member),
                            "expected at most %s (%" PRId64 "), found %" PRId64, more_name, more, less);
}

int herd_config_take_limits(struct herd_config_reader *reader, struct json_object *value,
                            struct herd_limits *limits)
{
    const size_t depth = reader->depth;
    int first = herd_config_take_members(reader, value, take_limit, limits, NULL);
    if (first < 0)
        return first;
    int err =
        check_order(reader, value, "redial_min_ms", limits->redial_min_ms, "redial_max_ms", limits->redial_max_ms);
    if (herd_config_goes_on(reader, depth, &first, err))
        err = check_order(reader, value, "output_pause_bytes", limits->output_pause_bytes, "output_max_bytes",
                          limits->output_max_bytes);
    (void)herd_config_goes_on(reader, reader->depth, &first, err);
    return first;
}
