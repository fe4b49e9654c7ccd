/*
 * The environment: what it asks for, and cleaning it.
 *
 * A program that the user's program executes must start without hotjit, and
 * the program itself should see the environment that it would see without. So
 * before main, HOTJIT* and our entry in LD_PRELOAD go. This is done in place,
 * in the array that main gets as its third parameter too: unsetenv and setenv
 * would work on a copy. Strings are copied first: programs overwrite that
 * memory (setproctitle).
 */

#include "Agent.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static const char *copy(const char *text) { return text ? strdup(text) : NULL; }

static const char *absolute(const char *path, const char *folder) {
  char *result;
  if (!path || path[0] == '/' || !folder)
    return copy(path);
  if (asprintf(&result, "%s/%s", folder, path) < 0)
    return NULL;
  return result;
}

/* -- Values -------------------------------------------------------------- */

static void wrong(struct hotjit_environment *out, const char *name,
                  const char *value, const char *expected) {
  char *text;
  if (!out->error &&
      asprintf(&text, "%s=%s: expected %s", name, value, expected) >= 0)
    out->error = text;
}

static uint32_t number(struct hotjit_environment *out, const char *name) {
  const char *value = getenv(name);
  char *end;
  unsigned long result;
  if (!value)
    return UINT32_MAX;
  result = strtoul(value, &end, 10);
  if (value[0] < '0' || value[0] > '9' || *end || result >= UINT32_MAX) {
    wrong(out, name, value, "a number");
    return UINT32_MAX;
  }
  return (uint32_t)result;
}

/* The index of the value in `words`, or `absent`. */
static int choice(struct hotjit_environment *out, const char *name, int absent,
                  const char *word0, const char *word1) {
  const char *value = getenv(name);
  char expected[64];
  if (!value)
    return absent;
  if (!strcmp(value, word0))
    return 0;
  if (!strcmp(value, word1))
    return 1;
  snprintf(expected, sizeof(expected), "%s or %s", word0, word1);
  wrong(out, name, value, expected);
  return absent;
}

/* "a:b" as an array that ends with a null pointer. */
static const char *const *list(const char *name) {
  const char *value = getenv(name);
  size_t count = 0, parts = 2;
  const char **result;
  char *text, *part, *rest;
  for (const char *c = value; c && *c; ++c)
    parts += *c == ':';
  result = calloc(parts, sizeof(*result));
  text = value ? strdup(value) : NULL;
  for (part = text ? strtok_r(text, ":", &rest) : NULL; part && result;
       part = strtok_r(NULL, ":", &rest))
    result[count++] = part;
  return result;
}

/* As Wire's socketFolder() and socketPath(); a test compares the two. */
static const char *default_socket(void) {
  const char *folder = getenv("XDG_RUNTIME_DIR");
  char *result;
  int length;
  if (folder && folder[0] == '/') {
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
      --size;
    length = asprintf(&result, "%.*s/hotjit/%d.sock", (int)size, folder,
                      (int)getpid());
  } else {
    length = asprintf(&result, "/tmp/hotjit-%u/%d.sock", (unsigned)geteuid(),
                      (int)getpid());
  }
  return length < 0 ? NULL : result;
}

/* As the XDG base directory specification says. */
static const char *cache_dir(void) {
  const char *folder = getenv("XDG_CACHE_HOME");
  const char *home = getenv("HOME");
  if (folder && folder[0] == '/')
    return absolute("hotjit", folder);
  if (home && home[0] == '/' && home[1])
    return absolute(".cache/hotjit", home);
  return NULL;
}

static void read_values(struct hotjit_environment *out,
                        const hotjit_options *given) {
  struct hotjit_engine_options *options = &out->options;
  const char *build_dir = getenv("HOTJIT_BUILD_DIR");
  const char *socket = getenv("HOTJIT_SOCKET");
  const char *events = getenv("HOTJIT_EVENTS");
  char folder[PATH_MAX];
  const char *here = getcwd(folder, sizeof(folder));

  options->abi = HOTJIT_ENGINE_ABI;
  options->trigger = choice(out, "HOTJIT_TRIGGER", 0, "save", "manual");
  if (given && given->build_dir)
    build_dir = given->build_dir;
  if (given && given->socket)
    socket = given->socket;
  if (given && given->manual)
    options->trigger = HOTJIT_TRIGGER_MANUAL;
  options->build_dir = absolute(build_dir, here);
  options->runtime_dir = copy(getenv("XDG_RUNTIME_DIR"));
  options->cache_dir = cache_dir();
  options->working_dir = copy(here);
  options->log = absolute(getenv("HOTJIT_LOG"), here);
  options->events =
      events && !strcmp(events, "-") ? copy(events) : absolute(events, here);
  options->include = list("HOTJIT_INCLUDE");
  options->exclude = list("HOTJIT_EXCLUDE");
  options->on_refusal = choice(out, "HOTJIT_ON_REFUSAL", 0, "keep", "ask");
  options->debounce_ms = number(out, "HOTJIT_DEBOUNCE");
  options->cache_memory_mb = number(out, "HOTJIT_CACHE_MEMORY");
  options->compile_limit_s = number(out, "HOTJIT_COMPILE_LIMIT");
  options->compile_memory_mb = number(out, "HOTJIT_COMPILE_MEMORY");
  options->fence = choice(out, "HOTJIT_FENCE", -1, "off", "on");
  options->verbose = choice(out, "HOTJIT_VERBOSE", 0, "0", "1");
  options->commit_at_safepoint =
      choice(out, "HOTJIT_COMMIT_AT_SAFEPOINT", 0, "0", "1");
  if (given && given->commit_at_safepoint)
    options->commit_at_safepoint = 1;
  options->under_launcher = getenv("HOTJIT_LAUNCHER") != NULL;
  options->check_compile = choice(out, "HOTJIT_CHECK_COMPILE", 0, "0", "1");
  out->socket = socket ? absolute(socket, here) : default_socket();
  if (!out->socket || !options->include || !options->exclude)
    out->error = "out of memory";
}

/* -- Cleaning ------------------------------------------------------------ */

static int same_file(const char *entry, size_t length, const char *own_path) {
  char path[PATH_MAX];
  struct stat a, b;
  if (length >= sizeof(path))
    return 0;
  memcpy(path, entry, length);
  path[length] = '\0';
  if (!strcmp(path, own_path))
    return 1;
  return stat(path, &a) == 0 && stat(own_path, &b) == 0 &&
         a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* "LD_PRELOAD=..." without our entry; null if nothing is left of it. */
static char *without_own_entry(char *variable, const char *own_path) {
  static const char name[] = "LD_PRELOAD=";
  const char *list = variable + sizeof(name) - 1;
  char *result = malloc(strlen(variable) + 1), *end;
  if (!result)
    return variable;
  end = stpcpy(result, name);
  while (*list) {
    size_t length = strcspn(list, " :");
    if (length && !same_file(list, length, own_path)) {
      if (end[-1] != '=')
        *end++ = ':';
      memcpy(end, list, length);
      end += length;
    }
    list += length;
    list += *list != '\0';
  }
  *end = '\0';
  if (end[-1] == '=') {
    free(result);
    return NULL;
  }
  return result;
}

static void clean(const char *own_path, char *program_socket) {
  char **to = environ;
  if (!to)
    return;
  for (char **from = environ; *from; ++from) {
    char *variable = *from;
    if (!strncmp(variable, "HOTJIT", 6)) {
      /* There is room for one where HOTJIT=1 was. */
      variable = program_socket;
      program_socket = NULL;
    } else if (!strncmp(variable, "LD_PRELOAD=", 11)) {
      variable = without_own_entry(variable, own_path);
    }
    if (variable)
      *to++ = variable;
  }
  *to = NULL;
  /* hotjit_start() without HOTJIT in the environment. */
  if (program_socket)
    putenv(program_socket);
}

void hotjit_agent_read_environment(struct hotjit_environment *out,
                                   const hotjit_options *given,
                                   const char *own_path) {
  char *program_socket;
  memset(out, 0, sizeof(*out));
  read_values(out, given);
  if (asprintf(&program_socket, "HOTJIT_PROGRAM_SOCKET=%s",
               out->socket ? out->socket : "") < 0)
    program_socket = NULL;
  clean(own_path, program_socket);
}
