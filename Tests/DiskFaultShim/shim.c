// Preloaded into processes under test: makes chosen writes and syncs of shards' data files fail, and moves the wall
// clock. Everything else goes straight to the kernel.

#define _GNU_SOURCE
#include "DiskFaultShim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPERATION_DATA = 1, OPERATION_META = 2, OPERATION_SYNC = 4 };
enum { META_BYTES = 8192 };

struct order {
    long number;
    int operations;
    int outcome;
    long first;
    long count;
    long offset;
    int is_registry;
    long delay;
};

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static long armed = -1;
static long passed = 0;

static int read_order(struct order *order) {
    const char *path = getenv(DISK_FAULT_CONTROL_VARIABLE);
    if (path == NULL) return 0;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (descriptor < 0) return 0;
    char text[128] = {0};
    long length = syscall(SYS_read, descriptor, text, sizeof text - 1);
    syscall(SYS_close, descriptor);
    char operation[16] = {0};
    char file[16] = "shards";
    order->delay = 0;
    if (length <= 0
        || sscanf(text, "%ld %15s %d %ld %ld %ld %15s %ld", &order->number, operation, &order->outcome, &order->first,
                  &order->count, &order->offset, file, &order->delay) < 6) return 0;
    order->is_registry = strcmp(file, "registry") == 0;
    order->operations = strcmp(operation, "data") == 0 ? OPERATION_DATA
        : strcmp(operation, "meta") == 0               ? OPERATION_META
        : strcmp(operation, "sync") == 0               ? OPERATION_SYNC
        : strcmp(operation, "any") == 0                ? OPERATION_DATA | OPERATION_META | OPERATION_SYNC
                                                       : 0;
    return 1;
}

static void note_fault(void) {
    char path[512];
    snprintf(path, sizeof path, "%s.log", getenv(DISK_FAULT_CONTROL_VARIABLE));
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) return;
    syscall(SYS_write, descriptor, "x", 1);
    syscall(SYS_close, descriptor);
}

/// Finds out which data file of the directory this is, if it is one. Spares rehearse with shards of their own, elsewhere.
static int data_file(int descriptor, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *directory = getenv(DISK_FAULT_DIRECTORY_VARIABLE);
    if (directory != NULL && strncmp(path, directory, strlen(directory)) != 0) return 0;
    return strstr(path, "data.mdb") != NULL;
}

static int shard_file(int descriptor, char *path, size_t size) {
    return data_file(descriptor, path, size) && strstr(path, "/shards/") != NULL;
}

static int is_shard(int descriptor) {
    char path[512];
    // Snapshots and files in the making are of the shard as well.
    return shard_file(descriptor, path, sizeof path);
}

static int is_meant(const struct order *order, int descriptor) {
    char path[512];
    if (!order->is_registry) return is_shard(descriptor);
    return data_file(descriptor, path, sizeof path) && strstr(path, "/supervisor/") != NULL;
}

/// Whether this operation is to fail, and how. One that is to be late is late when this returns.
static int fails(int descriptor, int operation, int *outcome) {
    if (getenv(DISK_FAULT_CONTROL_VARIABLE) == NULL) return 0;
    int saved = errno;
    struct order order;
    int found = read_order(&order) && (order.operations & operation) != 0 && is_meant(&order, descriptor);
    if (found) {
        pthread_mutex_lock(&counting);
        if (armed != order.number) {
            armed = order.number;
            passed = 0;
        }
        passed += 1;
        found = passed >= order.first && passed < order.first + order.count;
        pthread_mutex_unlock(&counting);
    }
    errno = saved;
    if (!found) return 0;
    note_fault();
    errno = saved;
    if (order.delay > 0) {
        struct timespec delay = {order.delay / 1000, order.delay % 1000 * 1000000};
        syscall(SYS_nanosleep, &delay, NULL);
        errno = saved;
        return 0;
    }
    *outcome = order.outcome;
    return 1;
}

/// Whether this is the data file that a shard works on, and somebody wants to know what happens to it.
static int is_recorded(int descriptor) {
    char path[512];
    if (getenv(DISK_FAULT_RECORD_VARIABLE) == NULL || !shard_file(descriptor, path, sizeof path)) return 0;
    return strstr(path, ".creating.") == NULL && strstr(path, "/data.mdb") != NULL;
}

/// Adds what was just done to the record, whole.
static void record(struct disk_record head, const struct iovec *pieces, int count) {
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, getenv(DISK_FAULT_RECORD_VARIABLE),
                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) abort();
    struct iovec all[129] = {{&head, sizeof head}};
    if (count > 128) abort();
    size_t length = sizeof head;
    for (int index = 0; index < count; index++) {
        all[index + 1] = pieces[index];
        length += pieces[index].iov_len;
    }
    if (syscall(SYS_writev, descriptor, all, count + 1) != (long)length) abort();
    syscall(SYS_close, descriptor);
}

static ssize_t write_pages(int descriptor, const struct iovec *pieces, int count, off_t offset) {
    ssize_t length = syscall(SYS_pwritev, descriptor, pieces, count, offset, 0);
    if (length <= 0 || !is_recorded(descriptor)) return length;
    struct disk_record head = {DISK_RECORD_WRITE, (uint32_t)length, (uint64_t)offset};
    if ((syscall(SYS_fcntl, descriptor, F_GETFL) & O_DSYNC) != 0) head.kind = DISK_RECORD_SYNCED_WRITE;
    record(head, pieces, count);
    return length;
}

static ssize_t faulty_write(int descriptor, const struct iovec *pieces, int count, off_t offset) {
    int outcome = 0;
    if (!fails(descriptor, offset < META_BYTES ? OPERATION_META : OPERATION_DATA, &outcome)) {
        return write_pages(descriptor, pieces, count, offset);
    }
    if (outcome == 0) {
        struct iovec half = {pieces[0].iov_base, pieces[0].iov_len / 2};
        return write_pages(descriptor, &half, 1, offset);
    }
    if (outcome < 0) {
        write_pages(descriptor, pieces, count, offset);
        outcome = -outcome;
    }
    errno = outcome;
    return -1;
}

static int faulty_sync(int descriptor, long call) {
    int outcome = 0;
    if (!fails(descriptor, OPERATION_SYNC, &outcome)) {
        int status = (int)syscall(call, descriptor);
        if (status == 0 && is_recorded(descriptor)) record((struct disk_record){DISK_RECORD_SYNC, 0, 0}, NULL, 0);
        return status;
    }
    if (outcome < 0) syscall(call, descriptor);
    errno = outcome == 0 ? EIO : abs(outcome);
    return -1;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    struct iovec piece = {(void *)bytes, length};
    return faulty_write(descriptor, &piece, 1, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    return pwrite(descriptor, bytes, length, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *pieces, int count, off_t offset) {
    return faulty_write(descriptor, pieces, count, offset);
}

ssize_t pwritev64(int descriptor, const struct iovec *pieces, int count, off64_t offset) {
    return faulty_write(descriptor, pieces, count, offset);
}

/// LMDB seeks and then writes pages that are next to each other at once.
ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
    char path[512];
    if (!data_file(descriptor, path, sizeof path)) return syscall(SYS_writev, descriptor, pieces, count);
    off_t offset = syscall(SYS_lseek, descriptor, 0, SEEK_CUR);
    ssize_t length = faulty_write(descriptor, pieces, count, offset);
    if (length > 0) syscall(SYS_lseek, descriptor, offset + length, SEEK_SET);
    return length;
}

int fdatasync(int descriptor) { return faulty_sync(descriptor, SYS_fdatasync); }

int fsync(int descriptor) { return faulty_sync(descriptor, SYS_fsync); }

/// LMDB writes new and copied files with it.
ssize_t write(int descriptor, const void *bytes, size_t length) {
    int outcome = 0;
    if (!fails(descriptor, OPERATION_DATA, &outcome)) return syscall(SYS_write, descriptor, bytes, length);
    if (outcome == 0) return syscall(SYS_write, descriptor, bytes, length / 2);
    if (outcome < 0) syscall(SYS_write, descriptor, bytes, length);
    errno = abs(outcome);
    return -1;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    long status = syscall(SYS_clock_gettime, clock, time);
    struct order order;
    if (status == 0 && clock == CLOCK_REALTIME && read_order(&order)) time->tv_sec += order.offset;
    return (int)status;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL) *result = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}
