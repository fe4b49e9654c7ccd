#ifndef HOTJIT_TEST_PLANTEXT_H
#define HOTJIT_TEST_PLANTEXT_H

#include "Diff/Plan.h"
#include <string>

namespace hotjit::test {

/// A decision as stable text, for FileCheck and for failing unit tests: no
/// addresses, files without their folders. First what is planned, then one
/// line for each verdict, in the order in which users see them:
///
///   unit a.c
///     replace f plain thunk
///     private g
///     call h
///     bind counter
///   live f (a.c:3)
///   note HJ1503 counter (a.c:1): a.c:1: 'counter' keeps its value: ...
///   unchanged 2
std::string planText(const PlanOrRefusal &Decision);
std::string verdictText(const Verdict &V);

} // namespace hotjit::test

#endif
