// Facts of a unit and of its successor are the same but for a few: an edit of
// one body out of two thousand functions. So lists of facts share what they
// agree on, and a fact is copied when one of the lists changes it.

#ifndef HOTJIT_COMPILE_FACTLIST_H
#define HOTJIT_COMPILE_FACTLIST_H

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/iterator.h"
#include <algorithm>
#include <memory>
#include <vector>

namespace hotjit {

/// A vector of T; copies share elements until one is changed. Iterating over a
/// list that is not const makes each element the list's own: where nothing is
/// changed, iterate over a const list. A list has one owner, as a vector has;
/// elements may be shared by lists of several threads.
template <typename T> class FactList {
  using Elements = std::vector<std::shared_ptr<T>>;

  struct OwnIterator
      : llvm::iterator_adaptor_base<OwnIterator, typename Elements::iterator,
                                    std::forward_iterator_tag, T> {
    explicit OwnIterator(typename Elements::iterator It)
        : OwnIterator::iterator_adaptor_base(It) {}
    T &operator*() const { return own(*this->I); }
  };

public:
  using value_type = T;
  using const_iterator =
      llvm::pointee_iterator<typename Elements::const_iterator, const T>;
  using iterator = OwnIterator;

  FactList() = default;
  FactList(std::initializer_list<T> Facts) {
    for (const T &Fact : Facts)
      push_back(Fact);
  }

  const_iterator begin() const { return const_iterator(All.begin()); }
  const_iterator end() const { return const_iterator(All.end()); }
  iterator begin() { return iterator(All.begin()); }
  iterator end() { return iterator(All.end()); }
  const T &operator[](size_t I) const { return *All[I]; }
  T &operator[](size_t I) { return own(All[I]); }
  T &back() { return own(All.back()); }
  size_t size() const { return All.size(); }
  bool empty() const { return All.empty(); }

  void push_back(T Fact) {
    All.push_back(std::make_shared<T>(std::move(Fact)));
  }
  /// Appends an element of Other.
  void share(const FactList &Other, size_t I) { All.push_back(Other.All[I]); }

  template <typename Less> void sort(Less Before) {
    llvm::sort(All, [&](const auto &A, const auto &B) {
      return Before(std::as_const(*A), std::as_const(*B));
    });
  }
  /// Elements before Middle are sorted, those from there on too.
  template <typename Less> void merge(size_t Middle, Less Before) {
    std::inplace_merge(All.begin(), All.begin() + Middle, All.end(),
                       [&](const auto &A, const auto &B) {
                         return Before(std::as_const(*A), std::as_const(*B));
                       });
  }
  template <typename Predicate> void eraseIf(Predicate P) {
    llvm::erase_if(All,
                   [&](const auto &Fact) { return P(std::as_const(*Fact)); });
  }

private:
  static T &own(std::shared_ptr<T> &Fact) {
    if (Fact.use_count() != 1)
      Fact = std::make_shared<T>(*Fact);
    return *Fact;
  }

  Elements All;
};

} // namespace hotjit

#endif
