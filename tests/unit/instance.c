// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/instance.h"
#include "src/host/process.h"
#include "src/util/error.h"
#include "tests/unit/child.h"
#include "tests/unit/expect.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *scratch; /* a directory */
static char *file;    /* instance.json in it */

static void write_text(const char *text)
{
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void test_init(void)
{
    struct instance instance;
    instance_init(&instance, "vm-1", getpid());
    g_assert_cmpstr(instance.id, ==, "vm-1");
    g_assert_true(g_uuid_string_is_valid(instance.boot_id));
    g_assert_cmpuint(instance.pid_namespace, >, 0);
    g_assert_cmpint(instance.supervisor, ==, getpid());
    g_assert_cmpuint(instance.supervisor_started, ==, process_start_time(getpid()));
    g_assert_cmpint(instance.qemu, ==, 0);
    g_assert_cmpint(instance.status, ==, INSTANCE_CREATING);
    g_assert_null(instance.bundle);
    g_assert_null(instance.annotations);
    g_assert_true(instance_is_ours(&instance));
    g_assert_false(instance_qemu_alive(&instance)); /* there is none */
    instance_finish(&instance);
    instance_finish(&instance); /* twice does no harm */
}

static void test_round_trip(void)
{
    struct instance written, read;
    instance_init(&written, "vm \"ä\" \\ \n", getpid());
    written.qemu = 4242;
    written.qemu_started = G_MAXINT64;
    written.pid_namespace = 4026531836;
    written.status = INSTANCE_RUNNING;
    written.console_seen = g_strdup("login: $");
    written.bundle = g_strdup("/bundle \"ö\"");
    written.annotations = g_strsplit("b|two \\ words|a||c \n|\x01", "|", 0);
    g_autoptr(GError) error = NULL;
    g_assert_true(instance_write(&written, file, &error));
    g_assert_no_error(error);
    g_assert_true(instance_read(&read, file));
    g_assert_cmpstr(read.id, ==, written.id);
    g_assert_cmpstr(read.boot_id, ==, written.boot_id);
    g_assert_cmpuint(read.pid_namespace, ==, written.pid_namespace);
    g_assert_cmpint(read.supervisor, ==, written.supervisor);
    g_assert_cmpint(read.qemu, ==, 4242);
    g_assert_cmpuint(read.qemu_started, ==, G_MAXINT64);
    g_assert_cmpuint(read.supervisor_started, ==, written.supervisor_started);
    g_assert_cmpint(read.status, ==, INSTANCE_RUNNING);
    g_assert_cmpstr(read.console_seen, ==, written.console_seen);
    g_assert_cmpstr(read.bundle, ==, written.bundle);
    g_assert_cmpstrv(read.annotations, written.annotations);
    instance_finish(&read);

    struct stat status;
    g_assert_cmpint(stat(file, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 07777, ==, 0600);

    /* the second takes the place of the first, whole */
    written.qemu = 1;
    g_assert_true(instance_write(&written, file, NULL));
    g_assert_true(instance_read(&read, file));
    g_assert_cmpint(read.qemu, ==, 1);
    instance_finish(&read);
    instance_finish(&written);
    g_unlink(file);
}

static void test_cannot_write(void)
{
    struct instance instance;
    instance_init(&instance, "vm", getpid());
    g_autoptr(GError) error = NULL;
    g_assert_false(instance_write(&instance, "/nonexistent/instance.json", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_true(g_str_has_prefix(error->message, "cannot write /nonexistent/instance.json: "));
    instance_finish(&instance);
}

/* What an ocivirt before these had a status has written, without the closing brace. */
#define OLD_MEMBERS                                                                                \
    "{\"id\":\"vm\",\"bootId\":\"b\",\"pidNamespace\":1,\"supervisorPid\":2,\"qemuPid\":3,"        \
    "\"qemuStartTime\":4"

static void test_older_file(void)
{
    struct instance instance;
    write_text(OLD_MEMBERS "}");
    g_assert_true(instance_read(&instance, file));
    g_assert_cmpint(instance.qemu, ==, 3);
    g_assert_cmpint(instance.status, ==, INSTANCE_RUNNING);
    g_assert_cmpuint(instance.supervisor_started, ==, 0);
    g_assert_null(instance.console_seen);
    g_assert_null(instance.bundle);
    instance_finish(&instance);
    g_unlink(file);
}

/* Linux's paths are bytes; JSON's strings are not. */
static void test_path_of_any_bytes(void)
{
    struct instance written, read;
    instance_init(&written, "vm", getpid());
    written.bundle = g_strdup("/b\xff");
    g_assert_true(instance_write(&written, file, NULL));
    g_assert_true(instance_read(&read, file));
    g_assert_cmpstr(read.bundle, ==, "/b\xef\xbf\xbd");
    instance_finish(&written);
    instance_finish(&read);
    g_unlink(file);
}

/* Whoever can write into the root directory can write anything: it is not believed, and nothing
 * worse. */
static void test_hostile_files(void)
{
    static const char *const texts[] = {
        "",
        "{",
        "null",
        "[]",
        "{}",
        "\xff\xfe",
        "{\"id\": \"vm\"}",
        "{\"id\":1,\"bootId\":\"b\",\"pidNamespace\":1,\"supervisorPid\":1,\"qemuPid\":1,"
        "\"qemuStartTime\":1}",
        "{\"id\":\"vm\",\"bootId\":null,\"pidNamespace\":1,\"supervisorPid\":1,\"qemuPid\":1,"
        "\"qemuStartTime\":1}",
        "{\"id\":\"vm\",\"bootId\":\"b\",\"pidNamespace\":\"1\",\"supervisorPid\":1,"
        "\"qemuPid\":1,\"qemuStartTime\":1}",
        OLD_MEMBERS ",\"status\":\"paused\"}",
        OLD_MEMBERS ",\"status\":1}",
        OLD_MEMBERS ",\"status\":null}",
        OLD_MEMBERS ",\"bundle\":[]}",
        OLD_MEMBERS ",\"supervisorStartTime\":\"1\"}",
        OLD_MEMBERS ",\"annotations\":[\"a\"]}",
        OLD_MEMBERS ",\"annotations\":\"a\"}",
        OLD_MEMBERS ",\"annotations\":{\"a\":1}}",
        OLD_MEMBERS ",\"annotations\":{\"a\":\"b\",\"c\":null}}",
        "{\"id\":\"vm\",\"bootId\":\"b\",\"pidNamespace\":1,\"supervisorPid\":1.5,\"qemuPid\":1,"
        "\"qemuStartTime\":1}",
        "{\"id\":\"vm\",\"bootId\":\"b\",\"pidNamespace\":1,\"supervisorPid\":1,\"qemuPid\":[1],"
        "\"qemuStartTime\":1}",
        "{\"id\":\"vm\",\"bootId\":\"b\",\"pidNamespace\":1,\"supervisorPid\":1,\"qemuPid\":1}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct instance instance;
        write_text(texts[i]);
        expect(texts[i], !instance_read(&instance, file));
        expect(texts[i], instance.id == NULL && instance.boot_id == NULL && instance.qemu == 0);
        expect(texts[i], instance.annotations == NULL && instance.bundle == NULL);
        instance_finish(&instance);
    }
    g_autofree char *deep = g_strnfill(1 << 20, '[');
    struct instance instance;
    write_text(deep);
    g_assert_false(instance_read(&instance, file));
    g_unlink(file);
    g_assert_false(instance_read(&instance, file)); /* and none at all */
    g_assert_false(instance_read(&instance, scratch));
}

static void test_qemu_alive(void)
{
    pid_t child = start_child("qemu");
    struct instance instance;
    instance_init(&instance, "vm", getpid());
    instance.qemu = child;
    instance.qemu_started = process_start_time(child);
    g_assert_true(instance_qemu_alive(&instance));

    /* The same pid, and another process: it has begun at another time. */
    instance.qemu_started++;
    g_assert_false(instance_qemu_alive(&instance));
    instance.qemu_started -= 2;
    g_assert_false(instance_qemu_alive(&instance));
    instance.qemu_started = 0;
    g_assert_false(instance_qemu_alive(&instance));
    instance.qemu_started = process_start_time(child);

    /* Another boot, or another PID namespace: the pid is somebody else's. */
    char *boot_id = instance.boot_id;
    static const char *const others[] = {"", "unknown", "00000000-0000-0000-0000-000000000000"};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        instance.boot_id = (char *)others[i];
        expect(others[i], !instance_is_ours(&instance) && !instance_qemu_alive(&instance));
    }
    instance.boot_id = boot_id;
    instance.pid_namespace++;
    g_assert_false(instance_is_ours(&instance));
    g_assert_false(instance_qemu_alive(&instance));
    instance.pid_namespace--;
    g_assert_true(instance_qemu_alive(&instance));

    static const pid_t none[] = {0, -1, -2};
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++) {
        instance.qemu = none[i];
        g_assert_false(instance_qemu_alive(&instance));
    }
    instance.qemu = child;
    end_child(child);
    g_assert_false(instance_qemu_alive(&instance));
    instance.qemu_started = 0; /* as of a process that is not there */
    g_assert_false(instance_qemu_alive(&instance));
    instance_finish(&instance);
}

static void test_status_names(void)
{
    static const char *const names[] = {"creating", "created", "running", "stopped"};
    for (int i = 0; i < INSTANCE_STATUSES; i++) {
        g_assert_cmpstr(instance_status_name(i), ==, names[i]);
    }
}

/* Rows of what can be there: @qemu and @supervisor are children that live, or do not. */
static void test_status_now(void)
{
    static const struct {
        const char *name;
        enum instance_status written;
        enum { NONE, DEAD, ALIVE } qemu, supervisor;
        enum { OURS, OTHERS, OTHERS_LOCKED } whose;
        enum instance_status now;
    } rows[] = {
        {"start", INSTANCE_CREATING, NONE, ALIVE, OURS, INSTANCE_CREATING},
        {"start, died", INSTANCE_CREATING, NONE, DEAD, OURS, INSTANCE_STOPPED},
        {"hooks", INSTANCE_CREATING, ALIVE, ALIVE, OURS, INSTANCE_CREATING},
        {"created", INSTANCE_CREATED, ALIVE, ALIVE, OURS, INSTANCE_CREATED},
        {"running", INSTANCE_RUNNING, ALIVE, ALIVE, OURS, INSTANCE_RUNNING},
        {"QEMU died", INSTANCE_RUNNING, DEAD, ALIVE, OURS, INSTANCE_STOPPED},
        {"QEMU died in hooks", INSTANCE_CREATING, DEAD, ALIVE, OURS, INSTANCE_STOPPED},
        {"ocivirt died", INSTANCE_RUNNING, ALIVE, DEAD, OURS, INSTANCE_RUNNING},
        {"both died", INSTANCE_RUNNING, DEAD, DEAD, OURS, INSTANCE_STOPPED},
        {"poststop", INSTANCE_STOPPED, NONE, ALIVE, OURS, INSTANCE_STOPPED},
        {"another's", INSTANCE_RUNNING, ALIVE, ALIVE, OTHERS, INSTANCE_STOPPED},
        {"another's, there", INSTANCE_RUNNING, DEAD, DEAD, OTHERS_LOCKED, INSTANCE_RUNNING},
        {"another's start", INSTANCE_CREATING, NONE, DEAD, OTHERS_LOCKED, INSTANCE_CREATING},
        {"another's poststop", INSTANCE_STOPPED, NONE, DEAD, OTHERS_LOCKED, INSTANCE_STOPPED},
    };
    pid_t child = start_child("child");
    guint64 started = process_start_time(child);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct instance instance;
        instance_init(&instance, "vm", child);
        expect(rows[i].name, instance.supervisor_started == started);
        instance.status = rows[i].written;
        instance.supervisor_started += rows[i].supervisor == DEAD;
        instance.qemu = rows[i].qemu != NONE ? child : 0;
        instance.qemu_started = rows[i].qemu == NONE ? 0 : started + (rows[i].qemu == DEAD);
        instance.pid_namespace += rows[i].whose != OURS;
        enum instance_status now = instance_status_now(&instance, rows[i].whose == OTHERS_LOCKED);
        expect_str(rows[i].name, instance_status_name(now), instance_status_name(rows[i].now));
        instance_finish(&instance);
    }
    end_child(child);
}

/* A number that no pid can be is not cut down to one. */
static void test_pid_out_of_range(void)
{
    static const gint64 beyond[] = {(gint64)1 << 32, -((gint64)1 << 32), G_MININT64};
    pid_t child = start_child("qemu");
    guint64 started = process_start_time(child);
    struct instance instance;
    instance_init(&instance, "vm", getpid());
    g_autofree char *begin =
        g_strdup_printf("{\"id\":\"vm\",\"bootId\":\"%s\",\"pidNamespace\":%" G_GUINT64_FORMAT
                        ",\"qemuStartTime\":%" G_GUINT64_FORMAT,
                        instance.boot_id, instance.pid_namespace, started);
    instance_finish(&instance);
    for (gsize i = 0; i < 2 * G_N_ELEMENTS(beyond); i++) {
        gint64 wrong = beyond[i / 2] + child;
        g_autofree char *text = g_strdup_printf("%s,\"supervisorPid\":%" G_GINT64_FORMAT
                                                ",\"qemuPid\":%" G_GINT64_FORMAT "}",
                                                begin, i % 2 ? wrong : 1, i % 2 ? child : wrong);
        write_text(text);
        expect(text, !instance_read(&instance, file));
        instance_finish(&instance);
    }
    end_child(child);
    g_unlink(file);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    scratch = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    file = g_build_filename(scratch, "instance.json", NULL);
    g_test_add_func("/instance/init", test_init);
    g_test_add_func("/instance/round-trip", test_round_trip);
    g_test_add_func("/instance/cannot-write", test_cannot_write);
    g_test_add_func("/instance/older-file", test_older_file);
    g_test_add_func("/instance/path-of-any-bytes", test_path_of_any_bytes);
    g_test_add_func("/instance/hostile-files", test_hostile_files);
    g_test_add_func("/instance/qemu-alive", test_qemu_alive);
    g_test_add_func("/instance/status-names", test_status_names);
    g_test_add_func("/instance/status-now", test_status_now);
    g_test_add_func("/instance/pid-out-of-range", test_pid_out_of_range);
    int status = g_test_run();
    g_rmdir(scratch);
    g_free(scratch);
    g_free(file);
    return status;
}
