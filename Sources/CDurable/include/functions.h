#ifndef DURABLE_FUNCTIONS_H
#define DURABLE_FUNCTIONS_H

#include <stddef.h>

/* The functions of this executable that Swift can call by name, which are its distributed methods. Those of shared
 * libraries are not among them. */

/* How many there are. */
size_t durable_functions_count(void);

/* The mangled name of one of them; NULL for an empty record. */
const char *durable_functions_name(size_t index);

#endif
