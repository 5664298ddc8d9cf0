#define _GNU_SOURCE
#include "memory.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The same on all processors; the headers of an older system do not have it, its kernel may.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define STACK_BYTES (16 * 1024)
#define LARGE_PAGES_MIN (4 << 20)
// Longer than a recovery takes.
#define HOLDING_NANOSECONDS (10 * 1000 * 1000)

void durable_yield_to_others(void) {
    // In Linux a thread has a priority of its own.
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
}

void durable_give_back_memory(void) {
    malloc_trim(0);
}

void durable_prefer_large_pages(void *bytes, size_t count) {
    if (count < LARGE_PAGES_MIN) return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)bytes / page * page;
    // What it says is of no consequence.
    madvise((void *)start, (uintptr_t)bytes + count - start, MADV_HUGEPAGE);
}

#if defined(__x86_64__) || defined(__aarch64__)

// The holder shares the memory of a process that goes on, and so the place of its errno: it may use nothing that writes
// there, which the C library's wrappers do.
static inline long call(long number, long first, long second, long third, long fourth, long fifth) {
#if defined(__x86_64__)
    long result;
    register long fourth_register __asm__("r10") = fourth;
    register long fifth_register __asm__("r8") = fifth;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third), "r"(fourth_register), "r"(fifth_register)
                     : "rcx", "r11", "memory");
    return result;
#else
    register long number_register __asm__("x8") = number;
    register long first_register __asm__("x0") = first;
    register long second_register __asm__("x1") = second;
    register long third_register __asm__("x2") = third;
    register long fourth_register __asm__("x3") = fourth;
    register long fifth_register __asm__("x4") = fifth;
    __asm__ volatile("svc 0"
                     : "+r"(first_register)
                     : "r"(number_register), "r"(second_register), "r"(third_register), "r"(fourth_register),
                       "r"(fifth_register)
                     : "memory");
    return first_register;
#endif
}

// What the holder is told; its stack is above it.
struct holding {
    // Readable from the owner's end on.
    int owner_descriptor;
    long owner;
};

__attribute__((no_sanitize("address", "thread"), no_stack_protector)) static int hold(void *argument) {
    const struct holding *holding = argument;
    // One that was stopped goes on when its owner has ended.
    call(SYS_prctl, PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0);
    unsigned descriptor = (unsigned)holding->owner_descriptor;
    // Nothing else may stay open, or locked, that the owner's end is to close.
    if (descriptor > 0 && call(SYS_close_range, 0, descriptor - 1, 0, 0, 0) != 0) return 0;
    if (call(SYS_close_range, descriptor + 1, ~0U, 0, 0, 0) != 0) return 0;
    struct pollfd poll = {.fd = holding->owner_descriptor, .events = POLLIN};
    // The owner may have ended before it was watched.
    while (call(SYS_getppid, 0, 0, 0, 0, 0) == holding->owner) {
        if (call(SYS_ppoll, (long)&poll, 1, 0, 0, 0) != -EINTR) break;
    }
    // Whoever hears of the end now gets the processor first.
    struct timespec pause = {.tv_nsec = HOLDING_NANOSECONDS};
    call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0);
    return 0;
}

int durable_hold_memory(void) {
    int descriptor = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (descriptor < 0) return errno;
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        int error = errno;
        close(descriptor);
        return error;
    }
    struct holding *holding = (struct holding *)(stack + STACK_BYTES - 64);
    *holding = (struct holding){.owner_descriptor = descriptor, .owner = getpid()};
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // It handles no signal, and no handler of the owner's may run in it.
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int pid = clone(hold, holding, CLONE_VM, holding);
    int error = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(descriptor);
    if (error != 0) munmap(stack, STACK_BYTES);
    return error;
}

#else

int durable_hold_memory(void) { return ENOSYS; }

#endif
