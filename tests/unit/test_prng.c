/* Tests of the seeded chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/prng.h"

/* The numbers of splitmix64's reference implementation for the seed 1234567. */
static void test_known_numbers(void **state)
{
    static const uint64_t known[] = {6457827717110365317U, 3203168211198807973U,
                                     9817491932198370423U, 4593380528125082431U,
                                     16408922859458223821U};
    struct prng prng = prng_of(1234567);

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_true(prng_next(&prng) == known[i]);
    }
}

/* Numbers below n are below n, and all of them come. */
static void test_below(void **state)
{
    struct prng prng = prng_of(1);
    int seen[7] = {0};

    (void)state;
    for (int i = 0; i < 7000; i++) {
        uint64_t number = prng_below(&prng, 7);

        assert_true(number < 7);
        seen[number]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 800, 1200);
    }
    assert_int_equal(prng_below(&prng, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_numbers),
        cmocka_unit_test(test_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
