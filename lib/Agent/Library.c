/*
 * The public functions of hotjit/hotjit.h. Each one either does what it says,
 * says that hotjit is off, or says that it is not built yet.
 */

#include "Agent.h"
#include <stdio.h>

static _Thread_local const char *last_error = "";

static int fail(int result, const char *why) {
  last_error = why;
  return result;
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
  if (hotjit_agent_current_state() == HOTJIT_AGENT_ENDED)
    return fail(HOTJIT_NOT_IN_THIS_VERSION,
                "hotjit_start after hotjit_stop or fork: not in this version");
  if (options && options->size != sizeof(*options))
    return fail(HOTJIT_ERROR,
                "hotjit_options.size is not sizeof(hotjit_options)");
  if (hotjit_agent_start(options, 1) != HOTJIT_OK)
    return fail(HOTJIT_ERROR, hotjit_agent_why_broken());
  return HOTJIT_OK;
}

int hotjit_stop(void) {
  if (hotjit_agent_stop() != HOTJIT_OK)
    return fail(HOTJIT_OFF, "hotjit is off");
  return HOTJIT_OK;
}

void hotjit_safepoint(void) {
  if (hotjit_agent_current_state() != HOTJIT_AGENT_ON)
    return;
  const struct hotjit_engine_api *engine = hotjit_agent_engine();
  if (engine->safepoint)
    engine->safepoint();
}

int hotjit_on_reload(hotjit_reload_callback callback, void *user) {
  (void)callback;
  (void)user;
  int off = check_on();
  if (off)
    return off;
  return fail(HOTJIT_NOT_IN_THIS_VERSION,
              "hotjit_on_reload: not in this version");
}

int hotjit_guard(void (*f)(void *arg), void *arg) {
  if (check_on() == HOTJIT_OK)
    return fail(HOTJIT_NOT_IN_THIS_VERSION,
                "hotjit_guard: not in this version");
  f(arg);
  return HOTJIT_OK;
}

unsigned hotjit_generation(void) {
  const struct hotjit_engine_api *engine = hotjit_agent_engine();
  if (hotjit_agent_current_state() != HOTJIT_AGENT_ON || !engine->generation)
    return 0;
  return engine->generation();
}

/* A function of the engine that may not be built. */
static int call(int (*function)(void), const char *missing) {
  const struct hotjit_engine_api *engine = hotjit_agent_engine();
  if (!function)
    return fail(HOTJIT_NOT_IN_THIS_VERSION, missing);
  if (function() == 0)
    return HOTJIT_OK;
  return fail(HOTJIT_ERROR, engine->last_error ? engine->last_error() : "");
}

int hotjit_undo(void) {
  int off = check_on();
  return off ? off
             : call(hotjit_agent_engine()->undo,
                    "hotjit_undo: not in this version");
}

int hotjit_reload(void) {
  int off = check_on();
  return off ? off
             : call(hotjit_agent_engine()->reload,
                    "hotjit_reload: not in this version");
}

const char *hotjit_diagnostics(void) {
  if (check_on() == HOTJIT_OK)
    last_error = "hotjit_diagnostics: not in this version";
  return NULL;
}

const char *hotjit_last_error(void) { return last_error; }
