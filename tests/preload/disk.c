/* Stands between a process and its disk: writes down what happens below one folder, and makes a call fail,
 * arrive half, or be the last thing that the process does. For tests only; loaded with LD_PRELOAD.
 *
 *   FAULTY_DISK_FOLDER  the folder that is looked at, absolute
 *   FAULTY_DISK_LOG     where to write down what happens (see tests/src/faults/history.rs for the form)
 *   FAULTY_DISK_FAULT   CALL PART NTH WHAT: at the NTH call of this kind to a path that has PART in it
 *                        CALL  write sync range open rename unlink mkdir truncate any
 *                        PART  a part of the path behind the folder, its end where a $ follows, or - for any
 *                        WHAT  ENOSPC EIO EROFS EDQUOT (from then on), EIO1 (once), short (half arrives, the
 *                              rest meets ENOSPC), kill-before, kill-half, kill-after
 *   FAULTY_DISK_ARMED   calls are counted only while this file exists
 *   FAULTY_DISK_MET     a file that is made when the fault happens
 *   FAULTY_DISK_FULL    while this file exists the disk is full: what would need room meets ENOSPC. While it
 *                        is full and there is no `ballast` in the folder, there is the room that it had.
 *
 * One lock is held around each call and its line in the log, so that the order in the log is the order of
 * the effects. A write is noted before it is made and a sync after: killed in between, the log claims no
 * more than is so.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { WRITE, SYNC, RANGE, OPEN, RENAME, UNLINK, MKDIR, TRUNCATE, CALLS };
static const char *const NAMES[CALLS] = {"write", "sync", "range", "open", "rename", "unlink", "mkdir", "truncate"};

enum kind { K_CREATE = 1, K_WRITE, K_TRUNCATE, K_SYNC, K_RANGE, K_RENAME, K_UNLINK, K_MKDIR };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char folder[PATH_MAX], full[PATH_MAX], armed[PATH_MAX], met[PATH_MAX], ballast[PATH_MAX + 16], part[256], what[32];
static size_t folder_len;
static int log_fd = -1, fault_call = -2, fault_errno, fault_once;
static unsigned long nth, seen;

#define REAL(ret, name, ...) \
    static ret (*real)(__VA_ARGS__); \
    if (!real) real = (ret (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t plain_write(int fd, const void *bytes, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, bytes, n);
}

static void begin(void) {
    const char *f = getenv("FAULTY_DISK_FOLDER");
    if (!f) return;
    snprintf(folder, sizeof folder, "%s", f);
    folder_len = strlen(folder);
    snprintf(ballast, sizeof ballast, "%s/ballast", folder);
    if ((f = getenv("FAULTY_DISK_FULL"))) snprintf(full, sizeof full, "%s", f);
    if ((f = getenv("FAULTY_DISK_MET"))) snprintf(met, sizeof met, "%s", f);
    if ((f = getenv("FAULTY_DISK_ARMED"))) snprintf(armed, sizeof armed, "%s", f);
    if ((f = getenv("FAULTY_DISK_LOG"))) {
        int (*open_it)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
        log_fd = open_it(f, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    if ((f = getenv("FAULTY_DISK_FAULT"))) {
        char call[32];
        if (sscanf(f, "%31s %255s %lu %31s", call, part, &nth, what) != 4) _exit(99);
        fault_call = strcmp(call, "any") == 0 ? -1 : -2;
        for (int i = 0; i < CALLS; i++) if (strcmp(call, NAMES[i]) == 0) fault_call = i;
        if (fault_call == -2) _exit(99);
        if (strcmp(what, "ENOSPC") == 0) fault_errno = ENOSPC;
        else if (strcmp(what, "EIO") == 0) fault_errno = EIO;
        else if (strcmp(what, "EIO1") == 0) fault_errno = EIO, fault_once = 1;
        else if (strcmp(what, "EROFS") == 0) fault_errno = EROFS;
        else if (strcmp(what, "EDQUOT") == 0) fault_errno = EDQUOT;
        else if (strcmp(what, "short") != 0 && strncmp(what, "kill-", 5) != 0) _exit(99);
    }
}

static int ours(const char *path) {
    return folder_len && strncmp(path, folder, folder_len) == 0 && (path[folder_len] == '/' || !path[folder_len]);
}

/* The path behind a descriptor, if it is below the folder. */
static int path_of(int fd, char path[PATH_MAX]) {
    char link[64];
    pthread_once(&once, begin);
    if (!folder_len) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return ours(path);
}

static int path_at(int dir, const char *given, char path[PATH_MAX]) {
    pthread_once(&once, begin);
    if (!folder_len) return 0;
    if (given[0] == '/' || dir == AT_FDCWD) {
        snprintf(path, PATH_MAX, "%s", given);
        return ours(path);
    }
    char base[PATH_MAX];
    if (!path_of(dir, base)) return 0;
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", base, given) >= PATH_MAX) return 0;
    return ours(path);
}

static void put(enum kind kind, uint64_t inode, uint64_t at, const char *one, const char *other, const void *bytes, size_t n) {
    if (log_fd < 0) return;
    struct __attribute__((packed)) { uint32_t kind; uint64_t inode, at; uint32_t one, other, bytes; } head = {
        kind, inode, at, one ? strlen(one) : 0, other ? strlen(other) : 0, n};
    struct iovec parts[4] = {
        {&head, sizeof head}, {(void *)one, head.one}, {(void *)other, head.other}, {(void *)bytes, n}};
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (real(log_fd, parts, 4) < 0) _exit(98);
}

static uint64_t inode_of(int fd) {
    struct stat s;
    return fstat(fd, &s) == 0 ? s.st_ino : 0;
}

static uint64_t inode_at(const char *path) {
    struct stat s;
    return lstat(path, &s) == 0 ? s.st_ino : 0;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int meant(const char *path) {
    size_t n = strlen(part), m = strlen(path);
    if (strcmp(part, "-") == 0) return 1;
    if (part[n - 1] != '$') return strstr(path, part) != NULL;
    return m >= n - 1 && strncmp(path + m - (n - 1), part, n - 1) == 0;
}

/* What becomes of this call: 0 as ever, 1 it fails (errno is set), 2 half of it arrives, 3 half of it arrives
 * and then the end, 4 the end comes behind it. Called with the lock held. */
static int verdict(enum call call, const char *path, int needs_room) {
    if (full[0] && needs_room && access(full, F_OK) == 0) {
        if (access(ballast, F_OK) == 0 || strstr(path, "/ballast")) {
            errno = ENOSPC;
            return 1;
        }
    }
    if (fault_call == -2 || (fault_call != -1 && fault_call != (int)call)) return 0;
    if (!meant(path + folder_len)) return 0;
    if (armed[0] && access(armed, F_OK) != 0) return 0;
    seen++;
    if (seen < nth || (seen > nth && (!fault_errno || fault_once))) return 0;
    if (met[0] && seen == nth) {
        int (*open_it)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
        int fd = open_it(met, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0) close(fd);
    }
    if (fault_errno) {
        errno = fault_errno;
        return 1;
    }
    if (strcmp(what, "kill-before") == 0) die();
    if (strcmp(what, "kill-after") == 0) return 4;
    return call != WRITE ? 4 : strcmp(what, "short") == 0 ? 2 : 3;
}

#define HOLD() pthread_mutex_lock(&lock)
#define DONE(value) do { int kept = errno; pthread_mutex_unlock(&lock); errno = kept; return (value); } while (0)

static ssize_t do_write(int fd, const char *path, const void *bytes, size_t n, off64_t at, int append,
                        ssize_t (*real)(int, const void *, size_t, off64_t)) {
    HOLD();
    int v = verdict(WRITE, path, 1);
    if (v == 1) DONE(-1);
    size_t m = (v == 2 || v == 3) && n > 1 ? n / 2 : n;
    off64_t place = append ? lseek64(fd, 0, SEEK_CUR) : at;
    put(K_WRITE, inode_of(fd), place, NULL, NULL, bytes, m);
    ssize_t done = append ? plain_write(fd, bytes, m) : real(fd, bytes, m, at);
    if (v == 2) { fault_errno = ENOSPC; fault_once = 0; }
    if (v >= 3) die();
    DONE(done);
}

static ssize_t real_pwrite(int fd, const void *bytes, size_t n, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return real(fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real_pwrite(fd, bytes, n, at);
    return do_write(fd, path, bytes, n, at, 0, real_pwrite);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return pwrite64(fd, bytes, n, at); }

ssize_t write(int fd, const void *bytes, size_t n) {
    char path[PATH_MAX];
    if (fd == log_fd || fd <= 2 || !path_of(fd, path)) return plain_write(fd, bytes, n);
    return do_write(fd, path, bytes, n, 0, 1, real_pwrite);
}

static int do_sync(int fd, const char *name, enum call call, int (*real)(int)) {
    char path[PATH_MAX];
    (void)name;
    if (!path_of(fd, path)) return real(fd);
    HOLD();
    int v = verdict(call, path, 0);
    if (v == 1) DONE(-1);
    int done = real(fd);
    if (done == 0) put(K_SYNC, inode_of(fd), 0, path, NULL, NULL, 0);
    if (v) die();
    DONE(done);
}

int fsync(int fd) { REAL(int, "fsync", int); return do_sync(fd, "fsync", SYNC, real); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return do_sync(fd, "fdatasync", SYNC, real); }

int sync_file_range(int fd, off64_t at, off64_t n, unsigned flags) {
    REAL(int, "sync_file_range", int, off64_t, off64_t, unsigned);
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real(fd, at, n, flags);
    HOLD();
    int v = verdict(RANGE, path, 0);
    if (v == 1) DONE(-1);
    /* No metadata and no flush of the disk's cache: for a power cut it is nothing. */
    int done = real(fd, at, n, flags);
    put(K_RANGE, inode_of(fd), at, path, NULL, NULL, 0);
    if (v) die();
    DONE(done);
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real(fd, size);
    HOLD();
    struct stat s;
    int v = verdict(TRUNCATE, path, fstat(fd, &s) == 0 && size > s.st_size);
    if (v == 1) DONE(-1);
    put(K_TRUNCATE, inode_of(fd), size, NULL, NULL, NULL, 0);
    int done = real(fd, size);
    if (v) die();
    DONE(done);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int do_open(int dir, const char *given, int flags, mode_t mode) {
    REAL(int, "openat64", int, const char *, int, ...);
    char path[PATH_MAX];
    if ((flags & O_ACCMODE) == O_RDONLY || !path_at(dir, given, path)) return real(dir, given, flags, mode);
    HOLD();
    int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    int v = verdict(OPEN, path, is_new);
    if (v == 1) DONE(-1);
    int fd = real(dir, given, flags, mode);
    if (fd >= 0 && is_new) put(K_CREATE, inode_of(fd), 0, path, NULL, NULL, 0);
    if (fd >= 0 && !is_new && (flags & O_TRUNC)) put(K_TRUNCATE, inode_of(fd), 0, NULL, NULL, NULL, 0);
    if (v) die();
    DONE(fd);
}

#define MODE() mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, flags); mode = va_arg(l, mode_t); va_end(l); }

int open(const char *path, int flags, ...) { MODE() return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE() return do_open(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE() return do_open(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE() return do_open(dir, path, flags, mode); }

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    pthread_once(&once, begin);
    if (!ours(from)) return real(from, to);
    HOLD();
    int v = verdict(RENAME, from, 0);
    if (v == 1) DONE(-1);
    int done = real(from, to);
    if (done == 0) put(K_RENAME, 0, 0, from, to, NULL, 0);
    if (v) die();
    DONE(done);
}

static int do_unlink(int dir, const char *given, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    char path[PATH_MAX];
    if (!path_at(dir, given, path)) return real(dir, given, flags);
    HOLD();
    int v = verdict(UNLINK, path, 0);
    if (v == 1) DONE(-1);
    int done = real(dir, given, flags);
    if (done == 0) put(K_UNLINK, 0, 0, path, NULL, NULL, 0);
    if (v) die();
    DONE(done);
}

int unlink(const char *path) { return do_unlink(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return do_unlink(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int dir, const char *path, int flags) { return do_unlink(dir, path, flags); }

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    pthread_once(&once, begin);
    if (!ours(path) || access(path, F_OK) == 0) return real(path, mode);
    HOLD();
    int v = verdict(MKDIR, path, 1);
    if (v == 1) DONE(-1);
    int done = real(path, mode);
    if (done == 0) put(K_MKDIR, inode_at(path), 0, path, NULL, NULL, 0);
    if (v) die();
    DONE(done);
}
