// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/root.h"
#include "src/engine/capabilities.h"
#include "src/engine/root_lock.h"
#include "src/host/instance.h"
#include "src/host/process.h"
#include "src/host/strays.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

/* libvirt makes the longest socket name: it cuts the domain's name to 20 characters. */
#define LONGEST_SOCKET "/lib/qemu/domain-1-abcdefghijabcdefghij/monitor.sock"
#define LONGEST_ROOT (sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof(LONGEST_SOCKET))

static const char *const directories[] = {"cache", "disks", "etc", "lib", "log", "run"};

/* Where a private directory can be when ROOT_DEFAULT cannot be written. */
static const char *const private_parents[] = {"/run", "/tmp", "/dev/shm", "/var/tmp"};
#define PRIVATE_PREFIX "ocivirt-"

/* With less than that, bytes, a start that fails has failed for it: it writes some 200 KiB, and
 * what it had written is removed again. */
#define LEAST_ROOM (256 * 1024)
/* The same for a takeover, which writes some 30 KiB, and may have two files for a moment. */
#define LEAST_ROOM_TO_TAKE_OVER (96 * 1024)

/* What goes with the VM. */
static const char *const swept[] = {"etc", "lib", "run"};
/* What goes with its ocivirt: descriptors of them outlive engines. */
static const char *const kept_open[] = {"control.sock", "exit.in", "exit.out"};

char *root_file(const struct root *root, const char *name)
{
    return g_build_filename(root->path, name, NULL);
}

/* Whether @path is, or can be made, a directory that we can write. */
static bool is_usable(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        return (geteuid() == 0 || status.st_uid == geteuid()) &&
               g_access(path, R_OK | W_OK | X_OK) == 0;
    }
    g_autofree char *parent = g_path_get_dirname(path);
    return g_access(parent, W_OK | X_OK) == 0;
}

/* A name that nobody can have guessed and put there before us. */
static char *private_path(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(private_parents); i++) {
        if (g_access(private_parents[i], W_OK | X_OK) == 0) {
            return g_strdup_printf("%s/" PRIVATE_PREFIX "%08x%08x", private_parents[i],
                                   g_random_int(), g_random_int());
        }
    }
    return NULL;
}

static bool is_private_name(const char *name)
{
    return g_str_has_prefix(name, PRIVATE_PREFIX) &&
           strlen(name) == strlen(PRIVATE_PREFIX) + 2 * 8 &&
           strspn(name + strlen(PRIVATE_PREFIX), "0123456789abcdef") == 2 * 8;
}

/* Others can make a directory, or a link to one, in /tmp, but none that is ours. */
static bool has_instance(const char *path, uid_t owner, uid_t other)
{
    struct stat directory, file;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &directory) == 0 &&
              (directory.st_uid == owner || directory.st_uid == other) &&
              fstatat(fd, "instance.json", &file, AT_SYMLINK_NOFOLLOW) == 0 &&
              S_ISREG(file.st_mode);
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static bool is_own_with_instance(const char *path)
{
    return has_instance(path, geteuid(), geteuid());
}

static void find_private(const char *parent, GPtrArray *found)
{
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(parent, name, NULL);
        if (is_private_name(name) && is_own_with_instance(path)) {
            g_ptr_array_add(found, g_steal_pointer(&path));
        }
    }
}

GPtrArray *root_find(void)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    /* An image's is the user's that the image is made for, and root can be told to use it. */
    struct stat status = {.st_uid = geteuid()};
    bool is_root = geteuid() == 0 && lstat(ROOT_DEFAULT, &status) == 0;
    if (has_instance(ROOT_DEFAULT, geteuid(), is_root ? status.st_uid : geteuid())) {
        g_ptr_array_add(found, g_strdup(ROOT_DEFAULT));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(private_parents); i++) {
        find_private(private_parents[i], found);
    }
    return found;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    remove(path); /* as much as can be: the next start sweeps again */
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Ends what is left of the VM of @earlier, whose QEMU is gone, or was not known yet. */
static void end_rest(const struct instance *earlier, const char *path)
{
    if (earlier->boot_id != NULL && instance_is_ours(earlier)) {
        for (gsize i = 0; i < INSTANCE_HELPERS_MAX; i++) {
            process_end(earlier->helpers[i].pid, earlier->helpers[i].started);
        }
        strays_end(path);
    }
}

/* Whether nobody has it locked, and the QEMU that ran there is gone: then all else is, too. */
static bool end_if_dead(const char *path)
{
    g_autofree char *file = g_build_filename(path, "instance.json", NULL);
    struct instance instance;
    bool dead =
        instance_read(&instance, file) && !instance_qemu_alive(&instance) && !root_is_locked(path);
    if (dead) {
        end_rest(&instance, path);
    }
    instance_finish(&instance);
    return dead;
}

/* What a run that was killed has left there would stay until the next boot, overlays included. */
static void remove_dead_private(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(private_parents); i++) {
        g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
        find_private(private_parents[i], found);
        for (guint k = 0; k < found->len; k++) {
            const char *path = g_ptr_array_index(found, k);
            if (end_if_dead(path)) {
                remove_tree(path);
            }
        }
    }
}

bool root_choose(struct root *root, const char *wanted, GError **error)
{
    *root = (struct root){.lock = -1};
    if (wanted != NULL) {
        root->path = g_canonicalize_filename(wanted, NULL);
    } else if (is_usable(ROOT_DEFAULT)) {
        root->path = g_strdup(ROOT_DEFAULT);
    } else {
        root->path = private_path();
        root->temporary = true;
    }
    if (root->path == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "no directory can be written; mount a tmpfs on /tmp (podman: --tmpfs /tmp), or "
                    "name a writable directory with --root");
        return false;
    }
    if (strlen(root->path) > LONGEST_ROOT) {
        g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                    "the root directory's path %s has %zu characters; with more than %zu, UNIX "
                    "sockets below it are impossible",
                    root->path, strlen(root->path), (size_t)LONGEST_ROOT);
        return false;
    }
    return true;
}

static bool make_directory(const char *path, bool *created, GError **error)
{
    *created = g_mkdir(path, 0700) == 0;
    if (!*created && errno != EEXIST) {
        error_set_errno(
            error, ERROR_UNAVAILABLE, errno,
            "cannot create the directory %s (name a writable root directory with --root)", path);
        return false;
    }
    return true;
}

/* What others can put in there would be ours to write to. */
static bool check_owner(const struct root *root, GError **error)
{
    struct stat status;
    if (fstat(root->lock, &status) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot look at %s", root->path);
        return false;
    }
    /* An image's default is its own user's, and it can be run as root. */
    bool is_image_default = g_str_equal(root->path, ROOT_DEFAULT) && !(status.st_mode & 022);
    if (status.st_uid == geteuid() || (geteuid() == 0 && is_image_default)) {
        return true;
    }
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                "the root directory %s belongs to uid %u%s, and this is uid %u; name another with "
                "--root",
                root->path, status.st_uid,
                status.st_mode & 022 ? " and others can write to it" : "", geteuid());
    return false;
}

/* A folder of ours may be there already, but only as ours, or as the root directory's owner's. */
static bool check_folder(const struct root *root, const char *path, GError **error)
{
    struct stat folder, top;
    if (lstat(path, &folder) < 0 || fstat(root->lock, &top) < 0 || !S_ISDIR(folder.st_mode) ||
        (folder.st_uid != geteuid() && folder.st_uid != top.st_uid)) {
        g_set_error(
            error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
            "%s is no directory of ocivirt's own; remove it, or name another root directory "
            "with --root",
            path);
        return false;
    }
    return true;
}

/* A QEMU whose ocivirt is gone, and which still runs: not ours to start a second one beside. */
static bool check_no_vm(const struct root *root, struct instance *survivor, GError **error)
{
    g_autofree char *file = root_file(root, "instance.json");
    struct instance earlier;
    bool alive = instance_read(&earlier, file) && instance_qemu_alive(&earlier);
    if (alive && survivor != NULL) {
        *survivor = earlier;
        return true;
    }
    if (alive) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the VM %s of an ocivirt that is gone still runs in %s (QEMU has pid %d); stop "
                    "it with: kill %d",
                    earlier.id, root->path, earlier.qemu, earlier.qemu);
    }
    if (!alive) {
        end_rest(&earlier, root->path);
    }
    instance_finish(&earlier);
    return !alive;
}

/* What may lie in a root directory; everything else is a sign that it is something else. */
static bool is_ours(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(directories); i++) {
        if (g_str_equal(name, directories[i])) {
            return true;
        }
    }
    return g_str_has_prefix(name, "instance.json") || g_str_has_suffix(name, ".sock") ||
           g_str_equal(name, "exit.in") || g_str_equal(name, "exit.out") ||
           g_str_equal(name, "lost+found") || *name == '.';
}

static bool is_not_ours(const struct root *root, const char *what, GError **error)
{
    g_set_error(
        error, ERROR_DOMAIN, ERROR_USAGE,
        "%s is no root directory of ocivirt: it holds \"%s\"; name a new or an empty directory "
        "with --root",
        root->path, what);
    return false;
}

/* `--root /`, or a package's folder, must not have its etc/ and lib/ swept. */
static bool check_contents(const struct root *root, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(root->path, 0, NULL);
    const char *name, *to_sweep = NULL;
    bool cache = false, disks = false;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (!is_ours(name)) {
            return is_not_ours(root, name, error);
        }
        cache |= g_str_equal(name, "cache");
        disks |= g_str_equal(name, "disks");
        for (gsize i = 0; i < G_N_ELEMENTS(swept); i++) {
            to_sweep = g_str_equal(name, swept[i]) ? swept[i] : to_sweep;
        }
    }
    /* A start of ours makes these two before all that is swept. */
    return to_sweep == NULL || (cache && disks) || is_not_ours(root, to_sweep, error);
}

/* Nobody else's, and private from now on. Not before all is checked: it might be "/". */
static bool take(const struct root *root)
{
    struct stat status;
    return fstat(root->lock, &status) == 0 &&
           (status.st_uid != geteuid() || fchmod(root->lock, 0700) == 0);
}

/* On failure the lock is given back, so that root_finish() sweeps nothing that is not ours. */
static bool claim(struct root *root, struct instance *survivor, GError **error)
{
    bool ok = root_lock(root, error) && check_owner(root, error) && check_contents(root, error) &&
              check_no_vm(root, survivor, error);
    if (ok && !take(root)) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot make %s private", root->path);
        ok = false;
    }
    if (!ok && root->lock >= 0) {
        close(root->lock);
        root->lock = -1;
    }
    return ok;
}

bool root_open(struct root *root, struct instance *survivor, GError **error)
{
    bool created;
    if (survivor != NULL) {
        *survivor = (struct instance){0};
    }
    if (root->temporary) {
        remove_dead_private();
    }
    if (!make_directory(root->path, &created, error)) {
        return false;
    }
    if (root->temporary && !created) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "%s is there already", root->path);
        return false;
    }
    if (!claim(root, survivor, error)) {
        return false;
    }
    if (survivor != NULL && survivor->qemu > 0) {
        return true;
    }
    root_sweep(root);
    return root_renew(root, error);
}

static void sweep_vm(const struct root *root)
{
    for (gsize i = 0; i < G_N_ELEMENTS(swept); i++) {
        g_autofree char *path = root_file(root, swept[i]);
        remove_tree(path);
    }
    g_autofree char *file = root_file(root, "instance.json");
    g_unlink(file);
}

bool root_renew(const struct root *root, GError **error)
{
    bool created;
    sweep_vm(root);
    for (gsize i = 0; i < G_N_ELEMENTS(directories); i++) {
        g_autofree char *path = root_file(root, directories[i]);
        if (!make_directory(path, &created, error) || !check_folder(root, path, error)) {
            return false;
        }
    }
    if (root->temporary) {
        /* What was primed at image build serves a root elsewhere too. */
        capabilities_copy(ROOT_DEFAULT, root->path);
    }
    return true;
}

/* Each line is one that the embedded driver does not work without in a container. */
static const char qemu_conf[] =
    "# Generated at each start; changes are lost.\n"
    "cgroup_controllers = []\n"   /* a container's cgroup is its engine's */
    "namespaces = []\n"           /* no private /dev: the container's is private */
    "seccomp_sandbox = 1\n"       /* QEMU's own, beneath the container and our filter */
    "dynamic_ownership = 0\n"     /* no chown: QEMU runs as we do */
    "remember_owner = 0\n"        /* no xattrs */
    "stdio_handler = \"file\"\n"; /* no virtlogd */

/*
 * libvirt sets QEMU's limit on core files, hard as soft. Asked for the hard limit that is there it
 * raises nothing, which sudo may have lowered for good, and lowers nothing, which the launcher
 * could not raise again; the launcher then sets it.
 */
static char *core_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY) {
        return g_strdup("max_core = \"unlimited\"\n");
    }
    return g_strdup_printf("max_core = %ju\n", (uintmax_t)limit.rlim_max);
}

bool root_write_qemu_conf(const struct root *root, const char *security_model, GError **error)
{
    g_autofree char *path = root_file(root, "etc/qemu.conf");
    /* As root libvirt would change to its compile-time user; as a plain user it must not try. */
    g_autofree char *core = core_limit();
    g_autofree char *text = g_strconcat(
        qemu_conf, core, geteuid() == 0 ? "user = \"root\"\ngroup = \"root\"\n" : "",
        "security_driver = \"", security_model != NULL ? security_model : "none", "\"\n", NULL);
    g_autoptr(GError) local = NULL;
    if (!g_file_set_contents(path, text, -1, &local)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot write %s: %s", path,
                    local->message);
        return false;
    }
    return true;
}

/* By trying: how much is free, statvfs(3) does not know everywhere, nor for whom. */
bool root_has_room_to_take_over(const struct root *root)
{
    g_autofree char *path = root_file(root, "run/room");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failure = fd >= 0 ? posix_fallocate(fd, 0, LEAST_ROOM_TO_TAKE_OVER) : errno;
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    return failure != ENOSPC && failure != EDQUOT;
}

void root_explain(const struct root *root, GError **error)
{
    struct statvfs room;
    if (error == NULL || !g_error_matches(*error, ERROR_DOMAIN, ERROR_INTERNAL) ||
        statvfs(root->path, &room) < 0) {
        return;
    }
    guint64 left = (guint64)room.f_bavail * room.f_frsize;
    if (left < LEAST_ROOM) {
        g_autofree char *why = g_strdup((*error)->message);
        g_clear_error(error);
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "there is no space left: %s has %" G_GUINT64_FORMAT
                    " KiB; make room there, or name another root directory with --root (%s)",
                    root->path, left / 1024, g_strstrip(why));
    }
}

void root_export_environment(const struct root *root)
{
    static const char *const variables[][2] = {
        {"HOME", "."},
        {"XDG_RUNTIME_DIR", "run"},
        {"XDG_CACHE_HOME", "cache"},
        {"XDG_CONFIG_HOME", "etc"},
        {"XDG_DATA_HOME", "lib"},
        {"XDG_STATE_HOME", "lib"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
        g_autofree char *path = root_file(root, variables[i][1]);
        g_setenv(variables[i][0], path, TRUE);
    }
    g_autofree char *log = g_strdup_printf("3:file:%s/log/libvirt.log", root->path);
    g_setenv("LIBVIRT_LOG_OUTPUTS", log, FALSE);
}

void root_sweep(const struct root *root)
{
    sweep_vm(root);
    for (gsize i = 0; i < G_N_ELEMENTS(kept_open); i++) {
        g_autofree char *path = root_file(root, kept_open[i]);
        g_unlink(path);
    }
}

void root_abandon(struct root *root)
{
    if (root->lock >= 0) {
        close(root->lock);
        root->lock = -1;
    }
}

void root_finish(struct root *root)
{
    if (root->lock >= 0) {
        if (root->temporary) {
            remove_tree(root->path);
        } else {
            root_sweep(root);
        }
        close(root->lock);
    }
    g_free(root->path);
    *root = (struct root){.lock = -1};
}
