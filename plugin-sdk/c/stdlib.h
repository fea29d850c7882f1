/* What a guest without a C library has of <stdlib.h>: memory, from library.c. */
#ifndef MAILWRIGHT_STDLIB_H
#define MAILWRIGHT_STDLIB_H

#include <stddef.h>

void *malloc(size_t size);
void *realloc(void *old, size_t size);
void free(void *memory);
_Noreturn void abort(void);

#endif
