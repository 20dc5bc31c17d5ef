/* SPDX-License-Identifier: MIT */
/* A PostgreSQL of the test's own: in a new folder below /tmp, on a Unix socket in it, with programs of /usr/lib/postgresql. Started
 * by root, it belongs to a user without rights. It ends with the test, however that ends. */
#ifndef TEST_DATABASE_CLUSTER_H
#define TEST_DATABASE_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

struct cluster {
    char dir[64]; /* data, the socket, the log */
    char bin[128];
    pid_t postmaster;
    char options[512]; /* more of the command line, for the next start */
};

/* Makes one and starts it, with `options` on its command line. False: there is none on this machine; *reterr_why says what is missing. */
bool cluster_make(struct cluster *ret_cluster, const char *options, const char **reterr_why);
/* Starts it again, after cluster_kill or cluster_stop. */
void cluster_start(struct cluster *cluster);
/* As kill -9 of the postmaster: its processes end too, as soon as they notice. */
void cluster_kill(struct cluster *cluster);
void cluster_stop(struct cluster *cluster);
/* Stops it and removes its folder. */
void cluster_remove(struct cluster *cluster);

/* The only connection string that tests write by hand: `more` is appended. In static memory. */
const char *cluster_dsn(const struct cluster *cluster, const char *database, const char *more);
/* Runs statements; the first field of the last one's first row, "" if there is none; NULL: it failed, which is printed. In
 * static memory. */
const char *cluster_sql(const struct cluster *cluster, const char *database, const char *sql);
/* Makes a database anew, without connections to an old one. */
void cluster_database(const struct cluster *cluster, const char *database);

/* Runs a program as the user the server runs as, and waits. Its exit status. */
int cluster_run(const char *const *argv);

#endif
