// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/fixture.h"

/*
 * Whole configs, and what is said of those that are wrong in more than one row's way; rows.c has
 * each row by itself.
 * BOOT is what a config needs for having no problem of its own.
 */
#define BOOT "'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}}"
#define WITH_VM(members) "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}," members "}}"
#define WITH_CPU(members) "{" BOOT ",'linux':{'resources':{'cpu':{" members "}}}}"
#define WITH_MEMORY(members) "{" BOOT ",'linux':{'resources':{'memory':{" members "}}}}"

struct row {
    const char *json;
    const char *where; /* NULL: there is no problem */
    const char *fragment;
};

static void check(const struct row *rows, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        struct fixture f;
        fixture_init(&f, rows[i].json);
        if (rows[i].where == NULL) {
            g_assert_true(fixture_is_fine(&f));
        } else {
            g_assert_true(fixture_has_only(&f, rows[i].where, rows[i].fragment));
        }
        fixture_finish(&f);
    }
}

#define CHECK(rows) check(rows, G_N_ELEMENTS(rows))

static void test_everything(void)
{
    struct fixture f;
    fixture_init(&f, "{'ociVersion':'1.3.0','hostname':'h.example',"
                     "'annotations':{'b':'2','a':'','é':'ü'},"
                     "'vm':{'hypervisor':{'path':'/q','parameters':['-a','b c','']},"
                     "'kernel':{'path':'/k','parameters':['x=1','y'],'initrd':'/i'},"
                     "'image':{'path':'/d','format':'qcow2'},"
                     "'hwConfig':{'deviceTree':'/t','vcpus':255,"
                     "'memory':18446744073709551615,'dtdevs':[],'iomems':[],'irqs':[]}},"
                     "'linux':{'resources':{'cpu':{'quota':-1,'period':18446744073709551615,"
                     "'cpus':'0-3'},'memory':{'limit':9223372036854775807}}}}");
    g_assert_true(fixture_is_fine(&f));
    const struct oci_config *c = f.config;
    g_assert_cmpstr(c->version, ==, "1.3.0");
    g_assert_cmpstr(c->hostname, ==, "h.example");
    static const char *const annotations[][2] = {{"b", "2"}, {"a", ""}, {"é", "ü"}};
    g_assert_cmpuint(c->annotations.length, ==, G_N_ELEMENTS(annotations));
    for (gsize i = 0; i < G_N_ELEMENTS(annotations); i++) { /* in the file's order */
        const struct oci_pair *annotation = &c->annotations.items[i];
        g_assert_cmpstr(annotation->key, ==, annotations[i][0]);
        g_assert_cmpstr(annotation->value, ==, annotations[i][1]);
    }
    static const char *const hypervisor[] = {"-a", "b c", "", NULL};
    static const char *const kernel[] = {"x=1", "y", NULL};
    g_assert_cmpstr(c->vm.hypervisor.path, ==, "/q");
    g_assert_cmpstrv(c->vm.hypervisor.parameters, hypervisor);
    g_assert_cmpstr(c->vm.kernel.path, ==, "/k");
    g_assert_cmpstrv(c->vm.kernel.parameters, kernel);
    g_assert_cmpstr(c->vm.kernel.initrd, ==, "/i");
    g_assert_cmpstr(c->vm.image.path, ==, "/d");
    g_assert_cmpstr(c->vm.image.format, ==, "qcow2");
    g_assert_cmpstr(c->vm.hw.device_tree, ==, "/t");
    g_assert_true(c->vm.hw.vcpus.set);
    g_assert_cmpuint(c->vm.hw.vcpus.value, ==, 255);
    g_assert_true(c->vm.hw.memory.set);
    g_assert_cmpuint(c->vm.hw.memory.value, ==, G_MAXUINT64);
    g_assert_true(c->resources.cpu.quota.set);
    g_assert_cmpint(c->resources.cpu.quota.value, ==, -1);
    g_assert_true(c->resources.cpu.period.set);
    g_assert_cmpuint(c->resources.cpu.period.value, ==, G_MAXUINT64);
    g_assert_cmpstr(c->resources.cpu.cpus, ==, "0-3");
    g_assert_true(c->resources.memory.limit.set);
    g_assert_cmpint(c->resources.memory.limit.value, ==, G_MAXINT64);
    fixture_finish(&f);
}

static void assert_nothing_but_the_image(const struct oci_config *c)
{
    g_assert_null(c->hostname);
    g_assert_cmpuint(c->annotations.length, ==, 0);
    g_assert_null(c->vm.hypervisor.path);
    g_assert_null(c->vm.kernel.path);
    g_assert_null(c->vm.kernel.initrd);
    g_assert_null(c->vm.image.format);
    g_assert_null(c->vm.hw.device_tree);
    g_assert_false(c->vm.hw.vcpus.set);
    g_assert_false(c->vm.hw.memory.set);
    g_assert_false(c->resources.cpu.quota.set);
    g_assert_false(c->resources.cpu.period.set);
    g_assert_null(c->resources.cpu.cpus);
    g_assert_false(c->resources.memory.limit.set);
}

/* Absent, null as Go writes nil, and "" as Go writes an unset string: all the same. */
static void test_absent(void)
{
    static const char *const texts[] = {
        "{" BOOT "}",
        "{" BOOT ",'hostname':null,'annotations':null,'linux':null}",
        "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':null},'hypervisor':null,"
        "'kernel':null,'hwConfig':null}}",
        "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':''},"
        "'hypervisor':{'path':'','parameters':null},"
        "'kernel':{'path':'','initrd':'','parameters':null},"
        "'hwConfig':{'deviceTree':'','vcpus':null,'memory':null,"
        "'dtdevs':null,'iomems':null,'irqs':null}},"
        "'hostname':'','annotations':{},"
        "'linux':{'resources':{'cpu':{'quota':null,'period':null,'cpus':''},'memory':{}}}}",
        "{" BOOT ",'linux':{'resources':null}}",
        "{" BOOT ",'linux':{'resources':{'cpu':null,'memory':null}}}",
        "{" BOOT ",'linux':{'resources':{'cpu':{},'memory':{'limit':null}}}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct fixture f;
        fixture_init(&f, texts[i]);
        g_assert_true(fixture_is_fine(&f));
        g_assert_cmpstr(f.config->vm.image.path, ==, "/i");
        assert_nothing_but_the_image(f.config);
        fixture_finish(&f);
    }
}

/* The spec: "unknown properties MUST NOT generate an error", whatever they hold. */
static void test_unknown(void)
{
    static const struct row rows[] = {
        {"{" BOOT ",'process':{'cwd':'/','args':['a'],'y':5},'x':null,'':1,'Vm':5,'VM':5}"},
        {"{" BOOT ",'linux':{'x':5,'resources':{'pids':{'limit':-1},'cpu':{'shares':1024}}}}"},
        {WITH_VM("'x':[1,2,{'y':18446744073709551615}],'hwConfig':{'z':'z'},'HwConfig':1")},
        {"{" BOOT ",'mounts':[{'destination':'/a','x':18446744073709551616}]}"},
    };
    CHECK(rows);
}

static void test_version(void)
{
    static const struct row rows[] = {
        {"{" BOOT "}"},
        {"{'vm':{'image':{'path':'/i'}}}", "ociVersion", "is missing, and required"},
        {"{'ociVersion':null,'vm':{'image':{'path':'/i'}}}", "ociVersion", "is missing"},
        {"{'ociVersion':1,'vm':{'image':{'path':'/i'}}}", "ociVersion",
         " for example), and is an integer (1)"},
        {"{'ociVersion':1.0,'vm':{'image':{'path':'/i'}}}", "ociVersion", "and is a number"},
        {"{'ociVersion':'','vm':{'image':{'path':'/i'}}}", "ociVersion", "\"\" is not a version"},
    };
    CHECK(rows);
}

static void test_hostname(void)
{
    static const struct row rows[] = {
        {"{" BOOT ",'hostname':'a'}"},
        {"{" BOOT ",'hostname':5}", "hostname", "must be a string, and is an integer"},
        {"{" BOOT ",'hostname':true}", "hostname", "must be a string, and is a boolean"},
        {"{" BOOT ",'hostname':false}", "hostname", "must be a string, and is a boolean"},
        {"{" BOOT ",'hostname':[]}", "hostname", "must be a string, and is an array"},
        {"{" BOOT ",'hostname':{}}", "hostname", "must be a string, and is an object"},
        {"{" BOOT ",'hostname':'a\\u0000b'}", "hostname", "must not hold a NUL character"},
    };
    CHECK(rows);
}

static void test_annotations(void)
{
    static const struct row rows[] = {
        {"{" BOOT ",'annotations':{'a':'1','b.c/d':'','e f':'\\n'}}"},
        {"{" BOOT ",'annotations':[]}", "annotations", "must be an object of strings, and is an"},
        {"{" BOOT ",'annotations':'a=b'}", "annotations", "must be an object of strings"},
        {"{" BOOT ",'annotations':{'a':1}}", "annotations.a", "must be a string, and is an int"},
        {"{" BOOT ",'annotations':{'a':null}}", "annotations.a", "must be a string, and is null"},
        {"{" BOOT ",'annotations':{'a.b':true}}", "annotations[\"a.b\"]", "and is a boolean"},
        {"{" BOOT ",'annotations':{'a':'\\u0000'}}", "annotations.a", "NUL character"},
        {"{" BOOT ",'annotations':{'':'x'}}", "annotations[\"\"]", "must not be empty"},
    };
    CHECK(rows);
}

static void test_objects(void)
{
    static const struct row rows[] = {
        {"{'ociVersion':'1.0.0','vm':[]}", "vm", "must be an object, and is an array"},
        {"{'ociVersion':'1.0.0','vm':'x'}", "vm", "must be an object, and is a string"},
        {"{'ociVersion':'1.0.0','vm':{'image':'/i'}}", "vm.image", "must be an object, and is a s"},
        {"{'ociVersion':'1.0.0','vm':{'kernel':'/k'}}", "vm.kernel", "must be an object"},
        {WITH_VM("'hypervisor':5"), "vm.hypervisor", "must be an object, and is an integer"},
        {WITH_VM("'hwConfig':[]"), "vm.hwConfig", "must be an object, and is an array"},
        {WITH_VM("'hwconfig':[]"), "vm.hwconfig", "must be an object, and is an array"},
        {"{" BOOT ",'linux':[]}", "linux", "must be an object"},
        {"{" BOOT ",'linux':{'resources':1}}", "linux.resources", "must be an object"},
        {"{" BOOT ",'linux':{'resources':{'cpu':1}}}", "linux.resources.cpu", "must be an object"},
        {"{" BOOT ",'linux':{'resources':{'memory':1}}}", "linux.resources.memory",
         "must be an object"},
    };
    CHECK(rows);
}

static void test_hypervisor(void)
{
    static const struct row rows[] = {
        {WITH_VM("'hypervisor':{'path':'/q'}")},
        {WITH_VM("'hypervisor':{'path':'/q','parameters':[]}")},
        {WITH_VM("'hypervisor':{'path':'','parameters':[]}")},
        {WITH_VM("'hypervisor':{}"), "vm.hypervisor.path", "is missing, and required: the path of"},
        {WITH_VM("'hypervisor':{'path':null}"), "vm.hypervisor.path", "is missing"},
        {WITH_VM("'hypervisor':{'path':'qemu'}"), "vm.hypervisor.path",
         "\"qemu\" must be an absolute path; in the bundle it would be /bundle/qemu"},
        {WITH_VM("'hypervisor':{'path':7}"), "vm.hypervisor.path", "must be a string"},
        {WITH_VM("'hypervisor':{'path':'/q','parameters':'-a'}"), "vm.hypervisor.parameters",
         "must be an array of strings, and is a string"},
        {WITH_VM("'hypervisor':{'path':'/q','parameters':{}}"), "vm.hypervisor.parameters",
         "must be an array of strings, and is an object"},
        {WITH_VM("'hypervisor':{'path':'/q','parameters':['a',5]}"), "vm.hypervisor.parameters[1]",
         "must be a string, and is an integer"},
        {WITH_VM("'hypervisor':{'path':'/q','parameters':[null]}"), "vm.hypervisor.parameters[0]",
         "must be a string, and is null"},
    };
    CHECK(rows);
}

static void test_kernel(void)
{
    static const struct row rows[] = {
        {WITH_VM("'kernel':{'path':'/k'}")},
        {WITH_VM("'kernel':{'path':'/k','parameters':['a','b c'],'initrd':'i'}")},
        {WITH_VM("'kernel':{}"), "vm.kernel.path", "is missing, and required: the path of the ker"},
        {WITH_VM("'kernel':{'path':'./vmlinuz'}"), "vm.kernel.path",
         "\"./vmlinuz\" must be an absolute path; in the bundle it would be /bundle/vmlinuz"},
        {WITH_VM("'kernel':{'path':{}}"), "vm.kernel.path",
         "must be a string (the path of the kernel), and is an object"},
        {WITH_VM("'kernel':{'path':'/k','initrd':5}"), "vm.kernel.initrd", "must be a string"},
        {WITH_VM("'kernel':{'path':'/k','parameters':'quiet'}"), "vm.kernel.parameters",
         "must be an array of strings"},
        {WITH_VM("'kernel':{'path':'/k','parameters':['a',['b']]}"), "vm.kernel.parameters[1]",
         "must be a string, and is an array"},
        {WITH_VM("'kernel':{'path':'/k','parameters':['a\\u0000b']}"), "vm.kernel.parameters[0]",
         "NUL character"},
    };
    CHECK(rows);
}

static void test_image(void)
{
    static const struct row rows[] = {
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':'raw'}}}"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':'qcow2'}}}"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':'vdi'}}}"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':'vmdk'}}}"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':'vhd'}}}"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':'qcow'}}}", "vm.image.format",
         "\"qcow\" is not one of raw, qcow2, vdi, vmdk, vhd (did you mean qcow2?)"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':'RAW'}}}", "vm.image.format",
         "did you mean raw?"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':2}}}", "vm.image.format",
         "must be a string"},
        {"{'ociVersion':'1.0.0','vm':{'image':{}}}", "vm.image.path",
         "is missing, and required: the path of the disk image"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':'disk.raw'}}}", "vm.image.path",
         "in the bundle it would be /bundle/disk.raw"},
        {"{'ociVersion':'1.0.0','vm':{'image':{'path':[]}}}", "vm.image.path", "must be a string"},
    };
    CHECK(rows);
}

static void test_hw(void)
{
    static const struct row rows[] = {
        {WITH_VM("'hwConfig':{}")},
        {WITH_VM("'hwConfig':{'vcpus':1}")},
        {WITH_VM("'hwConfig':{'vcpus':255}")},
        {WITH_VM("'hwConfig':{'vcpus':0}"), "vm.hwConfig.vcpus", "must be from 1 to 255, and is 0"},
        {WITH_VM("'hwConfig':{'vcpus':4294967296}"), "vm.hwConfig.vcpus",
         "must be from 1 to 255, and is 4294967296"},
        {WITH_VM("'hwConfig':{'vcpus':-1}"), "vm.hwConfig.vcpus",
         "must be from 1 to 255, and is -1"},
        {WITH_VM("'hwConfig':{'vcpus':1.5}"), "vm.hwConfig.vcpus", "must be an integer"},
        {WITH_VM("'hwConfig':{'vcpus':2.0}"), "vm.hwConfig.vcpus", "must be an integer"},
        {WITH_VM("'hwConfig':{'vcpus':1e2}"), "vm.hwConfig.vcpus", "must be an integer"},
        {WITH_VM("'hwConfig':{'vcpus':'2'}"), "vm.hwConfig.vcpus",
         "must be an integer, and is a string: write 2 without the quotes"},
        {WITH_VM("'hwConfig':{'vcpus':true}"), "vm.hwConfig.vcpus", "and is a boolean"},
        {WITH_VM("'hwConfig':{'vcpus':18446744073709551615}"), "vm.hwConfig.vcpus",
         "and is 18446744073709551615"},
        {WITH_VM("'hwConfig':{'memory':1}")},
        {WITH_VM("'hwConfig':{'memory':9223372036854775808}")},
        {WITH_VM("'hwConfig':{'memory':18446744073709551615}")},
        {WITH_VM("'hwConfig':{'memory':0}"), "vm.hwConfig.memory", "must be at least 1, and is 0"},
        {WITH_VM("'hwConfig':{'memory':-9223372036854775808}"), "vm.hwConfig.memory",
         "must be at least 1, and is -9223372036854775808"},
        {WITH_VM("'hwConfig':{'memory':'1G'}"), "vm.hwConfig.memory", "must be an integer"},
        {WITH_VM("'hwConfig':{'deviceTree':'t.dtb'}")},
        {WITH_VM("'hwConfig':{'deviceTree':1}"), "vm.hwConfig.deviceTree", "must be a string"},
        {WITH_VM("'hwConfig':{'dtdevs':['x']}"), "vm.hwConfig.dtdevs",
         "must be absent or empty: it describes hardware passed through by Xen"},
        {WITH_VM("'hwConfig':{'iomems':[{}]}"), "vm.hwConfig.iomems", "must be absent or empty"},
        {WITH_VM("'hwConfig':{'irqs':[1]}"), "vm.hwConfig.irqs", "must be absent or empty"},
        {WITH_VM("'hwConfig':{'dtdevs':'x'}"), "vm.hwConfig.dtdevs", "must be an array"},
        {WITH_VM("'hwConfig':{'iomems':{}}"), "vm.hwConfig.iomems", "must be an array"},
        {WITH_VM("'hwConfig':{'irqs':5}"), "vm.hwConfig.irqs",
         "must be an array of integers, and is an int"},
    };
    CHECK(rows);
}

static void test_resources(void)
{
    static const struct row rows[] = {
        {WITH_CPU("'quota':-1")},
        {WITH_CPU("'quota':0")},
        {WITH_CPU("'quota':9223372036854775807")},
        {WITH_CPU("'quota':-9223372036854775808")},
        {WITH_CPU("'quota':-1000000000000000000")},
        {WITH_CPU("'quota':9223372036854775808"), "linux.resources.cpu.quota",
         "must be at most 9223372036854775807, and is 9223372036854775808"},
        {WITH_CPU("'quota':1.5"), "linux.resources.cpu.quota", "must be an integer"},
        {WITH_CPU("'quota':'max'"), "linux.resources.cpu.quota", "must be an integer"},
        {WITH_CPU("'period':100000")},
        {WITH_CPU("'period':0")},
        {WITH_CPU("'period':-5"), "linux.resources.cpu.period", "must be at least 0, and is -5"},
        {WITH_CPU("'period':[]"), "linux.resources.cpu.period", "must be an integer"},
        {WITH_CPU("'cpus':'0-3,5'")},
        {WITH_CPU("'cpus':3"), "linux.resources.cpu.cpus", "must be a string, and is an integer"},
        {WITH_MEMORY("'limit':-1")},
        {WITH_MEMORY("'limit':0")},
        {WITH_MEMORY("'limit':1073741824")},
        {WITH_MEMORY("'limit':18446744073709551615"), "linux.resources.memory.limit",
         "must be at most 9223372036854775807, and is 18446744073709551615"},
        {WITH_MEMORY("'limit':'1G'"), "linux.resources.memory.limit", "must be an integer"},
        {WITH_MEMORY("'limit':1e9"), "linux.resources.memory.limit", "must be an integer"},
    };
    CHECK(rows);
}

/* An integer that is merely too large, or too small, must not be told that it is none. */
static void test_far_out(void)
{
    static const struct row rows[] = {
        {WITH_CPU("'period':99999999999999999999"), "linux.resources.cpu.period",
         "99999999999999999999"},
        {WITH_CPU("'period':-99999999999999999999"), "linux.resources.cpu.period", "at least 0"},
        {WITH_MEMORY("'limit':99999999999999999999"), "linux.resources.memory.limit", "at most"},
        {WITH_VM("'hwConfig':{'vcpus':99999999999999999999}"), "vm.hwConfig.vcpus",
         "must be from 1 to 255"},
    };
    CHECK(rows);
}

/* Go's types spell it hwconfig; whoever writes by hand follows the spec. */
static void test_hwconfig_spelling(void)
{
    struct fixture f;
    fixture_init(&f, WITH_VM("'hwconfig':{'vcpus':2}"));
    g_assert_true(fixture_is_fine(&f));
    g_assert_cmpuint(f.config->vm.hw.vcpus.value, ==, 2);
    fixture_finish(&f);

    fixture_init(&f, WITH_VM("'hwConfig':{'vcpus':3},'hwconfig':{'vcpus':2}"));
    g_assert_cmpuint(f.config->vm.hw.vcpus.value, ==, 3);
    fixture_finish(&f);

    fixture_init(&f, WITH_VM("'hwConfig':null,'hwconfig':{'vcpus':2}"));
    g_assert_true(f.config->vm.hw.vcpus.set);
    fixture_finish(&f);

    fixture_init(&f, WITH_VM("'hwconfig':{'vcpus':0}"));
    g_assert_true(fixture_has_only(&f, "vm.hwconfig.vcpus", "must be from 1"));
    fixture_finish(&f);
}

/* vm.kernel.initrd and deviceTree may be relative to the bundle; the spec has the others absolute.
 */
static void test_bundle_paths(void)
{
    static const struct {
        const char *path, *absolute;
    } cases[] = {
        {"initrd.img", "/bundle/initrd.img"}, {"./a/../b", "/bundle/b"}, {"../up", "/up"},
        {"/abs/olute", "/abs/olute"},         {"/a//b/./c", "/a/b/c"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *json =
            g_strdup_printf("{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/k','initrd':'%s'},"
                            "'hwConfig':{'deviceTree':'%s'}}}",
                            cases[i].path, cases[i].path);
        struct fixture f;
        fixture_init(&f, json);
        g_assert_true(fixture_is_fine(&f));
        g_assert_cmpstr(f.config->vm.kernel.initrd, ==, cases[i].absolute);
        g_assert_cmpstr(f.config->vm.hw.device_tree, ==, cases[i].absolute);
        fixture_finish(&f);
    }
}

/* All at once, not the first. */
static void test_several(void)
{
    struct fixture f;
    fixture_init(&f, "{'ociVersion':5,'hostname':[],'annotations':{'a':1,'b':2},"
                     "'vm':{'kernel':{'path':'k','parameters':[1,2]},'hwConfig':{'vcpus':0}},"
                     "'linux':{'resources':{'cpu':{'cpus':7},'memory':{'limit':''}}}}");
    static const char *const places[] = {
        "ociVersion",
        "hostname",
        "annotations.a",
        "annotations.b",
        "vm.kernel.path",
        "vm.kernel.parameters[0]",
        "vm.kernel.parameters[1]",
        "vm.hwConfig.vcpus",
        "linux.resources.cpu.cpus",
        "linux.resources.memory.limit",
    };
    g_assert_cmpuint(f.problems.list->len, ==, G_N_ELEMENTS(places));
    for (gsize i = 0; i < MIN(f.problems.list->len, G_N_ELEMENTS(places)); i++) {
        const struct oci_problem *problem = g_ptr_array_index(f.problems.list, i);
        g_assert_cmpstr(problem->where, ==, places[i]);
        g_assert_cmpuint(problem->column, >, 1);
    }
    fixture_finish(&f);
}

static void init_profile(struct oci_document *document, struct oci_problems *problems,
                         struct oci_seccomp *seccomp, const char *json)
{
    char *text = fixture_json(json);
    oci_problems_init(problems);
    g_assert_true(oci_document_init(document, text, strlen(text), problems));
    *seccomp = (struct oci_seccomp){0};
    oci_seccomp_decode(document, problems, seccomp);
}

/* A seccomp profile that is a file of its own: the same rows, the same rules, other places. */
static void test_profile(void)
{
    struct oci_document document;
    struct oci_problems problems;
    struct oci_seccomp seccomp;
    init_profile(&document, &problems, &seccomp,
                 "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,"
                 "'syscalls':[{'names':['a','b'],'action':'SCMP_ACT_ALLOW'}]}");
    g_assert_false(oci_problems_any(&problems));
    g_assert_cmpstr(seccomp.default_action, ==, "SCMP_ACT_ERRNO");
    g_assert_cmpuint(seccomp.default_errno_ret.value, ==, 38);
    g_assert_cmpuint(seccomp.syscalls.length, ==, 1);
    g_assert_cmpstr(seccomp.syscalls.items[0].names[1], ==, "b");
    oci_seccomp_clear(&seccomp);
    g_assert_null(seccomp.default_action);
    oci_seccomp_clear(&seccomp);
    oci_document_finish(&document);
    oci_problems_finish(&problems);

    init_profile(&document, &problems, &seccomp,
                 "{'syscalls':[{'names':['a'],'action':'SCMP_ACT_NOTIFY'}]}");
    g_autofree char *text = oci_problems_format(&problems, "p");
    g_assert_nonnull(strstr(text, "p:1:1: defaultAction: is missing, and required"));
    g_assert_nonnull(strstr(text, "p:1:38: syscalls[0].action: SCMP_ACT_NOTIFY is not possible"));
    g_assert_cmpuint(problems.list->len, ==, 2);
    oci_seccomp_clear(&seccomp);
    oci_document_finish(&document);
    oci_problems_finish(&problems);
}

/* What is wrong with one is not told of another. */
static void test_list_with_mistakes(void)
{
    struct fixture f;
    fixture_init(&f, WITH_VM("'kernel':{'path':'/k','parameters':[1,'a','\\u0001',2,'\\u0002']}"));
    static const char *const places[] = {"[0]", "[3]", "[2]", "[4]"};
    g_assert_cmpuint(f.problems.list->len, ==, G_N_ELEMENTS(places));
    for (gsize i = 0; i < MIN(G_N_ELEMENTS(places), f.problems.list->len); i++) {
        const struct oci_problem *problem = g_ptr_array_index(f.problems.list, i);
        g_assert_true(g_str_has_suffix(problem->where, places[i]));
    }
    static const char *const parameters[] = {"", "a", "\001", "", "\002", NULL};
    g_assert_cmpstrv(f.config->vm.kernel.parameters, parameters);
    fixture_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/decode/everything", test_everything);
    g_test_add_func("/decode/absent", test_absent);
    g_test_add_func("/decode/unknown", test_unknown);
    g_test_add_func("/decode/version", test_version);
    g_test_add_func("/decode/hostname", test_hostname);
    g_test_add_func("/decode/annotations", test_annotations);
    g_test_add_func("/decode/objects", test_objects);
    g_test_add_func("/decode/hypervisor", test_hypervisor);
    g_test_add_func("/decode/kernel", test_kernel);
    g_test_add_func("/decode/image", test_image);
    g_test_add_func("/decode/hw", test_hw);
    g_test_add_func("/decode/resources", test_resources);
    g_test_add_func("/decode/far-out", test_far_out);
    g_test_add_func("/decode/hwconfig-spelling", test_hwconfig_spelling);
    g_test_add_func("/decode/bundle-paths", test_bundle_paths);
    g_test_add_func("/decode/several", test_several);
    g_test_add_func("/decode/list-with-mistakes", test_list_with_mistakes);
    g_test_add_func("/decode/profile", test_profile);
    return g_test_run();
}
