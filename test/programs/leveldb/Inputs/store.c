// A store that does one operation of LevelDB per line of input:
//
//   fill N         N entries, written out to tables
//   get KEY | count | size | property NAME | again (opening it twice)
//   load           (with OPEN_LATER, which opens the library by its name)
//
//   store FOLDER [LIBRARY]
#include <dlfcn.h>
#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS(F)                                                           \
  F(leveldb_options_create)                                                    \
  F(leveldb_options_set_create_if_missing)                                     \
  F(leveldb_options_set_error_if_exists)                                       \
  F(leveldb_options_destroy)                                                   \
  F(leveldb_readoptions_create)                                                \
  F(leveldb_readoptions_destroy)                                               \
  F(leveldb_writeoptions_create)                                               \
  F(leveldb_writeoptions_destroy)                                              \
  F(leveldb_open)                                                              \
  F(leveldb_close)                                                             \
  F(leveldb_put)                                                               \
  F(leveldb_get)                                                               \
  F(leveldb_compact_range)                                                     \
  F(leveldb_approximate_sizes)                                                 \
  F(leveldb_property_value)                                                    \
  F(leveldb_create_iterator)                                                   \
  F(leveldb_iter_destroy)                                                      \
  F(leveldb_iter_seek_to_first)                                                \
  F(leveldb_iter_valid)                                                        \
  F(leveldb_iter_next)                                                         \
  F(leveldb_free)

// The library's functions, called through pointers in both programs.
static struct {
#define DECLARE(Name) __typeof__(Name) *Name;
  FUNCTIONS(DECLARE)
} Lib;

static const char *Folder;
static leveldb_t *Store;

static leveldb_t *openStore(int ErrorIfExists, char **Error) {
  leveldb_options_t *O = Lib.leveldb_options_create();
  Lib.leveldb_options_set_create_if_missing(O, 1);
  Lib.leveldb_options_set_error_if_exists(O, (unsigned char)ErrorIfExists);
  leveldb_t *Opened = Lib.leveldb_open(O, Folder, Error);
  Lib.leveldb_options_destroy(O);
  return Opened;
}

static void load(const char *Path) {
#ifdef OPEN_LATER
  void *Library = dlopen(Path, RTLD_NOW);
  if (!Library) {
    puts(dlerror());
    exit(1);
  }
#define FIND(Name) Lib.Name = (__typeof__(Name) *)dlsym(Library, #Name);
  FUNCTIONS(FIND)
#else
#define TAKE(Name) Lib.Name = Name;
  FUNCTIONS(TAKE)
#endif
  char *Error = NULL;
  Store = openStore(0, &Error);
  if (!Store) {
    puts(Error);
    exit(1);
  }
}

static void fill(int Count) {
  leveldb_writeoptions_t *W = Lib.leveldb_writeoptions_create();
  for (int I = 0; I != Count; ++I) {
    char Key[32], Value[64], *Error = NULL;
    snprintf(Key, sizeof Key, "key%06d", I);
    snprintf(Value, sizeof Value, "value of %d", I);
    Lib.leveldb_put(Store, W, Key, strlen(Key), Value, strlen(Value), &Error);
  }
  Lib.leveldb_writeoptions_destroy(W);
  Lib.leveldb_compact_range(Store, NULL, 0, NULL, 0);
}

static int count(void) {
  leveldb_readoptions_t *R = Lib.leveldb_readoptions_create();
  leveldb_iterator_t *It = Lib.leveldb_create_iterator(Store, R);
  int Count = 0;
  for (Lib.leveldb_iter_seek_to_first(It); Lib.leveldb_iter_valid(It);
       Lib.leveldb_iter_next(It))
    ++Count;
  Lib.leveldb_iter_destroy(It);
  Lib.leveldb_readoptions_destroy(R);
  return Count;
}

static void get(const char *Key) {
  leveldb_readoptions_t *R = Lib.leveldb_readoptions_create();
  size_t Size = 0;
  char *Error = NULL;
  char *Value = Lib.leveldb_get(Store, R, Key, strlen(Key), &Size, &Error);
  printf("%s: %.*s\n", Key, Value ? (int)Size : 4, Value ? Value : "none");
  Lib.leveldb_free(Value);
  Lib.leveldb_readoptions_destroy(R);
}

static unsigned long long size(void) {
  const char *From[] = {"a"}, *To[] = {"key002500"};
  size_t FromSize[] = {1}, ToSize[] = {9};
  uint64_t Size = 0;
  Lib.leveldb_approximate_sizes(Store, 1, From, FromSize, To, ToSize, &Size);
  return Size;
}

static void obey(const char *Word, const char *Rest, const char *Path) {
  if (!strcmp(Word, "load"))
    load(Path);
  if (!strcmp(Word, "fill"))
    fill(atoi(Rest));
  if (!strcmp(Word, "get")) {
    get(Rest);
  } else if (!strcmp(Word, "property")) {
    char *Value = Lib.leveldb_property_value(Store, Rest);
    puts(Value ? Value : "none");
    Lib.leveldb_free(Value);
  } else if (!strcmp(Word, "again")) {
    char *Error = NULL;
    openStore(1, &Error);
    puts(strrchr(Error, ':') + 2);
  } else if (!strcmp(Word, "size")) {
    printf("size %llu\n", size());
  } else {
    printf("%s: %d\n", Word, Store ? count() : -1);
  }
}

int main(int Argc, char **Argv) {
  char Line[256];
  Folder = Argv[1];
  setvbuf(stdout, NULL, _IOLBF, 0);
#ifndef OPEN_LATER
  load(NULL);
#endif
  while (fgets(Line, sizeof Line, stdin)) {
    char *Rest;
    char *Word = strtok_r(Line, " \n", &Rest);
    Rest[strcspn(Rest, "\n")] = 0;
    obey(Word ? Word : "", Rest, Argc > 2 ? Argv[2] : NULL);
  }
  if (Store)
    Lib.leveldb_close(Store);
  return 0;
}
