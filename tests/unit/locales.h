/* SPDX-License-Identifier: MIT */
/* Locales whose decimal point is another: a comma, or more than one byte. Those that are not installed are skipped;
 * LOCPATH names a folder with more, made by localedef(1). */
#ifndef TEST_LOCALES_H
#define TEST_LOCALES_H

#include <locale.h>

static const char *const locales[] = {"C", "de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
#define LOCALES (sizeof locales / sizeof *locales)

#endif
