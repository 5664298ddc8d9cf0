#ifndef DISK_FAULT_SHIM_H
#define DISK_FAULT_SHIM_H

#include <stdint.h>

/// Names the file that says which operation fails next. Without it the library does nothing.
///
/// The file holds one line, `<number> <operation> <outcome> <first> <count> <offset> [<file> [<delay>]]`:
/// - `number`: a new one arms the line anew; operations are counted from there, in each process by itself;
/// - `operation`: `data` (pages of a shard's file), `meta` (its first two pages), `sync` (fdatasync, fsync or msync of
///   it), `any` of these, or `none`;
/// - `outcome`: a number of errno; 0 for a short write; negative: the operation is done and fails all the same;
/// - `first`, `count`: which of the operations fail, counted from 1;
/// - `offset`: seconds that are added to the wall clock;
/// - `file`: `shards` (what is meant when it is left out) or `registry`, the supervisor's own;
/// - `delay`: milliseconds; above 0 the operations do not fail but come later, and `outcome` is not looked at.
///
/// Each fault that was injected adds a byte to the file of the same name with `.log` behind it.
#define DISK_FAULT_CONTROL_VARIABLE "DISK_FAULT_CONTROL"

/// Names the data directory whose shards are meant; without it those of every one are.
#define DISK_FAULT_DIRECTORY_VARIABLE "DISK_FAULT_DIRECTORY"

/// Names the file to which every write and sync of a shard's data file is added when it has been done. Without it
/// nothing is recorded.
#define DISK_FAULT_RECORD_VARIABLE "DISK_FAULT_RECORD"

#define DISK_RECORD_WRITE 1
#define DISK_RECORD_SYNC 2
#define DISK_RECORD_SYNCED_WRITE 3

/// What stands before the bytes of each write.
struct disk_record {
    uint32_t kind;
    uint32_t length;
    uint64_t offset;
};

#endif
