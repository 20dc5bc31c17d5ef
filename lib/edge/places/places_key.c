/* SPDX-License-Identifier: MIT */
/* API keys: read from a file that others cannot read, or from the environment; wiped when done. */
#include "places_key.h"

#include "../../core/base/wipe.h"
#include "places_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX_BYTES 512

void places_key_wipe(struct herd_buf *key)
{
    if (key->at)
        herd_wipe(key->at, key->cap);
    herd_buf_fini(key);
}

/* Appends the first line, trimmed, and a NUL. It must be printable ASCII, because it goes into a header. `from`
 * names the source in a fault. HERD_E_SYNTAX, HERD_E_NOMEM. */
static int take_key(struct herd_buf *out, struct herd_span text, const char *from,
                    struct herd_diagnostic *reterr_diagnostic)
{
    size_t len = 0;
    while (text.len && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.len--;
    }
    while (len < text.len && text.at[len] != '\n' && text.at[len] != '\r')
        len++;
    while (len && (text.at[len - 1] == ' ' || text.at[len - 1] == '\t'))
        len--;
    if (!len)
        return places_fault(reterr_diagnostic, HERD_E_SYNTAX, "%s holds no key", from);
    for (size_t i = 0; i < len; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return places_fault(reterr_diagnostic, HERD_E_SYNTAX, "%s: a key is printable ASCII without blanks",
                                from);
    if (herd_buf_reserve(out, len + 1) < 0)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    (void)herd_buf_add(out, text.at, len); /* there is room */
    (void)herd_buf_add(out, "", 1);
    return 0;
}

/* True if it is root's group or one of this process. */
static bool is_our_group(gid_t gid)
{
    if (gid == 0 || gid == getegid() || gid == getgid())
        return true;
    int count = getgroups(0, NULL); /* up to 65536 of them */
    gid_t *groups = count > 0 ? malloc((size_t)count * sizeof *groups) : NULL;
    bool ours = false;
    if (groups)
        count = getgroups(count, groups);
    for (int i = 0; groups && i < count && !ours; i++)
        ours = groups[i] == gid;
    free(groups);
    return ours;
}

/*
 * Checks that only the owner and accepted groups can read the file, and only the owner can write it: write
 * permission is enough to replace the key. Accepted are root's group and the groups of this process (root:herd 640,
 * as daemons keep their keys). The group bits may also be the mask of an access control list: systemd passes a
 * credential as root:root 440 with one more entry, for the user of the service (systemd.exec(5), LoadCredential=).
 * HERD_E_ACCESS.
 */
static int check_mode(const char *path, const struct stat *about, struct herd_diagnostic *reterr_diagnostic)
{
    unsigned mode = (unsigned)(about->st_mode & 0777);
    if (mode & 022)
        return places_fault(reterr_diagnostic, HERD_E_ACCESS,
                            "key file %s can be written by others (mode %03o): chmod 600", path, mode);
    if (mode & 007)
        return places_fault(reterr_diagnostic, HERD_E_ACCESS,
                            "key file %s can be read by others (mode %03o): chmod 600", path, mode);
    if (mode & 070 && !is_our_group(about->st_gid))
        return places_fault(reterr_diagnostic, HERD_E_ACCESS,
                            "key file %s can be read by others (mode %03o, group %lu): chmod 600", path, mode,
                            (unsigned long)about->st_gid);
    return 0;
}

static int read_file(struct herd_buf *out, const char *path, struct herd_diagnostic *reterr_diagnostic)
{
    char text[KEY_MAX_BYTES + 1];
    struct stat about;
    /* The open descriptor is checked, so the file cannot be replaced in between; O_NONBLOCK: a FIFO must not
     * block. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return places_fault(reterr_diagnostic, HERD_E_IO, "key file %s: %s", path, strerror(errno));
    int err = 0;
    size_t len = 0;
    if (fstat(fd, &about) < 0)
        err = places_fault(reterr_diagnostic, HERD_E_IO, "key file %s: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        err = places_fault(reterr_diagnostic, HERD_E_ACCESS, "key file %s is not a regular file", path);
    else
        err = check_mode(path, &about, reterr_diagnostic);
    while (err == 0 && len < sizeof text) {
        ssize_t got = read(fd, text + len, sizeof text - len);
        if (got == 0)
            break;
        if (got > 0)
            len += (size_t)got;
        else if (errno != EINTR)
            err = places_fault(reterr_diagnostic, HERD_E_IO, "key file %s: %s", path, strerror(errno));
    }
    if (err == 0 && len > KEY_MAX_BYTES && !memchr(text, '\n', len))
        err = places_fault(reterr_diagnostic, HERD_E_SYNTAX, "key file %s: longer than %d bytes", path,
                           KEY_MAX_BYTES);
    if (err == 0)
        err = take_key(out, (struct herd_span){text, len}, path, reterr_diagnostic);
    herd_wipe(text, sizeof text);
    close(fd);
    return err;
}

int places_key_read(struct herd_buf *out, const struct herd_config_provider *config,
                    struct herd_diagnostic *reterr_diagnostic)
{
    if (config->key_file)
        return read_file(out, config->key_file, reterr_diagnostic);
    if (!config->key_env)
        return places_fault(reterr_diagnostic, HERD_E_ACCESS, "provider %s needs a key: key_file or key_env",
                            config->kind);
    const char *value = getenv(config->key_env);
    if (!value)
        return places_fault(reterr_diagnostic, HERD_E_ACCESS, "environment variable %s is not set",
                            config->key_env);
    return take_key(out, herd_span_of(value), config->key_env, reterr_diagnostic);
}
