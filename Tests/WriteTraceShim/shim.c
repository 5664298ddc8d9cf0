// Preloaded into processes under test: records what they do to files below one directory, in order and with all bytes,
// and lets one of them die exactly between two operations when it is told to.

#define _GNU_SOURCE
#include "WriteTraceShim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECES_MAX = 1024 };

static const char *log_path, *directory;
static size_t directory_length;
static struct write_trace_orders *orders;
static atomic_ullong sync_number;

static void close_quietly(int descriptor) { syscall(SYS_close, descriptor); }

__attribute__((constructor)) static void begin(void) {
    log_path = getenv(WRITE_TRACE_LOG_VARIABLE);
    directory = getenv(WRITE_TRACE_DIRECTORY_VARIABLE);
    directory_length = directory == NULL ? 0 : strlen(directory);
    const char *path = getenv(WRITE_TRACE_ORDERS_VARIABLE);
    if (path == NULL) return;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (descriptor < 0) return;
    void *page = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (page != MAP_FAILED) orders = page;
    close_quietly(descriptor);
}

/// Whether this operation is the one after which the process is to die.
static int is_last(void) {
    if (orders == NULL || getpid() == orders->exempt) return 0;
    if (__atomic_load_n(&orders->countdown, __ATOMIC_SEQ_CST) <= 0) return 0;
    return __atomic_sub_fetch(&orders->countdown, 1, __ATOMIC_SEQ_CST) == 0;
}

static void die(void) {
    __atomic_add_fetch(&orders->deaths, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int is_below(const char *path) {
    return log_path != NULL && directory != NULL && strncmp(path, directory, directory_length) == 0
        && (path[directory_length] == '/' || path[directory_length] == 0);
}

/// The inode's number, if the descriptor is of a file or directory that is watched; else 0.
static uint64_t watched(int descriptor) {
    if (log_path == NULL || directory == NULL) return 0;
    int saved = errno;
    struct stat status;
    uint64_t found = 0;
    if (fstat(descriptor, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
        if (length > 0) {
            path[length] = 0;
            if (is_below(path)) found = status.st_ino;
        }
    }
    errno = saved;
    return found;
}

static void record(uint32_t kind, uint64_t file, uint64_t number, const struct iovec *pieces, int count, size_t length) {
    int saved = errno;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0 || count >= PIECES_MAX) abort();
    struct write_trace_record head = {kind, (uint32_t)length, file, number};
    struct iovec all[PIECES_MAX];
    all[0] = (struct iovec){&head, sizeof head};
    size_t left = length;
    int used = 1;
    for (int index = 0; index < count && left > 0; index++) {
        size_t part = pieces[index].iov_len < left ? pieces[index].iov_len : left;
        all[used++] = (struct iovec){pieces[index].iov_base, part};
        left -= part;
    }
    if (syscall(SYS_writev, descriptor, all, used) != (long)(length + sizeof head)) abort();
    close_quietly(descriptor);
    errno = saved;
}

static void record_text(uint32_t kind, uint64_t file, uint64_t number, const char *text, size_t length) {
    struct iovec piece = {(void *)text, length};
    record(kind, file, number, &piece, 1, length);
}

/// Splits a path into the inode's number of its directory and its last name; 0 when it is not watched.
static uint64_t parent(int base, const char *path, const char **name) {
    if (base != AT_FDCWD || path == NULL || !is_below(path)) return 0;
    const char *slash = strrchr(path, '/');
    char above[PATH_MAX];
    size_t length = (size_t)(slash - path);
    if (length < directory_length || length >= sizeof above) return 0;
    memcpy(above, path, length);
    above[length] = 0;
    *name = slash + 1;
    struct stat status;
    int saved = errno;
    uint64_t found = stat(above, &status) == 0 ? status.st_ino : 0;
    errno = saved;
    return found;
}

static uint64_t inode(const char *path) {
    struct stat status;
    int saved = errno;
    uint64_t found = lstat(path, &status) == 0 ? status.st_ino : 0;
    errno = saved;
    return found;
}

static void die_if(int last) {
    if (last) die();
}

static int traced_open(int base, const char *path, int flags, mode_t mode) {
    const char *name = NULL;
    uint64_t above = (flags & (O_CREAT | O_TRUNC)) != 0 ? parent(base, path, &name) : 0;
    int is_new = above != 0 && (flags & O_CREAT) != 0 && inode(path) == 0;
    int descriptor = (int)syscall(SYS_openat, base, path, flags, mode);
    if (descriptor < 0 || above == 0) return descriptor;
    uint64_t file = watched(descriptor);
    if (file == 0) return descriptor;
    int last = is_last();
    if (is_new) record_text(TRACE_CREATE, file, above, name, strlen(name));
    if (!is_new && (flags & O_TRUNC) != 0) record(TRACE_TRUNCATE, file, 0, NULL, 0, 0);
    die_if(last);
    return descriptor;
}

static mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return traced_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return traced_open(AT_FDCWD, path, flags, mode);
}

int openat(int base, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return traced_open(base, path, flags, mode);
}

/// Writes, and records what was written. A process that is to die does so after some of the bytes.
static ssize_t traced_write(int descriptor, const struct iovec *pieces, int count, off_t offset, int is_positioned) {
    uint64_t file = watched(descriptor);
    if (file == 0) {
        return is_positioned ? syscall(SYS_pwritev, descriptor, pieces, count, offset, 0)
                             : syscall(SYS_writev, descriptor, pieces, count);
    }
    long flags = syscall(SYS_fcntl, descriptor, F_GETFL);
    if (!is_positioned) {
        offset = syscall(SYS_lseek, descriptor, 0, (flags & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
    }
    int last = is_last();
    ssize_t length = is_positioned ? syscall(SYS_pwritev, descriptor, pieces, last ? (count + 1) / 2 : count, offset, 0)
                                   : syscall(SYS_writev, descriptor, pieces, last ? (count + 1) / 2 : count);
    if (length > 0) {
        uint32_t kind = (flags & O_DSYNC) != 0 ? TRACE_SYNCED_WRITE : TRACE_WRITE;
        record(kind, file, (uint64_t)offset, pieces, count, (size_t)length);
    }
    die_if(last);
    return length;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    struct iovec piece = {(void *)bytes, length};
    return traced_write(descriptor, &piece, 1, offset, 1);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    return pwrite(descriptor, bytes, length, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *pieces, int count, off_t offset) {
    return traced_write(descriptor, pieces, count, offset, 1);
}

ssize_t pwritev64(int descriptor, const struct iovec *pieces, int count, off64_t offset) {
    return traced_write(descriptor, pieces, count, offset, 1);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
    return traced_write(descriptor, pieces, count, 0, 0);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    struct iovec piece = {(void *)bytes, length};
    return traced_write(descriptor, &piece, 1, 0, 0);
}

static int traced_sync(int descriptor, long call) {
    uint64_t file = watched(descriptor);
    if (file == 0) return (int)syscall(call, descriptor);
    // Only what was done before a sync began is sure to be covered by it.
    uint64_t number = ((uint64_t)getpid() << 32) + atomic_fetch_add(&sync_number, 1);
    record(TRACE_SYNC_BEGIN, file, number, NULL, 0, 0);
    int status = (int)syscall(call, descriptor);
    int last = is_last();
    if (status == 0) record(TRACE_SYNC_END, file, number, NULL, 0, 0);
    die_if(last);
    return status;
}

int fdatasync(int descriptor) { return traced_sync(descriptor, SYS_fdatasync); }

int fsync(int descriptor) { return traced_sync(descriptor, SYS_fsync); }

int ftruncate(int descriptor, off_t length) {
    uint64_t file = watched(descriptor);
    int status = (int)syscall(SYS_ftruncate, descriptor, length);
    if (file == 0 || status != 0) return status;
    record(TRACE_TRUNCATE, file, (uint64_t)length, NULL, 0, 0);
    return status;
}

int ftruncate64(int descriptor, off64_t length) { return ftruncate(descriptor, length); }

int mkdir(const char *path, mode_t mode) {
    const char *name = NULL;
    uint64_t above = parent(AT_FDCWD, path, &name);
    int status = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (status != 0 || above == 0) return status;
    record_text(TRACE_MKDIR, inode(path), above, name, strlen(name));
    die_if(is_last());
    return status;
}

static int traced_unlink(const char *path, int flags) {
    const char *name = NULL;
    uint64_t above = parent(AT_FDCWD, path, &name);
    uint64_t file = above == 0 ? 0 : inode(path);
    int status = (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
    if (status != 0 || file == 0) return status;
    record_text(TRACE_UNLINK, file, above, name, strlen(name));
    die_if(is_last());
    return status;
}

int unlink(const char *path) { return traced_unlink(path, 0); }

int rmdir(const char *path) { return traced_unlink(path, AT_REMOVEDIR); }

int link(const char *source, const char *target) {
    const char *name = NULL;
    uint64_t above = parent(AT_FDCWD, target, &name);
    int status = (int)syscall(SYS_linkat, AT_FDCWD, source, AT_FDCWD, target, 0);
    if (status != 0 || above == 0) return status;
    record_text(TRACE_LINK, inode(target), above, name, strlen(name));
    die_if(is_last());
    return status;
}

static int traced_rename(int old_base, const char *source, int new_base, const char *target, unsigned flags) {
    const char *old_name = NULL, *new_name = NULL;
    uint64_t old_above = parent(old_base, source, &old_name), new_above = parent(new_base, target, &new_name);
    uint64_t file = old_above == 0 ? 0 : inode(source);
    int status = (int)syscall(SYS_renameat2, old_base, source, new_base, target, flags);
    if (status != 0 || file == 0 || new_above == 0) return status;
    struct iovec pieces[3] = {
        {&new_above, sizeof new_above}, {(void *)old_name, strlen(old_name) + 1}, {(void *)new_name, strlen(new_name)}};
    size_t length = pieces[0].iov_len + pieces[1].iov_len + pieces[2].iov_len;
    record(TRACE_RENAME, file, old_above, pieces, 3, length);
    die_if(is_last());
    return status;
}

int rename(const char *source, const char *target) { return traced_rename(AT_FDCWD, source, AT_FDCWD, target, 0); }

int renameat(int old_base, const char *source, int new_base, const char *target) {
    return traced_rename(old_base, source, new_base, target, 0);
}

int renameat2(int old_base, const char *source, int new_base, const char *target, unsigned flags) {
    return traced_rename(old_base, source, new_base, target, flags);
}
