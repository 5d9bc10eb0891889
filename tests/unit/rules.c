// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/rules.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* Whether the config with @property has no problem; otherwise just one, at @where. */
static bool accepts(const char *where, const char *fragment, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool accepts(const char *where, const char *fragment, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *json = g_strdup_vprintf(format, args);
    va_end(args);
    struct fixture f;
    fixture_init(&f, json);
    bool fine = !oci_problems_any(&f.problems);
    if (!fine) {
        g_assert_true(fixture_has_only(&f, where, fragment));
    }
    fixture_finish(&f);
    return fine;
}

static bool accepts_version(const char *version, const char *fragment)
{
    return accepts("ociVersion", fragment, "{'ociVersion':'%s','vm':{'image':{'path':'/i'}}}",
                   version);
}

/* The lists are those of the regular expression that semver.org suggests. */
static void test_semver(void)
{
    static const char *const good[] = {
        "1.0.0",
        "1.3.0",
        "1.0.2-dev",
        "1.2.0-rc.1",
        "1.1.0+dev",
        "1.2.3",
        "1.10.20",
        "1.1.2-prerelease+meta",
        "1.1.2+meta",
        "1.1.2+meta-valid",
        "1.0.0-alpha",
        "1.0.0-beta",
        "1.0.0-alpha.beta",
        "1.0.0-alpha.beta.1",
        "1.0.0-alpha.1",
        "1.0.0-alpha0.valid",
        "1.0.0-alpha.0valid",
        "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
        "1.0.0-rc.1+build.1",
        "1.2.3-beta",
        "1.2.3-SNAPSHOT-123",
        "1.0.0+build.1848",
        "1.0.0-alpha+beta",
        "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
        "1.2.3----R-S.12.9.1--.12+meta",
        "1.2.3----RC-SNAPSHOT.12.9.1--.12",
        "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
        "1.99999999999999999999999.999999999999999999",
        "1.0.0-0A.is.legal",
    };
    static const char *const bad[] = {
        "",
        "1",
        "1.2",
        "1.2.3-0123",
        "1.2.3-0123.0123",
        "1.1.2+.123",
        "+invalid",
        "-invalid",
        "-invalid+invalid",
        "-invalid.01",
        "alpha",
        "alpha.beta",
        "alpha.1",
        "alpha+beta",
        "1.0.0-alpha_beta",
        "1.0.0-alpha.",
        "1.0.0-alpha..",
        "1.0.0-alpha..b",
        "01.1.1",
        "1.01.1",
        "1.1.01",
        "1.2.3.DEV",
        "1.2-SNAPSHOT",
        "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
        "1.2-RC-SNAPSHOT",
        "-1.0.3-gamma+b7718",
        "+justmeta",
        "9.8.7+meta+meta",
        "9.8.7-whatever+meta+meta",
        "v1.0.0",
        " 1.0.0",
        "1.0.0 ",
        "1.0.0\\n",
        "\\n1.0.0",
        "1.0.0-",
        "1.0.0+",
        "1,0,0",
        "1.x.0",
        "1.\xd9\xa3.0", /* digits of another script */
        "1.0.0-\xc3\xa4",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        expect(good[i], accepts_version(good[i], "nothing"));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        expect(bad[i], !accepts_version(bad[i], "is not a version of the form MAJOR.MINOR.PATCH"));
    }
}

static void test_version_supported(void)
{
    static const char *const others[] = {"0.0.0",  "0.9.9",  "2.0.0",    "2.0.0-rc1",
                                         "10.0.0", "11.1.1", "99.99.99", "3.0.0+dev"};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        expect(others[i], !accepts_version(others[i], "is not supported; any 1.x.y"));
    }
}

static bool accepts_hostname(const char *name, const char *fragment)
{
    return accepts("hostname", fragment,
                   "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}},'hostname':'%s'}", name);
}

static void test_hostname(void)
{
    static const char *const good[] = {"a",   "0",       "vm", "VM-1", "a.b.c",
                                       "x-y", "1.2.3.4", "a-", "a_b"};
    static const char *const bad[] = {"-a",    ".a",    ".", "-",  " ",        "a b", "a/b",
                                      "a\\nb", "a\\tb", "ä", "a$", "a;reboot", "a=b", "a\\u0022"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        expect(good[i], accepts_hostname(good[i], "nothing"));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        expect(bad[i], !accepts_hostname(bad[i], "is not a host name"));
    }
    g_autofree char *longest = g_strnfill(64, 'h');
    g_assert_true(accepts_hostname(longest, "nothing"));
    g_autofree char *longer = g_strnfill(65, 'h');
    g_assert_false(accepts_hostname(longer, "at most 64 letters"));
}

#define CPU "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}},'linux':{'resources':{'cpu':{%s}}}}"

static void test_resources(void)
{
    g_assert_true(accepts("", "", CPU, "'cpus':'0-3,5'"));
    g_assert_false(
        accepts("linux.resources.cpu.cpus", "\"3-1\" is not a list of CPUs", CPU, "'cpus':'3-1'"));
    g_assert_false(accepts("linux.resources.cpu.period", "must not be 0 beside a quota", CPU,
                           "'quota':1000,'period':0"));
    /* 0 is how engines write "not set" where there is no quota either */
    g_assert_true(accepts("", "", CPU, "'quota':0,'period':0"));
    g_assert_true(accepts("", "", CPU, "'quota':-1,'period':0"));
    g_assert_true(accepts("", "", CPU, "'period':0"));
    g_assert_true(accepts("", "", CPU, "'quota':1000,'period':1"));
}

#define VM "{'ociVersion':'1.0.0','vm':{%s}}"

static void test_boot(void)
{
    g_assert_true(accepts("", "", VM, "'kernel':{'path':'/k'}"));
    g_assert_true(accepts("", "", VM, "'image':{'path':'/i'}"));
    g_assert_true(accepts("", "", VM, "'kernel':{'path':'/k'},'image':{'path':'/i'}"));
    g_assert_true(
        accepts("", "", VM, "'kernel':{'path':'','parameters':[]},'image':{'path':'/i'}"));
    g_assert_false(accepts("vm", "there is nothing to boot", "{'ociVersion':'1.0.0'}"));
    g_assert_false(accepts("vm", "there is nothing to boot", "{'ociVersion':'1.0.0','vm':null}"));
    g_assert_false(accepts("vm", "there is nothing to boot", VM, ""));
    g_assert_false(
        accepts("vm", "there is nothing to boot", VM, "'kernel':{'path':''},'image':{'path':''}"));
    g_assert_false(accepts("vm.kernel.initrd", "an initrd needs a kernel", VM,
                           "'kernel':{'path':'','initrd':'/r'},'image':{'path':'/i'}"));
    g_assert_false(accepts("vm.kernel.parameters", "parameters need a kernel", VM,
                           "'kernel':{'path':'','parameters':['a']},'image':{'path':'/i'}"));
    g_assert_false(accepts("vm.image.format", "a format needs an image", VM,
                           "'kernel':{'path':'/k'},'image':{'path':'','format':'raw'}"));
}

/* A character that XML cannot write would become another one on the way to QEMU. */
static void test_domain_texts(void)
{
    g_assert_true(accepts("", "", VM, "'image':{'path':'/a\\tä\\u007f\\ud834\\udd1e'}"));
    g_assert_true(accepts("", "", VM, "'kernel':{'path':'/k','parameters':['a=\\n\\r\\t']}"));
    g_assert_false(accepts("vm.image.path", "U+0001", VM, "'image':{'path':'/a\\u0001b'}"));
    g_assert_false(accepts("vm.image.path", "U+000A", VM, "'image':{'path':'/a\\nb'}"));
    g_assert_false(accepts("vm.kernel.path", "U+000D", VM, "'kernel':{'path':'/\\r'}"));
    g_assert_false(
        accepts("vm.kernel.initrd", "U+FFFE", VM, "'kernel':{'path':'/k','initrd':'/i\\ufffe'}"));
    g_assert_false(accepts("vm.kernel.parameters[1]", "U+001B", VM,
                           "'kernel':{'path':'/k','parameters':['a','\\u001b']}"));
    g_assert_false(accepts("vm.hypervisor.path", "U+000A", VM,
                           "'image':{'path':'/i'},'hypervisor':{'path':'/q\\n'}"));
    g_assert_false(
        accepts("vm.hypervisor.parameters[0]", "U+0002", VM,
                "'image':{'path':'/i'},'hypervisor':{'path':'/q','parameters':['\\u0002']}"));
    g_assert_false(accepts("vm.hwconfig.deviceTree", "U+FFFF", VM,
                           "'image':{'path':'/i'},'hwconfig':{'deviceTree':'/d\\uffff'}"));
}

/* What is wrong with the one thing to boot is not said twice, ... */
static void test_boot_in_doubt(void)
{
    g_assert_false(accepts("vm", "must be an object", "{'ociVersion':'1.0.0','vm':1}"));
    g_assert_false(accepts("vm.kernel", "must be an object", VM, "'kernel':1"));
    g_assert_false(accepts("vm.kernel.path", "must be an absolute", VM, "'kernel':{'path':'k'}"));
    g_assert_false(accepts("vm.image.path", "must be a string", VM, "'image':{'path':1}"));
}

/* ... nor is what is missing only because of it, ... */
static void test_no_aftermath(void)
{
    g_assert_false(
        accepts("vm.kernel.path", "is missing", VM, "'kernel':{'parameters':['a'],'initrd':'i'}"));
    g_assert_false(accepts("vm.kernel.path", "must be an absolute path", VM,
                           "'kernel':{'path':'k','parameters':['a'],'initrd':'i'}"));
    g_assert_false(accepts("vm.kernel.path", "must be an absolute path", VM,
                           "'kernel':{'path':'k','parameters':['a']},'image':{'path':'/i'}"));
    g_assert_false(accepts("vm.image.path", "must be an absolute path", VM,
                           "'kernel':{'path':'/k'},'image':{'path':'i','format':'raw'}"));
}

#define WITH(members) "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}}," members "}"

static void test_wrong_is_not_missing(void)
{
    static const char *const cases[][2] = {
        {"linux.devices[0].major",
         WITH("'linux':{'devices':[{'type':'b','path':'/dev/a','major':'8','minor':1}]}")},
        {"linux.devices[0].minor",
         WITH("'linux':{'devices':[{'type':'b','path':'/dev/a','major':8,'minor':-1}]}")},
        {"process.scheduler.priority", WITH("'process':{'args':['a'],'cwd':'/','scheduler':"
                                            "{'policy':'SCHED_FIFO','priority':'1'}}")},
        {"mounts[0].gidMappings", WITH("'mounts':[{'destination':'/a','gidMappings':1,"
                                       "'uidMappings':[{'containerID':0,'hostID':0,'size':1}]}]")},
        {"mounts[0].uidMappings", WITH("'mounts':[{'destination':'/a','uidMappings':1,"
                                       "'gidMappings':[{'containerID':0,'hostID':0,'size':1}]}]")},
        {"linux.resources.blockIO.weightDevice[0].weight",
         WITH("'linux':{'resources':{'blockIO':"
              "{'weightDevice':[{'major':8,'minor':0,'weight':'10'}]}}}")},
        {"linux.resources.rdma.mlx.hcaObjects",
         WITH("'linux':{'resources':{'rdma':{'mlx':{'hcaObjects':true}}}}")},
        {"linux.seccomp.listenerPath",
         WITH("'linux':{'seccomp':{'defaultAction':'SCMP_ACT_LOG','listenerPath':5,"
              "'listenerMetadata':'m'}}")},
        {"linux.memoryPolicy.nodes",
         WITH("'linux':{'memoryPolicy':{'mode':'MPOL_BIND','nodes':5}}")},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        expect(cases[i][0], !accepts(cases[i][0], "must be ", "%s", cases[i][1]));
    }
}

/* What is too long to be read does not hide what is wrong with it. */
static void test_long_words(void)
{
    g_autofree char *endless = g_strnfill(300, 'x');
    g_autofree char *json =
        g_strdup_printf(WITH("'linux':{'resources':{'unified':{'/%s':'1'}}}"), endless);
    struct fixture f;
    fixture_init(&f, json);
    g_autofree char *text = oci_problems_format(&f.problems, "FILE");
    g_assert_nonnull(strstr(text, "xxx…\" is not a file of a cgroup"));
    g_assert_cmpuint(strlen(text), <, 500);
    fixture_finish(&f);
}

/* ... but a mistake elsewhere does not hide that there is none. */
static void test_boot_beside_a_mistake(void)
{
    static const char *const texts[] = {
        "{'ociVersion':'1.0.0','vm':{'hwConfig':{'vcpus':0}}}",
        "{'ociVersion':'1.0.0','vm':{'hypervisor':{'path':'qemu'}}}",
        "{'ociVersion':'1.0.0','annotations':{'vm':1}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct fixture f;
        fixture_init(&f, texts[i]);
        expect_uint(texts[i], f.problems.list->len, 2);
        fixture_finish(&f);
    }
}

static void check_files(const char *json, const char *where, const char *message)
{
    struct fixture f;
    fixture_init(&f, json);
    g_assert_true(fixture_is_fine(&f));
    oci_rules_check_files(f.config, &f.problems);
    if (where == NULL) {
        g_assert_true(fixture_is_fine(&f));
    } else {
        g_assert_true(fixture_has_only(&f, where, message));
    }
    fixture_finish(&f);
}

static void test_files(void)
{
    /* what the config does not name is not looked for */
    check_files("{'ociVersion':'1.0.0','vm':{'image':{'path':'/dev/null'}}}", NULL, NULL);
    check_files("{'ociVersion':'1.0.0','vm':{'image':{'path':'/nonexistent/i'}}}", "vm.image.path",
                "cannot read the disk image /nonexistent/i: No such file or directory");
    check_files("{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/nonexistent/k'}}}",
                "vm.kernel.path", "cannot read the kernel /nonexistent/k: No such file");
    check_files("{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/dev/null',"
                "'initrd':'/dev/null/x'}}}",
                "vm.kernel.initrd", "cannot read the initrd /dev/null/x: Not a directory");
    check_files("{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/'}}}", "vm.kernel.path",
                "/ is a directory, and must be the kernel itself");
    check_files("{'ociVersion':'1.0.0','vm':{'image':{'path':'/dev/null'},"
                "'hwConfig':{'deviceTree':'/proc'}}}",
                "vm.hwConfig.deviceTree", "/proc is a directory, and must be the device tree");
}

/* Go's spelling is the one that the file has, and the one to be named. */
static void test_files_hwconfig(void)
{
    check_files("{'ociVersion':'1.0.0','vm':{'image':{'path':'/dev/null'},"
                "'hwconfig':{'deviceTree':'/proc'}}}",
                "vm.hwconfig.deviceTree", "/proc is a directory");
}

/* All that are missing, and readable for whom it will be read: the effective user. */
static void test_files_several(void)
{
    struct fixture f;
    fixture_init(&f, "{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/nonexistent/k',"
                     "'initrd':'/nonexistent/r'},'image':{'path':'/nonexistent/i'},"
                     "'hwConfig':{'deviceTree':'/nonexistent/t'}}}");
    oci_rules_check_files(f.config, &f.problems);
    g_assert_cmpuint(f.problems.list->len, ==, 4);
    fixture_finish(&f);

    g_autofree char *path = g_strdup("/tmp/ocivirt-test-XXXXXX");
    int fd = g_mkstemp_full(path, O_RDWR, 0000);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    uid_t user = geteuid();
    if (user == 0) {
        g_assert_cmpint(seteuid(65534), ==, 0);
    }
    g_autofree char *json =
        g_strdup_printf("{'ociVersion':'1.0.0','vm':{'image':{'path':'%s'}}}", path);
    check_files(json, "vm.image.path", ": Permission denied; put it there, make it readable");
    g_assert_cmpint(seteuid(user), ==, 0);
    g_unlink(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/rules/semver", test_semver);
    g_test_add_func("/rules/version-supported", test_version_supported);
    g_test_add_func("/rules/hostname", test_hostname);
    g_test_add_func("/rules/resources", test_resources);
    g_test_add_func("/rules/boot", test_boot);
    g_test_add_func("/rules/domain-texts", test_domain_texts);
    g_test_add_func("/rules/boot-in-doubt", test_boot_in_doubt);
    g_test_add_func("/rules/no-aftermath", test_no_aftermath);
    g_test_add_func("/rules/wrong-is-not-missing", test_wrong_is_not_missing);
    g_test_add_func("/rules/long-words", test_long_words);
    g_test_add_func("/rules/boot-beside-a-mistake", test_boot_beside_a_mistake);
    g_test_add_func("/rules/files", test_files);
    g_test_add_func("/rules/files-hwconfig", test_files_hwconfig);
    g_test_add_func("/rules/files-several", test_files_several);
    return g_test_run();
}
