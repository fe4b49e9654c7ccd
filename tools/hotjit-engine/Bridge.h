#ifndef HOTJIT_TOOLS_ENGINE_BRIDGE_H
#define HOTJIT_TOOLS_ENGINE_BRIDGE_H

// Session's values as Wire's messages: the one place that knows both.

#include "Session/Session.h"
#include "Wire/Protocol.h"

namespace hotjit {

wire::Verdict toWire(const Verdict &V);
wire::Event toWire(const Event &E);
wire::Status toWire(const SessionStatus &S);

} // namespace hotjit

#endif
