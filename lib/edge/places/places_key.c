/* SPDX-License-Identifier: MIT */
/* API keys: read from a file that others cannot read, or from the environment; wiped when done. */
#include "places_parts.h"

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

/* The first line, white space around it left out, must be printable ASCII: it goes into a header. */
static int take_key(struct herd_buf *out, struct herd_span text, const char *from,
                    struct herd_diagnostic *reterr_diagnostic)
{
    size_t len = 0;
    while (text.len && strchr(" \t", *text.at) && *text.at) {
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
    if (herd_buf_reserve(out, len + 1) < 0 || herd_buf_add(out, text.at, len) < 0 || herd_buf_add(out, "", 1) < 0)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    return 0;
}

/* Is it root's group or one of this process'? */
static bool is_our_group(gid_t gid)
{
    gid_t groups[256];
    int count = getgroups((int)(sizeof groups / sizeof groups[0]), groups);
    bool ours = gid == 0 || gid == getegid() || gid == getgid();
    for (int i = 0; i < count && !ours; i++)
        ours = groups[i] == gid;
    return ours;
}

/*
 * Others are those who are neither the owner nor of a group that was let in on purpose. The bits of the group are
 * those of root's group or of one of ours (root:herd 640, as daemons keep their keys), or they are the mask of an
 * access control list: systemd hands a credential over as root:root 440 with one more entry, for the user of the
 * service (systemd.exec(5), LoadCredential=). The group of somebody else is others. Whoever can write the file can
 * put a key of his own there, so writing is for the owner alone.
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
    /* The open file is what is checked, so nobody can swap it in between; a pipe must not hold us up. */
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
