/* SPDX-License-Identifier: MIT */
/* What a program finds that loads this library by the kind of its database. In a file of its own: a program that links several
 * adapters takes none of these out of their archives. */
#include <herd/postgres.h>

HERD_API extern const struct herd_database_driver *const herd_database_driver_1;
const struct herd_database_driver *const herd_database_driver_1 = &herd_postgres_driver;
