// SPDX-License-Identifier: MIT
// What a program may ask valgrind; nothing happens outside of it, and without its headers nobody asks.
#pragma once

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define CHECK_HAS_VALGRIND 1
#else
#define CHECK_HAS_VALGRIND 0
#define VALGRIND_MAKE_MEM_NOACCESS(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#define VALGRIND_MAKE_MEM_UNDEFINED(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#define VALGRIND_CHECK_MEM_IS_DEFINED(address, bytes) \
    (static_cast<void>(address), static_cast<void>(bytes), 0)
#define VALGRIND_COUNT_ERRORS 0
#define RUNNING_ON_VALGRIND 0
#endif
