/* Names and their values, for as long as the server runs. */
#ifndef STORE_H
#define STORE_H

#include <stddef.h>

/* Null: there is none. Valid until the next change. */
const char *store_get(const char *name);
/* 0: out of memory. */
int store_set(const char *name, const char *value);
size_t store_size(void);

#endif
