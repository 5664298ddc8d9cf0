#include "CChecksum.h"

#include <string.h>

#if defined(__x86_64__)

#include <nmmintrin.h>

#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define EXTEND_8(crc, word) ((uint32_t)_mm_crc32_u64(crc, word))
#define EXTEND_1(crc, byte) _mm_crc32_u8(crc, byte)

int checksum_has_instruction(void) { return __builtin_cpu_supports("sse4.2") != 0; }

#elif defined(__aarch64__) && defined(__linux__) && defined(__LITTLE_ENDIAN__)

#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

#define WITH_INSTRUCTION __attribute__((target("crc")))
#define EXTEND_8(crc, word) __crc32cd(crc, word)
#define EXTEND_1(crc, byte) __crc32cb(crc, byte)

int checksum_has_instruction(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

#else

#define WITH_INSTRUCTION
#define EXTEND_8(crc, word) ((void)(word), (crc))
#define EXTEND_1(crc, byte) ((void)(byte), (crc))

int checksum_has_instruction(void) { return 0; }

#endif

WITH_INSTRUCTION uint32_t checksum_extend(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *position = bytes;
    for (; count >= 8; count -= 8, position += 8) {
        uint64_t word;
        memcpy(&word, position, sizeof word);
        crc = EXTEND_8(crc, word);
    }
    for (; count > 0; count--, position++) crc = EXTEND_1(crc, *position);
    return crc;
}
