/* Parked requests: taken once, in any order; the oldest goes when there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/parking.h"

#define N_MAX        4
#define PER_PIPE_MAX 3

static uint64_t park(struct parking *parking, uint32_t pipe, const char *way_back)
{
    bool dropped = true;
    uint64_t id;

    id = parking_put(parking, pipe, PER_PIPE_MAX, (const uint8_t *)way_back, strlen(way_back),
                     &dropped);
    assert_false(dropped);
    return id;
}

static uint64_t park_too_many(struct parking *parking, uint32_t pipe)
{
    bool dropped = false;
    uint64_t id;

    id = parking_put(parking, pipe, PER_PIPE_MAX, (const uint8_t *)"x", 1, &dropped);
    assert_true(dropped);
    return id;
}

static bool is_there(struct parking *parking, uint64_t id)
{
    struct parked parked;

    return parking_take(parking, id, &parked);
}

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
    return 0;
}

/* What was parked comes back once, in whatever order it is asked for. */
static void test_taken_once_in_any_order(void **state)
{
    struct parking *parking = *state;
    uint64_t a = park(parking, 1, "a");
    uint64_t b = park(parking, 2, "bb");
    uint64_t c = park(parking, 3, "");
    struct parked parked;

    assert_true(parking_take(parking, b, &parked));
    assert_int_equal(parked.pipe, 2);
    assert_int_equal(parked.n, 2);
    assert_memory_equal(parked.bytes, "bb", 2);
    assert_false(parking_take(parking, b, &parked));
    assert_true(parking_take(parking, c, &parked));
    assert_true(parking_take(parking, a, &parked));
    assert_int_equal(parked.pipe, 1);
    assert_false(parking_take(parking, a, &parked));
}

/* An id is never 0, and one of a slot that was used again finds nothing. */
static void test_a_stale_id_is_void(void **state)
{
    struct parking *parking = *state;
    uint64_t stale = park(parking, 1, "a");
    uint64_t fresh;

    assert_int_not_equal(stale, 0);
    assert_true(is_there(parking, stale));
    fresh = park(parking, 1, "a");
    assert_int_equal((uint32_t)fresh, (uint32_t)stale); /* the same slot */
    assert_false(is_there(parking, stale));
    assert_true(is_there(parking, fresh));
    assert_false(is_there(parking, 0));
    assert_false(is_there(parking, UINT64_MAX));
    assert_false(is_there(parking, (uint64_t)1 << 32 | N_MAX));
}

/* A full table gives up its oldest, again and again. */
static void test_the_oldest_is_dropped(void **state)
{
    struct parking *parking = *state;
    uint64_t a = park(parking, 1, "a");
    uint64_t b = park(parking, 2, "b");
    uint64_t c = park(parking, 3, "c");
    uint64_t d = park(parking, 4, "d");
    uint64_t e = park_too_many(parking, 5);
    uint64_t f = park_too_many(parking, 6);

    assert_false(is_there(parking, a));
    assert_false(is_there(parking, b));
    assert_true(is_there(parking, c));
    assert_true(is_there(parking, d));
    assert_true(is_there(parking, e));
    assert_true(is_there(parking, f));
}

/* A greedy connection pushes out its own oldest, not another's. */
static void test_a_greedy_pipe_drops_its_own(void **state)
{
    struct parking *parking = *state;
    uint64_t other = park(parking, 1, "o");
    uint64_t a = park(parking, 7, "a");
    uint64_t b = park(parking, 7, "b");
    uint64_t c = park(parking, 7, "c");
    uint64_t d = park_too_many(parking, 7);
    uint64_t e = park_too_many(parking, 7);

    assert_false(is_there(parking, a));
    assert_false(is_there(parking, b));
    assert_true(is_there(parking, other));
    assert_true(is_there(parking, c));
    assert_true(is_there(parking, d));
    assert_true(is_there(parking, e));
}

static bool is_odd(uint32_t pipe, void *arg)
{
    (void)arg;
    return pipe % 2 == 1;
}

/* Those whose connections have gone are forgotten, and their places are free again. */
static void test_the_gone_are_forgotten(void **state)
{
    struct parking *parking = *state;
    uint64_t ids[N_MAX];
    uint32_t i;

    for (i = 0; i < N_MAX; i++) {
        ids[i] = park(parking, i + 1, "x");
    }
    assert_int_equal(parking_forget(parking, is_odd, NULL), 2);
    assert_int_equal(parking_forget(parking, is_odd, NULL), 0);
    (void)park(parking, 8, "y");
    (void)park(parking, 10, "y");
    assert_false(is_there(parking, ids[0]));
    assert_true(is_there(parking, ids[1]));
    assert_false(is_there(parking, ids[2]));
    assert_true(is_there(parking, ids[3]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken_once_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stale_id_is_void, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_oldest_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_greedy_pipe_drops_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_gone_are_forgotten, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
