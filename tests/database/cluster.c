/* SPDX-License-Identifier: MIT */
#include "cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_S 60

static void become_unprivileged(void)
{
    if (getuid() == 0) {
        const struct passwd *user = getpwnam("nobody");
        if (!user || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
            _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* the test is gone */
}

static pid_t spawn(const char *const *argv, const char *log)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    become_unprivileged();
    setsid();
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir("/") != 0)
        _exit(126);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

int cluster_run(const char *const *argv)
{
    int status = -1;
    pid_t pid = spawn(argv, "/dev/null");
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The newest version in /usr/lib/postgresql. */
static bool find_programs(char bin[128])
{
    int newest = 0;
    DIR *all = opendir("/usr/lib/postgresql");
    for (struct dirent *entry; all && (entry = readdir(all)) != NULL;) {
        char program[256];
        int version = atoi(entry->d_name);
        snprintf(program, sizeof program, "/usr/lib/postgresql/%.16s/bin/postgres", entry->d_name);
        if (version > newest && access(program, X_OK) == 0) {
            newest = version;
            snprintf(bin, 128, "/usr/lib/postgresql/%.16s/bin", entry->d_name);
        }
    }
    if (all)
        closedir(all);
    return newest > 0;
}

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

const char *cluster_dsn(const struct cluster *cluster, const char *database, const char *more)
{
    static char dsn[512];
    snprintf(dsn, sizeof dsn, "host=%s user=herd dbname=%s %s", cluster->dir, database, more);
    return dsn;
}

void cluster_start(struct cluster *cluster)
{
    char command[1024], program[160], log[128];
    snprintf(program, sizeof program, "%s/postgres", cluster->bin);
    snprintf(log, sizeof log, "%s/log", cluster->dir);
    snprintf(
        command, sizeof command,
        "exec %s -D %s/data -k %s -c listen_addresses= -c fsync=off -c full_page_writes=off -c shared_buffers=32MB "
        "-c max_connections=50 -c log_min_messages=warning %s",
        program, cluster->dir, cluster->dir, cluster->options);
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    cluster->postmaster = spawn(argv, log);
    for (time_t end = time(NULL) + START_S; time(NULL) < end; pause_ms(20)) {
        PGconn *conn = PQconnectdb(cluster_dsn(cluster, "postgres", ""));
        bool up = PQstatus(conn) == CONNECTION_OK;
        PQfinish(conn);
        if (up)
            return;
        /* It does not start while processes of one that was killed hold its memory. */
        if (waitpid(cluster->postmaster, NULL, WNOHANG) != 0)
            cluster->postmaster = spawn(argv, log);
    }
    fprintf(stderr, "PostgreSQL does not start: see %s\n", log);
    exit(1);
}

bool cluster_make(struct cluster *ret_cluster, const char *options, const char **reterr_why)
{
    *ret_cluster = (struct cluster){0};
    snprintf(ret_cluster->options, sizeof ret_cluster->options, "%s", options);
    strcpy(ret_cluster->dir, "/tmp/herd-pg-XXXXXX");
    if (!find_programs(ret_cluster->bin)) {
        *reterr_why = "PostgreSQL (package postgresql) is not installed";
        return false;
    }
    if (!mkdtemp(ret_cluster->dir) || chmod(ret_cluster->dir, 0777) != 0) {
        *reterr_why = "no folder can be made below /tmp";
        return false;
    }
    char initdb[160], data[128];
    snprintf(initdb, sizeof initdb, "%s/initdb", ret_cluster->bin);
    snprintf(data, sizeof data, "%s/data", ret_cluster->dir);
    const char *const argv[] = {initdb, "--no-sync", "--no-instructions", "-A", "trust", "-U", "herd",
                                "-E",   "UTF8",      "--locale=C",        "-D", data,    NULL};
    if (cluster_run(argv) != 0) {
        fprintf(stderr, "initdb failed\n");
        exit(1);
    }
    cluster_start(ret_cluster);
    return true;
}

static void end(struct cluster *cluster, int signal_number)
{
    if (cluster->postmaster <= 0)
        return;
    kill(cluster->postmaster, signal_number);
    while (waitpid(cluster->postmaster, NULL, 0) < 0 && errno == EINTR)
        ;
    cluster->postmaster = 0;
}

void cluster_kill(struct cluster *cluster)
{
    end(cluster, SIGKILL);
}

void cluster_stop(struct cluster *cluster)
{
    end(cluster, SIGINT);
}

void cluster_remove(struct cluster *cluster)
{
    end(cluster, SIGQUIT);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", cluster->dir);
    if (cluster->dir[0] && system(command) != 0)
        fprintf(stderr, "%s failed\n", command);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

const char *cluster_sql(const struct cluster *cluster, const char *database, const char *sql)
{
    static char field[4096];
    PGconn *conn = PQconnectdb(cluster_dsn(cluster, database, ""));
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    const char *said = field;
    field[0] = '\0';
    if (status == PGRES_TUPLES_OK && PQntuples(result) > 0)
        snprintf(field, sizeof field, "%s", PQgetvalue(result, 0, 0));
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fprintf(stderr, "%s\n%s", sql, PQerrorMessage(conn));
        said = NULL;
    }
    PQclear(result);
    PQfinish(conn);
    return said;
}

void cluster_database(const struct cluster *cluster, const char *database)
{
    char sql[256];
    snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
    cluster_sql(cluster, "postgres", sql);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", database);
    if (!cluster_sql(cluster, "postgres", sql))
        exit(1);
}
