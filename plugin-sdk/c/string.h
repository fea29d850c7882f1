/* What a guest without a C library has of <string.h>, from library.c. */
#ifndef MAILWRIGHT_STRING_H
#define MAILWRIGHT_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int octet, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

#endif
