/* SPDX-License-Identifier: MIT */
/* libherd-postgres over TLS to a host that has a name: the name is looked up, and proved (verify-full); pages of many records of TLS. */
#include "fresh.h"

#include "../unit/free_port.h"

#include <sys/stat.h>
#include <unistd.h>

static struct side one;
static char dir[] = "/tmp/herd-pg-tls-XXXXXX";

static const char *tls_dsn(const char *host, const char *root)
{
    static char dsn[512];
    snprintf(dsn, sizeof dsn, "host=%s user=herd dbname=fresh sslmode=verify-full sslrootcert=%s/%s", host, dir,
             root);
    return dsn;
}

static void test_verify_full(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static char ids[COUNT][300];
    struct herd_database_row *rows = calloc(COUNT, sizeof *rows);
    assert_non_null(rows);
    cluster_database(&cluster, "fresh");
    side_open(&one, base, DRIVER, tls_dsn("localhost", "cert.pem"));
    side_connect(&one);
    assert_string_equal(sql("SELECT ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
                            " WHERE application_name = 'libherd'"),
                        "t");
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof ids[i], "%05d%0*d", i, 1 + i % 200, 0);
        rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+1.5-2.5", "1621464827.5");
    }
    assert_int_equal(side_write(&one, rows, COUNT), HERD_DATABASE_DONE);
    assert_int_equal(side_read_all(&one, 1000), COUNT);
    assert_int_equal(side_read_all(&one, 333), COUNT);
    side_close(&one);
    free(rows);
    /* The certificate is of another name, or of somebody else. */
    side_open(&one, base, DRIVER, tls_dsn("127.0.0.1", "cert.pem"));
    assert_int_equal(side_connect_fails(&one), HERD_DATABASE_REFUSED);
    side_close(&one);
    side_open(&one, base, DRIVER, tls_dsn("localhost", "other.pem"));
    assert_int_equal(side_connect_fails(&one), HERD_DATABASE_REFUSED);
    side_close(&one);
}

static bool make_certificate(const char *name)
{
    char key[96], cert[96];
    snprintf(key, sizeof key, "%s/%s.key", dir, name);
    snprintf(cert, sizeof cert, "%s/%s.pem", dir, name);
    const char *const argv[] = {"/usr/bin/openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "rsa:2048",
                                "-nodes",
                                "-subj",
                                "/CN=localhost",
                                "-addext",
                                "subjectAltName=DNS:localhost",
                                "-days",
                                "2",
                                "-keyout",
                                key,
                                "-out",
                                cert,
                                NULL};
    return cluster_run(argv) == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_LOOP(test_verify_full)};
    char options[400], port[16];
    if (!mkdtemp(dir) || chmod(dir, 0777) != 0 || !make_certificate("cert") || !make_certificate("other")) {
        printf("SKIP: no certificate can be made (package openssl)\n");
        return 77;
    }
    snprintf(port, sizeof port, "%u", free_port());
    setenv("PGPORT", port, 1); /* of every connection of this program */
    snprintf(options, sizeof options,
             "-c port=%s -c listen_addresses=127.0.0.1 -c ssl=on -c ssl_cert_file=%s/cert.pem -c "
             "ssl_key_file=%s/cert.key",
             port, dir, dir);
    int failed = run_on_cluster(tests, 1, options);
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? failed : 1;
}
