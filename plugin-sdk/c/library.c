/*
 * The few functions of a C library that bindings call, for a guest that has none.
 *
 * Memory is handed out from the end of the guest's data up to the end of what it began with, and never taken back: the
 * host puts the whole memory back for each transaction, so there is nothing to gain by keeping lists of what is free. It
 * never grows, because an instance whose memory grew is not used again. What does not fit ends the call.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 65536
#define ALIGNMENT 16

/* Where the linker put the end of the guest's data. */
extern unsigned char __heap_base;

/* Before each piece stands its size, for `realloc`. */
struct head {
    size_t size;
    unsigned char padding[ALIGNMENT - sizeof(size_t)];
};

static uintptr_t next;

void abort(void)
{
    __builtin_trap();
}

void *malloc(size_t size)
{
    if (next == 0)
        next = ((uintptr_t)&__heap_base + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    uintptr_t end = __builtin_wasm_memory_size(0) * PAGE_BYTES;
    if (size > end || next + sizeof(struct head) > end - size)
        abort();
    struct head *head = (struct head *)next;
    head->size = size;
    next = (next + sizeof(struct head) + size + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    return head + 1;
}

void *realloc(void *old, size_t size)
{
    if (old != NULL && ((struct head *)old - 1)->size >= size)
        return old;
    void *new = malloc(size);
    if (old != NULL)
        memcpy(new, old, ((struct head *)old - 1)->size);
    return new;
}

void free(void *memory)
{
    (void)memory;
}

void *memcpy(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

/* These two are one instruction each; without it they would call themselves. */
#ifndef __wasm_bulk_memory__
#error "compile with -mbulk-memory"
#endif

void *memmove(void *to, const void *from, size_t size)
{
    return __builtin_memmove(to, from, size);
}

void *memset(void *to, int octet, size_t size)
{
    return __builtin_memset(to, octet, size);
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (; size > 0; size--, left++, right++)
        if (*left != *right)
            return *left - *right;
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != 0)
        length++;
    return length;
}
