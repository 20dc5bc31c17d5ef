/* SPDX-License-Identifier: MIT */
/*
 * Says what each line of standard input is to a herd. The library does no input or output here: bytes are
 * cut into lines, lines into commands.
 *
 *     printf 'IAMAT kiwi +34.068930-118.445127 1621464827.9\n' | parse_lines
 */
#include <herd/geo.h>
#include <herd/protocol.h>

#include <stdio.h>
#include <string.h>

static void show(const char *what, struct herd_span text)
{
    printf(" %s=", what);
    fwrite(text.at, 1, text.len, stdout);
}

static void show_position(struct herd_span text)
{
    struct herd_position position;
    if (herd_position_parse(text, &position) == 0)
        printf(" lat_deg=%.6f lon_deg=%.6f", herd_coordinate_degrees(position.lat),
               herd_coordinate_degrees(position.lon));
}

static void explain(struct herd_span line)
{
    struct herd_command command;
    switch (herd_command_parse(line, &command)) {
    case HERD_BLANK: printf("blank"); break;
    case HERD_IAMAT:
        printf("report");
        show("id", command.id);
        show("time", command.time);
        show_position(command.position);
        break;
    case HERD_WHATSAT:
        printf("question");
        show("id", command.id);
        show("radius_km", command.radius);
        printf(" bound=%u", command.bound);
        break;
    case HERD_AT:
        printf("record");
        show("server", command.server);
        show("diff", command.diff);
        show("id", command.id);
        show_position(command.position);
        break;
    case HERD_INVALID: printf("invalid"); break;
    default: printf("between servers"); break;
    }
    putchar('\n');
}

int main(void)
{
    static char bytes[65536];
    size_t have = 0, seen = 0, got;
    while ((got = fread(bytes + have, 1, sizeof bytes - have, stdin)) > 0) {
        struct herd_span rest = {bytes, have + got}, line;
        enum herd_scan scan;
        while ((scan = herd_line_next(&rest, &seen, sizeof bytes - 1, &line)) == HERD_LINE)
            explain(line);
        if (scan == HERD_LINE_TOO_LONG) {
            fputs("a line is too long\n", stderr);
            return 1;
        }
        memmove(bytes, rest.at, rest.len);
        have = rest.len;
    }
    if (have > 0)
        explain((struct herd_span){bytes, have});
    return 0;
}
