/* Parked requests: found once, whatever order they are taken in, and known by age. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/parking.h"

#define N_MAX 4

static int setup(void **state)
{
    static struct parking parking;

    assert_int_equal(parking_init(&parking, N_MAX), 0);
    *state = &parking;
    return 0;
}

static int teardown(void **state)
{
    parking_done(*state);
    parking_done(*state);
    return 0;
}

/* Take a request out. */
static void take(struct parking *parking, uint64_t id, uint32_t slot)
{
    assert_int_equal(parking_find(parking, id), slot);
    parking_release(parking, slot);
    assert_int_equal(parking_find(parking, id), PARKING_NONE);
}

/* From the oldest to the newest these slots, and back again the other way. */
static void assert_ages(const struct parking *parking, const uint32_t *slots, uint32_t n)
{
    uint32_t slot = parking->oldest;
    uint32_t i;

    assert_int_equal(parking->n, n);
    for (i = 0; i < n; i++) {
        assert_int_equal(slot, slots[i]);
        slot = parking->slots[slot].newer;
    }
    assert_int_equal(slot, PARKING_NONE);
    slot = parking->newest;
    for (i = n; i-- > 0;) {
        assert_int_equal(slot, slots[i]);
        slot = parking->slots[slot].older;
    }
    assert_int_equal(slot, PARKING_NONE);
}

/* What was parked is found until it is taken, in whatever order. */
static void test_taken_in_any_order(void **state)
{
    struct parking *parking = *state;
    uint64_t a = parking_put(parking, 3, 1);
    uint64_t b = parking_put(parking, 0, 2);
    uint64_t c = parking_put(parking, 2, 3);

    assert_ages(parking, (const uint32_t[]){3, 0, 2}, 3);
    take(parking, b, 0);
    assert_ages(parking, (const uint32_t[]){3, 2}, 2);
    take(parking, c, 2);
    assert_ages(parking, (const uint32_t[]){3}, 1);
    take(parking, a, 3);
    assert_ages(parking, NULL, 0);
}

/* An id is never 0, and one of a slot that was used again finds nothing. */
static void test_a_stale_id_is_void(void **state)
{
    struct parking *parking = *state;
    uint64_t stale = parking_put(parking, 0, 1);
    uint64_t fresh;

    assert_int_not_equal(stale, 0);
    take(parking, stale, 0);
    fresh = parking_put(parking, 0, 1);
    assert_int_equal(parking_find(parking, stale), PARKING_NONE);
    assert_int_equal(parking_find(parking, fresh), 0);
    assert_int_equal(parking_find(parking, 0), PARKING_NONE);
    assert_int_equal(parking_find(parking, UINT64_MAX), PARKING_NONE);
    assert_int_equal(parking_find(parking, (uint64_t)1 << 32 | N_MAX), PARKING_NONE);
}

/* A table that was never made has nothing. */
static void test_no_table(void **state)
{
    const struct parking none = {0};

    (void)state;
    assert_int_equal(parking_find(&none, 0), PARKING_NONE);
    assert_int_equal(parking_find(&none, (uint64_t)1 << 32), PARKING_NONE);
}

/* Each connection knows how many of its requests wait, and the oldest of them. */
static void test_of_a_pipe(void **state)
{
    struct parking *parking = *state;
    uint32_t oldest;

    assert_int_equal(parking_of_pipe(parking, 7, &oldest), 0);
    assert_int_equal(oldest, PARKING_NONE);
    (void)parking_put(parking, 1, 8);
    (void)parking_put(parking, 3, 7);
    (void)parking_put(parking, 0, 8);
    (void)parking_put(parking, 2, 7);
    assert_int_equal(parking_of_pipe(parking, 7, &oldest), 2);
    assert_int_equal(oldest, 3);
    assert_int_equal(parking_of_pipe(parking, 8, &oldest), 2);
    assert_int_equal(oldest, 1);
    parking_release(parking, 1);
    assert_int_equal(parking_of_pipe(parking, 8, &oldest), 1);
    assert_int_equal(oldest, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stale_id_is_void, setup, teardown),
        cmocka_unit_test(test_no_table),
        cmocka_unit_test_setup_teardown(test_of_a_pipe, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
