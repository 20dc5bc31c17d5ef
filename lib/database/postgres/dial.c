/* SPDX-License-Identifier: MIT */
/* Connecting, in a thread. */
#include "dial.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* getaddrinfo, OpenSSL and modules of nsswitch.conf; sanitizers want some more. */
#define STACK_BYTES (1024 * 1024)
/* sha256(), default partitions and columns made from a sequence. */
#define VERSION_MIN 120000
/* A host that does not answer the first packet is given up for the next one of the DSN after so long; what was sent on a
 * connection and is not acknowledged for so long breaks it. A DSN may say otherwise. */
#define TCP_TIMEOUT_MS "5000"

struct herd_postgres_dial {
    pthread_mutex_t lock;
    unsigned references; /* the caller's, and the thread's */
    int done_fd, cancel_fd;
    PGconn *conn; /* of the thread, until it is finished */
    struct herd_postgres_outcome outcome;
    char dsn[];
};

static void signal_fd(int fd)
{
    const uint64_t one = 1;
    ssize_t wrote = write(fd, &one, sizeof one); /* it fails only where it is readable anyway */
    (void)wrote;
}

/* The lock is held before, and released after. */
static void unreference(struct herd_postgres_dial *dial)
{
    assert(dial->references > 0);
    bool last = --dial->references == 0;
    pthread_mutex_unlock(&dial->lock);
    if (!last)
        return;
    PQfinish(dial->conn);
    close(dial->done_fd);
    close(dial->cancel_fd);
    pthread_mutex_destroy(&dial->lock);
    free(dial);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* Waits for the socket. False: cancelled. */
static bool wait_for(const struct herd_postgres_dial *dial, const PGconn *conn, PostgresPollingStatusType want)
{
    /* The socket may be another one than before. */
    struct pollfd fds[] = {{.fd = PQsocket(conn), .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT},
                           {.fd = dial->cancel_fd, .events = POLLIN}};
    int ready;
    do
        ready = poll(fds, 2, -1);
    while (ready < 0 && errno == EINTR);
    return ready > 0 && fds[1].revents == 0;
}

/* A connection, or NULL where there is no memory; it may have failed. */
static PGconn *make_connection(const struct herd_postgres_dial *dial)
{
    /* What stands behind `dbname` wins over the DSN in it. */
    const char *const keywords[] = {"fallback_application_name", "tcp_user_timeout", "dbname", NULL};
    const char *const values[] = {"libherd", TCP_TIMEOUT_MS, dial->dsn, NULL};
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    if (!conn)
        return NULL;
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    while (want != PGRES_POLLING_OK && want != PGRES_POLLING_FAILED && PQstatus(conn) != CONNECTION_BAD) {
        if (!wait_for(dial, conn, want))
            break;
        want = PQconnectPoll(conn);
    }
    PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    return conn;
}

static void *run_thread(void *arg)
{
    struct herd_postgres_dial *dial = arg;
    struct herd_postgres_outcome outcome = {0};
    PGconn *conn = make_connection(dial);
    bool usable = false;
    if (!conn || PQstatus(conn) != CONNECTION_OK)
        herd_postgres_outcome_of_connection(&outcome, conn);
    else if (PQserverVersion(conn) < VERSION_MIN)
        herd_postgres_outcome_set(&outcome, HERD_DATABASE_REFUSED, "PostgreSQL is older than 12", NULL);
    else if (PQsetnonblocking(conn, 1) != 0 || !PQenterPipelineMode(conn))
        herd_postgres_outcome_set(&outcome, HERD_DATABASE_RETRY, "out of memory", NULL);
    else
        usable = true;
    if (!usable) {
        PQfinish(conn);
        conn = NULL;
    }
    pthread_mutex_lock(&dial->lock);
    dial->conn = conn;
    dial->outcome = outcome;
    signal_fd(dial->done_fd);
    unreference(dial);
    return NULL;
}

static bool start_thread(struct herd_postgres_dial *dial)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return false;
    size_t stack = STACK_BYTES > PTHREAD_STACK_MIN ? (size_t)STACK_BYTES : (size_t)PTHREAD_STACK_MIN;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, stack);
    /* Signals are handled by the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, &attr, run_thread, dial);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return !failed;
}

int herd_postgres_dial_new(struct herd_postgres_dial **ret_dial, const char *dsn)
{
    size_t size = strlen(dsn) + 1;
    struct herd_postgres_dial *dial = calloc(1, sizeof *dial + size);
    if (!dial)
        return HERD_E_NOMEM;
    memcpy(dial->dsn, dsn, size);
    dial->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    dial->cancel_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (dial->done_fd < 0 || dial->cancel_fd < 0 || pthread_mutex_init(&dial->lock, NULL) != 0) {
        if (dial->done_fd >= 0)
            close(dial->done_fd);
        if (dial->cancel_fd >= 0)
            close(dial->cancel_fd);
        free(dial);
        return HERD_E_NOMEM;
    }
    dial->references = 2;
    if (!start_thread(dial)) {
        dial->references = 1;
        pthread_mutex_lock(&dial->lock);
        unreference(dial);
        return HERD_E_NOMEM;
    }
    *ret_dial = dial;
    return 0;
}

int herd_postgres_dial_fd(const struct herd_postgres_dial *dial)
{
    return dial->done_fd;
}

PGconn *herd_postgres_dial_take(struct herd_postgres_dial *dial, struct herd_postgres_outcome *ret_outcome)
{
    pthread_mutex_lock(&dial->lock);
    PGconn *conn = dial->conn;
    dial->conn = NULL;
    *ret_outcome = dial->outcome;
    pthread_mutex_unlock(&dial->lock);
    return conn;
}

void herd_postgres_dial_cancel(struct herd_postgres_dial *dial)
{
    signal_fd(dial->cancel_fd);
}

void herd_postgres_dial_free(struct herd_postgres_dial *dial)
{
    if (!dial)
        return;
    herd_postgres_dial_cancel(dial);
    pthread_mutex_lock(&dial->lock);
    unreference(dial);
}
