#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Whether this processor has an instruction for CRC-32C. */
int checksum_has_instruction(void);

/* Goes on with a CRC-32C over these bytes; without the first and the last complement. Only where there is the
   instruction. */
uint32_t checksum_extend(uint32_t crc, const void *bytes, size_t count);

#endif
