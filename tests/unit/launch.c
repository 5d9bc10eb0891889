// SPDX-License-Identifier: LGPL-2.1-or-later
// What the engine does for the launcher, and with what it says; and libvirt's notes on emulators.
#include "src/engine/capabilities.h"
#include "src/engine/launch.h"
#include "src/host/netns.h"
#include "src/launch/plan.h"
#include "src/util/error.h"
#include "tests/unit/remove.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

G_STATIC_ASSERT(VM_NICE_INHERITED == LAUNCH_NICE_INHERITED);

static char *scratch;

static char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

static void put(const char *name, const char *text)
{
    g_autofree char *path = in_scratch(name);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *get(const char *name)
{
    char *text = NULL;
    g_autofree char *path = in_scratch(name);
    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* --- the emulator's path --- */

static char *path_of(const char *qemu)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = in_scratch(qemu);
    char *path = launch_emulator_path("/r", file, &error);
    g_assert_no_error(error);
    return path;
}

static void test_path(void)
{
    put("qemu", "one");
    g_autofree char *path = path_of("qemu"), *again = path_of("qemu");
    g_autofree char *pattern =
        g_strdup_printf("^/r/etc/[0-9a-f]{12}/qemu-system-%s$", vm_arch_name(vm_arch_native()));
    g_assert_true(g_regex_match_simple(pattern, path, 0, 0));
    g_assert_cmpstr(path, ==, again);
}

/* As a package does it, and as `cp` and `touch -r` do: even with the old size and time. */
static void test_path_of_another_qemu(void)
{
    put("qemu", "one");
    g_autofree char *qemu = in_scratch("qemu");
    GStatBuf before;
    g_assert_cmpint(g_stat(qemu, &before), ==, 0);
    g_autofree char *path = path_of("qemu");
    put("qemu", "two");
    g_autofree char *replaced = path_of("qemu");
    g_assert_cmpstr(path, !=, replaced);

    g_usleep(20000); /* more than a tick of the kernel's clock for files */
    g_assert_true(g_file_set_contents_full(qemu, "six", 3, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    struct timespec times[2] = {before.st_atim, before.st_mtim};
    g_assert_cmpint(utimensat(AT_FDCWD, qemu, times, 0), ==, 0);
    g_autofree char *rewritten = path_of("qemu");
    g_assert_cmpstr(replaced, !=, rewritten);

    put("other", "six");
    g_autofree char *other = path_of("other");
    g_assert_cmpstr(rewritten, !=, other);
}

static void test_path_of_nothing(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(launch_emulator_path("/r", "/nonexistent/qemu", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "/nonexistent/qemu: No such file"));
}

/* --- the plan --- */

/* The launcher is looked for beside the program that runs, which this test is. */
static char *launcher_beside(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *here = g_path_get_dirname(self);
    return g_build_filename(here, "ocivirt-launch", NULL);
}

static vm_spec *make_spec(void)
{
    vm_spec *spec = vm_spec_new();
    spec->emulator = g_strdup("/usr/bin/qemu");
    spec->launcher = in_scratch("etc/0123/qemu-system-x86_64");
    return spec;
}

static void prepare(const vm_spec *spec)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *launcher = launcher_beside(), *etc = in_scratch("etc");
    const struct root root = {.path = scratch, .lock = -1};
    g_assert_true(g_file_set_contents_full(launcher, "", 0, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    g_mkdir(etc, 0700);
    launch_prepare(&root, spec, &error);
    g_unlink(launcher);
    g_assert_no_error(error);
}

static void test_prepare(void)
{
    g_autoptr(vm_spec) spec = make_spec();
    static const guint64 instruction = 7;
    spec->process.limits[0] = (struct vm_limit){RLIMIT_NOFILE, 5, G_MAXUINT64};
    spec->process.limit_count = 1;
    spec->process.set_oom_score_adj = true;
    spec->process.oom_score_adj = -3;
    spec->process.filter = g_bytes_new(&instruction, sizeof(instruction));
    put("etc/0123/" LAUNCH_NOTES, "F of an earlier start\n");
    prepare(spec);
    prepare(spec); /* a second time is no trouble */

    g_autofree char *launcher = launcher_beside(), *path = in_scratch("etc/0123/" LAUNCH_PLAN);
    g_autofree char *target = g_file_read_link(spec->launcher, NULL), *notes = NULL;
    g_autofree struct launch_plan *plan = NULL;
    gsize length;
    g_assert_cmpstr(target, ==, launcher);
    notes = get("etc/0123/" LAUNCH_NOTES);
    g_assert_null(notes);
    g_assert_true(g_file_get_contents(path, (char **)&plan, &length, NULL));
    g_assert_cmpuint(length, ==, sizeof(*plan) + sizeof(instruction));
    g_assert_cmpmem(plan->magic, sizeof(plan->magic), LAUNCH_MAGIC, strlen(LAUNCH_MAGIC));
    g_assert_cmpstr(plan->program, ==, "/usr/bin/qemu");
    g_assert_cmpuint(plan->limit_count, ==, 2);
    g_assert_cmpint(plan->limits[0].resource, ==, RLIMIT_NOFILE);
    g_assert_cmpuint(plan->limits[0].soft, ==, 5);
    g_assert_cmpuint(plan->limits[0].hard, ==, G_MAXUINT64);
    g_assert_cmpint(plan->limits[1].resource, ==, RLIMIT_CORE); /* none, as nobody asked */
    g_assert_cmpuint(plan->limits[1].hard, ==, 0);
    g_assert_true(plan->set_oom_score_adj && plan->oom_score_adj == -3);
    g_assert_false(plan->set_io_priority || plan->set_scheduler);
    g_assert_cmpuint(plan->filter_length, ==, 1);
    g_assert_cmpmem(plan + 1, 8, &instruction, 8);
}

static void test_prepare_core(void)
{
    g_autoptr(vm_spec) spec = make_spec();
    spec->process.limits[0] = (struct vm_limit){RLIMIT_CORE, 5, 6};
    spec->process.limit_count = 1;
    prepare(spec);
    g_autofree struct launch_plan *plan = (struct launch_plan *)get("etc/0123/" LAUNCH_PLAN);
    g_assert_cmpuint(plan->limit_count, ==, 1);
    g_assert_cmpuint(plan->limits[0].hard, ==, 6);
}

static void expect_not_prepared(const vm_spec *spec, int code, const char *words)
{
    const struct root root = {.path = scratch, .lock = -1};
    g_autoptr(GError) error = NULL;
    g_assert_false(launch_prepare(&root, spec, &error));
    g_assert_error(error, ERROR_DOMAIN, code);
    if (strstr(error->message, words) == NULL) {
        g_error("no \"%s\" in: %s", words, error->message);
    }
}

static void test_no_launcher(void)
{
    g_autoptr(vm_spec) spec = make_spec();
    g_autofree char *launcher = launcher_beside();
    expect_not_prepared(spec, ERROR_UNAVAILABLE, "neither");
    expect_not_prepared(spec, ERROR_UNAVAILABLE, launcher);
    expect_not_prepared(spec, ERROR_UNAVAILABLE, "/libexec/ocivirt-launch");
    g_assert_true(g_file_set_contents_full(launcher, "", 0, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
    expect_not_prepared(spec, ERROR_UNAVAILABLE, "Permission denied");
    g_unlink(launcher);
    g_clear_pointer(&spec->launcher, g_free);
    const struct root root = {.path = scratch, .lock = -1};
    g_assert_true(launch_prepare(&root, spec, NULL)); /* nothing to do */
}

static void test_filter_too_long(void)
{
    g_autoptr(vm_spec) spec = make_spec();
    g_autofree char *launcher = launcher_beside();
    gsize size = (LAUNCH_FILTER_MAX + 1) * 8;
    spec->process.filter = g_bytes_new_take(g_malloc0(size), size);
    g_assert_true(g_file_set_contents_full(launcher, "", 0, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    expect_not_prepared(spec, ERROR_CONFIG, "4097 instructions");
    g_unlink(launcher);
}

/* --- its words --- */

static void test_explain(void)
{
    g_autoptr(vm_spec) spec = make_spec();
    GError *error =
        g_error_new(ERROR_DOMAIN, ERROR_INTERNAL, "x %s y %s", spec->launcher, spec->launcher);
    put("etc/0123/" LAUNCH_NOTES, "W a warning\n");
    launch_explain(spec, &error);
    g_assert_error(error, ERROR_DOMAIN, ERROR_INTERNAL);
    g_assert_cmpstr(error->message, ==, "x /usr/bin/qemu y /usr/bin/qemu");

    put("etc/0123/" LAUNCH_NOTES, "W a warning\nF first\nF the end\n");
    launch_explain(spec, &error);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_cmpstr(error->message, ==, "cannot start QEMU: the end");

    g_clear_error(&error);
    launch_explain(spec, &error);
    g_assert_no_error(error);
    launch_explain(spec, NULL);
}

static void test_warnings(void)
{
    if (g_test_subprocess()) {
        g_autoptr(vm_spec) spec = make_spec();
        put("etc/0123/" LAUNCH_NOTES, "W one\nF no\nW two\nW one\nnonsense\n\nW");
        launch_log_warnings(spec);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("ocivirt: *one\nocivirt: *two\n");
    g_test_trap_assert_stderr_unmatched("*one*one*");
}

/* --- libvirt's notes on emulators --- */

#define NOTES "cache/qemu/capabilities/"

static char *notes_name(const char *root, const char *emulator)
{
    g_autofree char *path = g_strconcat(scratch, "/", root, "/", emulator, NULL);
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, path, -1);
    return g_strconcat(root, "/" NOTES, sum, ".xml", NULL);
}

static void put_notes(const char *root, const char *emulator)
{
    g_autofree char *name = notes_name(root, emulator);
    g_autofree char *text =
        g_strdup_printf("<a>\n  <emulator>%s/%s/%s</emulator>\n</a>\n", scratch, root, emulator);
    put(name, text);
}

static void test_copy(void)
{
    g_autofree char *from = in_scratch("from"), *to = in_scratch("to & fro");
    g_autofree char *name = notes_name("to & fro", "etc/1/q");
    put_notes("from", "etc/1/q");
    put("from/" NOTES "strange.xml", "<a/>");
    put("from/" NOTES "elsewhere.xml", "<emulator>/usr/bin/q</emulator>");
    put("from/" NOTES "endless.xml", "<emulator>/usr/bin/q");
    capabilities_copy(from, to);
    g_autofree char *text = get(name);
    g_autofree char *wanted =
        g_strdup_printf("<a>\n  <emulator>%s/to &amp; fro/etc/1/q</emulator>\n</a>\n", scratch);
    g_assert_cmpstr(text, ==, wanted);

    g_autofree char *folder = g_build_filename(to, NOTES, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_nonnull(g_dir_read_name(dir));
    g_assert_null(g_dir_read_name(dir)); /* what is no emulator of that root stays behind */
    capabilities_copy("/nonexistent", to);
}

static void test_keep_only(void)
{
    g_autofree char *root = in_scratch("from");
    g_autofree char *kept = notes_name("from", "etc/1/q"), *gone = notes_name("from", "etc/2/q");
    g_autofree char *emulator = in_scratch("from/etc/1/q");
    put_notes("from", "etc/1/q");
    put_notes("from", "etc/2/q");
    put("from/" NOTES "other", "");
    capabilities_keep_only(root, emulator);
    g_autofree char *first = get(kept), *second = get(gone), *third = get("from/" NOTES "other");
    g_assert_nonnull(first);
    g_assert_null(second);
    g_assert_nonnull(third);
    capabilities_keep_only("/nonexistent", emulator);
}

static void test_noted_version(void)
{
    g_autofree char *root = in_scratch("from"), *name = notes_name("from", "etc/3/q");
    g_autofree char *emulator = in_scratch("from/etc/3/q");
    g_assert_cmpuint(capabilities_version(root, emulator), ==, 0);
    put_notes("from", "etc/3/q");
    g_assert_cmpuint(capabilities_version(root, emulator), ==, 0);
    put(name, "<qemuCaps>\n  <version>7002022</version>\n</qemuCaps>\n");
    g_assert_cmpuint(capabilities_version(root, emulator), ==, 7002022);
}

/* --- network namespaces --- */

static void test_no_namespace(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(netns_open_file("/nonexistent/net", &error), ==, -1);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "/nonexistent/net: No such file"));
    g_clear_error(&error);
    int fd = netns_open_file("/etc/passwd", &error);
    g_assert_false(netns_join(fd, "/etc/passwd", &error));
    close(fd);
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, "/etc/passwd is no network namespace"));
}

static void test_namespace_without_privilege(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3], less[_LINUX_CAPABILITY_U32S_3];
    g_assert_cmpint(syscall(SYS_capget, &header, sets), ==, 0);
    memcpy(less, sets, sizeof(less));
    less[0].effective &= ~(1U << CAP_SYS_ADMIN);
    g_assert_cmpint(syscall(SYS_capset, &header, less), ==, 0);
    g_autoptr(GError) error = NULL;
    int fd = netns_open_file("/proc/self/ns/net", &error);
    g_assert_false(netns_join(fd, "/proc/self/ns/net", &error));
    close(fd);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "CAP_SYS_ADMIN"));
    g_assert_cmpint(syscall(SYS_capset, &header, sets), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    scratch = g_dir_make_tmp("ocivirt-launch-XXXXXX", NULL);
    g_test_add_func("/launch/path", test_path);
    g_test_add_func("/launch/path-of-another-qemu", test_path_of_another_qemu);
    g_test_add_func("/launch/path-of-nothing", test_path_of_nothing);
    g_test_add_func("/launch/prepare", test_prepare);
    g_test_add_func("/launch/prepare-core", test_prepare_core);
    g_test_add_func("/launch/no-launcher", test_no_launcher);
    g_test_add_func("/launch/filter-too-long", test_filter_too_long);
    g_test_add_func("/launch/explain", test_explain);
    g_test_add_func("/launch/warnings", test_warnings);
    g_test_add_func("/launch/copy", test_copy);
    g_test_add_func("/launch/keep-only", test_keep_only);
    g_test_add_func("/launch/noted-version", test_noted_version);
    g_test_add_func("/launch/no-namespace", test_no_namespace);
    g_test_add_func("/launch/namespace-without-privilege", test_namespace_without_privilege);
    int status = g_test_run();
    remove_all(scratch);
    g_free(scratch);
    return status;
}
