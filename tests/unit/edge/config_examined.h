/* SPDX-License-Identifier: MIT */
/* A configuration file of which all faults are wanted, and what was reported. */
#ifndef TEST_CONFIG_EXAMINED_H
#define TEST_CONFIG_EXAMINED_H

#include "cm.h"

#include "config_reader.h"

#include <herd/config.h>

#include <stdio.h>
#include <string.h>

static struct {
    size_t count;
    struct herd_diagnostic last;
    char all[4096];
} reported;

static void on_report(void *ctx, const struct herd_diagnostic *diagnostic)
{
    assert_ptr_equal(ctx, &reported);
    reported.count++;
    reported.last = *diagnostic;
    const size_t len = strlen(reported.all);
    snprintf(reported.all + len, sizeof reported.all - len, "%u:%u %s\n", diagnostic->line, diagnostic->column,
             diagnostic->message);
}

static int examine(const char *path, struct herd_config **ret_config, struct herd_config_places *ret_places)
{
    memset(&reported, 0, sizeof reported);
    return herd_config_examine(ret_config, ret_places, path, on_report, &reported);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#endif
