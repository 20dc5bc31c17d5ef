/* SPDX-License-Identifier: MIT */
/*
 * What our parser understands of connections, for comparison with other parsers. Each line of standard input is the
 * bytes of one connection, in hexadecimal; each is answered with its transcript (http_transcript.h), the message of a
 * fault behind its status, and an empty line.
 */
#define TRANSCRIPT_MESSAGES
#include "http_transcript.h"

#include "hex_digit.h"

static size_t read_hex(const char *line, char *to)
{
    size_t len = 0;
    for (; herd_hex_digit(line[0]) >= 0; line += 2)
        to[len++] = (char)(herd_hex_digit(line[0]) << 4 | herd_hex_digit(line[1]));
    return len;
}

int main(void)
{
    static char line[1 << 20], bytes[1 << 19];
    while (fgets(line, sizeof line, stdin)) {
        size_t len = read_hex(line, bytes);
        char *text = transcript_of((struct herd_span){bytes, len}, len, 1, HERD_HTTP_HEAD_MAX_BYTES,
                                   HERD_HTTP_BODY_MAX_BYTES, NULL);
        puts(text);
        fflush(stdout);
        free(text);
    }
    return 0;
}
