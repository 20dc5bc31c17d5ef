/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files and folders of inputs, each whole and cut at a few places: the corpus as an
 * ordinary test, with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1); /* of just this size, so that reading too far is seen */
    if (!copy)
        abort();
    if (len)
        memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static unsigned replay(const char *path)
{
    struct stat about;
    unsigned count = 0;
    if (stat(path, &about) < 0) {
        perror(path);
        exit(1);
    }
    if (S_ISDIR(about.st_mode)) {
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
            char inner[4096];
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
            if (entry->d_name[0] != '.')
                count += replay(inner);
        }
        if (folder)
            closedir(folder);
        return count;
    }
    size_t len = (size_t)about.st_size;
    uint8_t *bytes = malloc(len + 1);
    FILE *file = fopen(path, "rb");
    if (!file || !bytes || fread(bytes, 1, len, file) != len) {
        perror(path);
        exit(1);
    }
    fclose(file);
    run(bytes, len);
    for (size_t part = 1; part < 64; part++) {
        run(bytes, len * part / 64);
        if (len) { /* and one byte of it changed */
            size_t at = len * part / 64;
            uint8_t was = bytes[at];
            bytes[at] = (uint8_t)(was ^ (part * 37 + 1));
            run(bytes, len);
            bytes[at] = was;
        }
    }
    free(bytes);
    return count + 1;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%u inputs replayed\n", count);
    return count ? 0 : 1;
}
