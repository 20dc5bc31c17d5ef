/* SPDX-License-Identifier: MIT */
/* A Redis of the test's own, in a folder of its own, on a Unix socket there. */
#ifndef TEST_REDIS_SERVER_H
#define TEST_REDIS_SERVER_H

#include "../cm.h"
#include "../temp.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct redis_server {
    char dir[TEMP_LEN], socket[64];
    pid_t pid;
    redisContext *control; /* for what the test does to it */
};

static const char *redis_program; /* "redis-server", "valkey-server" */

static inline bool redis_installed(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0;
}

/* Starts it, and waits until it answers. */
static inline void redis_start(struct redis_server *server)
{
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        freopen("/dev/null", "w", stdout);
        freopen("/dev/null", "w", stderr);
        execlp(redis_program, redis_program, "--port", "0", "--unixsocket", server->socket, "--dir", server->dir,
               "--save", "", "--daemonize", "no", (char *)NULL);
        _exit(127);
    }
    for (int tries = 0;; tries++) {
        assert_true(tries < 3000);
        server->control = redisConnectUnix(server->socket);
        redisReply *reply = server->control && !server->control->err ? redisCommand(server->control, "PING") : NULL;
        bool ready = reply && reply->type == REDIS_REPLY_STATUS;
        if (reply)
            freeReplyObject(reply);
        if (ready)
            return;
        redisFree(server->control);
        assert_int_equal(waitpid(server->pid, NULL, WNOHANG), 0);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
}

static inline void redis_kill(struct redis_server *server)
{
    redisFree(server->control);
    server->control = NULL;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    unlink(server->socket);
}

static inline void redis_make(struct redis_server *server)
{
    temp_dir(server->dir);
    snprintf(server->socket, sizeof server->socket, "%s/s", server->dir);
    redis_start(server);
}

static inline void redis_end(struct redis_server *server)
{
    char path[96];
    redis_kill(server);
    snprintf(path, sizeof path, "%s/dump.rdb", server->dir);
    unlink(path);
    rmdir(server->dir);
}

/* A command of words, which must not fail; free the reply. */
#define redis_do(server, ...) redis_checked(redisCommand((server)->control, __VA_ARGS__))
static inline redisReply *redis_checked(void *answer)
{
    redisReply *reply = answer;
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    return reply;
}
#define redis_run(server, ...) freeReplyObject(redis_do(server, __VA_ARGS__))

#endif
