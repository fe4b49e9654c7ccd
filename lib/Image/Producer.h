#ifndef HOTJIT_IMAGE_PRODUCER_H
#define HOTJIT_IMAGE_PRODUCER_H

#include "Image/Image.h"

namespace hotjit {

/// What DW_AT_producer tells about how a unit was compiled.
struct ProducerFacts {
  Producer By = Producer::Other;
  unsigned OptLevel = 0;
  bool LTO = false;
};

ProducerFacts parseProducer(llvm::StringRef Text);

} // namespace hotjit

#endif
