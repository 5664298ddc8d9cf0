#define _GNU_SOURCE
#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

// Spells "durablep" and carries the layout's version: a page of another build is refused, not misread.
#define PAGE_MAGIC UINT64_C(0x6475726162706701)

// A worker that shrank the page would kill its supervisor with SIGBUS, so its size is sealed.
#define PAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

// Each counter has a cache line of its own: the loop thread and the control thread write at different rates.
struct durable_page {
    _Alignas(64) _Atomic uint64_t magic;
    _Alignas(64) _Atomic uint64_t turns;
    _Alignas(64) _Atomic uint64_t heartbeat;
    _Alignas(64) _Atomic uint64_t call_note;
};

_Static_assert(sizeof(struct durable_page) <= DURABLE_PAGE_BYTES, "the counters fit the page");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counters shared between processes cannot take a lock");

static int map(int fd, struct durable_page **page_out) {
    void *address = mmap(NULL, DURABLE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) return errno;
    *page_out = address;
    return 0;
}

int durable_page_create(int *fd_out, struct durable_page **page_out) {
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("durable-worker-page", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) fd = memfd_create("durable-worker-page", flags);
    if (fd < 0) return errno;
    struct durable_page *page = NULL;
    int error = 0;
    if (ftruncate(fd, DURABLE_PAGE_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, PAGE_SEALS | F_SEAL_SEAL) < 0) error = errno;
    if (error == 0) error = map(fd, &page);
    if (error != 0) {
        close(fd);
        return error;
    }
    atomic_store(&page->magic, PAGE_MAGIC);
    *fd_out = fd;
    *page_out = page;
    return 0;
}

int durable_page_map(int fd, struct durable_page **page_out) {
    struct stat status;
    if (fstat(fd, &status) < 0) return errno;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & PAGE_SEALS) != PAGE_SEALS || status.st_size != DURABLE_PAGE_BYTES) return EINVAL;
    struct durable_page *page = NULL;
    int error = map(fd, &page);
    if (error != 0) return error;
    if (atomic_load(&page->magic) != PAGE_MAGIC) {
        durable_page_unmap(page);
        return EINVAL;
    }
    *page_out = page;
    return 0;
}

void durable_page_unmap(struct durable_page *page) {
    munmap(page, DURABLE_PAGE_BYTES);
}

void durable_page_add_turns(struct durable_page *page, uint64_t count) {
    atomic_fetch_add_explicit(&page->turns, count, memory_order_relaxed);
}

uint64_t durable_page_turns(const struct durable_page *page) {
    return atomic_load_explicit(&page->turns, memory_order_relaxed);
}

void durable_page_set_heartbeat(struct durable_page *page, uint64_t ticks) {
    atomic_store_explicit(&page->heartbeat, ticks, memory_order_relaxed);
}

uint64_t durable_page_heartbeat(const struct durable_page *page) {
    return atomic_load_explicit(&page->heartbeat, memory_order_relaxed);
}

void durable_page_set_call_note(struct durable_page *page, uint64_t note) {
    atomic_store_explicit(&page->call_note, note, memory_order_relaxed);
}

uint64_t durable_page_call_note(const struct durable_page *page) {
    return atomic_load_explicit(&page->call_note, memory_order_relaxed);
}
