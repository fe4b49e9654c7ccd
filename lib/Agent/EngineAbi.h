#ifndef HOTJIT_AGENT_ENGINEABI_H
#define HOTJIT_AGENT_ENGINEABI_H

/*
 * What libhotjit.so (the agent, C) and libhotjit-engine.so (C++, LLVM inside)
 * know of each other. C11 and C++; the two libraries are built and shipped
 * together, so a version number that must be equal is enough.
 *
 * Who runs what, where:
 *
 *   agent's thread "hotjit"           engine's threads
 *   ----------------------            ----------------
 *   dlopen(engine)
 *   hotjit_engine_start() ----------> starts its threads and returns
 *   waits for jobs  <---------------- api->run(f): initializers of new code
 *   runs f                            (waits)
 *
 * The agent's thread shares the program's descriptor table and stays so: the
 * engine must unshare on threads of its own, never on the caller of
 * hotjit_engine_start. Every thread of hotjit has all signals blocked but
 * SEGV, BUS, ILL, FPE, ABRT, TRAP; threads that the engine makes inherit that.
 *
 * Signals. The agent interposes sigaction and its relatives for the whole
 * process. A call of sigaction for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT or
 * SIGTRAP from inside the engine library sets the process's handler, which then
 * stays: the program's own calls for that signal only change what
 * program_action gives.
 */

#include "hotjit/hotjit.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HOTJIT_ENGINE_ABI 4

/* As in HOTJIT_TRIGGER. */
enum hotjit_trigger { HOTJIT_TRIGGER_SAVE = 0, HOTJIT_TRIGGER_MANUAL = 1 };

/* As in HOTJIT_ON_REFUSAL ("restart" is refused before it comes here). */
enum hotjit_on_refusal {
  HOTJIT_ON_REFUSAL_KEEP = 0,
  HOTJIT_ON_REFUSAL_ASK = 1
};

/*
 * What the user asked for: the environment or hotjit_start(). Strings and
 * arrays belong to the agent and live as long as the process. A null string
 * means that it was not given; relative paths were made absolute. The engine
 * refuses what it does not support, by returning an error from start.
 */
struct hotjit_engine_options {
  uint32_t abi; /* HOTJIT_ENGINE_ABI */

  const char *build_dir; /* where compile_commands.json is */
  /* XDG_RUNTIME_DIR as the program had it when hotjit was started: the engine
     must not call getenv, the program may be writing the environment. */
  const char *runtime_dir;
  const char *cache_dir;   /* where hotjit may keep files; null: nowhere */
  const char *working_dir; /* of the program, when hotjit was started */
  const char *log;         /* file for hotjit's own log, appended to */
  const char *events; /* file for the event stream, "-" is stderr; null under
                         `hotjit run`, which writes it as a client */
  const char *const *include; /* globs, ended by a null pointer; never null */
  const char *const *exclude;

  enum hotjit_trigger trigger;
  enum hotjit_on_refusal on_refusal;
  uint32_t debounce_ms;        /* UINT32_MAX: not given */
  uint32_t cache_memory_mb;    /* UINT32_MAX: not given */
  uint32_t compile_limit_s;    /* UINT32_MAX: not given */
  uint32_t compile_memory_mb;  /* UINT32_MAX: not given */
  int32_t fence;               /* 1 on, 0 off, -1 not given */
  int32_t verbose;             /* 1: log at debug level */
  int32_t commit_at_safepoint; /* HOTJIT_COMMIT_AT_SAFEPOINT */
  int32_t under_launcher;      /* 1: `hotjit run` is the parent */
  int32_t check_compile;       /* 1: compile everything in two ways, compare */
};

enum {
  HOTJIT_RUN_DONE = 0,
  HOTJIT_RUN_TIMEOUT = 1, /* f has not returned in time; the thread is lost, a
                             new one is started for the next job */
  HOTJIT_RUN_OFF = 2,     /* there is no thread: a forked child, or stopped */
};

struct sigaction;

struct hotjit_engine_api {
  uint32_t abi; /* HOTJIT_ENGINE_ABI, set by the agent */

  /* -- Filled by the agent before start; valid for ever. ------------------ */

  /* Calls f(arg) on the agent's thread, which shares the program's descriptor
     table, and waits until it returns or timeout_ms have passed (0: for ever).
     One call at a time. From any engine thread. f must not unwind; a fault in
     it is caught, if at all, by the engine's own handlers (siglongjmp out of f
     back into f is fine, past f is not). */
  int (*run)(void (*f)(void *arg), void *arg, uint32_t timeout_ms);

  /* What the program wants of a signal for which the engine has a handler. With
     `deliver` it is about to be done: a handler for one time (SA_RESETHAND) is
     forgotten. Async-signal-safe, any thread, for ever. */
  void (*program_action)(int signal, int deliver, struct sigaction *out);

  /* The engine turned itself off; `why` is copied. Live code stays. Nothing of
     the engine is called afterwards except `stop`. `told`: somebody listens to
     its events; else the program's stderr gets a line. Any thread. */
  void (*off)(const char *why, int told);

  /* Makes hotjit_safepoint() call `safepoint` below, or not. Any thread. */
  void (*want_safepoint)(int wanted);

  /* The callbacks of hotjit_on_reload, which the engine calls: is there any
     (one load); the index-th, from 0 in the order of registration. Nonzero: it
     is there, and until end_callback, which must follow on the same thread, the
     thread counts as being inside it. Zero: there is none, or the program is
     about to exit. No lock is held between the two. Any thread. */
  int (*has_callbacks)(void);
  int (*begin_callback)(unsigned index, hotjit_reload_callback *callback,
                        void **user);
  void (*end_callback)(void);

  /* The path that the engine must bind: the agent has put it into the program's
     environment as HOTJIT_PROGRAM_SOCKET before main. Never null. */
  const char *socket;

  /* -- Filled by the engine in start. ------------------------------------- */

  /* Joins the engine's threads, removes the socket; live code stays. `why`, if
     not null, is told before. Called once, on a thread of the program. */
  void (*stop)(const char *why);
  unsigned (*generation)(void); /* any thread, one load */
  /* Why the engine cannot go on, while it has not come to call `off`; null:
     all is well. If it stays so its thread hangs, and the agent says it. No
     lock, no memory is taken. Agent's thread. */
  const char *(*broken)(void);
  /* hotjit_guard: nonzero if f(arg) has crashed in new code, and error says
     how. What f throws passes through. Any thread. */
  int (*guard)(void (*f)(void *arg), void *arg, char *error,
               uint32_t error_size);
  /* They wait. 0, or nonzero with the reason in *why. On any thread of the
     program that is not inside a callback. Texts are to be freed. */
  int (*undo)(char **why);
  int (*reload)(char **why);
  char *(*diagnostics)(void); /* null: the compiler had nothing to say */
  /* A thread of the program is at a safe point, and want_safepoint was true:
     commits what waits for that, if no other thread does. */
  void (*safepoint)(void);

  /* Around fork(2), in the program's thread that forks: wait until no load or
     link is in flight; go on; forget threads, descriptors and locks. */
  void (*fork_prepare)(void);
  void (*fork_parent)(void);
  void (*fork_child)(void);
};

/*
 * Starts the engine. Called once in a process, on the agent's thread. Returns 0
 * when its threads run (the program may not be ready for reloads yet: that is
 * the `ready` event), else nonzero with the reason in error, which has room for
 * error_size bytes; the library is then not used any more.
 */
int hotjit_engine_start(const struct hotjit_engine_options *options,
                        struct hotjit_engine_api *api, char *error,
                        uint32_t error_size);

/*
 * What `hotjit doctor` wants to know. Asked of the library outside of any
 * program, by the command: it examines a file, which need not run.
 */
struct hotjit_doctor_question {
  uint32_t abi;               /* HOTJIT_ENGINE_ABI */
  const char *program;        /* a file */
  const char *build_dir;      /* null: to be found */
  const char *cache_dir;      /* as in hotjit_engine_options */
  const char *const *include; /* null-terminated, or null */
  const char *const *exclude;
  const char *const *linked; /* files of the shared objects that are loaded with
                                it, but for hotjit's */
  const char *const *opened; /* and of those that it has opened since it runs */
};

/* The command's exit status if it cannot tell: of the library too, which ends
   the command if the compiler crashes beyond help. */
#define HOTJIT_DOCTOR_CANNOT_TELL 2

/* JSON (lib/Wire/Checkup.h), to be freed; null: another version. */
char *hotjit_engine_doctor(const struct hotjit_doctor_question *question);

typedef char *(*hotjit_engine_doctor_function)(
    const struct hotjit_doctor_question *question);

typedef int (*hotjit_engine_start_function)(
    const struct hotjit_engine_options *options, struct hotjit_engine_api *api,
    char *error, uint32_t error_size);

#ifdef __cplusplus
}
#endif

#endif
