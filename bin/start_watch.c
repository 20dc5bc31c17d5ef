/* SPDX-License-Identifier: MIT */
/* A thread that watches the start. */
#include "start_watch.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define FIRST_WORD_S 5
/* A start that is over by then ends in good order: that it listens may have been said already. */
#define NEARLY_DONE_MS 500
/* Then the time between two words does not double any more, and fits poll(). */
#define WORDS_APART_MAX_S 3600

static struct {
    pthread_t thread;
    sigset_t before;
    int signals, done; /* a signalfd; an eventfd, written to at the end */
    bool runs;
} watch = {.signals = -1, .done = -1};

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody listens */
}

/* The main thread may be in a call that does not return: nothing but the end of the process ends that. Nothing has been
 * acknowledged yet. */
static void stop(void)
{
    struct signalfd_siginfo info;
    if (read(watch.signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    say("herd-server: stopped by a signal before it had started\n");
    _exit(EXIT_SUCCESS);
}

static void *work(void *arg)
{
    struct pollfd fds[] = {{.fd = watch.done, .events = POLLIN}, {.fd = watch.signals, .events = POLLIN}};
    int wait_s = FIRST_WORD_S, waited_s = 0;
    (void)arg;
    for (;;) {
        int ready = poll(fds, 2, wait_s * 1000);
        if (ready > 0 && fds[0].revents)
            return NULL;
        if (ready > 0 && poll(fds, 1, NEARLY_DONE_MS) == 0)
            stop();
        if (ready != 0)
            continue;
        char text[160];
        waited_s += wait_s;
        snprintf(text, sizeof text,
                 "herd-server: still starting after %d s: the journal or a file of places is large, or the disk or "
                 "mount it is on does not answer\n",
                 waited_s);
        say(text);
        wait_s = waited_s < WORDS_APART_MAX_S ? waited_s : WORDS_APART_MAX_S;
    }
}

static void close_all(void)
{
    if (watch.signals >= 0)
        close(watch.signals);
    if (watch.done >= 0)
        close(watch.done);
    watch.signals = watch.done = -1;
    pthread_sigmask(SIG_SETMASK, &watch.before, NULL);
}

void start_watch_begin(void)
{
    sigset_t stops, held;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    held = stops;
    sigaddset(&held, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &held, &watch.before);
    watch.signals = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
    watch.done = eventfd(0, EFD_CLOEXEC);
    watch.runs = watch.signals >= 0 && watch.done >= 0 && pthread_create(&watch.thread, NULL, work, NULL) == 0;
    if (!watch.runs)
        close_all();
}

void start_watch_end(void)
{
    if (!watch.runs)
        return;
    watch.runs = false;
    if (eventfd_write(watch.done, 1) < 0)
        abort(); /* a counter of 0 takes 1 */
    pthread_join(watch.thread, NULL);
    close_all();
}
