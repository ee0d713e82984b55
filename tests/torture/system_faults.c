/* Calls of the C library that fail or lie, where the process has asked for it. Loaded with LD_PRELOAD by world.children().
 *
 * THANOSQL_TORTURE_IO=FOLDER:CALLS  reading and writing below FOLDER fails with EIO once CALLS of them went well
 * THANOSQL_TORTURE_CLOCK=SECONDS    the wall clock is so many seconds ahead; 'jumping': to and fro by a month, at every call
 *
 * begin_faults() reads both anew: a process that lives already calls it, one that it starts inherits them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t folder_length;
static atomic_long calls_left;
static long ahead;
static int jumping;

__attribute__((constructor)) void begin_faults(void) {
    const char *io = getenv("THANOSQL_TORTURE_IO"), *clock = getenv("THANOSQL_TORTURE_CLOCK");
    const char *colon = io ? strrchr(io, ':') : NULL;
    folder_length = 0;
    if (colon && (size_t)(colon - io) < sizeof folder) {
        memcpy(folder, io, colon - io);
        atomic_store(&calls_left, atol(colon + 1));
        folder_length = colon - io;
    }
    jumping = clock && !strcmp(clock, "jumping");
    ahead = clock && !jumping ? atol(clock) : 0;
}

static int within(const char *path) {
    return !strncmp(path, folder, folder_length) && (path[folder_length] == '/' || !path[folder_length]);
}

static int fails(int number) {
    char link[64], path[PATH_MAX];
    if (!folder_length) return 0;
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", number);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length < 0) return 0;
    path[length] = 0;
    if (!within(path) || atomic_fetch_sub(&calls_left, 1) > 0) return 0;
    errno = EIO;
    return 1;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define FAILING(type, name, declared, passed) \
    type name declared { REAL(name); return fails(fd) ? -1 : real passed; }

FAILING(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size))
FAILING(ssize_t, pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
FAILING(ssize_t, pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
FAILING(ssize_t, readv, (int fd, const struct iovec *to, int count), (fd, to, count))
FAILING(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
FAILING(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
FAILING(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
FAILING(ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count))
FAILING(int, fsync, (int fd), (fd))
FAILING(int, fdatasync, (int fd), (fd))
FAILING(int, ftruncate, (int fd, off_t size), (fd, size))
FAILING(int, ftruncate64, (int fd, off64_t size), (fd, size))
FAILING(ssize_t, copy_file_range, (int fd, off64_t *at, int to, off64_t *at_to, size_t size, unsigned flags),
        (fd, at, to, at_to, size, flags))
FAILING(ssize_t, sendfile, (int to, int fd, off_t *at, size_t size), (to, fd, at, size))
FAILING(ssize_t, sendfile64, (int to, int fd, off64_t *at, size_t size), (to, fd, at, size))

static int path_fails(const char *path) {
    if (!folder_length || !path || !within(path) || atomic_fetch_sub(&calls_left, 1) > 0) return 0;
    errno = EIO;
    return 1;
}

int rename(const char *from, const char *to) { REAL(rename); return path_fails(to) ? -1 : real(from, to); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); return path_fails(path) ? -1 : real(path, mode); }
int unlink(const char *path) { REAL(unlink); return path_fails(path) ? -1 : real(path); }

static long shift(void) {
    static atomic_long calls;
    if (!jumping) return ahead;
    return (atomic_fetch_add(&calls, 1) % 2 ? 1 : -1) * 30L * 24 * 3600;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    REAL(clock_gettime);
    int failed = real(which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(gettimeofday);
    int failed = real(now, zone);
    if (!failed) now->tv_sec += shift();
    return failed;
}

time_t time(time_t *to) {
    REAL(time);
    time_t now = real(NULL) + shift();
    if (to) *to = now;
    return now;
}
