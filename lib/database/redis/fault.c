/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <string.h>

#define SECRET_MIN 4

static const struct {
    const char *code;
    enum herd_database_result result;
} codes[] = {
    {"NOSCRIPT", HERD_DATABASE_RETRY},    {"LOADING", HERD_DATABASE_RETRY},     {"BUSY", HERD_DATABASE_RETRY},
    {"OOM", HERD_DATABASE_RETRY},         {"MISCONF", HERD_DATABASE_RETRY},     {"NOREPLICAS", HERD_DATABASE_RETRY},
    {"TRYAGAIN", HERD_DATABASE_RETRY},    {"CLUSTERDOWN", HERD_DATABASE_RETRY}, {"READONLY", HERD_DATABASE_LOST},
    {"MASTERDOWN", HERD_DATABASE_LOST},   {"UNBLOCKED", HERD_DATABASE_RETRY},   {"UNKILLABLE", HERD_DATABASE_RETRY},
    {"WRONGTYPE", HERD_DATABASE_BAD},     {"BAD", HERD_DATABASE_BAD},           {"NOAUTH", HERD_DATABASE_REFUSED},
    {"WRONGPASS", HERD_DATABASE_REFUSED}, {"NOPERM", HERD_DATABASE_REFUSED},    {"MOVED", HERD_DATABASE_REFUSED},
    {"CROSSSLOT", HERD_DATABASE_REFUSED}, {"DENIED", HERD_DATABASE_REFUSED},    {"KEY", HERD_DATABASE_REFUSED},
};

static size_t find(struct herd_span in, const char *text, size_t len)
{
    for (size_t i = 0; i + len <= in.len; i++)
        if (memcmp(in.at + i, text, len) == 0)
            return i;
    return in.len;
}

static size_t known(struct herd_span code)
{
    size_t i = 0;
    while (i < sizeof codes / sizeof codes[0] && !herd_span_equal(code, herd_span_of(codes[i].code)))
        i++;
    return i;
}

static struct herd_span first_word(struct herd_span text)
{
    size_t len = 0;
    while (len < text.len && text.at[len] != ' ')
        len++;
    return (struct herd_span){text.at, len};
}

struct herd_span herd_redis_fault_code(struct herd_span error)
{
    struct herd_span code = first_word(error);
    /* Redis 6: "ERR Error running script (...): @user_script:12: -OOM command not allowed ..." */
    if (known(code) == sizeof codes / sizeof codes[0])
        for (size_t i = find(error, ": -", 3); i < error.len;) {
            struct herd_span rest = {error.at + i + 3, error.len - i - 3};
            if (known(first_word(rest)) < sizeof codes / sizeof codes[0])
                return first_word(rest);
            size_t next = find(rest, ": -", 3);
            i = next == rest.len ? error.len : i + 3 + next;
        }
    return code;
}

enum herd_database_result herd_redis_fault_result(struct herd_span error)
{
    static const char full[] = "ERR max number of clients reached";
    size_t i = known(herd_redis_fault_code(error));
    if (i < sizeof codes / sizeof codes[0])
        return codes[i].result;
    /* An error without a name: of the command, or of our rights. */
    return find(error, full, sizeof full - 1) == 0 && error.len ? HERD_DATABASE_RETRY : HERD_DATABASE_REFUSED;
}

static bool is_word(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Whether the secret begins at `at`. A short one would be found in every other sentence, and what is left out there would tell it:
 * it counts where it is a word. */
static bool is_secret(struct herd_span error, size_t at, const char *secret, size_t len)
{
    if (len == 0 || error.len - at < len || memcmp(error.at + at, secret, len) != 0)
        return false;
    bool whole = (at == 0 || !is_word((unsigned char)error.at[at - 1])) &&
                 (at + len == error.len || !is_word((unsigned char)error.at[at + len]));
    return len >= SECRET_MIN || whole;
}

const char *herd_redis_fault_text(char text[HERD_REDIS_MESSAGE_MAX], struct herd_span error, const char *secret)
{
    size_t len = 0, hidden = secret ? strlen(secret) : 0;
    for (size_t i = 0; i < error.len && len < HERD_REDIS_MESSAGE_MAX - 4;) {
        if (is_secret(error, i, secret, hidden)) {
            memcpy(text + len, "***", 3);
            len += 3;
            i += hidden;
            continue;
        }
        unsigned char byte = (unsigned char)error.at[i++];
        text[len++] = byte < 0x20 || byte >= 0x7f ? '?' : (char)byte;
    }
    text[len] = 0;
    return text;
}
