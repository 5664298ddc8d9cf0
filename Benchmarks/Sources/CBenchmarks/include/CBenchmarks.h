#ifndef CBENCHMARKS_H
#define CBENCHMARKS_H

#include <stddef.h>
#include <stdint.h>

#include "raw.h"

// What the C library hides from Swift behind _GNU_SOURCE.

// Lets the threads that this process has, and all threads and processes they start from now on, run on this core only.
// Returns 0, or an error number.
int benchmarks_pin(int core);

// Maps a file, or makes so much memory of the process's own when the path is NULL, and touches every page of it; it
// stays until the process ends. Returns 0, or an error number.
int benchmarks_hold(const char *path, size_t bytes);

// How often this process has asked for memory, if the counter is preloaded; -1 if it is not.
int64_t benchmarks_allocations(void);

// Asks for memory so many times, and gives it back.
void benchmarks_allocate(int times);

// Removes a directory and everything in it. Returns 0, or -1 when something is left.
int benchmarks_remove_tree(const char *path);

// Writes all that is not on disk yet of the file system that holds a directory. Returns 0, or an error number.
int benchmarks_flush_file_system(const char *directory);

#endif
