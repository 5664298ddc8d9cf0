#define _GNU_SOURCE
#include "CBenchmarks.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int pin_thread(pid_t thread, int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(thread, sizeof set, &set) == 0 ? 0 : errno;
}

int benchmarks_pin(int core) {
    DIR *threads = opendir("/proc/self/task");
    if (threads == NULL) return errno;
    int status = 0;
    for (struct dirent *entry; status == 0 && (entry = readdir(threads)) != NULL;) {
        pid_t thread = (pid_t)atoi(entry->d_name);
        // One that has ended meanwhile needs no core.
        if (thread > 0 && (status = pin_thread(thread, core)) == ESRCH) status = 0;
    }
    closedir(threads);
    return status;
}

int benchmarks_hold(const char *path, size_t bytes) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS, descriptor = -1;
    if (path != NULL) {
        struct stat status;
        descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if (descriptor < 0 || fstat(descriptor, &status) != 0) return errno;
        bytes = (size_t)status.st_size;
        flags = MAP_SHARED;
    }
    if (bytes == 0) return 0;
    uint8_t *memory = mmap(NULL, bytes, path == NULL ? PROT_READ | PROT_WRITE : PROT_READ, flags, descriptor, 0);
    if (memory == MAP_FAILED) return errno;
    if (path == NULL) memset(memory, 1, bytes);
    volatile uint8_t last = 0;
    for (size_t place = 0; place < bytes; place += 4096) last = memory[place];
    (void)last;
    return 0;
}

int64_t benchmarks_allocations(void) {
    uint64_t (*count)(void) = (uint64_t (*)(void))dlsym(RTLD_DEFAULT, "allocation_counter_count");
    return count == NULL ? -1 : (int64_t)count();
}

void benchmarks_allocate(int times) {
    for (int index = 1; index <= times; index++) {
        // Volatile: a compiler may leave out memory that nobody looks at.
        void *volatile memory = malloc((size_t)index);
        free(memory);
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

int benchmarks_remove_tree(const char *path) {
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int benchmarks_flush_file_system(const char *directory) {
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    int status = syncfs(descriptor) == 0 ? 0 : errno;
    close(descriptor);
    return status;
}
