#define _GNU_SOURCE
#include "SoakSystem.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)

int soak_shut_down(int descriptor, int flushes_log) {
    uint32_t flags = flushes_log ? 1 : 2;
    return ioctl(descriptor, EXT4_IOC_SHUTDOWN, &flags) == 0 ? 0 : errno;
}

int soak_write_back(int descriptor) { return syncfs(descriptor) == 0 ? 0 : errno; }

static sigset_t endings(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

void soak_hold_signals(void) {
    sigset_t set = endings();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void soak_release_signals(void) {
    sigset_t set = endings();
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int soak_wait_for_signal(int milliseconds) {
    sigset_t set = endings();
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    int signal = sigtimedwait(&set, NULL, &time);
    return signal > 0 ? signal : 0;
}
