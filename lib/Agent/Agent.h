#ifndef HOTJIT_AGENT_AGENT_H
#define HOTJIT_AGENT_AGENT_H

/* What the files of libhotjit.so know of each other. Agent.c has the rules. */

#include "Agent/EngineAbi.h"
#include "hotjit/hotjit.h"
#include <pthread.h>
#include <signal.h>

/* -- Environment.c ------------------------------------------------------- */

/* What the environment asks for; strings are copies that live for ever. */
struct hotjit_environment {
  struct hotjit_engine_options options;
  const char *socket; /* where the engine must listen */
  const char *error;  /* a value that is none, or null */
};

/* Reads HOTJIT_* and takes them out of the environment, with the entry of
   `own_path` in LD_PRELOAD; puts HOTJIT_PROGRAM_SOCKET there. `given` (may be
   null) wins over the environment. Only while the program has one thread, or
   promises as setenv does. */
void hotjit_agent_read_environment(struct hotjit_environment *out,
                                   const hotjit_options *given,
                                   const char *own_path);

/* -- Signals.c ----------------------------------------------------------- */

/* From now on SIGILL is kept unblocked, and the program's actions for the
   signals of faults are kept apart once the engine has set its own. There is no
   way back: armed entries stay. */
void hotjit_agent_keep_signals(void);
/* As hotjit_engine_api.program_action. */
void hotjit_agent_program_action(int number, int deliver,
                                 struct sigaction *out);
/* Calls of sigaction from [begin, end) are the engine's. */
void hotjit_agent_set_engine_text(const char *begin, const char *end);
/* The next definition of `name` after ours: libc's, or that of another library
   that stands in front of it. Kept in *known; async-signal-safe but for the
   first time. */
void *hotjit_agent_next(_Atomic(void *) *known, const char *name);
/* libc's pthread_sigmask. */
int hotjit_agent_real_sigmask(int how, const sigset_t *set, sigset_t *old);
/* All signals but those that a fault of the thread itself raises. */
void hotjit_agent_quiet_signals(sigset_t *set);
void hotjit_agent_signals_fork_prepare(void);
void hotjit_agent_signals_fork_done(void);

/* -- Jobs.c -------------------------------------------------------------- */

/* Serves jobs on the calling thread until hotjit_agent_end_jobs, or until a
   job of it was given up and another thread took over. */
void hotjit_agent_serve_jobs(void);
int hotjit_agent_run_job(void (*f)(void *arg), void *arg, uint32_t timeout_ms);
/* Zero: a job runs, and nobody knows for how long. */
int hotjit_agent_end_jobs(void);
/* Any thread; `body` runs on a thread with a stack of 16 MB and quiet signals.
   Nonzero: errno's value. */
int hotjit_agent_start_thread(pthread_t *thread, void *(*body)(void *),
                              void *argument);

/* -- LastThread.c -------------------------------------------------------- */

/* Before the agent's thread is made; the other looks are cheap if this is on
   the thread that main runs on. */
void hotjit_agent_know_main_thread(void);
/* On the agent's thread: ends the process if no thread of the program is left.
   Returns if there is one. */
void hotjit_agent_end_with_program(void);

/* -- Callbacks.c --------------------------------------------------------- */

/* As hotjit_on_reload() with a callback and without; 0, or errno's value. */
int hotjit_agent_add_callback(hotjit_reload_callback callback, void *user);
int hotjit_agent_remove_callbacks(void *user);
/* Around fork(2). */
void hotjit_agent_callbacks_fork_prepare(void);
void hotjit_agent_callbacks_fork_parent(void);
void hotjit_agent_callbacks_fork_child(void);
/* Is this thread inside a callback? */
int hotjit_agent_in_callback(void);
/* Halves of EngineAbi.h. */
int hotjit_agent_has_callbacks(void);
int hotjit_agent_begin_callback(unsigned index,
                                hotjit_reload_callback *callback, void **user);
void hotjit_agent_end_callback(void);

/* -- Agent.c ------------------------------------------------------------- */

enum hotjit_agent_state {
  HOTJIT_AGENT_OFF,      /* never asked for */
  HOTJIT_AGENT_STARTING, /* the engine is being loaded */
  HOTJIT_AGENT_ON,
  HOTJIT_AGENT_BROKEN, /* could not start, or turned itself off */
  HOTJIT_AGENT_ENDED,  /* stopped, or in a forked child */
};

/* On the agent's thread, now and then: says it for an engine that broke and
   cannot. */
void hotjit_agent_watch_engine(void);
enum hotjit_agent_state hotjit_agent_current_state(void); /* one load */
/* Does the engine want to hear of safe points? One load. */
int hotjit_agent_wants_safepoint(void);
/* The engine's half of the interface; only while the state is ON. */
const struct hotjit_engine_api *hotjit_agent_engine(void);
/* Nonzero: HOTJIT_ERROR with why_broken(). `wait`: until it is loaded. */
int hotjit_agent_start(const hotjit_options *given, int wait);
/* HOTJIT_OFF: it was not on. `why`, if not null, is told. */
int hotjit_agent_stop(const char *why);
/* The same, and waits until no thread of hotjit is there that can end: what
   comes now would harm it. Any thread. */
void hotjit_agent_leave(const char *why);
/* Why the state is BROKEN; never null. */
const char *hotjit_agent_why_broken(void);

#endif
