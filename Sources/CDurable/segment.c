#define _GNU_SOURCE
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

// A reader of a segment that shrank would end by SIGBUS, and one of a segment that changed would decode what nobody wrote.
#define SEGMENT_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

// From more bytes than this on, a segment goes on a thread of its own.
#define LATER_MIN (4 << 20)

static int fill(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        if (written == 0) return ENOSPC;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

static int create(void) {
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("durable-object", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) fd = memfd_create("durable-object", flags);
    return fd;
}

static int seal(int fd, int error) {
    if (error == 0 && fcntl(fd, F_ADD_SEALS, SEGMENT_SEALS | F_SEAL_SEAL) < 0) error = errno;
    if (error != 0) close(fd);
    return error;
}

int durable_segment_create(const void *bytes, size_t count, int *fd_out) {
    int fd = create();
    if (fd < 0) return errno;
    int error = seal(fd, fill(fd, bytes, count));
    if (error == 0) *fd_out = fd;
    return error;
}

int durable_segment_begin(size_t count, int *fd_out, void **bytes_out) {
    int fd = create();
    if (fd < 0) return errno;
    // All of it at once: a write to memory that there is none for would end the process.
    int error = fallocate(fd, 0, 0, (off_t)count) < 0 ? errno : 0;
    void *mapping = error == 0 ? mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (error == 0 && mapping == MAP_FAILED) error = errno;
    if (error != 0) {
        close(fd);
        return error;
    }
    *fd_out = fd;
    *bytes_out = mapping;
    return 0;
}

int durable_segment_finish(int fd, void *bytes, size_t count) {
    munmap(bytes, count);
    return seal(fd, 0);
}

int durable_segment_size(int fd, size_t *count_out) {
    struct stat status;
    if (fstat(fd, &status) < 0) return errno;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEGMENT_SEALS) != SEGMENT_SEALS || status.st_size <= 0) return EINVAL;
    *count_out = (size_t)status.st_size;
    return 0;
}

int durable_segment_map(int fd, size_t count, const void **bytes_out) {
    // A shared mapping of a sealed file is refused by older kernels; a private one that is only read shares the pages too.
    void *mapping = mmap(NULL, count, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED) return errno;
    *bytes_out = mapping;
    return 0;
}

struct ended {
    int fd;
    const void *bytes;
    size_t count;
};

static void let_go(const struct ended *ended) {
    if (ended->bytes != NULL) munmap((void *)ended->bytes, ended->count);
    close(ended->fd);
}

static void *let_go_later(void *argument) {
    let_go(argument);
    free(argument);
    return NULL;
}

void durable_segment_close(int fd, const void *bytes, size_t count) {
    struct ended ended = {.fd = fd, .bytes = bytes, .count = count};
    struct ended *copy = count > LATER_MIN ? malloc(sizeof ended) : NULL;
    if (copy == NULL) return let_go(&ended);
    *copy = ended;
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        // No signal of the process is for this thread.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        error = pthread_create(&thread, &attributes, let_go_later, copy);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    if (error != 0) let_go_later(copy);
}

int durable_segment_copy(int fd, void *bytes, size_t count) {
    const void *mapping = NULL;
    int error = durable_segment_map(fd, count, &mapping);
    if (error != 0) return error;
    memcpy(bytes, mapping, count);
    munmap((void *)mapping, count);
    return 0;
}
