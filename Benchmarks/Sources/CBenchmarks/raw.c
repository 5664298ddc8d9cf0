#include "raw.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

struct benchmarks_raw {
    MDB_env *environment;
    MDB_dbi entries, meta, done;
    uint64_t version;
};

enum {
    // Of every value in a shard.
    ENVELOPE = 13,
    FENCE = ENVELOPE + 37,
    COMPLETION_KEY = 40,
    COMPLETION = ENVELOPE + 18,
    KEY_MAX = 17,
    VALUE_MAX = ENVELOPE + 1 + 9 + 9,
};

static void big_endian(uint8_t *to, uint64_t number, size_t bytes) {
    for (size_t index = 0; index < bytes; index++) to[index] = (uint8_t)(number >> (8 * (bytes - 1 - index)));
}

static uint64_t from_big_endian(const uint8_t *bytes) {
    uint64_t number = 0;
    for (size_t index = 0; index < 8; index++) number = number << 8 | bytes[index];
    return number;
}

// The number of the row set, a tag, and the key in as few bytes as it needs.
static size_t make_key(uint8_t *to, uint64_t key) {
    size_t bytes = 0;
    while (bytes < 8 && key >> (8 * bytes) != 0) bytes++;
    big_endian(to, 1, 8);
    to[8] = (uint8_t)(0x14 + bytes);
    big_endian(to + 9, key, bytes);
    return 9 + bytes;
}

// An envelope, and a CBOR array of the key and a value of nine bytes.
static size_t make_value(uint8_t *to, uint64_t key, uint64_t value) {
    size_t bytes = key < 24 ? 0 : key < 0x100 ? 1 : key < 0x10000 ? 2 : key < 0x100000000 ? 4 : 8;
    memset(to, 1, ENVELOPE);
    to[ENVELOPE] = 0x82;
    to[ENVELOPE + 1] = (uint8_t)key;
    big_endian(to + ENVELOPE + 2, key, bytes);
    to[ENVELOPE + 2 + bytes] = 0x1b;
    big_endian(to + ENVELOPE + 3 + bytes, value, 8);
    return ENVELOPE + 3 + bytes + 8;
}

static int put(MDB_txn *transaction, MDB_dbi database, const void *key, size_t key_bytes, const void *value,
               size_t value_bytes) {
    MDB_val stored_key = {key_bytes, (void *)key};
    MDB_val stored_value = {value_bytes, (void *)value};
    return mdb_put(transaction, database, &stored_key, &stored_value, 0);
}

static int open_databases(struct benchmarks_raw *raw) {
    MDB_txn *transaction;
    int status = mdb_txn_begin(raw->environment, NULL, 0, &transaction);
    if (status != 0) return status;
    status = mdb_dbi_open(transaction, "entries", MDB_CREATE, &raw->entries);
    if (status == 0) status = mdb_dbi_open(transaction, "meta", MDB_CREATE, &raw->meta);
    if (status == 0) status = mdb_dbi_open(transaction, "done", MDB_CREATE, &raw->done);
    if (status == 0) return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return status;
}

int benchmarks_raw_open(const char *directory, int flushes, struct benchmarks_raw **opened) {
    struct benchmarks_raw *raw = calloc(1, sizeof *raw);
    if (raw == NULL) return ENOMEM;
    int status = mdb_env_create(&raw->environment);
    if (status == 0) {
        status = mdb_env_set_mapsize(raw->environment, (size_t)1 << 40);
        if (status == 0) status = mdb_env_set_maxdbs(raw->environment, 4);
        if (status == 0) {
            unsigned flags = MDB_NOTLS | (flushes ? 0 : MDB_NOSYNC);
            status = mdb_env_open(raw->environment, directory, flags, 0600);
        }
        if (status == 0) status = open_databases(raw);
        if (status != 0) mdb_env_close(raw->environment);
    }
    if (status != 0) {
        free(raw);
        return status;
    }
    *opened = raw;
    return 0;
}

int benchmarks_raw_fill(struct benchmarks_raw *raw, int64_t first, int64_t count, int64_t base) {
    MDB_txn *transaction;
    int status = mdb_txn_begin(raw->environment, NULL, 0, &transaction);
    if (status != 0) return status;
    for (int64_t key = first; key < first + count && status == 0; key++) {
        uint8_t key_bytes[KEY_MAX], value_bytes[VALUE_MAX];
        size_t key_length = make_key(key_bytes, (uint64_t)key);
        size_t value_length = make_value(value_bytes, (uint64_t)key, (uint64_t)(base + key));
        status = put(transaction, raw->entries, key_bytes, key_length, value_bytes, value_length);
    }
    if (status == 0) return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return status;
}

static int change(struct benchmarks_raw *raw, MDB_txn *transaction, int64_t amount, int64_t key, int64_t *value) {
    uint8_t key_bytes[KEY_MAX], value_bytes[VALUE_MAX], fence[FENCE] = {1}, completion_key[COMPLETION_KEY] = {1},
        completion[COMPLETION] = {1};
    MDB_val stored_key = {make_key(key_bytes, (uint64_t)key), key_bytes};
    MDB_val stored;
    int status = mdb_get(transaction, raw->entries, &stored_key, &stored);
    if (status != 0) return status;
    *value = (int64_t)from_big_endian((const uint8_t *)stored.mv_data + stored.mv_size - 8) + amount;
    size_t length = make_value(value_bytes, (uint64_t)key, (uint64_t)*value);
    status = put(transaction, raw->entries, key_bytes, stored_key.mv_size, value_bytes, length);
    if (status != 0) return status;
    big_endian(completion + COMPLETION - 8, (uint64_t)*value, 8);
    status = put(transaction, raw->done, completion_key, sizeof completion_key, completion, sizeof completion);
    if (status != 0) return status;
    big_endian(fence + ENVELOPE + 8, ++raw->version, 8);
    return put(transaction, raw->meta, "fence", 5, fence, sizeof fence);
}

int benchmarks_raw_add(struct benchmarks_raw *raw, int64_t amount, int64_t key, int64_t *value) {
    MDB_txn *transaction;
    int status = mdb_txn_begin(raw->environment, NULL, 0, &transaction);
    if (status != 0) return status;
    status = change(raw, transaction, amount, key, value);
    if (status == 0) return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return status;
}

void benchmarks_raw_close(struct benchmarks_raw *raw) {
    mdb_env_close(raw->environment);
    free(raw);
}

const char *benchmarks_raw_message(int status) { return mdb_strerror(status); }
