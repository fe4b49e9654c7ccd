/*
 * The public functions of hotjit/hotjit.h. Each one either does what it says,
 * says that hotjit is off, or says that it is not built yet.
 *
 * A thread that waits for the engine must not be cancelled there: the engine's
 * locks would stay taken.
 */

#include "Agent.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts that a thread was given, until its next call. */
struct texts {
  char *error;
  char *diagnostics;
};

static pthread_key_t texts_key;
static int has_texts;
static pthread_once_t texts_once = PTHREAD_ONCE_INIT;
static _Thread_local const char *last_error = "";

static void free_texts(void *texts) {
  free(((struct texts *)texts)->error);
  free(((struct texts *)texts)->diagnostics);
  free(texts);
}

static void make_key(void) {
  has_texts = pthread_key_create(&texts_key, free_texts) == 0;
}

/* The calling thread's; null without memory. */
static struct texts *own_texts(void) {
  struct texts *texts;
  pthread_once(&texts_once, make_key);
  if (!has_texts)
    return NULL;
  texts = pthread_getspecific(texts_key);
  if (!texts) {
    texts = calloc(1, sizeof(*texts));
    if (texts && pthread_setspecific(texts_key, texts) != 0) {
      free(texts);
      texts = NULL;
    }
  }
  return texts;
}

static int fail(int result, const char *why) {
  last_error = why;
  return result;
}

/* Takes over `why`. */
static int fail_with(char *why) {
  struct texts *texts = own_texts();
  if (!texts || !why) {
    free(why);
    return fail(HOTJIT_ERROR, "out of memory");
  }
  free(texts->error);
  texts->error = why;
  return fail(HOTJIT_ERROR, why);
}

/* HOTJIT_OK only if the engine is there. */
static int check_on(void) {
  switch (hotjit_agent_current_state()) {
  case HOTJIT_AGENT_ON:
    return HOTJIT_OK;
  case HOTJIT_AGENT_STARTING:
    return fail(HOTJIT_ERROR, "hotjit is still starting");
  case HOTJIT_AGENT_BROKEN:
    return fail(HOTJIT_ERROR, hotjit_agent_why_broken());
  case HOTJIT_AGENT_OFF:
  case HOTJIT_AGENT_ENDED:
    break;
  }
  return fail(HOTJIT_OFF, "hotjit is off");
}

int hotjit_start(const hotjit_options *options) {
  int cancel, failed;
  if (hotjit_agent_current_state() == HOTJIT_AGENT_ENDED)
    return fail(HOTJIT_NOT_IN_THIS_VERSION,
                "hotjit_start after hotjit_stop or fork: not in this version");
  if (options && options->size != sizeof(*options))
    return fail(HOTJIT_ERROR,
                "hotjit_options.size is not sizeof(hotjit_options)");
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  failed = hotjit_agent_start(options, 1) != HOTJIT_OK;
  pthread_setcancelstate(cancel, NULL);
  if (failed)
    return fail(HOTJIT_ERROR, hotjit_agent_why_broken());
  return HOTJIT_OK;
}

int hotjit_stop(void) {
  int cancel, off;
  if (hotjit_agent_in_callback())
    return fail(HOTJIT_ERROR, "hotjit_stop: not from a reload callback");
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  off = hotjit_agent_stop(NULL) != HOTJIT_OK;
  pthread_setcancelstate(cancel, NULL);
  if (off)
    return fail(HOTJIT_OFF, "hotjit is off");
  return HOTJIT_OK;
}

void hotjit_safepoint(void) {
  int cancel;
  const struct hotjit_engine_api *engine = hotjit_agent_engine();
  if (!hotjit_agent_wants_safepoint())
    return;
  if (hotjit_agent_current_state() != HOTJIT_AGENT_ON ||
      hotjit_agent_in_callback())
    return;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  engine->safepoint();
  pthread_setcancelstate(cancel, NULL);
}

int hotjit_on_reload(hotjit_reload_callback callback, void *user) {
  int failed, cancel;
  /* What is registered while hotjit starts hears of the first reload. */
  if (hotjit_agent_current_state() != HOTJIT_AGENT_STARTING) {
    int off = check_on();
    if (off)
      return off;
  }
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  failed = callback ? hotjit_agent_add_callback(callback, user)
                    : hotjit_agent_remove_callbacks(user);
  pthread_setcancelstate(cancel, NULL);
  if (failed)
    return fail(HOTJIT_ERROR, callback ? "out of memory"
                                       : "hotjit_on_reload: the callback has "
                                         "not returned yet");
  return HOTJIT_OK;
}

int hotjit_guard(void (*f)(void *arg), void *arg) {
  char error[600];
  const struct hotjit_engine_api *engine = hotjit_agent_engine();
  if (hotjit_agent_current_state() == HOTJIT_AGENT_ON && engine->guard)
    return engine->guard(f, arg, error, sizeof(error))
               ? fail_with(strdup(error))
               : HOTJIT_OK;
  f(arg);
  return HOTJIT_OK;
}

unsigned hotjit_generation(void) {
  const struct hotjit_engine_api *engine = hotjit_agent_engine();
  if (hotjit_agent_current_state() != HOTJIT_AGENT_ON || !engine->generation)
    return 0;
  return engine->generation();
}

/* `in_callback` is the refusal where this would wait for itself. */
static int request(int (*function)(char **why), const char *in_callback) {
  char *why = NULL;
  int cancel, failed;
  if (hotjit_agent_in_callback())
    return fail(HOTJIT_ERROR, in_callback);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  failed = function(&why);
  pthread_setcancelstate(cancel, NULL);
  return failed ? fail_with(why) : HOTJIT_OK;
}

int hotjit_undo(void) {
  int off = check_on();
  return off ? off
             : request(hotjit_agent_engine()->undo,
                       "hotjit_undo: not from a reload callback");
}

int hotjit_reload(void) {
  int off = check_on();
  return off ? off
             : request(hotjit_agent_engine()->reload,
                       "hotjit_reload: not from a reload callback");
}

const char *hotjit_diagnostics(void) {
  struct texts *texts;
  if (check_on() != HOTJIT_OK)
    return NULL;
  texts = own_texts();
  if (!texts)
    return NULL;
  free(texts->diagnostics);
  texts->diagnostics = hotjit_agent_engine()->diagnostics();
  return texts->diagnostics;
}

const char *hotjit_last_error(void) { return last_error; }
