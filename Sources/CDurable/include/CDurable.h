#ifndef DURABLE_CDURABLE_H
#define DURABLE_CDURABLE_H

#include "functions.h"
#include "memory.h"
#include "page.h"
#include "process.h"
#include "role.h"
#include "segment.h"

#if __has_include("io.h")
#include "io.h"
#endif

#endif
