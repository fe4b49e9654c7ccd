#ifndef HOTJIT_COMPILE_FINGERPRINT_H
#define HOTJIT_COMPILE_FINGERPRINT_H

#include "Support/ContentHash.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/Attributes.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Metadata.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/ModuleSlotTracker.h"
#include <string>
#include <utility>

namespace hotjit {

/// True for what has no name in the source and no identity: string literals,
/// initial values of automatic arrays, compound literals. Their symbols are
/// numbered, so an edit anywhere may rename them; what they hold is what they
/// are.
bool isUnnamed(const llvm::GlobalVariable &V);

/// True for the functions that Clang makes to set variables up and to destroy
/// arrays: numbered too.
bool isNumberedFunction(const llvm::Function &F);

/// True if an address of a label is in the initial value, itself or in a
/// constant without a name that it leads to.
bool holdsLabels(const llvm::GlobalVariable &V);

/// Hashes of what the functions and variables of one module are: blind to debug
/// info, to the numbers that Clang gives to things without a name, and to
/// everything else in the module. The module is put back as it was found, but
/// that globals without a name get one.
class Fingerprinter {
public:
  explicit Fingerprinter(llvm::Module &M);

  /// Of a definition, without its symbol.
  ContentHash function(llvm::Function &F);
  /// Of a definition, without its symbol: initial value, section, alignment
  /// and so on. Of labels only their function counts: which of its blocks they
  /// are is hashed with each function that uses the variable.
  ContentHash variable(llvm::GlobalVariable &V);

private:
  enum class Labels { Exact, Ignored };
  class Normalizer;

  void printAlone(llvm::GlobalValue &V, llvm::SmallVectorImpl<char> &Text);
  ContentHash contentOf(llvm::GlobalValue &V, Labels L);
  ContentHash typeNamed(llvm::StringRef Name);
  ContentHash nodeInSlot(unsigned Slot);
  bool isOnlyPlaces(unsigned Slot) const;
  void appendNode(const llvm::MDNode *N, std::string &Out,
                  llvm::SmallVectorImpl<const llvm::MDNode *> &Path);
  ContentHash attributesOf(llvm::AttributeSet Set);

  llvm::Module &M;
  llvm::Module Alone;         ///< where a global stands while it is printed
  llvm::Function *NoFunction; ///< a declaration in Alone
  llvm::ModuleSlotTracker Slots;
  llvm::DenseMap<unsigned, const llvm::MDNode *> Nodes; ///< by slot
  /// By symbol: what is known by its content, and named variables that hold
  /// labels.
  llvm::StringMap<llvm::GlobalValue *> Unnamed;
  llvm::StringMap<llvm::GlobalVariable *> LabelTables;

  llvm::DenseMap<std::pair<const llvm::GlobalValue *, int>, ContentHash>
      Contents;
  llvm::SmallVector<const llvm::GlobalValue *, 4> InProgress;
  llvm::StringMap<ContentHash> Types;
  llvm::DenseMap<unsigned, ContentHash> NodeHashes;
  llvm::DenseMap<llvm::AttributeSet, ContentHash> AttributeHashes;
};

} // namespace hotjit

#endif
