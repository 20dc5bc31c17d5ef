/* SPDX-License-Identifier: MIT */
/* SQLSTATE to result, and messages without secrets and control bytes. */
#include "outcome.h"

#include <stdio.h>
#include <string.h>

/* A shorter password would be found in every other sentence, and what is left out there would tell it: it counts where it is a
 * word. */
#define SECRET_MIN 4

static const struct {
    const char *prefix;
    enum herd_database_result result;
} classes[] = {
    /* The first that fits. Classes as in appendix A of the manual of PostgreSQL. */
    {"21000", HERD_DATABASE_BAD},     /* an id twice in one statement */
    {"23514", HERD_DATABASE_REFUSED}, /* no partition for a sample: the only check that tables of ours have */
    {"22", HERD_DATABASE_BAD},        /* a value that cannot be stored */
    {"23", HERD_DATABASE_BAD},        /* a constraint */
    {"54", HERD_DATABASE_BAD},        /* larger than the server can take */
    {"08", HERD_DATABASE_LOST},       /* connection */
    {"25006", HERD_DATABASE_RETRY},   /* read only: a standby */
    {"40", HERD_DATABASE_RETRY},      /* deadlock, serialisation */
    {"53", HERD_DATABASE_RETRY},      /* disk, memory, connections */
    {"55", HERD_DATABASE_RETRY},      /* a lock is not to be had */
    {"57", HERD_DATABASE_RETRY},      /* shutdown, starting up, cancelled */
    {"58", HERD_DATABASE_RETRY},      /* input or output of the server */
    {"", HERD_DATABASE_REFUSED},      /* 28 who, 3D which database, 3F schema, 42 tables and rights, 0A, XX */
};

enum herd_database_result herd_postgres_classify(const char *sqlstate)
{
    size_t i = 0;
    while (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) != 0)
        i++;
    return classes[i].result;
}

static void clean(char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            *text = ' ';
        else if (c > 0x7f)
            *text = '?';
    }
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether the secret begins at `at` of `text`. */
static bool is_secret(const char *text, size_t at, const char *secret, size_t len)
{
    if (len == 0 || strncmp(text + at, secret, len) != 0)
        return false;
    return len >= SECRET_MIN || ((at == 0 || !is_word(text[at - 1])) && !is_word(text[at + len]));
}

void herd_postgres_outcome_set(struct herd_postgres_outcome *ret_outcome, enum herd_database_result result,
                               const char *text, const char *secret)
{
    static const char instead[] = "***";
    size_t secret_len = secret ? strlen(secret) : 0, out = 0, at = 0;
    ret_outcome->result = result;
    ret_outcome->standby = false;
    while (text[at] && out + sizeof instead < sizeof ret_outcome->message) {
        if (is_secret(text, at, secret, secret_len)) {
            memcpy(ret_outcome->message + out, instead, sizeof instead - 1);
            out += sizeof instead - 1;
            at += secret_len;
        } else {
            ret_outcome->message[out++] = text[at++];
        }
    }
    while (out > 0 && (ret_outcome->message[out - 1] == '\n' || ret_outcome->message[out - 1] == ' '))
        out--;
    ret_outcome->message[out] = '\0';
    clean(ret_outcome->message);
}

void herd_postgres_outcome_of(struct herd_postgres_outcome *ret_outcome, const PGresult *result, const char *secret)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char text[HERD_POSTGRES_MESSAGE_MAX];
    if (!sqlstate) { /* libpq itself gave up: memory, or an answer that is none */
        herd_postgres_outcome_set(ret_outcome, HERD_DATABASE_LOST, PQresultErrorMessage(result), secret);
        return;
    }
    /* Detail and hint are left out: they quote values. */
    herd_postgres_outcome_set(ret_outcome, HERD_DATABASE_DONE, primary ? primary : "error", secret);
    snprintf(text, sizeof text, "%.200s (SQLSTATE %.5s)", ret_outcome->message, sqlstate);
    herd_postgres_outcome_set(ret_outcome, herd_postgres_classify(sqlstate), text, NULL);
    ret_outcome->standby = strcmp(sqlstate, "25006") == 0;
}

/* The last SQLSTATE in a verbose message, "FATAL:  28P01: ...", in whatever language; NULL: there is none. Of several hosts
 * the last one counts. */
static const char *find_sqlstate(const char *message)
{
    const char *found = NULL;
    for (const char *at = message; (at = strstr(at, ":  ")) != NULL; at++)
        if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[8] == ':')
            found = at + 3;
    return found;
}

void herd_postgres_outcome_of_connection(struct herd_postgres_outcome *ret_outcome, const PGconn *conn)
{
    if (!conn) {
        herd_postgres_outcome_set(ret_outcome, HERD_DATABASE_RETRY, "out of memory", NULL);
        return;
    }
    const char *message = PQerrorMessage(conn), *sqlstate = find_sqlstate(message);
    enum herd_database_result result = HERD_DATABASE_RETRY;
    if (sqlstate)
        result = herd_postgres_classify(sqlstate);
    else if (PQconnectionNeedsPassword(conn) || strstr(message, "certificate") || strstr(message, "invalid "))
        result = HERD_DATABASE_REFUSED; /* no password, a proof that fails, a setting that is none */
    if (result == HERD_DATABASE_BAD)
        result = HERD_DATABASE_REFUSED; /* of a setting: there is no record in it */
    char text[1024];
    size_t out = 0;
    for (const char *line = message; *line;) { /* but for where in the source of PostgreSQL it was */
        size_t len = strcspn(line, "\n");
        if (strncmp(line, "LOCATION:", 9) != 0 && out + len + 2 < sizeof text) {
            memcpy(text + out, line, len);
            out += len;
            text[out++] = '\n';
        }
        line += len + (line[len] == '\n');
    }
    text[out] = '\0';
    herd_postgres_outcome_set(ret_outcome, result, text, PQpass(conn));
}
