/*
 * The agent's thread for jobs of the engine.
 *
 * The engine's own threads have a descriptor table of their own. An initializer
 * of new code that opens a file must open it in the program's table, so it runs
 * here. It is the program's code and may hang: then the job is given up, its
 * thread is left alone with it, and another thread takes over.
 *
 * Between jobs the thread looks whether the program still has threads
 * (LastThread.c), and whether the engine hangs.
 */

#include "Agent.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct job {
  void (*f)(void *arg);
  void *arg;
  int taken;
  int done;
  int given_up; /* nobody waits any more: whoever ran it frees it */
};

static pthread_mutex_t one_job = PTHREAD_MUTEX_INITIALIZER;
/* Guards the rest. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *current;
static int serving;
static int ended;
static int given_up_once; /* another thread serves than the first */

#define STACK_SIZE (16UL << 20)

/* Less than a second: how long a program that has ended may still be there. */
#define LOOK_INTERVAL_MS 500

int hotjit_agent_start_thread(pthread_t *thread, void *(*body)(void *),
                              void *argument) {
  sigset_t quiet, before;
  pthread_attr_t attributes;
  int failed = pthread_attr_init(&attributes);
  if (failed)
    return failed;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  /* The new thread inherits the mask. */
  hotjit_agent_quiet_signals(&quiet);
  hotjit_agent_real_sigmask(SIG_SETMASK, &quiet, &before);
  failed = pthread_create(thread, &attributes, body, argument);
  hotjit_agent_real_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return failed;
}

/* The lock is held. Returns nonzero if this thread must end. */
static int serve(struct job *job) {
  int given_up;
  job->taken = 1;
  pthread_mutex_unlock(&lock);
  job->f(job->arg);
  pthread_mutex_lock(&lock);
  given_up = job->given_up;
  job->done = 1;
  if (given_up)
    free(job);
  else
    pthread_cond_broadcast(&changed);
  return given_up;
}

/* The lock is held; it is free while the program is looked at. */
static void wait_for_job(void) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += LOOK_INTERVAL_MS * 1000000L;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec += 1;
    until.tv_nsec -= 1000000000;
  }
  if (pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &until) !=
      ETIMEDOUT)
    return;
  pthread_mutex_unlock(&lock);
  hotjit_agent_end_with_program();
  hotjit_agent_watch_engine();
  pthread_mutex_lock(&lock);
}

void hotjit_agent_serve_jobs(void) {
  pthread_mutex_lock(&lock);
  serving = 1;
  while (!ended) {
    if (!current || current->taken)
      wait_for_job();
    else if (serve(current))
      break;
  }
  pthread_mutex_unlock(&lock);
}

static void *serve_on_new_thread(void *unused) {
  (void)unused;
  pthread_setname_np(pthread_self(), "hotjit");
  hotjit_agent_serve_jobs();
  return NULL;
}

/* The lock is held. Returns when the job is done or the time is over. */
static void wait_for(struct job *job, uint32_t timeout_ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += timeout_ms / 1000;
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec += 1;
    until.tv_nsec -= 1000000000;
  }
  while (!job->done && !ended) {
    if (timeout_ms == 0)
      pthread_cond_wait(&changed, &lock);
    else if (pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &until) ==
             ETIMEDOUT)
      return;
  }
}

/* The lock is held; what became of the job when nobody waits for it any more.
 */
static int settle(struct job *job) {
  pthread_t thread;
  current = NULL;
  if (job->done) {
    free(job);
    return HOTJIT_RUN_DONE;
  }
  if (!job->taken) {
    free(job);
    return ended ? HOTJIT_RUN_OFF : HOTJIT_RUN_TIMEOUT;
  }
  job->given_up = given_up_once = 1;
  /* Until the new thread serves, jobs are refused. */
  serving = 0;
  if (!ended && !hotjit_agent_start_thread(&thread, serve_on_new_thread, NULL))
    pthread_detach(thread);
  return HOTJIT_RUN_TIMEOUT;
}

int hotjit_agent_run_job(void (*f)(void *arg), void *arg, uint32_t timeout_ms) {
  struct job *job;
  int result = HOTJIT_RUN_OFF;
  if (hotjit_agent_current_state() != HOTJIT_AGENT_ON)
    return HOTJIT_RUN_OFF;
  job = calloc(1, sizeof(*job));
  if (!job)
    return HOTJIT_RUN_OFF;
  job->f = f;
  job->arg = arg;
  pthread_mutex_lock(&one_job);
  pthread_mutex_lock(&lock);
  if (!ended && serving) {
    current = job;
    pthread_cond_broadcast(&changed);
    wait_for(job, timeout_ms);
    result = settle(job);
  } else {
    free(job);
  }
  pthread_mutex_unlock(&lock);
  pthread_mutex_unlock(&one_job);
  return result;
}

int hotjit_agent_end_jobs(void) {
  int idle;
  pthread_mutex_lock(&lock);
  ended = 1;
  idle = !given_up_once && !(current && current->taken && !current->done);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return idle;
}
