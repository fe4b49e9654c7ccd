#include "store.h"
#include <stdlib.h>
#include <string.h>

struct entry {
  struct entry *next;
  char *name, *value;
};

#define BUCKETS 256
static struct entry *buckets[BUCKETS];
static size_t size;

static unsigned hash(const char *text) {
  unsigned result = 5381;
  while (*text)
    result = result * 33 + (unsigned char)*text++;
  return result % BUCKETS;
}

static struct entry *find(const char *name) {
  struct entry *e = buckets[hash(name)];
  while (e && strcmp(e->name, name) != 0)
    e = e->next;
  return e;
}

const char *store_get(const char *name) {
  struct entry *e = find(name);
  return e ? e->value : NULL;
}

int store_set(const char *name, const char *value) {
  struct entry *e = find(name);
  char *copy = strdup(value);
  if (!copy)
    return 0;
  if (!e) {
    struct entry **bucket = &buckets[hash(name)];
    e = calloc(1, sizeof(*e));
    if (!e || !(e->name = strdup(name))) {
      free(copy);
      free(e);
      return 0;
    }
    e->next = *bucket;
    *bucket = e;
    ++size;
  }
  free(e->value);
  e->value = copy;
  return 1;
}

size_t store_size(void) { return size; }
