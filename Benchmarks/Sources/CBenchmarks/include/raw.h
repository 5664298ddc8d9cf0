#ifndef BENCHMARKS_RAW_H
#define BENCHMARKS_RAW_H

#include <stdint.h>

// LMDB by itself: what a change of one entry costs when nothing is around it. Keys and values have the sizes that a
// shard's rows have for a dictionary of integers.
//
// Functions return 0, or a number that `benchmarks_raw_message` explains.

struct benchmarks_raw;

// Makes an environment in an existing empty directory; each commit is flushed when `flushes` is not 0.
int benchmarks_raw_open(const char *directory, int flushes, struct benchmarks_raw **opened);

// Puts `count` entries from the key `first` on, in one transaction; the value of each key is `base` plus the key.
int benchmarks_raw_fill(struct benchmarks_raw *raw, int64_t first, int64_t count, int64_t base);

// Changes one entry in a transaction of its own, which rewrites a fence row and a completion row as well.
int benchmarks_raw_add(struct benchmarks_raw *raw, int64_t amount, int64_t key, int64_t *value);

void benchmarks_raw_close(struct benchmarks_raw *raw);

const char *benchmarks_raw_message(int status);

#endif
