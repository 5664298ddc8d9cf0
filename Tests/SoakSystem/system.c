#define _GNU_SOURCE
#include "SoakSystem.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)

int soak_shut_down(int descriptor, int flushes_log) {
    uint32_t flags = flushes_log ? 1 : 2;
    return ioctl(descriptor, EXT4_IOC_SHUTDOWN, &flags) == 0 ? 0 : errno;
}

int soak_write_back(int descriptor) { return syncfs(descriptor) == 0 ? 0 : errno; }

static atomic_int noted;

static void note(int signal) { atomic_store(&noted, signal); }

void soak_note_signals(void) {
    // A handler, because other threads than the one that waits may get the signal.
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int soak_noted_signal(void) { return atomic_exchange(&noted, 0); }
