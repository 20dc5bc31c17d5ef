/* SPDX-License-Identifier: MIT */
/* For LD_PRELOAD: the wall clock of a program is what WALL_CLOCK_FILE says ahead of the machine's, in seconds as text (behind: with a
 * minus). Other clocks run as ever. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long ahead_s(void)
{
    const char *path = getenv("WALL_CLOCK_FILE");
    char text[32] = "";
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    return len > 0 ? strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    static int (*real)(clockid_t id, struct timespec * ret_time);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int err = real(id, ret_time);
    if (err == 0 && id == CLOCK_REALTIME)
        ret_time->tv_sec += ahead_s();
    return err;
}
