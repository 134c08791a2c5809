/* Containers as the names of their cgroups tell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/container.h"
#include "common/units.h"

#define ID    "4f2c9a81d07be35640f1c2a39bd85e7716ac03f4e9825d1b7a60c3f8e4d92b15"
#define OTHER "a1b2c3d4e5f60718293a4b5c6d7e8f901122334455667788990011223344556d"
#define POD   "/kubepods.slice/kubepods-pod0b1c2d3e_4f50_6172_8394_a5b6c7d8e9f0.slice"

/* The path up to the container is `whole` of it, or nothing. */
static void on_path(const char *path, const char *id, const char *whole)
{
    size_t n = container_on_path(path, id);

    if (n != strlen(whole) || memcmp(path, whole, n) != 0) {
        fail_msg("%s: %.*s and not %s", path, (int)n, path, whole);
    }
}

/* Every runtime's form of a name is known, with the whole id and with the head of it. */
static void test_forms(void **state)
{
    static const char *const paths[] = {
        "/system.slice/docker-" ID ".scope",
        "/docker/" ID,
        POD "/cri-containerd-" ID ".scope",
        "/kubepods/burstable/pod0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0/" ID,
        POD "/crio-" ID ".scope",
        "/machine.slice/libpod-" ID ".scope",
        "/libpod_parent/libpod-" ID,
        "/system.slice/containerd.service/kubepods-besteffort-podx.slice:cri-containerd:" ID,
        "/../cri-containerd-" ID ".scope",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        on_path(paths[i], ID, paths[i]);
        on_path(paths[i], "4f2c9a81d07b", paths[i]);
        on_path(paths[i], OTHER, "");
        assert_int_equal(container_innermost(paths[i]), strlen(paths[i]));
    }
}

/* What is nested in the container belongs to it. */
static void test_nested(void **state)
{
    (void)state;
    on_path("/docker/" ID "/init/x", ID, "/docker/" ID);
    on_path("/machine.slice/libpod-" ID ".scope/container", ID,
            "/machine.slice/libpod-" ID ".scope");
    assert_int_equal(container_innermost("/docker/" ID "/docker/" OTHER "/x"),
                     strlen("/docker/" ID "/docker/" OTHER));
}

/* A monitor bears the id, and is not in the container; digits in the middle of a name are no id. */
static void test_not_the_container(void **state)
{
    (void)state;
    on_path("/machine.slice/libpod-conmon-" ID ".scope", ID, "");
    on_path("/machine.slice/crio-conmon-" ID ".scope", ID, "");
    on_path("/x" ID, ID, "");
    on_path("/docker/" ID "-x", ID, "");
    on_path("/", ID, "");
    on_path("", ID, "");
    on_path("/docker/" ID, "", "");
    assert_int_equal(container_innermost("/kubepods/pod0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"), 0);
    assert_int_equal(container_innermost("/system.slice/nats.service"), 0);
}

/* People may give the first 12 digits or more. */
static void test_id(void **state)
{
    (void)state;
    assert_true(container_is_id(ID));
    assert_true(container_is_id("0123456789ab"));
    assert_false(container_is_id("0123456789a"));
    assert_false(container_is_id(ID "0"));
    assert_false(container_is_id("0123456789AB"));
    assert_false(container_is_id(""));
}

/* Containers of one pod stand side by side. */
static void test_mates(void **state)
{
    (void)state;
    assert_true(container_is_mate(POD "/cri-containerd-" ID ".scope",
                                  POD "/cri-containerd-" OTHER ".scope"));
    assert_true(container_is_mate(POD "/crio-" ID ".scope/sub", POD "/crio-" OTHER ".scope/x/y"));
    assert_false(container_is_mate(POD "/crio-" ID ".scope/sub", POD "/crio-" ID ".scope"));
    assert_false(container_is_mate(POD "/crio-" ID ".scope", "/other/crio-" OTHER ".scope"));
    assert_false(container_is_mate(POD "/crio-" ID ".scope", "/"));
    assert_false(container_is_mate("/", "/system.slice/nats.service"));
}

/* From a cgroup namespace siblings are one step up; the host's services are further. */
static void test_mates_of_namespace(void **state)
{
    (void)state;
    assert_true(container_is_mate("/", "/../cri-containerd-" ID ".scope"));
    assert_true(container_is_mate("/", "/../../libpod-" ID ".scope/container"));
    assert_true(container_is_mate("/init", "/../broker"));
    assert_false(container_is_mate("/", "/.."));
    assert_false(container_is_mate("/", "/../../init.scope"));
    assert_false(container_is_mate("/", "/../../podx.slice/cri-containerd-" ID ".scope"));
    assert_false(container_is_mate("/", "/../../../system.slice/docker-" ID ".scope"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_not_the_container),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_mates),
        cmocka_unit_test(test_mates_of_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
