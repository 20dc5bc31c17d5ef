/* SPDX-License-Identifier: MIT */
/* Notes the faults of a reader of places: those that end the reading, and those that are skipped. */
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>

int herd_reader_fault(const struct herd_points_reader *reader, struct herd_diagnostic *reterr_diagnostic, int err,
                      const char *what, ...)
{
    va_list args;
    va_start(args, what);
    vsnprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, what, args);
    va_end(args);
    reterr_diagnostic->line = reader ? reader->line : 0;
    reterr_diagnostic->column = 0;
    return err;
}

void herd_reader_note(struct herd_points_reader *reader, int err, unsigned line, const char *what, ...)
{
    struct herd_points_summary *summary = &reader->summary;
    va_list args;
    if (summary->faulty++)
        return;
    summary->first_err = err;
    summary->first_item = reader->items;
    summary->first.line = line;
    va_start(args, what);
    vsnprintf(summary->first.message, sizeof summary->first.message, what, args);
    va_end(args);
}
