/*
 * The agent: the part of hotjit that stands in the user's program.
 *
 * It is there before main, whether hotjit is wanted or not, in programs that
 * replace malloc, close all descriptors, install handlers for every signal,
 * and fork at any moment. Its only work is to load the engine on a thread of
 * its own when asked to, to keep the signals of faults for it (Signals.c), to
 * run its jobs (Jobs.c), to end with the program's last thread (LastThread.c),
 * and to leave no trace in the environment (Environment.c).
 *
 * Rules for every line here, because it runs inside somebody else's program:
 *
 *  - Off costs nothing. With HOTJIT not "1" the constructor returns after one
 *    getenv: no thread, no mapping, no descriptor, no handler, no allocation.
 *  - Nothing here may end, hang or surprise the program. An error makes the
 *    state BROKEN, which is what hotjit_last_error() tells, and the program
 *    runs on.
 *  - What the program may call from a signal handler (the interposed
 *    functions) takes no lock, allocates nothing and preserves errno.
 *  - C and libc only. No stdio: its buffers are the program's.
 *  - The program's callbacks (Callbacks.c) run with no lock held.
 *  - No descriptor stays open here; the engine's are in a table of its own.
 *  - A forked child has no thread of ours: the state becomes ENDED there, while
 *    live code and the rules for SIGILL stay.
 *  - Names: what is exported is in Agent.map; all else is static or hidden.
 */

#include "Agent.h"
#include "Agent/Isolation.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic(enum hotjit_agent_state) state;
static struct hotjit_environment environment;
static struct hotjit_engine_api engine;
static _Atomic(const char *) why_broken;

/* Held while the engine is loaded and started: the loader's locks may be held
   then, and must not be inherited by a child. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t loaded = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

enum hotjit_agent_state hotjit_agent_current_state(void) {
  return atomic_load_explicit(&state, memory_order_acquire);
}

const struct hotjit_engine_api *hotjit_agent_engine(void) { return &engine; }

static _Atomic(int) wants_safepoint;

int hotjit_agent_wants_safepoint(void) {
  return atomic_load_explicit(&wants_safepoint, memory_order_acquire);
}

static void want_safepoint(int wanted) {
  atomic_store_explicit(&wants_safepoint, wanted, memory_order_release);
}

const char *hotjit_agent_why_broken(void) {
  const char *why = atomic_load(&why_broken);
  return why ? why : "hotjit could not start";
}

/* `why` is copied. */
static void become_broken(const char *why) {
  enum hotjit_agent_state before = hotjit_agent_current_state();
  char *text = strdup(why);
  if (text)
    atomic_store(&why_broken, text); /* an earlier text may be in use */
  while ((before == HOTJIT_AGENT_STARTING || before == HOTJIT_AGENT_ON) &&
         !atomic_compare_exchange_weak(&state, &before, HOTJIT_AGENT_BROKEN))
    ;
}

/* The one thing that is ever said on the program's stderr: that what the user
   asked for is not there, when no socket can say it. */
static void complain(const char *why) {
  char line[1024];
  /* A terminal may be in raw mode. */
  const char *end = isatty(STDERR_FILENO) ? "\r\n" : "\n";
  int length = snprintf(line, sizeof(line),
                        "[hotjit] off: %s; the program runs on%s", why, end);
  if (length < 0)
    return;
  if ((size_t)length >= sizeof(line)) {
    length = sizeof(line) - 1;
    line[length - 1] = '\n';
  }
  if (write(STDERR_FILENO, line, length) < 0)
    return;
}

static void engine_off(const char *why, int told) {
  become_broken(why);
  if (!told)
    complain(why);
}

void hotjit_agent_watch_engine(void) {
  static const char *seen;
  const char *why = NULL;
  if (hotjit_agent_current_state() == HOTJIT_AGENT_ON && engine.broken)
    why = engine.broken();
  if (why && why == seen)
    engine_off(why, 0);
  seen = why;
}

/* -- Loading ------------------------------------------------------------- */

static const char *own_path(void) {
  Dl_info here;
  return dladdr((void *)&own_path, &here) && here.dli_fname ? here.dli_fname
                                                            : "";
}

struct extent {
  const char *inside;
  const char *begin;
  const char *end;
};

static int find_extent(struct dl_phdr_info *object, size_t size, void *data) {
  struct extent *extent = data;
  const char *begin = NULL, *end = NULL;
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr) *header = &object->dlpi_phdr[i];
    const char *start = (const char *)(object->dlpi_addr + header->p_vaddr);
    if (header->p_type != PT_LOAD)
      continue;
    if (!begin || start < begin)
      begin = start;
    if (start + header->p_memsz > end)
      end = start + header->p_memsz;
  }
  if (extent->inside < begin || extent->inside >= end)
    return 0;
  extent->begin = begin;
  extent->end = end;
  return 1;
}

/* Nonzero: the reason is in error. */
static int load_engine(char *error, size_t error_size) {
  const char *own = own_path();
  const char *slash = strrchr(own, '/');
  char path[4096];
  void *library;
  hotjit_engine_start_function start;
  struct extent extent = {NULL, NULL, NULL};

  snprintf(path, sizeof(path), "%.*s/libhotjit-engine.so",
           slash ? (int)(slash - own) : 1, slash ? own : ".");
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    snprintf(error, error_size, "%s", why ? why : path);
    return 1;
  }
  start = (hotjit_engine_start_function)dlsym(library, "hotjit_engine_start");
  if (!start) {
    snprintf(error, error_size, "%s: not an engine of this version", path);
    return 1;
  }
  extent.inside = (const char *)start;
  dl_iterate_phdr(find_extent, &extent);
  hotjit_agent_set_engine_text(extent.begin, extent.end);

  engine.abi = HOTJIT_ENGINE_ABI;
  engine.run = hotjit_agent_run_job;
  engine.program_action = hotjit_agent_program_action;
  engine.off = engine_off;
  engine.want_safepoint = want_safepoint;
  engine.has_callbacks = hotjit_agent_has_callbacks;
  engine.begin_callback = hotjit_agent_begin_callback;
  engine.end_callback = hotjit_agent_end_callback;
  engine.socket = environment.socket;
  return start(&environment.options, &engine, error, (uint32_t)error_size);
}

static pthread_t thread_of_agent;

static void *agent_thread(void *unused) {
  char error[1024] = "the engine gave no reason";
  int failed;
  enum hotjit_agent_state expected = HOTJIT_AGENT_STARTING;
  (void)unused;
  pthread_setname_np(pthread_self(), "hotjit");

  pthread_mutex_lock(&loading);
  failed = load_engine(error, sizeof(error));
  if (failed)
    become_broken(error);
  else
    atomic_compare_exchange_strong(&state, &expected, HOTJIT_AGENT_ON);
  pthread_cond_broadcast(&loaded);
  pthread_mutex_unlock(&loading);

  if (failed)
    complain(error);
  else
    hotjit_agent_serve_jobs();
  return NULL;
}

/* A program may be in a constructor of a library that is being loaded: then it
   holds the loader's lock, which loading the engine waits for. Rather than hang
   it goes on after this long. */
#define LOADING_PATIENCE_SECONDS 2

static struct timespec patience(void) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += LOADING_PATIENCE_SECONDS;
  return until;
}

/* -- fork ---------------------------------------------------------------- */

/* Zero: a child takes the risk of an inherited lock. */
static _Thread_local int forker_holds_loading;

static void fork_prepare(void) {
  struct timespec until = patience();
  forker_holds_loading =
      pthread_mutex_clocklock(&loading, CLOCK_MONOTONIC, &until) == 0;
  if (hotjit_agent_current_state() == HOTJIT_AGENT_ON && engine.fork_prepare)
    engine.fork_prepare();
  hotjit_agent_callbacks_fork_prepare();
  hotjit_agent_signals_fork_prepare();
}

static void fork_parent(void) {
  hotjit_agent_signals_fork_done();
  hotjit_agent_callbacks_fork_parent();
  if (hotjit_agent_current_state() == HOTJIT_AGENT_ON && engine.fork_parent)
    engine.fork_parent();
  if (forker_holds_loading)
    pthread_mutex_unlock(&loading);
}

static void fork_child(void) {
  hotjit_agent_signals_fork_done();
  hotjit_agent_callbacks_fork_child();
  if (hotjit_agent_current_state() == HOTJIT_AGENT_ON && engine.fork_child)
    engine.fork_child();
  atomic_store(&state, HOTJIT_AGENT_ENDED);
  want_safepoint(0);
  if (forker_holds_loading)
    pthread_mutex_unlock(&loading);
}

/* -- Start and stop ------------------------------------------------------ */

static int begin(const hotjit_options *given) {
  int failed;
  atomic_store(&state, HOTJIT_AGENT_STARTING);
  hotjit_agent_read_environment(&environment, given, own_path());
  if (environment.error) {
    become_broken(environment.error);
    return HOTJIT_ERROR;
  }
  hotjit_agent_keep_signals();
  failed = pthread_atfork(fork_prepare, fork_parent, fork_child);
  if (!failed)
    failed = hotjit_agent_start_thread(&thread_of_agent, agent_thread, NULL);
  if (failed) {
    become_broken(strerror(failed));
    return HOTJIT_ERROR;
  }
  return HOTJIT_OK;
}

int hotjit_agent_start(const hotjit_options *given, int wait) {
  int result = HOTJIT_OK;
  pthread_mutex_lock(&starting);
  if (hotjit_agent_current_state() == HOTJIT_AGENT_OFF) {
    hotjit_bind_to_libc();
    hotjit_agent_know_main_thread();
    result = begin(given);
  }
  pthread_mutex_unlock(&starting);
  if (wait) {
    pthread_mutex_lock(&loading);
    while (hotjit_agent_current_state() == HOTJIT_AGENT_STARTING)
      pthread_cond_wait(&loaded, &loading);
    pthread_mutex_unlock(&loading);
  }
  if (hotjit_agent_current_state() == HOTJIT_AGENT_BROKEN)
    result = HOTJIT_ERROR;
  return result;
}

/* Waits until the engine is loaded, if it is to be. Zero: it takes too long. */
static int wait_until_loaded(void) {
  struct timespec until = patience();
  int failed = pthread_mutex_clocklock(&loading, CLOCK_MONOTONIC, &until);
  if (failed)
    return 0;
  while (hotjit_agent_current_state() == HOTJIT_AGENT_STARTING && !failed)
    failed = pthread_cond_clockwait(&loaded, &loading, CLOCK_MONOTONIC, &until);
  pthread_mutex_unlock(&loading);
  return !failed;
}

/* *idle: the thread of the agent ends by itself. */
static int stop(const char *why, int *idle) {
  enum hotjit_agent_state before;
  int was_started;
  pthread_mutex_lock(&loading); /* not in the middle of loading */
  before = hotjit_agent_current_state();
  was_started = before == HOTJIT_AGENT_ON || before == HOTJIT_AGENT_BROKEN;
  if (was_started)
    atomic_store(&state, HOTJIT_AGENT_ENDED);
  pthread_mutex_unlock(&loading);
  if (!was_started)
    return HOTJIT_OFF;
  *idle = hotjit_agent_end_jobs();
  if (engine.stop)
    engine.stop(why);
  return HOTJIT_OK;
}

int hotjit_agent_stop(const char *why) {
  int idle;
  wait_until_loaded();
  return stop(why, &idle);
}

void hotjit_agent_leave(const char *why) {
  int idle;
  enum hotjit_agent_state now = hotjit_agent_current_state();
  if (now == HOTJIT_AGENT_OFF || now == HOTJIT_AGENT_ENDED)
    return;
  /* From a job it would wait for itself. */
  if (hotjit_agent_in_callback() ||
      pthread_equal(pthread_self(), thread_of_agent))
    return;
  if (wait_until_loaded() && stop(why, &idle) == HOTJIT_OK && idle)
    pthread_join(thread_of_agent, NULL);
}

__attribute__((constructor)) static void start_if_asked(void) {
  const char *asked = getenv("HOTJIT");
  int saved = errno;
  if (!asked || strcmp(asked, "1") != 0)
    return;
  if (hotjit_agent_start(NULL, 0) != HOTJIT_OK)
    complain(hotjit_agent_why_broken());
  errno = saved;
}
