// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/root.h"
#include "src/host/instance.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* libvirt makes the longest socket name: it cuts the domain's name to 20 characters. */
#define LONGEST_SOCKET "/lib/qemu/domain-1-abcdefghijabcdefghij/monitor.sock"
#define LONGEST_ROOT (sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof(LONGEST_SOCKET))

static const char *const directories[] = {"cache", "disks", "etc", "lib", "log", "run"};

/* What goes with the VM. */
static const char *const swept[] = {"etc", "lib", "run"};

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
    static const char *const parents[] = {"/run", "/tmp", "/dev/shm", "/var/tmp"};
    for (gsize i = 0; i < G_N_ELEMENTS(parents); i++) {
        if (g_access(parents[i], W_OK | X_OK) == 0) {
            return g_strdup_printf("%s/ocivirt-%08x%08x", parents[i], g_random_int(),
                                   g_random_int());
        }
    }
    return NULL;
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

static bool is_busy(const struct root *root, GError **error)
{
    g_autofree char *file = root_file(root, "instance.json");
    struct instance owner;
    if (instance_read(&owner, file)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the root directory %s is in use by ocivirt with pid %d (%s); give this one "
                    "another with --root",
                    root->path, owner.supervisor, owner.id);
    } else {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the root directory %s is in use by another ocivirt; give this one another "
                    "with --root",
                    root->path);
    }
    instance_finish(&owner);
    return false;
}

static bool lock(struct root *root, GError **error)
{
    root->lock = open(root->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root->lock < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot open the root directory %s",
                        root->path);
        return false;
    }
    if (flock(root->lock, LOCK_EX | LOCK_NB) < 0) {
        return is_busy(root, error);
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
    if (status.st_uid == geteuid() || (geteuid() == 0 && !(status.st_mode & 022))) {
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
static bool check_no_vm(const struct root *root, GError **error)
{
    g_autofree char *file = root_file(root, "instance.json");
    struct instance earlier;
    bool alive = instance_read(&earlier, file) && instance_qemu_alive(&earlier);
    if (alive) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the VM %s of an ocivirt that is gone still runs in %s (QEMU has pid %d); stop "
                    "it with: kill %d",
                    earlier.id, root->path, earlier.qemu, earlier.qemu);
    }
    instance_finish(&earlier);
    return !alive;
}

/* A cache that was primed at image build serves a root elsewhere too. */
static void copy_primed_cache(const struct root *root)
{
    g_autofree char *to = root_file(root, "cache/qemu/capabilities");
    const char *from = ROOT_DEFAULT "/cache/qemu/capabilities";
    GDir *dir = g_dir_open(from, 0, NULL);
    if (dir == NULL || g_mkdir_with_parents(to, 0700) < 0) {
        g_clear_pointer(&dir, g_dir_close);
        return;
    }
    const char *name;
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *source = g_build_filename(from, name, NULL);
        g_autofree char *target = g_build_filename(to, name, NULL);
        g_autofree char *text = NULL;
        gsize length;
        if (g_file_get_contents(source, &text, &length, NULL)) {
            g_file_set_contents(target, text, length, NULL);
        }
    }
    g_dir_close(dir);
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
static bool claim(struct root *root, GError **error)
{
    bool ok = lock(root, error) && check_owner(root, error) && check_contents(root, error) &&
              check_no_vm(root, error);
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

bool root_open(struct root *root, GError **error)
{
    bool created;
    if (!make_directory(root->path, &created, error)) {
        return false;
    }
    if (root->temporary && !created) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "%s is there already", root->path);
        return false;
    }
    if (!claim(root, error)) {
        return false;
    }
    root_sweep(root);
    for (gsize i = 0; i < G_N_ELEMENTS(directories); i++) {
        g_autofree char *path = root_file(root, directories[i]);
        if (!make_directory(path, &created, error) || !check_folder(root, path, error)) {
            return false;
        }
    }
    if (root->temporary) {
        copy_primed_cache(root);
    }
    return true;
}

/* Each line is one that the embedded driver does not work without in a container. */
static const char qemu_conf[] =
    "# Generated at each start; changes are lost.\n"
    "cgroup_controllers = []\n"    /* a container's cgroup is its engine's */
    "namespaces = []\n"            /* no private /dev: the container's is private */
    "security_driver = \"none\"\n" /* the container is the sandbox ... */
    "seccomp_sandbox = 1\n"        /* ... and QEMU's own is another */
    "dynamic_ownership = 0\n"      /* no chown: QEMU runs as we do */
    "remember_owner = 0\n"         /* no xattrs */
    "max_core = 0\n" /* libvirt would raise the limit, which sudo has lowered for good */
    "stdio_handler = \"file\"\n"; /* no virtlogd */

bool root_write_qemu_conf(const struct root *root, GError **error)
{
    g_autofree char *path = root_file(root, "etc/qemu.conf");
    /* As root libvirt would change to its compile-time user; as a plain user it must not try. */
    g_autofree char *text =
        g_strconcat(qemu_conf, geteuid() == 0 ? "user = \"root\"\ngroup = \"root\"\n" : "", NULL);
    g_autoptr(GError) local = NULL;
    if (!g_file_set_contents(path, text, -1, &local)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot write %s: %s", path,
                    local->message);
        return false;
    }
    return true;
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

void root_sweep(const struct root *root)
{
    for (gsize i = 0; i < G_N_ELEMENTS(swept); i++) {
        g_autofree char *path = root_file(root, swept[i]);
        remove_tree(path);
    }
    g_autofree char *file = root_file(root, "instance.json");
    g_unlink(file);
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
