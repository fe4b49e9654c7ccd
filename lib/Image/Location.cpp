// A variable may be bound by new code only if it lies, whole and as itself, at
// one address. DWARF describes a location by a program for a small stack
// machine, and there are few programs that mean just that:
//
//   DW_OP_addr A                                   it lies at A
//   DW_OP_addrx I                                  the same, A in .debug_addr
//   DW_OP_const8u T, DW_OP_form_tls_address        at T in its module's block
//
// Anything else (pieces, computed values, a place that depends on the program
// counter) is what an optimizer left of the variable.

#include "Image/Location.h"

#include "llvm/DebugInfo/DWARF/DWARFContext.h"
#include "llvm/DebugInfo/DWARF/LowLevel/DWARFExpression.h"

namespace hotjit {

using llvm::ArrayRef;
using llvm::DWARFDie;
using llvm::DWARFExpression;
using llvm::DWARFFormValue;
using llvm::DWARFUnit;
namespace dwarf = llvm::dwarf;

namespace {

/// One operation: what it pushes, if that is a plain number or address.
struct Operation {
  enum Role { Address, Number, TlsOfTop, Dereference, Piece, Other };
  Role What = Other;
  uint64_t Value = 0;
};

/// Reads the operations of an expression that stands in .debug_info. In a
/// relocatable object its operands are subject to relocation, so they are read
/// from the section and not from the expression's bytes.
class ExpressionReader {
public:
  ExpressionReader(DWARFUnit &Unit, ArrayRef<uint8_t> Expression)
      : Unit(Unit), Expression(Expression),
        Section(Unit.getContext().getDWARFObj(), Unit.getInfoSection(),
                Unit.isLittleEndian(), Unit.getAddressByteSize()),
        Offset(Expression.data() - Unit.getInfoSection().Data.bytes_begin()) {}

  /// Nullopt if an operation cannot be read.
  std::optional<llvm::SmallVector<Operation, 4>> read() {
    llvm::DataExtractor Data(Expression, Unit.isLittleEndian(),
                             Unit.getAddressByteSize());
    DWARFExpression Program(Data, Unit.getAddressByteSize(),
                            Unit.getFormParams().Format);
    llvm::SmallVector<Operation, 4> Operations;
    uint64_t Start = 0;
    for (const DWARFExpression::Operation &Op : Program) {
      if (Op.isError())
        return std::nullopt;
      Operations.push_back(readOne(Op, Start));
      Start = Op.getEndOffset();
    }
    return Operations;
  }

private:
  Operation readOne(const DWARFExpression::Operation &Op, uint64_t Start) {
    uint64_t Operand = Offset + Start + 1;
    switch (Op.getCode()) {
    case dwarf::DW_OP_addr:
      return {Operation::Address, Section.getRelocatedAddress(&Operand)};
    case dwarf::DW_OP_addrx:
    case dwarf::DW_OP_GNU_addr_index:
      return indexed(Operation::Address, Op.getRawOperand(0));
    case dwarf::DW_OP_constx:
    case dwarf::DW_OP_GNU_const_index:
      return indexed(Operation::Number, Op.getRawOperand(0));
    case dwarf::DW_OP_const4u:
      return {Operation::Number, Section.getRelocatedValue(4, &Operand)};
    case dwarf::DW_OP_const8u:
      return {Operation::Number, Section.getRelocatedValue(8, &Operand)};
    case dwarf::DW_OP_constu:
      return {Operation::Number, Op.getRawOperand(0)};
    case dwarf::DW_OP_form_tls_address:
    case dwarf::DW_OP_GNU_push_tls_address:
      return {Operation::TlsOfTop, 0};
    case dwarf::DW_OP_deref:
    case dwarf::DW_OP_deref_size:
      return {Operation::Dereference, 0};
    case dwarf::DW_OP_piece:
    case dwarf::DW_OP_bit_piece:
      return {Operation::Piece, 0};
    }
    return {};
  }

  Operation indexed(Operation::Role What, uint64_t Index) {
    std::optional<llvm::object::SectionedAddress> Entry =
        Unit.getAddrOffsetSectionItem(static_cast<uint32_t>(Index));
    return Entry ? Operation{What, Entry->Address} : Operation{};
  }

  DWARFUnit &Unit;
  ArrayRef<uint8_t> Expression;
  llvm::DWARFDataExtractor Section;
  uint64_t Offset; ///< of the expression in its section
};

} // namespace

static VariableLocation classify(ArrayRef<Operation> Operations) {
  if (Operations.empty())
    return {};
  const Operation &First = Operations.front();
  if (Operations.size() == 1 && First.What == Operation::Address)
    return {StorageKind::Address, First.Value, true};
  bool Tls =
      Operations.size() == 2 && Operations[1].What == Operation::TlsOfTop;
  if (Tls &&
      (First.What == Operation::Address || First.What == Operation::Number))
    return {StorageKind::ThreadLocal, First.Value, true};

  // The address alone does not make it the variable's storage: an automatic
  // pointer that holds it is written DW_OP_addr A, DW_OP_stack_value.
  bool NamesAddress = false, ReadsIt = false;
  for (const Operation &Op : Operations) {
    NamesAddress |= Op.What == Operation::Address;
    NamesAddress |= Op.What == Operation::TlsOfTop;
    ReadsIt |= Op.What == Operation::Dereference || Op.What == Operation::Piece;
  }
  return {StorageKind::Composed, 0, NamesAddress && ReadsIt};
}

VariableLocation locate(const DWARFDie &Variable) {
  std::optional<DWARFFormValue> Location = Variable.find(dwarf::DW_AT_location);
  if (!Location) {
    if (Variable.find(dwarf::DW_AT_const_value))
      return {StorageKind::Constant, 0, false};
    return {};
  }
  std::optional<ArrayRef<uint8_t>> Expression = Location->getAsBlock();
  if (!Expression)
    return {StorageKind::Composed, 0, false}; // A location list.
  std::optional<llvm::SmallVector<Operation, 4>> Operations =
      ExpressionReader(*Variable.getDwarfUnit(), *Expression).read();
  if (!Operations)
    return {StorageKind::Composed, 0, false};
  return classify(*Operations);
}

} // namespace hotjit
