#pragma once
#include <lmdb.h>
#include <semaphore.h>
#include <time.h>

// glibc declares these only for _GNU_SOURCE, which the importer does not set.
int renameat2(int old_directory, const char *old_path, int new_directory, const char *new_path, unsigned int flags);
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline);
enum { CLMDB_RENAME_NOREPLACE = 1 };
