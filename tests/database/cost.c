/* SPDX-License-Identifier: MIT */
/*
 * What a record costs the program that writes it to PostgreSQL, or reads it, without the database: to be run by callgrind, which
 * counts instructions.
 *
 *     valgrind --tool=callgrind --collect-atstart=no --toggle-collect=measure_write cost    instructions of so many records
 *     the same with measure_read
 */
#include "fresh.h"

#define ROWS    1000
#define BATCHES 20

static struct side one;
static char ids[ROWS][24];
static struct herd_database_row rows[ROWS];

/* Processor time of this thread. */
static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double call_ms[BATCHES]; /* of giving a batch to the adapter: one turn of the loop */

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* One function of each, which callgrind is told. */
__attribute__((noinline)) static void measure_write(int batch)
{
    double began = cpu_ms();
    assert_int_equal(DRIVER->write(one.database, (uint64_t)batch, rows, ROWS, &some_writer), 0);
    call_ms[batch - 1] = cpu_ms() - began;
    wait_times(&one, &one.written.times, (unsigned)batch);
}

__attribute__((noinline)) static void measure_read(void)
{
    assert_int_equal(side_read_all(&one, ROWS), (size_t)ROWS * BATCHES);
}

static void test_cost(void **state)
{
    (void)state;
    connect_fresh(&one);
    for (int batch = 1; batch <= BATCHES; batch++) {
        for (int i = 0; i < ROWS; i++) {
            snprintf(ids[i], sizeof ids[i], "client-%06d-%06d", batch, i);
            rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+34.068930-118.445127", "1621464827.959498503");
        }
        measure_write(batch);
    }
    assert_int_equal(one.failed, 0);
    measure_read();
    qsort(call_ms, BATCHES, sizeof call_ms[0], compare);
    printf(
        "%d records written, and read; a call with %d took %.2f ms of processor time, half of them %.2f at most\n",
        ROWS * BATCHES, ROWS, call_ms[BATCHES - 1], call_ms[BATCHES / 2]);
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_LOOP(test_cost)};
    return run_on_cluster(tests, 1, "");
}
