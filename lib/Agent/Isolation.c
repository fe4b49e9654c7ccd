/*
 * A program may define functions that libc has too: a game has an `index` and a
 * `listen`, a test replaces `time`. Such a definition comes first in the order
 * in which the loader looks names up, for every library; and the engine, which
 * wants to listen on a socket, would call the game.
 *
 * So this file is part of the agent, which calls it first of all, and of the
 * engine, where it is the first constructor: what either calls under names of
 * libc, libm and the loader is bound to these. (What is used here to do that is
 * the program's if it has it: dlsym, mprotect, strcmp.) Not bound so:
 *
 *  - malloc and its family. libc calls the program's (strdup, getline), and who
 *    frees must be who allocated.
 *  - what the agent interposes itself (Signals.c).
 *  - anything in a program with a sanitizer, whose interceptors must see the
 *    engine's threads and memory, or they take what it does for a race.
 *
 * System V ABI, AMD64 supplement, 5.2 "Dynamic Linking" (global offset table);
 * ld.so(8).
 */

#include "Agent/Isolation.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const of_the_program[] = {
    "malloc",         "calloc",   "realloc",   "reallocarray",
    "free",           "cfree",    "memalign",  "aligned_alloc",
    "posix_memalign", "valloc",   "pvalloc",   "malloc_usable_size",
    "malloc_trim",    "mallinfo", "mallinfo2", "mallopt",
};

static const char *const sanitizers[] = {
    "__asan_init",   "__tsan_init",          "__msan_init",
    "__hwasan_init", "__lsan_do_leak_check",
};

struct object {
  const struct link_map *map;
  const ElfW(Sym) * symbols;
  const char *strings;
  const ElfW(Rela) * relocations[2]; /* of data, of calls */
  size_t counts[2];
  uintptr_t read_only_begin, read_only_end; /* once the loader is done */
  /* Where the agent lies, which interposes some names; null in its own slots,
     where its address is only that of code which looks a name up at the first
     call. */
  const void *agent;
};

/* The loader has made addresses of these; not in every object, and not of the
   vDSO. */
static const void *address_of(const struct link_map *map, const ElfW(Dyn) * d) {
  uintptr_t value = d->d_un.d_ptr;
  return (const void *)(value < map->l_addr ? value + map->l_addr : value);
}

static int find_read_only(struct dl_phdr_info *info, size_t size, void *data) {
  struct object *object = data;
  (void)size;
  if (info->dlpi_addr != object->map->l_addr)
    return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i)
    if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
      uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
      uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      object->read_only_begin = begin & -page;
      object->read_only_end = (begin + info->dlpi_phdr[i].p_memsz) & -page;
    }
  return 1;
}

static void read_object(const struct link_map *map, struct object *out) {
  memset(out, 0, sizeof(*out));
  out->map = map;
  for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; ++d)
    switch (d->d_tag) {
    case DT_SYMTAB:
      out->symbols = address_of(map, d);
      break;
    case DT_STRTAB:
      out->strings = address_of(map, d);
      break;
    case DT_RELA:
      out->relocations[0] = address_of(map, d);
      break;
    case DT_RELASZ:
      out->counts[0] = d->d_un.d_val / sizeof(ElfW(Rela));
      break;
    case DT_JMPREL:
      out->relocations[1] = address_of(map, d);
      break;
    case DT_PLTRELSZ:
      out->counts[1] = d->d_un.d_val / sizeof(ElfW(Rela));
      break;
    }
  dl_iterate_phdr(find_read_only, out);
}

static int is_among(const char *name, const char *const *names, size_t count) {
  for (size_t i = 0; i != count; ++i)
    if (strcmp(name, names[i]) == 0)
      return 1;
  return 0;
}

static const void *base_of(const void *address) {
  Dl_info info;
  return dladdr(address, &info) ? info.dli_fbase : NULL;
}

static void write_slot(const struct object *object, uintptr_t *slot,
                       uintptr_t value) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t at = (uintptr_t)slot;
  void *begin = (void *)(at & -page);
  int is_read_only =
      at >= object->read_only_begin && at < object->read_only_end;
  if (is_read_only && mprotect(begin, page, PROT_READ | PROT_WRITE) != 0)
    return;
  __atomic_store_n(slot, value, __ATOMIC_RELEASE);
  if (is_read_only)
    mprotect(begin, page, PROT_READ);
}

static void bind_slot(const struct object *object, void *libraries,
                      const ElfW(Rela) * relocation) {
  unsigned type = ELF64_R_TYPE(relocation->r_info);
  const ElfW(Sym) *symbol = &object->symbols[ELF64_R_SYM(relocation->r_info)];
  uintptr_t *slot = (uintptr_t *)(object->map->l_addr + relocation->r_offset);
  const char *name = object->strings + symbol->st_name;
  void *wanted;
  if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT &&
       type != R_X86_64_64) ||
      symbol->st_shndx != SHN_UNDEF || symbol->st_name == 0 ||
      relocation->r_addend != 0 ||
      ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT ||
      ELF64_ST_TYPE(symbol->st_info) == STT_TLS ||
      is_among(name, of_the_program,
               sizeof(of_the_program) / sizeof(*of_the_program)))
    return;
  wanted = dlsym(libraries, name);
  if (!wanted || *slot == (uintptr_t)wanted ||
      (object->agent && base_of((const void *)*slot) == object->agent))
    return;
  write_slot(object, slot, (uintptr_t)wanted);
}

static void bind(const struct link_map *map, void *libraries) {
  struct object object;
  const void *agent = base_of(dlsym(RTLD_DEFAULT, "hotjit_start"));
  read_object(map, &object);
  object.agent = agent == base_of(map->l_ld) ? NULL : agent;
  if (!object.symbols || !object.strings)
    return;
  for (int i = 0; i != 2; ++i)
    for (size_t j = 0; object.relocations[i] && j != object.counts[i]; ++j)
      bind_slot(&object, libraries, &object.relocations[i][j]);
}

void hotjit_bind_to_libc(void) {
  struct link_map *map = NULL;
  Dl_info own;
  void *libraries;
  for (size_t i = 0; i != sizeof(sanitizers) / sizeof(*sanitizers); ++i)
    if (dlsym(RTLD_DEFAULT, sanitizers[i]))
      return;
  /* And libc, on which it depends. */
  libraries = dlopen("libm.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (!libraries)
    libraries = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (!libraries)
    return;
  if (dladdr1((const void *)&bind_slot, &own, (void **)&map, RTLD_DL_LINKMAP))
    bind(map, libraries);
  dlclose(libraries);
}

#ifdef HOTJIT_ENGINE
/* The lowest priority that is not libc's own: before all others. */
__attribute__((constructor(101))) static void bind_engine(void) {
  hotjit_bind_to_libc();
}
#endif
