/* SPDX-License-Identifier: MIT */
/* A stranger's program that only parses. */
#include <herd/protocol.h>

#include <stdio.h>

int main(void)
{
    struct herd_command command;
    if (herd_command_parse(herd_span_of("IAMAT kiwi +34.0-118.4 1621464827.9"), &command) != HERD_IAMAT)
        return 1;
    printf("%.*s\n", (int)command.id.len, command.id.at);
    return 0;
}
