#define _GNU_SOURCE
#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

// Spells "durablep" and carries the layout's version: a page of another build is refused, not misread.
#define PAGE_MAGIC UINT64_C(0x6475726162706702)

// A worker that shrank the page would kill its supervisor with SIGBUS, so its size is sealed.
#define PAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

struct note {
    _Atomic uint64_t kind;
    _Atomic uint64_t actor_high;
    _Atomic uint64_t actor_low;
    _Atomic uint64_t session_high;
    _Atomic uint64_t session_low;
    _Atomic uint64_t sequence;
    _Atomic uint64_t job;
};

// Counters that change often have a cache line of their own: the loop thread and the control thread write at different rates.
struct durable_page {
    _Alignas(64) _Atomic uint64_t magic;
    _Alignas(64) _Atomic uint64_t turns;
    _Alignas(64) _Atomic uint64_t heartbeat;
    _Atomic uint64_t control_heartbeat;
    _Alignas(64) _Atomic uint64_t job;
    _Atomic uint64_t crashed_job;
    _Alignas(64) struct note notes[DURABLE_PAGE_NOTES_MAX];
};

_Static_assert(sizeof(struct durable_page) <= DURABLE_PAGE_BYTES, "counters and notes fit the page");
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

void durable_page_set_control_heartbeat(struct durable_page *page, uint64_t ticks) {
    atomic_store_explicit(&page->control_heartbeat, ticks, memory_order_relaxed);
}

uint64_t durable_page_control_heartbeat(const struct durable_page *page) {
    return atomic_load_explicit(&page->control_heartbeat, memory_order_relaxed);
}

void durable_page_set_job(struct durable_page *page, uint64_t job) {
    atomic_store_explicit(&page->job, job, memory_order_relaxed);
}

uint64_t durable_page_job(const struct durable_page *page) {
    return atomic_load_explicit(&page->job, memory_order_relaxed);
}

static _Thread_local uint64_t thread_job;
static struct durable_page *_Atomic watched;

void durable_page_set_thread_job(uint64_t job) {
    thread_job = job;
}

static void leave_job(void) {
    struct durable_page *page = atomic_load_explicit(&watched, memory_order_relaxed);
    if (page == NULL || thread_job == 0) return;
    uint64_t none = 0;
    // The first to crash is to blame.
    atomic_compare_exchange_strong(&page->crashed_job, &none, thread_job);
}

// The action is the default one again by now, and the signal is blocked until this returns: it ends the process then.
static void crashed(int number) {
    leave_job();
    raise(number);
}

void durable_page_watch_crashes(struct durable_page *page) {
    static const int numbers[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
    if (atomic_exchange(&watched, page) != NULL) return;
    for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) {
        struct sigaction action;
        if (sigaction(numbers[index], NULL, &action) < 0 || action.sa_handler != SIG_DFL) continue;
        action = (struct sigaction){.sa_handler = crashed, .sa_flags = (int)SA_RESETHAND | SA_ONSTACK};
        sigaction(numbers[index], &action, NULL);
    }
    atexit(leave_job);
}

uint64_t durable_page_crashed_job(const struct durable_page *page) {
    return atomic_load_explicit(&page->crashed_job, memory_order_relaxed);
}

void durable_page_set_note(struct durable_page *page, uint32_t index, const struct durable_page_note *note) {
    if (index >= DURABLE_PAGE_NOTES_MAX) return;
    struct note *place = &page->notes[index];
    atomic_store_explicit(&place->kind, 0, memory_order_relaxed);
    // Nothing of the new note may be seen before the old one is gone.
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&place->actor_high, note->actor_high, memory_order_relaxed);
    atomic_store_explicit(&place->actor_low, note->actor_low, memory_order_relaxed);
    atomic_store_explicit(&place->session_high, note->session_high, memory_order_relaxed);
    atomic_store_explicit(&place->session_low, note->session_low, memory_order_relaxed);
    atomic_store_explicit(&place->sequence, note->sequence, memory_order_relaxed);
    atomic_store_explicit(&place->job, note->job, memory_order_relaxed);
    atomic_store_explicit(&place->kind, note->kind, memory_order_release);
}

void durable_page_clear_note(struct durable_page *page, uint32_t index) {
    if (index < DURABLE_PAGE_NOTES_MAX) atomic_store_explicit(&page->notes[index].kind, 0, memory_order_release);
}

bool durable_page_read_note(const struct durable_page *page, uint32_t index, struct durable_page_note *note_out) {
    if (index >= DURABLE_PAGE_NOTES_MAX) return false;
    const struct note *place = &page->notes[index];
    uint64_t kind = atomic_load_explicit(&place->kind, memory_order_acquire);
    *note_out = (struct durable_page_note){
        .kind = kind,
        .actor_high = atomic_load_explicit(&place->actor_high, memory_order_relaxed),
        .actor_low = atomic_load_explicit(&place->actor_low, memory_order_relaxed),
        .session_high = atomic_load_explicit(&place->session_high, memory_order_relaxed),
        .session_low = atomic_load_explicit(&place->session_low, memory_order_relaxed),
        .sequence = atomic_load_explicit(&place->sequence, memory_order_relaxed),
        .job = atomic_load_explicit(&place->job, memory_order_relaxed),
    };
    return kind != 0;
}
