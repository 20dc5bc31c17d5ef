/* SPDX-License-Identifier: MIT */
/* Dials a herd server as one of its configured neighbours and says hello. */
#include "neighbour.h"

#include "edge.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HELLO_PATIENCE_MS 5000

static void name_copy(char *out, const char *from, size_t len, const char *text)
{
    if (len > 64)
        die("a name is too long in \"%s\"", text);
    memcpy(out, from, len);
    out[len] = '\0';
}

void neighbour_parse(struct neighbour *ret_neighbour, const char *text)
{
    const char *self = strchr(text, ':'), *peer = self == NULL ? NULL : strchr(self + 1, ':');
    char port[8];

    if (peer == NULL || self - text > 5)
        die("\"%s\" is not PORT:SELF:PEER", text);
    memcpy(port, text, (size_t)(self - text));
    port[self - text] = '\0';
    ret_neighbour->port = (uint16_t)number_of(port, "port of a link", 1, 65535);
    name_copy(ret_neighbour->self, self + 1, (size_t)(peer - self - 1), text);
    name_copy(ret_neighbour->peer, peer + 1, strlen(peer + 1), text);
}

int neighbour_dial(const struct neighbour *neighbour)
{
    struct pollfd ready = {.fd = dial(neighbour->port), .events = POLLIN};
    int64_t bound = clock_ns() + (int64_t)HELLO_PATIENCE_MS * 1000000;
    unsigned char lot[8];
    char line[512], c = '\0';
    size_t len = 0;

    if (neighbour->self[0] == '\0')
        return ready.fd;
    if (getrandom(lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
        die("no random bytes: %s", strerror(errno));
    len = (size_t)snprintf(line, sizeof(line), "HELLO 2 %s %s %02x%02x%02x%02x%02x%02x%02x%02x\n", neighbour->self,
                           neighbour->peer, lot[0], lot[1], lot[2], lot[3], lot[4], lot[5], lot[6], lot[7]);
    if (write(ready.fd, line, len) != (ssize_t)len)
        die("cannot say hello: %s", strerror(errno));
    /* Byte by byte, so that nothing behind the hello is taken from whoever reads the link next. */
    for (len = 0; c != '\n' && len < sizeof(line) - 1;) {
        ssize_t n;

        if (clock_ns() > bound)
            die("%s does not say hello", neighbour->peer);
        if (poll(&ready, 1, 100) <= 0)
            continue;
        n = read(ready.fd, &c, 1);
        if (n == 0)
            die("%s refused the link from %s", neighbour->peer, neighbour->self);
        if (n == 1)
            line[len++] = c;
    }
    line[len] = '\0';
    if (strncmp(line, "HELLO ", 6) != 0)
        die("%s answered the hello with: %s", neighbour->peer, line);
    return ready.fd;
}
