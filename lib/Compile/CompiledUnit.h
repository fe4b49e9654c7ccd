#ifndef HOTJIT_COMPILE_COMPILEDUNIT_H
#define HOTJIT_COMPILE_COMPILEDUNIT_H

#include "Compile/FactList.h"
#include "Compile/UnitText.h"
#include "Support/ContentHash.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// Where a declaration stands. File is absolute with symbolic links resolved.
struct SourcePlace {
  std::string File;
  unsigned Line = 0;
  bool operator==(const SourcePlace &) const = default;
};

enum class SymbolLinkage {
  External, ///< one definition in the program
  Internal, ///< static, unnamed namespace: one definition in this unit
  Inline,   ///< COMDAT: a copy in each unit that uses it, one survives
};

/// A function that this unit defines.
///
/// Body decides whether the function changed. It is a hash of the function's
/// *unoptimized* IR, without debug locations, with the content of unnamed
/// constants (string literals, compound literals) in place of their numbered
/// names: so it sees everything that Clang knew when it lowered the body
/// (macros, overloads, sizes, constants, attributes, volatile, orderings) and
/// is blind to comments, line shifts and to other functions.
struct CompiledFunction {
  std::string Symbol; ///< assembler name as Clang spells it
  std::string Name;   ///< qualified name as the user writes it
  /// With the parameters, which tell overloads apart: "size(double)". The name
  /// if the symbol is not mangled.
  std::string displayName() const;
  SourcePlace Place;
  SymbolLinkage Linkage = SymbolLinkage::External;
  ContentHash Body;
  /// Canonical function type with calling convention, and for each class that
  /// is passed or returned by value how it is passed: what a caller must know.
  std::string Signature;
  bool Variadic = false;
  bool Virtual = false;
  bool NoReturn = false; ///< declared noreturn
  /// Declared, or seen by Clang, to throw nothing: callers in the unit may have
  /// no landing pads.
  bool NoUnwind = false;
  /// No exception leaves it, as a compiler can see that looks at callees first:
  /// GCC, at -O0 too. Of what was not compiled with an edit it may be out of
  /// date, and true where it is false.
  bool ThrowsNothing = false;
  bool AddressTaken = false; ///< by code or data of this unit, not by a call
  bool AlwaysInline = false;
  bool Constructor = false; ///< __attribute__((constructor)) or destructor
  /// Some argument travels on the stack, or may: variadic, or not sure.
  bool HasStackArguments = false;
  std::optional<std::string> Unsupported; ///< e.g. "ifunc", "naked"
  /// Suspended calls of it live on the heap and go on in the body they began.
  bool Coroutine = false;
  bool Weak = false; ///< __attribute__((weak)): another definition wins
  /// Takes or passes a vector that GCC puts into another place than Clang.
  bool PassesVectorsInMemory = false;
  /// Symbol of the function that this is only another name for (a constructor
  /// C1 that is its C2); Body and all else are that function's. Empty if none.
  std::string AliasOf;
  /// Functions named in the body (calls and addresses), sorted symbols. Through
  /// constants too: a table of pointers that the body reads.
  std::vector<std::string> Functions;
  /// Variables named in the body, directly or through constants; sorted.
  std::vector<std::string> Variables;
  /// Those of Variables that the body may write, or whose address it lets go:
  /// whatever it does with them but loading from them; sorted.
  std::vector<std::string> Written;
};

/// A variable with static or thread storage that this unit defines.
struct CompiledVariable {
  /// As Clang spells it: "counter", "_ZL1n", "f.calls". C: of several in one
  /// function the second is "f.calls.1", and so on.
  std::string Symbol;
  std::string Name; ///< unqualified source name
  std::string QualifiedName;
  SourcePlace Place;
  std::string Function; ///< symbol of the enclosing function, if local to one
  SymbolLinkage Linkage = SymbolLinkage::External;
  std::string Type;   ///< canonical type as text
  uint64_t Size = 0;  ///< bytes
  uint64_t Align = 1; ///< bytes
  bool Const = false; ///< placed in read-only memory
  bool ThreadLocal = false;
  bool Unnamed =
      false; ///< string literal and the like: never bound, no address identity
  bool HoldsLabels = false; ///< blockaddress: must live with the code it names
  bool Exposed = false; ///< an alias or assembly may reach it by another name
  /// Static value (with section, alignment and the like) and the code of the
  /// dynamic initializer.
  ContentHash Initializer;
  /// Code sets it up before main (or, thread_local, in each thread), or
  /// registers its destructor there; not inside a function at first use.
  bool DynamicInitializer = false;
  std::string InitializerFunction; ///< symbol of that code, empty if none
  /// Symbol of what code calls before it uses a thread_local that code sets up
  /// in each thread ("_ZTH1x"); empty if there is nothing to set up.
  std::string ThreadInit;
  bool Destructor = false;
  std::string Guard; ///< symbol of its guard variable, for function statics
  /// vtable, VTT, type_info, type name or guard: made by the compiler.
  bool Synthesized = false;
  std::vector<std::string> References; ///< symbols its initial value names
};

struct TypeField {
  std::string Name; ///< empty for an unnamed bit-field or anonymous member
  std::string Type; ///< canonical type as text
  uint64_t OffsetBits = 0;
  uint64_t SizeBits = 0;
  bool BitField = false;
  bool operator==(const TypeField &) const = default;
};

/// The layout of a class, struct or union that the unit defines or includes.
/// Names of unnamed types hold no place in the source: several may have one
/// name. Fields of a closure are named after what they hold a copy of. Members
/// of anonymous structs and unions stand flattened among the fields.
struct CompiledType {
  std::string Name; ///< qualified, with template arguments
  SourcePlace Place;
  bool Union = false;
  bool Local = false;  ///< declared inside a function
  bool Lambda = false; ///< closure type: never matched by name
  uint64_t Size = 0;   ///< bytes
  uint64_t Align = 1;  ///< bytes
  bool Polymorphic = false;
  bool TriviallyPassed = true; ///< in registers, as a C struct
  std::vector<TypeField> Bases;
  std::vector<TypeField> Fields;
  std::vector<std::string> VirtualSlots; ///< in vtable order
};

struct CompiledEnum {
  std::string Name;
  SourcePlace Place;
  std::string Underlying;
  std::vector<std::pair<std::string, std::string>> Values; ///< name, value
};

/// The symbol is of a closure: its operator(), what the compiler made to call
/// it, or what was instantiated with it.
bool isLambdaCode(llvm::StringRef Symbol);

/// How the unit's own command asks for code to be made.
struct CodegenSettings {
  unsigned OptLevel = 0;  ///< 0..3
  unsigned SizeLevel = 0; ///< 1 for -Os, 2 for -Oz
  std::string Triple;
  std::string CPU;
  std::vector<std::string> Features; ///< "+avx2"
  bool LTO = false; ///< the command asked for link time optimization
};

/// Clang's unoptimized IR of the unit and the context that owns it.
struct UnitCode {
  std::unique_ptr<llvm::LLVMContext> Context;
  std::unique_ptr<llvm::Module> Module;

  UnitCode() = default;
  UnitCode(UnitCode &&) = default;
  /// A module must go before its context.
  UnitCode &operator=(UnitCode &&Other) {
    Module = std::move(Other.Module);
    Context = std::move(Other.Context);
    return *this;
  }
};

/// One translation unit as compiled from one text. The facts stay; the code
/// can be taken once (by Link, which rewrites it).
struct CompiledUnit {
  std::string Path;
  std::string Name; ///< as TranslationUnit's
  const std::string &id() const { return Name.empty() ? Path : Name; }
  FactList<CompiledFunction> Functions; ///< sorted by Symbol
  FactList<CompiledVariable> Variables; ///< sorted by Symbol
  /// Those defined outside system headers, instantiations of their templates
  /// and closures included; sorted by Name.
  FactList<CompiledType> Types;
  FactList<CompiledEnum> Enums;   ///< as Types
  std::vector<std::string> Files; ///< every file read, absolute, real paths
  CodegenSettings Settings;
  /// asm("...") outside functions, as written. May define symbols of its own.
  std::string FileAssembly;
  UnitText Text; ///< of the file at Path
  /// Of the project's headers that were read once; by path.
  std::map<std::string, std::shared_ptr<const UnitText>> Headers;
  /// Null: a compile must tell.
  const UnitText *textOf(llvm::StringRef File) const;
  UnitCode Code; ///< null after it was taken
  bool CodeIsTaken = false;
  /// Code holds everything that the unit defines; else the bodies that were
  /// asked for and no others.
  bool Whole = true;
  /// Functions of headers of which another unit was compiled and this one was
  /// not: their facts are that unit's (Follow.h). Symbols.
  std::vector<std::string> Taken;

  /// The same facts without code.
  CompiledUnit facts() const;
  /// Of Symbols, those that the facts know and Code does not define.
  std::vector<std::string>
  withoutCode(llvm::ArrayRef<std::string> Symbols) const;

  const CompiledFunction *findFunction(llvm::StringRef Symbol) const;
  const CompiledVariable *findVariable(llvm::StringRef Symbol) const;
};

} // namespace hotjit

#endif
