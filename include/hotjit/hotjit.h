#ifndef HOTJIT_HOTJIT_H
#define HOTJIT_HOTJIT_H

/*
 * hotjit from inside the program. C11 and C++11.
 *
 * A program needs none of this to be reloaded: `hotjit run PROGRAM` is enough.
 * With libhotjit.so linked, HOTJIT=1 in the environment turns hotjit on before
 * main. If it is off, every function here does nothing and says so, so that no
 * #ifdef is needed.
 *
 * **Example**:
 *   while (running) {
 *     hotjit_safepoint();
 *     update();
 *   }
 */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What the functions return. */
enum {
  HOTJIT_OK = 0,
  HOTJIT_OFF = 1,   /* hotjit is not on in this process; nothing was done */
  HOTJIT_ERROR = 2, /* hotjit_last_error() says what */
  /* Known, but not built yet; hotjit_last_error() names it. */
  HOTJIT_NOT_IN_THIS_VERSION = 3
};

/*
 * How to start. Set it to zero first: a null pointer or a zero takes the value
 * from the environment (HOTJIT_BUILD_DIR, ...), which has all options.
 */
typedef struct hotjit_options {
  size_t size;           /* sizeof(hotjit_options) */
  const char *build_dir; /* where compile_commands.json is */
  const char *socket;    /* default: PID.sock in the user's socket folder */
  int manual;            /* nonzero: reload only when asked to */
} hotjit_options;

/*
 * Turns hotjit on; options may be null. Waits until the engine is loaded (not
 * until it is ready to reload). If it is on already it does nothing and returns
 * HOTJIT_OK. Call it from main or later: a constructor of a library that is
 * being dlopened holds the loader's lock, which loading the engine needs.
 *
 * **Example**:
 *   if (hotjit_start(NULL) != HOTJIT_OK)
 *     fprintf(stderr, "no hot reload: %s\n", hotjit_last_error());
 */
int hotjit_start(const hotjit_options *options);

/* Turns the engine off and joins its threads; live code stays live. It cannot
   be started again in this process. */
int hotjit_stop(void);

/* A place where it would suit the program to get new code. One load, and
   nothing else: commits only at safe points are not in this version
   (HOTJIT_COMMIT_AT_SAFEPOINT is refused). */
void hotjit_safepoint(void);

enum hotjit_phase {
  HOTJIT_PHASE_COMPILING = 0,
  HOTJIT_PHASE_FAILED = 1,
  HOTJIT_PHASE_BEFORE = 2, /* a returned text vetoes the reload */
  HOTJIT_PHASE_AFTER = 3
};

typedef struct hotjit_reload_info {
  size_t size;
  unsigned reload;
  const char *const *functions; /* these end with a null pointer */
  const char *const *types;
  const char *const *files;
} hotjit_reload_info;

typedef const char *(*hotjit_reload_callback)(enum hotjit_phase phase,
                                              const hotjit_reload_info *info,
                                              void *user);

/* Not in this version: returns HOTJIT_NOT_IN_THIS_VERSION (HOTJIT_OFF if hotjit
   is off) and never calls the callback. */
int hotjit_on_reload(hotjit_reload_callback callback, void *user);

/* Calls f(arg). With hotjit off it returns HOTJIT_OK when f has returned. With
   hotjit on, ending the call on a fault in new code is not in this version:
   returns HOTJIT_NOT_IN_THIS_VERSION *without* calling f. */
int hotjit_guard(void (*f)(void *arg), void *arg);

/* The number of the live generation: 0 is the program as it was built, and what
   is returned while hotjit is off. */
unsigned hotjit_generation(void);

/* Takes the last reload back, as `hotjit undo`. Not in this version. */
int hotjit_undo(void);

/* Reloads what was saved, as `hotjit reload`. Not in this version. */
int hotjit_reload(void);

/* What the compiler said last, as clang prints it. Not in this version: always
   a null pointer. */
const char *hotjit_diagnostics(void);

/* Why the last call of this thread failed, or why hotjit turned itself off.
   Never null; valid until the thread's next call. */
const char *hotjit_last_error(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
