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
  size_t size;             /* sizeof(hotjit_options) */
  const char *build_dir;   /* where compile_commands.json is */
  const char *socket;      /* default: PID.sock in the user's socket folder */
  int manual;              /* nonzero: reload only when asked to */
  int commit_at_safepoint; /* nonzero: see hotjit_safepoint */
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

/* Turns the engine off and joins its threads; live code stays live. A reload
   that is under way is abandoned; threads that wait for one return. It cannot
   be started again in this process. Not from a callback. */
int hotjit_stop(void);

/*
 * A place where it suits the program to get new code: between two frames, two
 * requests, two turns of the main loop.
 *
 * With HOTJIT_COMMIT_AT_SAFEPOINT=1 (or the option) code goes live here and
 * nowhere else: while one thread stands in this call, which then takes as long
 * as the callbacks and the switch take; everything else was made ready before.
 * So no turn of that thread's loop mixes old and new code. Other threads are
 * not stopped; those that come here meanwhile go on. Undo, redo and reinit wait
 * for it too, whoever asks; while the program itself waits in hotjit_reload or
 * hotjit_undo, that is a safe point as well. Saves wait as long as nobody
 * comes, and the last one wins; `hotjit status` says so.
 *
 * A function that is under way ends in its old body, which in an optimized
 * program may hold the old bodies of what it calls: call it in a loop that
 * reaches the rest through a function of another file, or a pointer.
 *
 * Otherwise, and when nothing waits, it does nothing and costs one load. Any
 * thread; not from a signal handler. In a callback it does nothing.
 */
void hotjit_safepoint(void);

enum hotjit_phase {
  /* Files were saved and are being compiled. */
  HOTJIT_PHASE_COMPILING = 0,
  /* The reload ended and changed nothing: it failed, was refused, or a later
     save took over. `message` says why. */
  HOTJIT_PHASE_FAILED = 1,
  /* The new code is complete and goes live next. A returned text vetoes that:
     the reload ends `refused` (HJ2010) with the text. */
  HOTJIT_PHASE_BEFORE = 2,
  /* New calls run the new code. Also after undo and redo, where `reload` is 0,
     and, with no functions, when the edit changed no code. */
  HOTJIT_PHASE_AFTER = 3
};

/* Valid while the callback runs. The lists end with a null pointer. */
typedef struct hotjit_reload_info {
  size_t size;     /* sizeof(hotjit_reload_info) of the library */
  unsigned reload; /* its number in what hotjit prints */
  /* After: the generation that is live now; before it, the one so far. */
  unsigned generation;
  /* Functions that get, got or would have got another body or are new, as
     people write them; edited ones and those that are swapped with them. */
  const char *const *functions;
  const char *const *types; /* edited classes and enumerations */
  const char *const *files; /* that differ from what is live: paths */
  const char *message;      /* failed: why; else empty */
} hotjit_reload_info;

/*
 * Returns null, or, in HOTJIT_PHASE_BEFORE, why the new code must not go live:
 * a text that lives at least until the callback is called again. What is
 * returned in other phases is ignored.
 */
typedef const char *(*hotjit_reload_callback)(enum hotjit_phase phase,
                                              const hotjit_reload_info *info,
                                              void *user);

/*
 * From now on callback(phase, info, user) is called at each phase of each
 * reload. Several may be registered; they are called in that order, and the
 * first veto counts. A pair that is registered already is not registered twice.
 * With a null callback, those with this user are taken out, and when it returns
 * HOTJIT_OK none of them runs (but the one that it is called from). The
 * callback's own code may be edited.
 *
 * Each COMPILING is followed by at most one BEFORE and then by exactly one
 * FAILED or AFTER of the same number; a save that joins a change may ask BEFORE
 * again.
 *
 * **Which thread**: one of hotjit's own, named "hotjit", one callback after
 * the other, while the program's threads run; lock what both use. With
 * commits at safe points, BEFORE, and AFTER of what went live there, are called
 * by the thread that stands in hotjit_safepoint. hotjit holds no lock
 * meanwhile.
 *
 * **What a callback may do**: anything that ends. In it, hotjit_stop,
 * hotjit_reload and hotjit_undo return HOTJIT_ERROR, hotjit_safepoint does
 * nothing; the rest works. On hotjit's thread it has five seconds: then a
 * BEFORE counts as a veto (HJ2011), and no callback is called until it has
 * returned. If it throws, or there ends by a signal such as SIGSEGV, it is left
 * where it stands, a BEFORE counts as a veto (HJ2011), and the program lives.
 * When the program exits, no further callback begins, and exit waits for one
 * that runs for at most a second.
 *
 * **Example**:
 *   static const char *reloaded(enum hotjit_phase phase,
 *                               const hotjit_reload_info *info, void *user) {
 *     if (phase == HOTJIT_PHASE_BEFORE && recording)
 *       return "a recording is under way";
 *     if (phase == HOTJIT_PHASE_AFTER)
 *       rebuild_caches(user);
 *     return NULL;
 *   }
 *   ...
 *   hotjit_on_reload(reloaded, &caches);
 */
int hotjit_on_reload(hotjit_reload_callback callback, void *user);

/*
 * Calls f(arg) and returns HOTJIT_OK when f has returned. If code that went
 * live crashes below it on this thread (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 * SIGTRAP, a stack overflow, abort) the reload that brought it is taken back,
 * and the call returns HOTJIT_ERROR; hotjit_last_error() says what crashed. The
 * frames between are left without their destructors: what they locked stays
 * locked, what they were changing is half changed. Needs the fence (`--fence
 * on`, the default under `hotjit run`); a crash in code as it was built is
 * never caught.
 *
 * f may throw; it must not be left by longjmp. Calls may nest.
 *
 * **Example**:
 *   if (hotjit_guard(draw_frame, &scene) != HOTJIT_OK)
 *     fprintf(stderr, "no picture: %s\n", hotjit_last_error());
 */
int hotjit_guard(void (*f)(void *arg), void *arg);

/* The number of the live generation: 0 is the program as it was built, and what
   is returned while hotjit is off. */
unsigned hotjit_generation(void);

/* Takes the last reload back, as `hotjit undo`, and waits until that is done.
 */
int hotjit_undo(void);

/* Reloads what was saved, as `hotjit reload`, and waits for the verdict.
   HOTJIT_OK: it is live, or nothing had changed. HOTJIT_ERROR: refused or
   failed, and hotjit_last_error() has the reasons. May be called with locks
   held, and from the code that is edited. */
int hotjit_reload(void);

/* What the compiler said to the last reload that it finished, as clang prints
   it. Null: nothing, or hotjit is off. Valid until the thread calls again or
   ends. */
const char *hotjit_diagnostics(void);

/* Why the last call of this thread failed, or why hotjit turned itself off.
   Never null; valid until the thread calls again or ends. */
const char *hotjit_last_error(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
