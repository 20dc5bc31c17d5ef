/* SPDX-License-Identifier: MIT */
/* Opens and checks what a configuration's providers name, as a start would, without a loop and without a network:
 * keys, trust roots, files of places. */
#include "../../places/points.h"
#include "places_fault.h"
#include "places_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_MAX_BYTES (16 << 20) /* the trust roots of a whole distribution are a quarter of a megabyte */

struct check {
    size_t provider;
    herd_places_finding *on_finding;
    void *ctx;
    int err; /* the first */
};

static void report(struct check *check, int err, const char *message)
{
    if (err < 0 && check->err == 0)
        check->err = err;
    if (check->on_finding)
        check->on_finding(check->ctx, check->provider, err, message);
}

/* Reads a regular file whole. HERD_E_NOMEM, HERD_E_IO, HERD_E_LIMIT with the fault. */
static int read_whole(const char *path, struct herd_buf *out, struct herd_diagnostic *reterr_diagnostic)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err = 0;
    if (fd < 0)
        return places_fault(reterr_diagnostic, HERD_E_IO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &about) < 0)
        err = places_fault(reterr_diagnostic, HERD_E_IO, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        err = places_fault(reterr_diagnostic, HERD_E_IO, "%s is not a regular file", path);
    else if (about.st_size > CA_MAX_BYTES)
        err = places_fault(reterr_diagnostic, HERD_E_LIMIT, "%s has more than %d bytes", path, CA_MAX_BYTES);
    while (err == 0 && out->len <= CA_MAX_BYTES) {
        if (herd_buf_reserve(out, 16384) < 0) {
            err = places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
            break;
        }
        ssize_t got = read(fd, out->at + out->len, out->cap - out->len);
        if (got == 0)
            break;
        if (got > 0)
            out->len += (size_t)got;
        else if (errno != EINTR)
            err = places_fault(reterr_diagnostic, HERD_E_IO, "%s: %s", path, strerror(errno));
    }
    close(fd);
    return err;
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("+/=\r\n\t ", c);
}

/* Looks for the certificates of a PEM file (RFC 7468); HERD_E_SYNTAX if there is none, or one that is not whole.
 * Their contents are verified by the TLS library when it connects. `text` ends with a NUL. */
static int check_pem(const char *path, const char *text, struct herd_diagnostic *reterr_diagnostic)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", finish[] = "-----END CERTIFICATE-----";
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, begin)); count++) {
        at += sizeof begin - 1;
        at += strspn(at, "\r\n\t ");
        const char *stop = strstr(at, finish);
        /* A certificate is a SEQUENCE of more than 127 bytes, which in base64 begins with MI. */
        bool good = stop && stop - at > 100 && *at == 'M';
        for (const char *c = at; good && c < stop; c++)
            good = is_base64(*c);
        if (!good)
            return places_fault(reterr_diagnostic, HERD_E_SYNTAX, "%s: certificate %zu is not whole", path,
                                count + 1);
    }
    if (count || strstr(text, "-----BEGIN TRUSTED CERTIFICATE-----")) /* the latter is OpenSSL's own form */
        return 0;
    return places_fault(reterr_diagnostic, HERD_E_SYNTAX, "%s holds no certificate (PEM, BEGIN CERTIFICATE)", path);
}

static void check_ca(struct check *check, const char *path)
{
    struct herd_buf text = {0};
    struct herd_diagnostic diagnostic = {0};
    int err = read_whole(path, &text, &diagnostic);
    if (err == 0 && herd_buf_add(&text, "", 1) < 0)
        err = places_fault(&diagnostic, HERD_E_NOMEM, "out of memory");
    if (err == 0)
        err = check_pem(path, text.at, &diagnostic);
    if (err < 0)
        report(check, err, diagnostic.message);
    herd_buf_fini(&text);
}

static void check_key(struct check *check, const struct herd_config_provider *config)
{
    struct herd_buf key = {0};
    struct herd_diagnostic diagnostic = {0};
    int err = places_key_read(&key, config, &diagnostic);
    places_key_wipe(&key);
    if (err < 0)
        report(check, err, diagnostic.message);
}

static void check_file(struct check *check, const char *path)
{
    struct herd_points *points = NULL;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    char message[sizeof diagnostic.message + 400];
    int err = herd_points_load(&points, path, NULL, &summary, &diagnostic);
    const char *what = err < 0 ? diagnostic.message : summary.first.message;
    unsigned line = err < 0 ? diagnostic.line : summary.first.line;
    size_t count = err < 0 ? 0 : herd_points_count(points);
    if (err < 0 && line)
        snprintf(message, sizeof message, "%.250s, line %u: %s", path, line, what);
    else if (err < 0)
        snprintf(message, sizeof message, "%.250s: %s", path, what);
    else if (summary.faulty)
        snprintf(message, sizeof message, "%.250s: %zu places, %zu faults, the first on line %u: %s", path, count,
                 summary.faulty, line, what);
    else
        snprintf(message, sizeof message, "%.250s holds no place", path);
    if (err < 0 || summary.faulty || !count)
        report(check, err, message);
    herd_points_free(points);
}

int herd_places_check(const struct herd_config *config, herd_places_finding *on_finding, void *ctx)
{
    struct check check = {.on_finding = on_finding, .ctx = ctx};
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct herd_config_provider *provider = &config->providers[i];
        check.provider = i;
        if (strcmp(provider->kind, "file") == 0) {
            if (provider->file)
                check_file(&check, provider->file);
            else
                report(&check, HERD_E_SYNTAX, "provider file needs a file");
        } else if (strcmp(provider->kind, "embedded") != 0) {
            if (strncmp(provider->kind, "google-", 7) == 0)
                check_key(&check, provider);
            if (provider->ca_file)
                check_ca(&check, provider->ca_file);
        }
    }
    return check.err;
}
